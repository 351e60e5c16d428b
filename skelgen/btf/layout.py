"""The variables of a data section, with their places."""

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.types import Datasec, Func, Var

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf


class SectionVar(Record):
    """A variable of a data section; or a function, in ``.ksyms``."""

    name: str
    type_id: int
    """Type of the variable, or prototype of the function."""
    offset: int
    """Bytes from the start of the section."""
    size: int
    """Bytes, as the section states them."""
    linkage: int
    """``BTF_VAR_*`` or ``BTF_FUNC_*``: 0 static, 1 global, 2 extern."""
    id: int
    """The ``VAR`` or ``FUNC`` itself."""


def section_vars(btf: "Btf", datasec_id: int) -> tuple[SectionVar, ...]:
    """Return what a ``DATASEC`` holds, in its order."""
    section = btf.type(datasec_id)
    if not isinstance(section, Datasec):
        raise BtfParseError(f"btf: type {datasec_id} is no data section")
    found: list[SectionVar] = []
    for place in section.vars:
        var = btf.type(place.type_id)
        if not isinstance(var, Var | Func):
            raise BtfParseError(
                f"btf: section '{section.name}': type {place.type_id} is no variable"
            )
        found.append(
            SectionVar(
                var.name, var.type_id, place.offset, place.size, var.linkage, var.id
            )
        )
    return tuple(found)
