"""Steps to be taken back when a later one fails."""

from collections.abc import Callable

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class Undo:
    """Steps made so far, and how each is taken back."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def add(self, step: Callable[[], object]) -> None:
        """Note how to take back what was just done."""
        self._steps.append(step)

    def keep(self) -> None:
        """Forget all steps: what was made stays."""
        self._steps.clear()

    def run(self) -> list[Exception]:
        """Take every step back, last one first, and return what went wrong.

        What is no error, such as ``KeyboardInterrupt``, is raised after the last step.
        A step stays noted until it is taken, for a child that is forked meanwhile.
        """
        failures: list[Exception] = []
        interrupt: BaseException | None = None
        while self._steps:
            try:
                self._steps[-1]()
            except Exception as error:  # noqa: BLE001 - the other steps still matter
                debug("clean-up: %s", error)
                failures.append(error)
            except BaseException as error:  # noqa: BLE001 - raised below
                interrupt = error
            self._steps.pop()
        if interrupt is not None:
            raise interrupt
        return failures


def last_step(step: Callable[[], object]) -> None:
    """Take a step in ``__del__``, where nobody could catch an error."""
    try:
        step()
    except Exception as error:  # noqa: BLE001 - it is logged
        debug("clean-up: %s", error)


class Attempt:
    """A block that does something whole, or takes back what it did."""

    __slots__ = ("cleanup", "undo")

    def __init__(self) -> None:
        self.undo = Undo()
        """Steps to take if it fails."""
        self.cleanup = Undo()
        """Steps to take last, whether it failed or not."""

    def __enter__(self) -> "Self":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        if kind is None:
            self.undo.keep()
        try:
            self.undo.run()
        finally:
            self.cleanup.run()


def raise_first(failures: list[Exception]) -> None:
    """Raise the first of what :meth:`Undo.run` returned, with the others as notes."""
    if failures:
        for other in failures[1:]:
            failures[0].add_note(f"and: {other}")
        raise failures[0]
