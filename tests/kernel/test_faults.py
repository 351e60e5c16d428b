"""Real loads and attachments of which one system call fails: all of them in turn.

After each failure the error has to say what failed, nothing may be left while the
error is still there, and the same object has to load after all.
"""

import contextlib
import ctypes
import errno
import gc
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import skelgen
from skelgen.model.enums import Command, ProgType
from skelgen.runtime import (
    CgroupProgram,
    NetfilterProgram,
    NetnsProgram,
    PerfEventProgram,
    Program,
    TcProgram,
    XdpProgram,
)
from skelgen.runtime.errors import BpfError, BpfOSError, ExternError, VerifierError
from skelgen.runtime.links.base import Link
from skelgen.runtime.load import program as prog_load
from skelgen.runtime.maps.ringbuf import RingBuf
from skelgen.runtime.object.life import State
from skelgen.runtime.object.object import Object
from skelgen.runtime.syscalls import call, numbers
from tests.harness import leaks
from tests.harness.faults import ERRORS, GIVES_BACK, Failure, Faults, faults
from tests.harness.masked_kernel import masked
from tests.harness.places import BpfFileSystem, Cgroup, NetworkNamespace
from tests.harness.programs import RETURN_1, loaded

pytestmark = pytest.mark.any_kernel


Compile = Callable[..., Path]

OBJECTS = (
    "bootstrap",
    "externs_kconfig",
    "externs_kfuncs",
    "externs_ksyms",
    "externs_weak",
    "globals_live",
    "maps_arena",
    "maps_attributes",
    "maps_kernel_types",
    "maps_nested",
    "maps_net",
    "maps_optional",
    "maps_pinned",
    "maps_plain",
    "maps_prog_array",
    "maps_special",
    "maps_storage",
    "prog_autoload",
    "prog_cgroup",
    "prog_iter",
    "prog_misc",
    "prog_net",
    "prog_netfilter",
    "prog_raw_tracepoint",
    "prog_tc",
    "prog_tcx",
    "prog_tracepoint",
    "prog_uprobe",
    "prog_xdp",
    "ringbuf",
    "struct_ops",
    "struct_ops_link",
    "struct_ops_shadow",
    "struct_ops_tcp",
    "subprogs",
    "tags",
)


INTERRUPTS = (KeyboardInterrupt, MemoryError)


def failures(number: int) -> Iterator[tuple[Failure, bool]]:
    """Yield how call ``number`` fails: for good, once, and by an interrupt."""
    yield ERRORS[number % len(ERRORS)], True
    if "SKELGEN_VM" in os.environ:  # it takes twenty times as long, and is the same
        return
    yield ERRORS[(number + 1) % len(ERRORS)], False
    yield INTERRUPTS[number % 2], False


class Traces:
    """What can be left: fds, mappings, pins; kernel objects in the end."""

    def __init__(self, pins: Path) -> None:
        self._pins = pins
        self._before = self._now()
        self._whole = leaks.LeakCheck()

    def _now(self) -> tuple[object, ...]:
        pins = sorted(pin.name for pin in self._pins.iterdir())
        return leaks.open_fds(), pins, leaks.bpf_mappings()

    def check(self, *, mapped: bool = False) -> None:
        """Fail for what is left; ``mapped``: not for mappings."""
        now = self._now()
        assert now[:2] == self._before[:2]
        if not mapped and now != self._before:
            gc.collect()  # the last view of an arena unmaps it
            assert self._now() == self._before

    def check_kernel(self) -> None:
        assert not self._whole.check()


def check_error(error: BaseException, failure: Failure, fault: Faults) -> None:
    assert fault.failed is not None, "it fails without a fault"
    if not isinstance(failure, int):
        assert type(error) is failure
        return
    assert isinstance(error, BpfError), repr(error)
    notes = "\n".join(getattr(error, "__notes__", ()))
    if not isinstance(error, BpfOSError) or error.errno != failure:
        # other ways were tried, or it says more than the number
        assert str(error)
        return
    assert error.what
    if fault.failed in {"read", "write"}:
        assert error.command.startswith("RTM_")
    elif fault.failed in {"BTF_LOAD", "MAP_CREATE"} and error.command != fault.command:
        # it was made without BTF, and is of no use so
        assert "BTF" in f"{error}{notes}"
    else:
        assert error.command == fault.command
    if failure == errno.EPERM and fault.command.startswith("BPF_"):
        assert notes


