"""BTF for tests: out of objects, as bpftool prints it, and of every kind at once."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from skelgen.btf.build import BtfBuilder
from skelgen.btf.kinds import EXTRA_WORDS, ROWS
from skelgen.btf.parse import Btf
from skelgen.btf.types import (
    Array,
    Datasec,
    DeclTag,
    Enum,
    Enum64,
    Float,
    Func,
    FuncProto,
    Fwd,
    Int,
    Member,
    Struct,
    Type,
    Union,
    Unknown,
    Var,
    Void,
)
from tests.harness.sources import Source, compiled

WITHOUT_BTF = {"no_btf"}
"""Fixtures that are compiled without BTF on purpose."""

VMLINUX = Path("/sys/kernel/btf/vmlinux")

needs_bpftool = pytest.mark.skipif(
    shutil.which("bpftool") is None, reason="needs bpftool (Debian package bpftool)"
)
needs_kernel_btf = pytest.mark.skipif(
    not VMLINUX.exists(), reason="needs a kernel with CONFIG_DEBUG_INFO_BTF"
)

_LINKAGE = ("static", "global", "extern")


def elf_section(path: Path, name: str) -> bytes:
    """Return the contents of a section of an object; none if there is no such."""
    with path.open("rb") as file:
        section = ELFFile(file).get_section_by_name(name)
        return b"" if section is None else bytes(section.data())


def btf_of(source: Source, byteorder: str = "little") -> tuple[Path, Btf]:
    """Compile a fixture; return the object and its BTF, empty if it has none."""
    path = compiled(source, byteorder)
    data = elf_section(path, ".BTF")
    assert bool(data) != (source.name in WITHOUT_BTF)
    return path, Btf(data or BtfBuilder(byteorder).bytes())


def bpftool_types(path: Path) -> list[dict[str, Any]]:
    """Return all types of an object or of raw BTF, as bpftool reads them."""
    command = ["bpftool", "--json", "btf", "dump", "file", str(path), "format", "raw"]
    if path.suffix == ".o" and not elf_section(path, ".BTF"):
        return []
    done = subprocess.run(command, capture_output=True, check=True)
    types: list[dict[str, Any]] = json.loads(done.stdout)["types"]
    return types


def without_sign_extension(types: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return types with unsigned constants of 32 bits as they are.

    bpftool prints them as 64 bits in JSON, and right in plain text.
    """
    for found in types:
        if found["kind"] == "ENUM" and found["encoding"] == "UNSIGNED":
            for constant in found["values"]:
                constant["val"] &= 0xFFFFFFFF
    return types


