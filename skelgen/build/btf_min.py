"""BTF of a kernel, cut to what the CO-RE relocations of some objects need."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from skelgen.btf.core.minimize import BadRelocationError, CoreMinimizer, Unmet
from skelgen.btf.errors import BtfParseError
from skelgen.btf.ext import BtfExt
from skelgen.btf.index import KernelBtf
from skelgen.btf.parse import Btf
from skelgen.build import files
from skelgen.build.btf_dump import RUNNING_KERNEL, read_file
from skelgen.elf.reader import ElfFile
from skelgen.errors import BtfError, ObjectError


class Minimal(NamedTuple):
    """The part of a kernel's BTF that objects need."""

    data: bytes
    """The BTF, raw."""
    types: int
    unmet: tuple[tuple[Path, Unmet], ...]
    """Relocations without an answer, each with its object."""


def minimize(source: Path, objects: Sequence[Path]) -> Minimal:
    """Cut ``source``, raw BTF or an ELF file with ``.BTF``, to what objects need.

    An object without CO-RE needs nothing. Raises BtfError and ObjectError.
    """
    minimizer = CoreMinimizer(_read_source(source))
    unmet: list[tuple[Path, Unmet]] = []
    for path in objects:
        unmet += ((path, one) for one in _add(minimizer, path))
    subset = minimizer.subset
    return Minimal(subset.bytes(), len(subset), tuple(unmet))


def _read_source(path: Path) -> KernelBtf:
    try:
        return KernelBtf(read_file(str(path)).data)
    except BtfParseError as error:
        raise BtfError(f"{path}: {error}") from error
    except BtfError as error:
        if str(path) == RUNNING_KERNEL:
            error.add_note(
                "this kernel was built without CONFIG_DEBUG_INFO_BTF, or /sys is not"
                " mounted; --btf takes the BTF of another one, like a file of BTFHub"
            )
        raise


def _add(minimizer: CoreMinimizer, path: Path) -> list[Unmet]:
    data = files.read_source(path)
    try:
        elf = ElfFile(data)
        types, ext = elf.section(".BTF"), elf.section(".BTF.ext")
        if types is None or ext is None:
            return []
        btf = Btf(elf.content(types))
        return minimizer.add(btf, BtfExt(elf.content(ext), btf.byteorder))
    except ObjectError as error:
        error.path = str(path)
        raise
    except BadRelocationError as error:
        raise ObjectError(
            f"CO-RE relocation: {error}",
            path=str(path),
            section=error.section,
            offset=error.offset,
        ) from error
    except BtfParseError as error:
        raise BtfError(f"{path}: {error}") from error
