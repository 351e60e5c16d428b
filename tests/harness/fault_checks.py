"""What a fault may leave behind, and what its error has to say."""

import errno
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.object.object import Object
from tests.harness import leaks
from tests.harness.faults import ERRORS, Failure, Faults

Compile = Callable[..., Path]
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
        left = self._whole.check()
        assert not left, left


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


def clear(pins: Path) -> None:
    for pin in pins.iterdir():
        pin.unlink()
