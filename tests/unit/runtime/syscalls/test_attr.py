"""Each command fills the fields of ``union bpf_attr`` that it is about, and no others."""

import struct
from collections.abc import Callable
from unittest.mock import ANY

import pytest

from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.runtime import syscalls
from tests.harness.bpf_attr import LAYOUTS
from tests.harness.fake_kernel import FIRST_FD, Call, FakeKernel


def check(call: Call, fields: dict[str, object]) -> None:
    """Compare fields with the attr of a call, of which all the rest is 0."""
    assert {name: call.attr[name] for name in fields} == fields
    used = {i for name in fields for i in range(*LAYOUTS[call.name][name][:2])}
    rest = {i for i, byte in enumerate(bytes(call.attr)) if byte} - used
    assert not rest, "bytes that the test does not know of"


def test_map_create_fills_every_field(kernel: FakeKernel) -> None:
    hashes: list[bytes] = []
    kernel.then(
        "MAP_CREATE", lambda call: hashes.append(call.memory("excl_prog_hash", 32))
    )
    fd = syscalls.map_create(
        type=MapType.HASH,
        key_size=4,
        value_size=16,
        max_entries=100,
        flags=1,
        name="counts",
        numa_node=3,
        inner_map_fd=11,
        btf_fd=12,
        btf_key_type_id=13,
        btf_value_type_id=14,
        btf_vmlinux_value_type_id=15,
        map_extra=1 << 40,
        ifindex=16,
        value_type_btf_obj_fd=17,
        token_fd=18,
        excl_prog_hash=b"h" * 32,
    )
    assert fd > FIRST_FD
    (call,) = kernel.named("MAP_CREATE")
    expected = {
        "map_type": MapType.HASH,
        "key_size": 4,
        "value_size": 16,
        "max_entries": 100,
        "map_flags": 1 | 4 | 1 << 15 | 1 << 16,
        "inner_map_fd": 11,
        "numa_node": 3,
        "map_name": "counts",
        "map_ifindex": 16,
        "btf_fd": 12,
        "btf_key_type_id": 13,
        "btf_value_type_id": 14,
        "btf_vmlinux_value_type_id": 15,
        "map_extra": 1 << 40,
        "value_type_btf_obj_fd": 17,
        "map_token_fd": 18,
        "excl_prog_hash": ANY,
        "excl_prog_hash_size": 32,
    }
    check(call, expected)
    assert hashes == [b"h" * 32]
    assert len(call.attr) == 92


def test_the_kernel_sees_no_more_than_is_used(kernel: FakeKernel) -> None:
    syscalls.map_create(
        type=MapType.ARRAY, key_size=4, value_size=4, max_entries=1, name=""
    )
    (call,) = kernel.named("MAP_CREATE")
    assert bytes(call.attr) == struct.pack("=4I", 2, 4, 4, 1)


def test_names_are_cut_at_15_bytes(kernel: FakeKernel) -> None:
    name = "a_name_of_more_than_fifteen"
    syscalls.map_create(
        type=MapType.ARRAY, key_size=4, value_size=4, max_entries=1, name=name
    )
    assert kernel.calls[0].attr.map_name == "a_name_of_more_"


def test_prog_load_fills_every_field(kernel: FakeKernel) -> None:
    log = bytearray(4096)
    seen: dict[str, bytes | str] = {}

    def look(call: Call) -> None:
        seen.update(
            insns=call.memory("insns", 16),
            license=call.text("license"),
            func_info=call.memory("func_info", 8),
            line_info=call.memory("line_info", 32),
            fds=call.memory("fd_array", 8),
        )

    kernel.then("PROG_LOAD", look)
    syscalls.prog_load(
        type=ProgType.TRACING,
        insns=b"i" * 16,
        license="GPL",
        name="prog",
        attach_type=AttachType.TRACE_FENTRY,
        flags=1 << 4,
        kern_version=0x060102,
        log_level=2,
        log_buf=log,
        prog_btf_fd=20,
        func_info=b"f" * 8,
        line_info=b"l" * 32,
        attach_btf_id=21,
        attach_btf_obj_fd=22,
        fd_array=(7, 8),
        fd_array_cnt=2,
        ifindex=23,
        token_fd=24,
    )
    (call,) = kernel.named("PROG_LOAD")
    expected = {
        "prog_type": ProgType.TRACING,
        "insn_cnt": 2,
        "insns": ANY,
        "license": ANY,
        "log_level": 2,
        "log_size": 4096,
        "log_buf": ANY,
        "kern_version": 0x060102,
        "prog_flags": 1 << 4 | 1 << 16,
        "prog_name": "prog",
        "prog_ifindex": 23,
        "expected_attach_type": AttachType.TRACE_FENTRY,
        "prog_btf_fd": 20,
        "func_info_rec_size": 8,
        "func_info": ANY,
        "func_info_cnt": 1,
        "line_info_rec_size": 16,
        "line_info": ANY,
        "line_info_cnt": 2,
        "attach_btf_id": 21,
        "attach_btf_obj_fd": 22,
        "fd_array": ANY,
        "prog_token_fd": 24,
        "fd_array_cnt": 2,
    }
    check(call, expected)
    assert call.attr.log_buf != 0
    assert seen == {
        "insns": b"i" * 16,
        "license": "GPL",
        "func_info": b"f" * 8,
        "line_info": b"l" * 32,
        "fds": struct.pack("=2i", 7, 8),
    }


