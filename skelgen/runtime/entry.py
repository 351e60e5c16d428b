"""The entrance of calls that make much in the kernel: load, attach, pin, clone."""

# ruff: noqa: ANN401 (a method of any signature)
import errno
from functools import wraps

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.arguments import checks_arguments
from skelgen.plain import plain
from skelgen.runtime.errors import BpfOSError, os_error
from skelgen.runtime.log import step

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from skelgen.runtime.log import Step

F = TypeVar("F", bound="Callable[..., Any]")

_FULL = {errno.EMFILE, errno.ENFILE}
_DEEPEST = 20


class Entry:
    """A call that is about ``what``: a context manager, which gives the step to log.

    Where the process may open no more files, that may show as a bare OSError of an
    import or a file in ``/proc``, or as something that could not be looked up. Outside
    of this it is a :class:`BpfOSError` that says so.
    """

    __slots__ = ("_step", "_what")

    def __init__(self, what: str, *, total: bool = False) -> None:
        self._what = what
        self._step = step("%s", what, total=total)

    def __enter__(self) -> "Step":
        return self._step.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: "TracebackType | None",
    ) -> None:
        self._step.__exit__(kind, error, trace)
        first = _first_of_few_files(error)
        if first is not None:
            file = first.filename
            command = getattr(first, "command", "")
            if isinstance(file, str):
                command = f"open '{plain(file)}'"
            raise os_error(
                first.errno or 0, command=command, what=self._what
            ) from error


def _first_of_few_files(error: BaseException | None) -> OSError | None:
    """Return what an error comes from if no more files could be opened."""
    seen = 0
    while error is not None and seen < _DEEPEST:
        if isinstance(error, OSError) and error.errno in _FULL:
            if seen or not isinstance(error, BpfOSError):
                return error
            return None  # which says so itself
        error, seen = error.__cause__ or error.__context__, seen + 1
    return None


def attaching(attach: F) -> F:
    """Return a method that attaches what it is a method of, as an :class:`Entry`."""
    fitting = checks_arguments(attach)

    @wraps(attach)
    def attach_and_tell(self: "Any", *args: "Any", **kwargs: "Any") -> "Any":
        with Entry(self.what) as this:
            link = fitting(self, *args, **kwargs)
            this.done("attached")
            return link

    return attach_and_tell  # type: ignore[return-value] # of the same signature
