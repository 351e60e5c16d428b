"""Linking: every program with its own copy of the subprograms that it calls.

The order is libbpf's, so that the kernel computes the same tag: instructions are
looked at from the first to the last, a subprogram that is met for the first time is
appended at the end, and its own calls come before the rest of the caller's.
"""

import struct
from array import array
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from skelgen.elf.functions import CodeRef, Function, Functions, TableRef
from skelgen.elf.insns import INSN_SIZE, MAX_INSNS, Insns
from skelgen.elf.records import Records, RecordTables, shifted
from skelgen.model.spec import ExternLoad, JumpTable, KfuncCall, MapFd, MapValue, Reloc

MAX_LINKED = 2 * MAX_INSNS
"""Instructions of all programs together. Subprograms are copied into each program,
so that a small file could otherwise ask for terabytes; the largest objects in use
have 0.3 million."""


class Linked(NamedTuple):
    """A program as the kernel gets it."""

    insns: Insns
    relocs: tuple[Reloc, ...]
    records: Records


class _Site(NamedTuple):
    """An instruction that refers to a subprogram."""

    insn: int
    target: Function


class Linker:
    """Appends subprograms to programs."""

    def __init__(
        self,
        functions: Functions,
        records: RecordTables | None,
        jump_tables: bytes,
        callbacks: Mapping[str, Function],
        prefix: str,
    ) -> None:
        self._functions = functions
        self._records = records
        self._callbacks = callbacks
        self._tables = jump_tables
        self._prefix = prefix
        self._sites: dict[tuple[int, int], tuple[_Site, ...]] = {}
        self._table_cache: dict[tuple[int, int, int], tuple[int, ...]] = {}
        self._budget = MAX_LINKED

    def link(self, program: Function) -> Linked:
        """Return a program with everything that it calls."""
        job = _Job(program)
        self._place(job, program)
        callback = self._callbacks.get(program.name)
        if callback is not None and callback.start not in job.places:
            self._place(job, callback)
        return Linked(job.insns, tuple(job.relocs), job.records)

    def _place(self, job: "_Job", function: Function) -> None:
        """Append a function, and depth first what it refers to."""
        position = self._append(job, function)
        stack: list[tuple[int, Iterator[_Site]]] = [
            (position, iter(self._sites_of(function)))
        ]
        while stack:
            position, sites = stack[-1]
            for site in sites:
                insn = position + site.insn
                place = job.places.get(site.target.start)
                if place is None:
                    place = self._append(job, site.target)
                    stack.append((place, iter(self._sites_of(site.target))))
                job.insns.set_imm(insn, place - insn - 1)
                if stack[-1][1] is not sites:
                    break
            else:
                stack.pop()

    def _append(self, job: "_Job", function: Function) -> int:
        """Append the code of a function, its relocations and records."""
        position = len(job.insns)
        size = len(function.insns)
        if position + size > MAX_INSNS:
            raise job.program.fault(
                f"more than {MAX_INSNS} instructions with subprogram '{function.name}';"
                " the kernel takes no more"
            )
        self._spend(job, size)
        job.insns.extend(function.insns)
        if function.subprogram:
            job.places[function.start] = position
        self._append_relocs(job, function, position)
        self._append_records(job, function, position)
        return position

    def _append_relocs(self, job: "_Job", function: Function, position: int) -> None:
        for insn, ref in sorted(function.body.refs.items()):
            place = position + insn
            if isinstance(ref, CodeRef):
                continue
            if isinstance(ref, TableRef):
                job.relocs.append(
                    JumpTable(place, self._table(job, function, insn, ref, position))
                )
            else:
                job.relocs.append(_moved(ref, place))

    def _append_records(self, job: "_Job", function: Function, position: int) -> None:
        """Append BTF.ext records; those of the program decide which kinds there are."""
        if self._records is None:
            return
        records = self._records.of(function)
        own = job.records
        for what, size, have, new in (
            ("function", 2, own.functions, records.functions),
            ("line", 4, own.lines, records.lines),
        ):
            if position and not have:
                continue
            if position and not new:
                raise job.program.fault(
                    f"subprogram '{function.name}' has no {what} information in .BTF.ext"
                )
            have.extend(shifted(new, size, position))
        own.core.extend(shifted(records.core, 4, position))

    def _table(
        self, job: "_Job", function: Function, insn: int, ref: TableRef, position: int
    ) -> tuple[int, ...]:
        """Return a jump table as instructions of the linked program."""
        if ref.offset % 8 or ref.size % 8 or ref.offset + ref.size > len(self._tables):
            raise function.fault(
                f"jump table of {ref.size} bytes at {ref.offset} of .jumptables,"
                f" which has {len(self._tables)}",
                insn,
            )
        count = ref.size // 8
        key = (function.section.number, function.start, ref.offset)
        targets = self._table_cache.get(key)
        if targets is None or len(targets) != count:
            self._spend(job, count)
            entries = struct.unpack_from(
                f"{self._prefix}{count}Q", self._tables, ref.offset
            )
            targets = tuple(entry // INSN_SIZE - function.start for entry in entries)
            if targets and not 0 <= min(targets) <= max(targets) < len(function.insns):
                raise function.fault("jump table leads out of the function", insn)
            self._table_cache[key] = targets
        if not position:
            return targets
        self._spend(job, count)
        return tuple(target + position for target in targets)

    def _spend(self, job: "_Job", count: int) -> None:
        self._budget -= count
        if self._budget < 0:
            raise job.program.fault(
                f"programs of more than {MAX_LINKED} instructions with their"
                " copies of subprograms are not supported"
            )

    def _sites_of(self, function: Function) -> tuple[_Site, ...]:
        """Return where a function refers to subprograms, in order."""
        key = (function.section.number, function.start)
        sites = self._sites.get(key)
        if sites is None:
            sites = self._sites[key] = tuple(self._find_sites(function))
        return sites

    def _find_sites(self, function: Function) -> Iterator[_Site]:
        refs = function.body.refs
        targets = {
            insn: ref.target for insn, ref in refs.items() if isinstance(ref, CodeRef)
        }
        for insn in function.insns.calls():
            if insn in refs:
                continue
            if not function.subprogram:
                raise function.fault("calls a function without a relocation", insn)
            # Between static functions of .text the distance is known already.
            distance = function.insns.imm(insn)
            targets[insn] = function.start + insn + distance + 1
        for insn, place in sorted(targets.items()):
            text = self._functions.text_index
            target = self._functions.at(text, place) if text is not None else None
            if target is None or target.start != place:
                raise function.fault(
                    f"refers to .text+{place * INSN_SIZE:#x}, where no function starts",
                    insn,
                )
            yield _Site(insn, target)


def _moved(ref: MapFd | MapValue | ExternLoad | KfuncCall, insn: int) -> Reloc:
    """Return a relocation of another instruction; `_replace()` takes four times as long."""
    if isinstance(ref, MapValue):
        return MapValue(insn, ref.section, ref.offset)
    if isinstance(ref, MapFd):
        return MapFd(insn, ref.map)
    return type(ref)(insn, ref.extern)


class _Job:
    """A program that is being linked."""

    def __init__(self, program: Function) -> None:
        self.program = program
        self.insns = Insns(b"", program.insns.byteorder)
        self.places: dict[int, int] = {}
        """Where each subprogram is, by its start in ``.text``."""
        self.relocs: list[Reloc] = []
        self.records = Records(array("I"), array("I"), array("I"))
