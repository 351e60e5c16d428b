"""The hash of a program's instructions, by which the kernel tells it from others."""

import sys
from hashlib import sha256

from skelgen.runtime.insns.bytecode import PSEUDO_MAP_FD, PSEUDO_MAP_VALUE, Bytecode


def program_hash(code: Bytecode) -> bytes:
    """Return the SHA-256 of relocated instructions, 32 bytes.

    That of the kernel's ``bpf_prog_calc_tag`` since Linux 6.18 (SHA-1 before): fds of
    maps, which every load has others of, and places in them count as 0. The program's
    tag is the first 8 bytes.
    """
    plain = Bytecode(code.data, sys.byteorder)
    for index in range(len(plain)):
        source = plain[index].src
        if plain.is_ldimm64(index) and source in {PSEUDO_MAP_FD, PSEUDO_MAP_VALUE}:
            plain.set_ldimm64(index, source, 0, 0)
    return sha256(plain.data).digest()
