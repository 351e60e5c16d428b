"""Programs of every ``SEC()`` name of control groups, in a group and process of our own."""

import contextlib
import ctypes
import os
import socket
from collections.abc import Callable
from pathlib import Path

from skelgen.model.enums import AttachType
from tests.harness.places import CLONE_NEWNET, Cgroup, NetworkNamespace, cgroup2_mount
from tests.harness.section_programs import Outcome, Stage

_libc = ctypes.CDLL(None, use_errno=True)


def cgroups() -> dict[str, Outcome]:
    """Return the outcomes of all programs of ``sections_cgroup``."""
    mount = cgroup2_mount()
    assert mount is not None, "no cgroup2 file system is mounted"
    stage = Stage("cgroup")
    group = Cgroup(mount)
    places = NetworkNamespace()
    try:
        places.run("ip link set lo up")
        for key in stage.programs:
            _attach(stage, key, group.path)
        child = os.fork()
        if child == 0:
            _act(group.path, places.fd)
        os.waitpid(child, 0)
        return stage.outcomes()
    finally:
        stage.close()
        group.close()
        places.close()


def _attach(stage: Stage, key: str, group: Path) -> None:
    if key == "cgroup/skb":  # it does not say which way
        hook = AttachType.CGROUP_INET_EGRESS
        way = "attach(cgroup, attach_type=...)"
        stage.attach(key, way, lambda p: p.attach(group, attach_type=hook))
        return
    stage.attach(key, "attach(cgroup)", lambda p: p.attach(group))


def _act(group: Path, netns: int) -> None:
    """Do in the group and the namespace whatever a program is asked about."""
    try:
        (group / "cgroup.procs").write_text(str(os.getpid()), "ascii")
        _libc.setns(netns, CLONE_NEWNET)
        for act in (_devices, _inet, _inet6, _unix):
            _try(act)
    finally:
        os._exit(0)


def _try(act: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        act()


def _devices() -> None:
    Path("/dev/null").read_bytes()
    Path("/proc/sys/kernel/ostype").read_bytes()


def _inet() -> None:
    _talk(socket.AF_INET, "127.0.0.1")


def _inet6() -> None:
    _talk(socket.AF_INET6, "::1")


def _talk(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
        server.settimeout(20)
        server.bind((host, 0))
        with socket.socket(family, socket.SOCK_DGRAM) as client:
            client.sendto(b"x", server.getsockname())
            server.recvfrom(16)
    with socket.create_server((host, 0), family=family) as listening:
        address = listening.getsockname()[:2]
        with socket.create_connection(address, timeout=20) as client:
            client.getpeername()
            client.getsockname()


def _unix() -> None:
    """Names of the abstract kind, which are in no file system."""
    names = [f"\0skelgen-{os.getpid()}-{number}" for number in range(2)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(names[0])
        server.settimeout(20)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.bind(names[1])
            client.sendto(b"x", names[0])
            server.recvfrom(16)
            client.connect(names[0])
            client.getpeername()
            client.getsockname()
