"""Programs with the subprograms they call: order, calls, records, limits."""

import struct

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.elf import programs, read_object
from skelgen.errors import ObjectError
from skelgen.model.linked import Linked, Linker
from skelgen.model.spec import JumpTable, MapValue, ObjectSpec, ProgramSpec
from tests.unit.elf import elf_builder as eb

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


ORDERS = {
    "none": ([], ["p"]),
    "one": (["a"], ["p", "a"]),
    "twice_the_same": (["a", "a"], ["p", "a"]),
    "depth_first": (["b", "c"], ["p", "b", "d", "a", "c"]),
    "shared": (["c", "b"], ["p", "c", "d", "a", "b"]),
    "recursive": (["e"], ["p", "e"]),
    "in_a_circle": (["f"], ["p", "f", "g"]),
}


@BOTH
@pytest.mark.parametrize("static", ["", "abcdefg", "bdf"])
@pytest.mark.parametrize("name", ORDERS)
def test_order(name: str, static: str, byteorder: str) -> None:
    calls, order = ORDERS[name]
    text = Text(byteorder)
    text.functions = [
        ("a", []),
        ("b", ["d", "a"]),
        ("c", ["d"]),
        ("d", ["a"]),
        ("e", ["e"]),
        ("f", ["g"]),
        ("g", ["f", "g"]),
    ]
    text.static = set(static)
    text.programs = [("p", calls)]
    spec = read(text.build())
    assert only(spec).code() == text.expected(order)
    assert only(spec).relocs == ()
    assert sorted(sub.name for sub in spec.subprograms) == sorted(order[1:])


def test_each_program_has_its_own_copy() -> None:
    text = Text()
    text.functions = [("a", []), ("b", ["a"])]
    text.programs = [("p", ["a", "b"]), ("q", ["b"]), ("r", [])]
    spec = read(text.build())
    assert [code_of(spec, program) for program in spec.programs] == [
        text.expected(["p", "a", "b"]),
        text.expected(["q", "b", "a"]),
        text.expected(["r"]),
    ]


def test_a_chain_longer_than_the_stack_of_python() -> None:
    text = Text()
    count = 3000
    text.functions = [(f"f{n}", [f"f{n + 1}"]) for n in range(count)]
    text.functions.append((f"f{count}", []))
    text.programs = [("p", ["f0"])]
    spec = read(text.build())
    order = ["p", *(f"f{n}" for n in range(count + 1))]
    assert code_of(spec, spec.programs[0]) == text.expected(order)


@BOTH
def test_address_of_a_function(byteorder: str) -> None:
    """Global: the symbol says where; static: the instruction does."""
    asm = eb.Asm(byteorder)
    elf = eb.ElfBuilder(byteorder)
    text = elf.code(".text", asm.mov(0, 1) + asm.exit() + asm.mov(0, 2) + asm.exit())
    first = elf.function("first", text, 0, 16)
    elf.function("second", text, 16, 16, bind=eb.LOCAL)
    whole = elf.section_symbol(text)
    body = asm.load64(2) + asm.load64(2, 16) + asm.helper(181) + asm.exit()
    code = elf.code("xdp", body)
    elf.function("p", code, 0, len(body))
    elf.relocate(code, [(0, first), (16, whole)])
    spec = read(elf)
    expected = asm.load64(2, 5, src=4) + asm.load64(2, 5, src=4) + body[32:]
    expected += asm.mov(0, 1) + asm.exit() + asm.mov(0, 2) + asm.exit()
    assert code_of(spec, spec.programs[0]) == expected


@BOTH
def test_relocations_move_with_their_subprogram(byteorder: str) -> None:
    asm = eb.Asm(byteorder)
    elf = eb.ElfBuilder(byteorder)
    bss = elf.section(".bss", type=eb.NOBITS, size=64)
    of_bss = elf.section_symbol(bss)
    text = elf.code(".text", asm.mov(0, 0) + asm.load64(1, 8) + asm.exit())
    sub = elf.function("sub", text, 0, 32)
    elf.relocate(text, [(8, of_bss)])
    code = elf.code("xdp", asm.load64(1, 24) + asm.call() + asm.exit())
    elf.function("p", code, 0, 32)
    elf.relocate(code, [(16, sub), (0, of_bss)])
    assert only(read(elf)).relocs == (MapValue(0, ".bss", 24), MapValue(5, ".bss", 8))


