"""Calls that lead nowhere, exception callbacks and jump tables."""

import struct

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.elf import programs
from skelgen.errors import ObjectError
from skelgen.model.spec import JumpTable
from tests.harness import elf_builder as eb
from tests.harness.elf_code import code_of, only, read


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


def test_an_exception_callback_that_is_called_too_is_there_once() -> None:
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
def test_a_bad_exception_callback_is_refused(elf: eb.ElfBuilder, message: str) -> None:
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


def test_a_jump_table_leads_to_instructions_of_its_function() -> None:
    spec = read(jump_table([24, 32, 8]))
    assert spec.subprograms[0].relocs == (JumpTable(0, (2, 3, 0)),)
    assert only(spec).relocs == (JumpTable(2, (4, 5, 2)),)


def test_jump_tables_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_bad_jump_table_is_refused(elf: eb.ElfBuilder, message: str) -> None:
    with pytest.raises(ObjectError, match=message):
        read(elf)


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
def test_a_bad_call_is_refused_with_its_place(name: str) -> None:
    body, relocs, message = BAD_CALLS[name]
    with pytest.raises(ObjectError) as caught:
        read(bad_call(body, relocs))
    assert str(caught.value).startswith("x.o(xdp+0x0): program 'p' insn 0: ")
    assert message in str(caught.value)
