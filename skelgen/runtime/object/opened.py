"""The parts of an object by name: programs, maps, data sections, struct_ops variables."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING, TypeVar, overload
from skelgen.arguments import checks_arguments
from skelgen.runtime.listing import Live
from skelgen.runtime.load.parts import (
    LazyMapping,
    Options,
    Parts,
    arena_section,
    data_maps,
    map_handles,
    not_there,
)
from skelgen.runtime.object.life import Life, State
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.families import program_class

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from skelgen.model.spec import ObjectSpec, ProgramSpec
    from skelgen.runtime.maps.base import Map
    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.maps.shadow import Shadow
    from skelgen.runtime.maps.struct_ops import StructOpsMap
    from skelgen.runtime.memory.section import Section

P = TypeVar("P", bound=Program)
S = TypeVar("S", bound="Shadow")


class Opened(Live):
    """An object that was opened: a blueprint with its parts, which can be changed."""

    __slots__ = (
        "_families",
        "_life",
        "_programs",
        "_specs",
        "maps",
        "name",
        "parts",
        "programs",
        "sections",
        "spec",
        "struct_ops",
    )

    def __init__(self, spec: ObjectSpec, name: str, options: Options) -> None:
        self.spec: Final = spec
        """The blueprint."""
        self.name: Final = name
        """The name in errors, and the start of the kernel's names of data maps."""
        self._life: Final = Life(f"object '{name}'")
        self._families: dict[str, tuple[tuple[int, ...], Map]] = {}
        self._programs: dict[str, Program] = {}
        self._specs: Final = {program.name: program for program in spec.programs}
        programs = tuple(self._specs)
        self.programs: Final[Mapping[str, Program]] = LazyMapping(
            "program", programs, self.program
        )
        """Programs by the name of their C function."""
        self.parts: Final = Parts(
            spec,
            options,
            map_handles(spec, options.pin_root),
            data_maps(spec, self.name),
            arena_section(spec),
            self._open_struct_ops(),
            self.programs,
        )
        self.struct_ops: Final[Mapping[str, StructOpsMap]] = self.parts.struct_ops
        """struct_ops variables by name."""
        self.maps: Final[Mapping[str, Map]] = LazyMapping(
            "map", tuple(self.parts.handles()), self._family
        )
        """Maps by name, data sections by the section's (``.bss``), struct_ops
        variables by theirs; keys and values are bytes."""
        arena = self.parts.arena
        sections = (*self.parts.data, *(() if arena is None else (arena.name,)))
        self.sections: Final[Mapping[str, Section]] = LazyMapping(
            "section", sections, self.section
        )
        """Data sections by ELF name, as bytes."""

    def _open_struct_ops(self) -> dict[str, StructOpsMap]:
        if not self.spec.struct_ops:
            return {}
        from skelgen.runtime.maps.struct_ops import StructOpsMap

        return {
            ops.name: StructOpsMap(ops, self.spec.view(ops.image), self.programs)
            for ops in self.spec.struct_ops
        }

    @checks_arguments
    def map(self, name: str) -> MapHandle:
        """Return a map without a family, for one to be put over it."""
        data = self.parts.data.get(name)
        if data is not None:
            return data.handle
        ops = self.parts.struct_ops.get(name)
        if ops is not None:
            return ops.handle
        found = self.parts.maps.get(name)
        if found is None:
            raise not_there("map", name, self.maps)
        return found

    def _family(self, name: str) -> Map:
        """Return a map as what its type is, with bytes for keys and values."""
        ops = self.parts.struct_ops.get(name)
        if ops is not None:
            return ops
        from skelgen.runtime.maps.families import family

        handle = self.map(name)
        shape = (int(handle.type), handle.key_size, handle.value_size)
        with self._life.lock:
            known = self._families.get(name)
            if known is None or known[0] != shape:
                known = self._families[name] = shape, family(handle)
            return known[1]

    @overload
    def program(self, name: str) -> Program: ...
    @overload
    def program(self, name: str, cls: type[P]) -> P: ...
    @checks_arguments
    def program(self, name: str, cls: type[Program] = Program) -> Program:
        """Return a program; ``cls`` is the class that the caller knows it has."""
        with self._life.lock:
            program = self._programs.get(name)
            if program is None:
                spec = self._specs.get(name)
                if spec is None:
                    raise not_there("program", name, self._specs)
                found = program_class(spec) if cls is Program else cls
                program = self._programs[name] = self._new_program(found, spec)
                if self._life.state is State.DESTROYED:
                    program.close()
        if not isinstance(program, cls):
            raise TypeError(
                f"{program.what}: is a {type(program).__name__}, not a {cls.__name__}"
            )
        return program

    def _new_program(self, cls: type[P], spec: ProgramSpec) -> P:
        """Return a new program of this object."""
        raise NotImplementedError

    @checks_arguments
    def shadow(self, name: str, cls: type[S]) -> S:
        """Return a struct_ops variable as a generated class, whose members it has."""
        found = self.parts.struct_ops.get(name)
        if found is None:
            raise not_there("struct_ops variable", name, self.parts.struct_ops)
        return found.shadow(cls)

    @checks_arguments
    def section(self, name: str) -> Section:
        """Return a data section by its ELF name."""
        arena = self.parts.arena
        if arena is not None and name == arena.name:
            return arena
        found = self.parts.data.get(name)
        if found is None:
            raise not_there("section", name, self.sections)
        return found.section
