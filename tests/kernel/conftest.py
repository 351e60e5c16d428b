"""Fixtures of tests against the running kernel. None of them leaves a trace."""

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import leaks, oracle, places, privilege


@pytest.fixture(scope="session")
def _privileged() -> None:
    privilege.require_privilege()
    leaks.SEEN.watch()


@pytest.fixture(autouse=True)
def no_leaks(_privileged: None) -> Iterator[None]:
    """Fail a test that leaves an fd, a mapping, or an object in the kernel."""
    check = leaks.LeakCheck()
    yield
    left = check.check()
    assert not left, f"left behind: {left}"


REGISTERS = frozenset(
    (
        *("test_cycles", "test_examples", "test_faults", "test_load_newer"),
        *("test_load_objects", "test_sequences", "test_shown", "test_struct_ops"),
    )
)
"""Modules whose tests attach struct_ops variables. The kernel has one list of names of
congestion controls, so two runs of these tests take turns."""


@pytest.fixture(scope="module", autouse=True)
def _turns(request: pytest.FixtureRequest) -> Iterator[None]:
    if Path(request.path).stem not in REGISTERS:
        yield
        return
    lock = Path(tempfile.gettempdir()) / "skelgen-tests-struct-ops.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def netns() -> Iterator[places.NetworkNamespace]:
    """Yield an empty network namespace of the test's own."""
    namespace = places.NetworkNamespace()
    yield namespace
    namespace.close()


@pytest.fixture
def veth(netns: places.NetworkNamespace) -> places.NetworkNamespace:
    """Return a network namespace with ``veth0`` and ``veth1``, connected and up."""
    if shutil.which("ip") is None:
        pytest.skip("needs the ip command (Debian package iproute2)")
    netns.add_veth()
    return netns


@pytest.fixture
def cgroup() -> Iterator[places.Cgroup]:
    """Yield an empty cgroup of the test's own."""
    mount = places.cgroup2_mount()
    if mount is None:
        pytest.skip("needs a cgroup2 file system, and none is mounted")
    group = places.Cgroup(mount)
    yield group
    group.close()


@pytest.fixture
def bpffs() -> Iterator[places.BpfFileSystem]:
    """Yield a bpffs of the test's own, mounted nowhere."""
    file_system = places.BpfFileSystem()
    yield file_system
    file_system.close()


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Return a function that starts a process; what still runs at the end is ended."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was compared with libbpf."""
    if oracle.TALLY.cases:
        terminalreporter.write_line(str(oracle.TALLY))
