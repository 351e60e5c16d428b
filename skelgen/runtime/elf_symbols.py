"""Where the functions of a program or library are in its file.

As much of ELF as uprobes need, in the standard library. Every bound is checked, and
a file that breaks one is a :class:`ElfError`.
"""

from __future__ import annotations

import mmap
import struct

from skelgen.record import Record
from skelgen.runtime.errors import BpfError
from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

_SHT_SYMTAB: Final = 2
_SHT_NOBITS: Final = 8
_SHT_DYNSYM: Final = 11
_STT_FUNC: Final = 2
_STT_GNU_IFUNC: Final = 10
_ET_REL: Final = 1


class ElfError(BpfError):
    """A file is no ELF file, or a broken one, or lacks a symbol."""


class Symbol(Record):
    """A function."""

    name: str
    """Without a version."""
    offset: int
    """In the file, in bytes."""
    size: int
    """Bytes."""


class _Section(Record):
    type: int
    address: int
    offset: int
    size: int
    link: int
    entry_size: int


class _Form(Record):
    """Layouts of one class and byte order."""

    header: struct.Struct  # e_type ... e_shstrndx
    section: struct.Struct
    symbol: struct.Struct


def _form(is_64: bool, order: str) -> _Form:  # noqa: FBT001 (one of two)
    if is_64:
        return _Form(
            struct.Struct(order + "HHIQQQIHHHHHH"),
            struct.Struct(order + "IIQQQQIIQQ"),
            struct.Struct(order + "IBBHQQ"),
        )
    return _Form(
        struct.Struct(order + "HHIIIIIHHHHHH"),
        struct.Struct(order + "IIIIIIIIII"),
        struct.Struct(order + "IIIBBH"),
    )


class ElfSymbols:
    """The function symbols of one file; ``path`` is for messages."""

    __slots__ = ("_data", "_form", "_is_64", "_sections", "path")

    def __init__(self, data: bytes | mmap.mmap, path: str) -> None:
        self.path: Final = path
        self._data: Final = data
        if len(data) < 64 or data[:4] != b"\x7fELF":
            raise ElfError(f"'{path}': not an ELF file")
        if data[4] not in {1, 2} or data[5] not in {1, 2}:
            raise ElfError(f"'{path}': unknown class or byte order of ELF")
        self._is_64: Final = data[4] == 2
        self._form: Final = _form(self._is_64, "<" if data[5] == 1 else ">")
        self._sections: Final[list[_Section]] = self._read_sections()

    def _read_sections(self) -> list[_Section]:
        head = self._form.header.unpack_from(self._data, 16)
        if head[0] == _ET_REL:
            raise ElfError(f"'{self.path}': an object file, not a program or library")
        start, entry_size, count = head[5], head[10], head[11]
        layout = self._form.section
        if count and entry_size != layout.size:
            raise ElfError(f"'{self.path}': section headers of {entry_size} bytes")
        if start + count * layout.size > len(self._data):
            raise ElfError(f"'{self.path}': section headers reach past its end")
        sections: list[_Section] = []
        for index in range(count):
            f = layout.unpack_from(self._data, start + index * layout.size)
            section = _Section(f[1], f[3], f[4], f[5], f[6], f[9])
            in_file = section.type not in {0, _SHT_NOBITS}
            if in_file and section.offset + section.size > len(self._data):
                raise ElfError(f"'{self.path}': section {index} reaches past its end")
            sections.append(section)
        return sections

    def find(self, name: str) -> Symbol:
        """Return a function by name, ``name@VERSION`` or ``name@@VERSION``.

        Without a version it is the default one where there are several. Raises
        :class:`ElfError` when there is none, or several in different places.
        """
        plain, _, version = name.partition("@")
        wanted = plain.encode()
        found: dict[int, Symbol] = {}
        for kind in (_SHT_SYMTAB, _SHT_DYNSYM):
            for table in self._tables(kind):
                found |= self._named(table, wanted, version.lstrip("@"))
            if found:
                break
        if not found:
            raise ElfError(f"'{self.path}': no function '{name}'")
        if len(found) > 1:
            places = ", ".join(f"{offset:#x}" for offset in sorted(found))
            raise ElfError(
                f"'{self.path}': several functions '{name}', at file offsets {places}; "
                "attach by offset"
            )
        return next(iter(found.values()))

    def functions(self) -> Iterator[Symbol]:
        """Iterate over all functions, each place once."""
        seen: set[int] = set()
        for kind in (_SHT_SYMTAB, _SHT_DYNSYM):
            for table in self._tables(kind):
                for name, symbol in self._symbols(table, None):
                    if symbol.offset not in seen:
                        seen.add(symbol.offset)
                        yield symbol._replace(
                            name=name.partition(b"@")[0].decode(errors="replace")
                        )

    def _tables(self, kind: int) -> list[_Section]:
        size = self._form.symbol.size
        tables = [s for s in self._sections if s.type == kind]
        for table in tables:
            if table.entry_size != size or table.link >= len(self._sections):
                raise ElfError(f"'{self.path}': a broken symbol table")
        return tables

    def _named(self, table: _Section, name: bytes, version: str) -> dict[int, Symbol]:
        """Return the functions of a name, by file offset."""
        strings = self._strings(table)
        # names may share their ends, so look for the name inside of others too
        starts: set[int] = set()
        at = strings.find(name)
        while at >= 0:
            if strings[at + len(name) : at + len(name) + 1] in {b"\0", b"@", b""}:
                starts.add(at)
            at = strings.find(name, at + 1)
        exact: dict[int, Symbol] = {}
        default: dict[int, Symbol] = {}
        for text, symbol in self._symbols(table, starts):
            plain, _, tail = text.partition(b"@")
            if plain != name:
                continue
            if version and tail and tail.lstrip(b"@") != version.encode():
                continue
            exact[symbol.offset] = symbol._replace(name=name.decode())
            if not tail or tail.startswith(b"@"):
                default[symbol.offset] = exact[symbol.offset]
        return default or exact

    def _strings(self, table: _Section) -> bytes:
        section = self._sections[table.link]
        return self._data[section.offset : section.offset + section.size]

    def _symbols(
        self, table: _Section, starts: set[int] | None
    ) -> Iterator[tuple[bytes, Symbol]]:
        """Iterate over defined functions, of names at ``starts`` if given."""
        strings = self._strings(table)
        layout = self._form.symbol
        end = table.offset + table.size // layout.size * layout.size
        fields: tuple[int, ...]
        for fields in layout.iter_unpack(self._data[table.offset : end]):
            if starts is not None and fields[0] not in starts:
                continue
            if self._is_64:
                name, info, _, index, value, size = fields
            else:
                name, value, size, info, _, index = fields
            if info & 15 not in {_STT_FUNC, _STT_GNU_IFUNC}:
                continue
            if not 0 < index < len(self._sections):  # undefined, or reserved
                continue
            section = self._sections[index]
            offset = value - section.address + section.offset
            stop = strings.find(b"\0", name)
            text = strings[name : stop if stop >= 0 else len(strings)]
            yield text, Symbol("", offset, size)


def open_symbols(path: str) -> ElfSymbols:
    """Read a file's symbols. Raises :class:`OSError`, :class:`ElfError`."""
    with open(path, "rb") as file:
        try:
            data: bytes | mmap.mmap = mmap.mmap(
                file.fileno(), 0, access=mmap.ACCESS_READ
            )
        except ValueError:  # empty
            data = b""
    return ElfSymbols(data, path)
