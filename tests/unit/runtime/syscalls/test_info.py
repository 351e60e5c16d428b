"""What the kernel tells about its objects, from structures made by hand."""

import ctypes
import errno
import struct
from collections.abc import Callable

import pytest

from skelgen.model.enums import AttachType, LinkType, MapType, ProgType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.syscalls import perf
from tests.harness.fake_kernel import Call, FakeKernel


def answers(fields: dict[int, bytes], names: dict[int, bytes]) -> Callable[[Call], int]:
    """Return a kernel's answer: fields at offsets, texts where the caller points."""

    def answer(call: Call) -> int:
        size, info = call.attr.info_len, call.attr.info
        before = ctypes.string_at(info, size)
        for offset, text in names.items():
            (pointer,) = struct.unpack_from("=Q", before, offset)
            if pointer:
                ctypes.memmove(pointer, text + b"\0", len(text) + 1)
        for offset, data in fields.items():
            assert offset + len(data) <= size
            ctypes.memmove(info + offset, data, len(data))
        return 0

    return answer


def u32(*numbers: int) -> bytes:
    return struct.pack(f"={len(numbers)}I", *numbers)


def u64(*numbers: int) -> bytes:
    return struct.pack(f"={len(numbers)}Q", *numbers)


def test_info_of_a_program_has_every_field(kernel: FakeKernel) -> None:
    maps = {56: u32(71, 72)}
    fields = {
        0: u32(ProgType.XDP, 41) + bytes.fromhex("0123456789abcdef") + u32(300, 160),
        40: u64(123456789) + u32(1000, 2),
        64: b"prog".ljust(16, b"\0") + u32(7, 1),
        128: u32(55),
        192: u64(11, 12, 13) + u32(14, 15, 16),
    }
    kernel.always(
        "OBJ_GET_INFO_BY_FD", answers(fields, {o: d[:-1] for o, d in maps.items()})
    )
    info = syscalls.prog_info(5)
    assert info == (
        *(41, "prog", ProgType.XDP, "0123456789abcdef", 160, 20, 300, 123456789, 1000),
        *((71, 72), 7, True, 55, 11, 12, 13, 14, 15, 16),
    )
    # asked twice, because the first tells how many maps there are
    assert [call.attr.bpf_fd for call in kernel.named("OBJ_GET_INFO_BY_FD")] == [5, 5]


def test_types_newer_than_this_skelgen_are_numbers(kernel: FakeKernel) -> None:
    kernel.always("OBJ_GET_INFO_BY_FD", answers({0: u32(999, 41)}, {}))
    assert syscalls.prog_info(5).type == 999
    assert syscalls.map_info(5).type == 999
    link = syscalls.link_info(5)
    assert (link.type, link.id, link.attach_type) == (999, 41, None)


def test_info_of_a_map_has_every_field(kernel: FakeKernel) -> None:
    fields = {
        0: u32(MapType.HASH, 3, 4, 8, 100, 1) + b"counts".ljust(16, b"\0"),
        40: u32(6, 9),
        64: u32(10, 11, 12, 13) + u64(14),
    }
    kernel.always("OBJ_GET_INFO_BY_FD", answers(fields, {}))
    assert syscalls.map_info(5) == (
        *(3, "counts", MapType.HASH, 4, 8, 100, 1, 6, 10, 11, 12, 9, 14),
    )


def test_info_of_btf_has_its_name_and_size(kernel: FakeKernel) -> None:
    fields = {8: u32(5000, 7), 28: u32(1)}
    kernel.always("OBJ_GET_INFO_BY_FD", answers(fields, {16: b"vmlinux"}))
    assert syscalls.btf_info(5) == (7, "vmlinux", 5000, True)
    kernel.always("OBJ_GET_INFO_BY_FD", answers({8: u32(3, 7)}, {0: b"abc"[:-1]}))
    assert syscalls.btf_data(5) == b"ab\0"


def test_btf_of_kernels_before_5_11_has_no_name(kernel: FakeKernel) -> None:
    """They refuse room for one, which is behind the end of their structure."""
    known = 16
    told = answers({8: u32(2, 7)}, {})

    def answer(call: Call) -> int:
        if any(ctypes.string_at(call.attr.info, call.attr.info_len)[known:]):
            return -errno.E2BIG
        return told(call)

    kernel.always("OBJ_GET_INFO_BY_FD", answer)
    assert syscalls.btf_info(5) == (7, "", 2, False)
    assert syscalls.btf_data(5) == bytes(2)
    kernel.always("OBJ_GET_INFO_BY_FD", -errno.EBADF)
    with pytest.raises(BpfOSError, match="EBADF"):
        syscalls.btf_info(5)