Opener = Callable[[str], Callable[[], Object]]


@pytest.fixture
def pins(bpffs: BpfFileSystem) -> Path:
    """Return a folder of a bpffs, for pins alone."""
    folder = bpffs.path / "pins"
    folder.mkdir()
    return folder


def clear(pins: Path) -> None:
    for pin in pins.iterdir():
        pin.unlink()


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


@pytest.mark.parametrize("name", OBJECTS)
def test_loading(fixture: Opener, pins: Path, name: str) -> None:
    open_fixture = fixture(name)
    with open_fixture() as obj:
        obj.load()
    clear(pins)
    traces = Traces(pins)
    count = 0
    for number in itertools.count():
        fired = False
        for failure, lasting in failures(number):
            with open_fixture() as obj:
                fds = leaks.open_fds()
                try:
                    with faults(number, failure, lasting=lasting) as fault:
                        obj.load()
                except (BpfError, KeyboardInterrupt, MemoryError) as error:
                    check_error(error, failure, fault)
                    assert obj.state is State.OPENED
                    assert leaks.open_fds() == fds
                    # there is no way to get private memory back in the place
                    traces.check(mapped=lasting and fault.failed == "mmap")
                    count += 1
                    if not lasting:
                        obj.load()
                fired |= fault.failed is not None
            clear(pins)
            traces.check()
        if not fired:
            break
    assert count
    traces.check_kernel()


IN_TWO_STEPS = (
    "bootstrap",
    "externs_kfuncs",
    "globals_live",
    "maps_arena",
    "maps_nested",
    "maps_pinned",
    "maps_prog_array",
    "prog_cgroup",
    "struct_ops",
    "struct_ops_link",
    "subprogs",
)


@pytest.mark.parametrize("step", ["prepare", "load"])
@pytest.mark.parametrize("name", IN_TWO_STEPS)
def test_preparing_then_loading(
    fixture: Opener, pins: Path, name: str, step: str
) -> None:
    """A step that fails leaves what was there before it."""
    open_fixture = fixture(name)
    with open_fixture() as obj:
        obj.load()
        programs = any(program.loaded for program in obj.programs.values())
    clear(pins)
    before = Traces(pins)
    count = 0
    for number in itertools.count():
        fired = False
        for failure, lasting in failures(number):
            with open_fixture() as obj:
                if step == "load":
                    obj.prepare()
                state, traces = obj.state, Traces(pins)
                try:
                    with faults(number, failure, lasting=lasting) as fault:
                        getattr(obj, step)()
                except (BpfError, KeyboardInterrupt, MemoryError) as error:
                    check_error(error, failure, fault)
                    assert obj.state is state
                    mapped = lasting and fault.failed == "mmap"
                    traces.check(mapped=mapped)
                    if not mapped:
                        traces.check_kernel()
                    count += 1
                    if not lasting:
                        getattr(obj, step)()
                        if step == "prepare":
                            obj.load()
                fired |= fault.failed is not None
            clear(pins)
            before.check()
        if not fired:
            break
    assert count or (step == "load" and not programs)
    before.check_kernel()


@pytest.mark.parametrize("name", ["externs_kfuncs", "maps_plain", "prog_cgroup"])
def test_cloning(fixture: Opener, pins: Path, name: str) -> None:
    with fixture(name)() as obj:
        obj.prepare()
        program = next(p for p in obj.programs.values() if p.autoload)
        traces = Traces(pins)
        for number in itertools.count():
            fired = False
            for failure, lasting in failures(number):
                try:
                    with faults(number, failure, lasting=lasting) as fault:
                        program.clone().close()
                except (BpfError, KeyboardInterrupt, MemoryError) as error:
                    check_error(error, failure, fault)
                fired |= fault.failed is not None
                traces.check()
            if not fired:
                break
        traces.check_kernel()


