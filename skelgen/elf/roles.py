"""Which section of an object plays which part, by libbpf's rules.

Names decide, then type and flags; what nobody needs (DWARF, string tables,
``.llvm_addrsig``, ``.eh_frame``, notes) is left alone.
"""

import struct

from skelgen.elf.reader import (
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHT_NOBITS,
    SHT_PROGBITS,
    SHT_REL,
    SHT_RELA,
    ElfFile,
    Section,
)
from skelgen.errors import ObjectError
from skelgen.model.spec import DataKind

MAPS = ".maps"
ARENA = ".addr_space.1"
KCONFIG = ".kconfig"
KSYMS = ".ksyms"
STRUCT_OPS = frozenset(
    (".struct_ops", ".struct_ops.link", "?.struct_ops", "?.struct_ops.link")
)
_CONTENTS = STRUCT_OPS | {
    "license",
    "version",
    MAPS,
    ARENA,
    ".BTF",
    ".BTF.ext",
    ".jumptables",
}
"""Sections that are never of zeros alone to a compiler, beside code and data."""

MAX_LICENSE = 63
"""libbpf keeps no more of a licence."""
MAX_DATA = 0x7FFFFFFF
"""``INT_MAX``: the kernel makes no array map with a larger value (E2BIG)."""


class Layout:
    """The sections of an object that matter, by the part they play."""

    __slots__ = (
        "arena",
        "btf",
        "btf_ext",
        "code",
        "data",
        "jump_tables",
        "kern_version",
        "license",
        "maps",
        "pointers",
        "relocations",
        "struct_ops",
        "text",
        "unplaced",
    )

    def __init__(self) -> None:
        self.license = ""
        self.kern_version: int | None = None
        self.maps: Section | None = None
        self.btf: Section | None = None
        self.btf_ext: Section | None = None
        self.text: Section | None = None
        """Subprograms: ``.text``."""
        self.code: list[Section] = []
        """Every section with instructions, ``.text`` too."""
        self.data: list[tuple[Section, DataKind]] = []
        """Every section that becomes a data map."""
        self.arena: Section | None = None
        """Initial contents of the arena; also in `data`."""
        self.struct_ops: list[Section] = []
        self.jump_tables: Section | None = None
        self.relocations: list[tuple[Section, Section]] = []
        """Pairs of a relocation section and what it relocates."""
        self.pointers: list[tuple[Section, Section]] = []
        """The same of data sections, whose relocations nobody can do."""
        self.unplaced: list[int] = []
        """Numbers of sections that a program would have in memory, of no known name."""


def survey(elf: ElfFile) -> Layout:
    """Find out which section plays which part."""
    layout = Layout()
    for section in elf.sections[1:]:
        _check_contents(section)
        _place(elf, layout, section)
    _place_relocations(elf, layout)
    for section, _ in layout.data:
        if section.size > MAX_DATA:
            raise ObjectError(
                f"{section.size} bytes of data; a map takes {MAX_DATA} at most",
                section=section.name,
            )
    for part in (layout.data, [(s, None) for s in layout.struct_ops]):
        _check_unique([section for section, _ in part])
    return layout


def _place(elf: ElfFile, layout: Layout, section: Section) -> None:
    name = section.name
    if name == "license":
        text = elf.content(section).partition(b"\0")[0][:MAX_LICENSE]
        layout.license = text.decode("utf-8", "backslashreplace")
    elif name == "version":
        layout.kern_version = _version(elf, section)
    elif name == "maps":
        raise ObjectError(
            "map definitions of struct bpf_map_def are not supported; "
            'declare maps in SEC(".maps")',
            section=name,
        )
    elif name == MAPS:
        layout.maps = _only(layout.maps, section)
    elif name == ".BTF":
        layout.btf = _only(layout.btf, section)
    elif name == ".BTF.ext":
        layout.btf_ext = _only(layout.btf_ext, section)
    elif section.type == SHT_NOBITS:
        if _named(name, ".bss") and section.size:
            layout.data.append((section, DataKind.BSS))
        else:
            _pass_over(layout, section)
    elif section.type == SHT_PROGBITS and section.size:
        _place_contents(layout, section)


def _check_contents(section: Section) -> None:
    """Refuse a section without contents that has some in a whole object."""
    name = section.name
    if section.type != SHT_NOBITS or not section.size:
        return
    if (
        section.flags & SHF_EXECINSTR
        or name in _CONTENTS
        or _named(name, ".data")
        or _named(name, ".rodata")
    ):
        raise ObjectError(
            f"{section.size} bytes without contents (SHT_NOBITS): this is the half of a"
            " split object that has the debug information; give the half with the code",
            section=name,
        )


def _place_contents(layout: Layout, section: Section) -> None:
    """Place a section that has contents and no name of its own."""
    name = section.name
    if section.executable:
        layout.code.append(section)
        if name == ".text":
            layout.text = _only(layout.text, section)
    elif _named(name, ".data"):
        layout.data.append((section, DataKind.DATA))
    elif _named(name, ".rodata"):
        layout.data.append((section, DataKind.RODATA))
    elif name in STRUCT_OPS:
        layout.struct_ops.append(section)
    elif name == ARENA:
        layout.arena = _only(layout.arena, section)
        layout.data.append((section, DataKind.ARENA))
    elif name == ".jumptables":
        layout.jump_tables = _only(layout.jump_tables, section)
    else:
        _pass_over(layout, section)


def _pass_over(layout: Layout, section: Section) -> None:
    if section.flags & SHF_ALLOC and section.size:
        layout.unplaced.append(section.number)


def _place_relocations(elf: ElfFile, layout: Layout) -> None:
    """Find the relocations of code, ``.maps`` and struct_ops, and those of data."""
    relocated = {section.number for section in layout.code + layout.struct_ops}
    data = {section.number for section, _ in layout.data}
    if layout.maps is not None:
        relocated.add(layout.maps.number)
    for section in elf.sections[1:]:
        if section.info in data and section.type in {SHT_REL, SHT_RELA}:
            layout.pointers.append((section, elf.sections[section.info]))
        if section.info not in relocated:
            continue
        target = elf.sections[section.info]
        if section.type == SHT_RELA:
            raise ObjectError(
                f"relocations with addends (SHT_RELA) of '{target.name}' are not supported",
                section=section.name,
            )
        if section.type == SHT_REL:
            layout.relocations.append((section, target))


def _version(elf: ElfFile, section: Section) -> int:
    if section.size != 4 or section.type == SHT_NOBITS:
        raise ObjectError(
            f"kernel version of {section.size} bytes, not 4",
            section=section.name,
            offset=0,
        )
    version: int = struct.unpack(f"{elf.prefix}I", elf.content(section))[0]
    return version


def _named(name: str, kind: str) -> bool:
    return name == kind or name.startswith(kind + ".")


def _only(known: Section | None, section: Section) -> Section:
    if known is not None:
        raise ObjectError("more than one section of this name", section=section.name)
    return section


def _check_unique(sections: list[Section]) -> None:
    names: set[str] = set()
    for section in sections:
        if section.name in names:
            raise ObjectError(
                "more than one section of this name", section=section.name
            )
        names.add(section.name)
