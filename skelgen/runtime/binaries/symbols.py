"""Where the functions of a program or library are in its file, by name and version.

Names are in the dynamic symbols, with versions beside them (``.gnu.version``), and in
``.symtab``, with versions in the name, where that was not stripped.
"""

from __future__ import annotations

import os

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.near_names import did_you_mean
from skelgen.runtime.binaries.elf import ElfError, ElfFile
from skelgen.runtime.binaries.tables import LONGEST, Table, TableReader, text_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final


_STT_FUNC: Final = 2
_STT_GNU_IFUNC: Final = 10
_FUNCTIONS: Final = frozenset((_STT_FUNC, _STT_GNU_IFUNC))
_TYPES: Final = {1: "a variable", 5: "a variable", 6: "a variable of threads"}
_STB_LOCAL: Final = 0
_STB_WEAK: Final = 2
_HEAD: Final = 4
"""Bytes of a name that are looked at first."""


class Symbol(Record):
    """A function."""

    name: str
    """Without a version."""
    offset: int
    """In the file, in bytes."""
    size: int
    """Bytes."""
    version: str = ""
    """Empty for a function without one."""
    resolver: bool = False
    """Whether it is an ``IFUNC``: it runs once, to choose the function that runs."""


class _Found(Record):
    """A symbol of a name that is looked for."""

    type: int
    bind: int
    imported: bool
    address: int
    size: int
    version: str
    default: bool
    """Whether the name without a version means it."""
    library: str = ""
    """Where it is imported from, if the version says so."""

    @property
    def is_function(self) -> bool:
        """Whether it is one that is here."""
        return self.type in _FUNCTIONS and not self.imported


