"""CO-RE: writing a relocation's value into its instruction."""

from skelgen.btf.core.reloc import Value
from skelgen.btf.core.types import SpecError
from skelgen.runtime.insns.bytecode import LDIMM64, Bytecode, Insn

POISON = 0xBAD2310
"""195896080, "bad relo": helper that a failed relocation calls, as in libbpf."""

# classes of instructions, BPF_CLASS()
_LD, _LDX, _ST, _STX, _ALU, _ALU64 = 0, 1, 2, 3, 4, 7
_SOURCE_REGISTER = 0x08
_SIZES = {0x18: 8, 0x00: 4, 0x08: 2, 0x10: 1}
_SIZE_BITS = {size: bits for bits, size in _SIZES.items()}
_MASK64 = (1 << 64) - 1


def patch(code: Bytecode, index: int, value: Value) -> bool:
    """Write a value into an instruction; return whether it had to be poisoned.

    Raises :class:`SpecError` where the instruction is of a kind that holds no such
    value, or does not hold what the object's BTF says it holds.
    """
    if not 0 <= index < len(code):
        raise SpecError(f"program has no instruction {index}")
    if value.poison:
        code.poison(index, POISON)
        return True
    insn = code[index]
    family = insn.code & 7
    if family in {_ALU, _ALU64}:
        code[index] = _patch_alu(insn, value)
    elif family in {_LDX, _ST, _STX}:
        if not value.resizable:
            _check_old(insn.off, value)
            code.poison(index, POISON)
            return True
        code[index] = _patch_memory(insn, value)
    elif insn.code == LDIMM64:
        _patch_ldimm64(code, index, value)
    else:
        raise SpecError(f"instruction {insn.code:#04x} cannot be relocated")
    return False


def _check_old(held: int, value: Value, mask: int = _MASK64) -> None:
    if value.check and (held ^ value.old) & mask:
        raise SpecError(
            f"instruction holds {held} where the object's BTF says {value.old}"
        )


def _patch_alu(insn: Insn, value: Value) -> Insn:
    if insn.code & _SOURCE_REGISTER:
        raise SpecError("instruction has no immediate to relocate")
    # an unsigned constant of 32 bits reads as a negative immediate
    _check_old(insn.imm, value, 0xFFFFFFFF)
    if not -(1 << 31) <= value.new < 1 << 32:
        raise SpecError(f"value {value.new} does not fit into a 32-bit immediate")
    return insn._replace(imm=value.new)


def _patch_memory(insn: Insn, value: Value) -> Insn:
    _check_old(insn.off, value)
    if not 0 <= value.new <= 0x7FFF:
        raise SpecError(f"offset {value.new} is too large for a load or store")
    code = insn.code
    if value.new_size != value.old_size:
        size = _SIZES[code & 0x18]
        if size != value.old_size:
            raise SpecError(
                f"instruction accesses {size} bytes of a field of {value.old_size}"
            )
        if value.new_size not in _SIZE_BITS:
            raise SpecError(f"no load or store has {value.new_size} bytes")
        code = code & ~0x18 | _SIZE_BITS[value.new_size]
    return insn._replace(code=code, off=value.new)


def _patch_ldimm64(code: Bytecode, index: int, value: Value) -> None:
    if not code.is_ldimm64(index):
        raise SpecError("64-bit load without its second half")
    low, high = code[index], code[index + 1]
    if low.src or low.off or high[:4] != (0, 0, 0, 0):
        raise SpecError("64-bit load of something else than a constant")
    held = low.imm & 0xFFFFFFFF | (high.imm & 0xFFFFFFFF) << 32
    extended = high.imm == (-1 if low.imm < 0 else 0)
    # compilers differ in how they widen a 32-bit constant
    _check_old(held, value, 0xFFFFFFFF if extended else _MASK64)
    code.set_ldimm64(index, 0, value.new, value.new >> 32)
