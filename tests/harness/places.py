"""Places of a test's own to attach to: a network namespace, a cgroup, a bpffs.

A thread enters a namespace and leaves it by ending; nothing is mounted anywhere,
and what is made goes with its last fd.
"""

import ctypes
import itertools
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from skelgen.runtime import syscalls

P = ParamSpec("P")
R = TypeVar("R")

CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_number = itertools.count()


def _checked(result: int, what: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a function in a thread of its own and return or raise what it does."""
    results: list[R] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 (raised again below)
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


class NetworkNamespace:
    """A new network namespace, held by an fd. ``/sys`` stays that of the host."""

    def __init__(self) -> None:
        self.fd = in_thread(self._make)

    @staticmethod
    def _make() -> int:
        _checked(_libc.unshare(CLONE_NEWNET), "unshare")
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function inside the namespace, in a thread of its own."""

        def inside() -> R:
            _checked(_libc.setns(self.fd, CLONE_NEWNET), "setns")
            return function(*args, **kwargs)

        return in_thread(inside)

    def run(self, command: str) -> str:
        """Run a command inside the namespace and return what it prints."""
        done = self.call(
            subprocess.run,
            command.split(),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return str(done.stdout)

    def add_veth(self, first: str = "veth0", second: str = "veth1") -> None:
        """Make a pair of connected interfaces, both up, ``lo`` up too."""
        self.run(f"ip link add {first} type veth peer name {second}")
        self.run("ip link set lo up")
        for number, name in enumerate((first, second), 1):
            self.run(f"ip address add 10.99.0.{number}/24 dev {name}")
            self.run(f"ip link set {name} up")
        # the kernel notices a while later that there is a carrier
        deadline = time.monotonic() + 10
        for name in (first, second):
            while "state UP" not in self.run(f"ip -o link show {name}"):
                assert time.monotonic() < deadline, f"{name} does not come up"
                time.sleep(0.01)

    def close(self) -> None:
        """Let go of the namespace; it ends when nothing else holds it."""
        os.close(self.fd)


def cgroup2_mount() -> Path | None:
    """Return where the unified cgroup hierarchy is mounted."""
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        fields, _, source = line.partition(" - ")
        if source.split()[0] == "cgroup2":
            return Path(fields.split()[4])
    return None


class Cgroup:
    """A new cgroup of version 2."""

    def __init__(self, parent: Path) -> None:
        self.path = parent / f"skelgen-test-{os.getpid()}-{next(_number)}"
        self.path.mkdir()

    def call(self, function: Callable[[], int]) -> int:
        """Call a function in a child process inside the cgroup; return its status."""
        child = os.fork()
        if child == 0:
            status = 255
            try:
                (self.path / "cgroup.procs").write_text("0", "ascii")
                status = function()
            finally:
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def close(self) -> None:
        """End what still runs in it, and remove it."""
        kill = self.path / "cgroup.kill"
        if kill.exists():
            kill.write_text("1", "ascii")
        self.path.rmdir()


class BpfFileSystem:
    """A bpffs that is mounted nowhere; ``path`` leads into it by its fd."""

    def __init__(self) -> None:
        context = syscalls.fsopen("bpf")
        try:
            syscalls.fsconfig(context, syscalls.FSCONFIG_CMD_CREATE)
            self.fd = syscalls.fsmount(context)
        finally:
            os.close(context)
        self.path = Path(f"/proc/self/fd/{self.fd}")

    def close(self) -> None:
        """Let go of it, and so of everything pinned in it."""
        os.close(self.fd)
