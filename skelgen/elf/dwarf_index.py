"""The debugging entries of an object, found by name.

DWARF 2 to 5 is read, through pyelftools.
"""

import struct
from io import BytesIO
from typing import TYPE_CHECKING

from skelgen.elf.reader import SHF_COMPRESSED, SHN_LORESERVE, SHT_REL, ElfFile, Section
from skelgen.errors import ObjectError
from skelgen.near_names import or_near

if TYPE_CHECKING:
    from elftools.dwarf.compileunit import CompileUnit
    from elftools.dwarf.die import DIE
    from elftools.dwarf.dwarfinfo import DWARFInfo

MAX_ENTRIES = 200_000
"""Debugging entries of an object. pyelftools needs a kilobyte for each; an object
with all of the kernel's types in it has a tenth of that."""
MAX_UNITS = 4_096
"""Compile units of an object."""
MAX_STRING = 8_192
"""Bytes of a string in DWARF."""

_NAMED = frozenset(
    (
        "DW_TAG_structure_type",
        "DW_TAG_class_type",
        "DW_TAG_union_type",
        "DW_TAG_enumeration_type",
        "DW_TAG_typedef",
    )
)
_SECTIONS = {
    "debug_info_sec": ".debug_info",
    "debug_abbrev_sec": ".debug_abbrev",
    "debug_str_sec": ".debug_str",
    "debug_addr_sec": ".debug_addr",
    "debug_str_offsets_sec": ".debug_str_offsets",
    "debug_line_str_sec": ".debug_line_str",
    "debug_loclists_sec": ".debug_loclists",
    "debug_rnglists_sec": ".debug_rnglists",
}

# R_BPF_64_64 and R_BPF_64_ABS64; R_BPF_64_ABS32, R_BPF_64_NODYLD32 and R_BPF_64_32,
# which clang before 13 put on data as well (Documentation/bpf/llvm_reloc.rst).
_WIDTHS = {1: 8, 2: 8, 3: 4, 4: 4, 10: 4}


class Index:
    """The debugging entries of an object, all read in one pass.

    pyelftools can follow links between entries on demand, but a hostile file can send
    it round in circles; a pass from the first to the last byte always ends.
    """

    def __init__(self, elf: ElfFile) -> None:
        self.children: dict[int, list[DIE]] = {}
        """Entries within an entry, by its offset."""
        self._named: dict[bytes, list[DIE]] = {}
        self._count = 0
        for number, unit in enumerate(_open(elf).iter_CUs(), start=1):
            if number > MAX_UNITS:
                raise ObjectError(
                    f"more than {MAX_UNITS} compile units", section=".debug_info"
                )
            self._read(unit)

    def _read(self, unit: "CompileUnit") -> None:
        parents: list[DIE] = []
        for die in unit.iter_DIEs():
            self._count += 1
            if self._count > MAX_ENTRIES:
                raise ObjectError(
                    f"more than {MAX_ENTRIES} entries", section=".debug_info"
                )
            if die.is_null():
                if parents:
                    parents.pop()
                continue
            if parents:
                self.children.setdefault(parents[-1].offset, []).append(die)
            if die.has_children:
                parents.append(die)
            if die.tag in _NAMED and "DW_AT_declaration" not in die.attributes:
                name = die.attributes.get("DW_AT_name")
                if name is not None:
                    self._named.setdefault(name.value, []).append(die)

    def find(self, name: str) -> "DIE":
        """Return the definition of a type; of a struct rather than of a typedef."""
        found = self._named.get(name.encode(), [])
        if not found:
            text = f"type '{name}': neither in BTF nor in DWARF"
            known = (other.decode(errors="replace") for other in self._named)
            raise ObjectError(or_near(text, name, known), section=".debug_info")
        found = sorted(found, key=lambda die: die.tag == "DW_TAG_typedef")
        sizes = {
            size.value
            for die in found
            if (size := die.attributes.get("DW_AT_byte_size")) is not None
        }
        if len(sizes) > 1:
            raise ObjectError(
                f"type '{name}': defined more than once, with different sizes",
                section=".debug_info",
            )
        return found[0]


def _open(elf: ElfFile) -> "DWARFInfo":
    from inspect import signature

    from elftools.dwarf.dwarfinfo import (  # needs 31 ms
        DebugSectionDescriptor,
        DwarfConfig,
        DWARFInfo,
    )

    def described(name: str) -> DebugSectionDescriptor | None:
        section = elf.section(name)
        if section is None:
            return None
        content = _relocated(elf, section)
        return DebugSectionDescriptor(
            BytesIO(content), name, section.offset, len(content), 0
        )

    if elf.section(".debug_info") is None or elf.section(".debug_abbrev") is None:
        raise ObjectError("no DWARF; compile with -g and do not strip the object")
    for name in (".debug_str", ".debug_line_str"):
        section = elf.section(name)
        if section is not None:
            _check_strings(elf, section)
    # Which sections it wants to hear of differs between releases of pyelftools.
    wanted = [name for name in signature(DWARFInfo).parameters if name != "config"]
    return DWARFInfo(
        config=DwarfConfig(elf.byteorder == "little", "BPF", 8),
        **{
            name: described(_SECTIONS[name]) if name in _SECTIONS else None
            for name in wanted
        },
    )


def _check_strings(elf: ElfFile, section: Section) -> None:
    """Refuse strings of a length that nobody writes, and that cost time."""
    content = elf.content(section)
    longest = max(map(len, content.split(b"\0")))
    if longest > MAX_STRING:
        raise ObjectError(f"string of {longest} bytes", section=section.name)


def _relocated(elf: ElfFile, section: Section) -> bytes:
    """Return the contents of a section with its relocations applied."""
    if section.flags & SHF_COMPRESSED:
        raise ObjectError("compressed DWARF is not supported", section=section.name)
    content = bytearray(elf.content(section))
    for relocations in elf.sections:
        if relocations.type != SHT_REL or relocations.info != section.number:
            continue
        for relocation in elf.relocations(relocations):
            symbol = elf.symbols[relocation.symbol]
            width = _WIDTHS.get(relocation.type, 0)
            if not width or relocation.offset + width > len(content):
                raise ObjectError(
                    f"relocation of type {relocation.type} cannot be applied",
                    section=section.name,
                    offset=min(relocation.offset, len(content)),
                )
            if not 0 < symbol.section < SHN_LORESERVE:
                continue  # an address that the linker would know
            form = f"{elf.prefix}{'Q' if width == 8 else 'I'}"
            (addend,) = struct.unpack_from(form, content, relocation.offset)
            value = addend + symbol.value & (1 << 8 * width) - 1
            struct.pack_into(form, content, relocation.offset, value)
    return bytes(content)
