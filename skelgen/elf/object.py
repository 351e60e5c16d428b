"""From an object's bytes to its :class:`~skelgen.model.spec.ObjectSpec`."""

import re
from functools import partial
from typing import NamedTuple

from skelgen.btf.errors import BtfParseError
from skelgen.btf.ext import BtfExt
from skelgen.btf.parse import Btf
from skelgen.elf import (
    btf_fixup,
    externs,
    functions,
    maps,
    pointers,
    relocs,
    struct_ops,
    unplaced,
)
from skelgen.elf import data as data_sections
from skelgen.elf.ext_records import RecordTables
from skelgen.elf.programs import Describer
from skelgen.elf.reader import ElfFile
from skelgen.elf.roles import Layout, survey
from skelgen.elf.subprograms import Subprograms
from skelgen.errors import ObjectError
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import ObjectSpec

_MAX_NAME = 63  # bpftool's MAX_OBJ_NAME_LEN


class Reading(NamedTuple):
    """An object that was read."""

    spec: ObjectSpec
    """Its blueprint."""
    pointers: tuple[pointers.Pointers, ...]
    """Variables whose initial values are pointers, which the kernel does not fill in."""
    odd: tuple[str, ...] = ()
    """Other oddities of the object, a sentence each."""


def read_object(
    data: bytes, *, name: str, source: str, path: str | None = None
) -> ObjectSpec:
    """Return the blueprint of a compiled BPF object; see :func:`read`."""
    return read(data, name=name, source=source, path=path).spec


def read(data: bytes, *, name: str, source: str, path: str | None = None) -> Reading:
    """Read a compiled BPF object.

    `name` is the object's C identifier (see :func:`object_name`), `source` the base
    name of the file and `path` what the user called it, for errors.

    Raises :class:`ObjectError`, and nothing else, for whatever is no BPF object that
    libbpf would open.
    """
    try:
        return _read(data, name, source)
    except ObjectError as error:
        error.path = path or source
        raise
    except BtfParseError as error:
        raise ObjectError(
            error.message, path=path or source, section=".BTF", offset=error.offset
        ) from error


def _read(data: bytes, name: str, source: str) -> Reading:
    elf = ElfFile(data)
    layout = survey(elf)
    btf = _read_btf(elf, layout)
    found = functions.collect(elf, layout)
    needed = externs.collect(elf, btf)
    records = None
    callbacks: dict[str, functions.Function] = {}
    if btf is not None:
        records = _read_records(elf, layout, btf)
        callbacks = btf_fixup.exception_callbacks(btf, found)
        btf = btf_fixup.fix_up(elf, btf, needed, found)
    declared = maps.collect(btf, layout, partial(_size_from_dwarf, data))
    targets = relocs.Targets(layout, declared.by_offset, needed.by_symbol)
    relocs.record(elf, layout, found, targets)
    declared.fill(elf, layout, found)
    data_sections.check_arena(layout, declared.specs)
    tables = elf.content(layout.jump_tables) if layout.jump_tables else b""
    reached = Subprograms(found, callbacks)
    reached.check_sizes()
    if records is not None:
        reached.check_records(records)
    image = ImageBuilder()
    describer = Describer(reached, records, tables, image)
    programs = tuple(map(describer.program, found.programs))
    subprograms = tuple(map(describer.subprogram, reached.all))
    spec = ObjectSpec(
        name,
        source,
        elf.byteorder,
        layout.license,
        layout.kern_version,
        declared.specs,
        data_sections.collect(elf, layout, btf, needed.kconfig_size, image),
        struct_ops.collect(elf, layout, btf, found, image),
        programs,
        subprograms,
        needed.specs,
        image.add(btf.raw) if btf is not None else None,
        image.bytes(),
    )
    odd = declared.odd + unplaced.collect(elf, layout)
    return Reading(spec, pointers.collect(elf, layout), odd)


def _size_from_dwarf(data: bytes, name: str) -> int:
    from skelgen.elf.dwarf import size_from_dwarf

    return size_from_dwarf(data, name)


def _read_btf(elf: ElfFile, layout: Layout) -> Btf | None:
    """Read ``.BTF``, which an object without maps and externs may lack."""
    section = layout.btf
    if section is None:
        return None
    btf = Btf(elf.content(section))
    if btf.byteorder != elf.byteorder:
        raise ObjectError(
            f"BTF is {btf.byteorder} endian, the object is not",
            section=section.name,
            offset=0,
        )
    return btf


def _read_records(elf: ElfFile, layout: Layout, btf: Btf) -> RecordTables | None:
    section = layout.btf_ext
    if section is None:
        return None
    try:
        return RecordTables(elf, btf, BtfExt(elf.content(section), elf.byteorder))
    except BtfParseError as error:
        raise ObjectError(
            error.message, section=section.name, offset=error.offset
        ) from error


def object_name(path: str) -> str:
    """Return the name of an object as a C identifier: ``dir/x-1.bpf.o`` is ``x_1``.

    At most 63 characters, as bpftool has it.
    """
    stem = path.rpartition("/")[2]
    for suffix in (".o", ".c", ".bpf"):
        stem = stem.removesuffix(suffix)
    name = re.sub(r"[^A-Za-z0-9_]", "_", stem)[:_MAX_NAME]
    return f"_{name}" if not name or name[0].isdigit() else name
