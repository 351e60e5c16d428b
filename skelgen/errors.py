"""Errors of the generator; the runtime has its own, in ``skelgen.runtime.errors``."""

from skelgen.plain import plain, plain_lines


class SkelgenError(Exception):
    """All that the generator raises on bad input; the CLI prints it as it is.

    Names in its text and notes may play no tricks on a terminal: what is not
    printable is escaped.
    """

    def __str__(self) -> str:
        return plain_lines(self._text())

    def _text(self) -> str:
        """Return the text as it is, which subclasses have their own of."""
        return super().__str__()

    def add_note(self, note: str, /) -> None:
        """Add a hint, which is shown below the text."""
        super().add_note(plain_lines(note))


class ObjectError(SkelgenError, ValueError):
    """An object file that is broken, or that uses what skelgen does not support."""

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        section: str | None = None,
        offset: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        """File, as the user named it."""
        self.section = section
        """Section the fault is in."""
        self.offset = offset
        """Byte offset in the section."""

    def _text(self) -> str:
        where = self.path or ""
        if self.section is not None:
            where += f"({self.section}" if where else f"section '{self.section}"
            if self.offset is not None:
                where += f"+{self.offset:#x}"
            where += ")" if self.path else "'"
        return plain(f"{where}: {self.message}" if where else self.message)


class ObjectWarning(UserWarning):
    """A warning of something odd about an object that can be loaded all the same."""


class BtfError(SkelgenError, ValueError):
    """BTF that is broken, or that has a type the generator cannot express."""


class NamingError(SkelgenError, ValueError):
    """A C name that cannot be a Python name, or two that clash."""


class ConfigError(SkelgenError, ValueError):
    """A wrong option, or a wrong key in ``[tool.skelgen]``."""


class CompileError(SkelgenError):
    """The C compiler is missing or failed; as text with what it printed, indented."""

    def __init__(
        self,
        message: str,
        *,
        command: tuple[str, ...] = (),
        status: int | None = None,
        output: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.command = command
        """Command that was run."""
        self.status = status
        """Its exit status."""
        self.output = output
        """Its output, unchanged."""

    def _text(self) -> str:
        lines = self.output.splitlines()
        return "\n".join([self.message, *("  " + line for line in lines)])