def test_without_a_log_level_the_kernel_gets_no_log_buffer(kernel: FakeKernel) -> None:
    log = bytearray(64)
    syscalls.prog_load(
        type=ProgType.XDP, insns=bytes(16), license="GPL", log_buf=log, name=""
    )
    (call,) = kernel.named("PROG_LOAD")
    assert len(call.attr) == 24


@pytest.mark.parametrize(
    ("name", "action", "fields"),
    [
        ("MAP_FREEZE", lambda: syscalls.map_freeze(5), {"map_fd": 5}),
        (
            "PROG_ATTACH",
            lambda: syscalls.prog_attach(
                5, 6, 7, flags=8, replace_fd=9, relative_fd=10, expected_revision=11
            ),
            {
                "target_fd": 6,
                "attach_bpf_fd": 5,
                "attach_type": 7,
                "attach_flags": 8,
                "replace_bpf_fd": 9,
                "relative_fd": 10,
                "expected_revision": 11,
            },
        ),
        (
            "PROG_DETACH",
            lambda: syscalls.prog_detach(5, 6, 7, relative_id=12),
            {"target_fd": 6, "attach_bpf_fd": 5, "attach_type": 7, "relative_id": 12},
        ),
        (
            "RAW_TRACEPOINT_OPEN",
            lambda: syscalls.raw_tracepoint_open(None, 5, 77),
            {"name": 0, "prog_fd": 5, "cookie": 77},
        ),
        (
            "PROG_BIND_MAP",
            lambda: syscalls.prog_bind_map(5, 6),
            {"prog_fd": 5, "map_fd": 6},
        ),
        (
            "LINK_UPDATE",
            lambda: syscalls.link_update(5, 6, old_fd=7),
            {"link_fd": 5, "new_prog_fd": 6, "flags": 4, "old_prog_fd": 7},
        ),
        ("LINK_DETACH", lambda: syscalls.link_detach(5), {"link_fd": 5}),
        ("ITER_CREATE", lambda: syscalls.iter_create(5, 1), {"link_fd": 5, "flags": 1}),
        ("ENABLE_STATS", lambda: syscalls.enable_stats(0), {"type": 0}),
        ("TOKEN_CREATE", lambda: syscalls.token_create(5), {"flags": 0, "bpffs_fd": 5}),
        (
            "LINK_GET_FD_BY_ID",
            lambda: syscalls.get_fd_by_id("link", 5, token_fd=6),
            {"link_id": 5, "fd_by_id_token_fd": 6},
        ),
        (
            "LINK_CREATE",
            lambda: syscalls.link_create(5, 6, AttachType.XDP, flags=2),
            {
                "prog_fd": 5,
                "target_ifindex": 6,
                "attach_type": AttachType.XDP,
                "flags": 2,
            },
        ),
        (
            "LINK_CREATE",
            lambda: syscalls.link_create_perf_event(5, 6, cookie=7),
            {
                "prog_fd": 5,
                "target_fd": 6,
                "attach_type": AttachType.PERF_EVENT,
                "perf_event.bpf_cookie": 7,
            },
        ),
        (
            "LINK_CREATE",
            lambda: syscalls.link_create_tracing(
                5, AttachType.TRACE_FEXIT, target_fd=6, target_btf_id=7, cookie=8
            ),
            {
                "prog_fd": 5,
                "target_fd": 6,
                "attach_type": AttachType.TRACE_FEXIT,
                "tracing.target_btf_id": 7,
                "tracing.cookie": 8,
            },
        ),
        (
            "LINK_CREATE",
            lambda: syscalls.link_create_ordered(
                5,
                6,
                AttachType.TCX_EGRESS,
                flags=8 | 32,
                relative_id=7,
                expected_revision=9,
            ),
            {
                "prog_fd": 5,
                "target_ifindex": 6,
                "attach_type": AttachType.TCX_EGRESS,
                "flags": 40,
                "tcx.relative_id": 7,
                "tcx.expected_revision": 9,
            },
        ),
        (
            "LINK_CREATE",
            lambda: syscalls.link_create_netfilter(
                5, family=2, hook=3, priority=-100, flags=1
            ),
            {
                "prog_fd": 5,
                "attach_type": AttachType.NETFILTER,
                "netfilter.pf": 2,
                "netfilter.hooknum": 3,
                "netfilter.priority": -100,
                "netfilter.flags": 1,
            },
        ),
        (
            "LINK_CREATE",
            lambda: syscalls.link_create_struct_ops(5),
            {"map_fd": 5, "attach_type": AttachType.STRUCT_OPS},
        ),
    ],
)
def test_fields_are_where_the_kernel_looks(
    kernel: FakeKernel,
    name: str,
    action: Callable[[], object],
    fields: dict[str, object],
) -> None:
    action()
    (call,) = kernel.named(name)
    check(call, fields)
    end = max(LAYOUTS[name][field].end for field in fields)
    assert len(call.attr) <= -(-end // 8) * 8


def test_iterators_get_their_parameters(kernel: FakeKernel) -> None:
    seen: list[bytes] = []
    kernel.then("LINK_CREATE", lambda call: seen.append(call.memory("iter_info", 16)))
    syscalls.link_create_iter(5, info=struct.pack("=I12x", 9))
    (call,) = kernel.named("LINK_CREATE")
    assert call.values("prog_fd", "attach_type", "iter_info_len") == [
        5,
        AttachType.TRACE_ITER,
        16,
    ]
    assert seen == [struct.pack("=I12x", 9)]


def test_kprobe_multi_points_to_its_names(kernel: FakeKernel) -> None:
    import ctypes

    seen: list[object] = []

    def look(call: Call) -> None:
        pointers = struct.unpack("=2Q", call.memory("kprobe_multi.syms", 16))
        seen.append([ctypes.string_at(pointer) for pointer in pointers])
        seen.append(struct.unpack("=2Q", call.memory("kprobe_multi.cookies", 16)))

    kernel.then("LINK_CREATE", look)
    syscalls.link_create_kprobe_multi(
        5, symbols=["vfs_read", "vfs_write"], cookies=[1, 2], flags=1
    )
    (call,) = kernel.named("LINK_CREATE")
    assert (
        call.attr.attach_type,
        call.attr.kprobe_multi.flags,
        call.attr.kprobe_multi.cnt,
        call.attr.kprobe_multi.addrs,
    ) == (42, 1, 2, 0)
    assert seen == [[b"vfs_read", b"vfs_write"], (1, 2)]


def test_uprobe_multi_points_to_its_places(kernel: FakeKernel) -> None:
    seen: list[object] = []

    def look(call: Call) -> None:
        seen.append(call.text("uprobe_multi.path"))
        seen.append(struct.unpack("=2Q", call.memory("uprobe_multi.offsets", 16)))

    kernel.then("LINK_CREATE", look)
    syscalls.link_create_uprobe_multi(
        5, path="/bin/true", offsets=[16, 32], pid=77, flags=1
    )
    (call,) = kernel.named("LINK_CREATE")
    assert call.values("uprobe_multi.ref_ctr_offsets", "uprobe_multi.cookies") == [0, 0]
    assert call.values(
        "uprobe_multi.cnt", "uprobe_multi.flags", "uprobe_multi.pid"
    ) == [2, 1, 77]
    assert seen == ["/bin/true", (16, 32)]


def test_batches_say_how_many_and_where(kernel: FakeKernel) -> None:
    def answer(call: Call) -> int:

        assert struct.unpack("=2I", call.memory("keys", 8)) == (1, 2)
        assert call.values("count", "map_fd") == [2, 5]
        assert call.values("elem_flags", "flags") == [4, 0]
        call.answer("count", 1)
        return 0

    kernel.then("MAP_UPDATE_BATCH", answer)
    keys = struct.pack("=2I", 1, 2)
    assert syscalls.map_update_batch(5, keys, bytes(16), 2, elem_flags=4) == 1


def test_btf_load_and_object_paths_fill_their_fields(kernel: FakeKernel) -> None:
    log = bytearray(128)
    seen: list[object] = []
    kernel.then("BTF_LOAD", lambda call: seen.append(call.memory("btf", 3)))
    kernel.then("OBJ_PIN", lambda call: seen.append(call.text("pathname")))
    kernel.then("OBJ_GET", lambda call: seen.append(call.text("pathname")))
    syscalls.btf_load(b"btf", 1, log, token_fd=9)
    syscalls.obj_pin(5, "/bpf/x")
    syscalls.obj_get("y", 8, dir_fd=6)
    load, pin, get = kernel.calls
    assert load.values(
        "btf_size",
        "btf_log_size",
        "btf_log_level",
        "btf_log_true_size",
        "btf_flags",
        "btf_token_fd",
    ) == [3, 128, 1, 0, 1 << 16, 9]
    assert load.attr.btf_log_buf != 0
    assert pin.values("bpf_fd", "file_flags", "path_fd") == [5, 0, 0]
    assert get.values("bpf_fd", "file_flags", "path_fd") == [0, 8 | 1 << 14, 6]
    assert seen == [b"btf", "/bpf/x", "y"]


def test_perf_event_open_fills_its_attributes(kernel: FakeKernel) -> None:
    syscalls.perf_event_open(
        type=2, config=3, config1=4, config2=5, sample_period=6, freq=True, pid=7
    )
    (call,) = kernel.named("perf_event_open")
    assert [call.attr.type, call.attr.size] == [2, 72]
    assert call.values(
        "config",
        "sample_period",
        "sample_type",
        "read_format",
        "bits",
        "config1",
        "config2",
    ) == [
        3,
        6,
        0,
        0,
        1 << 10,
        4,
        5,
    ]
    # pid, cpu, group, PERF_FLAG_FD_CLOEXEC
    assert call.args[1:5] == (7, 0, -1, 8)
