"""Instructions that came after BPF itself: the first kernel, and clang's ``-mcpu=``.

Kernels do not list their instructions; the verifier refuses a program that has one it
does not know. Those that every supported kernel has (4.18) are left out.
"""

from struct import iter_unpack

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_LDX, _STX, _ALU, _JMP, _JMP32, _ALU64 = 1, 3, 4, 5, 6, 7  # BPF_CLASS()
_MEMSX, _ATOMIC = 0x80, 0xC0  # BPF_MODE()
_DIV, _MOD, _MOV, _END = 0x30, 0x90, 0xB0, 0xD0  # BPF_OP()
_REGISTER = 0x08  # BPF_X
_ACQUIRE, _RELEASE = 0x100, 0x110


class Newer(Record):
    """A kind of instruction."""

    name: str
    """With its article, in the singular."""
    since: str
    """First mainline kernel."""
    cpu: str = ""
    """The newest ``-mcpu=`` that makes none; empty where the source asks for it."""


_GOTOL = Newer("a long jump (gotol)", "6.6", "v3")
_GOTOX = Newer("an indirect jump (gotox)", "6.19", "v3")
_MAY_GOTO = Newer("may_goto (can_loop)", "6.9")
_JUMP32 = Newer("a jump that compares 32 bits", "5.1", "v2")
FETCH = Newer("an atomic operation other than a plain add", "5.12", "v2")
_ORDERED = Newer("a load or store with memory order", "6.15", "v3")
_LOAD_SIGNED = Newer("a sign-extending load", "6.6", "v3")
_MOVE_SIGNED = Newer("a sign-extending move", "6.6", "v3")
_DIVIDE_SIGNED = Newer("a signed division", "6.6", "v3")
_BSWAP = Newer("a byte swap (bswap)", "6.6", "v3")
_CAST = Newer("a cast between address spaces", "6.9")
KFUNC = Newer(
    "a call of a kernel function (kfunc)", "5.13, and of a module's with 5.16"
)
"""A call like others until the loader has found the function: none of ``newer()``."""


def newer(code: int, off: int, imm: int) -> Newer | None:
    """Return what an instruction is that not every kernel knows, ``None`` for others.

    The arguments are fields of ``struct bpf_insn``.
    """
    kind = code & 7
    if kind == _STX and code & 0xE0 == _ATOMIC and imm:
        return _ORDERED if imm in {_ACQUIRE, _RELEASE} else FETCH
    if kind == _LDX and code & 0xE0 == _MEMSX:
        return _LOAD_SIGNED
    if kind == _JMP32:
        return _GOTOL if code & 0xF0 == 0 else _JUMP32
    if kind == _JMP:
        return {0x0D: _GOTOX, 0xE5: _MAY_GOTO}.get(code)
    if kind in {_ALU, _ALU64}:
        return _newer_arithmetic(code, off)
    return None


def all_newer(
    code: bytes | bytearray | memoryview, byteorder: str
) -> "Iterator[tuple[int, int, Newer]]":
    """Yield number, opcode and meaning of each such instruction of a function."""
    form = ">BxhI" if byteorder == "big" else "<BxhI"
    for number, (opcode, off, imm) in enumerate(iter_unpack(form, code)):
        kind = newer(opcode, off, imm)
        if kind is not None:
            yield number, opcode, kind


def _newer_arithmetic(code: int, off: int) -> Newer | None:
    operation = code & 0xF0
    if operation == _MOV and code & _REGISTER and off:
        return _CAST if off == 1 else _MOVE_SIGNED
    if operation in {_DIV, _MOD} and off:
        return _DIVIDE_SIGNED
    if operation == _END and code & 7 == _ALU64:
        return _BSWAP
    return None
