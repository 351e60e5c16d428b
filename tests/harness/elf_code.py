"""Objects of one program, with code that a test writes."""

import pytest

from skelgen.elf import read_object
from skelgen.model.linked import Linked, Linker
from skelgen.model.spec import ObjectSpec, ProgramSpec
from tests.harness import elf_builder as eb

BOTH = pytest.mark.parametrize("byteorder", ["little", "big"])


def read(elf: eb.ElfBuilder) -> ObjectSpec:
    return read_object(elf.bytes(), name="x", source="x.o", path="x.o")


def code_of(spec: ObjectSpec, program: ProgramSpec) -> bytes:
    return bytes(Linker(spec).link(program).code())


def only(spec: ObjectSpec) -> Linked:
    (program,) = spec.programs
    return Linker(spec).link(program)


class Text:
    """Functions of ``.text`` that call each other, and programs that call them."""

    def __init__(self, byteorder: str = "little") -> None:
        self.asm = eb.Asm(byteorder)
        self.elf = eb.ElfBuilder(byteorder)
        self.functions: list[tuple[str, list[str]]] = []
        self.programs: list[tuple[str, list[str]]] = []
        self.static: set[str] = set()

    def marker(self, name: str) -> bytes:
        """Return the first instruction of a function, by which to know it."""
        return self.asm.mov(0, sum(name.encode()))

    def size(self, calls: list[str]) -> int:
        return 8 * (2 + len(calls))

    def build(self) -> eb.ElfBuilder:
        """Lay the functions out; each is a marker, its calls, and exit."""
        elf, asm = self.elf, self.asm
        starts: dict[str, int] = {}
        end = 0
        for name, calls in self.functions:
            starts[name] = end
            end += self.size(calls)
        text = len(elf.sections)
        relocs: list[tuple[int, str]] = []
        body = b""
        for name, calls in self.functions:
            body += self.marker(name)
            for callee in calls:
                body += self._call(callee, starts, len(body), relocs, own=True)
            body += asm.exit()
        elf.code(".text", body)
        symbols = {
            name: elf.function(
                name,
                text,
                starts[name],
                self.size(calls),
                bind=eb.LOCAL if name in self.static else eb.GLOBAL,
            )
            for name, calls in self.functions
        }
        whole = elf.section_symbol(text)
        elf.relocate(text, [(at, symbols[name]) for at, name in relocs], 10)
        for name, calls in self.programs:
            relocs = []
            body = self.marker(name)
            for callee in calls:
                body += self._call(callee, starts, len(body), relocs, own=False)
            body += asm.exit()
            section = elf.code(f"raw_tp/{name}", body)
            elf.function(name, section, 0, len(body))
            elf.relocate(
                section,
                [
                    (at, whole if callee in self.static else symbols[callee])
                    for at, callee in relocs
                ],
                10,
            )
        return elf

    def _call(
        self,
        callee: str,
        starts: dict[str, int],
        at: int,
        relocs: list[tuple[int, str]],
        *,
        own: bool,
    ) -> bytes:
        if own and callee in self.static:
            # static to static: the distance is known, there is no relocation
            return self.asm.call((starts[callee] - at) // 8 - 1)
        relocs.append((at, callee))
        if callee in self.static:
            return self.asm.call(starts[callee] // 8 - 1)  # against the section
        return self.asm.call(-1)

    def expected(self, order: list[str]) -> bytes:
        """Return a program linked with its subprograms in a given order."""
        bodies = dict(self.functions) | dict(self.programs)
        places: dict[str, int] = {}
        end = 0
        for name in order:
            places[name] = end
            end += self.size(bodies[name]) // 8
        result = b""
        for name in order:
            result += self.marker(name)
            for callee in bodies[name]:
                result += self.asm.call(places[callee] - len(result) // 8 - 1)
            result += self.asm.exit()
        return result
