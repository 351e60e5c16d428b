"""Lines of C of a program, from line info: no source file is read."""

from bisect import bisect_right
from struct import iter_unpack

from skelgen._record import Record
from skelgen.btf.errors import BtfParseError
from skelgen.btf.parse import Btf
from skelgen.btf.types import Func, FuncProto
from skelgen.runtime.errors import SourceLine

_AROUND = 2
"""Lines shown before and behind the one at fault."""
_FAR = 12
"""Lines of C further away than this say nothing about it."""


class LineInfo(Record):
    """``struct bpf_line_info``."""

    insn: int
    file: int
    text: int
    position: int
    """Line number, and below it 10 bits of column."""


class Lines:
    """The line and function records of one program.

    ``line_info`` and ``func_info`` are ``struct bpf_line_info`` and ``struct
    bpf_func_info``, whose offsets count instructions.
    """

    def __init__(
        self, btf: Btf, line_info: bytes = b"", func_info: bytes = b""
    ) -> None:
        self._btf = btf
        whole = line_info[: len(line_info) // 16 * 16]
        # a line 0 is the compiler's own: the one before it is meant
        self._records = sorted(
            record
            for record in map(LineInfo._make, iter_unpack("=4I", whole))
            if record.position >> 10
        )
        self._starts = [record.insn for record in self._records]
        functions = sorted(iter_unpack("=2I", func_info[: len(func_info) // 8 * 8]))
        self._functions: list[tuple[int, int]] = functions

    def at(self, insn: int) -> SourceLine | None:
        """Return the line that an instruction was compiled from."""
        start, _ = self._bounds(insn)
        place = bisect_right(self._starts, insn) - 1
        if place < 0 or self._records[place].insn < start:
            return None
        return self._line(self._records[place])

    def _line(self, record: LineInfo) -> SourceLine | None:
        try:
            file = self._btf.string(record.file)
            text = self._btf.string(record.text)
        except BtfParseError:
            return None
        return SourceLine(
            file, record.position >> 10, text.strip(), record.position & 0x3FF
        )

    def function(self, insn: int) -> str | None:
        """Return the name of the function that an instruction is in."""
        found = bisect_right(self._functions, (insn, 0xFFFFFFFF)) - 1
        if found < 0:
            return None
        try:
            func = self._btf.type(self._functions[found][1])
        except BtfParseError:
            return None
        return func.name if isinstance(func, Func) else None

    def parameter(self, insn: int, number: int) -> str | None:
        """Return the name of a function's parameter, from 1."""
        found = bisect_right(self._functions, (insn, 0xFFFFFFFF)) - 1
        if found < 0:
            return None
        try:
            func = self._btf.type(self._functions[found][1])
            proto = self._btf.type(func.type_id) if isinstance(func, Func) else None
        except BtfParseError:
            return None
        if isinstance(proto, FuncProto) and 0 < number <= len(proto.params):
            return proto.params[number - 1].name or None
        return None

    def functions(self) -> list[tuple[int, str]]:
        """Return the first instruction and the name of each function."""
        return [
            (start, name)
            for start, _ in self._functions
            if (name := self.function(start)) is not None
        ]

    def _bounds(self, insn: int) -> tuple[int, int]:
        """Return the first instruction of a function, and that of the next."""
        found = bisect_right(self._functions, (insn, 0xFFFFFFFF))
        start = self._functions[found - 1][0] if found else 0
        if found < len(self._functions):
            return start, self._functions[found][0]
        return start, 1 << 32

    def around(self, insn: int) -> tuple[SourceLine, ...]:
        """Return a few lines of the same function and file, that one among them.

        In the order of the file; their indentation is kept, relative to each other.
        """
        middle = self.at(insn)
        if middle is None:
            return ()
        start, end = self._bounds(insn)
        texts: dict[int, str] = {}
        for record in self._records:
            number = record.position >> 10
            near = abs(number - middle.line) <= _FAR
            if start <= record.insn < end and near and number not in texts:
                try:
                    if self._btf.string(record.file) == middle.file:
                        texts[number] = self._btf.string(record.text).expandtabs(4)
                except BtfParseError:
                    continue
        numbers = sorted(texts)
        place = numbers.index(middle.line)
        chosen = numbers[max(place - _AROUND, 0) : place + _AROUND + 1]
        margin = min(
            (
                len(text) - len(text.lstrip())
                for number in chosen
                if (text := texts[number]).strip()
            ),
            default=0,
        )
        return tuple(
            SourceLine(middle.file, number, texts[number][margin:].rstrip())
            for number in chosen
        )
