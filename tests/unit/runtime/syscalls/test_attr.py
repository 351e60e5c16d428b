"""What each command hands to the kernel, byte by byte as ``union bpf_attr`` says."""

import struct
from collections.abc import Callable

import pytest

from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.runtime import syscalls
from tests.harness.fake_kernel import FIRST_FD, Call, FakeKernel


def test_map_create_fills_every_field(kernel: FakeKernel) -> None:
    hashes: list[bytes] = []
    kernel.then("MAP_CREATE", lambda call: hashes.append(call.memory(80, 32)))
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
    assert call.attr[:28] == struct.pack(
        "=7I", 1, 4, 16, 100, 1 | 4 | 1 << 15 | 1 << 16, 11, 3
    )
    assert call.attr[28:44] == b"counts".ljust(16, b"\0")
    assert call.attr[44:64] == struct.pack("=5I", 16, 12, 13, 14, 15)
    assert call.attr[64:80] == struct.pack("=Qii", 1 << 40, 17, 18)
    assert hashes == [b"h" * 32]
    assert call.u32(88) == 32
    assert len(call.attr) == 92


def test_the_kernel_sees_no_more_than_is_used(kernel: FakeKernel) -> None:
    syscalls.map_create(
        type=MapType.ARRAY, key_size=4, value_size=4, max_entries=1, name=""
    )
    (call,) = kernel.named("MAP_CREATE")
    assert call.attr == struct.pack("=4I", 2, 4, 4, 1)


def test_names_are_cut_at_15_bytes(kernel: FakeKernel) -> None:
    name = "a_name_of_more_than_fifteen"
    syscalls.map_create(
        type=MapType.ARRAY, key_size=4, value_size=4, max_entries=1, name=name
    )
    assert kernel.calls[0].attr[28:44].rstrip(b"\0") == b"a_name_of_more_"


