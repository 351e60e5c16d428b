"""Modules generated from blueprints and BTF that a test makes in code."""

import itertools
import sys
from types import ModuleType

from skelgen.btf.build import BtfBuilder
from skelgen.btf.parse import Btf
from skelgen.codegen.module import Compiled
from skelgen.codegen.render import Header, render
from skelgen.codegen.requests import Requests
from skelgen.model.attach import Attach, Manual
from skelgen.model.enums import ProgType
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import (
    DataKind,
    DataSpec,
    ExternSpec,
    MapSpec,
    ObjectSpec,
    ProgramSpec,
    Span,
    StructOpsSpec,
)

HEADER = Header("0.0", "demo.bpf.o", "skelgen demo.bpf.o", ("sha256:" + "0" * 64,))
_number = itertools.count()


def program(
    name: str, section: str = "socket", attach: Attach | None = None
) -> ProgramSpec:
    """Return a program; it has no instructions."""
    where = Manual() if attach is None else attach
    return ProgramSpec(name, section, ProgType.SOCKET_FILTER, where, Span(0, 0))


def blueprint(
    btf: BtfBuilder | None = None,
    *,
    name: str = "demo",
    source: str = "demo.bpf.o",
    license: str = "GPL",  # noqa: A002 (the field's name)
    maps: tuple[MapSpec, ...] = (),
    data: tuple[DataSpec, ...] = (),
    programs: tuple[ProgramSpec, ...] = (),
    externs: tuple[ExternSpec, ...] = (),
    struct_ops: tuple[StructOpsSpec, ...] = (),
) -> ObjectSpec:
    """Return an object with the BTF in its image."""
    image = ImageBuilder()
    span = None if btf is None else image.add(btf.bytes())
    return ObjectSpec(
        name,
        source,
        sys.byteorder,
        license,
        maps=maps,
        data=data,
        programs=programs,
        externs=externs,
        struct_ops=struct_ops,
        btf=span,
        image=image.bytes(),
    )


def with_globals(
    btf: BtfBuilder, *variables: tuple[str, int, int], section: str = ".data"
) -> DataSpec:
    """Return a section of global variables: triples of name, BTF type and size."""
    places = []
    end = 0
    for name, type_id, size in variables:
        places.append((btf.add_var(name, type_id), end, size))
        end += (size + 15) // 16 * 16
    datasec = btf.add_datasec(section, end, places)
    kind = DataKind.RODATA if section.startswith(".rodata") else DataKind.DATA
    return DataSpec(section, kind, size=end, mmapable=True, type_id=datasec)


def generated(
    spec: ObjectSpec,
    *,
    types: tuple[str, ...] = (),
    records: tuple[tuple[str, str], ...] = (),
    renames: tuple[tuple[str, str], ...] = (),
    header: Header = HEADER,
) -> str:
    """Return the module of an object."""
    btf = None if spec.btf is None else Btf(spec.view(spec.btf))
    requests = Requests(types, records, renames)
    return render([Compiled(spec, btf)], requests, header).text


def loaded(text: str) -> ModuleType:
    """Return a module's text as a module."""
    module = ModuleType(f"skelgen_generated_{next(_number)}")
    code = compile(text, module.__name__, "exec", dont_inherit=True)
    exec(code, module.__dict__)  # noqa: S102 (what is under test)
    return module


def struct_module(btf: BtfBuilder, *types: str) -> ModuleType:
    """Return a module that has these types only."""
    return loaded(generated(blueprint(btf), types=types))
