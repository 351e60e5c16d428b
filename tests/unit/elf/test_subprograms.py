"""Programs with the subprograms they call: order, calls, records."""

import struct

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.errors import ObjectError
from skelgen.model.linked import Linker
from skelgen.model.spec import MapValue, ObjectSpec
from tests.harness import elf_builder as eb
from tests.harness.elf_code import BOTH, Text, code_of, only, read

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
def test_subprograms_follow_depth_first_and_once(
    name: str, static: str, byteorder: str
) -> None:
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


def test_a_chain_longer_than_the_stack_of_python_is_linked() -> None:
    text = Text()
    count = 3000
    text.functions = [(f"f{n}", [f"f{n + 1}"]) for n in range(count)]
    text.functions.append((f"f{count}", []))
    text.programs = [("p", ["f0"])]
    spec = read(text.build())
    order = ["p", *(f"f{n}" for n in range(count + 1))]
    assert code_of(spec, spec.programs[0]) == text.expected(order)


@BOTH
def test_the_address_of_a_function_leads_to_its_copy(byteorder: str) -> None:
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
def test_records_move_with_their_subprograms(byteorder: str) -> None:
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
def test_a_subprogram_without_records_is_refused(skip: str, what: str) -> None:
    message = f"subprogram 'used': has no {what} information in .BTF.ext"
    with pytest.raises(ObjectError, match=message):
        read(with_records(skip=f"{skip} of used"))


def test_more_records_than_instructions_are_refused() -> None:
    asm = eb.Asm()
    elf = eb.ElfBuilder()
    btf = BtfBuilder()
    code = elf.code("xdp", asm.mov(0, 0) + asm.exit())
    elf.function("p", code, 0, 16)
    elf.section(".BTF.ext", eb.btf_ext(btf, lines={"xdp": [(0, 1, 1, 1)] * 3}))
    elf.btf(btf)
    with pytest.raises(ObjectError, match=r"more BTF\.ext records than instructions"):
        read(elf)


def test_records_that_are_no_records_are_refused() -> None:
    elf = with_records()
    section = next(s for s in elf.sections if s.name == ".BTF.ext")
    section.data = section.data[:-4]
    with pytest.raises(ObjectError, match=r"btf\.ext: records at") as caught:
        read(elf)
    assert caught.value.section == ".BTF.ext"


def test_a_program_of_too_many_instructions_is_refused() -> None:
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


def test_static_functions_of_one_name_are_numbered() -> None:
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