@pytest.mark.parametrize(
    "name", ["bootstrap", "maps_nested", "struct_ops", "maps_arena"]
)
def test_loading_what_can_be(fixture: Opener, pins: Path, name: str) -> None:
    """``load(strict=False)`` raises only where nothing could be loaded, or interrupts."""
    open_fixture = fixture(name)
    traces = Traces(pins)
    for number in itertools.count():
        fired = False
        for failure, lasting in failures(number):
            with open_fixture() as obj:
                try:
                    with faults(number, failure, lasting=lasting) as fault:
                        report = obj.load(strict=False)
                except (BpfError, KeyboardInterrupt, MemoryError) as error:
                    check_error(error, failure, fault)
                    assert obj.state is State.OPENED
                    traces.check(mapped=lasting and fault.failed == "mmap")
                else:
                    for left_out in report:
                        assert str(left_out)
                        assert left_out.error.__traceback__ is None
                fired |= fault.failed is not None
            clear(pins)
            traces.check()
        if not fired:
            break
    traces.check_kernel()


# -- attaching -----------------------------------------------------------------

TRACING = ("bootstrap", "prog_raw_tracepoint", "prog_tracepoint")
OPERATIONS = ("struct_ops", "struct_ops_link", "struct_ops_shadow", "struct_ops_tcp")
ATTACHED = (
    *((name, "") for name in (*TRACING, *OPERATIONS, "prog_iter")),
    ("bootstrap", "perf_links"),
    ("prog_tracepoint", "perf_links"),
)


def two_programs(obj: Object) -> None:
    """Leave out more tracing programs than two, as each takes its time to detach."""
    tracing = [p for p in obj.programs.values() if p.type != ProgType.STRUCT_OPS]
    for program in tracing[2:]:
        program.autoload = False


@pytest.mark.parametrize(("name", "lacking"), ATTACHED)
def test_attaching(fixture: Opener, pins: Path, name: str, lacking: str) -> None:
    """All links of an object or none."""
    open_fixture = fixture(name)
    before = Traces(pins)
    with masked(*((lacking,) if lacking else ())):
        for number in itertools.count():
            fired = False
            for failure in (ERRORS[number % len(ERRORS)], INTERRUPTS[number % 2]):
                # of its own, as a struct_ops map without a link is registered once
                with open_fixture() as obj:
                    two_programs(obj)
                    obj.load()
                    traces = Traces(pins)
                    try:
                        with faults(number, failure) as fault:
                            obj.attach()
                    except (BpfError, KeyboardInterrupt, MemoryError) as error:
                        check_error(error, failure, fault)
                        assert not obj.links
                    else:
                        obj.detach()
                    fired |= fault.failed is not None
                    traces.check()
            if not fired:
                break
    before.check_kernel()


@pytest.mark.parametrize(("name", "lacking"), ATTACHED)
@pytest.mark.parametrize("failure", [errno.ENOMEM, KeyboardInterrupt])
def test_detaching(
    fixture: Opener, pins: Path, name: str, lacking: str, failure: Failure
) -> None:
    """Every link is destroyed, also where one says that it cannot be."""
    open_fixture = fixture(name)
    before = Traces(pins)
    names = tuple(GIVES_BACK - {"close", "munmap"})
    with masked(*((lacking,) if lacking else ())):
        for call in ("detach", "destroy"):
            with open_fixture() as obj:
                two_programs(obj)
                obj.load()
                obj.attach()
                links = obj.links.values()
                with (
                    faults(0, failure, names=names) as fault,
                    contextlib.suppress(BpfError, KeyboardInterrupt),
                ):
                    getattr(obj, call)()
                assert fault.failed or lacking != "perf_links"
                assert all(link.destroyed for link in links)
            before.check()
    before.check_kernel()


