"""Objects that are whole, and say what no compiler would say.

Records of BTF, BTF.ext and ELF are changed one by one and everything around them is
written anew: a type of another kind, a circle of types, a symbol elsewhere, a map of a
strange type. So the change itself gets to be read, and not a broken table before it.
"""

import random
import struct
from collections.abc import Sequence

from tests.fuzz import elf_model
from tests.fuzz.btf_changes import BTF_CHANGES, definition, ext
from tests.fuzz.changed import EVIL, SECTIONS, Change, Changed
from tests.fuzz.elf_model import NOBITS, REL, SYMTAB, Section


def change(seed: int, objects: Sequence[bytes]) -> bytes:
    """Return one of the objects with records changed; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - a fuzzer, repeatable on purpose
    made = Changed(chance.choice(objects), chance)
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        _change_once(made)
    return made.bytes()


def change_dwarf(seed: int, objects: Sequence[bytes]) -> bytes:
    """Return one of the objects with its DWARF changed."""
    chance = random.Random(seed)  # noqa: S311 - likewise
    made = Changed(chance.choice(objects), chance)
    for _ in range(chance.choice((1, 1, 2, 4))):
        chance.choice((_contents, _contents, _dwarf, _dwarf, _section))(made)
    return made.bytes()


def _change_once(made: Changed) -> None:
    kind = made.chance.randrange(10)
    if kind < 5 and made.btf is not None and made.btf.types:
        made.chance.choice(BTF_CHANGES)(made)
    elif kind == 5 and made.btf is not None:
        definition(made)
    elif kind == 6:
        ext(made)
    else:
        made.chance.choice(ELF_CHANGES)(made)


def _symbol(made: Changed) -> None:
    chance, symbols = made.chance, made.elf.symbols
    if len(symbols) < 2:
        return
    found = chance.choice(symbols[1:])
    kind = chance.randrange(7)
    if kind == 0:
        found.section = chance.choice(
            (chance.randrange(len(made.elf.sections)), 0, 0xFFF1, 0xFFF2, 0xFFFF)
        )
    elif kind == 1:
        found.value = chance.choice((found.value + 8, found.value + 1, made.number()))
    elif kind == 2:
        found.size = chance.choice((0, found.size + 8, found.size * 2, made.number()))
    elif kind == 3:
        found.info = chance.choice((0, 1, 2)) << 4 | chance.choice((0, 1, 2, 3, 4, 10))
    elif kind == 4:
        found.other = chance.randrange(4)
    elif kind == 5:
        found.name = chance.choice((*EVIL, chance.choice(symbols).name))
    else:
        symbols += [
            elf_model.Symbol(**vars(found)) for _ in range(chance.choice((1, 3)))
        ]


def _section(made: Changed) -> None:
    chance, sections = made.chance, made.elf.sections
    found = chance.choice(sections[1:])
    kind = chance.randrange(7)
    if kind == 0:
        found.name = chance.choice((*SECTIONS, *EVIL, chance.choice(sections).name))
    elif kind == 1:
        found.type = chance.choice((1, 1, 4, NOBITS, REL, 0x70000001))
    elif kind == 2:
        found.flags = chance.choice((0, 2, 3, 6, 7, 0x800, 0x806))
    elif kind == 3 and found.type != SYMTAB:
        _resize(made, found)
    elif kind == 4:
        found.info = chance.randrange(len(sections) + 2)
    elif kind == 5:
        found.link = chance.randrange(len(sections) + 2)
        found.entry_size = chance.choice((0, 8, 16, 24, found.entry_size))
    else:
        copy = Section(**vars(found))
        copy.data = bytearray(found.data)
        copy.name = chance.choice((found.name, *SECTIONS))
        sections.append(copy)


def _resize(made: Changed, section: Section) -> None:
    """Make a section shorter or longer, with contents if it has some."""
    chance = made.chance
    if section.type == NOBITS:
        section.size = chance.choice((made.number(), 1 << 40))
        return
    if chance.random() < 0.5:
        del section.data[chance.randrange(len(section.data) + 1) :]
    else:
        section.data += bytes(chance.choice((1, 4, 8, 64, 4096)))
    section.size = len(section.data)


def _relocation(made: Changed) -> None:
    chance, elf = made.chance, made.elf
    found = [s for s in elf.sections if s.type == REL and len(s.data) >= 16]
    if not found:
        return
    section = chance.choice(found)
    entries = elf.relocations(section)
    entry = chance.choice(entries)
    kind = chance.randrange(6)
    if kind == 0:
        entry[0] = chance.choice(
            (entry[0] + 8, entry[0] - 8, entry[0] + 1, made.number())
        )
    elif kind < 3:
        entry[1] = chance.choice(
            (chance.randrange(len(elf.symbols) or 1), made.number())
        )
    elif kind == 3:
        entry[2] = chance.randrange(12)
    elif kind == 4:
        entries.remove(entry)
    else:
        entries.append([chance.choice((entry[0], entry[0] + 8)), entry[1], entry[2]])
    elf.set_relocations(section, entries)


def _dwarf(made: Changed) -> None:
    """Change where the DWARF refers to, or what is an abbreviation of what."""
    chance = made.chance
    names = (
        b".debug_info",
        b".debug_abbrev",
        b".debug_str_offsets",
        b".rel.debug_info",
    )
    found = [s for s in made.elf.sections if s.name in names and len(s.data) >= 16]
    if not found:
        return
    section = chance.choice(found)
    if section.type == REL:
        entries = made.elf.relocations(section)
        chance.choice(entries)[chance.randrange(3)] = made.number()
        made.elf.set_relocations(section, entries)
        return
    at, size = chance.randrange(len(section.data) - 8), chance.choice((1, 2, 4))
    kind = chance.randrange(4)
    if kind == 0:
        section.data[at : at + size] = section.data[at + size : at + 2 * size]
    elif kind == 1:
        section.data[at : at + size] = bytes((0x80,)) * size  # a number without end
    elif kind == 2:
        place = chance.randrange(len(section.data))
        section.data[at : at + 4] = place.to_bytes(4, made.elf.byteorder)
    else:
        section.data[at:at] = section.data[at : at + size]
        section.size = len(section.data)


def _instruction(made: Changed) -> None:
    chance = made.chance
    code = [s for s in made.elf.sections if s.flags & 4 and len(s.data) >= 8]
    if not code:
        return
    section = chance.choice(code)
    at = chance.randrange(len(section.data) // 8) * 8
    kind = chance.randrange(4)
    if kind == 0:
        section.data[at] = chance.choice(
            (0x18, 0x85, 0x95, 0x05, chance.randrange(256))
        )
    elif kind == 1:
        section.data[at + 1] = chance.randrange(256)
    elif kind == 2:
        value = chance.choice((made.number(), chance.randrange(64)))
        struct.pack_into(
            f"{made.elf.prefix}I", section.data, at + 4, value & 0xFFFFFFFF
        )
    else:
        section.data[at : at + 8] = chance.randbytes(8)


def _contents(made: Changed) -> None:
    """Change bytes of any section: data, DWARF, what nobody should look at."""
    chance = made.chance
    found = [s for s in made.elf.sections if s.data]
    debug = [s for s in found if s.name.startswith(b".debug")]
    section = chance.choice(debug if debug and chance.random() < 0.6 else found)
    for _ in range(chance.choice((1, 4, 16))):
        section.data[chance.randrange(len(section.data))] = chance.choice(
            (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))
        )


ELF_CHANGES: tuple[Change, ...] = (
    _symbol,
    _symbol,
    _section,
    _section,
    _relocation,
    _instruction,
    _contents,
)
