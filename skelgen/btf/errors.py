"""Errors of the BTF code."""

from skelgen.plain import plain


class BtfParseError(ValueError):
    """BTF that is broken: truncated, inconsistent, circular or oversized.

    The rooms above translate it: the generator into ``skelgen.errors.BtfError`` or
    ``ObjectError``, the runtime into a ``BpfError``.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        """Byte offset in the BTF or BTF.ext data, where one can be named."""

    def __str__(self) -> str:
        if self.offset is None:
            return plain(self.message)
        return plain(f"{self.message} (at offset {self.offset:#x})")
