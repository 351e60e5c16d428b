"""What the templates see: every name, type and sentence of a module, decided.

Templates hold layout only; nothing is looked up or chosen there.
"""

from collections.abc import Sequence
from typing import NamedTuple

from skelgen.btf.decl import type_name
from skelgen.btf.parse import Btf
from skelgen.codegen.blueprint import blueprint
from skelgen.codegen.classes import EnumClass, StructClass
from skelgen.codegen.layout import Expr, Group, strings
from skelgen.codegen.maps import (
    RECORD_MAPS,
    MapView,
    map_view,
    struct_ops_map_view,
    type_text,
)
from skelgen.codegen.names import (
    MODULE_NAMES,
    SKELETON_NAMES,
    Scope,
    camel,
    checked,
    section_identifier,
)
from skelgen.codegen.programs import ProgramView, program_view, struct_ops_view
from skelgen.codegen.requests import Requests, bare, find_type
from skelgen.codegen.sections import SectionView, section_view, variables
from skelgen.codegen.shapes import Shape
from skelgen.codegen.text import code, doc, literal
from skelgen.codegen.types import Context, TypeTable
from skelgen.codegen.usage import usage
from skelgen.errors import BtfError, ConfigError, NamingError
from skelgen.model.spec import (
    DataSpec,
    MapSpec,
    ObjectSpec,
    ProgramSpec,
    StructOpsSpec,
)

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
        """Name of the function that builds the blueprint."""
        return "_spec" + self._suffix

    @property
    def constant(self) -> str:
        """Name of the constant that holds the bytes."""
        return "_IMAGE" + self._suffix.upper()

    @property
    def blueprint(self) -> Expr:
        """What the function returns."""
        return blueprint(
            self.spec, f"rt.decode({self.constant}, size={len(self.spec.image)})"
        )

    @property
    def doc(self) -> str:
        """What the function's docstring says."""
        machines = f" for {', '.join(self.targets)}" if self.targets else ""
        return f"Blueprint of the object{machines}: everything that goes to the kernel."

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

    @property
    def imports(self) -> tuple[str, ...]:
        """Modules of the standard library."""
        return tuple(sorted({"functools", *self.uses & {"builtins", "ctypes", "enum"}}))

    @property
    def chosen(self) -> Group:
        """The choice between several images."""
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
        """What the constructor of the skeleton does."""
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


class Compiled(NamedTuple):
    """An object as it was compiled for some machines."""

    spec: ObjectSpec
    btf: Btf | None
    """The object's, or that with what DWARF knows appended."""
    targets: tuple[str, ...] = ()
    """Machines, or ``bpfel`` and ``bpfeb``; none when it is the only one."""


def module_views(
    objects: Sequence[Compiled], requests: Requests
) -> tuple[ModuleView, ...]:
    """Return what the templates write for an object, once for each of its images.

    All hold every image; nothing else may differ between them. Raises NamingError,
    BtfError and ConfigError.
    """
    images = tuple(ImageView(item.targets, item.spec) for item in objects)
    return tuple(
        _Builder(item.spec, item.btf, requests).build(images) for item in objects
    )


