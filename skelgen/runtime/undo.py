"""Steps to be taken back when a later one fails."""

from collections.abc import Callable

from skelgen.runtime.log import debug


class Undo:
    """What has been made so far, and how to get rid of it."""

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
        """
        failures: list[Exception] = []
        interrupt: BaseException | None = None
        while self._steps:
            step = self._steps.pop()
            try:
                step()
            except Exception as error:  # noqa: BLE001 - the other steps still matter
                debug("clean-up: %s", error)
                failures.append(error)
            except BaseException as error:  # noqa: BLE001 - raised below
                interrupt = error
        if interrupt is not None:
            raise interrupt
        return failures