def test_prog_load_fills_every_field(kernel: FakeKernel) -> None:
    log = bytearray(4096)
    seen: dict[str, bytes | str] = {}

    def look(call: Call) -> None:
        seen.update(
            insns=call.memory(8, 16),
            license=call.text(16),
            func_info=call.memory(80, 8),
            line_info=call.memory(96, 32),
            fds=call.memory(120, 8),
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
    assert (call.u32(0), call.u32(4)) == (ProgType.TRACING, 2)
    assert (call.u32(24), call.u32(28)) == (2, 4096)
    assert call.u64(32) != 0
    assert (call.u32(40), call.u32(44)) == (0x060102, 1 << 4 | 1 << 16)
    assert call.attr[48:64] == b"prog".ljust(16, b"\0")
    assert call.attr[64:80] == struct.pack("=4I", 23, AttachType.TRACE_FENTRY, 20, 8)
    assert (call.u32(88), call.u32(92), call.u32(104)) == (1, 16, 2)
    assert (call.u32(108), call.u32(112)) == (21, 22)
    assert (call.u32(144), call.u32(148)) == (24, 2)
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
    assert call.attr[24:] == b""


U32 = dict[int, int]


@pytest.mark.parametrize(
    ("name", "action", "size", "u32", "u64"),
    [
        (
            "MAP_FREEZE",
            lambda: syscalls.map_freeze(5),
            8,
            {0: 5},
            {},
        ),
        (
            "PROG_ATTACH",
            lambda: syscalls.prog_attach(
                5, 6, 7, flags=8, replace_fd=9, relative_fd=10, expected_revision=11
            ),
            32,
            {0: 6, 4: 5, 8: 7, 12: 8, 16: 9, 20: 10},
            {24: 11},
        ),
        (
            "PROG_DETACH",
            lambda: syscalls.prog_detach(5, 6, 7, relative_id=12),
            24,
            {0: 6, 4: 5, 8: 7, 20: 12},
            {},
        ),
        (
            "RAW_TRACEPOINT_OPEN",
            lambda: syscalls.raw_tracepoint_open(None, 5, 77),
            24,
            {8: 5},
            {0: 0, 16: 77},
        ),
        (
            "PROG_BIND_MAP",
            lambda: syscalls.prog_bind_map(5, 6),
            8,
            {0: 5, 4: 6},
            {},
        ),
        (
            "LINK_UPDATE",
            lambda: syscalls.link_update(5, 6, old_fd=7),
            16,
            {0: 5, 4: 6, 8: 4, 12: 7},
            {},
        ),
        ("LINK_DETACH", lambda: syscalls.link_detach(5), 4, {0: 5}, {}),
        ("ITER_CREATE", lambda: syscalls.iter_create(5, 1), 8, {0: 5, 4: 1}, {}),
        ("ENABLE_STATS", lambda: syscalls.enable_stats(0), 4, {0: 0}, {}),
        ("TOKEN_CREATE", lambda: syscalls.token_create(5), 8, {0: 0, 4: 5}, {}),
        (
            "LINK_GET_FD_BY_ID",
            lambda: syscalls.get_fd_by_id("link", 5, token_fd=6),
            16,
            {0: 5, 12: 6},
            {},
        ),
        (
            "LINK_CREATE",
            lambda: syscalls.link_create(5, 6, AttachType.XDP, flags=2),
            16,
            {0: 5, 4: 6, 8: AttachType.XDP, 12: 2},
            {},
        ),
        (
            "LINK_CREATE",
            lambda: syscalls.link_create_perf_event(5, 6, cookie=7),
            24,
            {0: 5, 4: 6, 8: AttachType.PERF_EVENT},
            {16: 7},
        ),
        (
            "LINK_CREATE",
            lambda: syscalls.link_create_tracing(
                5, AttachType.TRACE_FEXIT, target_fd=6, target_btf_id=7, cookie=8
            ),
            32,
            {0: 5, 4: 6, 8: AttachType.TRACE_FEXIT, 16: 7},
            {24: 8},
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
            32,
            {0: 5, 4: 6, 8: AttachType.TCX_EGRESS, 12: 40, 16: 7},
            {24: 9},
        ),
        (
            "LINK_CREATE",
            lambda: syscalls.link_create_netfilter(
                5, family=2, hook=3, priority=-100, flags=1
            ),
            32,
            {0: 5, 8: AttachType.NETFILTER, 16: 2, 20: 3, 24: 2**32 - 100, 28: 1},
            {},
        ),
        (
            "LINK_CREATE",
            lambda: syscalls.link_create_struct_ops(5),
            16,
            {0: 5, 8: AttachType.STRUCT_OPS},
            {},
        ),
    ],
)
def test_fields_are_where_the_kernel_looks(
    kernel: FakeKernel,
    name: str,
    action: Callable[[], object],
    size: int,
    u32: U32,
    u64: U32,
) -> None:
    action()
    (call,) = kernel.named(name)
    assert len(call.attr) <= size
    assert {offset: call.u32(offset) for offset in u32} == u32
    assert {offset: call.u64(offset) for offset in u64} == u64
    used = {o + i for o in u32 for i in range(4)} | {
        o + i for o in u64 for i in range(8)
    }
    rest = {i for i, byte in enumerate(call.attr) if byte} - used
    assert not rest, "bytes that the test does not know of"


def test_iterators_get_their_parameters(kernel: FakeKernel) -> None:
    seen: list[bytes] = []
    kernel.then("LINK_CREATE", lambda call: seen.append(call.memory(16, 16)))
    syscalls.link_create_iter(5, info=struct.pack("=I12x", 9))
    (call,) = kernel.named("LINK_CREATE")
    assert (call.u32(0), call.u32(8), call.u32(24)) == (5, AttachType.TRACE_ITER, 16)
    assert seen == [struct.pack("=I12x", 9)]


def test_kprobe_multi_points_to_its_names(kernel: FakeKernel) -> None:
    import ctypes

    seen: list[object] = []

    def look(call: Call) -> None:
        pointers = struct.unpack("=2Q", call.memory(24, 16))
        seen.append([ctypes.string_at(pointer) for pointer in pointers])
        seen.append(struct.unpack("=2Q", call.memory(40, 16)))

    kernel.then("LINK_CREATE", look)
    syscalls.link_create_kprobe_multi(
        5, symbols=["vfs_read", "vfs_write"], cookies=[1, 2], flags=1
    )
    (call,) = kernel.named("LINK_CREATE")
    assert (call.u32(8), call.u32(16), call.u32(20), call.u64(32)) == (42, 1, 2, 0)
    assert seen == [[b"vfs_read", b"vfs_write"], (1, 2)]


def test_uprobe_multi_points_to_its_places(kernel: FakeKernel) -> None:
    seen: list[object] = []

    def look(call: Call) -> None:
        seen.append(call.text(16))
        seen.append(struct.unpack("=2Q", call.memory(24, 16)))

    kernel.then("LINK_CREATE", look)
    syscalls.link_create_uprobe_multi(
        5, path="/bin/true", offsets=[16, 32], pid=77, flags=1
    )
    (call,) = kernel.named("LINK_CREATE")
    assert (call.u64(32), call.u64(40)) == (0, 0)
    assert [call.u32(o) for o in (48, 52, 56)] == [2, 1, 77]
    assert seen == ["/bin/true", (16, 32)]


def test_batches_say_how_many_and_where(kernel: FakeKernel) -> None:
    def answer(call: Call) -> int:
        import ctypes

        assert struct.unpack("=2I", call.memory(16, 8)) == (1, 2)
        assert (call.u32(32), call.u32(36)) == (2, 5)
        assert (call.u64(40), call.u64(48)) == (4, 0)
        ctypes.c_uint32.from_address(call.args[1] + 32).value = 1
        return 0

    kernel.then("MAP_UPDATE_BATCH", answer)
    keys = struct.pack("=2I", 1, 2)
    assert syscalls.map_update_batch(5, keys, bytes(16), 2, elem_flags=4) == 1


def test_btf_load_and_object_paths(kernel: FakeKernel) -> None:
    log = bytearray(128)
    seen: list[object] = []
    kernel.then("BTF_LOAD", lambda call: seen.append(call.memory(0, 3)))
    kernel.then("OBJ_PIN", lambda call: seen.append(call.text(0)))
    kernel.then("OBJ_GET", lambda call: seen.append(call.text(0)))
    syscalls.btf_load(b"btf", 1, log, token_fd=9)
    syscalls.obj_pin(5, "/bpf/x")
    syscalls.obj_get("y", 8, dir_fd=6)
    load, pin, get = kernel.calls
    assert [load.u32(o) for o in (16, 20, 24, 28, 32, 36)] == [3, 128, 1, 0, 1 << 16, 9]
    assert load.u64(8) != 0
    assert [pin.u32(o) for o in (8, 12, 16)] == [5, 0, 0]
    assert [get.u32(o) for o in (8, 12, 16)] == [0, 8 | 1 << 14, 6]
    assert seen == [b"btf", "/bpf/x", "y"]


def test_perf_event_attr(kernel: FakeKernel) -> None:
    syscalls.perf_event_open(
        type=2, config=3, config1=4, config2=5, sample_period=6, freq=True, pid=7
    )
    (call,) = kernel.named("perf_event_open")
    assert [call.u32(0), call.u32(4)] == [2, 72]
    assert [call.u64(o) for o in (8, 16, 24, 32, 40, 56, 64)] == [
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
