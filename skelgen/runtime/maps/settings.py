"""Definitions of maps: parts that are assigned before load, and fixed after it."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING, Generic, Protocol, TypeVar, overload
from skelgen.arguments import encoded, wrong
from skelgen.model.enums import MapType
from skelgen.plain import plain
from skelgen.runtime.errors import StateError
from skelgen.runtime.listing import Live
from skelgen.runtime.values.codec import U32, U64, checked

if TYPE_CHECKING:
    from typing import Any, Final, Self

    from skelgen.model.spec import MapSpec
    from skelgen.runtime.values.codec import Codec

T = TypeVar("T")


class Definition(Protocol):
    """The holder of a definition: a map's handle, or a template."""

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


class Outer(Definition, Protocol):
    """The map of maps that a template of inner maps is for."""

    @property
    def name(self) -> str:
        """Return its name in C."""
        ...


class Defined(Live):
    """A thing with the definition of a map: its handle, and the families over it."""

    __slots__ = ()

    @property
    def handle(self) -> Definition:
        """The holder of the definition."""
        raise NotImplementedError

    def setting(self, name: str) -> Any:  # noqa: ANN401 (of any type)
        """Return a part of the definition."""
        return self.handle.setting(name)

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
        value: T = instance.setting(self.name)
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
        self.check(value, handle.what)
        instance.check_setting(self.name, value)
        handle.set(self.name, value)

    def check(self, value: object, whose: str) -> None:
        """Refuse a value; ``whose`` it is goes before what is said."""
        if self.codec is not None:
            checked(self.codec, value, f"{whose}: {self.name}")


class OrNone(Setting[T], Generic[T]):
    """A setting that may be None."""

    __slots__ = ()

    def check(self, value: object, whose: str) -> None:
        """Refuse what is neither None nor a value."""
        if value is not None:
            super().check(value, whose)


class Path(Setting[T], Generic[T]):
    """A setting that is a path, or None."""

    __slots__ = ()

    def check(self, value: object, whose: str) -> None:
        """Refuse what is no path."""
        if value is not None:
            if isinstance(value, bytes):
                raise wrong(self.name, "str or a path", value, whose)
            encoded(value, self.name, whose)


class ProgramName(Setting[T], Generic[T]):
    """A setting that is a program, its name, or None."""

    __slots__ = ()

    def check(self, value: object, whose: str) -> None:
        """Refuse what is neither."""
        if isinstance(value, str):
            encoded(value, self.name, whose)
        elif value is not None and not hasattr(value, "attach_type"):
            raise wrong(self.name, "a program, its name or None", value, whose)


class InnerMap(Defined):
    """Template of the inner maps of a map of maps: ``bpf_map__inner_map()``.

    ``skel.maps.rings.inner.max_entries = 4096`` before load. The kernel takes what is
    like it for an inner map: the same type, sizes and flags, and of arrays as many
    entries (unless both have ``BPF_F_INNER_MAP``, Linux 5.10).
    """

    __slots__ = ("_outer", "definition", "spec")
    _internal = frozenset(
        (
            "check_setting",
            "definition",
            "handle",
            "now",
            "reused_fd",
            "set",
            "setting",
            "what",
        )
    )

    type: Setting[MapType | int] = Setting(U32)
    """``map_type``."""
    key_size: Setting[int] = Setting(U32)
    """Bytes."""
    value_size: Setting[int] = Setting(U32)
    """Bytes, of one CPU for the per-CPU types."""
    max_entries: Setting[int] = Setting(U32)
    """Elements; bytes for ring buffers, rounded up to a power of two of pages."""
    flags: Setting[int] = Setting(U32)
    """``map_flags``, ``BPF_F_*``."""
    map_extra: Setting[int] = Setting(U64)
    """Hash functions of a bloom filter (Linux 5.16)."""
    numa_node: Setting[int | None] = Setting(U32)
    """NUMA node of the memory, None for any."""

    def __init__(self, spec: MapSpec, outer: Outer) -> None:
        self.spec: Final = spec
        """The blueprint."""
        self._outer: Final = outer
        self.definition: Final[dict[str, Any]] = {}

    @property
    def handle(self) -> Definition:
        """The definition itself."""
        return self

    @property
    def what(self) -> str:
        """How messages call it."""
        return f"map '{plain(self._outer.name)}.inner'"

    @property
    def state(self) -> str | None:
        """Why it is fixed: that of the outer map; None before load."""
        return self._outer.state

    def __repr__(self) -> str:
        spec = self.now()
        return (
            f"<template of {self._outer.what}: type {type_name(spec.type)}, key_size"
            f" {spec.key_size}, value_size {spec.value_size}, max_entries"
            f" {spec.max_entries}, flags {spec.flags:#x}>"
        )

    def setting(self, name: str) -> Any:  # noqa: ANN401 (of any type)
        """Return a part of the definition."""
        return self.definition.get(name, getattr(self.spec, name))

    def set(self, name: str, value: object) -> None:
        """Change a part of the definition, which was checked."""
        self.definition[name] = value

    def reused_fd(self) -> int | None:
        """Return the fd that the outer map is to be in place of a new one."""
        return self._outer.reused_fd()

    def now(self) -> MapSpec:
        """Return the definition as a blueprint."""
        return self.spec._replace(**self.definition)

    def _replace(self, **changes: Any) -> MapSpec:  # noqa: ANN401 (of any type)
        """Return the definition with changes, as blueprints have it."""
        return self.now()._replace(**changes)


class InnerSetting(Setting["InnerMap | None"]):
    """The template of a map of maps; a blueprint may be assigned, too."""

    __slots__ = ()

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type[object]) -> Self: ...
        @overload
        def __get__(
            self, instance: Defined, owner: type[object]
        ) -> InnerMap | None: ...
        def __get__(
            self, instance: Defined | None, owner: type[object]
        ) -> InnerMap | Self | None: ...

    def __set__(self, instance: Defined, value: InnerMap | MapSpec | None) -> None:
        outer: Any = instance.handle  # a map's, which alone has such a setting
        if isinstance(value, InnerMap):
            value = value.now()
        super().__set__(instance, None if value is None else InnerMap(value, outer))


def type_name(number: int) -> str:
    """Return the name of a map type, ``PERCPU_HASH``; its number if it is a newer one."""
    from skelgen.model.constants import name_of

    return name_of(number, MapType)
