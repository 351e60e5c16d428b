"""The same maps, programs and globals as ``bpftool gen skeleton`` shows."""

import shutil
from pathlib import Path

import pytest

from skelgen.btf.layout import section_vars
from skelgen.btf.parse import Btf
from skelgen.codegen.names import section_identifier
from skelgen.elf.object import read_object
from skelgen.model.spec import DataKind, ObjectSpec
from tests.harness import bpftool, sources

# Debian's bpftool is 7.1 with libbpf 1.1, of 2022.
TOO_OLD = {
    "jump_table": "no jump tables before libbpf 1.7",
    "maps_arena": "no arenas and no __ulong before libbpf 1.4",
    "maps_graph": "no .bss.x before libbpf 1.1.2, which is later than its own",
    "sections_bss": "likewise",
    "sections_resized": "likewise",
}
REFUSED = {
    "maps_inner_struct": "clang 14 left a struct out of BTF; DWARF, which bpftool does"
    " not read, has its size",
}
# What it shows otherwise, and why.
NO_LINK_SECTIONS = {
    "life": ("life",),
    "sched_weighted": ("weighted",),
    "struct_ops_forms": ("linked", "maybe", "maylink"),
    "struct_ops_link": ("linked", "optional"),
    "struct_ops_tcp": ("one", "two"),
    "struct_ops_shadow": ("linked", "optional_linked", "optional"),
}
"""Maps in ``.struct_ops.link`` and the like, which libbpf knows since 1.2."""
HIDDEN_SHOWN = {"linkage": {"hidden_by_attribute", "ro_hidden", "bss_hidden"}}
"""Hidden variables, which libbpf takes for static since 1.3."""
MIXED_UP = {"names_meet": {"data_a_b"}}
"""Attributes that bpftool gives to two sections, and shows one of."""

STATIC = 0  # BTF_VAR_STATIC

# bpftool 7.1 opens objects of this machine's byte order alone.
OBJECTS = sorted(
    path for path in (sources.DATA / "objects").glob("*.o") if ".big." not in path.name
)

pytestmark = pytest.mark.skipif(
    shutil.which("bpftool") is None, reason="needs bpftool (Debian package bpftool)"
)


def read(path: Path, name: str) -> ObjectSpec:
    return read_object(path.read_bytes(), name=name, source=path.name)


def maps(spec: ObjectSpec) -> tuple[str, ...]:
    """Return the maps in libbpf's order, data sections under bpftool's names."""
    names = [one.name for one in spec.maps]
    names += [section_identifier(data.section) or data.section for data in spec.data]
    return (*names, *(one.name for one in spec.struct_ops))


def sections(spec: ObjectSpec) -> dict[str, tuple[bpftool.Global, ...]]:
    """Return the variables that the C skeleton would show, by section."""
    if spec.btf is None:
        return {}
    btf = Btf(bytes(spec.view(spec.btf)))
    found: dict[str, tuple[bpftool.Global, ...]] = {}
    for data in spec.data:
        name = section_identifier(data.section) or data.section
        if data.kind is DataKind.KCONFIG:
            externs = [one for one in spec.externs if one.kconfig is not None]
            externs.sort(key=lambda one: one.offset)
            variables = [bpftool.Global(x.name, x.offset, x.size) for x in externs]
        elif data.mmapable:
            variables = [
                bpftool.Global(variable.name, variable.offset, variable.size)
                for variable in section_vars(btf, data.type_id)
                if variable.linkage != STATIC
            ]
        else:
            continue
        found[name] = tuple(variables)
    return found


def compare(path: Path, name: str, scratch: Path) -> None:
    theirs = bpftool.skeleton(path, name, scratch)
    ours = read(path, name)
    assert maps(ours) == theirs.maps + NO_LINK_SECTIONS.get(name, ())
    assert tuple(program.name for program in ours.programs) == theirs.progs
    hidden = HIDDEN_SHOWN.get(name, set())
    mixed_up = MIXED_UP.get(name, set())
    assert {
        section: variables
        for section, variables in sections(ours).items()
        if section not in mixed_up
    } == {
        section: tuple(one for one in variables if one.name not in hidden)
        for section, variables in theirs.sections.items()
        if section not in mixed_up
    }


def test_maps_programs_and_globals_are_as_bpftool_shows_them(
    bpf_source: sources.Source, tmp_path: Path
) -> None:
    path = sources.compiled(bpf_source)
    if bpf_source.name in TOO_OLD:
        with pytest.raises(bpftool.RefusedError):
            bpftool.skeleton(path, bpf_source.name, tmp_path)
    else:
        compare(path, bpf_source.name, tmp_path)


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_objects_of_other_compilers_are_as_bpftool_shows_them(
    path: Path, tmp_path: Path
) -> None:
    name = path.name.partition(".")[0]
    if name in REFUSED:
        with pytest.raises(bpftool.RefusedError, match="can't determine value size"):
            bpftool.skeleton(path, name, tmp_path)
    else:
        compare(path, name, tmp_path)
