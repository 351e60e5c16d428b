"""The verifier is asked again: after a signal, and with room for its whole log."""

import contextlib
import ctypes
import errno
from collections.abc import Iterator

import pytest

import skelgen
from skelgen.model.enums import Command
from skelgen.runtime.errors import BpfOSError, VerifierError
from skelgen.runtime.load import program as prog_load
from skelgen.runtime.syscalls import call, numbers
from tests.harness.bpf_attr import Attr
from tests.harness.fault_checks import Compile, Opener
from tests.harness.faults import faults

pytestmark = pytest.mark.any_kernel


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
            attr = Attr("PROG_LOAD", ctypes.string_at(b, rest[0]))
            if attr.prog_name == "count":
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


def test_no_memory_for_a_log_leaves_the_answer_of_the_kernel(
    compile_bpf: Compile,
) -> None:
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
