"""Time and memory are linear in the file, whatever it is that a file has much of.

An object twice as large in one dimension costs about twice as much: lines of Python
that are run are counted, and bytes that are allocated at most, not seconds. What is
compared is what the second and third doubling add, so that the cost of every object
hides nothing. A refusal is an answer too, if it comes as soon.
"""

import contextlib
import itertools
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any, NamedTuple

import pytest

import skelgen
from skelgen import elf
from skelgen.btf.build import BtfBuilder
from skelgen.btf.dump_header import header
from skelgen.btf.dump_raw import json_dump, raw_dump
from skelgen.btf.errors import BtfParseError
from skelgen.btf.parse import Btf
from skelgen.build.inspect import as_text
from skelgen.elf.reader import ElfFile
from skelgen.errors import SkelgenError
from tests.harness import elf_builder as eb

MOST_GROWTH = 2.3
"""For twice as much; what is linear comes to 2, what is quadratic to 4."""

ASM = eb.Asm()


class Cost(NamedTuple):
    """What one step took."""

    lines: int
    """Lines of Python that were run."""
    memory: int
    """Bytes that were allocated at the most demanding moment."""


class _Object:
    """An object with BTF, whose variables and functions are added one by one."""

    def __init__(self) -> None:
        self.elf = eb.ElfBuilder()
        self.btf = BtfBuilder()
        self.int = self.btf.add_int("int", 4, signed=True)
        self.proto = self.btf.add_func_proto(self.int, [("ctx", self.int)])
        self._variables: list[tuple[str, int, int]] = []

    def variable(self, name: str, type_id: int, size: int) -> None:
        """Add a global variable."""
        self._variables.append((name, type_id, size))

    def structs(self, type_ids: list[int], size: int) -> None:
        """Add a variable of each type."""
        for number, type_id in enumerate(type_ids):
            self.variable(f"v{number}", type_id, size)

    def program(self, insns: bytes) -> tuple[int, int]:
        """Add a program; return the number of its section, and its type."""
        section = self.elf.code("socket", insns)
        self.elf.function("run", section, 0, len(insns))
        return section, self.btf.add_func("run", self.proto)

    def data(self) -> int:
        """Add ``.data`` with the variables; return the symbol of the first one."""
        total = sum(size for _, _, size in self._variables)
        section = self.elf.section(".data", bytes(total), flags=eb.ALLOC)
        offset = 0
        places: list[tuple[int, int, int]] = []
        first = 0
        for name, type_id, size in self._variables:
            symbol = self.elf.symbol(name, section, offset, size, type=eb.OBJECT)
            first = first or symbol
            places.append((self.btf.add_var(name, type_id), 0, size))
            offset += size
        self.btf.add_datasec(".data", 0, places)
        return first

    def bytes(self) -> bytes:
        """Return the file."""
        if self._variables and not any(s.name == ".data" for s in self.elf.sections):
            self.data()
        self.elf.license()
        self.elf.btf(self.btf)
        return self.elf.bytes()


def types(count: int) -> bytes:
    """Structs, each of them a variable's."""
    made = _Object()
    made.structs(
        [
            made.btf.add_struct(f"s{number}", 4, [("a", made.int, 0)])
            for number in range(count)
        ],
        4,
    )
    return made.bytes()


def name_length(count: int) -> bytes:
    """Types with names that are tails of one string."""
    made = _Object()
    start = made.btf.add_string("x" * (20 * count))
    for number in range(count):
        # past the builder, which stores no string twice
        made.btf._known[b"tail"] = start + 3 * number
        made.btf.add_struct("tail", 4, [("tail", made.int, 0)])
    made.structs([made.btf.add_struct("s", 4, [("a", made.int, 0)])], 4)
    return made.bytes()


def members(count: int) -> bytes:
    """Members that are pointers to one function of as many parameters."""
    made = _Object()
    proto = made.btf.add_func_proto(0, [("", made.int)] * count)
    pointer = made.btf.add_ptr(proto)
    listed = [(f"m{number}", pointer, 64 * number) for number in range(count)]
    made.structs([made.btf.add_struct("s", 8 * count, listed)], 8 * count)
    return made.bytes()


def members_of_members(count: int) -> bytes:
    """Structs with one anonymous union of as many members as there are structs."""
    made = _Object()
    inner = made.btf.add_union(
        "", 4, [(f"m{number}", made.int, 0) for number in range(count)]
    )
    made.structs(
        [
            made.btf.add_struct(f"s{number}", 4, [("", inner, 0)])
            for number in range(count)
        ],
        4,
    )
    return made.bytes()


def modifiers(count: int) -> bytes:
    """Variables of one type that is const as often as there are variables."""
    made = _Object()
    last = made.int
    for _ in range(count):
        last = made.btf.add_const(last)
    made.structs([last] * count, 4)
    return made.bytes()