class Places(NamedTuple):
    """Where to attach to."""

    netns: NetworkNamespace
    cgroup: Cgroup


WAYS: dict[str, tuple[str, type[Program], Callable[[Any, Places], Link]]] = {
    "xdp": ("xdp", XdpProgram, lambda p, at: at.netns.call(p.attach, "veth0")),
    "xdp netlink": (
        "xdp",
        XdpProgram,
        lambda p, at: at.netns.call(p.attach, "veth0", link=False),
    ),
    "tcx": ("tcx/ingress", TcProgram, lambda p, at: at.netns.call(p.attach, "veth0")),
    "tc filter": (
        "tc",
        TcProgram,
        lambda p, at: at.netns.call(p.attach, "veth0", direction="ingress", link=False),
    ),
    "cgroup": (
        "cgroup_skb/egress",
        CgroupProgram,
        lambda p, at: p.attach(at.cgroup.path),
    ),
    "cgroup no link": (
        "cgroup_skb/egress",
        CgroupProgram,
        lambda p, at: p.attach(at.cgroup.path, link=False),
    ),
    "netns": ("sk_lookup", NetnsProgram, lambda p, at: p.attach(at.netns.fd)),
    "netfilter": (
        "netfilter",
        NetfilterProgram,
        lambda p, at: at.netns.call(p.attach, "ipv4", "output"),
    ),
    "perf event": ("perf_event", PerfEventProgram, lambda p, _: p.attach(frequency=1)),
}


def take_off(veth: NetworkNamespace, error: str) -> None:
    """Take off what skelgen cannot, as it cannot ask either whether it is there."""
    if "RTM_SETLINK" in error:
        veth.run("ip link set dev veth0 xdp off")
    elif "RTM_NEWTFILTER" in error:
        veth.run("tc filter del dev veth0 ingress")


def load_attachable(way: str, places: Places) -> Program:
    """Return a program that this kernel attaches so, loaded."""
    section, cls, attach = WAYS[way]
    program = None
    try:
        program = loaded(section, cls, insns=RETURN_1)
        attach(program, places).destroy()
    except BpfOSError as error:
        if program is not None:
            program.close()
        if error.errno in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOENT}:
            pytest.skip(f"this kernel cannot: {error}")
        raise
    return program


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.replace(" ", "-"))
def test_attaching_one(
    veth: NetworkNamespace, cgroup: Cgroup, pins: Path, way: str
) -> None:
    attach = WAYS[way][2]
    places = Places(veth, cgroup)
    whole = leaks.LeakCheck()
    program = load_attachable(way, places)
    traces = Traces(pins)
    for number in itertools.count():
        fired = False
        for failure, lasting in failures(number):
            try:
                with faults(number, failure, lasting=lasting) as fault:
                    link = attach(program, places)
            except (BpfError, OSError, KeyboardInterrupt, MemoryError) as error:
                if fault.failed != "open":  # which raises OSError as everywhere
                    check_error(error, failure, fault)
                if lasting and fault.failed == "read":
                    take_off(veth, str(error))
                traces.check()
            else:
                link.destroy()
            fired |= fault.failed is not None
            traces.check()
        if not fired:
            break
    attach(program, places).destroy()  # nothing is in the way
    program.close()
    assert not whole.check()


# -- the verifier --------------------------------------------------------------


def test_a_load_is_tried_five_times(fixture: Opener) -> None:
    """``EAGAIN`` is what a signal does to the verifier."""
    open_fixture = fixture("globals_live")
    for times in (1, 4):
        with open_fixture() as obj, eagain(times) as tried:
            obj.load()
        assert len(tried) == times + 1
    with open_fixture() as obj, eagain(1000) as tried:
        with pytest.raises(BpfOSError) as caught:
            obj.load()
        assert caught.value.errno == errno.EAGAIN
        assert caught.value.command == "BPF_PROG_LOAD"
        assert len(tried) == 10  # without a log, then with one