@pytest.mark.parametrize(
    ("number", "body", "names", "expected"),
    [
        (
            LinkType.TRACING,
            {16: u32(AttachType.TRACE_FENTRY, 2, 3), 32: u64(4)},
            {},
            {
                "attach_type": AttachType.TRACE_FENTRY,
                "target_obj_id": 2,
                "target_btf_id": 3,
                "cookie": 4,
            },
        ),
        (
            LinkType.RAW_TRACEPOINT,
            {32: u64(8)},
            {16: b"sched_switch"},
            {"target": "sched_switch", "cookie": 8},
        ),
        (
            LinkType.CGROUP,
            {16: u64(99) + u32(AttachType.CGROUP_SYSCTL)},
            {},
            {"cgroup_id": 99, "attach_type": AttachType.CGROUP_SYSCTL},
        ),
        (
            LinkType.ITER,
            {28: u32(6)},
            {16: b"bpf_map_elem"},
            {"target": "bpf_map_elem", "map_id": 6},
        ),
        (
            LinkType.NETNS,
            {16: u32(402, AttachType.SK_LOOKUP)},
            {},
            {"netns_ino": 402, "attach_type": AttachType.SK_LOOKUP},
        ),
        (LinkType.XDP, {16: u32(7)}, {}, {"ifindex": 7}),
        (
            LinkType.TCX,
            {16: u32(7, AttachType.TCX_EGRESS)},
            {},
            {"ifindex": 7, "attach_type": AttachType.TCX_EGRESS},
        ),
        (
            LinkType.NETKIT,
            {16: u32(7, 9999)},
            {},
            {"ifindex": 7, "attach_type": 9999},
        ),
        (LinkType.STRUCT_OPS, {16: u32(7)}, {}, {"map_id": 7}),
        (
            LinkType.SOCKMAP,
            {16: u32(7, AttachType.SK_MSG_VERDICT)},
            {},
            {"map_id": 7, "attach_type": AttachType.SK_MSG_VERDICT},
        ),
        (
            LinkType.NETFILTER,
            {16: struct.pack("=IIiI", 2, 3, -5, 1)},
            {},
            {"netfilter": (2, 3, -5), "flags": 1},
        ),
        (
            LinkType.KPROBE_MULTI,
            {24: u32(5, 1)},
            {},
            {"target_count": 5, "flags": 1},
        ),
        (
            LinkType.UPROBE_MULTI,
            {52: u32(5, 1)},
            {16: b"/bin/true"},
            {"target": "/bin/true", "target_count": 5, "flags": 1},
        ),
        (
            LinkType.PERF_EVENT,
            {16: u32(3), 36: u32(16), 56: u64(9)},
            {24: b"vfs_read"},
            {"target": "vfs_read", "offset": 16, "cookie": 9},
        ),
        (
            LinkType.PERF_EVENT,
            {16: u32(2), 36: u32(64) + u64(9)},
            {24: b"/bin/true"},
            {"target": "/bin/true", "offset": 64, "cookie": 9},
        ),
        (
            LinkType.PERF_EVENT,
            {16: u32(5), 40: u64(9)},
            {24: b"sched_switch"},
            {"target": "sched_switch", "cookie": 9},
        ),
        # a counter has its config where the others have the name's address
        (LinkType.PERF_EVENT, {16: u32(6), 24: u64(1), 40: u64(9)}, {}, {"cookie": 9}),
    ],
)
def test_info_of_a_link_has_the_fields_of_its_type(
    kernel: FakeKernel,
    number: LinkType,
    body: dict[int, bytes],
    names: dict[int, bytes],
    expected: dict[str, object],
) -> None:
    fields = {0: u32(number, 41, 42)} | body
    kernel.always("OBJ_GET_INFO_BY_FD", answers(fields, names))
    info = syscalls.link_info(5)
    assert (info.type, info.id, info.prog_id) == (number, 41, 42)
    filled = {k: v for k, v in info._asdict().items() if v is not None}
    del filled["type"], filled["id"], filled["prog_id"]
    assert filled == expected


