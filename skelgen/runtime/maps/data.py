"""Maps of data sections: arrays of one element, of the section's size."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_MMAPABLE, BPF_F_RDONLY_PROG
from skelgen.model.spec import DataKind, DataSpec, MapSpec
from skelgen.runtime.errors import StateError
from skelgen.runtime.kernel.names import NAME_LENGTH, kernel_name
from skelgen.runtime.maps.handle import MapHandle

if TYPE_CHECKING:
    from skelgen.runtime.memory.section import Section


class DataHandle(MapHandle):
    """The map of a data section, which has the section's size."""

    __slots__ = ("_section",)

    def __init__(self, spec: MapSpec, section: Section) -> None:
        super().__init__(spec)
        self._section = section

    def setting(self, name: str) -> object:
        """Return a part of the definition."""
        return self._section.size if name == "value_size" else self.definition[name]

    def set(self, name: str, value: object) -> None:
        """Change a part of the definition; the size changes the section."""
        if name == "value_size" and isinstance(value, int):
            self._section.resize(value)
        elif name in {"type", "key_size", "max_entries"}:
            raise StateError(f"{self.what}: the map of a data section has its {name}")
        else:
            super().set(name, value)

    def value_type_id(self) -> int:
        """Return the BTF of the section, which load gives the section's size."""
        return self.spec.value_type_id


def section_map_name(object_name: str, section: str) -> str:
    """Return the kernel's name of a data section's map, as libbpf makes it.

    ``.bss`` of ``bootstrap`` is ``bootstra.bss``: 7 characters or more are left for
    the section. A section of a longer name (``.data.foo``) stands for itself.
    """
    if "." in section[1:]:
        prefix = ""
    else:
        suffix = min(max(7, len(section)), NAME_LENGTH)
        prefix = object_name[: NAME_LENGTH - suffix]
    return kernel_name(prefix + section)


def data_map_spec(spec: DataSpec) -> MapSpec:
    """Return the array map of one element that a data section becomes."""
    flags = BPF_F_RDONLY_PROG if spec.readonly else 0
    if spec.mmapable:
        flags |= BPF_F_MMAPABLE
    return MapSpec(
        spec.section,
        MapType.ARRAY,
        key_size=4,
        value_size=spec.size,
        max_entries=1,
        flags=flags,
        value_type_id=spec.type_id,
    )


def has_map(spec: DataSpec) -> bool:
    """Whether a data section becomes a map; the globals of an arena do not."""
    return spec.kind is not DataKind.ARENA
