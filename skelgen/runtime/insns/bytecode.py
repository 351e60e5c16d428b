"""Instructions of one program, to be patched in place."""

from struct import Struct

from skelgen._record import Record

SIZE = 8
"""Bytes of an instruction, ``struct bpf_insn``."""

LDIMM64 = 0x18
"""``BPF_LD | BPF_IMM | BPF_DW``: loads 64 bits and takes two slots."""
CALL = 0x85
"""``BPF_JMP | BPF_CALL``."""

PSEUDO_MAP_FD = 1
PSEUDO_MAP_VALUE = 2
PSEUDO_KFUNC_CALL = 2
"""``src_reg`` of a call; 2 means a map's value in a 64-bit load."""
PSEUDO_BTF_ID = 3


class Insn(Record):
    """``struct bpf_insn``."""

    code: int
    dst: int
    src: int
    off: int
    imm: int


class Bytecode:
    """Instructions that can be read and rewritten by index."""

    __slots__ = ("_big", "_struct", "data")

    def __init__(self, data: bytes | bytearray | memoryview, byteorder: str) -> None:
        self.data = bytearray(data)
        """All of them, as the kernel wants them."""
        self._big = byteorder == "big"
        self._struct = Struct(">BBhi" if self._big else "<BBhi")

    def __len__(self) -> int:
        return len(self.data) // SIZE

    def __getitem__(self, index: int) -> Insn:
        code, regs, off, imm = self._struct.unpack_from(self.data, index * SIZE)
        if self._big:  # the bit-fields of struct bpf_insn follow the byte order
            return Insn(code, regs >> 4, regs & 15, off, imm)
        return Insn(code, regs & 15, regs >> 4, off, imm)

    def __setitem__(self, index: int, insn: Insn) -> None:
        code, dst, src, off, imm = insn
        regs = dst << 4 | src if self._big else src << 4 | dst
        self._struct.pack_into(self.data, index * SIZE, code, regs, off, signed32(imm))

    def is_ldimm64(self, index: int) -> bool:
        """Whether a whole 64-bit load starts here."""
        return index + 1 < len(self) and self.data[index * SIZE] == LDIMM64

    def set_ldimm64(self, index: int, src: int, low: int, high: int) -> None:
        """Set source kind and both immediates of a 64-bit load."""
        self[index] = self[index]._replace(src=src, imm=low)
        self[index + 1] = self[index + 1]._replace(imm=high)

    def poison(self, index: int, marker: int) -> None:
        """Replace an instruction by a call of a helper that does not exist.

        The verifier refuses it where the program can reach it, and forgets it in
        dead code. Both slots of a 64-bit load go.
        """
        call = Insn(CALL, 0, 0, 0, marker)
        if self.is_ldimm64(index):
            self[index + 1] = call
        self[index] = call


def signed32(value: int) -> int:
    """Return the low 32 bits as a signed number."""
    return (value & 0xFFFFFFFF ^ 0x80000000) - 0x80000000
