"""CO-RE of one program: its records, one after another, put into its instructions."""

from struct import iter_unpack

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.core.reloc import CoreRelo, CoreRelocator
from skelgen.btf.core.types import SpecError
from skelgen.btf.errors import BtfParseError
from skelgen.runtime.errors import BpfError, CoreRelocationError, KernelBtfError
from skelgen.runtime.insns.core_patch import patch

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf
    from skelgen.runtime.insns.bytecode import Bytecode


def relocate_core(
    program: str,
    records: "memoryview | bytes",
    code: "Bytecode",
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