class _Builder:
    """The state of one :func:`module_view`: names taken, classes made."""

    def __init__(self, spec: ObjectSpec, btf: Btf | None, requests: Requests) -> None:
        self.spec = spec
        self.btf = btf
        self.requests = requests
        self.scope = Scope("the module")
        self.table = None if btf is None else TypeTable(btf, self.scope)
        self.prefix = camel(checked(spec.name, "object"))
        if self.prefix in MODULE_NAMES:
            self.prefix += "_"
        self.own: list[str] = []

    def build(self, images: tuple[ImageView, ...]) -> ModuleView:
        spec = self.spec
        self._own("")
        if _any_visible(spec.maps) or _any_visible(spec.struct_ops):
            self._own("Maps")
        if _any_visible(spec.programs):
            self._own("Progs")
        if _any_visible(spec.struct_ops):
            self._own("StructOps")
        if _any_visible(spec.programs) or _any_visible(spec.struct_ops):
            self._own("Links")
        sections = self._sections(Scope("the skeleton", SKELETON_NAMES))
        scope = Scope("maps")
        maps = self._maps(scope) + self._struct_ops_maps(scope)
        scope = Scope("links")  # a program and a struct_ops variable share it
        programs = self._programs(scope)
        struct_ops = self._struct_ops(scope)
        for name in self.requests.types:
            self._requested(name)
        classes = self.table.classes if self.table else ()
        structs = {cls.name: cls for cls in classes if isinstance(cls, StructClass)}
        public = self.own + [cls.name for cls in classes if cls.public]
        return ModuleView(
            name=spec.name,
            prefix=self.prefix,
            usage=usage(self.prefix, maps, sections, spec, structs),
            public=strings("__all__", sorted(public), spread=True),
            classes=classes,
            maps=maps,
            programs=programs,
            struct_ops=struct_ops,
            sections=sections,
            images=images,
            uses=_uses(classes),
        )

    def _own(
        self, suffix: str, owner: str = "the skeleton, which --name can rename"
    ) -> str:
        name = self.prefix + suffix
        self.scope.take(name, owner)
        self.own.append(name)
        return name

    def _maps(self, scope: Scope) -> tuple[MapView, ...]:
        records = self._records()
        views: list[MapView] = []
        for spec in self.spec.maps:
            attribute = scope.add(spec.name, "map")
            if attribute is not None:
                record = records.get(spec.name)
                views.append(map_view(spec, attribute, self.btf, self.table, record))
        return tuple(views)

    def _records(self) -> dict[str, tuple[Shape, str]]:
        """Return shape and C type of what ``--record`` names, by map."""
        known = {spec.name: spec for spec in self.spec.maps}
        records: dict[str, tuple[Shape, str]] = {}
        for name, type_ in self.requests.records:
            spec = known.get(name)
            if spec is None:
                there = ", ".join(sorted(known)) or "none"
                raise ConfigError(f"record '{name}': no such map; there are: {there}")
            if name in records:
                raise ConfigError(f"record '{name}': given twice")
            if spec.type not in RECORD_MAPS:
                raise ConfigError(
                    f"record '{name}': the map is a {type_text(spec.type)},"
                    " not a ring buffer"
                )
            records[name] = self._requested(type_)
        return records

    def _requested(self, name: str) -> tuple[Shape, str]:
        """Return a type that the user named, and what C calls it, for docstrings."""
        type_id = find_type(self.btf, name)
        if type_id is None or self.btf is None or self.table is None:
            raise ConfigError(f"type '{name}': neither BTF nor DWARF defines it")
        shape = self.table.shape(
            type_id, Context(f"type '{name}'", f"type ``{name}``", camel(bare(name)))
        )
        return shape, code(type_name(self.btf, type_id))

    def _programs(self, scope: Scope) -> tuple[ProgramView, ...]:
        named = [(spec, scope.add(spec.name, "program")) for spec in self.spec.programs]
        return tuple(program_view(spec, name) for spec, name in named if name)

    def _struct_ops_maps(self, scope: Scope) -> tuple[MapView, ...]:
        named = [(ops, scope.add(ops.name, "map")) for ops in self.spec.struct_ops]
        return tuple(struct_ops_map_view(ops, name) for ops, name in named if name)

    def _struct_ops(self, scope: Scope) -> tuple[ProgramView, ...]:
        views: list[ProgramView] = []
        for ops in self.spec.struct_ops:
            name = scope.add(ops.name, "struct_ops")
            if name is not None:
                if self.table is None:
                    raise BtfError(f"struct_ops '{ops.name}': no type without BTF")
                cls = self.table.shadow(ops.type_id, self.prefix)
                views.append(struct_ops_view(ops, name, cls))
        return tuple(views)

    def _sections(self, scope: Scope) -> tuple[SectionView, ...]:
        visible = [
            (data, found, self._place(data, scope))
            for data in self.spec.data
            if (found := variables(data, self.spec, self.btf))
        ]
        if visible and (self.btf is None or self.table is None):
            name = visible[0][1][0].name
            raise BtfError(f"global '{name}': its type is not known without BTF")
        return tuple(
            section_view(data, found, names, self.btf, self.table)
            for data, found, names in visible
            if self.btf is not None and self.table is not None
        )

    def _place(self, data: DataSpec, scope: Scope) -> tuple[str, str]:
        """Return the attribute and the class of a section."""
        name = section_identifier(data.section)
        if name is None:
            raise NamingError(f"section '{doc(data.section)}': no data section's name")
        owner = f"section '{doc(data.section)}'"
        return scope.add_as(name, owner), self._own(camel(name), owner)


def _any_visible(
    specs: tuple[MapSpec, ...] | tuple[ProgramSpec, ...] | tuple[StructOpsSpec, ...],
) -> bool:
    return any(not spec.name.startswith("__") for spec in specs)


def _uses(classes: tuple[EnumClass | StructClass, ...]) -> frozenset[str]:
    """Return what the classes of a module need imported."""
    uses: set[str] = set()
    for cls in classes:
        if isinstance(cls, EnumClass):
            uses.add("enum")
            continue
        uses.add("ctypes")
        for member in cls.members:
            annotations = member.annotation
            if cls.constructed:
                annotations += member.shape.parameter
            uses.update(
                word for word in ("builtins", "Sequence") if word in annotations
            )
    return frozenset(uses)
