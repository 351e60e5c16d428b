"""Types found in DWARF, added to BTF.

BTF has the types that maps, globals and functions mention. A record that is only
written to a ring buffer is missing from it, but DWARF has every type that the source
defines.
"""

from collections.abc import Sequence

from skelgen.btf.kinds import DEFINITIONS
from skelgen.btf.parse import Btf
from skelgen.elf.dwarf_index import Index
from skelgen.elf.dwarf_types import TypeWriter
from skelgen.elf.reader import ElfFile
from skelgen.errors import ObjectError


def struct_from_dwarf(data: bytes, names: Sequence[str], btf: Btf) -> bytes:
    """Return BTF with the types of these names added from an object's DWARF.

    `data` is the object, `btf` its own BTF, as fixed up or not; numbers of its types
    stay. A name is that of a struct, union, enumeration or typedef; what BTF has
    already is left alone. Pointers lead to scalars or to declarations.

    Raises :class:`ObjectError` when there is no such type, no DWARF, or broken DWARF.
    """
    missing = [name for name in names if not btf.find_all(name, *DEFINITIONS)]
    if not missing:
        return btf.raw
    try:
        return _extend(ElfFile(data), missing, btf)
    except ObjectError:
        raise
    except Exception as error:  # pyelftools raises anything
        raise ObjectError(
            f"broken DWARF: {error or type(error).__name__}", section=".debug_info"
        ) from error


def size_from_dwarf(data: bytes, name: str) -> int:
    """Return the size in bytes of a struct or union that an object's DWARF defines.

    Raises :class:`ObjectError` when there is no such type, no DWARF, or broken DWARF.
    """
    try:
        size = Index(ElfFile(data)).find(name).attributes.get("DW_AT_byte_size")
    except ObjectError:
        raise
    except Exception as error:  # pyelftools raises anything
        raise ObjectError(
            f"broken DWARF: {error or type(error).__name__}", section=".debug_info"
        ) from error
    if size is None or not isinstance(size.value, int) or not 0 < size.value < 1 << 32:
        raise ObjectError(f"type '{name}': DWARF does not say its size")
    return size.value


def _extend(elf: ElfFile, names: Sequence[str], btf: Btf) -> bytes:
    index = Index(elf)
    writer = TypeWriter(index, btf)
    for name in names:
        writer.add(index.find(name))
    return writer.bytes()
