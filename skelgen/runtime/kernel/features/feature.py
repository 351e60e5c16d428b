"""A feature of the kernel, and the answer whether this kernel has it."""

from __future__ import annotations

import errno

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.errors import NotSupportedError
from skelgen.runtime.log import debug
from skelgen.runtime.process.once import Once

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from skelgen.runtime.errors import BpfOSError


class Answer(Record):
    """Whether this kernel has something. True only for a yes."""

    supported: bool | None
    """``None`` when it cannot be told."""
    reason: str = ""
    """The kernel's words instead of a yes, e.g. ``operation not permitted
    (EPERM)``; for a kfunc that is there, the BTF it is in."""
    since: str = ""
    """First mainline kernel that has it, e.g. ``5.8``; empty when that is newer than
    this skelgen."""

    def __bool__(self) -> bool:
        return self.supported is True

    def __str__(self) -> str:
        return _WORDS[self.supported]


_WORDS: Final = {True: "yes", False: "no", None: "could not tell"}

UNCLEAR: Final = frozenset(
    (
        errno.EPERM,
        errno.ENOMEM,
        errno.EMFILE,
        errno.ENFILE,
        errno.EAGAIN,
        errno.EINTR,
    )
)
"""Errnos that say nothing about the feature."""


class Unclear(Exception):  # noqa: N818 - an outcome, for the one caller
    """The kernel refused for a reason that has nothing to do with the feature."""


def refusal(error: BpfOSError) -> bool:
    """Return False for an errno that denies the feature. Raises :class:`Unclear`."""
    if error.errno in UNCLEAR:
        raise Unclear(str(error.strerror)) from error
    return False


class Feature:
    """One thing that some kernels can do and others cannot.

    Its probe makes the smallest object that needs the feature, with a BPF token if
    the fd it is given is not 0. It returns ``None`` or raises :class:`Unclear` where
    it cannot tell.
    """

    __slots__ = ("_once", "_probe", "name", "since")

    def __init__(
        self, name: str, since: str, probe: Callable[[int], bool | None]
    ) -> None:
        self.name: Final = name
        """In words, for messages."""
        self.since: Final = since
        """First mainline kernel that has it, e.g. ``5.15``."""
        self._probe: Final = probe
        # a probe that failed asks why, which may ask for this very feature
        self._once: Final = Once(self._find_out, lambda: (None, ""))

    def supported(self, token_fd: int = 0) -> bool | None:
        """Return whether this kernel has it, ``None`` when it cannot be told.

        Tried once in a process. With the fd of a BPF token what the token allows is
        tried, every time.
        """
        if token_fd:
            return self._try(token_fd)[0]
        return self._once()[0]

    def _find_out(self) -> tuple[bool | None, str]:
        found = self._try(0)
        debug("feature %s: %s", self.name, found[0])
        return found

    def _try(self, token_fd: int) -> tuple[bool | None, str]:
        try:
            return self._probe(token_fd), ""
        except Unclear as unclear:
            return None, str(unclear)

    def answer(self) -> Answer:
        """Return the same with its reason and the kernel that had it first."""
        supported, reason = self._once()
        return Answer(supported, reason, self.since)

    def require(self, what: str) -> None:
        """Raise :class:`NotSupportedError` about ``what`` if the kernel lacks it."""
        if self.supported() is False:
            raise NotSupportedError(
                f"this kernel has no {self.name}",
                feature=self.name,
                since=self.since,
                what=what,
            )

    def assume(self, answer: bool | None) -> None:  # noqa: FBT001 (it is the answer)
        """Take an answer as found out, e.g. in a test of a fallback."""
        self._once.set((answer, ""))

    def forget(self) -> None:
        """Try again when asked the next time."""
        self._once.forget()

    def __repr__(self) -> str:
        return f"<Feature {self.name!r}>"
