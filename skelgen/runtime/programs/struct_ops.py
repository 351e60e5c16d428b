"""Functions of a struct_ops structure."""

from skelgen.runtime.links.base import Link
from skelgen.runtime.programs.base import Program


class StructOpsProgram(Program):
    """``SEC("struct_ops")``: type ``STRUCT_OPS``, Linux 5.6."""

    __slots__ = ()

    @property
    def by_hand(self) -> str:
        """Why the object's ``attach()`` passes it over."""
        return "it is attached through the struct_ops variable that names it"

    def attach(self) -> Link:
        """Raise :class:`AttachError`: the variable that names it is attached."""
        raise self.attach_error(self.by_hand)
