"""Errors of the runtime. Each is a :class:`BpfError`."""

import errno as _errno
import os

from skelgen._record import Record
from skelgen.plain import plain, plain_lines


class BpfError(Exception):
    """All that the runtime raises on its own account.

    Names in its text and notes may play no tricks on a terminal: what is not
    printable is escaped.
    """

    def __str__(self) -> str:
        return plain_lines(self._text())

    def _text(self) -> str:
        """Return the text as it is, which subclasses have their own of."""
        return super().__str__()

    def add_note(self, note: str, /) -> None:
        """Add a hint, which a traceback shows below the text."""
        super().add_note(plain_lines(note))


class BpfOSError(BpfError, OSError):
    """A system call failed.

    Raised as :class:`BpfPermissionError` for ``EPERM`` and ``EACCES``, as
    :class:`BpfFileNotFoundError` for ``ENOENT`` and :class:`BpfFileExistsError` for
    ``EEXIST``, so that ``except PermissionError`` and its siblings work as
    everywhere in Python. Hints on the cause come as notes (``__notes__``).
    """

    command: str
    """Name of the call in the kernel, e.g. ``BPF_MAP_CREATE``."""
    what: str
    """The thing that the call was about, e.g. ``map 'counts'``; may be empty."""

    def __init__(
        self,
        errno: int = 0,
        message: str | None = None,
        *,
        command: str = "",
        what: str = "",
    ) -> None:
        super().__init__(errno, message or describe(errno))
        self.command = command
        self.what = what

    def _text(self) -> str:
        return ": ".join(
            part
            for part in (plain(str(self.what)), self.command, self.strerror)
            if part
        )


class BpfPermissionError(BpfOSError, PermissionError):
    """A system call was refused; a note names what stands in the way."""


class BpfFileNotFoundError(BpfOSError, FileNotFoundError):
    """A system call did not find a path, name, id or element."""


class BpfFileExistsError(BpfOSError, FileExistsError):
    """A system call found something in its place already."""


_CLASS_OF_ERRNO: dict[int, type[BpfOSError]] = {
    _errno.EPERM: BpfPermissionError,
    _errno.EACCES: BpfPermissionError,
    _errno.ENOENT: BpfFileNotFoundError,
    _errno.EEXIST: BpfFileExistsError,
}


def os_error(
    errno: int, message: str | None = None, *, command: str = "", what: str = ""
) -> BpfOSError:
    """Return the :class:`BpfOSError` for an errno; ``message`` replaces its text."""
    cls = _CLASS_OF_ERRNO.get(errno, BpfOSError)
    error = cls(errno, message, command=command, what=what)
    if errno == _errno.EMFILE:
        error.add_note(
            f"this process may have {os.sysconf('SC_OPEN_MAX')} files open, and has:"
            " raise its limit (RLIMIT_NOFILE: 'ulimit -n', LimitNOFILE= of systemd), or"
            " destroy what it needs no more; each map, program and link is a file"
        )
    elif errno == _errno.ENFILE:
        error.add_note("the machine has as many files open as the sysctl fs.file-max")
    return error


class MapFullError(BpfOSError):
    """A map has no room for another element (``E2BIG``)."""

    def _text(self) -> str:
        return f"{self.what} {self.strerror}"


class SourceLine(Record):
    """A line of the C source that a program was compiled from."""

    file: str
    line: int
    text: str
    column: int = 0
    """From 1; 0 where it is not known."""

    def __str__(self) -> str:
        return plain(f"{self.file}:{self.line}: {self.text}")


class Register(Record):
    """A register of a refused program, before the instruction at fault."""

    name: str
    """``R0`` to ``R10``, as in the log."""
    state: str
    """As the verifier writes it: ``scalar(umax=255)``; empty for one never written."""
    meaning: str
    """The same in words."""


class Diagnosis(Record):
    """The kernel's own words about a refused program, since Linux 7.3."""

    category: str
    """``Register Type Safety``."""
    title: str
    """``Invalid dereference``."""
    reason: str
    suggestion: str
    """The way out; may be empty."""
    at: str = ""
    """The place: ``count @ x.bpf.c:19:8``."""
    insn: int | None = None
    """Index of the instruction at fault."""


