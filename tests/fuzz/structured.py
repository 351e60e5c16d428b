"""Objects that are whole, and say what no compiler would say.

Records of BTF, BTF.ext and ELF are changed one by one and everything around them is
written anew: a type of another kind, a circle of types, a symbol elsewhere, a map of a
strange type. So the change itself gets to be read, and not a broken table before it.
"""

import random
import struct
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tests.fuzz import btf_model, elf_model
from tests.fuzz.btf_model import EACH, KINDS, NAMED_ELEMENTS, REFERENCES, THIRD_IS_TYPE
from tests.fuzz.elf_model import NOBITS, REL, SYMTAB, Elf, Section

EVIL = (
    b"'''",
    b'"""',
    b'"""\nimport os\n"""',
    b"'\nimport os #",
    b"\\N{DASH}",
    b"{{ x }}",
    b"class",
    b"None",
    b"__init__",
    b"__class__",
    b"_fields_",
    b"rt",
    b"self",
    b"mro",
    b"a b",
    b"*/",
    b"\xc3\xa9",
    b"\xe2\x80\xae",
    b"\xff\xfe",
    b"a" * 300,
    b"core::fmt::Arguments<'_>",
    b"",
)
"""Names that are none in C, or that mean something in Python."""
SECTIONS = (
    b".maps",
    b".BTF",
    b".BTF.ext",
    b".text",
    b".bss",
    b".data",
    b".data.x",
    b".rodata.y",
    b".addr_space.1",
    b".jumptables",
    b".struct_ops",
    b"?.struct_ops.link",
    b"license",
    b"version",
    b"maps",
    b"xdp",
    b"tc",
    b"kprobe/x",
    b"fentry/a:b",
    b"tp/x",
    b"uprobe//bin/x:f+0x10",
    b"?socket",
    b".kconfig",
    b".ksyms",
    b".symtab",
)
ATTRIBUTES = (
    *(b"type", b"key", b"value", b"max_entries", b"map_flags", b"map_extra"),
    *(b"key_size", b"value_size", b"pinning", b"numa_node", b"values", b"other"),
)
NUMBERS = (
    *(0, 1, 2, 3, 4, 7, 8, 13, 16, 31, 32, 33, 64, 255, 256, 4096, 65535),
    *(1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 8, (1 << 32) - 1),
)

Change: TypeAlias = "Callable[[Changed], None]"


class Changed:
    """An object that is being changed."""

    def __init__(self, data: bytes, chance: random.Random) -> None:
        self.elf: Elf = elf_model.parse(data)
        self.chance = chance
        self._section = self.elf.find(b".BTF")
        self.btf: btf_model.Btf | None = None
        if self._section is not None:
            self.btf = btf_model.parse(bytes(self._section.data), self.elf.prefix)

    def bytes(self) -> bytes:
        if self._section is not None and self.btf is not None:
            self._section.data = bytearray(btf_model.build(self.btf))
            self._section.size = len(self._section.data)
        return elf_model.build(self.elf)

    def number(self) -> int:
        return max(self.chance.choice(NUMBERS) + self.chance.randrange(-1, 2), 0)

    # BTF

    def types(self) -> list[btf_model.Type]:
        assert self.btf is not None
        return self.btf.types

    def some_type(self, kinds: frozenset[int] | None = None) -> btf_model.Type:
        found = [t for t in self.types() if kinds is None or t.kind in kinds]
        return self.chance.choice(found or self.types())

    def some_id(self, near: int = 0) -> int:
        """Return a type to refer to: most often one that there is."""
        count = len(self.types())
        return self.chance.choice(
            (
                self.chance.randrange(count + 1),
                self.chance.randrange(count + 1),
                near,
                min(near + 1, count),
                max(near - 1, 0),
                0,
                count + self.chance.choice((1, 1, 1 << 31)),
            )
        )

    def some_name(self) -> int:
        """Return the offset of a name: another one, a part of one, an evil one."""
        assert self.btf is not None
        named = self.some_type().name
        kind = self.chance.randrange(8)
        if kind < 3:
            return named
        if kind == 3:
            return named + self.chance.randrange(4)
        if kind == 4:
            return self.btf.string(b"__" + self.btf.text(named))
        if kind == 5:
            return self.chance.choice((0, len(self.btf.strings) - 1, 1 << 30))
        return self.btf.string(self.chance.choice(EVIL))


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
        _definition(made)
    elif kind == 6:
        _ext(made)
    else:
        made.chance.choice(ELF_CHANGES)(made)


