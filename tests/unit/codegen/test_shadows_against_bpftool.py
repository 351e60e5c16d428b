"""Shadow members as ``bpftool gen skeleton`` has them, since libbpf 1.5.

Debian's is older than that. So its rule is applied here to what ``bpftool btf dump``
says of the types: a number, or an enumeration, is a member of its own size; a pointer
to a function is a program; any other pointer is hidden. It also hides arrays, structs
and unions, which in Python are members like those of every struct.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import skelgen
from skelgen import runtime as rt
from tests.harness import sources
from tests.harness.generating import loaded

OBJECTS = [
    *(
        pytest.param(sources.find(name), id=name)
        for name in ("struct_ops", "struct_ops_link", "struct_ops_shadow")
    ),
    *(
        pytest.param(path, id=path.name)
        for path in (sources.DATA / "objects").glob("struct_ops*.o")
    ),
]
ALIASES = {"TYPEDEF", "CONST", "VOLATILE", "RESTRICT", "TYPE_TAG"}
SCALARS = {"INT", "FLOAT", "ENUM", "ENUM64"}

pytestmark = pytest.mark.skipif(
    shutil.which("bpftool") is None, reason="needs bpftool (Debian package bpftool)"
)


class Types:
    """The BTF of an object, as bpftool reads it."""

    def __init__(self, path: Path) -> None:
        command = ("bpftool", "-j", "btf", "dump", "file", str(path))
        done = subprocess.run(command, capture_output=True, check=True)
        self.all = {one["id"]: one for one in json.loads(done.stdout)["types"]}

    def resolved(self, type_id: int) -> dict[str, Any]:
        found: dict[str, Any] = self.all.get(type_id, {"kind": "VOID"})
        while found["kind"] in ALIASES:
            found = self.all.get(found["type_id"], {"kind": "VOID"})
        return found

    def variables(self) -> dict[str, dict[str, Any]]:
        """Return the structs of struct_ops variables by the variable's name."""
        found: dict[str, dict[str, Any]] = {}
        for section in self.all.values():
            if section["kind"] == "DATASEC" and ".struct_ops" in section["name"]:
                for place in section["vars"]:
                    var = self.all[place["type_id"]]
                    found[var["name"]] = self.resolved(var["type_id"])
        return found

    def members(self, struct: dict[str, Any]) -> dict[str, tuple[str, int, int]]:
        """Return kind, offset and size of each member of a shadow in C."""
        members: dict[str, tuple[str, int, int]] = {}
        for member in struct["members"]:
            type_ = self.resolved(member["type_id"])
            offset = member["bits_offset"] // 8
            if type_["kind"] in SCALARS:
                members[member["name"]] = "value", offset, type_["size"]
            elif type_["kind"] == "PTR":
                target = self.resolved(type_["type_id"])["kind"]
                kind = "program" if target == "FUNC_PROTO" else "hidden"
                members[member["name"]] = kind, offset, 8
        return members


@pytest.mark.parametrize("thing", OBJECTS)
def test_members_are_as_bpftool_has_them(thing: sources.Source | Path) -> None:
    path = thing if isinstance(thing, Path) else sources.compiled(thing)
    module = loaded(skelgen.generate(path))
    types = Types(path)
    (skeleton,) = (
        cls
        for cls in vars(module).values()
        if isinstance(cls, type) and issubclass(cls, rt.Skeleton)
    )
    with skeleton.open() as skel:
        shadows: Any = skel.struct_ops  # type: ignore[attr-defined] # generated
        variables = types.variables()
        assert set(variables) == set(shadows.__slots__)
        for name, struct in variables.items():
            shadow = getattr(shadows, name)
            assert len(bytes(shadow)) == struct["size"]
            assert type(shadow).__name__.endswith(
                "".join(w.capitalize() for w in struct["name"].split("_"))
            )
            compare(type(shadow), types.members(struct))


def compare(cls: Any, members: dict[str, tuple[str, int, int]]) -> None:
    assert len(members) >= 3
    for name, (kind, offset, size) in members.items():
        ours = getattr(cls, name, None) or getattr(cls, f"{name}_", None)
        if name == "from_buffer":  # which ctypes has, so that it got a "_"
            ours = cls.from_buffer_
        if kind == "hidden":
            assert ours is None
            continue
        assert ours.offset == offset
        if kind == "program":
            assert isinstance(ours, rt.Operation)
            assert ours.function == name
        else:
            assert ours.size == size