def with_records(*, skip: str = "", byteorder: str = "little") -> eb.ElfBuilder:
    """Two subprograms and a program, with records but for one function."""
    asm = eb.Asm(byteorder)
    elf = eb.ElfBuilder(byteorder)
    btf = BtfBuilder(byteorder)
    text = elf.code(".text", (asm.mov(0, 1) + asm.exit()) * 2)
    elf.function("unused", text, 0, 16)
    used = elf.function("used", text, 16, 16)
    code = elf.code("xdp", (asm.call() + asm.exit()) * 2)
    elf.function("other", code, 0, 16)
    elf.function("p", code, 16, 16)
    elf.relocate(code, [(0, used), (16, used)], 10)
    functions = {".text": [(0, 11), (16, 12)], "xdp": [(0, 13), (16, 14)]}
    lines = {
        ".text": [(0, 1, 1, 1), (8, 1, 1, 2), (16, 1, 1, 3), (24, 1, 1, 4)],
        "xdp": [(0, 1, 1, 5), (16, 1, 1, 6), (24, 1, 1, 7)],
        "nowhere": [(0, 1, 1, 1)],
    }
    core = {".text": [(24, 1, 1, 3), (16, 1, 1, 2)], "xdp": [(24, 2, 1, 0)]}
    for name, start in (("used", 16), ("p", 16)):
        section = ".text" if name == "used" else "xdp"
        if skip == f"functions of {name}":
            functions[section] = [r for r in functions[section] if r[0] != start]
        if skip == f"lines of {name}":
            lines[section] = [r for r in lines[section] if r[0] < start]
    elf.section(".BTF.ext", eb.btf_ext(btf, functions, lines, core))
    elf.btf(btf)
    return elf


def records(spec: ObjectSpec, name: str, words: int) -> list[tuple[int, ...]]:
    program = next(p for p in spec.programs if p.name == "p")
    data = getattr(Linker(spec).link(program), name)
    prefix = "<" if spec.byteorder == "little" else ">"
    return list(struct.iter_unpack(f"{prefix}{words}I", data))


@BOTH
def test_records(byteorder: str) -> None:
    spec = read(with_records(byteorder=byteorder))
    assert records(spec, "func_info", 2) == [(0, 14), (2, 12)]
    assert records(spec, "line_info", 4) == [
        (0, 1, 1, 6),
        (1, 1, 1, 7),
        (2, 1, 1, 3),
        (3, 1, 1, 4),
    ]
    # in the order of instructions, which the file need not keep
    assert records(spec, "core_relos", 4) == [
        (1, 2, 1, 0),
        (2, 1, 1, 2),
        (3, 1, 1, 3),
    ]


def test_a_program_without_records_has_none_of_its_subprograms() -> None:
    spec = read(with_records(skip="functions of p"))
    assert records(spec, "func_info", 2) == []
    assert records(spec, "line_info", 4)
    spec = read(with_records(skip="lines of p"))
    assert records(spec, "func_info", 2)
    assert records(spec, "line_info", 4) == []


@pytest.mark.parametrize(
    ("skip", "what"), [("functions", "function"), ("lines", "line")]
)
def test_a_subprogram_without_records(skip: str, what: str) -> None:
    message = f"subprogram 'used': has no {what} information in .BTF.ext"
    with pytest.raises(ObjectError, match=message):
        read(with_records(skip=f"{skip} of used"))


def test_more_records_than_instructions() -> None:
    asm = eb.Asm()
    elf = eb.ElfBuilder()
    btf = BtfBuilder()
    code = elf.code("xdp", asm.mov(0, 0) + asm.exit())
    elf.function("p", code, 0, 16)
    elf.section(".BTF.ext", eb.btf_ext(btf, lines={"xdp": [(0, 1, 1, 1)] * 3}))
    elf.btf(btf)
    with pytest.raises(ObjectError, match=r"more BTF\.ext records than instructions"):
        read(elf)


def test_records_that_are_no_records() -> None:
    elf = with_records()
    section = next(s for s in elf.sections if s.name == ".BTF.ext")
    section.data = section.data[:-4]
    with pytest.raises(ObjectError, match=r"btf\.ext: records at") as caught:
        read(elf)
    assert caught.value.section == ".BTF.ext"


def callback(
    tags: list[str], *, bind: int = eb.GLOBAL, other: int = 0, on: int = 1
) -> eb.ElfBuilder:
    """Return an object whose program has exception callbacks."""
    asm = eb.Asm()
    elf = eb.ElfBuilder()
    btf = BtfBuilder()
    text = elf.code(".text", asm.mov(0, 7) + asm.exit() + asm.mov(0, 8) + asm.exit())
    sub = elf.function("sub", text, 0, 16)
    elf.function("handler", text, 16, 16, bind=bind, other=other)
    code = elf.code("xdp", asm.call() + asm.exit())
    elf.function("p", code, 0, 16)
    elf.relocate(code, [(0, sub)], 10)
    integer = btf.add_int("int", 4)
    function = btf.add_func("p", btf.add_func_proto(integer), on)
    for tag in tags:
        btf.add_decl_tag(tag, function)
    elf.btf(btf)
    return elf


