"""All of a BTF checked at once, for input that nobody vouches for."""

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import ROWS
from skelgen.btf.layout import section_vars
from skelgen.btf.types import Array, Datasec, Struct, Union

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skelgen.btf.parse import Btf


def check(btf: "Btf") -> None:
    """Decode every type stored here, and refuse types that contain themselves.

    Raises :class:`BtfParseError` for a string or type that is not there, a string that
    is no UTF-8, a section of other things than variables, and a type that consists of
    itself (a struct in itself, a typedef of itself).
    """
    for type_id in btf.ids():
        if isinstance(btf.type(type_id), Datasec):
            section_vars(btf, type_id)
    _check_circles(btf)


def _parts(btf: "Btf", type_id: int) -> "Iterator[int]":
    """Yield the types that are part of a type by value."""
    row = ROWS.get(btf.kind(type_id))
    if row is None or not row.whole:
        return
    found = btf.type(type_id)
    if isinstance(found, Struct | Union):
        for member in found.members:
            yield member.type_id
    elif isinstance(found, Array):
        yield found.type_id
    else:
        yield btf.ref(type_id)


def _check_circles(btf: "Btf") -> None:
    """Walk depth first, with a stack of our own: types may be nested without end."""
    done: set[int] = set()
    for start in btf.ids():
        if start in done:
            continue
        open_ids = {start}
        stack = [(start, _parts(btf, start))]
        while stack:
            type_id, parts = stack[-1]
            for part in parts:
                if part in open_ids:
                    raise BtfParseError(
                        f"btf: type {part} consists of itself", btf.offset(start)
                    )
                if part >= btf.start_id and part not in done:
                    open_ids.add(part)
                    stack.append((part, _parts(btf, part)))
                    break
            else:
                done.add(type_id)
                open_ids.discard(type_id)
                stack.pop()
