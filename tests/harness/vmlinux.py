"""Headers made from BTF: what they define, and whether their layout is the BTF's."""

import re
from collections.abc import Iterator

from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.btf.types import Struct, Union

_INNER = re.compile(r"^[\t ].*\n", re.MULTILINE)
_ATTRIBUTE = re.compile(r" ?__attribute__\(\((?:[^()]|\([^()]*\))*\)\)")
_POINTER = re.compile(r"\(\*+[\w ]*?(\w+)(?:\[\d+\])*\)")
_LAST = re.compile(r"(\w+)(?:\[\d+\])*(?:\(.*\))?$", re.DOTALL)


def tags(text: str) -> set[str]:
    """Return ``struct x``, ``union x`` and ``enum x`` that are declared or defined."""
    return set(re.findall(r"^((?:struct|union|enum) \w+)(?: \{|;)", text, re.MULTILINE))


def typedefs(text: str) -> set[str]:
    """Return the names of typedefs."""
    outer = re.sub(r"\{\n?\}", "", _INNER.sub("", text))
    found: set[str] = set()
    for declared in re.findall(r"^typedef ([^;]*);", outer, re.MULTILINE):
        plain = _ATTRIBUTE.sub("", declared)
        match = _POINTER.search(plain) or _LAST.search(plain)
        assert match, declared
        found.add(match[1])
    return found


def constants(text: str) -> set[str]:
    """Return the names of constants of enumerations."""
    return set(re.findall(r"^\t+(\w+) = -?\w+", text, re.MULTILINE))


def assertions(btf: Btf) -> Iterator[str]:
    """Yield ``_Static_assert`` of the size and the members of each named struct.

    Where two types have one name, nothing is said about either.
    """
    for type_id in btf.ids():
        found = btf.type(type_id)
        if not isinstance(found, Struct | Union) or not found.name:
            continue
        same = btf.find_all(found.name, Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64)
        if len(same) == 1:
            word = "struct" if isinstance(found, Struct) else "union"
            head = f"{word} {found.name}"
            yield f'_Static_assert(sizeof({head}) == {found.size}, "{head}");\n'
            for member in found.members:
                if member.name and not member.bitfield_size:
                    yield (
                        f"_Static_assert(__builtin_offsetof({head}, {member.name})"
                        f' == {member.bit_offset // 8}, "{head} {member.name}");\n'
                    )
