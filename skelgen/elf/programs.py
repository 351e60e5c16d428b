"""Programs and subprograms, described: what is in the blueprint of each function."""

import struct
from collections.abc import Iterator
from typing import TypeAlias

from skelgen.elf.ext_records import RecordTables, pack
from skelgen.elf.functions import CodeRef, Function, TableRef
from skelgen.elf.insns import INSN_SIZE, MAX_INSNS
from skelgen.elf.section_names import match_section
from skelgen.elf.subprograms import Subprograms
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import (
    JumpTable,
    ProgramSpec,
    Reloc,
    Span,
    SubprogramRef,
    SubprogramSpec,
)

MAX_REPEATED = 100_000
"""Relocations that aliases repeat. Each has its own in a module, so that a
small file could otherwise ask for gigabytes and minutes; objects in use have none."""

_Records: TypeAlias = tuple[Span | None, Span | None, Span | None]


class Describer:
    """Makes the specs of functions; their bytes go into an image."""

    def __init__(
        self,
        subprograms: Subprograms,
        records: RecordTables | None,
        jump_tables: bytes,
        image: ImageBuilder,
    ) -> None:
        self._subprograms = subprograms
        self._records = records
        self._tables = jump_tables
        self._image = image
        self._known: dict[
            tuple[int, int],
            tuple[Span, tuple[Reloc, ...], _Records],
        ] = {}
        self._repeated = 0
        """Relocations that were described before, of another name, so far."""
        self._entries = 0
        """Entries of all jump tables so far."""

    def program(self, function: Function) -> ProgramSpec:
        """Return what a program is."""
        section = function.section.name
        match = match_section(section)
        callback = self._subprograms.callbacks.get(function.name)
        insns, relocs, records = self._contents(function)
        return ProgramSpec(
            function.name,
            section,
            match.type,
            match.attach,
            insns,
            match.attach_type,
            match.attach_type_optional,
            match.flags,
            match.autoload,
            relocs,
            *records,
            self._subprograms.name(callback) if callback is not None else "",
        )

    def subprogram(self, function: Function) -> SubprogramSpec:
        """Return what a subprogram is."""
        insns, relocs, records = self._contents(function)
        return SubprogramSpec(self._subprograms.name(function), insns, relocs, *records)

    def _contents(self, function: Function) -> tuple[Span, tuple[Reloc, ...], _Records]:
        """Return instructions, relocations and records, which aliases share."""
        key = (function.section.number, function.start)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = (
                self._image.add(function.insns.data),
                tuple(self._relocs(function)),
                self._add_records(function),
            )
            return found
        self._repeated += len(found[1])
        if self._repeated > MAX_REPEATED:
            raise function.fault(
                f"aliases of functions with more than {MAX_REPEATED} relocations in"
                " all are not supported"
            )
        return found

    def _add_records(self, function: Function) -> _Records:
        if self._records is None:
            return None, None, None
        byteorder = function.insns.byteorder
        functions, lines, core = (
            self._image.add(pack(words, byteorder), 4) if words else None
            for words in self._records.of(function)
        )
        return functions, lines, core

    def _relocs(self, function: Function) -> Iterator[Reloc]:
        """Yield what instructions refer to, from the first to the last."""
        refs = function.body.refs
        calls = self._subprograms.calls(function)
        for insn in sorted(refs.keys() | calls.keys()):
            ref = refs.get(insn)
            if ref is None or isinstance(ref, CodeRef):
                yield SubprogramRef(insn, self._subprograms.name(calls[insn]))
            elif isinstance(ref, TableRef):
                yield JumpTable(insn, self._table(function, insn, ref))
            else:
                yield ref

    def _table(self, function: Function, insn: int, ref: TableRef) -> tuple[int, ...]:
        """Return a jump table as instructions of its function."""
        if ref.offset % 8 or ref.size % 8 or ref.offset + ref.size > len(self._tables):
            raise function.fault(
                f"jump table of {ref.size} bytes at {ref.offset} of .jumptables,"
                f" which has {len(self._tables)}",
                insn,
            )
        self._entries += ref.size // 8
        if self._entries > MAX_INSNS:
            raise function.fault(
                f"jump tables of more than {MAX_INSNS} entries, the most instructions"
                " that they could lead to",
                insn,
            )
        prefix = "<" if function.insns.byteorder == "little" else ">"
        entries = struct.unpack_from(
            f"{prefix}{ref.size // 8}Q", self._tables, ref.offset
        )
        targets = tuple(entry // INSN_SIZE - function.start for entry in entries)
        if targets and not 0 <= min(targets) <= max(targets) < len(function.insns):
            raise function.fault("jump table leads out of the function", insn)
        return targets
