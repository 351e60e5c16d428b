"""Which class a program has; its module is imported when it is first used."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import public
from skelgen.runtime.programs.base import Program

if TYPE_CHECKING:
    from skelgen.model.spec import ProgramSpec


def program_class(spec: ProgramSpec) -> type[Program]:
    """Return the class of a program, by its section's meaning and its type."""
    from skelgen.model.prog_types import program_class_name

    found = public.find(program_class_name(spec))
    assert isinstance(found, type)
    assert issubclass(found, Program)
    return found
