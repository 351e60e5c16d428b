"""BTF given as a file or bytes: raw, or the ``.BTF`` section of an ELF file.

ELF is read here with :mod:`struct`, as far as it takes to find one section: the
runtime has to do without an ELF library.
"""

import os
from struct import error as StructError  # noqa: N812 - it is a class
from struct import unpack_from
from typing import TYPE_CHECKING

from skelgen.btf.errors import BtfParseError
from skelgen.btf.kernel import KernelBtf
from skelgen.runtime.errors import BpfError

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf
    from skelgen.btf.types import Kind

_ELF = b"\x7fELF"


class BtfSourceError(BpfError, ValueError):
    """A file or bytes that were given as BTF and are none."""


def read_btf(source: "str | os.PathLike[str] | bytes") -> KernelBtf:
    """Return the BTF of a file or of bytes.

    Raises ``OSError`` for a file that cannot be read and :class:`BtfSourceError`
    for one that holds no BTF.
    """
    if isinstance(source, bytes):
        return parse_btf(source, "btf")
    with open(source, "rb") as file:
        data = file.read()
    return parse_btf(data, os.fspath(source))


def parse_btf(data: bytes, name: str) -> KernelBtf:
    """Return the BTF in ``data``; ``name`` is what an error calls it."""
    try:
        if data[:4] == _ELF:
            data = elf_section(data, ".BTF")
        return KernelBtf(data)
    except BtfParseError as error:
        raise BtfSourceError(f"'{name}': {error}") from error


def elf_section(data: bytes, name: str) -> bytes:
    """Return the contents of the section of an ELF file of any kind.

    Raises :class:`BtfParseError`: for broken ELF, and when there is no such section.
    """
    try:
        return _elf_section(data, name.encode())
    except StructError:
        raise BtfParseError("elf: headers reach past the end of the file") from None


def _elf_section(data: bytes, name: bytes) -> bytes:
    order = {1: "<", 2: ">"}.get(data[5:6][0] if len(data) > 5 else 0)
    wide = {1: False, 2: True}.get(data[4:5][0] if len(data) > 4 else 0)
    if order is None or wide is None:
        raise BtfParseError("elf: neither 32 nor 64 bits, or of no byte order", 4)
    table = unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)[0]
    size, count, strings = unpack_from(order + "3H", data, 58 if wide else 46)

    def header(index: int) -> tuple[int, int, int, int]:
        """Return name, type, offset and size of a section."""
        at = table + index * size
        if wide:
            fields = unpack_from(order + "IIQQQQ", data, at)
        else:
            fields = unpack_from(order + "IIIIII", data, at)
        return fields[0], fields[1], fields[4], fields[5]

    if not table or size < (64 if wide else 40) or strings >= count:
        raise BtfParseError("elf: no sections", 40)
    if table + count * size > len(data):
        raise BtfParseError("elf: headers reach past the end of the file", 40)
    names = header(strings)
    for index in range(count):
        name_at, kind, start, length = header(index)
        text = data[names[2] + name_at : names[2] + names[3]]
        if text.startswith(name + b"\0") and kind != 8:  # SHT_NOBITS has no bytes
            if start + length > len(data):
                raise BtfParseError(
                    f"elf: section {name.decode()} reaches past the end of the file",
                    start,
                )
            return data[start : start + length]
    raise BtfParseError(f"elf: no section {name.decode()}")


class FileTypes:
    """Types of a file that stands in for the running kernel's, for CO-RE alone."""

    __slots__ = ("_btf",)

    def __init__(self, btf: KernelBtf) -> None:
        self._btf = btf

    def candidates(self, name: str, kind: "Kind") -> "list[tuple[Btf, int]]":
        """Return what CO-RE compares with a local type."""
        return [(self._btf, type_id) for type_id in self._btf.candidates(name, kind)]
