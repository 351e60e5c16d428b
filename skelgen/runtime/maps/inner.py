"""The maps in a map of maps: their template, and new ones from Python."""

from __future__ import annotations

# pyright: reportPrivateUsage=false
# who makes a map hands it over
from skelgen.plain import plain
from skelgen.runtime.codec import U32, U64, checked
from skelgen.runtime.errors import StateError
from skelgen.runtime.maps.setting import Defined, Setting, type_name
from skelgen.typed import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from typing import Any, Final, Self

    from skelgen.model.enums import MapType
    from skelgen.model.spec import MapSpec
    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.maps.setting import Definition


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

    def __init__(self, spec: MapSpec, outer: MapHandle) -> None:
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


def create_inner(outer: MapHandle, max_entries: int | None) -> MapHandle:
    """Return the handle of a new map after the template of a map of maps."""
    from skelgen.runtime import map_create  # noqa: PLC0415 - rare
    from skelgen.runtime.maps.handle import MapHandle  # noqa: PLC0415 - a circle

    what = outer.what
    if outer.type not in map_create.MAPS_OF_MAPS:
        raise TypeError(f"{what}: is no map of maps, so it has no inner maps")
    inner: InnerMap | None = outer.inner
    if inner is None:
        raise StateError(
            f"{what}: has no template of its inner maps; declare one in C with"
            f" __array(values, ...), or set maps.{plain(outer.name)}.inner before load()"
        )
    if max_entries is not None:
        checked(U32, max_entries, f"{what}: create_inner(): max_entries")
    wanted = map_create.inner_request(inner, outer.name, max_entries=max_entries)
    fd = map_create.create(wanted, inner.what)
    spec = inner.now()._replace(
        name=wanted.declared, max_entries=wanted.max_entries, flags=wanted.flags
    )
    made = MapHandle(spec)
    made.alone = True
    made._adopt(fd)  # noqa: SLF001 - its maker
    return made
