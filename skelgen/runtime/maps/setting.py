"""A map's definition: parts that are assigned before load, and fixed after it."""

from __future__ import annotations

from skelgen.model.enums import MapType
from skelgen.runtime.codec import checked
from skelgen.runtime.errors import StateError
from skelgen.runtime.listing import Listed
from skelgen.typed import TYPE_CHECKING, Generic, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from typing import Any, Self

    from skelgen.runtime.codec import Codec

T = TypeVar("T")


class Definition(Protocol):
    """What holds the parts of a definition: a map's handle, or a template."""

    @property
    def what(self) -> str:
        """How messages call the map."""
        ...

    @property
    def state(self) -> str | None:
        """Why the definition is fixed; None before load."""
        ...

    def setting(self, name: str) -> Any:  # noqa: ANN401 (of any type)
        """Return a part of the definition."""

    def set(self, name: str, value: object) -> None:
        """Change a part of the definition, which was checked."""

    def reused_fd(self) -> int | None:
        """Return the fd of the map to use in place of a new one."""


class Defined(Listed):
    """What has the definition of a map: its handle, and the families over it."""

    __slots__ = ()

    @property
    def handle(self) -> Definition:
        """What holds the definition."""
        raise NotImplementedError

    def check_setting(self, name: str, value: object) -> None:
        """Refuse, with TypeError, a definition that it is not made for."""


class Setting(Generic[T]):
    """A part of a map's definition; assigning raises StateError once it is made."""

    __slots__ = ("codec", "name")

    def __init__(self, codec: Codec[Any] | None = None) -> None:
        self.codec = codec
        self.name = ""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type[object]) -> Self: ...
    @overload
    def __get__(self, instance: Defined, owner: type[object]) -> T: ...
    def __get__(self, instance: Defined | None, owner: type[object]) -> T | Self:
        if instance is None:
            return self
        value: T = instance.handle.setting(self.name)
        return value

    def __set__(self, instance: Defined, value: T) -> None:
        handle = instance.handle
        if handle.state is not None:
            raise StateError(
                f"{handle.what}: {self.name} cannot change after load() or"
                " prepare(); assign before"
            )
        if handle.reused_fd() is not None:
            raise StateError(
                f"{handle.what}: {self.name} is that of the map it reuses; "
                "reuse(None) gives that up"
            )
        if self.codec is not None and value is not None:
            checked(self.codec, value, f"{handle.what}: {self.name}")
        instance.check_setting(self.name, value)
        handle.set(self.name, value)


def type_name(number: int) -> str:
    """Return the name of a map type, ``PERCPU_HASH``; its number if it is a newer one."""
    try:
        return MapType(number).name
    except ValueError:
        return str(number)
