"""The view that templates lay out: every name, type and sentence of a module, decided.

Templates hold layout only; nothing is looked up or chosen there.
"""

from typing import NamedTuple

from skelgen.codegen.classes import EnumClass, StructClass
from skelgen.codegen.maps import MapView
from skelgen.codegen.pretty import Expr, Group, strings
from skelgen.codegen.programs import ProgramView
from skelgen.codegen.sections import SectionView
from skelgen.codegen.spec_expr import blueprint
from skelgen.codegen.text import literal
from skelgen.model.spec import ObjectSpec

_CLASSES = (
    ("maps", "Maps"),
    ("progs", "Progs"),
    ("struct_ops", "StructOps"),
    ("links", "Links"),
)
"""Attributes of the skeleton, and how the names of their classes end."""


class ImageView(NamedTuple):
    """The blueprint of the object for some machines."""

    targets: tuple[str, ...]
    """Machines, or ``bpfel`` and ``bpfeb``; none when it is the only image."""
    spec: ObjectSpec

    @property
    def function(self) -> str:
        """Name of the function that returns the blueprint, if it is one of several."""
        return "_spec" + self._suffix

    @property
    def constant(self) -> str:
        """Name of the constant that holds the bytes."""
        return "_IMAGE" + self._suffix.upper()

    @property
    def blueprint(self) -> Expr:
        """The expression that the function returns."""
        return blueprint(
            self.spec, f"rt.decode({self.constant}, size={len(self.spec.image)})"
        )

    @property
    def doc(self) -> str:
        """Docstring of the function."""
        return f"Return the blueprint for {', '.join(self.targets)}."

    @property
    def _suffix(self) -> str:
        return f"_{self.targets[0]}" if self.targets else ""


class ModuleView(NamedTuple):
    """A whole module, but for its header and the blobs."""

    name: str
    """The object's."""
    prefix: str
    """The skeleton class; the names of its parts begin with it."""
    usage: tuple[str, ...]
    """Lines of the example."""
    public: Group
    """``__all__``."""
    classes: tuple[EnumClass | StructClass, ...]
    maps: tuple[MapView, ...]
    programs: tuple[ProgramView, ...]
    struct_ops: tuple[ProgramView, ...]
    sections: tuple[SectionView, ...]
    images: tuple[ImageView, ...]
    """The blueprints: one, or one for each kind of machine."""
    uses: frozenset[str]
    """Modules that have to be imported, and ``Sequence``."""
    notes: tuple[str, ...]
    """Which names are spelled in another way than the plain rules say."""

    @property
    def imports(self) -> tuple[str, ...]:
        """Modules of the standard library."""
        return tuple(sorted({"functools", *self.uses & {"builtins", "enum"}}))

    @property
    def blueprint(self) -> Expr:
        """The expression that ``spec()`` returns: a choice where there are several images."""
        if not self.images[0].targets:
            return self.images[0].blueprint
        pairs = [
            f"{target}={image.function}"
            for image in self.images
            for target in image.targets
        ]
        return Group("rt.image_for_machine", (literal(self.name), *pairs))

    @property
    def own_slots(self) -> Group:
        """``__slots__`` of the skeleton."""
        names = [attribute for attribute, _ in self._parts]
        return strings("__slots__", sorted(names))

    @property
    def statements(self) -> tuple[Expr, ...]:
        """Statements of the constructor of the skeleton."""
        return tuple(
            Group(f"self.{attribute}: Final = {made.head}", made.items)
            for attribute, made in self._parts
        )

    @property
    def _parts(self) -> tuple[tuple[str, Group], ...]:
        """Attributes of the skeleton, and what each is set to."""
        present = (self.maps, self.programs, self.struct_ops, self.links)
        return (
            *(
                (attribute, Group(self.prefix + cls, ("obj",)))
                for (attribute, cls), there in zip(_CLASSES, present, strict=True)
                if there
            ),
            *((section.attribute, section.made) for section in self.sections),
        )

    @property
    def links(self) -> tuple[str, ...]:
        """Attributes that hold a link: programs and struct_ops variables."""
        return tuple(view.attribute for view in (*self.programs, *self.struct_ops))

    @property
    def link_types(self) -> tuple[tuple[str, str], ...]:
        """The same, with the class of the link."""
        return (
            *((view.attribute, "rt.Link") for view in self.programs),
            *((view.attribute, "rt.StructOpsLink") for view in self.struct_ops),
        )

    @property
    def rebinds_rt(self) -> bool:
        """Whether an attribute would hide the runtime from annotations beside it."""
        return "rt" in self.links

    @property
    def map_slots(self) -> Group:
        """``__slots__`` of the maps."""
        return strings("__slots__", [view.attribute for view in self.maps])

    @property
    def program_slots(self) -> Group:
        """``__slots__`` of the programs."""
        return strings("__slots__", [view.attribute for view in self.programs])

    @property
    def struct_ops_slots(self) -> Group:
        """``__slots__`` of the struct_ops variables."""
        return strings("__slots__", [view.attribute for view in self.struct_ops])

    @property
    def link_slots(self) -> Group:
        """``__slots__`` of the links, which ``rt.Links`` goes by."""
        return strings("__slots__", self.links)