def test_exception_callback_comes_last() -> None:
    asm = eb.Asm()
    spec = read(callback(["exception_callback:handler", "another tag"]))
    assert code_of(spec, spec.programs[0]) == (
        asm.call(1)
        + asm.exit()
        + asm.mov(0, 7)
        + asm.exit()
        + asm.mov(0, 8)
        + asm.exit()
    )


def test_exception_callback_that_is_called_too() -> None:
    spec = read(callback(["exception_callback:sub"]))
    assert len(code_of(spec, spec.programs[0])) == 32


def test_two_exception_callbacks_are_for_the_verifier_to_refuse() -> None:
    spec = read(callback(["exception_callback:sub", "exception_callback:handler"]))
    assert len(code_of(spec, spec.programs[0])) == 32


@pytest.mark.parametrize(
    ("elf", "message"),
    [
        (callback(["exception_callback:nobody"]), "no exception callback 'nobody'"),
        (callback(["exception_callback:"]), "no exception callback ''"),
        (
            callback(["exception_callback:handler"], bind=eb.LOCAL),
            "has to be one global function",
        ),
        (
            callback(["exception_callback:handler"], other=eb.HIDDEN),
            "has to be one global function",
        ),
        (callback(["exception_callback:sub"], on=0), "is not on a program"),
    ],
    ids=["missing", "empty", "static", "hidden", "static_program"],
)
def test_bad_exception_callback(elf: eb.ElfBuilder, message: str) -> None:
    with pytest.raises(ObjectError, match=message):
        read(elf)


def jump_table(
    entries: list[int], *, offset: int = 0, size: int | None = None
) -> eb.ElfBuilder:
    """Return a subprogram behind another one, with a jump table."""
    asm = eb.Asm()
    elf = eb.ElfBuilder()
    tables = elf.section(".jumptables", struct.pack(f"<{len(entries)}Q", *entries))
    table = elf.symbol(
        "BPF.JT.0.0",
        tables,
        offset,
        8 * len(entries) if size is None else size,
        bind=eb.LOCAL,
        type=eb.OBJECT,
    )
    body = asm.load64(1) + asm.mov(0, 1) + asm.exit()
    text = elf.code(".text", asm.exit() + body)
    sub = elf.function("sub", text, 8, 32)
    elf.relocate(text, [(8, table)])
    code = elf.code("xdp", asm.call() + asm.exit())
    elf.function("p", code, 0, 16)
    elf.relocate(code, [(0, sub)], 10)
    return elf


def test_jump_table() -> None:
    spec = read(jump_table([24, 32, 8]))
    assert spec.subprograms[0].relocs == (JumpTable(0, (2, 3, 0)),)
    assert only(spec).relocs == (JumpTable(2, (4, 5, 2)),)


