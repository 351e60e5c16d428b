"""Attaching through BPF links, and what stands in for them on old kernels."""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen.codegen import programs as codegen_programs
from skelgen.elf.section_names import match_section
from skelgen.model.enums import AttachType
from skelgen.model.spec import ProgramSpec, Span
from skelgen.runtime import (
    CgroupProgram,
    ExtensionProgram,
    IterProgram,
    KprobeMultiProgram,
    LsmProgram,
    NetfilterProgram,
    NetnsProgram,
    Program,
    SocketProgram,
    SockmapProgram,
    StructOpsProgram,
    SyscallProgram,
    TcProgram,
    TracingProgram,
    UprobeMultiProgram,
    UsdtProgram,
    XdpProgram,
    syscalls,
)
from skelgen.runtime.errors import (
    AttachError,
    BpfOSError,
    ClosedError,
    NotSupportedError,
    StateError,
)
from skelgen.runtime.kernel import features, symbols, tracefs
from skelgen.runtime.links.attached import AttachedLink
from skelgen.runtime.links.base import Link
from skelgen.runtime.links.iter import IterLink
from skelgen.runtime.links.struct_ops import StructOpsLink, attach_struct_ops
from skelgen.runtime.programs.families import program_class
from tests.harness.fake_kernel import FIRST_FD, Call, FakeKernel
from tests.harness.programs import loaded, opened

SECTIONS = (
    *("tp/a/b", "raw_tp/a", "raw_tp.w/a", "tp_btf/a", "fentry/a", "fexit.s/a"),
    *("fmod_ret/a", "fsession/a", "fentry.multi/a*", "freplace/a", "lsm/a"),
    *("lsm_cgroup/a", "iter/task", "kprobe/a", "kretprobe/a", "ksyscall/a"),
    *("kprobe.multi/a*", "kprobe.session/a*", "uprobe/a:b", "uprobe.multi/a:b*"),
    *("usdt/a:b:c", "xdp", "xdp/devmap", "tc", "tcx/ingress", "netkit/peer", "action"),
    *("cgroup_skb/egress", "cgroup/skb", "cgroup/sock", "cgroup/dev", "cgroup/sysctl"),
    *("cgroup/connect4", "cgroup/getsockopt", "sockops", "sk_skb", "sk_msg"),
    *("sk_lookup", "flow_dissector", "netfilter", "perf_event", "socket"),
    *("sk_reuseport", "struct_ops/a", "syscall", "lwt_in", "lirc_mode2", "unknown"),
)


@pytest.mark.parametrize("section", SECTIONS)
def test_generator_and_runtime_agree_on_the_class(section: str) -> None:
    match = match_section(section)
    spec = ProgramSpec(
        "p",
        section,
        match.type,
        match.attach,
        insns=Span(0, 8),
        attach_type=match.attach_type,
    )
    assert program_class(spec).__name__ == codegen_programs.program_class(spec)


# -- tracing -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "hook", "cls"),
    [
        ("tp_btf/sched_switch", AttachType.TRACE_RAW_TP, TracingProgram),
        ("fentry/vfs_read", AttachType.TRACE_FENTRY, TracingProgram),
        ("fexit/vfs_read", AttachType.TRACE_FEXIT, TracingProgram),
        ("fmod_ret/vfs_read", AttachType.MODIFY_RETURN, TracingProgram),
        ("lsm/file_open", AttachType.LSM_MAC, LsmProgram),
    ],
)
def test_tracing_programs_get_a_link_or_an_old_one(
    kernel: FakeKernel, section: str, hook: AttachType, cls: type[TracingProgram]
) -> None:
    program = loaded(section, cls)
    assert program.auto_attachable
    program.attach(cookie=9).destroy()
    (create,) = kernel.named("LINK_CREATE")
    assert create.values(
        "prog_fd", "target_fd", "attach_type", "tracing.target_btf_id"
    ) == [program.fd(), 0, hook, 0]
    assert create.attr.tracing.cookie == 9
    # before 5.19: EINVAL, then the call that has been there since 5.3
    kernel.then("LINK_CREATE", -errno.EINVAL)
    with program.attach() as link:
        (old,) = kernel.named("RAW_TRACEPOINT_OPEN")
        assert old.values("name", "prog_fd") == [0, program.fd()]
        assert link.fd() in kernel.open
    # not when there is a cookie, which that one does not know
    kernel.then("LINK_CREATE", -errno.EINVAL)
    with pytest.raises(BpfOSError, match=r"program 'prog' on '\w+': BPF_LINK_CREATE"):
        program.attach(cookie=9)
    program.close()
    assert not kernel.open