# -- BTF -----------------------------------------------------------------------


def _kind(made: Changed) -> None:
    btf_model.shape(made.some_type(), made.chance.randrange(KINDS + 1))


def _reference(made: Changed) -> None:
    """Have a type refer to another: to itself, or back, so that there is a circle."""
    found = made.some_type(THIRD_IS_TYPE | {3, 4, 5, 13, 15})
    near = made.types().index(found) + 1
    if found.kind == 3:
        found.once[made.chance.randrange(2)] = made.some_id(near)
    elif found.elements and found.kind in REFERENCES and made.chance.random() < 0.8:
        element = made.chance.choice(found.elements)
        element[REFERENCES[found.kind]] = made.some_id(near)
    elif found.kind in THIRD_IS_TYPE:
        found.third = made.some_id(near)


def _type_name(made: Changed) -> None:
    found = made.some_type()
    if found.elements and found.kind in NAMED_ELEMENTS and made.chance.random() < 0.6:
        made.chance.choice(found.elements)[0] = made.some_name()
    else:
        found.name = made.some_name()


def _number(made: Changed) -> None:
    """Change a size, an offset, a count, a linkage, an encoding, an index."""
    found = made.some_type()
    if found.elements and made.chance.random() < 0.6:
        element = made.chance.choice(found.elements)
        element[made.chance.randrange(1, len(element))] = made.number()
    elif found.once and made.chance.random() < 0.7:
        found.once[made.chance.randrange(len(found.once))] = made.number()
    elif found.kind == 12:
        found.vlen = made.chance.choice((0, 1, 2, 3))
    elif found.kind not in THIRD_IS_TYPE:
        found.third = made.number()


def _flag(made: Changed) -> None:
    found = made.some_type(frozenset({4, 5, 6, 7, 17, 18, 19}))
    found.flag = not found.flag


def _elements(made: Changed) -> None:
    """Repeat, drop or move members, constants, parameters, variables."""
    found = made.some_type(frozenset(EACH))
    chance = made.chance
    kind = chance.randrange(4)
    if not found.elements or kind == 0:
        found.elements.append([made.some_name(), made.some_id(), made.number()])
        btf_model.shape(found, found.kind)
    elif kind == 1:
        del found.elements[chance.randrange(len(found.elements))]
    elif kind == 2:
        chance.shuffle(found.elements)
    else:
        again = chance.choice(found.elements)
        found.elements += [list(again) for _ in range(chance.choice((1, 1, 40, 700)))]


def _types(made: Changed) -> None:
    """Repeat, swap or cut off types, or wrap one in many others."""
    types, chance = made.types(), made.chance
    kind = chance.randrange(4)
    one = chance.randrange(len(types))
    if kind == 0:
        other = chance.randrange(len(types))
        types[one], types[other] = types[other], types[one]
    elif kind == 1:
        del types[one + 1 :]
    elif kind == 2:
        found = types[one]
        types.append(
            btf_model.Type(
                made.some_name(), found.kind, found.flag, found.vlen, found.third,
                list(found.once), [list(element) for element in found.elements],
            )
        )  # fmt: skip
    else:
        _wrap(made, made.some_type(THIRD_IS_TYPE))


