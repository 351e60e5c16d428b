"""The symbol tables of a program or library, with the versions of their symbols.

The dynamic linker's come from the dynamic segment, and from section headers where that
does not do; ``.symtab`` is known to section headers alone.
"""

from __future__ import annotations

import os
import struct

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.runtime.binaries import versions as elf_versions
from skelgen.runtime.binaries.elf import ElfError, ElfFile, Section

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

_T = TypeVar("_T")

_SHT_SYMTAB: Final = 2
_SHT_DYNSYM: Final = 11
_SHT_VERDEF: Final = 0x6FFFFFFD
_SHT_VERNEED: Final = 0x6FFFFFFE
_SHT_VERSYM: Final = 0x6FFFFFFF
_DT_HASH: Final = 4
_DT_STRTAB: Final = 5
_DT_SYMTAB: Final = 6
_DT_STRSZ: Final = 10
_DT_GNU_HASH: Final = 0x6FFFFEF5
_DT_VERSYM: Final = 0x6FFFFFF0
_DT_VERDEF: Final = 0x6FFFFFFC
_DT_VERNEED: Final = 0x6FFFFFFE
_EM_S390: Final = 22
_EM_ALPHA: Final = 0x9026

_HIDDEN: Final = 0x8000
"""Of an entry of ``.gnu.version``: not what the name alone means."""
_MOST_VERSIONS: Final = 1 << 22
"""Bytes of version definitions, at most."""
LONGEST: Final = 1 << 16
"""Bytes of a name, at most."""


def text_at(strings: bytes, at: int) -> str:
    """Return what is at an offset of the strings, as the file system spells it."""
    return os.fsdecode(strings[at : at + LONGEST].partition(b"\0")[0])


class Table(Record):
    """Symbols with what belongs to them."""

    order: str
    """Of bytes, as :mod:`struct` has it."""
    symbols: bytes
    strings: bytes
    versions: bytes = b""
    """Index of its version, 16 bits a symbol, and :data:`_HIDDEN`."""
    defined: dict[int, str] = {}  # noqa: RUF012 - never changed
    needed: dict[int, tuple[str, str]] = {}  # noqa: RUF012 - likewise
    """Version and library, by index."""
    libraries: tuple[str, ...] = ()

    def version(self, index: int) -> tuple[str, str, bool]:
        """Return a symbol's version, whose it is, and whether it is the default."""
        at = index * 2
        if at + 2 > len(self.versions):
            return "", "", True
        (number,) = struct.unpack_from(self.order + "H", self.versions, at)
        key = number & ~_HIDDEN
        if key in self.needed:
            return *self.needed[key], True
        version = self.defined.get(key, "") if key > 1 else ""  # 0 and 1: it has none
        return version, "", not number & _HIDDEN


