"""A log joined with what the object says: names of C for what the verifier numbers."""

import re
from types import MappingProxyType

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model import prog_types
from skelgen.model.constants import name_of
from skelgen.model.enums import ProgType
from skelgen.runtime.kernel.names import kernel_name as cut
from skelgen.runtime.verifier.contexts import member_at
from skelgen.runtime.verifier.registers import fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from skelgen.btf.parse import Btf
    from skelgen.model.instructions import Newer
    from skelgen.runtime.errors import SourceLine
    from skelgen.runtime.verifier.lines import Lines
    from skelgen.runtime.verifier.log import Log, Step

_COPY = re.compile(r"[rw]\d+ = ([rw]\d+)$")
_FILL = re.compile(r"r\d+ = \*\(u64 \*\)\(r10 -(\d+)\)$")
_SPILL = re.compile(r"\*\(u64 \*\)\(r10 -(\d+)\) = (r\d+)$")
_CALL = re.compile(r"call (\w+)#(-?\d+)")
_ACCESS = re.compile(r"\*\([us](\d+) \*\)\((r\d+) ([+-]\d+)\)")


class Names(Record):
    """The object's names of the things that instructions load."""

    maps: "Mapping[int, str]" = MappingProxyType({})
    """By the instruction that loads the address of a map."""
    variables: "Mapping[int, str]" = MappingProxyType({})
    """By the instruction that loads the address of a global variable."""
    all_maps: tuple[str, ...] = ()
    """Every map of the object, as the loader numbers them."""
    externs: tuple[str, ...] = ()
    """Every extern of the object, as the loader numbers them."""


