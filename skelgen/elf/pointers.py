"""Addresses in the initial values of variables, which nobody can fill in.

``const char *const labels[] = {"a", "b"}`` is a relocation of ``.rodata``. The kernel
has no address to put there, for what it would point to is the value of another map; so
the pointer is what the compiler left: an offset, mostly 0. libbpf passes over it too.
"""

from bisect import bisect_right
from typing import NamedTuple

from skelgen.elf.reader import STT_OBJECT, ElfFile, Section, Symbol
from skelgen.elf.roles import Layout

_MOST_OFFSETS = 4
_TEXT, _FUNCTION, _DATA = range(3)
_TARGETS = {_TEXT: "text", _FUNCTION: "functions", _DATA: "variables"}
_INSTEAD = {
    _TEXT: "keep the text itself in it, like char labels[][8], or choose the text by a"
    " switch",
    _FUNCTION: "choose the function by a switch",
    _DATA: "take the address in the program",
}


class Pointers(NamedTuple):
    """The pointers in one variable that stay NULL."""

    section: str
    variable: str
    """Empty where no symbol is there."""
    offsets: tuple[int, ...]
    """Bytes into the variable, or into the section where that has no name."""
    target: int
    """The target of the first of them."""

    def __str__(self) -> str:
        """Say what is wrong, and what to write instead."""
        what = f"variable '{self.variable}'" if self.variable else "data without a name"
        places = ", ".join(f"+{offset}" for offset in self.offsets[:_MOST_OFFSETS])
        if len(self.offsets) > _MOST_OFFSETS:
            places += ", ..."
        many = len(self.offsets) > 1
        count = f"{len(self.offsets)} pointers" if many else "the pointer"
        return (
            f"{what} in '{self.section}': {count} to {_TARGETS[self.target]} in its"
            f" initial value ({places}) will point nowhere, for the kernel fills in no"
            f" addresses; {_INSTEAD[self.target]}"
        )


def collect(elf: ElfFile, layout: Layout) -> tuple[Pointers, ...]:
    """Return the pointers in data sections, by variable, in the order of the file.

    Raises ObjectError for relocations that are broken.
    """
    found: list[Pointers] = []
    for relocations, section in layout.pointers:
        found += _of_section(elf, relocations, section)
    return tuple(found)


def _of_section(elf: ElfFile, relocations: Section, section: Section) -> list[Pointers]:
    variables = sorted(
        (
            symbol
            for symbol in elf.symbols
            if symbol.section == section.number and symbol.type == STT_OBJECT
        ),
        key=lambda symbol: symbol.value,
    )
    starts = [symbol.value for symbol in variables]
    places: dict[int, tuple[list[int], int]] = {}
    for relocation in elf.relocations(relocations):
        index = bisect_right(starts, relocation.offset) - 1
        if index >= 0:
            inside = relocation.offset - starts[index]
            if inside >= max(variables[index].size, 1):
                index = -1
        offset = relocation.offset - (starts[index] if index >= 0 else 0)
        target = _target(elf, elf.symbols[relocation.symbol])
        places.setdefault(index, ([], target))[0].append(offset)
    return [
        Pointers(
            section.name,
            elf.symbol_name(variables[index]) if index >= 0 else "",
            tuple(sorted(offsets)),
            target,
        )
        for index, (offsets, target) in sorted(places.items())
    ]


def _target(elf: ElfFile, symbol: Symbol) -> int:
    """Return what a pointer points to."""
    if 0 < symbol.section < len(elf.sections):
        section = elf.sections[symbol.section]
        if section.executable:
            return _FUNCTION
        if section.name.startswith(".rodata.str"):
            return _TEXT
    return _DATA
