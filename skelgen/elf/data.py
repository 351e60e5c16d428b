"""Data sections, which become array maps of one element."""

from skelgen.btf.kinds import Kind
from skelgen.btf.layout import section_vars
from skelgen.btf.parse import Btf
from skelgen.elf.reader import ElfFile
from skelgen.elf.roles import ARENA, KCONFIG, Layout
from skelgen.errors import ObjectError
from skelgen.model.enums import MapType
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import DataKind, DataSpec, MapSpec


def collect(
    elf: ElfFile,
    layout: Layout,
    btf: Btf | None,
    kconfig_size: int,
    image: ImageBuilder,
) -> tuple[DataSpec, ...]:
    """Return the data sections in the order of the file, ``.kconfig`` last."""
    specs: list[DataSpec] = []
    for section, kind in layout.data:
        content = elf.content(section)
        zeros = content.count(0) == len(content)
        span = None if zeros else image.add(content)
        type_id, shared = _described(btf, section.name)
        mmapable = shared or (kind is DataKind.ARENA and type_id != 0)
        specs.append(
            DataSpec(section.name, kind, section.size, span, mmapable, type_id)
        )
    if kconfig_size:
        type_id, shared = _described(btf, KCONFIG)
        specs.append(
            DataSpec(KCONFIG, DataKind.KCONFIG, kconfig_size, None, shared, type_id)
        )
    return tuple(specs)


def _described(btf: Btf | None, section: str) -> tuple[int, bool]:
    """Return the BTF of a section, and whether user space may see a variable."""
    type_id = btf.find(section, Kind.DATASEC) if btf is not None else None
    if btf is None or type_id is None:
        return 0, False
    return type_id, any(var.linkage != 0 for var in section_vars(btf, type_id))


def check_arena(layout: Layout, maps: tuple[MapSpec, ...]) -> None:
    """Refuse arena variables without an arena, and a second arena."""
    arenas = [spec.name for spec in maps if spec.type == MapType.ARENA]
    if len(arenas) > 1:
        raise ObjectError(
            f"map '{arenas[1]}': '{arenas[0]}' is an arena too; one is supported"
        )
    if layout.arena is not None and not arenas:
        raise ObjectError(
            "variables in an arena, but no BPF_MAP_TYPE_ARENA in .maps", section=ARENA
        )