def _wrap(made: Changed, outer: btf_model.Type) -> None:
    """Put a long chain of types between a type and what it refers to."""
    types, chance = made.types(), made.chance
    inner = outer.third
    kind = chance.choice((2, 3, 4, 5, 8, 9, 10, 13, 18))
    for _ in range(chance.choice((3, 40, 300))):
        link = btf_model.Type(0, kind, False, 0, 4, [], [])
        if kind == 3:
            link.once = [inner, 1, chance.choice((0, 1, 2, 1 << 16))]
        elif kind in {4, 5}:
            link.elements = [[0, inner, 0]] * chance.choice((1, 1, 2))
        elif kind == 13:
            link.third, link.elements = 0, [[0, inner]] * chance.choice((1, 2))
        else:
            link.third = inner
            link.name = made.some_name() if kind in {8, 18} else 0
        types.append(link)
        inner = len(types)
    if outer.kind in THIRD_IS_TYPE:
        outer.third = inner


BTF_CHANGES: tuple[Change, ...] = (
    _kind,
    _reference,
    _reference,
    _type_name,
    _type_name,
    _number,
    _number,
    _flag,
    _elements,
    _types,
)


def _definition(made: Changed) -> None:
    """Change what a map is defined to be."""
    assert made.btf is not None
    btf, chance = made.btf, made.chance
    for section in btf.types:
        if section.kind != 15 or btf.text(section.name) != b".maps":
            continue
        if not section.elements:
            return
        variable = _at(made, chance.choice(section.elements)[0])
        struct_ = _at(made, variable.third)
        if struct_.kind != 4 or not struct_.elements:
            return
        member = chance.choice(struct_.elements)
        kind = chance.randrange(4)
        if kind == 0:
            member[0] = btf.string(chance.choice(ATTRIBUTES))
        elif kind == 1:
            member[1] = made.some_id(member[1])
        elif kind == 2:
            struct_.elements.append(
                [btf.string(chance.choice(ATTRIBUTES)), member[1], member[2] + 64]
            )
        else:
            pointed = _at(made, _at(made, member[1]).third)
            if pointed.kind == 3:
                pointed.once[2] = chance.choice((made.number(), chance.randrange(40)))
        return


def _at(made: Changed, type_id: int) -> btf_model.Type:
    types = made.types()
    return types[type_id - 1] if 0 < type_id <= len(types) else types[0]


# -- BTF.ext -------------------------------------------------------------------


def _ext(made: Changed) -> None:
    """Change, repeat or drop a record of functions, lines or CO-RE."""
    section, chance = made.elf.find(b".BTF.ext"), made.chance
    if section is None or len(section.data) < 32:
        return
    prefix = made.elf.prefix
    data = section.data
    (length,) = struct.unpack_from(f"{prefix}I", data, 4)
    field = chance.choice((8, 16, 24))
    if field + 8 > length:
        return
    offset, size = struct.unpack_from(f"{prefix}2I", data, field)
    start, end = length + offset, length + offset + size
    if size < 20 or end > len(data):
        return
    (record,) = struct.unpack_from(f"{prefix}I", data, start)
    name_off, count = struct.unpack_from(f"{prefix}2I", data, start + 4)
    one = start + 12 + record * chance.randrange(max(count, 1))
    kind = chance.randrange(5)
    if one + record > end:
        return
    if kind < 3:
        word = one + 4 * chance.randrange(record // 4)
        (value,) = struct.unpack_from(f"{prefix}I", data, word)
        value = chance.choice(
            (value + 8, value - 8, value + 1, made.number(), chance.randrange(16))
        )
        struct.pack_into(f"{prefix}I", data, word, value & 0xFFFFFFFF)
        return
    if kind == 3:
        name = made.btf.string(chance.choice(SECTIONS)) if made.btf else name_off
        struct.pack_into(f"{prefix}I", data, start + 4, name)
        return
    # another count of records in the first group; later tables move
    more = bytes(data[one : one + record]) * chance.choice((1, 2, 50))
    data[one:one] = more
    struct.pack_into(f"{prefix}I", data, start + 8, count + len(more) // record)
    struct.pack_into(f"{prefix}I", data, field + 4, size + len(more))
    for other in (8, 16, 24):
        if other + 8 <= length:
            (place,) = struct.unpack_from(f"{prefix}I", data, other)
            if place > offset:
                struct.pack_into(f"{prefix}I", data, other, place + len(more))
    section.size = len(data)


# -- ELF -----------------------------------------------------------------------


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
