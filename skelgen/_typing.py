"""Names of ``typing`` that classes and functions use when they run, without importing it.

To a type checker these are the names of ``typing``, which takes a tenth of the time
until a program is loaded to import. Only a type checker looks at what they say, so
here a type variable is an object that stands for itself, and a generic class is
subscripted as ``list`` is. What is in annotations alone comes from ``typing``, where
``TYPE_CHECKING`` holds: annotations are not evaluated.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import (
        Generic,
        Protocol,
        TypeVar,
        cast,
        dataclass_transform,
        overload,
    )
else:
    from types import GenericAlias

    class TypeVar:
        """A type variable by name; in a union it stays itself."""

        __slots__ = ("__name__",)

        def __init__(self, name, *_constraints, **_options):
            self.__name__ = name

        def __or__(self, _other):
            return self

        __ror__ = __or__

        def __repr__(self):
            return f"~{self.__name__}"

    class Generic:
        """Base of a generic class."""

        __slots__ = ()
        __class_getitem__ = classmethod(GenericAlias)

    class Protocol(Generic):
        """Base of a class that others match without deriving from it."""

        __slots__ = ()

    def cast(_type, value):
        """Return the value."""
        return value

    def dataclass_transform(**_options):
        """Return a decorator that returns the class."""
        return lambda cls: cls

    def overload(function):
        """Return the function, which the last one of its name replaces."""
        return function


__all__ = (
    "TYPE_CHECKING",
    "Generic",
    "Protocol",
    "TypeVar",
    "cast",
    "dataclass_transform",
    "overload",
)
