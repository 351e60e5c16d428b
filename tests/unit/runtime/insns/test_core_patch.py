"""Writing a relocation's value into each form of instruction."""

import pytest

from skelgen.btf.core.reloc import Value
from skelgen.btf.core.types import SpecError
from skelgen.runtime.insns.bytecode import Bytecode, Insn
from skelgen.runtime.insns.core import patch
from skelgen.runtime.insns.poison import POISON

MOV_IMM = 0xB7  # ALU64
MOV32_IMM = 0xB4  # ALU
ADD_REG = 0x0F
LDX_W, LDX_H, LDX_B, LDX_DW = 0x61, 0x69, 0x71, 0x79
LDX_W_SIGNED = 0x81  # BPF_MEMSX
ST_W, STX_W = 0x62, 0x63
LDIMM64 = 0x18
JA = 0x05

POISONED = Insn(0x85, 0, 0, 0, POISON)


def code(*insns: Insn, byteorder: str = "little") -> Bytecode:
    result = Bytecode(bytes(8 * len(insns)), byteorder)
    for index, insn in enumerate(insns):
        result[index] = insn
    return result


def patched(insn: Insn, value: Value) -> Insn:
    program = code(insn)
    assert not patch(program, 0, value)
    return program[0]


def value(
    old: int, new: int, *, check: bool = True, old_size: int = 0, new_size: int = 0
) -> Value:
    return Value(False, old, new, check, old_size, new_size)


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_registers_follow_the_byte_order(byteorder: str) -> None:
    program = code(Insn(LDX_W, 1, 10, -4, 0), byteorder=byteorder)
    assert program[0] == Insn(LDX_W, 1, 10, -4, 0)
    assert program.data == bytes.fromhex(
        "61a1fcff00000000" if byteorder == "little" else "611afffc00000000"
    )


@pytest.mark.parametrize("opcode", [MOV_IMM, MOV32_IMM])
@pytest.mark.parametrize(
    ("held", "old", "new", "written"),
    [
        (4, 4, 8, 8),
        (-1, -1, -2, -2),
        (-1, 0xFFFFFFFF, 0xFFFFFFFE, -2),
        (1, 1, 0, 0),
    ],
)
def test_immediates_get_the_new_value(
    opcode: int, held: int, old: int, new: int, written: int
) -> None:
    insn = patched(Insn(opcode, 3, 0, 0, held), value(old, new))
    assert insn == Insn(opcode, 3, 0, 0, written)


def test_an_immediate_that_is_too_large_is_refused() -> None:
    for new in (1 << 32, -(1 << 31) - 1):
        with pytest.raises(SpecError, match="does not fit into a 32-bit immediate"):
            patched(Insn(MOV_IMM, 0, 0, 0, 1), value(1, new))


def test_arithmetic_on_a_register_holds_no_value() -> None:
    with pytest.raises(SpecError, match="no immediate"):
        patched(Insn(ADD_REG, 0, 1, 0, 0), value(0, 1))


@pytest.mark.parametrize("opcode", [LDX_W, LDX_W_SIGNED, ST_W, STX_W])
def test_offsets_get_the_new_value(opcode: int) -> None:
    insn = patched(Insn(opcode, 1, 2, 8, 5), value(8, 0x7FFF))
    assert insn == Insn(opcode, 1, 2, 0x7FFF, 5)


def test_an_offset_that_is_too_large_is_refused() -> None:
    with pytest.raises(SpecError, match="offset 32768 is too large"):
        patched(Insn(LDX_W, 1, 2, 8, 0), value(8, 0x8000))


@pytest.mark.parametrize(
    ("before", "old_size", "new_size", "after"),
    [
        (LDX_W, 4, 8, LDX_DW),
        (LDX_W, 4, 2, LDX_H),
        (LDX_DW, 8, 4, LDX_W),
        (LDX_H, 2, 1, LDX_B),
        (STX_W, 4, 8, 0x7B),
        (ST_W, 4, 1, 0x72),
    ],
)
def test_a_load_or_store_changes_its_size(
    before: int, old_size: int, new_size: int, after: int
) -> None:
    change = value(0, 16, old_size=old_size, new_size=new_size)
    assert patched(Insn(before, 1, 2, 0, 0), change) == Insn(after, 1, 2, 16, 0)