def bpftool_c(path: Path) -> str:
    """Return all definitions of an object or of raw BTF, as bpftool writes C."""
    command = ["bpftool", "btf", "dump", "file", str(path), "format", "c"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def _name(name: str) -> str:
    return name or "(anon)"


def _member(member: Member) -> dict[str, Any]:
    found = {
        "name": _name(member.name),
        "type_id": member.type_id,
        "bits_offset": member.bit_offset,
    }
    if member.bitfield_size:
        found["bitfield_size"] = member.bitfield_size
    return found


def _constant(enum: Enum | Enum64, value: int) -> int:
    # bpftool sign-extends unsigned constants of 32 bits in JSON, not in plain text
    if isinstance(enum, Enum) and not enum.signed and value >> 31:
        return value + (1 << 64) - (1 << 32)
    return value


def _details(found: Type) -> dict[str, Any]:  # noqa: C901, PLR0911 (a case a kind)
    match found:
        case Int():
            flags = (found.signed, "SIGNED"), (found.char, "CHAR"), (found.bool, "BOOL")
            return {
                "size": found.size,
                "bits_offset": found.bit_offset,
                "nr_bits": found.bits,
                "encoding": next((word for flag, word in flags if flag), "(none)"),
            }
        case Array():
            return {
                "type_id": found.type_id,
                "index_type_id": found.index_type_id,
                "nr_elems": found.nelems,
            }
        case Struct() | Union():
            return {
                "size": found.size,
                "vlen": len(found.members),
                "members": [_member(member) for member in found.members],
            }
        case Enum() | Enum64():
            return {
                "encoding": "SIGNED" if found.signed else "UNSIGNED",
                "size": found.size,
                "vlen": len(found.values),
                "values": [
                    {"name": _name(item.name), "val": _constant(found, item.value)}
                    for item in found.values
                ],
            }
        case Fwd():
            return {"fwd_kind": "union" if found.union else "struct"}
        case Func() | Var():
            return {"type_id": found.type_id, "linkage": _LINKAGE[found.linkage]}
        case FuncProto():
            return {
                "ret_type_id": found.type_id,
                "vlen": len(found.params),
                "params": [
                    {"name": _name(param.name), "type_id": param.type_id}
                    for param in found.params
                ],
            }
        case Datasec():
            return {
                "size": found.size,
                "vlen": len(found.vars),
                "vars": [var._asdict() for var in found.vars],
            }
        case Float():
            return {"size": found.size}
        case DeclTag():
            return {"type_id": found.type_id, "component_idx": found.component_index}
        case Void() | Unknown():
            raise AssertionError(found)
        case _:
            return {"type_id": found.type_id}


def as_bpftool(btf: Btf, type_id: int) -> dict[str, Any]:
    """Return what bpftool prints about a type."""
    head = {
        "id": type_id,
        "kind": btf.kind(type_id).name,
        "name": _name(btf.name(type_id)),
    }
    return head | _details(btf.type(type_id))


def every_kind(byteorder: str = "little") -> BtfBuilder:
    """Return BTF with types of every kind, some of them in unusual shape."""
    add = BtfBuilder(byteorder)
    int_ = add.add_int("int", 4, signed=True)  # 1
    add.add_int("char", 1, char=True)
    add.add_int("_Bool", 1, bool=True)
    add.add_int("old_bits", 4, bits=3, bit_offset=5)
    ptr = add.add_ptr(0)  # 5
    array = add.add_array(int_, int_, 7)
    struct = add.add_struct("s", 32, [("a", int_, 0), ("", array, 32)])
    add.add_struct("bits", 8, [("x", int_, 0, 3), ("y", int_, 3, 29), ("z", int_, 32)])
    add.add_struct("empty", 0)
    union = add.add_union("u", 8, [("a", int_, 0), ("p", ptr, 0)])  # 10
    add.add_union("ubits", 4, [("a", int_, 0, 5)])
    add.add_enum("e", [("E_A", 0), ("E_B", 0xFFFFFFFF)])
    add.add_enum("neg", [("N_A", -1), ("N_B", 0x7FFFFFFF)], size=1)
    add.add_enum("declared")
    add.add_fwd("later")  # 15
    add.add_fwd("later_union", union=True)
    typedef = add.add_typedef("t", struct)
    add.add_volatile(typedef)
    add.add_const(union)
    add.add_restrict(ptr)  # 20
    proto = add.add_func_proto(int_, [("first", ptr), ("", 0)])
    add.add_func_proto(0)
    add.add_func("f", proto, 1)
    add.add_func("static_f", proto, 0)
    add.add_func("extern_f", proto, 2)  # 25
    var = add.add_var("v", typedef, 1)
    hidden = add.add_var("static_v", int_, 0)
    add.add_datasec(".data.x", 36, [(var, 0, 32), (hidden, 32, 4)])
    add.add_datasec("?.struct_ops")
    add.add_float("double", 8)  # 30
    add.add_decl_tag("tag", struct)
    add.add_decl_tag("member", struct, 1)
    add.add_type_tag("kptr", struct)
    add.add_enum64("e64", [("L_A", 0), ("L_B", (1 << 64) - 1), ("L_C", 1 << 32)])
    add.add_enum64("neg64", [("M_A", -1), ("M_B", -(1 << 63))])  # 35
    return add


def layout_of(kinds: dict[int, tuple[int, int]]) -> bytes:
    """Return a layout section: that of Linux 7.1, with the bytes of further kinds.

    A kind's bytes are those behind ``struct btf_type``, once and for each element.
    """
    known = {int(kind): EXTRA_WORDS[kind] for kind in ROWS}
    sizes = {kind: (4 * once, 4 * each) for kind, (once, each) in known.items()}
    sizes |= kinds
    return b"".join(
        bytes((*sizes.get(kind, (0, 0)), 0, 0)) for kind in range(max(sizes) + 1)
    )