def test_fsession_has_no_older_way(kernel: FakeKernel) -> None:
    program = loaded("fsession/vfs_read", TracingProgram)
    kernel.then("LINK_CREATE", -errno.EINVAL)
    with pytest.raises(BpfOSError, match="EINVAL"):
        program.attach()
    assert not kernel.named("RAW_TRACEPOINT_OPEN")


def test_a_target_can_be_set_until_load(kernel: FakeKernel) -> None:
    program = opened("fentry", TracingProgram)
    assert not program.auto_attachable
    program.set_attach_target("vfs_read", module="ext4")
    assert (program.attach_target, program.target_module) == ("vfs_read", "ext4")
    assert program.auto_attachable
    program = loaded("fentry/mod:func", TracingProgram)
    assert (program.attach_target, program.target_module) == ("func", "mod")
    with pytest.raises(StateError, match=r"set attach_target between open"):
        program.set_attach_target("vfs_read")
    assert kernel.names() == ["PROG_LOAD"]


def test_an_extension_replaces_a_function(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skelgen.runtime.programs import extension

    asked: list[object] = []

    def function_of_program(fd: int, name: str, attached: str) -> int:
        asked.append((attached, fd, name))
        return 42

    monkeypatch.setattr(extension, "function_of_program", function_of_program)
    target = loaded("xdp", XdpProgram, name="target")
    program = opened("freplace/handle", ExtensionProgram)
    assert not program.auto_attachable
    program.set_attach_target("handle", program=target)
    assert program.auto_attachable
    program = loaded("freplace/handle", ExtensionProgram)
    program.attach()
    program.attach(target, "other")
    program.attach(target)
    with pytest.raises(AttachError, match=r"call attach\(program, function\)"):
        program.attach(function="other")
    first, second, third = kernel.named("LINK_CREATE")
    assert first.values("target_fd", "attach_type", "tracing.target_btf_id") == [
        0,
        0,
        0,
    ]
    assert second.values("target_fd", "attach_type", "tracing.target_btf_id") == [
        target.fd(),
        0,
        42,
    ]
    assert third.values("target_fd", "attach_type", "tracing.target_btf_id") == [
        target.fd(),
        0,
        42,
    ]
    assert asked == [("prog", target.fd(), "other"), ("prog", target.fd(), "handle")]


def test_an_extension_is_attached_again(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel forgets its target once it was attached (``bpf_tracing_prog_attach``)."""
    from skelgen.runtime.programs import extension

    monkeypatch.setattr(extension, "function_of_program", lambda *_: 42)
    target = loaded("xdp", XdpProgram, name="target")
    program = opened("freplace/handle", ExtensionProgram)
    program.set_attach_target("handle", program=target)
    program.adopt(syscalls.Fd(FIRST_FD + 500))
    kernel.open.add(FIRST_FD + 500)
    program.attach().detach()

    def forgotten(call: Call) -> int | None:
        return None if call.attr.target_fd else -errno.EINVAL

    kernel.always("LINK_CREATE", forgotten)
    kernel.always("RAW_TRACEPOINT_OPEN", -errno.EINVAL)
    link = program.attach()
    last = kernel.named("LINK_CREATE")[-1]
    assert last.values(
        "prog_fd", "target_fd", "attach_type", "tracing.target_btf_id"
    ) == [
        program.fd(),
        target.fd(),
        0,
        42,
    ]
    link.destroy()
    # one whose target is not known says what the kernel says
    other = loaded("freplace/handle", ExtensionProgram)
    with pytest.raises(BpfOSError, match="EINVAL"):
        other.attach()


# -- iterators -----------------------------------------------------------------


def test_iterators_say_what_they_walk(kernel: FakeKernel, tmp_path: Path) -> None:
    seen: list[bytes] = []

    def look(call: Call) -> None:
        size = call.attr.iter_info_len
        seen.append(call.memory("iter_info", size) if size else b"")

    kernel.always("LINK_CREATE", look)
    tasks = loaded("iter/task", IterProgram)
    for link in (
        tasks.attach(),
        loaded("iter/bpf_map_elem", IterProgram).attach(map=77),
        tasks.attach(tid=5),
        tasks.attach(pid=6),
    ):
        assert isinstance(link, IterLink)
    assert seen[0] == b""
    assert struct.unpack_from("=I", seen[1]) == (77,)
    assert struct.unpack_from("=III", seen[2]) == (5, 0, 0)
    assert struct.unpack_from("=III", seen[3]) == (0, 6, 0)
    groups = loaded("iter/cgroup", IterProgram)
    groups.attach(cgroup=tmp_path, order=2)
    order, directory, number = struct.unpack("=IIQ", seen[4])
    assert (order, number) == (2, 0)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(directory)  # closed again
    groups.attach(order=1)  # from the root
    assert struct.unpack("=IIQ", seen[5]) == (1, 0, 0)


def test_iterators_take_what_is_theirs(kernel: FakeKernel, tmp_path: Path) -> None:
    """The kernel would read a map's fd as a thread, or look at nothing."""
    tasks = loaded("iter/task", IterProgram)
    given: dict[str, object]
    for given in ({"map": 5}, {"cgroup": tmp_path}, {"order": 1}):
        with pytest.raises(ValueError, match=f"it takes no {next(iter(given))}"):
            tasks.attach(**given)
    sockets = loaded("iter/tcp", IterProgram)
    with pytest.raises(ValueError, match="it takes no pid"):
        sockets.attach(pid=1)
    with pytest.raises(OverflowError, match="tid must be"):
        tasks.attach(tid=1 << 32)
    elements = loaded("iter/bpf_map_elem", IterProgram)
    with pytest.raises(AttachError, match=r"which map to walk; call attach\(map=...\)"):
        elements.attach()
    with pytest.raises(AttachError, match="in which order to walk"):
        loaded("iter/cgroup", IterProgram).attach(cgroup=tmp_path)
    for junk in ("x", 1.5, b"x"):
        with pytest.raises(TypeError, match="map must be an object with an fd"):
            elements.attach(map=junk)
    for number in (-1, 1 << 31, 1 << 64):
        with pytest.raises(ValueError, match="map must be a file descriptor"):
            elements.attach(map=number)
    assert not kernel.named("LINK_CREATE")


def test_an_iterator_is_read_like_a_file(kernel: FakeKernel) -> None:
    def output(text: bytes) -> Callable[[Call], int]:
        def make(_call: Call) -> int:
            reader, writer = os.pipe()
            os.write(writer, text)
            os.close(writer)
            return reader

        return make

    kernel.then("ITER_CREATE", output(b"one\ntwo\n"), output(b"\xff"), output(b"x"))
    link = loaded("iter/task", IterProgram).attach()
    with link.open() as reader:
        assert list(reader) == [b"one\n", b"two\n"]
    assert link.read_text() == "�"
    assert link.read() == b"x"
    assert [call.attr.link_fd for call in kernel.named("ITER_CREATE")] == [
        link.fd()
    ] * 3


# -- interfaces ----------------------------------------------------------------


def test_xdp_is_attached_by_name_or_index(kernel: FakeKernel) -> None:
    program = loaded("xdp", XdpProgram)
    program.attach("lo")
    program.attach(7, mode="generic")
    with pytest.raises(AttachError) as caught:
        program.attach("no-such-if")
    there = [name for _, name in socket.if_nameindex()]
    assert str(caught.value).startswith(
        "program 'prog': no network interface 'no-such-if' in this network namespace;"
        f" there are: {', '.join(there[:8])}"
    )
    for index in (0, -1):
        with pytest.raises(ValueError, match="no interface index"):
            program.attach(index)
    first, second = kernel.named("LINK_CREATE")
    lo = socket.if_nametoindex("lo")
    assert first.values("target_ifindex", "attach_type", "flags") == [
        lo,
        AttachType.XDP,
        0,
    ]
    assert second.values("target_ifindex", "attach_type", "flags") == [
        7,
        AttachType.XDP,
        2,
    ]


def test_tcx_knows_its_place(kernel: FakeKernel) -> None:
    features.TCX.assume(True)
    other = loaded("tcx/ingress", TcProgram, name="other")
    anchor = other.attach(7)
    program = loaded("tcx/ingress", TcProgram)
    kernel.calls.clear()
    program.attach(7, before=other)
    program.attach(7, after=anchor)
    program.attach(7, before=99, expected_revision=3)
    program.attach(7, first=True)
    program.attach(7, last=True)
    before, after, link, by_id = 8, 16, 1 << 13, 32
    assert [
        (
            c.attr.attach_type,
            c.attr.flags,
            c.attr.tcx.relative_fd,
            c.attr.tcx.expected_revision,
        )
        for c in kernel.named("LINK_CREATE")
    ] == [
        (AttachType.TCX_INGRESS, before, other.fd(), 0),
        (AttachType.TCX_INGRESS, after | link, anchor.fd(), 0),
        (AttachType.TCX_INGRESS, before | by_id, 99, 3),
        (AttachType.TCX_INGRESS, before, 0, 0),
        (AttachType.TCX_INGRESS, after, 0, 0),
    ]
    with pytest.raises(ValueError, match="only one of before, after, first and last"):
        program.attach(7, first=True, after=anchor)


def test_tc_asks_for_the_direction(kernel: FakeKernel) -> None:
    features.TCX.assume(True)
    program = loaded("tc", TcProgram)
    with pytest.raises(AttachError, match="direction='ingress'"):
        program.attach(7)
    program.attach(7, direction="egress")
    assert kernel.named("LINK_CREATE")[0].attr.attach_type == AttachType.TCX_EGRESS
    with pytest.raises(ValueError, match="must be 'ingress' or 'egress', not 'up'"):
        program.attach(7, direction="up")  # type: ignore[arg-type] # as a user would
    netkit = loaded("netkit/primary", TcProgram)
    netkit.attach(7)
    assert kernel.named("LINK_CREATE")[1].attr.attach_type == AttachType.NETKIT_PRIMARY


def test_programs_that_interfaces_do_not_run(kernel: FakeKernel) -> None:
    with pytest.raises(AttachError, match="a devmap or cpumap runs"):
        loaded("xdp/cpumap", XdpProgram).attach(7)
    with pytest.raises(AttachError, match=r"belong to a filter of tc\(8\)"):
        loaded("action", TcProgram).attach(7, direction="ingress")
    assert kernel.names() == ["PROG_LOAD"] * 2


def test_before_tcx_it_is_said(kernel: FakeKernel) -> None:
    features.TCX.assume(False)
    program = loaded("netkit/peer", TcProgram)  # has no filters to fall back on
    with pytest.raises(NotSupportedError, match=r"no netkit \(Linux 6\.7 has it\)"):
        program.attach(7)
    assert not kernel.named("LINK_CREATE")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENXIO, "it is no netkit interface"),
        (errno.EACCES, "it is the peer of a netkit pair"),
        (errno.EINVAL, "CONFIG_NETKIT"),
    ],
)
def test_netkit_refused(kernel: FakeKernel, number: int, said: str) -> None:
    features.TCX.assume(True)
    program = loaded("netkit/primary", TcProgram)
    kernel.then("LINK_CREATE", -number)
    with pytest.raises(BpfOSError) as caught:
        program.attach(9999)
    assert said in caught.value.__notes__[-1]
    with pytest.raises(ValueError, match="netkit programs have links alone"):
        program.attach(9999, link=False)


