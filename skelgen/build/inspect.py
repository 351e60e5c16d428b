"""The contents of an object, for people and for machines: ``skelgen inspect``."""

from typing import NamedTuple, TypeAlias

from skelgen.btf.decl import declaration, type_name
from skelgen.btf.errors import BtfParseError
from skelgen.btf.layout import section_vars
from skelgen.btf.parse import Btf
from skelgen.codegen.text import count, doc
from skelgen.errors import BtfError
from skelgen.model import attach
from skelgen.model.constants import name_of
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.linked import called_by
from skelgen.model.spec import (
    DataSpec,
    ExternKind,
    ExternSpec,
    MapSpec,
    ObjectSpec,
    Pinning,
    ProgramSpec,
    StructOpsSpec,
    SubprogramSpec,
)

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"
Table: TypeAlias = "dict[str, Json]"

_STATIC = 0
_MAX_STEPS = 500_000
"""Functions that may be looked at to count the instructions of all programs."""


def as_table(spec: ObjectSpec) -> Table:
    """Return an object as JSON has it. Raises BtfError."""
    try:
        return _Inspection(spec).whole()
    except BtfParseError as error:
        raise BtfError(f"{spec.source}: {error}") from error


class _Inspection:
    def __init__(self, spec: ObjectSpec) -> None:
        self.spec = spec
        self.btf = Btf(spec.view(spec.btf)) if spec.btf else None
        self.whole_sizes = _Sizes(spec)

    def whole(self) -> Table:
        spec = self.spec
        return {
            "name": spec.name,
            "source": spec.source,
            "byteorder": spec.byteorder,
            "license": spec.license,
            "kern_version": spec.kern_version,
            "btf_size": spec.btf.size if spec.btf else 0,
            "image_size": len(spec.image),
            "maps": [self.map(map_) for map_ in spec.maps],
            "programs": [self.program(program) for program in spec.programs],
            "data": [self.section(data) for data in spec.data],
            "externs": [self.extern(extern) for extern in spec.externs],
            "struct_ops": [self.struct_ops(ops) for ops in spec.struct_ops],
        }

    def map(self, spec: MapSpec) -> Table:
        return {
            "name": spec.name,
            "type": name_of(spec.type, MapType),
            "key": self.type(spec.key_type_id),
            "key_size": spec.key_size,
            "value": self.type(spec.value_type_id),
            "value_size": spec.value_size,
            "max_entries": spec.max_entries,
            "flags": spec.flags,
            "map_extra": spec.map_extra,
            "numa_node": spec.numa_node,
            "pinned": spec.pinning == Pinning.BY_NAME,
            "inner": self.map(spec.inner) if spec.inner else None,
            "values": {str(index): name for index, name in spec.values},
        }

    def program(self, spec: ProgramSpec) -> Table:
        size = self.whole_sizes.of(spec)
        return {
            "name": spec.name,
            "section": spec.section,
            "type": name_of(spec.type, ProgType),
            "attach_type": (
                name_of(spec.attach_type, AttachType)
                if spec.attach_type or _has_attach_type(spec)
                else None
            ),
            "attach": {
                "family": type(spec.attach).__name__,
                **{
                    name: value
                    for name, value in spec.attach._asdict().items()
                    if value is not None
                },
            },
            "flags": spec.flags,
            "autoload": spec.autoload,
            "instructions": None if size is None else size.insns,
            "core_relocations": None if size is None else size.relos,
        }

    def section(self, spec: DataSpec) -> Table:
        return {
            "section": spec.section,
            "kind": spec.kind.value,
            "size": spec.size,
            "zero": spec.image is None,
            "mmapable": spec.mmapable,
            "variables": self.variables(spec),
        }

    def variables(self, spec: DataSpec) -> "list[Json]":
        if self.btf is None or not spec.type_id:
            return []
        return [
            {
                "name": var.name,
                "declaration": declaration(self.btf, var.type_id, var.name),
                "offset": var.offset,
                "size": var.size,
                "static": var.linkage == _STATIC,
            }
            for var in section_vars(self.btf, spec.type_id)
        ]

    def extern(self, spec: ExternSpec) -> Table:
        declared = None
        if self.btf is not None and spec.type_id:
            declared = declaration(self.btf, spec.type_id, spec.name)
        return {
            "name": spec.name,
            "kind": spec.kind.value,
            "declaration": declared,
            "weak": spec.weak,
        }

    def struct_ops(self, spec: StructOpsSpec) -> Table:
        return {
            "name": spec.name,
            "section": spec.section,
            "type": spec.type_name,
            "link": spec.link,
            "functions": dict(spec.functions),
        }

    def type(self, type_id: int) -> str | None:
        return type_name(self.btf, type_id) if self.btf and type_id else None


class _Size(NamedTuple):
    """How large functions are."""

    insns: int
    """Instructions."""
    relos: int
    """CO-RE relocations."""