@contextlib.contextmanager
def eagain(times: int) -> Iterator[list[None]]:
    """Let the first loads of the program ``count`` fail with ``EAGAIN``."""
    real = call.raw
    tried: list[None] = []

    def raw(nr: int, a: int = 0, b: int = 0, *rest: int) -> tuple[int, int]:
        if nr == numbers.NR_BPF and a == Command.PROG_LOAD:
            name = ctypes.string_at(b + 48, 16).rstrip(b"\0")
            if name == b"count":
                tried.append(None)
                if len(tried) <= times:
                    return -1, errno.EAGAIN
        return real(nr, a, b, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(call, "raw", raw)
        yield tried


def test_the_log_gets_the_room_that_it_needs(
    fixture: Opener, compile_bpf: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``ENOSPC`` from the kernel: a log of some kB, and a buffer of 128 bytes."""
    rejected = compile_bpf("prog_rejected")
    with skelgen.open_object(rejected) as obj, pytest.raises(VerifierError) as usual:
        obj.load()
    sizes: list[int] = []
    made = prog_load.LogBuffer.__init__

    def init(self: prog_load.LogBuffer, size: int) -> None:
        sizes.append(size)
        made(self, size)

    monkeypatch.setattr(prog_load, "_FIRST_LOG", 128)
    monkeypatch.setattr(prog_load.LogBuffer, "__init__", init)
    with skelgen.open_object(rejected) as obj, pytest.raises(VerifierError) as caught:
        obj.load()
    assert sizes[0] == 128
    assert len(sizes) > 1
    lines = caught.value.log.splitlines()
    assert len(lines) == len(usual.value.log.splitlines())
    assert "processed" in lines[-1]
    sizes.clear()
    with fixture("globals_live")() as obj:  # accepted, and the log asked for
        program = obj.programs["count"]
        program.log_level = 2
        obj.load()
        assert len(sizes) > 1
        assert "processed" in program.log


def test_no_memory_for_a_log(compile_bpf: Compile) -> None:
    """The kernel's answer is what counts, not that there is no log of it."""
    obj = skelgen.open_object(compile_bpf("prog_rejected"))
    with (
        faults(0, errno.ENOMEM, names=("mmap",), lasting=True) as fault,
        pytest.raises(BpfOSError) as caught,
    ):
        obj.load()
    assert fault.failed == "mmap"
    assert caught.value.errno == errno.EACCES
    assert caught.value.command == "BPF_PROG_LOAD"
    assert any("no whole verifier log" in note for note in caught.value.__notes__)
    obj.destroy()


# -- after load ----------------------------------------------------------------


def test_a_ring_buffer_that_cannot_be_mapped(fixture: Opener) -> None:
    with fixture("ringbuf")() as obj:
        obj.load()
        ring = obj.maps["rb"]
        assert isinstance(ring, RingBuf)
        for number in (0, 1):
            before = leaks.open_fds(), leaks.bpf_mappings()
            with (
                faults(number, errno.EAGAIN, names=("mmap",)),
                pytest.raises(BpfOSError, match="map 'rb': mmap") as caught,
            ):
                list(ring.consume())
            assert caught.value.errno == errno.EAGAIN
            assert (leaks.open_fds(), leaks.bpf_mappings()) == before
        assert list(ring.consume()) == []


def test_destroy_goes_on_after_an_interrupt(fixture: Opener) -> None:
    obj = fixture("prog_tracepoint")()
    before = leaks.open_fds()
    obj.load()
    obj.attach()
    link = next(iter(obj.links.values()))

    class Stubborn:
        def close(self) -> None:
            raise KeyboardInterrupt

    obj.map(next(iter(obj.maps))).track(Stubborn())
    with pytest.raises(KeyboardInterrupt):
        obj.destroy()
    assert link.destroyed
    assert obj.state is State.DESTROYED
    assert all(not program.loaded for program in obj.programs.values())
    left = leaks.open_fds() - before
    assert sum(left.values()) <= 1  # the map whose closing was interrupted
    obj.destroy()
