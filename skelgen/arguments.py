"""Checks of arguments: one way for all calls, with the argument's name in the error.

The functions check numbers, text and bytes where they are handed on.
:func:`checks_arguments` compares the arguments of a call with the annotations of its
parameters, for calls that are not made all the time.

They raise TypeError for a value of another type, OverflowError for a number out of range,
and ValueError otherwise.
"""

from __future__ import annotations

# ruff: noqa: ANN401 (arguments are of any type)
import os
from functools import wraps

from skelgen._typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    _Atom: TypeAlias = Callable[[Any, str, str], bool]
    """Whether a value, by its name and whose it is, is of a type."""

F = TypeVar("F", bound="Callable[..., Any]")

_ANY_NUMBER = (-1 << 63, (1 << 64) - 1)
FD = (-1, (1 << 31) - 1)
"""Range of a file descriptor; -1 is none."""
SIZE = (0, 1 << 30)
"""Bytes or elements of a type in C."""
ROOM = (0, 1 << 24)
"""Bytes of a buffer that is made for the kernel to write to."""
_LONGEST_SHOWN = 60


def number(
    value: object, name: str, bounds: tuple[int, int] = FD, whose: str = ""
) -> int:
    """Return a whole number within bounds."""
    try:
        found: int = value.__index__()  # type: ignore[attr-defined] # else TypeError
    except (AttributeError, TypeError):
        raise wrong(name, "int", value, whose) from None
    low, high = bounds
    if not low <= found <= high:
        raise OverflowError(
            f"{_of(whose)}{name} must be int in {_bound(low)}..{_bound(high)},"
            f" got {found}"
        )
    return found


def _bound(value: int) -> str:
    if -(1 << 16) < value < 1 << 16:
        return str(value)
    if value < 0:
        return f"-2**{(-value).bit_length() - 1}"
    power = value.bit_length()
    return f"2**{power}-1" if value == (1 << power) - 1 else f"2**{power - 1}"


def _of(whose: str) -> str:
    return f"{whose}: " if whose else ""


def wrong(name: str, wanted: str, value: object, whose: str = "") -> TypeError:
    """Return the error about an argument of another type."""
    return TypeError(f"{_of(whose)}{name} must be {wanted}, got {type(value).__name__}")


def must_be(
    cls: type | tuple[type, ...], value: object, name: str, wanted: str, whose: str = ""
) -> None:
    """Refuse what is of none of the classes; ``wanted`` is what they are called."""
    if not isinstance(value, cls):
        raise wrong(name, wanted, value, whose)


def must_derive(
    cls: type | tuple[type, ...], value: object, name: str, wanted: str, whose: str = ""
) -> None:
    """Refuse what is no class, or derives from none of the classes."""
    if not isinstance(value, type) or not issubclass(value, cls):
        raise wrong(name, wanted, value, whose)


