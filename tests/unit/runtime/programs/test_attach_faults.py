"""Every system call of attaching and detaching fails: the right error, nothing left.

On the fake kernel, so for what this one cannot attach too. An attachment that no fd
keeps (``BPF_PROG_ATTACH``, a struct_ops value) counts as left until it is taken back.
"""

import errno
import itertools
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from skelgen.runtime import (
    CgroupProgram,
    ExtensionProgram,
    IterProgram,
    KprobeMultiProgram,
    KprobeProgram,
    NetfilterProgram,
    NetnsProgram,
    PerfEventProgram,
    RawTracepointProgram,
    SockmapProgram,
    StructOpsProgram,
    TcProgram,
    TracepointProgram,
    TracingProgram,
    UprobeMultiProgram,
    UprobeProgram,
    XdpProgram,
)
from skelgen.runtime.errors import AttachError, BpfError, BpfOSError
from skelgen.runtime.kernel import features, tracefs
from skelgen.runtime.links import probe
from skelgen.runtime.links.base import Link
from skelgen.runtime.links.struct_ops import attach_struct_ops
from skelgen.runtime.programs import xdp
from skelgen.runtime.programs.base import Program
from tests.harness.fake_kernel import FakeKernel
from tests.harness.faults import ERRORS, Failure, faults
from tests.harness.programs import loaded


class Family(NamedTuple):
    """A way to attach."""

    section: str
    cls: type[Program]
    attach: Callable[[Any], Link]
    old: tuple[features.Feature, ...] = ()
    """What this kernel lacks."""


def struct_ops(*, link: bool) -> Callable[[Program], Link]:
    return lambda program: attach_struct_ops(
        program.fd(), b"value", link=link, what="program 'prog' of struct_ops 'cc'"
    )


PERF = (features.PERF_LINK, features.BPF_COOKIE)
FAMILIES = {
    "tp": Family("tp/cat/event", TracepointProgram, lambda p: p.attach()),
    "tp, ioctl": Family("tp/cat/event", TracepointProgram, lambda p: p.attach(), PERF),
    "raw_tp": Family("raw_tp/x", RawTracepointProgram, lambda p: p.attach()),
    "fentry": Family("fentry/vfs_read", TracingProgram, lambda p: p.attach()),
    "kprobe": Family("kprobe/vfs_read", KprobeProgram, lambda p: p.attach()),
    "kprobe, tracefs": Family("kprobe/old", KprobeProgram, lambda p: p.attach(), PERF),
    "kprobe.multi": Family(
        "kprobe.multi/vfs_*", KprobeMultiProgram, lambda p: p.attach()
    ),
    "uprobe": Family(
        "uprobe", UprobeProgram, lambda p: p.attach("/bin/true", offset=64)
    ),
    "uprobe.multi": Family(
        "uprobe.multi", UprobeMultiProgram, lambda p: p.attach("/bin/true", offsets=[1])
    ),
    "perf_event": Family("perf_event", PerfEventProgram, lambda p: p.attach(9)),
    "iter": Family("iter/task", IterProgram, lambda p: p.attach()),
    "iter, cgroup": Family(
        "iter/cgroup", IterProgram, lambda p: p.attach(cgroup="/", order=2)
    ),
    "xdp": Family("xdp", XdpProgram, lambda p: p.attach(7)),
    "tcx": Family("tcx/ingress", TcProgram, lambda p: p.attach(7)),
    "cgroup": Family("cgroup/connect4", CgroupProgram, lambda p: p.attach("/")),
    "cgroup, no link": Family(
        "cgroup/connect4",
        CgroupProgram,
        lambda p: p.attach("/"),
        (features.LINK_CREATE,),
    ),
    "netns": Family("sk_lookup", NetnsProgram, lambda p: p.attach()),
    "netfilter": Family("netfilter", NetfilterProgram, lambda p: p.attach(2, 1)),
    "sockmap": Family("sk_skb/stream_verdict", SockmapProgram, lambda p: p.attach(9)),
    "freplace": Family("freplace/f", ExtensionProgram, lambda p: p.attach()),
    "struct_ops": Family("struct_ops/a", StructOpsProgram, struct_ops(link=True)),
    "struct_ops, no link": Family(
        "struct_ops/a", StructOpsProgram, struct_ops(link=False)
    ),
}
_ALL = (*PERF, features.LINK_CREATE, features.TCX)


