"""The fields that tests read by name are where the running kernel has them."""

import struct
from collections.abc import Iterator

import pytest

from skelgen.btf.index import KernelBtf
from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import size_of
from skelgen.btf.types import Struct, Union
from skelgen.runtime.errors import KernelBtfError
from skelgen.runtime.kernel import btf as kernel_btf
from tests.harness.bpf_attr import LAYOUTS, Attr
from tests.harness.commands import Command

PARTS = {
    **dict.fromkeys(("MAP_LOOKUP_BATCH", "MAP_UPDATE_BATCH"), "batch"),
    **dict.fromkeys(("MAP_LOOKUP_AND_DELETE_BATCH", "MAP_DELETE_BATCH"), "batch"),
    "PROG_TEST_RUN": "test",
    "OBJ_GET_INFO_BY_FD": "info",
    "PROG_QUERY": "query",
    "RAW_TRACEPOINT_OPEN": "raw_tracepoint",
    "TASK_FD_QUERY": "task_fd_query",
    "LINK_CREATE": "link_create",
    "LINK_UPDATE": "link_update",
    "LINK_DETACH": "link_detach",
    "ENABLE_STATS": "enable_stats",
    "ITER_CREATE": "iter_create",
    "PROG_BIND_MAP": "prog_bind_map",
    "TOKEN_CREATE": "token_create",
    "PROG_STREAM_READ_BY_FD": "prog_stream_read",
}
"""The members of ``union bpf_attr`` that commands have to themselves. The members of the
rest are the union's own."""

SINCE_6_18 = {"uprobe_multi.path_fd"}  # 7.2

Place = tuple[int, int]


@pytest.fixture(scope="module")
def kernel_types() -> KernelBtf:
    try:
        return kernel_btf.vmlinux()
    except KernelBtfError:
        pytest.skip("needs the kernel's BTF")


def members(btf: Btf, type_id: int, base: int = 0) -> Iterator[tuple[str, int, int]]:
    """Yield name, offset and type of members; those of nameless ones too."""
    found = btf.type(type_id)
    assert isinstance(found, Struct | Union)
    for member in found.members:
        at = base + member.bit_offset // 8
        if member.name:
            yield member.name, at, member.type_id
        else:
            yield from members(btf, member.type_id, at)


def places(
    btf: Btf, type_id: int, base: int = 0, part: str = ""
) -> dict[str, set[Place]]:
    """Return start and end of all fields; ``flags`` of the union's own has two places."""
    found: dict[str, set[Place]] = {}
    for name, at, member in members(btf, type_id, base):
        if isinstance(btf.type(member), Struct | Union):
            for inner, where in places(btf, member, at, f"{part}{name}.").items():
                found.setdefault(inner, set()).update(where)
        else:
            found.setdefault(part + name, set()).add((at, at + size_of(btf, member)))
    return found


@pytest.mark.parametrize("command", [name for name in LAYOUTS if name.isupper()])
def test_fields_stand_where_the_kernel_has_them(
    kernel_types: KernelBtf, command: str
) -> None:
    whole = kernel_types.find("bpf_attr", Kind.UNION)
    assert whole is not None
    there = places(kernel_types, whole)
    prefix = f"{PARTS[command]}." if command in PARTS else ""
    if prefix and not any(name.startswith(prefix) for name in there):
        pytest.skip(f"this kernel's union bpf_attr has no {PARTS[command]}")
    newest = "excl_prog_hash" in there  # Linux 6.18 has all but those of SINCE_6_18
    wrong = [
        name
        for name, field in LAYOUTS[command].items()
        if (prefix + name in there or (newest and name not in SINCE_6_18))
        and field[:2] not in there.get(prefix + name, ())
    ]
    assert not wrong


def test_fields_of_perf_event_attr_stand_where_the_kernel_has_them(
    kernel_types: KernelBtf,
) -> None:
    whole = kernel_types.find("perf_event_attr", Kind.STRUCT)
    assert whole is not None
    there = places(kernel_types, whole)
    for name, field in LAYOUTS["perf_event_open"].items():
        assert name == "bits" or field[:2] in there[name], name


def test_every_command_has_its_fields() -> None:
    names = {command.name for command in Command if command.name.isupper()}
    assert names - LAYOUTS.keys() <= {"PROG_RUN", "PROG_ASSOC_STRUCT_OPS"}


def test_a_field_beyond_what_was_shown_is_0() -> None:
    attr = Attr("PROG_LOAD", struct.pack("=II", 6, 2))
    assert (attr.prog_type, attr.insn_cnt, attr.log_buf, attr.prog_name) == (
        6,
        2,
        0,
        "",
    )
    assert len(attr) == 8


def test_a_part_of_link_create_has_fields_of_its_own() -> None:
    attr = Attr("LINK_CREATE", struct.pack("=8I", 5, 0, 45, 0, 2, 3, 2**32 - 7, 1))
    assert attr.flags == 0
    assert attr.netfilter.flags == 1
    assert attr.netfilter.priority == -7


def test_a_name_that_the_command_does_not_have_is_refused() -> None:
    with pytest.raises(AttributeError, match="MAP_CREATE has no prog_type"):
        _ = Attr("MAP_CREATE", b"").prog_type