class ElfSymbols:
    """The symbols of one file."""

    __slots__ = ("_faults", "_file", "_stripped", "_tables")

    def __init__(self, file: ElfFile) -> None:
        self._file: Final = file
        reader = TableReader(file)
        self._tables: Final = reader.tables()
        self._faults: Final = reader.faults
        self._stripped: Final = reader.stripped

    def find(self, name: str) -> Symbol:
        """Return a function by name, ``name@VERSION`` or ``name@@VERSION``.

        Without a version it is the default one. Raises :class:`ElfError` when there
        is none, or several in different places.
        """
        return self.find_all((name,))[0]

    def find_all(self, names: Iterable[str]) -> list[Symbol]:
        """Return functions by name, as :meth:`find` does, looking once."""
        names = list(names)
        plain = [os.fsencode(name).partition(b"@")[0] for name in names]
        wanted = frozenset(filter(None, plain))
        tables = [self._named(table, wanted) for table in self._tables if wanted]
        return [
            self._choose(name, [table.get(key, []) for table in tables])
            for name, key in zip(names, plain, strict=True)
        ]

    def functions(self) -> Iterator[Symbol]:
        """Iterate over all functions, by each of their names."""
        if not self._tables and self._faults:
            raise self._faults[0]
        for table in self._tables:
            left = 16 * len(table.strings) + LONGEST
            for index, row in enumerate(self._rows(table)):
                info, section, value, size = self._fields(row)
                if info & 15 not in _FUNCTIONS or not section:
                    continue
                offset = self._file.code_offset(value)
                if offset is None:
                    continue
                name = text_at(table.strings, row[0])
                left -= len(name)
                if left < 0:
                    raise self._file.fault("its symbols share their names' text")
                name, _, tail = name.partition("@")
                version = tail.lstrip("@") or table.version(index)[0]
                resolver = info & 15 == _STT_GNU_IFUNC
                yield Symbol(name, offset, size, version, resolver)

    def _rows(self, table: Table) -> Iterator[tuple[int, ...]]:
        """Iterate over the symbols as they are; the first field is their name's."""
        layout = self._file.form.symbol
        end = len(table.symbols) // layout.size * layout.size
        return layout.iter_unpack(table.symbols[:end])

    def _fields(self, row: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return info, section, value and size of a symbol."""
        if self._file.is_64:
            return row[1], row[3], row[4], row[5]
        return row[3], row[5], row[1], row[2]

    def _named(
        self, table: Table, names: frozenset[bytes]
    ) -> dict[bytes, list[_Found]]:
        """Return the symbols that have one of some names, by name."""
        shortest, longest = min(map(len, names)), max(map(len, names)) + 1
        head = min(shortest, _HEAD)
        heads = {name[:head] for name in names}
        strings = table.strings
        found: dict[bytes, list[_Found]] = {}
        for index, fields in enumerate(self._rows(table)):
            at = fields[0]
            if strings[at : at + head] not in heads:  # nearly all end here
                continue
            name = strings[at : at + longest].partition(b"\0")[0].partition(b"@")[0]
            if name not in names:
                continue
            info, section, value, size = self._fields(fields)
            tail = strings[at + len(name) : at + len(name) + LONGEST].partition(b"\0")[
                0
            ]
            if tail:
                version, library = os.fsdecode(tail.lstrip(b"@")), ""
                default = tail.startswith(b"@@")
            else:
                version, library, default = table.version(index)
            if not section and not library and table.libraries:
                library = " or ".join(table.libraries)
            found.setdefault(name, []).append(
                _Found(
                    info & 15,
                    info >> 4,
                    not section,
                    value,
                    size,
                    version,
                    default,
                    library,
                )
            )
        return found

    def _choose(self, name: str, tables: list[list[_Found]]) -> Symbol:
        plain, _, version = name.partition("@")
        if name.endswith("@"):
            raise self._file.fault(
                f"function '{name}': no version behind the @; '{plain}' alone is the"
                " default one"
            )
        version = version.lstrip("@")
        for table in tables:
            functions = [found for found in table if found.is_function]
            if version:
                functions = [f for f in functions if f.version == version]
            else:
                functions = [f for f in functions if f.default] or functions
            if functions:
                return self._one(name, plain, functions)
        raise self._missing(plain, version, [f for table in tables for f in table])

    def _one(self, name: str, plain: str, functions: list[_Found]) -> Symbol:
        """Return the function that a name means, of some that have it."""
        places: dict[int, _Found] = {}
        for function in sorted(functions, key=_rank, reverse=True):
            offset = self._file.code_offset(function.address)
            if offset is not None:
                places[offset] = function
        if not places:
            raise self._file.fault(
                f"function '{name}' is at {functions[0].address:#x}, where the file has"
                " no code (has it debug information alone?)"
            )
        best = min(map(_rank, places.values()))
        places = {at: found for at, found in places.items() if _rank(found) == best}
        if len(places) > 1:
            raise self._several(name, plain, places)
        ((offset, found),) = places.items()
        resolver = found.type == _STT_GNU_IFUNC
        return Symbol(plain, offset, found.size, found.version, resolver)

    def _several(self, name: str, plain: str, places: dict[int, _Found]) -> ElfError:
        """Return the error about a name of more than one function."""
        if len({found.version for found in places.values()}) == len(places):
            each = " or ".join(sorted(_full(plain, f) for f in places.values()))
            return self._file.fault(
                f"several versions of function '{plain}', none of them the default;"
                f" give {each}"
            )
        at = ", ".join(f"{offset:#x}" for offset in sorted(places))
        return self._file.fault(
            f"several functions '{name}', at file offsets {at}; attach by offset"
        )

    def _missing(self, plain: str, version: str, found: list[_Found]) -> ElfError:
        """Return the error about a function that is not there."""
        fault = self._file.fault
        known = {_full(plain, f) for f in found if f.is_function and f.version}
        if known:
            return fault(
                f"no version '{version}' of function '{plain}'; there is"
                f" {' and '.join(sorted(known))}"
            )
        if any(f.is_function for f in found):
            return fault(
                f"no version '{version}' of function '{plain}', which has no versions"
                f" here; give '{plain}'"
            )
        for symbol in found:
            if symbol.imported:
                return fault(
                    f"'{plain}' is an imported symbol; the function is in"
                    f" {symbol.library or 'another file'}: attach there"
                )
        for symbol in found:
            kind = _TYPES.get(symbol.type, "a symbol without a type")
            offset = self._file.code_offset(symbol.address)
            where = f"; attach by offset {offset:#x}" if offset is not None else ""
            return fault(f"no function '{plain}': it is {kind}{where}")
        return self._unknown(plain)

    def _unknown(self, plain: str) -> ElfError:
        """Return the error about a name that no symbol has."""
        text = f"no function '{plain}'"
        why = "; ".join(str(error).partition(": ")[2] for error in self._faults)
        if why:
            text += f" ({why})"
        elif not self._tables:
            text += ": it has no symbols (it is stripped); attach by offset"
        elif len(self._tables) == 1 and self._stripped:
            text += " among those it exports; others have no name (it is stripped)"
        try:
            near = did_you_mean(plain, (symbol.name for symbol in self.functions()))
        except ElfError:
            near = ""
        return self._file.fault(f"{text}; {near}" if near else text)


def _rank(found: _Found) -> int:
    """Return how much a symbol's name is its own: global, weak, local."""
    return {_STB_LOCAL: 2, _STB_WEAK: 1}.get(found.bind, 0)


def _full(plain: str, found: _Found) -> str:
    """Return a name with its version, as it can be given."""
    return f"'{plain}{'@@' if found.default else '@'}{found.version}'"