def parameters(count: int) -> bytes:
    """Variables that are pointers to functions which take pointers to functions."""
    made = _Object()
    inner = made.btf.add_ptr(made.btf.add_func_proto(0, [("p", made.int)] * count))
    proto = made.btf.add_func_proto(0, [("f", inner)] * count)
    made.structs([made.btf.add_ptr(proto)] * count, 8)
    return made.bytes()


def nesting(count: int) -> bytes:
    """A struct in a struct in a struct, anonymous and with a name by turns."""
    made = _Object()
    listed = [(f"m{number}", made.int, 32 * number) for number in range(100)]
    last, size = made.btf.add_struct("", 400, listed), 400
    for depth in range(min(count, 60)):
        name = f"n{depth}" if depth % 2 else ""
        last = made.btf.add_struct(
            f"s{depth}" if depth % 2 else "",
            size + 4,
            [(f"o{depth}", made.int, 0), (name, last, 32)],
        )
        size += 4
    made.structs([made.btf.add_struct("s", size, [("whole", last, 0)])], size)
    return made.bytes()


def relocations(count: int) -> bytes:
    """Instructions that refer to a variable."""
    made = _Object()
    section, _ = made.program(ASM.load64() * count + ASM.mov(0, 0) + ASM.exit())
    made.variable("v", made.int, 4)
    symbol = made.data()
    made.elf.relocate(section, [(16 * number, symbol) for number in range(count)])
    return made.bytes()


def line_infos(count: int) -> bytes:
    """Lines of source, and as many groups of lines."""
    made = _Object()
    _, type_id = made.program(ASM.mov(0, 0) * 2 * count + ASM.exit())
    file_name, text = made.btf.add_string("x.c"), made.btf.add_string("int x;")
    lines = [(8 * n, file_name, text, n << 10 | 1) for n in range(2 * count)]
    ext = eb.btf_ext(made.btf, {"socket": [(0, type_id)]}, {"socket": lines[:count]})
    name = made.btf.add_string("socket")
    groups = b"".join(eb.struct.pack("<2I4I", name, 1, *line) for line in lines[count:])
    offset, size = eb.struct.unpack_from("<2I", ext, 16)
    made.elf.section(
        ".BTF.ext",
        ext[:16]
        + eb.struct.pack("<2I", offset, size + len(groups))
        + ext[24:]
        + groups,
    )
    return made.bytes()


def enumerators(count: int) -> bytes:
    """Constants of an enumeration."""
    made = _Object()
    values = [(f"E{number}", number) for number in range(count)]
    made.structs([made.btf.add_enum("e", values)] * count, 4)
    return made.bytes()


def sections(count: int) -> bytes:
    """Sections, each with a symbol."""
    made = _Object()
    for number in range(count):
        section = made.elf.section(f".data.s{number}", bytes(4), flags=eb.ALLOC)
        made.elf.symbol(f"d{number}", section, 0, 4, type=eb.OBJECT)
        variable = made.btf.add_var(f"d{number}", made.int)
        made.btf.add_datasec(f".data.s{number}", 0, [(variable, 0, 4)])
    return made.bytes()


def symbols(count: int) -> bytes:
    """Symbols: of functions, and of what the kernel has to provide."""
    made = _Object()
    functions: list[tuple[int, int, int]] = []
    for number in range(count):
        made.elf.extern(f"f{number}")
        functions.append((made.btf.add_func(f"f{number}", made.proto, 2), 0, 0))
    made.btf.add_datasec(".ksyms", 0, functions)
    code = ASM.mov(0, 0) + ASM.exit()
    section = made.elf.code("socket", code * count)
    for number in range(count):
        made.elf.function(f"run{number}", section, 16 * number, 16)
        made.btf.add_func(f"run{number}", made.proto)
    return made.bytes()


def maps(count: int) -> bytes:
    """Maps of one type."""
    made = _Object()
    declared = eb.MapBtf()
    struct = declared.struct(
        {
            "type": declared.uint(1),
            "max_entries": declared.uint(8),
            "key": declared.ptr(declared.int),
            "value": declared.ptr(declared.long),
        }
    )
    for number in range(count):
        declared.map(f"m{number}", struct, 32)
    declared.finish(made.elf)
    made.elf.license()
    return made.elf.bytes()