# -- control groups ------------------------------------------------------------


def test_a_cgroup_is_opened_for_the_call(kernel: FakeKernel, tmp_path: Path) -> None:
    features.LINK_CREATE.assume(True)
    program = loaded("cgroup_skb/egress", CgroupProgram)
    program.attach(tmp_path, last=True)
    program.attach(9)
    with pytest.raises(FileNotFoundError):
        program.attach(tmp_path / "none")
    with pytest.raises(BpfOSError, match="ENOTDIR"):
        program.attach("/etc/passwd")
    first, second = kernel.named("LINK_CREATE")
    assert first.values("attach_type", "flags") == [AttachType.CGROUP_INET_EGRESS, 16]
    assert second.attr.target_fd == 9
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(first.attr.target_fd)


@pytest.mark.parametrize("way", ["old kernel", "asked for"])
def test_before_links_cgroups_attach_next_to_others(
    kernel: FakeKernel, tmp_path: Path, way: str
) -> None:
    features.LINK_CREATE.assume(way != "old kernel")
    program = loaded("cgroup/connect4", CgroupProgram)
    link = program.attach(tmp_path, link=None if way == "old kernel" else False)
    assert isinstance(link, AttachedLink)
    (call,) = kernel.named("PROG_ATTACH")
    hook = AttachType.CGROUP_INET4_CONNECT
    assert call.values("attach_bpf_fd", "attach_type", "attach_flags") == [
        program.fd(),
        hook,
        2,
    ]
    with pytest.raises(NotSupportedError, match="without a BPF link"):
        link.info()
    # works also when the object went first
    cgroup_fd = link.fd()
    program.close()
    link.destroy()
    link.destroy()
    (call,) = kernel.named("PROG_DETACH")
    assert call.values("target_fd", "attach_type") == [cgroup_fd, hook]
    assert not kernel.open