def test_jump_tables_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small file with many instructions that load one large table."""
    monkeypatch.setattr(programs, "MAX_INSNS", 2)
    with pytest.raises(ObjectError, match="jump tables of more than 2 entries"):
        read(jump_table([24, 32, 8]))


@pytest.mark.parametrize(
    ("elf", "message"),
    [
        (jump_table([0]), "jump table leads out of the function"),
        (jump_table([40]), "jump table leads out of the function"),
        (jump_table([1 << 63]), "jump table leads out of the function"),
        (jump_table([8], offset=4), "jump table of 8 bytes at 4"),
        (jump_table([8], size=12), "jump table of 12 bytes at 0"),
        (jump_table([8], size=16), "jump table of 16 bytes at 0"),
    ],
    ids=["before", "behind", "huge", "odd_offset", "odd_size", "too_long"],
)
def test_bad_jump_table(elf: eb.ElfBuilder, message: str) -> None:
    with pytest.raises(ObjectError, match=message):
        read(elf)


def test_program_of_too_many_instructions() -> None:
    asm = eb.Asm()
    elf = eb.ElfBuilder()
    half = asm.mov(0, 0) * 600_000
    text = elf.code(".text", half)
    sub = elf.function("sub", text, 0, len(half))
    code = elf.code("xdp", half + asm.call() + asm.exit())
    elf.function("p", code, 0, len(half) + 16)
    elf.relocate(code, [(len(half), sub)], 10)
    message = "program 'p': 1200002 instructions with its subprograms; the kernel"
    with pytest.raises(ObjectError, match=message):
        read(elf)


def test_a_subprogram_is_stored_once_however_many_programs_call_it() -> None:
    asm = eb.Asm()
    elf = eb.ElfBuilder()
    body = asm.mov(0, 0) * 999 + asm.exit()
    text = elf.code(".text", body)
    sub = elf.function("sub", text, 0, len(body))
    code = elf.code("xdp", (asm.call() + asm.exit()) * 2000)
    for number in range(2000):
        elf.function(f"p{number}", code, 16 * number, 16)
    elf.relocate(code, [(16 * number, sub) for number in range(2000)], 10)
    spec = read(elf)  # two million instructions, of which each program has a thousand
    assert len(spec.image) < 2 * len(body)
    expected = asm.call(1) + asm.exit() + body
    assert code_of(spec, spec.programs[0]) == code_of(spec, spec.programs[-1])
    assert code_of(spec, spec.programs[0]) == expected


def test_static_functions_of_one_name() -> None:
    """As static linking leaves them: each file may have its own."""
    asm = eb.Asm()
    elf = eb.ElfBuilder()
    names = ["sum", "sum___2", "sum", "sum"]
    section = elf.code(".text", b"".join(asm.mov(0, n) + asm.exit() for n in range(4)))
    for at, name in enumerate(names):
        elf.function(name, section, 16 * at, 16, bind=eb.LOCAL)
    whole = elf.section_symbol(section)
    code = elf.code("xdp", b"".join(asm.call(2 * n - 1) for n in range(4)) + asm.exit())
    elf.function("sum", code, 0, 40)  # and the program is called so, too
    elf.relocate(code, [(8 * n, whole) for n in range(4)], 10)
    spec = read(elf)
    assert [sub.name for sub in spec.subprograms] == [
        *("sum", "sum___2", "sum___3", "sum___4")
    ]
    linked = only(spec)
    assert [placed.start for placed in linked.functions] == [0, 5, 7, 9, 11]


def bad_call(body: bytes, relocs: list[tuple[int, str]]) -> eb.ElfBuilder:
    """Return an object with a program and the subprogram ``sub`` at .text+8."""
    asm = eb.Asm()
    elf = eb.ElfBuilder()
    text = elf.code(".text", asm.exit() * 3)
    symbols = {
        "sub": elf.function("sub", text, 8, 16),
        "text": elf.section_symbol(text),
        "odd": elf.symbol("odd", text, 4, bind=eb.LOCAL, type=eb.NOTYPE),
    }
    code = elf.code("xdp", body)
    elf.function("p", code, 0, len(body))
    symbols["p"] = elf.section_symbol(code)
    elf.relocate(code, [(at, symbols[name]) for at, name in relocs], 10)
    return elf


A = eb.Asm()
BAD_CALLS = {
    "no_relocation": (
        A.call(3) + A.exit(),
        [],
        "calls a function without a relocation",
    ),
    "other_section": (
        A.call(0) + A.exit(),
        [(0, "p")],
        "calls 'xdp' in section 'xdp'; only functions in .text can be called",
    ),
    "no_function": (
        A.call(-1) + A.exit(),
        [(0, "text")],
        "refers to .text+0x0, where no function starts",
    ),
    "middle": (
        A.call(1) + A.exit(),
        [(0, "text")],
        "refers to .text+0x10, where no function starts",
    ),
    "outside": (A.call(99) + A.exit(), [(0, "text")], "refers to .text+0x320"),
    "before": (A.call(-9) + A.exit(), [(0, "text")], "refers to .text+-0x40"),
    "odd": (A.call() + A.exit(), [(0, "odd")], "calls 'odd' at odd offset 4"),
    "helper": (A.helper(5) + A.exit(), [(0, "sub")], "malformed call of 'sub'"),
    "odd_address": (
        A.load64(1, 4) + A.exit(),
        [(0, "text")],
        "takes the address of .text+0x4",
    ),
    "address_of_nothing": (
        A.load64(1, 0) + A.exit(),
        [(0, "text")],
        "refers to .text+0x0, where no function starts",
    ),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_call(name: str) -> None:
    body, relocs, message = BAD_CALLS[name]
    with pytest.raises(ObjectError) as caught:
        read(bad_call(body, relocs))
    assert str(caught.value).startswith("x.o(xdp+0x0): program 'p' insn 0: ")
    assert message in str(caught.value)