def test_sizes_that_no_load_has_are_refused() -> None:
    with pytest.raises(SpecError, match="accesses 4 bytes of a field of 8"):
        patched(Insn(LDX_W, 1, 2, 0, 0), value(0, 0, old_size=8, new_size=4))
    with pytest.raises(SpecError, match="no load or store has 16 bytes"):
        patched(Insn(LDX_W, 1, 2, 0, 0), value(0, 0, old_size=4, new_size=16))


def test_a_load_that_cannot_follow_the_size_is_poisoned() -> None:
    program = code(Insn(LDX_W, 1, 2, 0, 0))
    change = Value(False, 0, 4, old_size=4, new_size=8, resizable=False)
    assert patch(program, 0, change)
    assert program[0] == POISONED


def test_an_immediate_does_not_care_about_sizes() -> None:
    change = Value(False, 0, 4, old_size=4, new_size=8, resizable=False)
    assert patched(Insn(MOV_IMM, 1, 0, 0, 0), change).imm == 4


@pytest.mark.parametrize(
    ("low", "high", "old", "new", "expected"),
    [
        (7, 0, 7, 9, (9, 0)),
        (7, 1, 7 + (1 << 32), 3 << 32 | 1, (1, 3)),
        (-1, 0, 0xFFFFFFFF, -1, (-1, -1)),
        (-1, -1, 0xFFFFFFFF, 0xFFFFFFFE, (-2, 0)),  # widened either way
        (-1, -1, -1, 1 << 63, (0, -(1 << 31))),
    ],
)
def test_64_bit_loads_get_both_halves(
    low: int, high: int, old: int, new: int, expected: tuple[int, int]
) -> None:
    program = code(Insn(LDIMM64, 2, 0, 0, low), Insn(0, 0, 0, 0, high))
    assert not patch(program, 0, value(old, new))
    assert (program[0].imm, program[1].imm) == expected
    assert program[0].dst == 2


def test_64_bit_loads_that_are_something_else_are_refused() -> None:
    for first, second in (
        (Insn(LDIMM64, 2, 1, 0, 7), Insn(0, 0, 0, 0, 0)),  # a map
        (Insn(LDIMM64, 2, 0, 1, 7), Insn(0, 0, 0, 0, 0)),
        (Insn(LDIMM64, 2, 0, 0, 7), Insn(MOV_IMM, 0, 0, 0, 0)),
    ):
        with pytest.raises(SpecError, match="something else than a constant"):
            patch(code(first, second), 0, value(7, 8))
    with pytest.raises(SpecError, match="without its second half"):
        patch(code(Insn(LDIMM64, 2, 0, 0, 7)), 0, value(7, 8))


@pytest.mark.parametrize(
    "insn", [Insn(MOV_IMM, 0, 0, 0, 5), Insn(LDX_W, 0, 1, 5, 0), Insn(ST_W, 0, 1, 5, 0)]
)
def test_an_instruction_that_holds_something_else_is_refused(insn: Insn) -> None:
    with pytest.raises(SpecError, match="holds 5 where the object's BTF says 4"):
        patched(insn, value(4, 8))
    assert patched(insn, value(4, 8, check=False)) != insn


def test_a_64_bit_load_that_holds_something_else_is_refused() -> None:
    program = code(Insn(LDIMM64, 2, 0, 0, 7), Insn(0, 0, 0, 0, 1))
    with pytest.raises(SpecError, match="holds 4294967303"):
        patch(program, 0, value(7, 8))


def test_poison_replaces_the_whole_instruction() -> None:
    program = code(
        Insn(MOV_IMM, 0, 0, 0, 5), Insn(LDIMM64, 2, 0, 0, 7), Insn(0, 0, 0, 0, 0)
    )
    assert patch(program, 0, Value(True))
    assert patch(program, 1, Value(True))
    assert [program[index] for index in range(3)] == [POISONED] * 3


def test_instructions_that_cannot_be_relocated_are_refused() -> None:
    with pytest.raises(SpecError, match="instruction 0x05"):
        patched(Insn(JA, 0, 0, 0, 0), value(0, 0))
    with pytest.raises(SpecError, match="no instruction 1"):
        patch(code(Insn(JA, 0, 0, 0, 0)), 1, value(0, 0))
