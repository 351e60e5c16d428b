"""ELF files with symbols, made by hand, and how they are refused."""

import pytest

from skelgen.runtime.binaries.elf import ElfError, ElfFile
from skelgen.runtime.binaries.symbols import ElfSymbols
from tests.harness.elf_files import CODE, DATA, OBJECT, UNDEF, Builder, Sym

FORMS = [(True, "<"), (True, ">"), (False, "<"), (False, ">")]
HIDDEN = 0x8000
VERSIONED = [
    Sym("getpid", 0, section=UNDEF, version=4),
    Sym("f", CODE + 0x10, version=2 | HIDDEN),
    Sym("f", CODE + 0x20, version=3),
    Sym("old", CODE + 0x30, version=2 | HIDDEN),
    Sym("two", CODE + 0x40, version=2 | HIDDEN),
    Sym("two", CODE + 0x50, version=3 | HIDDEN),
    Sym("plain", CODE + 0x60),
    Sym("value", DATA, OBJECT, version=3),
]


def symbols_of(data: bytes) -> ElfSymbols:
    return ElfSymbols(ElfFile.of_bytes(data, "x"))


def versioned(
    *,
    is_64: bool = True,
    order: str = "<",
    hashes: str = "gnu",
    section_headers: bool = True,
) -> bytes:
    builder = Builder(is_64=is_64, order=order)
    builder.dynamic(
        VERSIONED,
        versions=["V1", "V2"],
        needed=[("GLIBC_2.2.5", "libc.so.6")],
        libraries=["libc.so.6", "libm.so.6"],
        hashes=hashes,
    )
    return builder.build(section_headers=section_headers)


def with_symtab(*symbols: Sym, e_type: int = 3) -> bytes:
    builder = Builder(e_type=e_type)
    builder.symtab(symbols)
    return builder.build()


def refused(data: bytes, name: str) -> str:
    with pytest.raises(ElfError) as caught:
        symbols_of(data).find(name)
    return str(caught.value)
