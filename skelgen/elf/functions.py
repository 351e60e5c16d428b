"""Functions of an object: programs and subprograms, before they are linked."""

from bisect import bisect_right
from typing import NamedTuple

from skelgen.elf.insns import INSN_SIZE, MAX_INSNS, Insns
from skelgen.elf.reader import STB_LOCAL, STT_FUNC, ElfFile, Section, Symbol
from skelgen.elf.roles import Layout
from skelgen.errors import ObjectError
from skelgen.model.spec import Reloc


class CodeRef(NamedTuple):
    """A call or an address of a function in ``.text``."""

    insn: int
    target: int
    """Index of an instruction in ``.text``."""


class TableRef(NamedTuple):
    """A load of the address of a jump table."""

    insn: int
    offset: int
    """Bytes into ``.jumptables``."""
    size: int


Ref = CodeRef | TableRef | Reloc
"""The target of a relocation, until functions and jump tables are found."""


class Body:
    """Instructions of a function and of its aliases."""

    __slots__ = ("insns", "refs")

    def __init__(self, insns: Insns) -> None:
        self.insns = insns
        self.refs: dict[int, Ref] = {}
        """Targets of the relocations, by instruction."""


class Function:
    """A function symbol and its instructions; indices count from its start."""

    __slots__ = (
        "body",
        "end",
        "hidden",
        "is_global",
        "name",
        "section",
        "start",
        "subprogram",
    )

    def __init__(
        self, name: str, section: Section, start: int, body: "Body", *, subprogram: bool
    ) -> None:
        self.name = name
        self.section = section
        self.start = start
        """Index of the first instruction in the section."""
        self.end = start + len(body.insns)
        self.body = body
        self.subprogram = subprogram
        """Whether it is in ``.text``."""
        self.is_global = False
        self.hidden = False
        """Global, but the verifier may treat it as static."""

    @property
    def insns(self) -> Insns:
        """Its instructions, as they are in the object."""
        return self.body.insns

    def __str__(self) -> str:
        kind = "subprogram" if self.subprogram else "program"
        return f"{kind} '{self.name}'"

    def fault(self, message: str, insn: int | None = None) -> ObjectError:
        """Make the error about this function or one of its instructions."""
        offset = self.start + (insn or 0)
        where = f"{self}" if insn is None else f"{self} insn {insn}"
        return ObjectError(
            f"{where}: {message}", section=self.section.name, offset=offset * INSN_SIZE
        )


class Functions:
    """All functions, sorted by section and offset."""

    __slots__ = ("_starts", "all", "by_section", "text_index")

    def __init__(self, functions: list[Function], text: Section | None) -> None:
        self.all = functions
        self.text_index = text.number if text is not None else None
        """Index of the section that holds subprograms."""
        self.by_section: dict[int, list[Function]] = {}
        for function in functions:
            self.by_section.setdefault(function.section.number, []).append(function)
        self._starts = {
            index: [function.start for function in group]
            for index, group in self.by_section.items()
        }

    @property
    def programs(self) -> list[Function]:
        """Entry points, in order."""
        return [f for f in self.all if not f.subprogram]

    def at(self, section: int, insn: int) -> Function | None:
        """Return the function that an instruction of a section belongs to."""
        starts = self._starts.get(section)
        if starts is None:
            return None
        place = bisect_right(starts, insn) - 1
        if place < 0:
            return None
        function = self.by_section[section][place]
        return function if insn < function.end else None


def collect(elf: ElfFile, layout: Layout) -> Functions:
    """Find every function in the sections with instructions."""
    code = {section.number: section for section in layout.code}
    found = sorted(
        (
            symbol
            for symbol in elf.symbols
            if symbol.type == STT_FUNC and symbol.section in code
        ),
        key=lambda symbol: (symbol.section, symbol.value, symbol.size),
    )
    functions: list[Function] = []
    names: set[str] = set()
    content = b""
    for symbol in found:
        section = code[symbol.section]
        name = elf.symbol_name(symbol)
        _check_place(name, symbol, section)
        previous = functions[-1] if functions else None
        start, end = (
            symbol.value // INSN_SIZE,
            (symbol.value + symbol.size) // INSN_SIZE,
        )
        if previous is None or previous.section is not section:
            content = elf.content(section)
            body = Body(
                Insns(content[symbol.value : symbol.value + symbol.size], elf.byteorder)
            )
        elif (start, end) == (previous.start, previous.end):
            body = previous.body
        elif start < previous.end:
            raise previous.fault(f"overlaps function '{name}'")
        else:
            body = Body(
                Insns(content[symbol.value : symbol.value + symbol.size], elf.byteorder)
            )
        function = Function(
            name, section, start, body, subprogram=section is layout.text
        )
        function.is_global = symbol.bind != STB_LOCAL
        function.hidden = function.is_global and symbol.hidden
        if not function.subprogram:
            if not function.is_global:
                raise function.fault(
                    "static functions are supported in .text only; drop static or SEC()"
                )
            if name in names:
                raise function.fault("another program has the same name")
            names.add(name)
        functions.append(function)
    return Functions(functions, layout.text)


def _check_place(name: str, symbol: Symbol, section: Section) -> None:
    """Refuse a function that does not lie in its section."""
    start, size = symbol.value, symbol.size
    if start + size > section.size:
        message = f"bytes {start} to {start + size} cross the end of the section"
    elif not size or size % INSN_SIZE or start % INSN_SIZE:
        message = f"{size} bytes at {start} are no {INSN_SIZE}-byte instructions"
    elif size > MAX_INSNS * INSN_SIZE:
        message = f"{size // INSN_SIZE} instructions; the kernel takes {MAX_INSNS}"
    else:
        return
    raise ObjectError(
        f"function '{name}': {message}",
        section=section.name,
        offset=min(start, section.size),
    )
