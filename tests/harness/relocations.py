"""What a compiled object asks of its loader, by name: to compare two objects.

Numbers of types and strings differ between two compilations that mean the same, so
CO-RE records and ELF relocations are given by what they refer to.
"""

from pathlib import Path
from typing import NamedTuple

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Section

from skelgen.btf import Btf
from skelgen.btf.ext import BtfExt, by_section
from skelgen.btf.resolve import skip_mods_and_typedefs
from skelgen.btf.types import Array, Enum, Enum64, Struct, Union


class Relocation(NamedTuple):
    """One CO-RE record."""

    offset: int
    """Of the instruction in its section, in bytes."""
    root: str
    """Kind and name of the type it starts from."""
    access: str
    """Indices, as in BTF."""
    path: str
    """The same as C: ``.leaf.numbers[2]``, an enumerator's name, or nothing."""
    kind: int
    """``enum bpf_core_relo_kind``."""


class Facts(NamedTuple):
    """All that a loader gets from an object, apart from debug information."""

    code: dict[str, bytes]
    """Executable sections."""
    data: dict[str, bytes | int]
    """Sections of data and maps: contents, or the size of one that has none."""
    symbols: dict[str, list[tuple[int, int, str]]]
    """ELF relocations of the code: offset, type, symbol or place in a section."""
    core: dict[str, list[Relocation]]
    """CO-RE records of the code."""


def read(path: Path) -> Facts:
    """Return the facts of an object file."""
    facts = Facts({}, {}, {}, {})
    with path.open("rb") as file:
        elf = ELFFile(file)
        for section in elf.iter_sections():
            if section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR:
                if section["sh_size"]:
                    facts.code[section.name] = section.data()
            elif section["sh_type"] == "SHT_NOBITS":
                facts.data[section.name] = section["sh_size"]
            elif section["sh_flags"] & SH_FLAGS.SHF_ALLOC and section.name[:1] != "_":
                facts.data[section.name] = section.data()
            elif section["sh_type"] == "SHT_REL":
                _read_symbols(elf, section, facts)
        btf_section = elf.get_section_by_name(".BTF")
        ext_section = elf.get_section_by_name(".BTF.ext")
        if btf_section is not None and ext_section is not None:
            btf = Btf(btf_section.data())
            ext = BtfExt(ext_section.data(), "little" if elf.little_endian else "big")
            for name, records in by_section(btf, ext.core_relo).items():
                facts.core[name] = [
                    _named(btf, btf.string(record.access_str_off), record)
                    for record in records
                ]
    return facts


def _read_symbols(elf: ELFFile, section: Section, facts: Facts) -> None:
    target = elf.get_section(section["sh_info"])
    if not target["sh_flags"] & SH_FLAGS.SHF_EXECINSTR:
        return
    table = elf.get_section(section["sh_link"])
    found = facts.symbols.setdefault(target.name, [])
    for relocation in section.iter_relocations():
        symbol = table.get_symbol(relocation["r_info_sym"])
        name, place = symbol.name, symbol["st_shndx"]
        if symbol["st_info"]["bind"] == "STB_LOCAL" and isinstance(place, int):
            name = f"{elf.get_section(place).name}+{symbol['st_value']}"
        found.append((relocation["r_offset"], relocation["r_info_type"], name))


def _named(btf: Btf, access: str, record: "object") -> Relocation:
    insn_off, type_id, _, kind = record
    root = btf.type(type_id)
    return Relocation(
        insn_off,
        f"{type(root).__name__} {btf.name(type_id)}".rstrip(),
        access,
        _path(btf, type_id, [int(index) for index in access.split(":")]),
        kind,
    )


def _path(btf: Btf, type_id: int, access: list[int]) -> str:
    kind = btf.type(skip_mods_and_typedefs(btf, type_id))
    if isinstance(kind, Enum | Enum64):
        return kind.values[access[0]].name
    path = f"[{access[0]}]" if access[0] else ""
    for index in access[1:]:
        if isinstance(kind, Struct | Union):
            member = kind.members[index]
            path += f".{member.name}" if member.name else ""
            following = member.type_id
        else:
            assert isinstance(kind, Array)
            path += f"[{index}]"
            following = kind.type_id
        kind = btf.type(skip_mods_and_typedefs(btf, following))
    return path
