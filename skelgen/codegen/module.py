"""From an object to the view of its module: names taken, classes made."""

from collections.abc import Sequence
from typing import NamedTuple

from skelgen.btf.decl import type_name
from skelgen.btf.parse import Btf
from skelgen.codegen.classes import EnumClass, StructClass
from skelgen.codegen.maps import (
    MapView,
    has_records,
    map_view,
    struct_ops_map_view,
    type_text,
)
from skelgen.codegen.names import (
    MODULE_NAMES,
    SKELETON_NAMES,
    camel,
    is_fit,
    section_identifier,
)
from skelgen.codegen.pretty import strings
from skelgen.codegen.programs import ProgramView, program_view, struct_ops_view
from skelgen.codegen.requests import Requests, bare, find_type
from skelgen.codegen.sections import (
    SectionName,
    SectionView,
    Variable,
    section_view,
    variables,
)
from skelgen.codegen.shapes import Shape
from skelgen.codegen.spelling import Scope, Spelling, Wanted, attribute
from skelgen.codegen.text import code, doc
from skelgen.codegen.types import Context, TypeTable
from skelgen.codegen.usage import usage
from skelgen.codegen.view import ImageView, ModuleView
from skelgen.errors import BtfError, ConfigError, NamingError
from skelgen.model.spec import DataSpec, ObjectSpec
from skelgen.near_names import or_near


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
        self.spelling = Spelling(requests.renames)
        # a class whose name begins with _ would be private, or an anonymous member's
        self.scope = Scope(self.spelling, "", MODULE_NAMES)
        self.table = None if btf is None else TypeTable(btf, self.scope, self.spelling)
        if not is_fit(spec.name):
            raise NamingError(f"object '{doc(spec.name)}': not a C identifier")
        self.prefix = camel(spec.name)
        if self.prefix in MODULE_NAMES:
            self.prefix += "_"
        self.own: list[str] = []
        self._linked = self._links()

    def build(self, images: tuple[ImageView, ...]) -> ModuleView:
        spec = self.spec
        parts = (
            ("", True),
            ("Maps", spec.maps or spec.struct_ops),
            ("Progs", spec.programs),
            ("StructOps", spec.struct_ops),
            ("Links", spec.programs or spec.struct_ops),
        )
        for suffix, there in parts:
            if there:
                self._own(self.prefix + suffix, "the skeleton", fixed=True)
        found = self._variables()
        places = self._places([data for data, _ in found])
        # what the object has is named and made before what options ask for
        self._plan(found)
        sections = self._sections(found, places)
        maps = self._maps()
        programs = self._programs()
        struct_ops = self._struct_ops()
        maps = self._with_records(maps)
        for name in self.requests.types:
            self._requested(name)
        self.scope.tell()
        self.spelling.check()
        classes = self.table.classes if self.table else ()
        structs = {cls.name: cls for cls in classes if isinstance(cls, StructClass)}
        public = self.own + [cls.name for cls in classes if cls.public]
        return ModuleView(
            name=spec.name,
            prefix=self.prefix,
            usage=usage(self.prefix, maps, sections, spec, programs, structs),
            public=strings("__all__", sorted(public), spread=True),
            classes=classes,
            maps=maps,
            programs=programs,
            struct_ops=struct_ops,
            sections=sections,
            images=images,
            uses=_uses(classes),
            notes=tuple(self.spelling.notes.values()),
        )

    def _own(self, name: str, owner: str, *, fixed: bool = False) -> str:
        final, _ = self.scope.own(name, owner, fixed=fixed)
        self.own.append(final)
        return final

    def _variables(self) -> list[tuple[DataSpec, tuple[Variable, ...]]]:
        """Return the sections that have variables for users."""
        found = [
            (data, group)
            for data in self.spec.data
            if (group := variables(data, self.spec, self.btf))
        ]
        if found and self.btf is None:
            name = found[0][1][0].name
            raise BtfError(f"global '{name}': its type is not known without BTF")
        return found

    def _places(self, sections: list[DataSpec]) -> list[SectionName]:
        """Return the attribute and the class of each section."""
        wanted: list[Wanted] = []
        for data in sections:
            name = section_identifier(data.section)
            if name is None:
                raise NamingError(
                    f"section '{doc(data.section)}': no data section's name"
                )
            wanted.append(Wanted(name, f"section '{data.section}'"))
        scope = Scope(self.spelling, "", SKELETON_NAMES)
        names = scope.add_all(wanted)
        scope.tell()
        return [
            SectionName(name, self._own(self.prefix + camel(plain), one.what), plain)
            for (name, plain), one in zip(names, wanted, strict=True)
        ]

    def _plan(self, found: list[tuple[DataSpec, tuple[Variable, ...]]]) -> None:
        """Name the types that the object itself uses."""
        if self.table is not None:
            roots = [var.type_id for _, group in found for var in group]
            for spec in self.spec.maps:
                sides = (spec.key_type_id, spec.value_type_id)
                roots += [side for side in sides if side]
            shadows = [(ops.type_id, self.prefix) for ops in self.spec.struct_ops]
            self.table.plan(roots, shadows)

    def _sections(
        self,
        found: list[tuple[DataSpec, tuple[Variable, ...]]],
        places: list[SectionName],
    ) -> tuple[SectionView, ...]:
        if self.btf is None or self.table is None:
            return ()
        return tuple(
            section_view(data, group, place, self.spelling, self.btf, self.table)
            for (data, group), place in zip(found, places, strict=True)
        )

    def _maps(self) -> tuple[MapView, ...]:
        maps, struct_ops = self.spec.maps, self.spec.struct_ops
        scope = Scope(self.spelling, "maps")
        wanted = [attribute(one.name, "map") for one in maps]
        wanted += [attribute(one.name, "map") for one in struct_ops]
        names = iter(scope.add_all(wanted))
        scope.tell()
        return (
            *(
                map_view(one, name, self.btf, self.table, None)
                for one, (name, _) in zip(maps, names, strict=False)
            ),
            *(
                struct_ops_map_view(one, name)
                for one, (name, _) in zip(struct_ops, names, strict=True)
            ),
        )

    def _with_records(self, maps: tuple[MapView, ...]) -> tuple[MapView, ...]:
        records = self._records()
        return tuple(
            (
                map_view(view.spec, view.attribute, self.btf, self.table, record)
                if (record := records.get(view.spec.name))
                else view
            )
            for view in maps
        )

    def _records(self) -> dict[str, tuple[Shape, str]]:
        """Return shape and C type of what ``--record`` names, by map."""
        known = {spec.name: spec for spec in self.spec.maps}
        records: dict[str, tuple[Shape, str]] = {}
        for name, type_ in self.requests.records:
            spec = known.get(name)
            if spec is None:
                there = ", ".join(sorted(known)) or "none"
                text = f"record '{name}': no such map; there are: {there}"
                raise ConfigError(or_near(text, name, known))
            if name in records:
                raise ConfigError(f"record '{name}': given twice")
            if not has_records(spec.type):
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
        where = Context(f"type '{name}'", f"type {code(name)}", camel(bare(name)))
        self.table.plan([type_id], ())
        shape = self.table.shape(type_id, where)
        return shape, code(type_name(self.btf, type_id))

    def _programs(self) -> tuple[ProgramView, ...]:
        names = self._linked[: len(self.spec.programs)]
        return tuple(
            program_view(spec, name)
            for spec, name in zip(self.spec.programs, names, strict=True)
        )

    def _struct_ops(self) -> tuple[ProgramView, ...]:
        views: list[ProgramView] = []
        names = self._linked[len(self.spec.programs) :]
        for ops, name in zip(self.spec.struct_ops, names, strict=True):
            if self.table is None:
                raise BtfError(f"struct_ops '{ops.name}': no type without BTF")
            views.append(struct_ops_view(ops, name, self.table.shadow(ops.type_id)))
        return tuple(views)

    def _links(self) -> list[str]:
        """Return the attributes of programs and struct_ops variables.

        The two share them, for either may have a link.
        """
        scope = Scope(self.spelling, "progs")
        wanted = [attribute(spec.name, "program") for spec in self.spec.programs]
        wanted += [
            attribute(ops.name, "struct_ops", "struct_ops")
            for ops in self.spec.struct_ops
        ]
        names = scope.add_all(wanted)
        scope.tell()
        return [name for name, _ in names]


def _uses(classes: tuple[EnumClass | StructClass, ...]) -> frozenset[str]:
    """Return what the classes of a module need imported."""
    uses: set[str] = set()
    for cls in classes:
        if isinstance(cls, EnumClass):
            uses.add("enum")
            continue
        for member in cls.members:
            uses.update(
                word for word in ("builtins", "Sequence") if word in member.annotation
            )
    return frozenset(uses)
