"""The parts of an object, as the loader needs them."""

import os
from collections.abc import Mapping

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING, Generic, TypeVar
from skelgen.model.spec import DataKind, DataSpec, ObjectSpec, Pinning
from skelgen.plain import plain
from skelgen.runtime.listing import Listed
from skelgen.runtime.maps.data import (
    DataHandle,
    data_map_spec,
    has_map,
    section_map_name,
)
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.memory.section import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from skelgen.btf.parse import Btf
    from skelgen.runtime.maps.struct_ops import StructOpsMap
    from skelgen.runtime.programs.base import Program


T = TypeVar("T")


def not_there(kind: str, name: str, names: "Iterable[str]") -> KeyError:
    """Return the error for a name that no part of an object has."""
    from skelgen.near_names import or_near

    names = tuple(map(plain, names))
    listed = ", ".join(names) or "any, there are none"
    return KeyError(
        or_near(f"{kind} '{plain(name)}': not one of {listed}", name, names)
    )


class LazyMapping(Listed, Mapping[str, T], Generic[T]):
    """Parts of an object by name, in the object's order; made when first asked for."""

    __slots__ = ("_get", "_kind", "_names")

    def __init__(
        self, kind: str, names: tuple[str, ...], get: "Callable[[str], T]"
    ) -> None:
        self._kind = kind
        self._names = names
        self._get = get

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise not_there(self._kind, name, self._names)
        return self._get(name)

    def __iter__(self) -> "Iterator[str]":
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __repr__(self) -> str:
        return f"<{self._kind}s: {plain(', '.join(self._names))}>"


class Options(Record):
    """How an object was opened; see :class:`skelgen.runtime.object.object.Object`."""

    btf: "str | os.PathLike[str] | bytes | None" = None
    pin_root: str = "/sys/fs/bpf"
    kconfig: str | None = None
    token: str | None = None
    log_level: int = 0


class DataMap(Record):
    """A data section and the map that it becomes."""

    spec: DataSpec
    section: Section
    handle: MapHandle
    kernel_name: str

    @property
    def is_kconfig(self) -> bool:
        """Whether the loader fills it in."""
        return self.spec.kind is DataKind.KCONFIG


class Parts(Record):
    """All of an object that has a life of its own."""

    spec: ObjectSpec
    options: Options
    maps: "dict[str, MapHandle]"
    """Of ``.maps``, by name."""
    data: dict[str, DataMap]
    """By ELF section; not the globals of an arena."""
    arena: Section | None
    """The globals of an arena, which have no map of their own."""
    struct_ops: "dict[str, StructOpsMap]"
    programs: "Mapping[str, Program]"

    def handles(self) -> "dict[str, MapHandle]":
        """Return every map in libbpf's order: ``.maps``, data sections, struct_ops."""
        handles = dict(self.maps)
        handles.update((name, data.handle) for name, data in self.data.items())
        handles.update((name, ops.handle) for name, ops in self.struct_ops.items())
        return handles


def map_handles(spec: ObjectSpec, pin_root: str) -> "dict[str, MapHandle]":
    """Return the handles of an object's ``.maps``."""
    return {
        map_.name: MapHandle(
            map_,
            pin_path=(
                os.path.join(pin_root, map_.name.replace("/", "_"))
                if map_.pinning is Pinning.BY_NAME
                else None
            ),
        )
        for map_ in spec.maps
    }


def arena_section(spec: ObjectSpec) -> Section | None:
    """Return the globals of an object's arena, with their initial contents."""
    for data in spec.data:
        if data.kind is DataKind.ARENA:
            return Section(data, None if data.image is None else spec.view(data.image))
    return None


def data_maps(spec: ObjectSpec, object_name: str) -> dict[str, DataMap]:
    """Return an object's data sections, with their initial contents."""
    result: dict[str, DataMap] = {}
    for data in spec.data:
        if has_map(data):
            image = None if data.image is None else spec.view(data.image)
            section = Section(data, image, lambda: _btf(spec))
            result[data.section] = DataMap(
                data,
                section,
                DataHandle(data_map_spec(data), section),
                section_map_name(object_name, data.section),
            )
    return result


def _btf(spec: ObjectSpec) -> "Btf":
    from skelgen.btf.parse import Btf

    return Btf(b"" if spec.btf is None else spec.view(spec.btf))
