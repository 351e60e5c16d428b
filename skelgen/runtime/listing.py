"""The looks of objects: the names that TAB completes, and their text.

And that they are no values, to be copied.
"""

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.errors import BpfError, ClosedError

if TYPE_CHECKING:
    from typing import ClassVar, NoReturn, SupportsIndex


class Listed:
    """Base of what users hold: ``dir()`` has the attributes that are meant for them.

    Not those with a ``_``, nor what the runtime needs of its own objects, which each
    class names in ``_internal``.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        _internal: ClassVar[frozenset[str]]

    def __dir__(self) -> list[str]:
        internal = {
            name
            for cls in type(self).__mro__
            for name in vars(cls).get("_internal", ())
        }
        names = object.__dir__(self)
        return sorted(n for n in names if n[0] != "_" and n not in internal)


class Single:
    """Base of what stands for something in the kernel, and is there once.

    A copy would close what the first still uses; in another process, to which
    ``multiprocessing`` pickles it, whatever has the same number there.
    """

    __slots__ = ()

    def __reduce_ex__(self, protocol: "SupportsIndex", /) -> "NoReturn":
        raise TypeError(
            f"{type(self).__name__}: stands for something in the kernel, and cannot be"
            " copied or pickled; a forked child has it too, and another process opens"
            " its own (with pins or reuse() for the same maps)"
        )


class Live(Listed, Single):
    """Base of an object and its parts."""

    __slots__ = ()


class Namespace(Live):
    """Base of generated classes with an attribute a map, program or variable.

    The attributes have the names in C.
    """

    __slots__ = ()

    if not TYPE_CHECKING:  # one that has it has every attribute, for a type checker

        def __setattr__(self, name: str, value: object) -> None:
            if name in part_names(self):
                check_first(self, name)
            object.__setattr__(self, name, value)

    def __dir__(self) -> list[str]:
        return sorted(part_names(self))

    def __repr__(self) -> str:
        parts = (f"{name}={getattr(self, name)!r}" for name in part_names(self))
        return f"{type(self).__name__}({', '.join(parts)})"


def check_first(whole: object, name: str) -> None:
    """Raise AttributeError where an attribute of a generated class is set once more.

    ``skel.maps.x = 5`` would put a number in the place of the map, and set no element.
    """
    try:
        part = getattr(whole, name)
    except AttributeError:
        return
    own = f"{type(whole).__name__}.{name}"
    raise AttributeError(
        f"{own} cannot be assigned: it is the {type(part).__name__} that open() made;"
        " assign to what is in it"
    )


def part_names(space: Namespace) -> "tuple[str, ...]":
    """Return the attributes of a generated class, in the object's order."""
    cls = type(space)
    if cls.__module__.startswith("skelgen.runtime."):  # of no generated module
        return ()
    names: str | tuple[str, ...] = cls.__dict__.get("__slots__", ())
    return (names,) if isinstance(names, str) else tuple(names)


def without_values(thing: object, error: BpfError) -> str:
    """Return the text of something whose values cannot be read, and why."""
    why = "destroyed" if isinstance(error, ClosedError) else str(error)
    return f"<{type(thing).__name__}: {why}>"
