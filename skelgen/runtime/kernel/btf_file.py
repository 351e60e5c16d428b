"""BTF given as a file or bytes: raw, or the ``.BTF`` section of an ELF file."""

import os

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.elf import MAGIC, elf_section
from skelgen.btf.errors import BtfParseError
from skelgen.btf.index import KernelBtf
from skelgen.plain import plain
from skelgen.regular import read_regular
from skelgen.runtime.errors import BpfError, os_error

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf
    from skelgen.btf.types import Kind


class BtfSourceError(BpfError, ValueError):
    """A file or bytes that were given as BTF and are none."""


def read_btf(source: "str | os.PathLike[str] | bytes") -> KernelBtf:
    """Return the BTF of a file or of bytes.

    Raises :class:`BpfOSError` for a file that cannot be read and
    :class:`BtfSourceError` for one that holds no BTF.
    """
    if isinstance(source, bytes):
        return parse_btf(source, "btf")
    try:
        data = read_regular(source)
    except OSError as error:
        what = f"btf '{plain(os.fspath(source))}'"
        number, text = error.errno or 0, error.strerror
        message = None if text == os.strerror(number) else text
        raise os_error(number, message, command="open", what=what) from error
    return parse_btf(data, os.fspath(source))


def parse_btf(data: bytes, name: str) -> KernelBtf:
    """Return the BTF in ``data``; ``name`` is what an error calls it."""
    try:
        if data[:4] == MAGIC:
            data = elf_section(data, ".BTF")
        return KernelBtf(data)
    except BtfParseError as error:
        raise BtfSourceError(f"'{name}': {error}") from error


class FileTypes:
    """Types of a file that stands in for the running kernel's, for CO-RE alone."""

    __slots__ = ("_btf",)

    def __init__(self, btf: KernelBtf) -> None:
        self._btf = btf

    def candidates(self, name: str, kind: "Kind") -> "list[tuple[Btf, int]]":
        """Return what CO-RE compares with a local type."""
        return [(self._btf, type_id) for type_id in self._btf.candidates(name, kind)]
