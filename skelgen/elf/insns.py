"""Instructions, in the byte order of the object that they came from.

``struct bpf_insn`` (``linux/bpf.h``) is one byte of opcode, one of two register
numbers, a 16-bit offset and a 32-bit immediate. Offset and immediate are in the
object's byte order; the registers are bit fields, so that the destination is the
low half of its byte on little endian and the high half on big endian.
"""

import struct
from collections.abc import Iterator

INSN_SIZE = 8
MAX_INSNS = 1_000_000
"""``BPF_COMPLEXITY_LIMIT_INSNS``: the kernel takes no longer program (E2BIG)."""

CALL = 0x85
"""``BPF_JMP | BPF_CALL``."""
LD_IMM64 = 0x18
"""``BPF_LD | BPF_IMM | BPF_DW``, first half of two."""

PSEUDO_CALL = 1
"""Source register of a call to a BPF function (``BPF_PSEUDO_CALL``)."""
PSEUDO_FUNC = 4
"""Source register of a load of a BPF function's address (``BPF_PSEUDO_FUNC``)."""


class Insns:
    """Instructions that can be looked at and patched."""

    __slots__ = ("_big", "_imm", "byteorder", "data")

    def __init__(self, data: bytes, byteorder: str) -> None:
        self.data = bytearray(data)
        self.byteorder = byteorder
        self._big = byteorder == "big"
        self._imm = struct.Struct(">i" if self._big else "<i")

    def __len__(self) -> int:
        return len(self.data) // INSN_SIZE

    def extend(self, other: "Insns") -> None:
        """Append other instructions."""
        self.data += other.data

    def opcode(self, index: int) -> int:
        """Return the opcode."""
        return self.data[index * INSN_SIZE]

    def src(self, index: int) -> int:
        """Return the source register."""
        registers = self.data[index * INSN_SIZE + 1]
        return registers & 0xF if self._big else registers >> 4

    def imm(self, index: int) -> int:
        """Return the immediate, signed."""
        value: int = self._imm.unpack_from(self.data, index * INSN_SIZE + 4)[0]
        return value

    def set_src(self, index: int, register: int) -> None:
        """Change the source register."""
        place = index * INSN_SIZE + 1
        registers = self.data[place]
        if self._big:
            self.data[place] = registers & 0xF0 | register
        else:
            self.data[place] = registers & 0x0F | register << 4

    def set_imm(self, index: int, value: int) -> None:
        """Change the immediate, signed."""
        self._imm.pack_into(self.data, index * INSN_SIZE + 4, value)

    def calls(self) -> Iterator[int]:
        """Yield the calls of BPF functions, by index."""
        # code, dst_reg, src_reg and off as the compiler sets them
        registers = PSEUDO_CALL if self._big else PSEUDO_CALL << 4
        head = bytes((CALL, registers, 0, 0))
        opcodes = bytes(self.data[::INSN_SIZE])
        index = opcodes.find(CALL)
        while index >= 0:
            if self.data.startswith(head, index * INSN_SIZE):
                yield index
            index = opcodes.find(CALL, index + 1)