def shown(value: object) -> str:
    """Return a value for a message; a long one in part."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 3] + "..."


def encoded(value: object, name: str, whose: str = "") -> bytes:
    """Return a path or name as the kernel takes it."""
    try:
        data = os.fsencode(value)  # type: ignore[arg-type] # else TypeError
    except TypeError:
        raise wrong(name, "str or a path", value, whose) from None
    except UnicodeError:
        raise ValueError(
            f"{_of(whose)}{name} is no name of a file: {shown(value)}"
        ) from None
    if b"\0" in data:
        raise ValueError(f"{_of(whose)}{name} has a NUL in it: {shown(value)}")
    return data


def name_bytes(value: object, name: str, whose: str = "") -> bytes:
    """Return a name that goes into a field of 16 bytes, of which the kernel keeps 15."""
    if not isinstance(value, str):
        raise wrong(name, "str", value, whose)
    return encoded(value[:_NAME_SIZE], name, whose)[:_NAME_SIZE]


_NAME_SIZE = 15


def readable(value: object, name: str, whose: str = "") -> bytes | memoryview:
    """Return bytes to be read."""
    if isinstance(value, (bytes, bytearray)):
        return value  # type: ignore[return-value] # as good
    if isinstance(value, memoryview):
        return value
    raise wrong(name, "bytes", value, whose)


def writable(value: object, name: str, whose: str = "") -> bytearray | memoryview:
    """Return memory that the kernel may write to."""
    if isinstance(value, bytearray):
        return value
    if isinstance(value, memoryview) and not value.readonly:
        return value
    raise wrong(name, "a bytearray or writable memoryview", value, whose)


def numbers(
    values: object, name: str, bounds: tuple[int, int], whose: str = ""
) -> list[int]:
    """Return the whole numbers of a sequence."""
    return [
        number(value, f"{name}[{index}]", bounds, whose)
        for index, value in enumerate(sequence(values, name, whose))
    ]


def sequence(values: Any, name: str, whose: str = "") -> list[Any]:
    """Return what is in a sequence; text is none."""
    if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
        raise wrong(name, "a sequence", values, whose)
    return list(values)


# -- by annotation -------------------------------------------------------------


def checks_arguments(function: F) -> F:
    """Return a function that refuses arguments which are not what it says it takes.

    By the annotations of its parameters: types, text without NUL, numbers of 64 bits,
    sequences of such. A method's errors begin with what its object calls itself.
    """
    tests: dict[str, Callable[[Any, str, str], None]] | None = None
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    positional = names[: code.co_argcount]
    is_method = names[:1] == ("self",)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal tests
        if len(args) > 1 or kwargs:
            if tests is None:
                tests = _tests(function, names)
            whose = getattr(args[0], "what", "") if args and is_method else ""
            if not isinstance(whose, str):
                whose = ""
            for name, value in (*zip(positional, args, strict=False), *kwargs.items()):
                test = tests.get(name)
                if test is not None:
                    test(value, name, whose)
        return function(*args, **kwargs)

    return call  # type: ignore[return-value] # of the same signature


def _tests(
    function: Callable[..., Any], names: tuple[str, ...]
) -> dict[str, Callable[[Any, str, str], None]]:
    annotations = function.__annotations__
    found: dict[str, Callable[[Any, str, str], None]] = {}
    for name in names:
        wanted = annotations.get(name)
        if wanted is not None:
            text = wanted if isinstance(wanted, str) else _text_of(wanted)
            found[name] = _Test(text)
    return found


def _text_of(annotation: Any) -> str:
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation.__name__
    return str(annotation).replace("'", "").replace('"', "")


def _parts(text: str, separator: str) -> list[str]:
    """Split text where it is not inside of brackets."""
    found = [""]
    depth = 0
    for char in text:
        depth += (char == "[") - (char == "]")
        if char == separator and not depth:
            found.append("")
        else:
            found[-1] += char
    return [part.strip() for part in found]


class _Test:
    """Whether a value is what an annotation says, e.g. ``str | os.PathLike[str]``."""

    __slots__ = ("_atoms", "_fd")

    def __init__(self, annotation: str) -> None:
        self._atoms = _parts(annotation.strip().strip("\"'"), "|")
        self._fd = any(atom in {"HasFd", "SupportsFd"} for atom in self._atoms)
        """Whether a number is an fd, whose range others look at."""

    def __call__(self, value: Any, name: str, whose: str) -> None:
        if self._fd and hasattr(value, "__index__"):
            return
        for atom in self._atoms:
            fits = _fits(atom, value, name, whose)
            if fits or fits is None:
                return
        wanted = " or ".join(_words(atom) for atom in self._atoms)
        raise wrong(name, wanted, value, whose)


def _words(atom: str) -> str:
    atom = atom.strip("\"'")
    if atom.startswith(("os.PathLike", "PathLike")):
        return "a path"
    if atom in {"SupportsFd", "HasFd", "SupportsFileno"}:
        return "an object with an fd"
    plain = atom.partition("[")[0].rpartition(".")[2]
    return _CLASSES.get(plain, plain)


def _fits(atom: str, value: Any, name: str, whose: str) -> bool | None:
    """Tell whether a value is of a type; None for a type that says nothing here.

    ``Literal`` is one: the function knows its words, and what others say for them.

    Raises where it is, but no such value can be meant.
    """
    plain = atom.strip("\"'").partition("[")[0].rpartition(".")[2]
    test = _ATOMS.get(plain)
    if test is not None:
        return test(value, name, whose)
    if plain in {"Sequence", "Iterable", "tuple", "list"}:
        inner = atom.strip("\"'")[len(atom.partition("[")[0]) + 1 : -1]
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            return False
        if plain == "Sequence" and inner and hasattr(value, "__len__"):
            inside = _Test(inner)
            for index, item in enumerate(value):
                inside(item, f"{name}[{index}]", whose)
        return True
    if plain[:1].isupper() and len(plain) > 1 and plain in _CLASSES:
        wanted = _CLASSES[plain]
        return any(cls.__name__ == wanted for cls in type(value).__mro__)
    return None


_CLASSES = {
    name: name
    for name in (
        *("Program", "Link", "Map", "MapHandle", "MapSpec", "StructOpsMap", "socket"),
        *("ObjectSpec", "Codec"),
    )
} | {"AttachedProgram": "Program", "AttachedOps": "StructOpsMap"}
"""The class that a value has to be of, by the name in the annotation."""


def _is_int(value: Any, name: str, whose: str) -> bool:
    if not hasattr(value, "__index__"):
        return False
    number(value, name, _ANY_NUMBER, whose)
    return True


def _is_text(value: Any, name: str, whose: str) -> bool:
    if not isinstance(value, str):
        return False
    encoded(value, name, whose)
    return True


def _is_path(value: Any, name: str, whose: str) -> bool:
    if not hasattr(value, "__fspath__"):
        return False
    encoded(value, name, whose)
    return True


def _is_float(value: Any, name: str, whose: str) -> bool:
    if not hasattr(value, "__float__") and not hasattr(value, "__index__"):
        return False
    try:
        found = float(value)
    except OverflowError:
        raise OverflowError(
            f"{_of(whose)}{name} is too large a number: {shown(value)}"
        ) from None
    if found != found:  # noqa: PLR0124 - what is no number
        raise ValueError(f"{_of(whose)}{name} must be a number, got {value!r}")
    return True


def _is_bool(value: Any, _name: str, _whose: str) -> bool:
    return value is True or value is False or (type(value) is int and value in {0, 1})


def _is_buffer(value: Any, _name: str, _whose: str) -> bool:
    try:
        memoryview(value).release()
    except TypeError:
        return False
    return True


def _is_a(cls: type) -> _Atom:
    return lambda value, _name, _whose: isinstance(value, cls)


def _has(method: str) -> _Atom:
    return lambda value, _name, _whose: callable(getattr(value, method, None))


_ATOMS: dict[str, _Atom] = {
    "int": _is_int,
    "SupportsIndex": _is_int,
    "str": _is_text,
    "PathLike": _is_path,
    "float": _is_float,
    "bool": _is_bool,
    "None": _is_a(type(None)),
    "bytes": _is_a(bytes),
    "bytearray": _is_a(bytearray),
    "memoryview": _is_a(memoryview),
    "ReadableBuffer": _is_buffer,
    "Callable": lambda value, _name, _whose: callable(value),
    "HasFd": _has("fd"),
    "SupportsFd": _has("fd"),
    "SupportsFileno": _has("fileno"),
}
