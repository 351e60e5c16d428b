"""Putting what this kernel decides into a program's instructions.

Relocations name maps, sections and externs; here they become fds, BTF ids and
addresses. What is not there becomes a call of a helper that does not exist: the
verifier refuses it where the program can reach it, and its number tells what it was.
"""

from collections.abc import Iterable, Mapping

from skelgen._record import Record
from skelgen.model.spec import ExternLoad, JumpTable, KfuncCall, MapFd, MapValue, Reloc
from skelgen.runtime.errors import BpfError
from skelgen.runtime.insns.bytecode import (
    CALL,
    PSEUDO_BTF_ID,
    PSEUDO_KFUNC_CALL,
    PSEUDO_MAP_FD,
    PSEUDO_MAP_VALUE,
    Bytecode,
)
from skelgen.runtime.insns.poison import POISON_KFUNC, POISON_MAP


class MapPlace(Record):
    """Where a map, or the map of a data section, is."""

    fd: int | None
    """``None`` for one that was not made."""
    position: int
    """Place among the object's maps, for the marker of a missing one."""
    base: int = 0
    """Byte in the map where the section begins."""


class Symbol(Record):
    """Where a kernel symbol is; all zero for a weak one that is missing."""

    address: int = 0
    """Of a variable without a type."""
    btf_id: int = 0
    """Of a typed variable or a function."""
    module_fd: int = 0
    """BTF of the module that has it; 0 for vmlinux."""
    fd_index: int = 0
    """The same as an index into ``fd_array``."""


class Places(Record):
    """All that relocations of one object can name."""

    maps: dict[str, MapPlace]
    sections: dict[str, MapPlace]
    symbols: Mapping[str, Symbol]
    externs: tuple[str, ...]
    """Names in order, for the marker of a missing function."""


def maps_of(relocs: Iterable[Reloc]) -> list[str]:
    """Return the maps and data sections that relocations name, once each."""
    found: dict[str, None] = {}
    for reloc in relocs:
        if isinstance(reloc, MapFd):
            found[reloc.map] = None
        elif isinstance(reloc, MapValue):
            found[reloc.section] = None
    return list(found)


def relocate(
    program: str,
    code: Bytecode,
    relocs: Iterable[Reloc],
    places: Places,
    tables: dict[tuple[int, ...], int],
) -> None:
    """Apply a program's relocations; ``tables`` has the fds of its jump tables."""
    for reloc in relocs:
        insn = reloc.insn
        if isinstance(reloc, KfuncCall):
            _relocate_kfunc(program, code, reloc, places)
            continue
        if not code.is_ldimm64(insn):
            raise BpfError(
                f"program '{program}': instruction {insn} is no 64-bit load to relocate"
            )
        if isinstance(reloc, MapFd):
            _relocate_map(code, insn, places.maps[reloc.map], None)
        elif isinstance(reloc, MapValue):
            _relocate_map(code, insn, places.sections[reloc.section], reloc.offset)
        elif isinstance(reloc, ExternLoad):
            _load_symbol(code, insn, places.symbols[reloc.extern])
        else:
            assert isinstance(reloc, JumpTable)  # the last kind
            code.set_ldimm64(insn, PSEUDO_MAP_VALUE, tables[reloc.targets], 0)


def _relocate_map(
    code: Bytecode, insn: int, place: MapPlace, offset: int | None
) -> None:
    if place.fd is None:
        code.poison(insn, POISON_MAP + place.position)
    elif offset is None:
        code.set_ldimm64(insn, PSEUDO_MAP_FD, place.fd, 0)
    else:
        code.set_ldimm64(insn, PSEUDO_MAP_VALUE, place.fd, place.base + offset)


def _load_symbol(code: Bytecode, insn: int, symbol: "Symbol") -> None:
    if symbol.btf_id:
        code.set_ldimm64(insn, PSEUDO_BTF_ID, symbol.btf_id, symbol.module_fd)
    else:  # a plain constant, 0 for what is missing
        code.set_ldimm64(insn, 0, symbol.address, symbol.address >> 32)


def _relocate_kfunc(
    program: str, code: Bytecode, reloc: KfuncCall, places: Places
) -> None:
    symbol = places.symbols[reloc.extern]
    if code.is_ldimm64(reloc.insn):
        _load_symbol(code, reloc.insn, symbol)
        return
    insn = code[reloc.insn]
    if insn.code != CALL:
        raise BpfError(
            f"program '{program}': instruction {reloc.insn} is no call to relocate"
        )
    if symbol.btf_id:
        code[reloc.insn] = insn._replace(
            src=PSEUDO_KFUNC_CALL, off=symbol.fd_index, imm=symbol.btf_id
        )
    else:
        number = places.externs.index(reloc.extern)
        code.poison(reloc.insn, POISON_KFUNC + number)
