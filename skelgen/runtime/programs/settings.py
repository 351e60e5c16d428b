"""Attributes of a program that can be set until it is loaded."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING, Generic, Protocol, TypeVar, overload
from skelgen.runtime.values.codec import U32, checked

if TYPE_CHECKING:
    from typing import Any, Self

    from skelgen.runtime.values.codec import Codec

T = TypeVar("T")

_LEAST_LOG = 128
_MOST_LOG = (1 << 30) - 1


class Settable(Protocol):
    """A program, as its settings know it."""

    @property
    def what(self) -> str:
        """Return what errors call it."""
        ...

    def check_not_loaded(self, thing: str) -> None:
        """Raise StateError once it is loaded."""
        ...

    def check_not_prepared(self, thing: str) -> None:
        """Raise StateError once its object is prepared."""
        ...

    def check_attachable(self, thing: str) -> None:
        """Raise StateError where the object's ``attach()`` never asks."""
        ...


class Setting(Generic[T]):
    """An attribute that can be set until the program is loaded.

    Later assigning raises StateError; what ``codec`` does not take OverflowError or
    TypeError. ``early``: the object's prepare() goes by it, so it is fixed then.
    """

    __slots__ = ("_codec", "_early", "_slot")

    def __init__(self, codec: Codec[Any] | None = None, *, early: bool = False) -> None:
        self._codec = codec
        self._early = early

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_{name}"

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Settable, owner: type) -> T: ...
    def __get__(self, instance: Settable | None, owner: type) -> Self | T:
        if instance is None:
            return self
        value: T = getattr(instance, self._slot)
        return value

    def __set__(self, instance: Settable, value: T) -> None:
        name = self._slot[1:]
        instance.check_not_loaded(name)
        if self._early:
            instance.check_not_prepared(name)
        self.check(value, f"{instance.what}: {name}")
        setattr(instance, self._slot, value)

    def check(self, value: T, whose: str) -> None:
        """Refuse a value; ``whose`` it is goes before what is said."""
        if self._codec is not None:
            checked(self._codec, value, whose)


class AutoAttach(Setting[bool]):
    """Whether the object's ``attach()`` attaches it: settable as long as that can."""

    __slots__ = ()

    def __set__(self, instance: Settable, value: bool) -> None:  # noqa: FBT001
        instance.check_attachable(self._slot[1:])
        self.check(value, f"{instance.what}: {self._slot[1:]}")
        setattr(instance, self._slot, value)


class Name(Setting[str | None]):
    """A setting that is a name, or None."""

    __slots__ = ()

    def check(self, value: object, whose: str) -> None:
        """Refuse what is no name."""
        if value is not None and not isinstance(value, str):
            raise TypeError(
                f"{whose} must be a str or None, got {type(value).__name__}"
            )
        if value is not None and (not value or "\0" in value):
            raise ValueError(f"{whose} must be a name, got {value!r}")


class LogSize(Setting[int]):
    """The size of a verifier log, within what the kernel takes."""

    __slots__ = ()

    def check(self, value: int, whose: str) -> None:
        """Refuse a size that the kernel would."""
        size = checked(U32, value, whose)
        if size and not _LEAST_LOG <= size <= _MOST_LOG:
            raise OverflowError(
                f"{whose} must be 0 or {_LEAST_LOG}..{_MOST_LOG}, got {size}"
            )
