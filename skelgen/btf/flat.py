"""All types of a BTF and of its base as plain lists, for passes over the whole of it.

Such a pass looks at a million words: no object a type, no look-up in two places.
"""

import re

from skelgen._typing import TYPE_CHECKING
from skelgen.btf import kinds
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import (
    EXTRA_WORDS,
    FLAG_SHIFT,
    KIND_SHIFT,
    MAX_KIND,
    MAX_VLEN,
    ROWS,
)
from skelgen.btf.verify import check

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf

# BTF_KIND_*, as plain numbers: comparing with an IntEnum costs twice as much.
VOID, INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE = range(10)
CONST, RESTRICT, FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG = range(10, 18)
TYPE_TAG, ENUM64 = range(18, 20)

COMPOSITES = frozenset({STRUCT, UNION})
ENUMS = frozenset({ENUM, ENUM64})
MODIFIERS = frozenset(map(int, kinds.MODIFIERS))

_REFERENCES = tuple(
    tuple(
        tuple(at for at, word in enumerate(words.split()) if word.endswith("type"))
        for words in (row.third, row.once, row.each)
    )
    for row in ROWS.values()
)
"""By kind: which words refer to types, of the third, those once and those for each."""

_INTEGER_NAME = re.compile(r"\w+( \w+)*", re.ASCII)


class FlatTypes:
    """The records of a BTF, by the number of the type.

    Names are checked, so that what is written out is what it seems to be:
    :class:`BtfParseError` for one that is no identifier.
    """

    __slots__ = ("_names", "at", "btf", "words")

    def __init__(self, btf: "Btf") -> None:
        self.btf = btf
        self.words: list[int] = []
        """The type sections, one behind the other."""
        self.at: list[int] = []
        """First word of each type's record; type 0 has a record of zeros."""
        self._append(btf)
        self._names: dict[int, str] = {0: ""}

    def _append(self, btf: "Btf") -> None:
        if btf.base is not None:
            self._append(btf.base)
        else:
            self.words += (0, 0, 0)
            self.at.append(0)
        shift = len(self.words)
        self.words += btf.words.tolist()
        self.at += [shift + position for position in btf.positions]

    def __len__(self) -> int:
        return len(self.at)

    def kind(self, type_id: int) -> int:
        """Return the ``BTF_KIND_*`` of a type."""
        return self.words[self.at[type_id] + 1] >> KIND_SHIFT & MAX_KIND

    def ref(self, type_id: int) -> int:
        """Return what a pointer, modifier, typedef, function ... refers to."""
        return self.words[self.at[type_id] + 2]

    def vlen(self, type_id: int) -> int:
        """Return how many members, constants, parameters ... a type has."""
        return self.words[self.at[type_id] + 1] & MAX_VLEN

    def payload(self, type_id: int, each: int) -> list[int]:
        """Return what follows the record: ``each`` words for each of its elements."""
        position = self.at[type_id] + 3
        count = each * (self.words[position - 2] & MAX_VLEN)
        return self.words[position : position + count]

    def array(self, type_id: int) -> tuple[int, int]:
        """Return the type of an array's elements, and how many there are."""
        position = self.at[type_id]
        return self.words[position + 3], self.words[position + 5]

    def references(self, type_id: int) -> list[int]:
        """Return all types that a type refers to."""
        kind = self.kind(type_id)
        if kind >= len(_REFERENCES):
            return []
        third, once, each = _REFERENCES[kind]
        position = self.at[type_id]
        found = [self.words[position + 2 + at] for at in third]
        found += [self.words[position + 3 + at] for at in once]
        for at in each:
            stride = EXTRA_WORDS[kind][1]
            found += self.payload(type_id, stride)[at::stride]
        return found

    def flag(self, type_id: int) -> bool:
        """Return the ``kind_flag`` of a type."""
        return self.words[self.at[type_id] + 1] >> FLAG_SHIFT == 1

    def name(self, type_id: int) -> str:
        """Return the name of a type, ``""`` if it has none."""
        offset = self.words[self.at[type_id]]
        if self.kind(type_id) in {INT, FLOAT}:
            name = self.btf.string(offset)
            if not _INTEGER_NAME.fullmatch(name):
                raise BtfParseError(f"btf: type {type_id} is called {name!r}")
            return name
        return self.identifier(offset)

    def identifier(self, offset: int) -> str:
        """Return the string at an offset, which has to be an identifier or empty."""
        name = self._names.get(offset)
        if name is None:
            name = self.btf.string(offset)
            if name and not name.isidentifier():
                raise BtfParseError(f"btf: the name {name!r} is no identifier of C")
            self._names[offset] = name
        return name

    def broken(self, error: Exception) -> BtfParseError:
        """Return what to raise where a list or the stack came to its end.

        References are not checked one by one, but when one leads nowhere.
        """
        if isinstance(error, RecursionError):
            return BtfParseError("btf: types are nested too deep")
        btf: Btf | None = self.btf
        while btf is not None:
            check(btf)
            btf = btf.base
        return BtfParseError("btf: a type has fewer words than it needs")
