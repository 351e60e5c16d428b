"""BTF of a kernel, cut to what the CO-RE relocations of some objects need."""

import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from skelgen.btf.core.minimize import BadRelocationError, CoreMinimizer, Unmet
from skelgen.btf.elf import MAGIC, elf_section
from skelgen.btf.errors import BtfParseError
from skelgen.btf.ext import BtfExt
from skelgen.btf.kernel import KernelBtf
from skelgen.btf.parse import Btf
from skelgen.build import files
from skelgen.elf.reader import ElfFile
from skelgen.errors import BtfError, ObjectError

RUNNING_KERNEL = Path("/sys/kernel/btf/vmlinux")
"""BTF of the kernel that runs here (Linux 5.4, ``CONFIG_DEBUG_INFO_BTF``)."""


class Minimal(NamedTuple):
    """What is left of a kernel's BTF."""

    data: bytes
    """The BTF, raw."""
    types: int
    unmet: tuple[tuple[Path, Unmet], ...]
    """What objects ask for in vain, with the object."""


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
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                file.seek(0)
                return KernelBtf(file.read())
            # a kernel with its debug information has gigabytes
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return KernelBtf(elf_section(data, ".BTF"))
    except OSError as error:
        failed = BtfError(f"{path}: cannot read it: {error.strerror or error}")
        if path == RUNNING_KERNEL:
            failed.add_note(
                "this kernel was built without CONFIG_DEBUG_INFO_BTF, or /sys is not"
                " mounted; --btf takes the BTF of another one, like a file of BTFHub"
            )
        raise failed from error
    except BtfParseError as error:
        raise BtfError(f"{path}: {error}") from error


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
