"""How programs and struct_ops variables look in a module."""

from typing import NamedTuple

from skelgen.codegen.pretty import Group
from skelgen.codegen.text import code, literal, sentence
from skelgen.model.prog_types import program_class_name
from skelgen.model.spec import ProgramSpec, StructOpsSpec


class ProgramView(NamedTuple):
    """A program, or a struct_ops variable, of a generated module."""

    attribute: str
    expr: Group
    """The statement that sets the attribute."""
    doc: str


def program_view(spec: ProgramSpec, attribute: str) -> ProgramView:
    """Return how a program looks in a module."""
    items = (literal(spec.name), f"rt.{program_class_name(spec)}")
    doc = code(f'SEC("{spec.section}")')
    if not spec.autoload:
        doc += ", not loaded unless ``autoload`` is set"
    expr = Group(f"self.{attribute}: Final = obj.program", items)
    return ProgramView(attribute, expr, sentence(doc))


def struct_ops_view(spec: StructOpsSpec, attribute: str, cls: str) -> ProgramView:
    """Return how a struct_ops variable looks in a module, whose shadow is a ``cls``."""
    doc = code(f"struct {spec.type_name} {spec.name}")
    items = (literal(spec.name), cls)
    expr = Group(f"self.{attribute}: Final = obj.shadow", items)
    return ProgramView(attribute, expr, doc)