@pytest.fixture(params=FAMILIES, ids=lambda name: name.replace(", ", "-"))
def family(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Family:
    """Return each way to attach, with a tracefs in which its event is."""
    found = FAMILIES[request.param]
    event = tmp_path / "events" / "cat" / "event"
    event.mkdir(parents=True)
    (event / "id").write_text("7\n", "ascii")
    (tmp_path / "available_filter_functions_addrs").write_text("ff vfs_read\n", "ascii")
    (tmp_path / "kprobe_events").touch()
    monkeypatch.setattr(tracefs, "PLACES", (str(tmp_path),))
    numbers = {"type": None if "tracefs" in request.param else 6}
    monkeypatch.setattr(probe, "pmu_number", lambda _pmu, what: numbers.get(what, 0))
    monkeypatch.setattr(probe, "event_name", lambda _place: "event")
    monkeypatch.setattr(probe, "_GROUP", "cat")
    # no way around through the real rtnetlink
    monkeypatch.setattr(xdp, "_has_links", lambda: True)
    return found


def program_of(family: Family) -> Program:
    for feature in _ALL:
        feature.assume(feature not in family.old)
    return loaded(family.section, family.cls)


def attached(kernel: FakeKernel, family: Family) -> int:
    """Return how many attachments there are that no fd keeps."""
    attaches, detaches = "PROG_ATTACH", "PROG_DETACH"
    if family is FAMILIES["struct_ops, no link"]:
        attaches, detaches = "MAP_UPDATE_ELEM", "MAP_DELETE_ELEM"
    return len(kernel.named(attaches)) - len(kernel.named(detaches))


def own_fds() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208 (names are all we want)


def check_error(error: BaseException, failure: Failure, command: str) -> None:
    """Fail unless an error says what went wrong with what."""
    if not isinstance(failure, int):
        assert type(error) is failure
        return
    if isinstance(error, OSError) and not isinstance(error, BpfError):
        assert command == "open", error  # of the path that the user gave
        assert error.errno == failure
        return
    assert isinstance(error, BpfError), repr(error)
    if command == "open" and isinstance(error, BpfOSError):
        return  # tracefs: on with a mount of our own, which is not there
    assert str(error).startswith(("program 'prog'", "link of program 'prog'")), error
    if isinstance(error, BpfOSError):
        assert error.errno == failure
        if command not in {"open", "read", "write"}:  # those are of a control file
            assert error.command == command
        if failure == errno.EPERM and command.startswith("BPF_"):
            assert error.__notes__
    else:
        assert isinstance(error, AttachError)


FAILURES: tuple[tuple[Failure, bool], ...] = (
    *((error, lasting) for error in ERRORS for lasting in (False, True)),
    (errno.EMFILE, False),
    (KeyboardInterrupt, False),
    (MemoryError, False),
)


def test_a_fault_in_attaching_leaves_nothing_behind(
    kernel: FakeKernel, family: Family
) -> None:
    program = program_of(family)
    before = set(kernel.open), own_fds()
    for failure, lasting in FAILURES:
        failed = []
        for number in itertools.count():
            kernel.calls.clear()
            try:
                with faults(number, failure, lasting=lasting) as fault:
                    link = family.attach(program)
            except (BpfError, OSError, KeyboardInterrupt, MemoryError) as error:
                assert fault.failed is not None
                check_error(error, failure, fault.command)
                failed.append(fault.failed)
            else:  # there was another way, or no such call
                link.destroy()
                if fault.failed is None:
                    break
            assert (set(kernel.open), own_fds()) == before
            # an interrupt may come after the call: it is taken off, perhaps in vain
            in_vain = failure is KeyboardInterrupt
            assert attached(kernel, family) in ({0, -1} if in_vain else {0})
        assert failed or failure == errno.EINVAL  # has another way, an older one
    program.close()
    assert not kernel.open


GIVEN_BACK = ("PROG_DETACH", "MAP_DELETE_ELEM", "PERF_EVENT_IOC_DISABLE", "LINK_DETACH")


def test_a_failed_detach_can_be_repeated_and_destroy_closes_all(
    kernel: FakeKernel, family: Family
) -> None:
    """A ``detach()`` that failed can be repeated, ``destroy()`` closes all."""
    program = program_of(family)
    before = set(kernel.open), own_fds()
    for failure, method in itertools.product(
        (*ERRORS, KeyboardInterrupt, MemoryError), ("detach", "destroy")
    ):
        kernel.calls.clear()
        link = family.attach(program)
        held = set(kernel.open)
        try:
            # to destroy it is tried twice
            lasting = isinstance(failure, int)
            with faults(0, failure, lasting=lasting, names=GIVEN_BACK) as fault:
                getattr(link, method)()
        except (BpfError, KeyboardInterrupt, MemoryError) as error:
            check_error(error, failure, fault.command)
            assert method == "detach" or lasting or attached(kernel, family) == 0
            if method == "detach":
                assert not link.destroyed
                assert set(kernel.open) == held
                link.detach()
        assert link.destroyed
        assert (set(kernel.open), own_fds()) == before
        link.detach()
        link.destroy()
    program.close()


def test_a_socket_without_an_fd_for_the_link_is_not_attached(
    kernel: FakeKernel,
) -> None:
    from skelgen.runtime import SocketProgram

    class Socket:
        def setsockopt(self, *_args: object) -> None:
            raise AssertionError("attached before there was an fd to detach with")

        def fileno(self) -> int:
            return 3

    program = loaded("socket", SocketProgram)
    sock: Any = Socket()
    with faults(0, errno.EMFILE, names=("fcntl",)), pytest.raises(BpfOSError) as caught:
        program.attach(sock)
    assert caught.value.errno == errno.EMFILE
    program.close()
    assert not kernel.open


def test_a_fault_in_rtnetlink_names_the_command_and_leaves_nothing() -> None:
    from skelgen.runtime.syscalls import netlink, rtnetlink

    def query() -> None:
        route = netlink.Route()
        try:
            rtnetlink.xdp_query(route, socket.if_nametoindex("lo"))
        finally:
            route.close()

    for name, command in (
        ("socket", "socket"),
        ("write", "RTM_GETLINK"),
        ("read", "RTM_GETLINK"),
    ):
        before = own_fds()
        with (
            faults(0, errno.ENOBUFS, names=(name,)),
            pytest.raises(BpfOSError) as caught,
        ):
            query()
        assert caught.value.command == command
        assert caught.value.errno == errno.ENOBUFS
        assert own_fds() == before
