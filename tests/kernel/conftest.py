"""Fixtures of tests against the running kernel. None of them leaves a trace."""

import fcntl
import gc
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import skelgen
from skelgen.runtime import Program
from skelgen.runtime.errors import ExternError
from skelgen.runtime.object.object import Object
from tests.harness import leaks, libbpf, places, privilege
from tests.harness import oracle as oracles
from tests.harness.fault_checks import Compile, Opener, clear
from tests.harness.programs import Counter, LoadProgram, loaded


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


@pytest.fixture(scope="module", autouse=True)
def _collect_what_is_new() -> None:
    """Leave what is there before a module to no collection of garbage.

    Tests collect it often, to see what is closed by that. To look through all of pytest
    each time took longer than many a test.
    """
    gc.collect()
    gc.freeze()


REGISTERS = frozenset(
    f"test_{name}"
    for name in (
        *("attach_faults", "cycles", "examples", "faults", "few_files", "forks"),
        *("junk", "load_newer", "load_objects", "log", "prepare", "sequences"),
        *("shown", "struct_ops"),
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


@pytest.fixture(scope="module", params=libbpf.compared())
def oracle(request: pytest.FixtureRequest) -> oracles.Oracle:
    """Return libbpf to compare with, one after the other."""
    return oracles.oracle(request.param)


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


@pytest.fixture
def counter() -> Iterator[Counter]:
    """Yield a counter of what happens in this process."""
    with Counter() as counter:
        yield counter


@pytest.fixture
def load() -> Iterator[LoadProgram]:
    """Return a function that loads a program, which is closed at the end."""
    made: list[Program] = []

    def load_program(section: str, cls: type[Program], **options: object) -> Program:
        program = loaded(section, cls, **options)
        made.append(program)
        return program

    yield load_program
    for program in made:
        program.close()


@pytest.fixture
def pins(bpffs: places.BpfFileSystem) -> Path:
    """Return a folder of a bpffs, for pins alone."""
    folder = bpffs.path / "pins"
    folder.mkdir()
    return folder


@pytest.fixture
def fixture(compile_bpf: Compile, pins: Path) -> Opener:
    """Return a function from the name of a fixture to one that opens it.

    What this kernel refuses of it anyway is left out.
    """

    def opener(name: str) -> Callable[[], Object]:
        path = compile_bpf(name)
        with skelgen.open_object(path, pin_root=pins) as trial:
            report = trial.load(strict=False)
        clear(pins)

        def open_fixture() -> Object:
            obj = skelgen.open_object(path, pin_root=pins)
            for program in report.programs:
                obj.programs[program].autoload = False
            for left_out in report.maps:
                obj.map(left_out).autocreate = False
            return obj

        with open_fixture() as trial:
            try:
                trial.load()
            except ExternError as error:
                pytest.skip(f"this kernel loads nothing of it: {error}")
        clear(pins)
        return open_fixture

    return opener


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send what a worker of pytest-xdist compared with libbpf to the process above."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["tallies"] = oracles.tallies()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker has sent; one that has crashed sends nothing."""
    oracles.add_tallies(getattr(node, "workeroutput", {}).get("tallies", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was compared with libbpf."""
    for tally in oracles.TALLIES.values():
        if tally.cases:
            terminalreporter.write_line(str(tally))
