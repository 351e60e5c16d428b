"""CO-RE of one program: its records are worked out and written into its instructions."""

from struct import iter_unpack

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.core.reloc import CoreRelo, CoreRelocator, Value
from skelgen.btf.core.types import SpecError
from skelgen.btf.errors import BtfParseError
from skelgen.runtime.errors import BpfError, CoreRelocationError, KernelBtfError
from skelgen.runtime.insns.bytecode import LDIMM64, Bytecode, Insn
from skelgen.runtime.insns.poison import POISON

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf

# classes of instructions, BPF_CLASS()
_LD, _LDX, _ST, _STX, _ALU, _ALU64 = 0, 1, 2, 3, 4, 7
_SOURCE_REGISTER = 0x08
_SIZES = {0x18: 8, 0x00: 4, 0x08: 2, 0x10: 1}
_SIZE_BITS = {size: bits for bits, size in _SIZES.items()}
_MASK64 = (1 << 64) - 1


def relocate_core(
    program: str,
    records: "memoryview | bytes",
    code: Bytecode,
    relocator: "CoreRelocator | None",
    start: int = 0,
) -> dict[int, CoreRelo]:
    """Fit instructions to the target's types; return what had to be poisoned.

    ``records`` are ``struct bpf_core_relo``, whose offsets count instructions of
    ``code``, and so do the keys of what is returned. ``start`` is where the program
    has this function; errors count from the program's first instruction.
    Raises :class:`CoreRelocationError`, and :class:`KernelBtfError` where the kernel
    has no types and no others were given.
    """
    if relocator is None:
        raise BpfError(
            f"program '{program}': has CO-RE relocations, and the object has no BTF"
        )
    poisoned: dict[int, CoreRelo] = {}
    for relo in _read(program, records, relocator.btf):
        try:
            if patch(code, relo.insn, relocator.value(relo)):
                poisoned[relo.insn] = relo
        except SpecError as error:
            place = relo._replace(insn=start + relo.insn)
            raise missing(program, place, relocator, str(error)) from error
        except KernelBtfError as error:
            error.add_note(
                f"program '{program}' has CO-RE relocations, which need the kernel's"
                " types; open(btf=...) takes them from a file, and 'skelgen btf min'"
                " makes a small one"
            )
            raise
    return poisoned


def _read(program: str, records: "memoryview | bytes", btf: "Btf") -> list[CoreRelo]:
    relos: list[CoreRelo] = []
    try:
        for insn, type_id, access, kind in iter_unpack("=4I", records):
            relos.append(CoreRelo(insn, type_id, btf.string(access), kind))
    except BtfParseError as error:
        raise BpfError(f"program '{program}': CO-RE records: {error}") from error
    return relos


def missing(
    program: str, relo: CoreRelo, relocator: CoreRelocator, why: str
) -> CoreRelocationError:
    """Return the error about a relocation; ``why`` goes on after what it asks for."""
    access = relocator.access(relo)
    return CoreRelocationError(
        f"{program} insn {relo.insn}: {access}{_joint(why)}{why}",
        program=program,
        insn=relo.insn,
        access=access,
    )


def _joint(why: str) -> str:
    return " " if why.startswith("not in ") else ": "


# -- one instruction -----------------------------------------------------------


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
