"""Every command that the kernel answers in its attr is told of the whole of it.

What it is not told of it leaves as it is: the revision of a cgroup was always 0.
"""

from collections.abc import Callable

import pytest

from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.runtime import syscalls
from tests.harness.bpf_attr import LAYOUTS
from tests.harness.commands import Command
from tests.harness.fake_kernel import FakeKernel

ANSWERED = {
    "PROG_LOAD": "log_true_size",
    "PROG_TEST_RUN": "ctx_size_out",
    "PROG_GET_NEXT_ID": "next_id",
    "MAP_GET_NEXT_ID": "next_id",
    "BTF_GET_NEXT_ID": "next_id",
    "LINK_GET_NEXT_ID": "next_id",
    "OBJ_GET_INFO_BY_FD": "info_len",
    "PROG_QUERY": "revision",
    "TASK_FD_QUERY": "probe_addr",
    "MAP_LOOKUP_BATCH": "count",
    "MAP_LOOKUP_AND_DELETE_BATCH": "count",
    "MAP_UPDATE_BATCH": "count",
    "MAP_DELETE_BATCH": "count",
}
"""The last member of ``union bpf_attr`` that Linux 6.18 writes to, by command."""
NOT_ASKED = {"BTF_LOAD"}
"""It has the true size of a log, which nobody here asks for."""
QUIET = {
    *("MAP_CREATE", "MAP_LOOKUP_ELEM", "MAP_UPDATE_ELEM", "MAP_DELETE_ELEM"),
    *("MAP_GET_NEXT_KEY", "OBJ_PIN", "OBJ_GET", "PROG_ATTACH", "PROG_DETACH"),
    *("PROG_GET_FD_BY_ID", "MAP_GET_FD_BY_ID", "RAW_TRACEPOINT_OPEN"),
    *("BTF_GET_FD_BY_ID", "MAP_LOOKUP_AND_DELETE_ELEM", "MAP_FREEZE"),
    *("LINK_CREATE", "LINK_UPDATE", "LINK_GET_FD_BY_ID", "ENABLE_STATS"),
    *("ITER_CREATE", "LINK_DETACH", "PROG_BIND_MAP", "TOKEN_CREATE"),
    *("PROG_STREAM_READ_BY_FD",),
}
"""Commands whose result is a number, an fd, or what a pointer leads to."""

CALLS: dict[str, Callable[[], object]] = {
    "PROG_LOAD": lambda: syscalls.prog_load(
        type=ProgType.XDP, insns=bytes(16), license="GPL", true_size=[]
    ),
    "PROG_TEST_RUN": lambda: syscalls.prog_test_run(5),
    "PROG_GET_NEXT_ID": lambda: syscalls.get_next_id("prog", 0),
    "MAP_GET_NEXT_ID": lambda: syscalls.get_next_id("map", 0),
    "BTF_GET_NEXT_ID": lambda: syscalls.get_next_id("btf", 0),
    "LINK_GET_NEXT_ID": lambda: syscalls.get_next_id("link", 0),
    "OBJ_GET_INFO_BY_FD": lambda: syscalls.prog_info(5),
    "PROG_QUERY": lambda: syscalls.prog_query(5, AttachType.CGROUP_INET_EGRESS),
    "TASK_FD_QUERY": lambda: syscalls.task_fd_query(1, 5),
    "MAP_UPDATE_BATCH": lambda: syscalls.map_update_batch(5, b"k", b"v", 1),
    "MAP_DELETE_BATCH": lambda: syscalls.map_delete_batch(5, b"k", 1),
    "MAP_LOOKUP_BATCH": lambda: lookup_batch(delete=False),
    "MAP_LOOKUP_AND_DELETE_BATCH": lambda: lookup_batch(delete=True),
}


def lookup_batch(*, delete: bool) -> None:
    out = [bytearray(4) for _ in range(3)]
    syscalls.map_lookup_batch(5, None, *out, 1, delete=delete)


def test_every_command_is_in_one_of_the_lists() -> None:
    names = {command.name for command in Command}
    names = {name for name in names if name.isupper()}
    listed = set(ANSWERED) | NOT_ASKED | QUIET
    assert names - listed <= {"PROG_RUN", "PROG_ASSOC_STRUCT_OPS"}
    assert listed <= names
    assert not set(ANSWERED) & QUIET
    assert set(ANSWERED) == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_the_kernel_is_told_of_what_it_writes(kernel: FakeKernel, name: str) -> None:
    CALLS[name]()
    (call,) = kernel.named(name)
    assert len(call.attr) >= LAYOUTS[name][ANSWERED[name]].end


def test_what_the_kernel_does_not_write_to_is_cut(kernel: FakeKernel) -> None:
    syscalls.map_create(
        type=MapType.ARRAY, key_size=4, value_size=4, max_entries=1, name=""
    )
    (call,) = kernel.calls
    assert len(call.attr) == LAYOUTS["MAP_CREATE"]["max_entries"].end
