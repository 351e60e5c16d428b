"""BTF.ext records of functions: where they start, their lines, their CO-RE accesses."""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from skelgen.btf.errors import BtfParseError
from skelgen.btf.ext import BtfExt, CoreRelo, ExtSection, FuncInfo, LineInfo
from skelgen.btf.parse import Btf
from skelgen.elf.functions import Function
from skelgen.elf.insns import INSN_SIZE
from skelgen.elf.reader import ElfFile
from skelgen.errors import ObjectError

_Record = FuncInfo | LineInfo | CoreRelo


class Records(NamedTuple):
    """Records of one function, as 32-bit words; the first of each is an instruction."""

    functions: "array[int]"
    """``struct bpf_func_info``, 2 words each."""
    lines: "array[int]"
    """``struct bpf_line_info``, 4 words each."""
    core: "array[int]"
    """``struct bpf_core_relo``, 4 words each."""


class _Table:
    """Records of one kind, by section and instruction."""

    def __init__(self, words: int) -> None:
        self.words = words
        self._sections: dict[int, tuple[list[int], list[Sequence[int]]]] = {}

    def add(self, section: int, records: Iterable[_Record]) -> None:
        """Add the records of a group."""
        insns, known = self._sections.setdefault(section, ([], []))
        for record in records:
            insns.append(record.insn_off // INSN_SIZE)
            known.append(record)

    def sort(self) -> None:
        """Bring the records into the order of instructions."""
        for index, (insns, records) in self._sections.items():
            order = sorted(range(len(insns)), key=insns.__getitem__)
            self._sections[index] = (
                [insns[place] for place in order],
                [records[place] for place in order],
            )

    def of(self, function: Function) -> "array[int]":
        """Return the records of a function, counted from its first instruction."""
        insns, records = self._sections.get(function.section.number, ([], []))
        first = bisect_left(insns, function.start)
        end = bisect_left(insns, function.end, first)
        if end - first > len(function.insns):
            raise function.fault("more BTF.ext records than instructions")
        words = array("I", chain.from_iterable(records[first:end]))
        start = function.start
        words[:: self.words] = array("I", (insn - start for insn in insns[first:end]))
        return words


class RecordTables:
    """The ``.BTF.ext`` of an object, by function."""

    def __init__(self, elf: ElfFile, btf: Btf, ext: BtfExt) -> None:
        self._functions = _Table(2)
        self._lines = _Table(4)
        self._core = _Table(4)
        self._known: dict[tuple[int, int], Records] = {}
        # The first section of a name is meant, as libbpf has it.
        sections: dict[str, int] = {}
        for section in elf.sections:
            sections.setdefault(section.name, section.number)
        _fill(self._functions, btf, ext.func_info, sections)
        _fill(self._lines, btf, ext.line_info, sections)
        _fill(self._core, btf, ext.core_relo, sections)

    def of(self, function: Function) -> Records:
        """Return the records of a function."""
        key = (function.section.number, function.start)
        records = self._known.get(key)
        if records is None:
            records = self._known[key] = Records(
                self._functions.of(function),
                self._lines.of(function),
                self._core.of(function),
            )
        return records


def _fill(
    table: _Table,
    btf: Btf,
    groups: (
        Sequence[ExtSection[FuncInfo]]
        | Sequence[ExtSection[LineInfo]]
        | Sequence[ExtSection[CoreRelo]]
    ),
    sections: dict[str, int],
) -> None:
    for group in groups:
        try:
            name = btf.string(group.name_off)
        except BtfParseError as error:
            raise ObjectError(error.message, section=".BTF.ext") from error
        if name in sections:
            table.add(sections[name], group.records)
    table.sort()


def shifted(words: "array[int]", size: int, distance: int) -> "array[int]":
    """Return records of `size` words, moved by a number of instructions."""
    moved = array("I", words)
    moved[::size] = array("I", (insn + distance for insn in words[::size]))
    return moved


def pack(words: "array[int]", byteorder: str) -> bytes:
    """Return records as bytes in the object's byte order."""
    if byteorder != sys.byteorder:
        words = array("I", words)
        words.byteswap()
    return words.tobytes()
