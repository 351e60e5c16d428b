"""Subprograms: which functions of ``.text`` the programs reach, and where from.

A subprogram is in the blueprint once. :mod:`skelgen.model.linked` appends it to each
program that reaches it.
"""

from collections.abc import Iterable, Iterator, Mapping

from skelgen.elf.ext_records import RecordTables
from skelgen.elf.functions import CodeRef, Function, Functions
from skelgen.elf.insns import INSN_SIZE, MAX_INSNS

_MAX_STEPS = 1_000_000
"""Functions that may be looked at to count the instructions of all programs."""


class Subprograms:
    """The functions of ``.text`` that programs reach, by name."""

    def __init__(self, functions: Functions, callbacks: Mapping[str, Function]) -> None:
        self._functions = functions
        self.callbacks = {
            program: self._as_called(callback)
            for program, callback in callbacks.items()
        }
        """Exception callbacks by the name of their program."""
        self._calls: dict[tuple[int, int], dict[int, Function]] = {}
        found = self._reached_from([*functions.programs, *self.callbacks.values()])
        self.all = sorted(found, key=lambda function: function.start)
        self._names = dict(zip(self.all, _different(self.all), strict=True))

    def name(self, function: Function) -> str:
        """Return the name of a subprogram that no other has."""
        return self._names[function]

    def calls(self, function: Function) -> dict[int, Function]:
        """Return which subprograms a function refers to, by instruction, in order."""
        key = (function.section.number, function.start)
        known = self._calls.get(key)
        if known is None:
            known = self._calls[key] = self._find_calls(function)
        return known

    def check_records(self, records: RecordTables) -> None:
        """Refuse a subprogram without records where a program that reaches it has some.

        The records of the program decide which kinds the kernel is given of it.
        """
        for what, place in (("function", 0), ("line", 1)):
            described = [p for p in self._functions.programs if records.of(p)[place]]
            for subprogram in self._reached_from(described):
                if not records.of(subprogram)[place]:
                    raise subprogram.fault(f"has no {what} information in .BTF.ext")

    def check_sizes(self) -> None:
        """Refuse a program that has more instructions than the kernel takes."""
        whole = sum(len(function.insns) for function in self.all)
        steps = 0
        for program in self._functions.programs:
            size = len(program.insns)
            # together they are small enough, as in all objects but the largest
            if size + whole > MAX_INSNS and steps < _MAX_STEPS:
                reached = self._reached_from([program])
                steps += len(reached)
                size += sum(len(function.insns) for function in reached)
            if size > MAX_INSNS:
                raise program.fault(
                    f"{size} instructions with its subprograms; the kernel takes"
                    f" no more than {MAX_INSNS}"
                )

    def _reached_from(self, first: Iterable[Function]) -> list[Function]:
        """Return all subprograms that functions lead to, and those of them that are."""
        waiting = list(first)
        found = {function: None for function in waiting if function.subprogram}
        while waiting:
            for target in self.calls(waiting.pop()).values():
                if target not in found:
                    found[target] = None
                    waiting.append(target)
        return list(found)

    def _as_called(self, callback: Function) -> Function:
        """Return the one of the names of a place by which calls find it."""
        return self._functions.at(callback.section.number, callback.start) or callback

    def _find_calls(self, function: Function) -> dict[int, Function]:
        refs = function.body.refs
        places = {
            insn: ref.target for insn, ref in refs.items() if isinstance(ref, CodeRef)
        }
        for insn in function.insns.calls():
            if insn in refs:
                continue
            if not function.subprogram:
                raise function.fault("calls a function without a relocation", insn)
            # Between static functions of .text the distance is known already.
            distance = function.insns.imm(insn)
            places[insn] = function.start + insn + distance + 1
        return dict(sorted(self._functions_at(function, places)))

    def _functions_at(
        self, function: Function, places: dict[int, int]
    ) -> Iterator[tuple[int, Function]]:
        text = self._functions.text_index
        for insn, place in places.items():
            target = self._functions.at(text, place) if text is not None else None
            if target is None or target.start != place:
                raise function.fault(
                    f"refers to .text+{place * INSN_SIZE:#x}, where no function starts",
                    insn,
                )
            yield insn, target


def _different(functions: Iterable[Function]) -> list[str]:
    """Return a name for each function: static ones of several files may share theirs.

    The second ``sum`` is ``sum___2``, as bpftool has it.
    """
    names: list[str] = []
    taken = {function.name for function in functions}
    counts: dict[str, int] = {}
    for function in functions:
        name = function.name
        count = counts[name] = counts.get(name, 0) + 1
        while count > 1 and (name := f"{function.name}___{count}") in taken:
            count = counts[function.name] = count + 1
        names.append(name)
        taken.add(name)
    return names