def test_a_query_asks_again_for_more(kernel: FakeKernel) -> None:
    def answer(call: Call) -> int:
        import errno

        room = call.attr.count
        call.answer("count", 20)
        if room < 20:
            return -errno.ENOSPC
        call.fill("prog_ids", u32(*range(1, 21)))
        call.fill("link_ids", u32(*range(101, 121)))
        call.answer("revision", 3)
        return 0

    kernel.always("PROG_QUERY", answer)
    query = syscalls.prog_query(7, AttachType.TCX_INGRESS)
    assert query.prog_ids == tuple(range(1, 21))
    assert query.link_ids == tuple(range(101, 121))
    assert query.revision == 3
    assert len(kernel.named("PROG_QUERY")) == 2


def test_the_instructions_of_a_program_are_read(kernel: FakeKernel) -> None:
    kernel.always("OBJ_GET_INFO_BY_FD", answers({20: u32(16)}, {32: b"i" * 15}))
    assert syscalls.prog_insns(5) == b"i" * 15 + b"\0"


def test_what_a_task_holds_is_told(kernel: FakeKernel) -> None:
    def answer(call: Call) -> int:
        assert call.values("pid", "fd", "flags", "buf_len") == [77, 5, 0, 4096]
        call.fill("buf", b"vfs_read\0")
        call.answer("prog_id", 41)
        call.answer("fd_type", 2)
        call.answer("probe_offset", 16)
        return 0

    kernel.always("TASK_FD_QUERY", answer)
    assert syscalls.task_fd_query(77, 5) == (41, 2, "vfs_read", 16, 0)


def test_a_test_run_gives_back_packet_and_context(kernel: FakeKernel) -> None:
    def run(call: Call) -> int:
        assert call.memory("data_in", 4) == b"data"
        assert call.memory("ctx_in", 3) == b"ctx"
        call.fill("data_out", b"packet")
        call.answer("retval", 0xFFFFFFFF)
        call.answer("data_size_out", 6)
        call.answer("duration", 250)
        call.fill("ctx_in", b"CTX")
        return 0

    kernel.always("PROG_TEST_RUN", run)
    result = syscalls.prog_test_run(5, data=b"data", ctx=b"ctx", data_size_out=10)
    assert result == (0xFFFFFFFF, 250, b"packet", b"CTX")


def test_an_interrupted_test_run_is_not_repeated(kernel: FakeKernel) -> None:
    import errno

    kernel.then("PROG_TEST_RUN", -errno.EINTR)
    with pytest.raises(OSError, match="EINTR"):
        syscalls.prog_test_run(5)
    assert len(kernel.named("PROG_TEST_RUN")) == 1


def test_ioctls_differ_by_architecture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(perf, "MACHINE", "x86_64")
    assert perf._ioc(0, 0, 0) == 0x2400
    assert perf._ioc(1, 8, 4) == 0x40042408
    monkeypatch.setattr(perf, "MACHINE", "ppc64le")
    assert perf._ioc(0, 0, 0) == 0x20002400
    assert perf._ioc(1, 8, 4) == 0x80042408


def test_memory_is_mapped_and_unmapped() -> None:
    size = 4096
    address = syscalls.mmap(
        0,
        size,
        syscalls.PROT_READ | syscalls.PROT_WRITE,
        syscalls.MAP_PRIVATE | syscalls.MAP_ANONYMOUS,
    )
    ctypes.memset(address, 7, size)
    syscalls.mprotect(address, size, syscalls.PROT_READ)
    assert ctypes.string_at(address, 2) == b"\7\7"
    again = syscalls.mmap(
        address,
        size,
        syscalls.PROT_READ,
        syscalls.MAP_PRIVATE | syscalls.MAP_ANONYMOUS | syscalls.MAP_FIXED,
    )
    assert again == address
    assert ctypes.string_at(address, 2) == b"\0\0"
    syscalls.munmap(address, size)
    with pytest.raises(OSError, match="mprotect: cannot allocate memory"):
        syscalls.mprotect(address, size, syscalls.PROT_READ)
    with pytest.raises(OSError, match=r"fd 99: mmap: .*EBADF"):
        syscalls.mmap(0, size, syscalls.PROT_READ, syscalls.MAP_SHARED, 99)
    with pytest.raises(OSError, match="munmap: invalid argument"):
        syscalls.munmap(1, size)


def test_no_module_hides_a_function_of_its_name() -> None:
    import importlib
    import pkgutil

    from skelgen import runtime

    for package in (runtime, syscalls):
        found = {module.name for module in pkgutil.iter_modules(package.__path__)}
        for name in found:
            importlib.import_module(f"{package.__name__}.{name}")
        assert not found & set(package.__all__)
    assert callable(syscalls.link_info)