def test_a_child_does_not_detach_its_parents_program(
    kernel: FakeKernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = loaded("cgroup/connect4", CgroupProgram)
    link = program.attach(tmp_path, link=False)
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    link.destroy()
    program.close()
    assert not kernel.named("PROG_DETACH")
    assert not kernel.open


def test_cgroup_skb_asks_for_the_direction(kernel: FakeKernel, tmp_path: Path) -> None:
    features.LINK_CREATE.assume(True)
    program = loaded("cgroup/skb", CgroupProgram)
    with pytest.raises(AttachError, match="does not say in which direction"):
        program.attach(tmp_path)
    program.attach(tmp_path, attach_type=AttachType.CGROUP_INET_INGRESS)
    ingress = loaded("cgroup_skb/ingress", CgroupProgram)
    ingress.attach(tmp_path)
    hooks = [call.attr.attach_type for call in kernel.named("LINK_CREATE")]
    assert hooks == [AttachType.CGROUP_INET_INGRESS] * 2


# -- namespaces, sockets -------------------------------------------------------


def test_a_network_namespace_by_path_or_fd(kernel: FakeKernel) -> None:
    program = loaded("sk_lookup", NetnsProgram)
    program.attach()
    program.attach(9)
    with pytest.raises(FileNotFoundError):
        program.attach("/run/netns/none-such")
    first, second = kernel.named("LINK_CREATE")
    assert first.attr.attach_type == second.attr.attach_type == AttachType.SK_LOOKUP
    assert second.attr.target_fd == 9


def test_netfilter_by_names(kernel: FakeKernel) -> None:
    program = loaded("netfilter", NetfilterProgram)
    program.attach("ipv4", "output", priority=-5, defrag=True)
    program.attach(10, 1)
    first, second = kernel.named("LINK_CREATE")
    assert first.values(
        "netfilter.pf", "netfilter.hooknum", "netfilter.priority", "netfilter.flags"
    ) == [2, 3, -5, 1]
    assert second.values("netfilter.pf", "netfilter.hooknum") == [10, 1]
    with pytest.raises(ValueError, match="family must be one of ipv4, ipv6, not 'ip'"):
        program.attach("ip", "output")
    with pytest.raises(ValueError, match="hook must be one of prerouting, input"):
        program.attach("ipv4", "out")
    with pytest.raises(OverflowError, match="priority must be"):
        program.attach("ipv4", "output", priority=1 << 31)
    kernel.then("LINK_CREATE", -errno.EBUSY)
    with pytest.raises(BpfOSError) as caught:
        program.attach("ipv4", "output")
    assert "has that priority there already" in caught.value.__notes__[0]


def test_sockmaps_without_links(kernel: FakeKernel) -> None:
    program = loaded("sk_skb/stream_verdict", SockmapProgram)
    assert type(program.attach(9)) is Link
    kernel.then("LINK_CREATE", -errno.EINVAL, -errno.EBUSY)
    with program.attach(9):
        (call,) = kernel.named("PROG_ATTACH")
        assert call.values("target_fd", "attach_bpf_fd", "attach_type") == [
            9,
            program.fd(),
            5,
        ]
    assert len(kernel.named("PROG_DETACH")) == 1
    with pytest.raises(BpfOSError, match="EBUSY"):
        program.attach(9)
    bare = loaded("sk_skb", SockmapProgram)
    with pytest.raises(AttachError, match="attach_type="):
        bare.attach(9)


def test_a_socket_that_refuses(kernel: FakeKernel) -> None:
    program = loaded("socket", SocketProgram)
    with socket.socket() as sock, pytest.raises(BpfOSError) as caught:
        program.attach(sock)  # the fd is a fake one
    assert str(caught.value).startswith("program 'prog': SO_ATTACH_BPF: ")
    program.close()
    assert not kernel.open


# -- many at once --------------------------------------------------------------


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "events").mkdir()
    (tmp_path / "available_filter_functions").write_text(
        "vfs_read\nvfs_write\nvfs_readv\ntwice\next4_read [ext4]\n", "ascii"
    )
    monkeypatch.setattr(tracefs, "PLACES", (str(tmp_path),))
    return tmp_path