class Facts:
    """The facts about one refusal."""

    def __init__(
        self,
        log: "Log",
        *,
        program_type: int = ProgType.UNSPEC,
        section: str = "",
        license: str = "GPL",
        sleepable: bool = False,
        lines: "Lines | None" = None,
        names: Names | None = None,
        find_struct: "Callable[[str, bool], tuple[Btf, int] | None] | None" = None,
        missing: "Callable[[int], str | None] | None" = None,
        ask_helper: "Callable[[str, int], tuple[tuple[str, ...], str] | None] | None" = None,
        newer: "Iterable[tuple[int, int, Newer]]" = (),
    ) -> None:
        self.log = log
        self.program_type = program_type
        self.section = section
        """As written in ``SEC()``."""
        self.license = license
        self.sleepable = sleepable
        self.lines = lines
        self.names = Names() if names is None else names
        self._find_struct = find_struct
        self.missing = missing
        """The access that an instruction's CO-RE relocation did not find, and where."""
        self.ask_helper = ask_helper
        """Which program types may call a helper on this kernel, and why none may."""
        self.newer = newer
        """Instructions that not every kernel knows: number, opcode, and what it is."""

    # -- the instruction ---------------------------------------------------------

    @property
    def step(self) -> "Step | None":
        """The instruction at fault."""
        return self.log.steps[-1] if self.log.steps else None

    @property
    def helper(self) -> str:
        """Name of the helper or kernel function that is called, or ``""``."""
        return "" if self.step is None else called(self.step)

    @property
    def access(self) -> tuple[int, str, int] | None:
        """Size in bytes, register and offset of the memory that is accessed."""
        found = None if self.step is None else _ACCESS.search(self.step.text)
        if found is None:
            return None
        return int(found[1]) // 8, found[2].upper(), int(found[3])

    @property
    def verb(self) -> str:
        """The access of the instruction to memory."""
        text = "" if self.step is None else self.step.text
        return "written" if re.match(r"(?:lock )?\*\(", text) else "read"

    def source(self, insn: int | None) -> "SourceLine | None":
        """Return the line of C of an instruction."""
        if insn is None or self.lines is None:
            return None
        return self.lines.at(insn)

    # -- where a pointer comes from ----------------------------------------------

    def origin(self, register: str, before: int | None = None) -> "Step | None":
        """Return the step that made what is in a register, copies aside.

        ``before`` is the index of the step where it is used, of the last without.
        """
        return self._trace(register, before)[0]

    def _trace(self, register: str, before: int | None) -> "tuple[Step | None, str]":
        """Return that step, and the register as it was called there.

        Without a step, the register at the start of the function.
        """
        steps = self.log.steps
        wanted = register
        place = len(steps) - 1 if before is None else before
        while place > 0:
            place -= 1
            step = steps[place]
            if step.text.startswith("call pc") and wanted not in _PASSED:
                return None, ""  # another function's
            if step.text == "exit" and wanted != "R0":
                place = self._entry(place)
                continue
            spill = _SPILL.match(step.text)
            if spill is not None and wanted == f"fp-{spill[1]}":
                wanted = spill[2].upper()
            elif step.assigns == wanted:
                copy, fill = _COPY.match(step.text), _FILL.match(step.text)
                if copy is not None:
                    wanted = "R" + copy[1][1:]
                elif fill is not None:
                    wanted = f"fp-{fill[1]}"
                elif not (step.text.startswith("call pc") or " += " in step.text):
                    return step, wanted
        return None, wanted

    def _entry(self, place: int) -> int:
        """Return the call of the function that returns at a place."""
        depth = 1
        while place > 0 and depth:
            place -= 1
            text = self.log.steps[place].text
            depth += (text == "exit") - text.startswith("call pc")
        return place

    def place(self, step: "Step") -> int:
        """Return where in the log a step is."""
        for place in range(len(self.log.steps) - 1, -1, -1):
            if self.log.steps[place] is step:
                return place
        return 0

    def alloc(self, insn: int) -> "Step | None":
        """Return the last step at an instruction, e.g. one that took a reference."""
        for step in reversed(self.log.steps):
            if step.insn == insn:
                return step
        return None

    # -- names -------------------------------------------------------------------

    def variable(self, step: "Step | None") -> str | None:
        """Return the C variable that the result of a call is assigned to."""
        line = None if step is None else self.source(step.insn)
        if step is None or line is None:
            return None
        name = called(step).removeprefix("bpf_")
        if not name:
            return None
        found = re.search(rf"(\w+)\s*=\s*[^=;,]*\w*{re.escape(name)}\s*\(", line.text)
        return None if found is None else found[1]

    def name_of(self, register: str) -> str:
        """Return ``'seen'``, or the register where its C name is not known."""
        step, wanted = self._trace(register, None)
        found = self.variable(step)
        if step is None and self.step is not None and self.lines is not None:
            start = self.log.steps[0].insn
            number = int(wanted[1:]) if wanted in _PASSED else 0
            found = self.lines.parameter(start, number) or None
        return register.lower() if found is None else f"'{found}'"

    def map_name(self, kernel_name: str) -> str:
        """Return the whole name of a map of which the kernel has 15 characters."""
        if kernel_name in self.names.all_maps:
            return kernel_name
        fitting = [x for x in self.names.all_maps if cut(x) == kernel_name]
        if not fitting:  # a data section: 'object.rodata', the object's name cut
            end = kernel_name[kernel_name.find(".") :]
            fitting = [x for x in self.names.all_maps if x.startswith(end)]
        return fitting[0] if len(fitting) == 1 else kernel_name

    def map_of(self, register: str, before: int | None = None) -> str | None:
        """Return the name of the map that is in a register, or that a value is of."""
        if before is None:
            state = fields(self.log.before.get(register, ""))
            if "map" in state:
                return self.map_name(state["map"])
        step = self.origin(register, before)
        if step is None:
            return None
        loaded = self.names.maps.get(step.insn)
        if loaded is not None:
            return loaded
        for text in re.findall(rf"\b{register}\w*=[\w.]+\(([^)]*)\)", step.after):
            name = fields(text).get("map")
            if name is not None:
                return self.map_name(name)
        if _CALL.match(step.text):
            return self.map_of("R1", self.place(step))
        return None

    def global_of(self, register: str) -> str | None:
        """Return the global variable that a register points into."""
        step = self.origin(register)
        return None if step is None else self.names.variables.get(step.insn)

    @property
    def context(self) -> str:
        """Struct of the program's context, or ``""``."""
        return prog_types.row(self.program_type).context

    def member(
        self, struct: str, offset: int, *, kernel: bool = False
    ) -> tuple[str, int, int] | None:
        """Return name, offset and size of the member at a byte of a struct.

        ``kernel`` for one whose offsets are this kernel's, not the object's.
        """
        if self._find_struct is None or not struct:
            return None
        found = self._find_struct(struct, kernel)
        return None if found is None else member_at(found[0], found[1], offset)

    @property
    def type_name(self) -> str:
        """The word for programs of this type."""
        if self.section:
            return f'SEC("{self.section}")'
        return f"type {name_of(self.program_type, ProgType)}"


_PASSED = frozenset({"R0", "R1", "R2", "R3", "R4", "R5"})
"""Registers that a function hands to one it calls, or gets back."""


def called(step: "Step") -> str:
    """Return the name of the helper or kernel function that a step calls, or ``""``."""
    found = _CALL.match(step.text)
    return "" if found is None else found[1]