def calls_down_a_chain(count: int) -> bytes:
    """Programs that all reach as many subprograms, each of which calls the next."""
    made = _Object()
    code = ASM.call() + ASM.mov(0, 0) + ASM.exit()
    text = made.elf.code(".text", code * count)
    section = made.elf.code("socket", code * count)
    functions: list[int] = []
    for number in range(count):
        functions.append(made.elf.function(f"s{number}", text, 24 * number, 24))
        made.elf.function(f"run{number}", section, 24 * number, 24)
        made.btf.add_func(f"s{number}", made.proto)
        made.btf.add_func(f"run{number}", made.proto)
    following = [*functions[1:], functions[0]]
    made.elf.relocate(text, [(24 * n, to) for n, to in enumerate(following)])
    made.elf.relocate(section, [(24 * n, functions[0]) for n in range(count)])
    return made.bytes()


def calls_of_all(count: int) -> bytes:
    """Calls, by twenty programs, of as many subprograms."""
    made = _Object()
    end = ASM.mov(0, 0) + ASM.exit()
    text = made.elf.code(".text", end * count)
    code = ASM.call() * count + end
    section = made.elf.code("socket", code * 20)
    functions: list[int] = []
    for number in range(count):
        functions.append(made.elf.function(f"s{number}", text, 16 * number, 16))
        made.btf.add_func(f"s{number}", made.proto)
    places: list[tuple[int, int]] = []
    for number in range(20):
        start = len(code) * number
        made.elf.function(f"run{number}", section, start, len(code))
        made.btf.add_func(f"run{number}", made.proto)
        places += [(start + 8 * n, to) for n, to in enumerate(functions)]
    made.elf.relocate(section, places)
    return made.bytes()


def aliases(count: int) -> bytes:
    """Names of one subprogram, each of which is called."""
    made = _Object()
    end = ASM.mov(0, 0) + ASM.exit()
    text = made.elf.code(".text", end)
    section = made.elf.code("socket", ASM.call() * count + end)
    made.elf.function("run", section, 0, 8 * count + 16)
    made.btf.add_func("run", made.proto)
    places: list[tuple[int, int]] = []
    for number in range(count):
        places.append((8 * number, made.elf.function(f"s{number}", text, 0, 16)))
        made.btf.add_func(f"s{number}", made.proto)
    made.elf.relocate(section, places)
    return made.bytes()


DIMENSIONS: dict[Callable[[int], bytes], int] = {
    types: 25,
    name_length: 100,
    members: 100,
    members_of_members: 150,
    modifiers: 300,
    parameters: 50,
    nesting: 10,
    relocations: 50,
    line_infos: 100,
    enumerators: 50,
    sections: 25,
    symbols: 25,
    maps: 25,
    calls_down_a_chain: 25,
    calls_of_all: 25,
    aliases: 50,
}
"""What an object can have much of, and how much of it is measured first."""


def read(data: bytes) -> object:
    return elf.read_object(data, name="x", source="x.o")


def generate(data: bytes) -> object:
    return skelgen.generate(data)


def inspect(data: bytes) -> object:
    return as_text(elf.read_object(data, name="x", source="x.o"))


def open_object(data: bytes) -> object:
    return skelgen.open_object(data)


def dump(data: bytes) -> object:
    file = ElfFile(data)
    section = file.section(".BTF")
    assert section is not None
    btf = Btf(file.content(section))
    return [write(btf) for write in (raw_dump, json_dump, header)]


STEPS: tuple[Callable[[bytes], object], ...] = (
    read,
    generate,
    inspect,
    open_object,
    dump,
)


def cost(step: Callable[[bytes], object], data: bytes) -> Cost:
    """Run a step, and say what it took; a refusal is an answer too."""
    # first the memory, as this also imports and compiles what the step needs
    with contextlib.suppress(SkelgenError, BtfParseError):
        step(data)
    tracemalloc.start()
    try:
        with contextlib.suppress(SkelgenError, BtfParseError):
            step(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    counter = itertools.count()
    count = counter.__next__

    def line(*_: object) -> Any:
        count()
        return line

    def call(_: FrameType, __: str, ___: object) -> Any:
        return line

    before = sys.gettrace()
    sys.settrace(call)
    try:
        with contextlib.suppress(SkelgenError, BtfParseError):
            step(data)
    finally:
        sys.settrace(before)
    return Cost(count(), peak)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
@pytest.mark.parametrize("build", DIMENSIONS, ids=lambda build: build.__name__)
def test_twice_as_much_costs_twice_as_much(
    build: Callable[[int], bytes], step: Callable[[bytes], object]
) -> None:
    start = DIMENSIONS[build]
    costs = [cost(step, build(count)) for count in (start, 2 * start, 4 * start)]
    for what, one, two, four in zip(Cost._fields, *costs, strict=True):
        least = {"lines": 1000, "memory": 100_000}[what]
        growth = (four - two) / max(two - one, least)
        assert growth < MOST_GROWTH, f"{what} grow by {growth:.2f}: {one} {two} {four}"
