"""Reading compiled BPF objects: the build-time half's way in."""

from typing import TYPE_CHECKING

from skelgen.model.enums import ProgType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skelgen.btf.parse import Btf
    from skelgen.elf.object import Reading
    from skelgen.model.spec import ObjectSpec


def read_object(
    data: bytes, *, name: str, source: str, path: str | None = None
) -> "ObjectSpec":
    """Return the blueprint of a compiled BPF object; see :mod:`skelgen.elf.object`."""
    from skelgen.elf import object as lower

    return lower.read_object(data, name=name, source=source, path=path)


def read(data: bytes, *, name: str, source: str, path: str | None = None) -> "Reading":
    """Return the blueprint, and what is wrong with initial values."""
    from skelgen.elf import object as lower

    return lower.read(data, name=name, source=source, path=path)


def object_name(path: str) -> str:
    """Return the name of an object as a C identifier: ``dir/x-1.bpf.o`` is ``x_1``."""
    from skelgen.elf import object as lower

    return lower.object_name(path)


def section_fault(section: str) -> str | None:
    """Return why ``SEC(section)`` says no type, or has no target after its ``/``."""
    from skelgen.elf import section_names

    match = section_names.match_section(section)
    if match.type != ProgType.UNSPEC:
        return match.fault and f"{match.fault}; attach() refuses it"
    near = " or ".join(
        f'SEC("{name}")' for name in section_names.near_sections(section)
    )
    hint = f"did you mean {near}? Else " if near else ""
    return (
        f'SEC("{section}") does not say what type of program it is; {hint}load() wants'
        " program.type set"
    )


def struct_from_dwarf(data: bytes, names: "Sequence[str]", btf: "Btf") -> bytes:
    """Return BTF with types from an object's DWARF; see :mod:`skelgen.elf.dwarf`."""
    from skelgen.elf import dwarf

    return dwarf.struct_from_dwarf(data, names, btf)
