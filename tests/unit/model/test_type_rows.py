"""Rows of map types, program types and attach types: complete, and true of both halves."""

import errno
import inspect
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest

from skelgen import runtime as rt
from skelgen.codegen.programs import program_view
from skelgen.elf.section_names import SECTIONS, match_section
from skelgen.model import attach, attach_types, map_types, prog_types
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.spec import MapSpec, ProgramSpec, Span
from skelgen.runtime import public
from skelgen.runtime.maps import limits
from skelgen.runtime.maps.base import Map
from skelgen.runtime.maps.families import family
from skelgen.runtime.maps.generic import GenericMap
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.maps.request import MapRequest
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.families import program_class
from skelgen.runtime.syscalls import rights
from tests.harness.generating import blueprint, generated, loaded

BEFORE_THE_FIRST = (3, 18)


def number(kernel: str) -> tuple[int, ...]:
    return tuple(map(int, kernel.split(".")))


# -- complete ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (map_types.ROWS, set(MapType) - {MapType.UNSPEC}),
        (prog_types.ROWS, set(ProgType) - {ProgType.UNSPEC}),
        (attach_types.ROWS, set(AttachType)),
    ],
)
def test_every_type_has_a_row(rows: Mapping[int, Any], wanted: set[int]) -> None:
    assert list(rows) == sorted(wanted)


@pytest.mark.parametrize("rows", [map_types.ROWS, prog_types.ROWS, attach_types.ROWS])
def test_no_type_is_older_than_the_one_before(rows: Mapping[int, Any]) -> None:
    kernels = [number(row.since) for row in rows.values()]
    assert kernels == sorted(kernels)
    assert kernels[0] > BEFORE_THE_FIRST


@pytest.mark.parametrize("table", [map_types, prog_types, attach_types])
def test_a_type_newer_than_the_table_has_an_empty_row(table: Any) -> None:
    assert table.row(9999).since == ""
    assert table.row(9999) not in table.ROWS.values()


@pytest.mark.parametrize(
    ("row", "kernel"),
    [
        (map_types.row(MapType.RINGBUF), "5.8"),
        (map_types.row(MapType.ARENA), "6.9"),
        (prog_types.row(ProgType.XDP), "4.8"),
        (prog_types.row(ProgType.LSM), "5.7"),
        (attach_types.row(AttachType.TCX_INGRESS), "6.6"),
        (attach_types.row(AttachType.XDP), "5.9"),
    ],
)
def test_some_that_everybody_knows_have_their_kernel(row: Any, kernel: str) -> None:
    assert row.since == kernel


# -- classes of maps -----------------------------------------------------------

FAMILIES = sorted({row.family for row in map_types.ROWS.values()})


def sizes(row: map_types.MapTypeRow) -> tuple[int, int]:
    return (4 if 4 in row.key else row.key[0]), (8 if 8 in row.value else row.value[0])


@pytest.mark.parametrize("name", FAMILIES)
def test_a_class_of_maps_is_told_what_it_asks_for(name: str) -> None:
    cls: Any = public.find(name)
    assert issubclass(cls, Map)
    assert getattr(rt, name) is cls
    parameters = inspect.signature(cls).parameters.values()
    wanted = {p.name for p in parameters if p.default is p.empty} - {"handle"}
    for row in map_types.ROWS.values():
        if row.family == name:
            assert set(row.codecs) == wanted


@pytest.mark.parametrize("kind", map_types.ROWS, ids=lambda kind: MapType(kind).name)
def test_generator_and_runtime_give_a_map_the_class_of_its_row(kind: int) -> None:
    row = map_types.row(kind)
    spec = MapSpec("m", kind, *sizes(row), 4096)
    assert type(family(MapHandle(spec))).__name__ == row.family
    text = generated(blueprint(maps=(spec,)))
    assert f"self.m: Final = rt.{row.family}(" in text
    with loaded(text).Demo.open() as skel:
        assert type(skel.maps.m) is public.find(row.family)
        assert skel.maps.m._serves(kind)


def test_a_new_map_type_takes_a_row_and_a_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class NewMap(GenericMap[Any, Any]):
        family = "NewMap"

    module = ModuleType("new_maps")
    monkeypatch.setattr(module, "NewMap", NewMap, raising=False)
    monkeypatch.setitem(sys.modules, "new_maps", module)
    monkeypatch.setitem(public.HOME_OF, "NewMap", "new_maps")
    row = map_types.MapTypeRow("9.9", (4,), (8,), "NewMap", net_admin=True)
    monkeypatch.setitem(map_types.ROWS, 99, row)

    spec = MapSpec("m", 99, 4, 8, 1)
    assert type(family(MapHandle(spec))) is NewMap
    assert "self.m: Final = rt.NewMap(" in generated(blueprint(maps=(spec,)))
    assert rights.needed("BPF_MAP_CREATE", 99) == ("CAP_BPF", "CAP_NET_ADMIN")
    refused = limits.reason(MapRequest(99, 8, 8, 1, 0, "m"), errno.EINVAL)
    assert refused == "key_size is 8, and 99 wants 4"


# -- classes of programs -------------------------------------------------------

NAMES = sorted({row.key.removesuffix("+") for row in SECTIONS} | {"unknown"})


@pytest.mark.parametrize("name", NAMES)
def test_generator_and_runtime_give_a_program_the_same_class(name: str) -> None:
    match = match_section(name)
    where = (name, match.type, match.attach, Span(0, 8))
    spec = ProgramSpec("p", *where, attach_type=match.attach_type)
    cls = program_class(spec)
    assert issubclass(cls, Program)
    assert getattr(rt, cls.__name__) is cls
    assert program_view(spec, "p").expr.items[1] == f"rt.{cls.__name__}"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("fentry/f", "TracingProgram"),
        ("fentry.multi/f*", "Program"),
        ("freplace/f", "ExtensionProgram"),
        ("lsm/file_open", "LsmProgram"),
        ("lsm_cgroup/file_open", "CgroupProgram"),
        ("iter/task", "IterProgram"),
        ("kprobe/f", "KprobeProgram"),
        ("usdt/a:b:c", "UsdtProgram"),
        ("xdp/devmap", "XdpProgram"),
        ("tcx/ingress", "TcProgram"),
        ("cgroup/connect4", "CgroupProgram"),
        ("struct_ops/init", "StructOpsProgram"),
        ("lwt_in", "Program"),
    ],
)
def test_a_section_name_decides_the_class_of_its_program(
    name: str, wanted: str
) -> None:
    match = match_section(name)
    where = (name, match.type, match.attach, Span(0, 8))
    spec = ProgramSpec("p", *where, attach_type=match.attach_type)
    assert program_class(spec).__name__ == wanted


def test_a_meaning_has_a_class_unless_the_type_decides() -> None:
    by_type = {attach.Manual, attach.Tracing}
    assert prog_types.MEANINGS.keys() == set(attach.Attach.__args__) - by_type


def test_sections_attach_the_types_of_programs_that_rows_name() -> None:
    for row in SECTIONS:
        if row.attach_type:
            assert attach_types.row(row.attach_type).program == row.type
