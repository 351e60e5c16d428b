"""What the kernel is asked for when a map is made."""

import mmap

import pytest

from skelgen.model.enums import MapType
from skelgen.model.spec import DataKind, DataSpec, MapSpec
from skelgen.runtime.maps import create
from skelgen.runtime.maps.data import data_map_spec, has_map, section_map_name
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.maps.request import MapRequest
from skelgen.runtime.syscalls.sizes import possible_cpus
from tests.harness.fake_kernel import FakeKernel


@pytest.mark.parametrize(
    ("obj", "section", "name"),
    [
        ("bootstrap", ".rodata", "bootstra.rodata"),
        ("bootstrap", ".bss", "bootstra.bss"),
        ("bootstrap", ".data", "bootstra.data"),
        ("my_obj_v2_bpf", ".kconfig", "my_obj_.kconfig"),
        ("x", ".bss", "x.bss"),
        ("", ".data", ".data"),
        ("bootstrap", ".data.foo", ".data.foo"),
        ("bootstrap", ".data.very_long_name", ".data.very_long"),
        ("bootstrap", ".rodata.str1.1", ".rodata.str1.1"),
        ("bootstrap", ".data.a-b", ".data.a_b"),
        ("größe", ".bss", "gr__e.bss"),
    ],
)
def test_kernel_names_of_sections_have_at_most_15_bytes(
    obj: str, section: str, name: str
) -> None:
    assert section_map_name(obj, section) == name[:15]


def asked(spec: MapSpec, **settings: object) -> MapRequest:
    handle = MapHandle(spec)
    for name, value in settings.items():
        setattr(handle, name, value)
    return handle.request(spec.name)


PAGE = mmap.PAGESIZE


@pytest.mark.parametrize(
    ("kind", "written", "entries"),
    [
        (MapType.RINGBUF, 1, PAGE),
        (MapType.RINGBUF, PAGE, PAGE),
        (MapType.RINGBUF, PAGE + 1, 2 * PAGE),
        (MapType.RINGBUF, 5 * PAGE, 8 * PAGE),
        (MapType.USER_RINGBUF, 3 * PAGE, 4 * PAGE),
        (MapType.RINGBUF, 0, 0),
        (MapType.PERF_EVENT_ARRAY, 0, possible_cpus()),
        (MapType.PERF_EVENT_ARRAY, 3, 3),
        (MapType.HASH, 5, 5),
    ],
)
def test_sizes_that_depend_on_the_machine_are_worked_out(
    kind: MapType, written: int, entries: int
) -> None:
    assert asked(MapSpec("m", kind, max_entries=written)).max_entries == entries


def test_types_of_keys_and_values_are_given_both_or_neither() -> None:
    def types(spec: MapSpec, **settings: object) -> tuple[int, int]:
        wanted = asked(spec, **settings)
        return wanted.key_type_id, wanted.value_type_id

    spec = MapSpec("m", MapType.HASH, 4, 8, 1, key_type_id=3, value_type_id=5)
    assert types(spec) == (3, 5)
    assert types(spec, value_size=16) == (0, 0)  # the kernel wants both
    for kind in (MapType.DEVMAP, MapType.SOCKHASH, MapType.QUEUE, MapType.ARENA):
        assert types(spec._replace(type=kind)) == (0, 0)


def test_a_node_counts_with_its_flag() -> None:
    spec = MapSpec("m", MapType.HASH, 4, 8, 1, numa_node=1)
    assert asked(spec).numa_node is None  # as libbpf has it
    assert asked(spec._replace(flags=4)).numa_node == 1
    assert asked(spec, numa_node=0).numa_node == 0  # asked for in Python


def test_inner_maps_are_named_and_sized_as_any_map() -> None:
    inner = MapSpec("", MapType.RINGBUF, max_entries=5)
    outer = MapSpec("a_long_map_name_", MapType.HASH_OF_MAPS, 4, 4, 1, inner=inner)
    wanted = asked(outer)
    assert wanted.name == "a_long_map_name"
    assert wanted.inner is not None
    assert wanted.inner.max_entries == PAGE
    assert wanted.inner.name == "a_long_map_name"[:15]


def test_the_inner_map_is_made_first(kernel: FakeKernel) -> None:
    inner = MapSpec("", MapType.ARRAY, 4, 4, 2)
    outer = MapSpec("o", MapType.ARRAY_OF_MAPS, 4, 4, 1, inner=inner)
    fd = create.create(asked(outer), "map 'o'")
    first, second = kernel.named("MAP_CREATE")
    assert first.attr.map_type == MapType.ARRAY
    assert second.attr.map_type == MapType.ARRAY_OF_MAPS
    assert first.attr.map_name == "o.inner"
    assert kernel.open == {fd}
    kernel.open.clear()


def test_an_inner_map_that_cannot_be_made_is_named_in_the_error(
    kernel: FakeKernel,
) -> None:
    inner = MapSpec("", MapType.ARRAY, 4, 4, 0)
    outer = MapSpec("o", MapType.ARRAY_OF_MAPS, 4, 4, 1, inner=inner)
    kernel.always("MAP_CREATE", -22)
    with pytest.raises(OSError, match="map 'o': inner map: BPF_MAP_CREATE") as caught:
        create.create(asked(outer), "map 'o'")
    assert "max_entries is 0; set maps.o.inner.max_entries" in str(caught.value)
    assert any(
        "asked for: type ARRAY, key_size 4, value_size 4, max_entries 0" in note
        for note in caught.value.__notes__
    )


@pytest.mark.parametrize(
    ("kind", "mmapable", "flags"),
    [
        (DataKind.RODATA, True, 0x480),
        (DataKind.RODATA, False, 0x80),
        (DataKind.KCONFIG, True, 0x480),
        (DataKind.BSS, True, 0x400),
        (DataKind.DATA, False, 0),
    ],
)
def test_data_sections_become_arrays_with_their_flags(
    kind: DataKind, flags: int, *, mmapable: bool
) -> None:
    spec = DataSpec(".x", kind, 12, mmapable=mmapable, type_id=9)
    made = data_map_spec(spec)
    assert made == MapSpec(".x", MapType.ARRAY, 4, 12, 1, flags=flags, value_type_id=9)
    assert has_map(spec)
    assert not has_map(spec._replace(kind=DataKind.ARENA))