class VerifierError(BpfOSError):
    """The kernel's verifier refused a program (``BPF_PROG_LOAD``).

    ``str()`` gives what is useful: line, instruction, registers, what the verifier
    says, why, and what to do. ``log`` is all that it wrote. Attributes are ``None`` or
    empty where the log or the object does not tell.
    """

    def __init__(
        self,
        errno: int = 0,
        message: str | None = None,
        *,
        program: str = "",
        log: str = "",
        source: SourceLine | None = None,
        around: tuple[SourceLine, ...] = (),
        function: str | None = None,
        insn: int | None = None,
        instruction: str | None = None,
        registers: tuple[Register, ...] = (),
        messages: tuple[str, ...] = (),
        reason: str | None = None,
        hint: str | None = None,
        diagnosis: Diagnosis | None = None,
    ) -> None:
        super().__init__(
            errno, message, command="BPF_PROG_LOAD", what=f"program '{program}'"
        )
        self.program = program
        """Name of the program."""
        self.log = log
        """The verifier's whole log, as the kernel wrote it."""
        self.source = source
        """The line of C that was refused, where the program has line info."""
        self.around = around
        """That line and a few around it, of the same function and file."""
        self.function = function
        """Name of the C function: the program's, or one that it calls."""
        self.insn = insn
        """Index of the instruction, those of called functions counted behind."""
        self.instruction = instruction
        """Its text, e.g. ``r0 = *(u64 *)(r0 +8)``."""
        self.registers = registers
        """The registers that matter, before that instruction."""
        self.messages = messages
        """The verifier's complaint at the end of the log."""
        self.reason = reason
        """The cause in one sentence: skelgen's where it knows one, or the kernel's."""
        self.hint = hint
        """The way out: skelgen's where it knows one, or the kernel's."""
        self.diagnosis = diagnosis
        """The kernel's own words about cause and way out (Linux 7.3)."""

    def _text(self) -> str:
        return f"{self.what}: {self.strerror}"


class NotSupportedError(BpfOSError):
    """This kernel lacks a feature."""

    def __init__(
        self,
        message: str,
        *,
        feature: str = "",
        since: str = "",
        errno: int = _errno.EOPNOTSUPP,
        command: str = "",
        what: str = "",
    ) -> None:
        super().__init__(errno, message, command=command, what=what)
        self.feature = feature
        """Which, e.g. ``BPF link for perf events``; may be empty."""
        self.since = since
        """First kernel that has it, e.g. ``5.15``; may be empty."""

    def __reduce__(self) -> tuple[object, ...]:
        return _again, (type(self), (self.strerror,), dict(self.__dict__), self.errno)

    def _text(self) -> str:
        text = super()._text()
        return f"{text} (Linux {self.since} has it)" if self.since else text


def _again(
    cls: type[NotSupportedError],
    args: tuple[str],
    attributes: dict[str, object],
    errno: int,
) -> NotSupportedError:
    """Unpickle an error whose first argument is not the errno."""
    error = cls(*args, errno=errno)
    error.__dict__.update(attributes)
    return error


class StateError(BpfError):
    """A call at the wrong time, e.g. ``attach()`` before ``load()``."""


class ClosedError(StateError):
    """Use of an object, map, program or link that was destroyed."""


class AbiError(BpfError, ImportError):
    """A generated module asks for a newer runtime."""


class CoreRelocationError(BpfError):
    """A CO-RE relocation has no answer in the target's BTF."""

    def __init__(
        self, message: str, *, program: str = "", insn: int = 0, access: str = ""
    ) -> None:
        super().__init__(message)
        self.program = program
        """Name of the program."""
        self.insn = insn
        """Index of the instruction."""
        self.access = access
        """The access that it describes, e.g. ``task_struct.real_parent``."""


class ExternError(BpfError):
    """A kernel symbol or option that an object needs cannot be resolved."""

    def __init__(self, message: str, *, extern: str = "") -> None:
        super().__init__(message)
        self.extern = extern
        """Name of the extern."""


class KernelBtfError(BpfError):
    """Kernel BTF is missing or broken."""


class AttachError(BpfError):
    """A program cannot be attached where it was asked to."""

    def __init__(self, message: str, *, program: str = "") -> None:
        super().__init__(message)
        self.program = program
        """Name of the program."""


class TargetNotFoundError(AttachError, BpfFileNotFoundError):
    """A file that a program is to be attached to is not there.

    Also a :class:`FileNotFoundError`; ``filename`` is what was looked for.
    """

    def __init__(self, message: str, *, program: str = "", filename: str = "") -> None:
        BpfFileNotFoundError.__init__(self, _errno.ENOENT, message)
        self.program = program
        self.filename = filename

    def __reduce__(self) -> tuple[object, ...]:
        attributes = {**self.__dict__, "filename": self.filename}
        return type(self), (self.strerror,), attributes

    def _text(self) -> str:
        return self.strerror or ""


ENOTSUPP = 524
"""The kernel's own for what it does not support, which no C library knows."""


def describe(errno: int) -> str:
    """Return an errno in words: ``no such file or directory (ENOENT)``."""
    if errno == ENOTSUPP:
        return "operation not supported (ENOTSUPP)"
    text = os.strerror(errno)
    if text[1:2].islower():  # not "RFS specific error"
        text = text[0].lower() + text[1:]
    name = _errno.errorcode.get(errno)
    return f"{text} ({name})" if name else text