def test_kprobe_multi_by_address(kernel: FakeKernel, functions: Path) -> None:
    (functions / "available_filter_functions_addrs").write_text(
        "ffffffff81000010 vfs_read\nffffffff81000020 vfs_write\n"
        "ffffffffc0000030 ext4_read [ext4]\n",
        "ascii",
    )
    seen: list[object] = []
    kernel.then(
        "LINK_CREATE",
        lambda call: seen.append(
            struct.unpack("=2Q", call.memory("kprobe_multi.addrs", 16))
        ),
    )
    program = loaded("kretprobe.multi/*_read", KprobeMultiProgram)
    assert program.auto_attachable
    program.attach()
    (call,) = kernel.named("LINK_CREATE")
    assert (
        call.attr.kprobe_multi.flags,
        call.attr.kprobe_multi.cnt,
        call.attr.kprobe_multi.syms,
    ) == (1, 2, 0)
    assert seen == [(0xFFFFFFFF81000010, 0xFFFFFFFFC0000030)]


@pytest.mark.usefixtures("functions")
def test_kprobe_multi_by_name_before_6_5(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skelgen.runtime.programs import kprobe_multi

    names = {b"vfs_read", b"vfs_write", b"vfs_readv", b"ext4_read"}
    monkeypatch.setattr(kprobe_multi, "_unique_symbols", lambda: names)
    assert kprobe_multi.traceable("vfs_*") == (
        ["vfs_read", "vfs_readv", "vfs_write"],
        [],
    )
    assert kprobe_multi.traceable("vfs_rea?") == (["vfs_read"], [])
    assert kprobe_multi.traceable("tw*") == ([], [])
    program = loaded("kprobe.multi/nothing*", KprobeMultiProgram)
    with pytest.raises(AttachError, match="no traceable kernel function matches"):
        program.attach()
    kernel.then("LINK_CREATE", -errno.ESRCH)
    with pytest.raises(AttachError, match="no kernel function 'vfs_reed' to probe"):
        program.attach("vfs_reed")
    with pytest.raises(ValueError, match="1 cookies, 2 functions"):
        program.attach(functions=["a", "b"], cookies=[1])


@pytest.fixture
def kallsyms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the kernel three functions and a variable."""
    path = tmp_path / "kallsyms"
    path.write_text(
        "0 T vfs_read\n0 t vfs_write\n0 D vfs_data\n0 t ext4_read\t[ext4]\n", "ascii"
    )
    monkeypatch.setattr(symbols, "KALLSYMS", str(path))
    return path


@pytest.mark.usefixtures("kallsyms")
def test_which_of_many_functions_is_not_there(kernel: FakeKernel) -> None:
    program = loaded("kprobe.multi", KprobeMultiProgram)
    kernel.always("LINK_CREATE", -errno.ESRCH)
    for names, text in (
        (["vfs_reed"], "no kernel function 'vfs_reed' to probe"),
        (["vfs_read", "vfs_data", "ext4_reed"], "function 'vfs_data', 'ext4_reed' to"),
        ([f"x{n}" for n in range(9)], "'x0', 'x1', 'x2', 'x3', 'x4' and 4 others to"),
        (
            ["vfs_read", "vfs_write"],
            "one of kernel functions 'vfs_read', 'vfs_write' cannot",
        ),
    ):
        with pytest.raises(AttachError, match=text) as caught:
            program.attach(functions=names)
        notes = {"vfs_reed": ["did you mean 'vfs_read'?"]}
        assert getattr(caught.value, "__notes__", []) == notes.get(names[0], [])


@pytest.mark.usefixtures("kallsyms")
@pytest.mark.parametrize(
    ("section", "code", "text"),
    [
        (
            "kprobe.multi",
            errno.EOPNOTSUPP,
            r"no kprobe\.multi: it was built without CONF",
        ),
        ("kprobe.session", errno.EINVAL, r"no kprobe\.session \(Linux 6\.10 has it\)"),
        ("kprobe.multi", errno.EINVAL, r"no kprobe\.multi \(Linux 5\.18 has it\)"),
    ],
)
def test_kprobes_of_many_functions_that_the_kernel_has_not(
    kernel: FakeKernel, section: str, code: int, text: str
) -> None:
    program = loaded(section, KprobeMultiProgram)
    kernel.always("LINK_CREATE", -code)
    with pytest.raises(NotSupportedError, match=text) as caught:
        program.attach(functions=["vfs_read"])
    assert str(caught.value).startswith("program 'prog' on 1 kernel function: ")


@pytest.mark.usefixtures("kallsyms")
def test_functions_of_the_kernel_by_name() -> None:
    assert list(symbols.functions()) == [
        *(b"vfs_read", b"vfs_write", b"ext4_read"),
    ]
    assert symbols.has("ext4_read")
    assert not symbols.has("vfs_data")
    assert symbols.near("red", "vfs_") == "did you mean 'read'?"


def test_without_kallsyms_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbols, "KALLSYMS", "/nonexistent")
    assert symbols.missing(["x"]) == []
    assert not symbols.has("x")
    assert not symbols.near("x")


def test_a_kprobe_session_has_its_own_attach_type(kernel: FakeKernel) -> None:
    program = loaded("kprobe.session/vfs_read", KprobeMultiProgram)
    program.attach()
    (call,) = kernel.named("LINK_CREATE")
    assert call.attr.attach_type == AttachType.TRACE_KPROBE_SESSION
    assert call.attr.kprobe_multi.flags == 0


def test_uprobe_multi_places(kernel: FakeKernel) -> None:
    program = loaded("uprobe.multi", UprobeMultiProgram)
    program.attach("/bin/true", offsets=[1, 2], cookies=[3, 4], pid=0)
    program.attach("/bin/true", offsets=[1])
    first, second = kernel.named("LINK_CREATE")
    assert first.values(
        "uprobe_multi.cnt", "uprobe_multi.flags", "uprobe_multi.pid"
    ) == [2, 0, os.getpid()]
    assert second.attr.uprobe_multi.pid == 0
    with pytest.raises(ValueError, match="1 cookies for 2 places"):
        program.attach("/bin/true", offsets=[1, 2], cookies=[3])
    with pytest.raises(AttachError, match="no function in '/bin/true' matches"):
        program.attach("/bin/true", "no_such_*")


def test_what_comes_later_says_so(kernel: FakeKernel) -> None:
    with pytest.raises(AttachError, match="cannot attach to USDT probes"):
        loaded("usdt/a:b:c", UsdtProgram).attach()
    with pytest.raises(AttachError, match="struct_ops variable that names it"):
        loaded("struct_ops/a", StructOpsProgram).attach()
    with pytest.raises(AttachError, match="cannot attach to many functions by BTF"):
        loaded("fentry.multi/vfs_*", Program).attach()
    assert kernel.names() == ["PROG_LOAD"] * 3


# -- struct_ops ----------------------------------------------------------------


def test_struct_ops_with_a_link(kernel: FakeKernel) -> None:
    kernel.then("MAP_UPDATE_ELEM", -errno.EBUSY)  # its value was set before
    link = attach_struct_ops(9, b"value", link=True, what="struct_ops 'cc'")
    (create,) = kernel.named("LINK_CREATE")
    assert create.values("map_fd", "attach_type") == [9, AttachType.STRUCT_OPS]
    link.destroy()
    assert not kernel.open


def test_struct_ops_without_a_link(kernel: FakeKernel) -> None:
    link = attach_struct_ops(9, b"value", link=False, what="struct_ops 'cc'")
    assert isinstance(link, StructOpsLink)
    with pytest.raises(NotSupportedError, match="pin the map"):
        link.pin("/sys/fs/bpf/x")
    link.destroy()
    link.destroy()
    assert len(kernel.named("MAP_DELETE_ELEM")) == 1
    assert not kernel.open
    kernel.then("MAP_UPDATE_ELEM", -errno.EBUSY)
    with pytest.raises(BpfOSError, match="struct_ops 'cc': BPF_MAP_UPDATE_ELEM"):
        attach_struct_ops(9, b"value", link=False, what="struct_ops 'cc'")


# -- links ---------------------------------------------------------------------


def test_the_life_of_a_link(kernel: FakeKernel, tmp_path: Path) -> None:
    program = loaded("xdp", XdpProgram)
    link = program.attach(7)
    assert link.program is program
    path = tmp_path / "link"
    with pytest.raises(StateError, match="link of program 'prog': not pinned"):
        link.unpin()
    link.pin(path)
    path.touch()  # as the kernel does
    assert link.pin_path == str(path)
    with pytest.raises(StateError, match="pinned already"):
        link.pin(path)
    link.unpin()
    assert not path.exists()
    other = loaded("xdp", XdpProgram, name="other")
    link.update(other, old=program)
    (update,) = kernel.named("LINK_UPDATE")
    assert update.values("new_prog_fd", "flags", "old_prog_fd") == [
        other.fd(),
        4,
        program.fd(),
    ]
    assert link.program is other
    link.destroy()
    link.destroy()
    assert link.destroyed
    for action in (link.fd, link.info, lambda: link.update(program)):
        with pytest.raises(ClosedError, match="link of program 'other': destroyed"):
            action()
    link.detach()
    program.close()
    other.close()
    assert not kernel.open


@pytest.mark.parametrize("answer", [0, -errno.EOPNOTSUPP, -errno.EINVAL])
def test_detach_detaches_what_can_be(kernel: FakeKernel, answer: int) -> None:
    link = loaded("xdp", XdpProgram).attach(7)
    kernel.then("LINK_DETACH", answer)
    link.detach()
    assert link.destroyed
    assert len(kernel.named("LINK_DETACH")) == 1


def test_detach_tells_of_failure(kernel: FakeKernel) -> None:
    link = loaded("xdp", XdpProgram).attach(7)
    kernel.then("LINK_DETACH", -errno.EPERM)
    with pytest.raises(PermissionError, match="BPF_LINK_DETACH"):
        link.detach()
    assert not link.destroyed
    assert link.fd() in kernel.open


def test_a_pinned_link_is_opened_by_its_path(kernel: FakeKernel) -> None:
    link = IterLink.from_pin("/sys/fs/bpf/x")
    assert isinstance(link, IterLink)
    assert link.program is None
    assert link.pin_path == "/sys/fs/bpf/x"
    kernel.then("OBJ_GET", -errno.ENOENT)
    with pytest.raises(FileNotFoundError, match="link at '/sys/fs/bpf/none'"):
        Link.from_pin("/sys/fs/bpf/none")


# -- settings ------------------------------------------------------------------


def test_settings_end_with_load(kernel: FakeKernel) -> None:
    program = opened("?xdp.frags", XdpProgram)
    assert (program.autoload, program.flags, program.autoattach) == (False, 32, True)
    program.autoload = True
    program.flags = 0
    program.log_level = 2
    program.attach_type = AttachType.XDP_CPUMAP
    assert (program.autoload, program.flags, program.log_level) == (True, 0, 2)
    assert program.attach_type == AttachType.XDP_CPUMAP
    program = loaded("xdp", XdpProgram)
    assert program.loaded
    with pytest.raises(StateError) as caught:
        program.autoload = False
    assert str(caught.value) == (
        "program 'prog': loaded already; set autoload between open() and load()"
    )
    program.close()
    assert not program.loaded
    with pytest.raises(ClosedError, match="destroyed already"):
        program.flags = 1
    assert not kernel.open


def test_pins_of_a_program(kernel: FakeKernel, tmp_path: Path) -> None:
    program = loaded("xdp", XdpProgram)
    first, second = tmp_path / "made/first", tmp_path / "second"
    program.pin(first)
    program.pin(str(second))
    assert [call.attr.bpf_fd for call in kernel.named("OBJ_PIN")] == [program.fd()] * 2
    first.touch()
    second.touch()
    program.unpin(second)
    assert not second.exists()
    program.unpin()
    assert not first.exists()
    program.unpin()


def test_names_of_things(kernel: FakeKernel) -> None:
    program = loaded("xdp", XdpProgram)
    assert repr(program) == "<XdpProgram 'prog' SEC(\"xdp\"): loaded>"
    link = program.attach(7)
    assert repr(link) == "<Link of program 'prog': attached>"
    link.destroy()
    assert repr(link).endswith(": destroyed>")
    assert (
        syscalls.Fd(kernel.named("LINK_CREATE")[0].attr.prog_fd).detach()
        == program.fd()
    )


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("type", -1, OverflowError, "type must be int in 0..4294967295 (u32), got -1"),
        ("flags", 1 << 32, OverflowError, "flags must be int in 0..4294967295"),
        ("attach_type", "x", TypeError, "attach_type must be int"),
        ("ifindex", -1, OverflowError, "ifindex must be int"),
        ("log_level", None, TypeError, "log_level must be int"),
        ("log_size", 5, OverflowError, "log_size must be 0 or 128..1073741823, got 5"),
        ("log_size", 1 << 30, OverflowError, "log_size must be 0 or 128..1073741823"),
        ("attach_target", 5, TypeError, "attach_target must be a str or None, got int"),
        ("attach_target", "", ValueError, "attach_target must be a name, got ''"),
        ("target_module", "a\0b", ValueError, "target_module must be a name"),
    ],
)
def test_settings_are_checked(
    name: str, value: object, error: type[Exception], text: str
) -> None:
    program = opened("fentry", TracingProgram)
    before = getattr(program, name)
    with pytest.raises(error) as caught:
        setattr(program, name, value)
    assert text in str(caught.value)
    assert str(caught.value).startswith(f"program 'prog': {name} ")
    assert getattr(program, name) == before


def test_a_target_setting_by_setting(kernel: FakeKernel) -> None:
    program = opened("fentry", TracingProgram)
    program.attach_target = "vfs_read"
    program.target_module = "ext4"
    program.target_program = 7
    program.log_size = 4096
    assert (program.attach_target, program.target_module) == ("vfs_read", "ext4")
    assert (program.target_program, program.log_size) == (7, 4096)
    program = loaded("fentry/func", TracingProgram)
    for name in ("attach_target", "target_module", "target_program", "ifindex"):
        with pytest.raises(StateError, match=f"set {name} between open"):
            setattr(program, name, None)
    program.autoattach = False  # until it is attached
    program.close()


# -- syscall programs ----------------------------------------------------------


def test_a_syscall_program_is_called(kernel: FakeKernel) -> None:
    program = loaded("syscall", SyscallProgram)
    assert program.flags == 1 << 4  # BPF_F_SLEEPABLE

    def run(call: Call) -> int:
        size = call.attr.ctx_size_in
        seen.append(call.memory("ctx_in", size) if size else b"")
        if size:
            call.fill("ctx_in", b"\x09" * size)
        call.answer("retval", 0xFFFFFFFE)
        return 0

    seen: list[bytes] = []
    kernel.always("PROG_TEST_RUN", run)
    assert program.run() == -2
    args = bytearray(b"\x01\x02")
    assert program.run(args) == -2
    assert args == b"\x09\x09"
    assert program.run(b"\x05") == -2  # read-only: taken, and not given back
    words = (ctypes.c_uint32 * 2)(1, 2)
    program.run(memoryview(words))
    assert list(words) == [0x09090909] * 2
    assert [len(ctx) for ctx in seen] == [0, 2, 1, 8]
    with pytest.raises(AttachError, match=r"call run\(\)"):
        program.attach()
    program.close()
