"""Shadows: struct_ops variables as classes, whose functions are programs.

A shadow is a struct over the variable's initial value: scalars, enumerations, strings,
arrays and nested structs are its own memory. Pointers to functions are descriptors
that keep a program; other pointers have no attribute, since nothing in this process
could be pointed to.
"""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING, Protocol, cast, overload
from skelgen.runtime.values.array import owner_of
from skelgen.runtime.values.layout import StructMeta, Structure
from skelgen.runtime.values.member import Descriptor
from skelgen.runtime.values.struct import Checked

if TYPE_CHECKING:
    from typing import Final, NoReturn, Self

    from skelgen.runtime.programs.base import Program
    from skelgen.runtime.programs.struct_ops import StructOpsProgram


class Variable(Protocol):
    """A struct_ops variable, as its shadow knows it."""

    @property
    def what(self) -> str:
        """Return what errors call it."""
        ...

    @property
    def name(self) -> str:
        """Return its name in C."""
        ...

    @property
    def frozen(self) -> bool:
        """Return whether the kernel has been given its value."""
        ...

    def program(self, member: str) -> Program | None:
        """Return the program that a member is set to, None for none."""
        ...

    def set_program(self, member: str, program: Program | None) -> None:
        """Set a function, or clear it with None."""
        ...


class Image(bytearray):
    """The value of a struct_ops variable, without its programs.

    Shadows are views of it.
    """

    def __init__(self, ops: Variable, data: memoryview) -> None:
        super().__init__(data)
        self.ops: Final = ops
        """The variable."""

    @property
    def what(self) -> str:
        """How errors call it."""
        return self.ops.what

    @property
    def frozen(self) -> bool:
        """Whether the kernel has been given it."""
        return self.ops.frozen

    def pull(self) -> None:
        """Do nothing: the kernel never changes it."""

    def push(self) -> None:
        """Do nothing: load reads it."""


class Shadow(Checked, Structure, metaclass=StructMeta):
    """Base of the generated classes of struct_ops variables.

    Members are readable at any time, and writable until the object is loaded: then
    StateError. Attaching is a matter of the map: ``skel.maps.x.attach()``.
    """

    __slots__ = ("__owner__",)

    def __init__(self) -> None:
        raise TypeError(
            f"{type(self).__name__} is made by its skeleton: skel.struct_ops has it"
        )

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} belongs to an object: no copies")


class Operation(Descriptor):
    """A function of a struct_ops variable: a program, or None.

    ``function`` is its name in C, ``offset`` in bytes. Raises StateError when it is
    set after load, TypeError for anything but a program in ``SEC("struct_ops")``,
    ValueError for one of another object.
    """

    __slots__ = ("function",)

    def __init__(self, function: str, offset: int) -> None:
        super().__init__(offset, 8)
        self.function = function

    @overload
    def __get__(self, instance: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(
        self, instance: Shadow, owner: type[object]
    ) -> StructOpsProgram | None: ...
    def __get__(
        self, instance: Shadow | None, owner: type[object]
    ) -> StructOpsProgram | Self | None:
        if instance is None:
            return self
        found = variable(instance).program(self.function)
        return cast("StructOpsProgram | None", found)  # set_program() saw to it

    def __set__(self, instance: Shadow, value: StructOpsProgram | None) -> None:
        variable(instance).set_program(self.function, value)


def variable(shadow: Shadow) -> Variable:
    """Return the variable that a shadow is a view of."""
    image = owner_of(shadow)
    if not isinstance(image, Image):
        raise TypeError(f"{type(shadow).__name__}: not a variable of an object")
    return image.ops
