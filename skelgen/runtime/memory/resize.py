"""Data sections of another size: the array that ends one is made longer or shorter.

The kernel compares the size of a data section's map with that of its BTF, so the
types change too: the array, its variable and the section. Type numbers stay.
"""

from __future__ import annotations

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.btf.edit import BtfEditor
from skelgen.btf.layout import section_vars
from skelgen.btf.resolve import size_of, skip_mods_and_typedefs
from skelgen.btf.types import Array
from skelgen.plain import plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from skelgen.btf.parse import Btf

MAX_SIZE: Final = 0x7FFFFFFF
"""Bytes that the value of an array map can have (``INT_MAX``)."""


class Tail(Record):
    """The last variable of a data section, which is an array."""

    name: str
    offset: int
    """Bytes from the start of the section."""
    element: int
    """Bytes of an element."""
    length: int
    """Elements, as the object has it."""
    array: Array
    variable: int
    """The ``VAR``."""
    place: int
    """Index among the section's variables."""

    def size(self, length: int) -> int:
        """Return the bytes of the section with so many elements."""
        return self.offset + length * self.element


def find_tail(btf: Btf, section: str, type_id: int) -> Tail:
    """Return the array that ends a data section.

    Raises TypeError where something else is the last variable.
    """
    found = list(enumerate(section_vars(btf, type_id)))
    if not found:
        raise TypeError(f"section '{plain(section)}': has no variable to resize")
    index, last = max(found, key=lambda pair: pair[1].offset)
    array = btf.type(skip_mods_and_typedefs(btf, last.type_id))
    if not isinstance(array, Array):
        raise TypeError(
            f"section '{plain(section)}': its last variable '{plain(last.name)}' is no array, so its"
            " size cannot change"
        )
    element = size_of(btf, array.type_id)
    if not element:
        raise TypeError(
            f"section '{plain(section)}': elements of '{plain(last.name)}' have no size"
        )
    return Tail(last.name, last.offset, element, array.nelems, array, last.id, index)


def resized(data: memoryview, sections: Mapping[int, tuple[Tail, int]]) -> bytes:
    """Return BTF with other lengths of arrays, by ``DATASEC``."""
    editor = BtfEditor(data)
    for section_id, (tail, length) in sections.items():
        array = editor.add_array(tail.array.type_id, tail.array.index_type_id, length)
        editor.set_type(tail.variable, array)
        editor.set_size(section_id, tail.size(length))
        editor.set_datasec_var(section_id, tail.place, size=length * tail.element)
    return editor.bytes()
