"""What the calls go through that make much in the kernel: load, attach, pin, clone."""

# ruff: noqa: ANN401 (a method of any signature)
import errno
from functools import wraps
from os import fsdecode

from skelgen.runtime.errors import BpfOSError, os_error
from skelgen.runtime.log import step
from skelgen.typed import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from skelgen.runtime.log import Step

F = TypeVar("F", bound="Callable[..., Any]")

_FULL = {errno.EMFILE, errno.ENFILE}


class Entry:
    """A call that is about ``what``: a context manager, which gives the step to log.

    Where the process may open no more files, that may show as a bare OSError: of an
    import, or of a file in ``/proc``. It is a :class:`BpfOSError` outside of this.
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
        if not isinstance(error, OSError) or error.errno not in _FULL:
            return
        if not isinstance(error, BpfOSError):
            file = error.filename
            command = f"open '{fsdecode(file)}'" if isinstance(file, str) else ""
            raise os_error(error.errno, command=command, what=self._what) from error


def attaching(attach: F) -> F:
    """Return a method that attaches what it is a method of, as an :class:`Entry`."""

    @wraps(attach)
    def attach_and_tell(self: "Any", *args: "Any", **kwargs: "Any") -> "Any":
        with Entry(self.what) as this:
            link = attach(self, *args, **kwargs)
            this.done("attached")
            return link

    return attach_and_tell  # type: ignore[return-value] # of the same signature