class TableReader:
    """Reads what symbol tables a file has."""

    __slots__ = ("faults", "file", "stripped")

    def __init__(self, file: ElfFile) -> None:
        self.file: Final = file
        self.faults: Final[list[ElfError]] = []
        """Why a part of it could not be read, which may not matter."""
        self.stripped = False
        """Whether it has no ``.symtab``."""

    def tables(self) -> list[Table]:
        """Return the dynamic symbols, then ``.symtab``; those that are there."""
        sections = self._try(self.file.sections) or []
        self.stripped = not any(s.type == _SHT_SYMTAB for s in sections)
        dynamic = self._try(lambda: self._dynamic(sections))
        if dynamic is None:
            dynamic = self._try(lambda: self._dynsym(sections))
        symtab = self._try(lambda: self._symtab(sections))
        return [table for table in (dynamic, symtab) if table is not None]

    def _try(self, read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except ElfError as error:
            self.faults.append(error)
            return None

    def _dynamic(self, sections: list[Section]) -> Table | None:
        """Return the symbols that the dynamic linker sees."""
        file = self.file
        tags, needed = file.dynamic()
        if _DT_SYMTAB not in tags or _DT_STRTAB not in tags:
            return None
        start = tags[_DT_SYMTAB]
        same = [s for s in sections if s.type == _SHT_DYNSYM and s.address == start]
        entry = file.form.symbol.size
        count = same[0].size // entry if same else self._count(tags)
        thing = "its dynamic symbol table"
        symbols = file.at(start, count * entry, thing)
        strings = file.at(
            tags[_DT_STRTAB], tags.get(_DT_STRSZ, 0), "its table of strings"
        )
        versions = definitions = needs = b""
        if _DT_VERSYM in tags:
            thing = "its table of versions"
            versions = file.at(tags[_DT_VERSYM], count * 2, thing)
            if _DT_VERDEF in tags:
                definitions = file.at(
                    tags[_DT_VERDEF], _MOST_VERSIONS, thing, or_less=True
                )
            if _DT_VERNEED in tags:
                needs = file.at(tags[_DT_VERNEED], _MOST_VERSIONS, thing, or_less=True)
        table = self._versioned(symbols, strings, versions, definitions, needs)
        libraries = tuple(text_at(strings, at) for at in needed)
        return table._replace(libraries=libraries)

    def _count(self, tags: dict[int, int]) -> int:
        """Return the number of dynamic symbols, which a hash table knows."""
        file = self.file
        order, thing = file.form.order, "its table of hashes"
        if _DT_HASH in tags:
            wide = file.is_64 and file.machine in {_EM_S390, _EM_ALPHA}
            form = struct.Struct(order + ("QQ" if wide else "II"))
            return int(form.unpack(file.at(tags[_DT_HASH], form.size, thing))[1])
        if _DT_GNU_HASH not in tags:
            raise file.fault(
                "its dynamic symbols cannot be counted (no table of hashes)"
            )
        start = tags[_DT_GNU_HASH]
        buckets, first, bloom, _ = struct.unpack(
            order + "IIII", file.at(start, 16, thing)
        )
        start += 16 + bloom * (8 if file.is_64 else 4)
        heads = file.at(start, buckets * 4, thing)
        last = max((n for (n,) in struct.iter_unpack(order + "I", heads)), default=0)
        if last < first:
            return int(first)
        start += buckets * 4 + (last - first) * 4
        rest = file.at(start, (file.size // 4) * 4, thing, or_less=True)
        for (number,) in struct.iter_unpack(order + "I", rest[: len(rest) // 4 * 4]):
            last += 1
            if number & 1:  # the end of a chain
                return int(last)
        raise file.fault(f"{thing} has no end")

    def _symtab(self, sections: list[Section]) -> Table | None:
        for section in sections:
            if section.type == _SHT_SYMTAB:
                order = self.file.form.order
                return Table(order, *self._of_section(section, sections))
        return None

    def _dynsym(self, sections: list[Section]) -> Table | None:
        """Return the dynamic symbols as section headers have them."""
        number = next((n for n, s in enumerate(sections) if s.type == _SHT_DYNSYM), -1)
        if number < 0:
            return None
        section = sections[number]
        symbols, strings = self._of_section(section, sections)
        found: dict[int, bytes] = {}
        for other in sections:
            if other.type in {_SHT_VERDEF, _SHT_VERNEED} or (
                other.type == _SHT_VERSYM and other.link == number
            ):
                found[other.type] = self.file.contents(other, "its table of versions")
        kinds = _SHT_VERSYM, _SHT_VERDEF, _SHT_VERNEED
        return self._versioned(symbols, strings, *(found.get(k, b"") for k in kinds))

    def _of_section(
        self, section: Section, sections: list[Section]
    ) -> tuple[bytes, bytes]:
        file = self.file
        size = file.form.symbol.size
        if section.entry_size != size or section.link >= len(sections):
            raise file.fault("a broken symbol table")
        symbols = file.contents(section, "its symbol table")
        strings = file.contents(sections[section.link], "its table of strings")
        return symbols, strings

    def _versioned(
        self, symbols: bytes, strings: bytes, versions: bytes, *both: bytes
    ) -> Table:
        order = self.file.form.order

        def text(at: int) -> str:
            return text_at(strings, at)

        definitions, needs = both
        return Table(
            order,
            symbols,
            strings,
            versions,
            elf_versions.defined(definitions, order, text),
            elf_versions.needed(needs, order, text),
        )
