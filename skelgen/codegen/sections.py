"""The data sections of an object, and the globals in them."""

from typing import NamedTuple

from skelgen.btf.decl import declaration
from skelgen.btf.layout import section_vars
from skelgen.btf.parse import Btf
from skelgen.codegen.names import camel
from skelgen.codegen.pretty import Group, flat
from skelgen.codegen.shapes import Shape
from skelgen.codegen.spelling import Scope, Spelling, attribute
from skelgen.codegen.text import code, literal, sentence, words
from skelgen.codegen.types import Context, TypeTable
from skelgen.errors import BtfError
from skelgen.model.spec import DataKind, DataSpec, ExternKind, ObjectSpec

_ACCESS = {
    DataKind.RODATA: "assign before ``load()``, read-only from then on",
    DataKind.DATA: "readable and writable at any time",
    DataKind.BSS: "readable and writable at any time",
    DataKind.ARENA: "memory of the arena, readable and writable at any time",
    DataKind.KCONFIG: "the kernel's configuration, known after ``load()``",
}
_RUNTIME = frozenset({"rt", "resize"})
"""Names that a class of globals needs: the runtime's, and its own method's."""
_STATIC = 0
"""``BTF_VAR_STATIC``."""


class Variable(NamedTuple):
    """A variable that programs and user space share."""

    name: str
    type_id: int
    offset: int
    size: int


class GlobalView(NamedTuple):
    """A global variable of a generated module."""

    attribute: str
    expr: Group
    """The statement that makes the attribute."""
    doc: str
    shape: Shape


class SectionName(NamedTuple):
    """How a data section is called."""

    attribute: str
    cls: str
    plain: str
    """Name of the attribute without options."""


class SectionView(NamedTuple):
    """A data section of a generated module."""

    attribute: str
    cls: str
    section: str
    """ELF name, as a literal."""
    doc: str
    globals: tuple[GlobalView, ...]
    kind: DataKind

    @property
    def made(self) -> Group:
        """Expression for the attribute of the skeleton."""
        return Group(self.cls, (Group("obj.section", (self.section,)),))


def variables(
    data: DataSpec, spec: ObjectSpec, btf: Btf | None
) -> tuple[Variable, ...]:
    """Return the variables of a section; none if all are static or BTF has none."""
    if data.kind is DataKind.KCONFIG:
        return tuple(
            Variable(extern.name, extern.type_id, extern.offset, extern.size)
            for extern in spec.externs
            if extern.kind is ExternKind.KCONFIG
        )
    if btf is None or not data.type_id or not data.mmapable:
        return ()
    return tuple(
        Variable(var.name, var.type_id, var.offset, var.size)
        for var in section_vars(btf, data.type_id)
        if var.linkage != _STATIC
    )


def section_view(
    data: DataSpec,
    found: tuple[Variable, ...],
    name: SectionName,
    spelling: Spelling,
    btf: Btf,
    table: TypeTable,
) -> SectionView:
    """Return how a section looks in a module."""
    scope = Scope(spelling, name.plain, _RUNTIME, sunder=True)
    views = _globals(data, found, scope, btf, table)
    used = {word for view in views for word in words(flat(view.expr.items[0]))}
    hidden = used & {view.attribute for view in views}
    if hidden:  # a global may not hide a class that the section uses
        scope = Scope(spelling, name.plain, _RUNTIME | hidden, sunder=True)
        views = _globals(data, found, scope, btf, table)
    scope.tell()
    doc = f"{code(data.section)}: {_ACCESS[data.kind]}."
    section = literal(data.section)
    return SectionView(name.attribute, name.cls, section, doc, views, data.kind)


def _globals(
    data: DataSpec,
    found: tuple[Variable, ...],
    scope: Scope,
    btf: Btf,
    table: TypeTable,
) -> tuple[GlobalView, ...]:
    names = scope.add_all([attribute(var.name, "global") for var in found])
    return tuple(
        _global(data, var, name, btf, table)
        for var, (name, _) in zip(found, names, strict=True)
    )


def _global(
    data: DataSpec, var: Variable, name: str, btf: Btf, table: TypeTable
) -> GlobalView:
    where = Context(f"global '{var.name}'", f"global ``{var.name}``", camel(var.name))
    shape = table.shape(var.type_id, where)
    if shape.size > var.size or var.offset + var.size > data.size:
        raise BtfError(
            f"{where.what}: {shape.size} bytes at offset {var.offset} do not fit into"
            f" its {var.size}, or the section's {data.size}"
        )
    text = code(declaration(btf, var.type_id, var.name)) + shape.note
    expr = Group(f"{name} = rt.Global", (shape.codec, f"offset={var.offset}"))
    return GlobalView(name, expr, sentence(text), shape)
