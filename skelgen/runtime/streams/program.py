"""The streams that a program prints to: its standard output and its errors."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import checks_arguments
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, NotSupportedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Final

NUMBERS: Final = {"stdout": 1, "stderr": 2}
"""``BPF_STDOUT`` and ``BPF_STDERR``."""

_AT_ONCE: Final = 1 << 14


class ProgramStream:
    """A stream that a program prints to, Linux 6.17; :meth:`.Program.stream` gives it.

    What is read is gone from it. The kernel keeps 100,000 bytes that nobody reads, and
    then ``bpf_stream_printk()`` returns ``-ENOSPC``.
    """

    __slots__ = ("_number", "_use", "what")

    def __init__(
        self, use: Callable[[], AbstractContextManager[int]], number: int, what: str
    ) -> None:
        self._use: Final = use
        self._number: Final = number
        self.what: Final = what
        """How errors call it."""

    @checks_arguments
    def read(self, size: int | None = None) -> bytes:
        """Return what is there, ``size`` bytes at most; nothing where there is nothing.

        ``BPF_PROG_STREAM_READ_BY_FD``. NotSupportedError on kernels before Linux 6.17.
        """
        if size is not None and size < 0:
            raise ValueError(f"{self.what}: size must be 0 or more, got {size}")
        found = bytearray()
        buffer = bytearray(_AT_ONCE)
        while size is None or len(found) < size:
            room = _AT_ONCE if size is None else min(_AT_ONCE, size - len(found))
            count = self._read(memoryview(buffer)[:room])
            found += buffer[:count]
            if count < room:
                break
        return bytes(found)

    def lines(self) -> list[str]:
        """Return the lines that are there, without their ends.

        UTF-8; other bytes are shown by their number. The last one may go on later.
        """
        text = self.read().decode(errors="backslashreplace")
        return text.removesuffix("\n").split("\n") if text else []

    def _read(self, room: memoryview) -> int:
        try:
            with self._use() as fd:
                return syscalls.prog_stream_read(fd, self._number, room, what=self.what)
        except BpfOSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise NotSupportedError(
                "this kernel has no streams of programs",
                feature="BPF_PROG_STREAM_READ_BY_FD",
                since="6.17",
                what=self.what,
            ) from error

    def __repr__(self) -> str:
        return f"<ProgramStream {self.what}>"
