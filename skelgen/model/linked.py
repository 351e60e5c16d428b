"""Programs as the kernel gets them: each with a copy of the subprograms it reaches.

The blueprint has every function once, however many programs call it. The order in which
they are joined is libbpf's, so that the kernel computes the same tag: a program's
instructions are looked at from the first to the last, a subprogram that is met for the
first time is appended at the end, and its own calls come before the rest of the caller's.
"""

from __future__ import annotations

import sys
from struct import Struct

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model.spec import JumpTable, SubprogramRef

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from skelgen.model.spec import ObjectSpec, ProgramSpec, Reloc, Span, SubprogramSpec

    Function: TypeAlias = ProgramSpec | SubprogramSpec
    Bytes: TypeAlias = bytes | bytearray | memoryview

_INSN_SIZE = 8


class Placed(Record):
    """A function of a linked program."""

    start: int
    """Index of its first instruction in the linked program."""
    function: Function


class Linked:
    """A program and its subprograms, one behind the other."""

    __slots__ = ("_places", "_spec", "functions", "program")

    def __init__(
        self, spec: ObjectSpec, program: ProgramSpec, functions: tuple[Placed, ...]
    ) -> None:
        self._spec = spec
        self.program = program
        self.functions = functions
        """The program itself first."""
        self._places = {placed.function.name: placed.start for placed in functions[1:]}

    def __len__(self) -> int:
        """Return the number of instructions."""
        last = self.functions[-1]
        return last.start + last.function.insns.size // _INSN_SIZE

    def view(self, span: Span) -> memoryview:
        """Return bytes of a function, as they are in the blueprint."""
        return self._spec.view(span)

    def join(self, bodies: list[Bytes]) -> bytearray:
        """Return the code of :attr:`functions` in one piece, with its calls resolved."""
        code = bytearray().join(bodies)
        if len(bodies) > 1:
            imm = Struct("<i" if self._spec.byteorder == "little" else ">i")
            for placed in self.functions:
                for reloc in placed.function.relocs:
                    if isinstance(reloc, SubprogramRef):
                        insn = placed.start + reloc.insn
                        distance = self._places[reloc.subprogram] - insn - 1
                        imm.pack_into(code, insn * _INSN_SIZE + 4, distance)
        return code

    def code(self) -> bytearray:
        """Return the code as the compiler wrote it, with calls resolved."""
        return self.join(
            [self.view(placed.function.insns) for placed in self.functions]
        )

    @property
    def relocs(self) -> tuple[Reloc, ...]:
        """The relocations that are left, which count from the program's start."""
        if len(self.functions) == 1:
            return self.program.relocs
        return tuple(self._moved_relocs())

    def _moved_relocs(self) -> Iterator[Reloc]:
        for start, function in self.functions:
            for reloc in function.relocs:
                if isinstance(reloc, JumpTable):
                    targets = tuple(target + start for target in reloc.targets)
                    yield JumpTable(reloc.insn + start, targets)
                elif not isinstance(reloc, SubprogramRef):
                    # _replace() takes four times as long
                    yield type(reloc)._make((reloc.insn + start, *reloc[1:]))

    @property
    def func_info(self) -> bytes:
        """``struct bpf_func_info`` of all functions; empty if the program has none."""
        return self._records("func_info", 2)

    @property
    def line_info(self) -> bytes:
        """``struct bpf_line_info`` of all functions; empty if the program has none."""
        return self._records("line_info", 4)

    @property
    def core_relos(self) -> bytes:
        """``struct bpf_core_relo`` of all functions."""
        return self._records("core_relos", 4)

    def _records(self, name: str, words: int) -> bytes:
        own: Span | None = getattr(self.program, name)
        if len(self.functions) == 1 or (own is None and name != "core_relos"):
            return b"" if own is None else bytes(self.view(own))
        pieces: list[bytes] = []
        for start, function in self.functions:
            span: Span | None = getattr(function, name)
            if span is not None:
                pieces.append(self._shifted(self.view(span), words, start))
        return b"".join(pieces)

    def _shifted(self, records: memoryview, words: int, distance: int) -> bytes:
        """Return records, whose first word is an instruction, for one further behind."""
        from array import array

        swap = self._spec.byteorder != sys.byteorder
        moved = array("I", bytes(records))
        if swap:
            moved.byteswap()
        moved[::words] = array("I", (insn + distance for insn in moved[::words]))
        if swap:
            moved.byteswap()
        return moved.tobytes()


class Linker:
    """Links the programs of one object."""

    __slots__ = ("_spec", "_subprograms")

    def __init__(self, spec: ObjectSpec) -> None:
        self._spec = spec
        self._subprograms = {sub.name: sub for sub in spec.subprograms}

    def link(self, program: ProgramSpec) -> Linked:
        """Return a program with everything that it calls."""
        found: list[Placed] = []
        end = 0
        known: set[str] = set()
        # a stack of our own: chains may be longer than Python's
        stack: list[Iterator[str]] = []
        following: list[Function] = [program]
        if program.exception_callback:
            following.append(self._subprograms[program.exception_callback])
        for first in following:
            callback_is_there = first is not program and first.name in known
            new: Function | None = None if callback_is_there else first
            while new is not None:
                if new is not program:  # it may be called as a static function is
                    known.add(new.name)
                found.append(Placed(end, new))
                end += new.insns.size // _INSN_SIZE
                stack.append(_referred(new))
                new = self._next(stack, known)
        return Linked(self._spec, program, tuple(found))

    def _next(self, stack: list[Iterator[str]], known: set[str]) -> Function | None:
        """Return the next subprogram that is not placed yet."""
        while stack:
            for name in stack[-1]:
                if name not in known:
                    return self._subprograms[name]
            stack.pop()
        return None


def _referred(function: Function) -> Iterator[str]:
    """Yield the subprograms that a function refers to, in order."""
    for reloc in function.relocs:
        if isinstance(reloc, SubprogramRef):
            yield reloc.subprogram


def called_by(function: Function) -> frozenset[str]:
    """Return the names of the subprograms that a function refers to."""
    return frozenset(_referred(function))
