"""Changes of BTF and BTF.ext: kinds, references, names, numbers, definitions of maps."""

import struct

from tests.fuzz import btf_model
from tests.fuzz.btf_model import EACH, KINDS, NAMED_ELEMENTS, REFERENCES, THIRD_IS_TYPE
from tests.fuzz.changed import ATTRIBUTES, SECTIONS, Change, Changed


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


def definition(made: Changed) -> None:
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


def ext(made: Changed) -> None:
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