def _size(function: ProgramSpec | SubprogramSpec) -> _Size:
    """Return the size of a function alone."""
    relos = function.core_relos
    return _Size(function.insns.size // 8, relos.size // 16 if relos else 0)


class _Sizes:
    """How large programs are with the subprograms that they reach.

    Programs that call the same subprograms share the count, and all of them together
    are given so many steps: a small file can have a million functions, each of which
    reaches all others.
    """

    def __init__(self, spec: ObjectSpec) -> None:
        self._subprograms = {sub.name: sub for sub in spec.subprograms}
        self._known: dict[frozenset[str], _Size] = {}
        self._calls: dict[str, frozenset[str]] = {}
        self._steps = 0

    def of(self, program: ProgramSpec) -> _Size | None:
        """Return the size of a program; None where counting takes too long."""
        first = called_by(program)
        if program.exception_callback:
            first |= {program.exception_callback}
        rest = self._known.get(first)
        if rest is None:
            if self._steps > _MAX_STEPS:
                return None
            rest = self._known[first] = self._reached(first)
        own = _size(program)
        return _Size(own.insns + rest.insns, own.relos + rest.relos)

    def _reached(self, first: frozenset[str]) -> _Size:
        """Return the size of some subprograms and all that they reach, once each."""
        insns = relos = 0
        found = set(first)
        waiting = list(first)
        while waiting:
            self._steps += 1
            name = waiting.pop()
            size = _size(self._subprograms[name])
            insns += size.insns
            relos += size.relos
            calls = self._calls.get(name)
            if calls is None:
                calls = self._calls[name] = called_by(self._subprograms[name])
            waiting += calls - found
            found |= calls
        return _Size(insns, relos)


def _has_attach_type(spec: ProgramSpec) -> bool:
    """Tell whether attach type 0 (CGROUP_INET_INGRESS) is meant, or nothing."""
    return spec.type == ProgType.CGROUP_SKB


# -- for people ----------------------------------------------------------------


def as_text(spec: ObjectSpec) -> str:
    """Return an object as people want to see it. Raises BtfError."""
    table = as_table(spec)
    license_ = f"license {doc(repr(spec.license))}" if spec.license else "no license"
    facts = [f"{spec.byteorder}-endian", license_]
    facts.append(f"{spec.btf.size} bytes of BTF" if spec.btf else "no BTF")
    parts = [f"{doc(spec.source)}: {', '.join(facts)}"]
    parts += _block("maps", [_map_row(map_) for map_ in _tables(table["maps"])])
    sizes = [row["instructions"] for row in _tables(table["programs"])]
    programs = [*map(_program_row, spec.programs, sizes)]
    parts += _block("programs", programs)
    for section in _tables(table["data"]):
        title = f"{section['section']}, {_count(section['size'], 'byte')}"
        if section["zero"]:
            title += " of zeros"
        rows = [_variable_row(var) for var in _tables(section["variables"])]
        parts += _block(title, rows or [("(no variables known)",)])
    parts += _block(
        "externs",
        [
            _extern_row(row)
            for row in _tables(table["externs"])
            if row["kind"] != ExternKind.KCONFIG.value  # those are in .kconfig
        ],
    )
    for ops in spec.struct_ops:
        title = f"struct_ops {ops.name}, struct {ops.type_name}"
        rows = [(member, "->", program) for member, program in ops.functions]
        parts += _block(title, rows or [("(no functions set)",)])
    return "\n".join(parts) + "\n"


def _tables(value: Json) -> list[Table]:
    return (
        [row for row in value if isinstance(row, dict)]
        if isinstance(value, list)
        else []
    )


def _block(title: str, rows: "list[tuple[str, ...]]") -> list[str]:
    """Return a titled table with aligned columns; nothing when it has no rows."""
    if not rows:
        return []
    safe = [[doc(cell) for cell in row] for row in rows]
    columns = max(map(len, safe))
    widths = [
        max(len(row[index]) if index < len(row) else 0 for row in safe)
        for index in range(columns)
    ]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        for row in safe
    ]
    return ["", doc(title), *("  " + line.rstrip() for line in lines)]


def _map_row(row: Table) -> tuple[str, ...]:
    kind = str(row["type"])
    key, value = (
        str(row[side] or (_count(row[f"{side}_size"], "byte")))
        for side in ("key", "value")
    )
    if row["key_size"] and row["value_size"]:
        holds = f"{key} -> {value}"
    elif row["value_size"]:
        holds = value
    else:
        holds = ""
    unit = "byte" if kind in {"RINGBUF", "USER_RINGBUF"} else "entry"
    more: list[str] = []
    inner = row["inner"]
    if isinstance(inner, dict):
        more.append(f"of {inner['type']}")
    if row["flags"]:
        more.append(f"flags {row['flags']:#x}")
    if row["pinned"]:
        more.append("pinned")
    return str(row["name"]), kind, holds, _count(row["max_entries"], unit), *more


def _program_row(spec: ProgramSpec, insns: Json) -> tuple[str, ...]:
    type_ = name_of(spec.type, ProgType)
    size = _count(_size(spec).insns if insns is None else insns, "instruction")
    if insns is None:
        size += " and its subprograms'"
    section = f'SEC("{spec.section}")'
    target = _target(spec.attach)
    load = "" if spec.autoload else "not loaded by itself"
    return spec.name, section, type_, target, size, load


def _target(where: attach.Attach) -> str:
    """Return where a program attaches, in one word; empty if by hand."""
    texts = [part for part in where if isinstance(part, str)]
    if isinstance(where, attach.Tracing | attach.TracingMulti):
        texts.reverse()  # module before function, as in SEC()
    return ":".join(texts)


def _variable_row(row: Table) -> tuple[str, ...]:
    static = "static " if row["static"] else ""
    size = _count(row["size"], "byte")
    return f"+{row['offset']}", f"{static}{row['declaration']}", size


def _extern_row(row: Table) -> tuple[str, ...]:
    weak = "weak" if row["weak"] else ""
    return str(row["declaration"] or row["name"]), str(row["kind"]), weak


def _count(number: Json, unit: str) -> str:
    return count(number if isinstance(number, int) else 0, unit)
