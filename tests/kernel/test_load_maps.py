"""Maps on the running kernel: every type, limits, reuse, pins, what is left out."""

import errno
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import skelgen
from skelgen.model import map_types
from skelgen.model.enums import MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import (
    BpfError,
    BpfOSError,
    ClosedError,
    StateError,
    VerifierError,
)
from skelgen.runtime.kernel.version import kernel_version
from skelgen.runtime.maps import create
from skelgen.runtime.maps.array import ArrayMap
from skelgen.runtime.maps.generic import GenericMap
from skelgen.runtime.maps.percpu_array import PerCpuArrayMap
from skelgen.runtime.maps.request import MapRequest
from skelgen.runtime.syscalls.sizes import possible_cpus
from skelgen.runtime.values import codec as c
from tests.harness import sources
from tests.harness.places import BpfFileSystem

Compile = Callable[[str], Path]
Make = Callable[[str], ModuleType]
PACKET = bytes(64)
T = MapType

NO_FIXTURE = {
    T.UNSPEC: "no type",
    T.INSN_ARRAY: "made for jump tables alone; Linux 6.19",
    T.RHASH: "in no released kernel when this was written",
}


def kernel_at_least(version: str) -> bool:
    major, minor = (int(part) for part in version.split("."))
    return kernel_version() >= major << 16 | minor << 8


# -- every type ------------------------------------------------------------------


def test_every_type_of_map_is_made(compile_bpf: Compile) -> None:
    """By loading the fixtures without their programs."""
    made: set[int] = set()
    needs_kfuncs = {"maps_graph", "maps_kptr"}  # and have no type of their own
    names = sources.sources().keys() - needs_kfuncs
    fixtures = sorted(name for name in names if name.startswith("maps_"))
    for name in (*fixtures, "struct_ops"):
        with skelgen.open_object(compile_bpf(name)) as obj:
            for program in obj.programs.values():
                program.autoload = program.type == 27  # those of struct_ops
            for map_ in obj.maps.values():
                since = map_types.row(map_.type).since
                map_.autocreate = kernel_at_least(since)
                map_.pin_path = None
            obj.load()
            for map_ in obj.maps.values():
                if map_.autocreate:
                    assert map_.info().type == map_.type
                    made.add(map_.type)
    known = set(T) - set(NO_FIXTURE)
    new = {kind for kind in known if not kernel_at_least(map_types.row(kind).since)}
    assert made == known - new


# -- limits ----------------------------------------------------------------------

TOO_MUCH = {errno.E2BIG, errno.ENOMEM}
"""A kernel says it before it looks for memory, or after; which has changed."""


@pytest.mark.parametrize(
    ("numbers", "error", "text"),
    [
        ((T.HASH, 4, 4, 0), errno.EINVAL, "max_entries is 0; set maps.m.max_entries"),
        ((T.ARRAY, 8, 4, 1), errno.EINVAL, "key_size is 8, and ARRAY wants 4"),
        ((T.ARRAY, 4, 0, 1), errno.EINVAL, "value_size is 0, and ARRAY wants 1 or"),
        ((T.HASH, 0, 4, 1), errno.EINVAL, "key_size is 0, and HASH wants 1 or more"),
        ((T.QUEUE, 4, 4, 4), errno.EINVAL, "key_size is 4, and QUEUE wants 0"),
        ((T.LPM_TRIE, 4, 4, 4, 1), errno.EINVAL, "LPM_TRIE wants 5..260"),
        ((T.LPM_TRIE, 8, 4, 4), errno.EINVAL, "map_flags BPF_F_NO_PREALLOC"),
        ((T.RINGBUF, 0, 0, 5000), errno.EINVAL, "a power of two of pages of"),
        ((T.RINGBUF, 4, 0, 4096), errno.EINVAL, "RINGBUF wants 0"),
        ((T.STACK_TRACE, 4, 12, 4), errno.EINVAL, "8 bytes a frame"),
        ((T.XSKMAP, 4, 8, 4), errno.EINVAL, "value_size is 8, and XSKMAP wants 4"),
        ((T.TASK_STORAGE, 4, 4, 0, 1), errno.EINVAL, "wants BTF types"),
        ((T.HASH_OF_MAPS, 4, 4, 4), errno.EINVAL, "wants an inner map"),
        ((T.LRU_HASH, 4, 4, 4, 1), 524, "LRU maps do not take BPF_F_NO_PREALLOC"),
        ((T.PERCPU_HASH, 4, 40000, 1), TOO_MUCH, "at most 32768 bytes"),
        ((T.HASH, 4, 1 << 22, 1), errno.E2BIG, "in one piece"),
        ((T.HASH, 4, 4, 1 << 31), errno.E2BIG, "lower max_entries or value_size"),
        ((T.CPUMAP, 4, 8, 1 << 20), errno.E2BIG, "more than the kernel's NR_CPUS"),
        ((T.ARRAY, 4, 1 << 20, 1 << 20), TOO_MUCH, "1048576 entries of 1048580 bytes"),
    ],
)
def test_limits_are_explained(
    numbers: tuple[int, ...], error: int | set[int], text: str
) -> None:
    kind, key, value, entries, *flags = numbers
    request = MapRequest(kind, key, value, entries, sum(flags), "m", "m")
    with pytest.raises(BpfOSError) as caught:
        create.create(request, "map 'm'")
    assert caught.value.errno in (error if isinstance(error, set) else {error})
    assert str(caught.value).startswith("map 'm': BPF_MAP_CREATE: ")
    assert text in str(caught.value)


def test_what_the_rules_refuse_the_kernel_refuses_too() -> None:
    """For each type one wrong size a time: no rule is stricter than this kernel."""
    for kind, row in map_types.ROWS.items():
        if kind in NO_FIXTURE or kind == T.STRUCT_OPS or row.btf == "required":
            continue
        if not kernel_at_least(row.since):
            continue
        key, value = row.key[0], row.value[0]
        entries = 4096 if row.entries else 0
        for wrong in (
            MapRequest(kind, 3 if key else 4, value, entries, row.flags, "m", "m"),
            MapRequest(kind, key, 8 if not value else 0, entries, row.flags, "m"),
            MapRequest(kind, key, value, 0 if entries else 1, row.flags, "m", "m"),
        ):
            if wrong.key_size in row.key and wrong.key_size != key:
                continue
            with pytest.raises(BpfOSError):
                create.create(wrong, f"map '{T(kind).name}'")


# -- left out --------------------------------------------------------------------


def test_a_map_that_is_not_made_is_refused_in_live_code_alone(
    make_skeleton: Make,
) -> None:
    """Dead code may refer to it; live code is refused, and the map is named."""
    skeleton = make_skeleton("maps_optional").MapsOptional
    with skeleton.open() as skel:
        skel.maps.details.autocreate = False
        with pytest.raises(VerifierError, match="'details'") as caught:
            skel.load()
        assert caught.value.program == "always"
        skel.progs.always.autoload = False
        skel.load()
        assert skel.progs.sometimes.test_run(PACKET).retval == 0
        with pytest.raises(StateError, match="its autocreate is off"):
            skel.maps.details.fd()
    with skeleton.open() as skel:
        skel.maps.details.autocreate = False
        skel.rodata.detailed = True
        skel.progs.always.autoload = False
        with pytest.raises(VerifierError, match="'details'") as caught:
            skel.load()
        assert caught.value.program == "sometimes"


def test_a_data_section_that_is_not_made_fails_its_users_alone(
    compile_bpf: Compile,
) -> None:
    with skelgen.open_object(compile_bpf("maps_optional")) as obj:
        obj.maps[".rodata"].autocreate = False
        with pytest.raises(VerifierError, match=re.escape("'.rodata'")):
            obj.load()
        obj.programs["sometimes"].autoload = False
        obj.load()
        assert obj.programs["always"].test_run(PACKET).retval == 1


# -- reuse -----------------------------------------------------------------------


def test_two_objects_share_a_map(make_skeleton: Make, bpffs: BpfFileSystem) -> None:
    skeleton = make_skeleton("maps_optional").MapsOptional
    with skeleton.open_and_load() as first:
        first.maps.details.pin(bpffs.path / "details")
        number = first.maps.details.info().id
        for other in (
            first.maps.details,
            first.maps.details.fd(),
            bpffs.path / "details",
            str(bpffs.path / "details"),
        ):
            with skeleton.open() as second:
                second.maps.details.reuse(other)
                second.load()
                assert second.maps.details.info().id == number
                assert second.maps.details.fd() != first.maps.details.fd()
                second.progs.always.test_run(PACKET)
        assert first.maps.details[0] == 4
        first.maps.details.unpin()


def test_the_first_owner_may_go(make_skeleton: Make) -> None:
    skeleton = make_skeleton("maps_optional").MapsOptional
    second = skeleton.open()
    with skeleton.open_and_load() as first:
        first.maps.details[0] = 41
        second.maps.details.reuse(first.maps.details)
    second.load()
    second.progs.always.test_run(PACKET)
    assert second.maps.details[0] == 42
    second.destroy()


def test_a_map_of_another_definition_is_not_reused(make_skeleton: Make) -> None:
    skeleton = make_skeleton("maps_optional").MapsOptional
    with skeleton.open() as first, skeleton.open() as second:
        first.maps.details.max_entries = 3
        first.load()
        with pytest.raises(BpfError, match="max_entries 3 there and 1 here"):
            second.maps.details.reuse(first.maps.details)
        second.maps.details.max_entries = 3
        second.maps.details.reuse(first.maps.details)
        second.load()


def test_globals_of_another_object_are_shared_with_it(make_skeleton: Make) -> None:
    """A data section is reused as any map: two programs with the same variables."""
    skeleton = make_skeleton("globals_live").GlobalsLive
    with skeleton.open_and_load() as first, skeleton.open() as second:
        first.bss.totals.packets = 5
        second.object.maps[".bss"].reuse(first.object.maps[".bss"])
        second.bss.totals.packets = 77  # of the memory before load, which goes
        second.load()
        assert second.bss.totals.packets == 5
        second.bss.totals.packets = 6
        assert first.bss.totals.packets == 6


def test_constants_of_another_object_are_read_from_it(make_skeleton: Make) -> None:
    skeleton = make_skeleton("globals_live").GlobalsLive
    with skeleton.open() as first, skeleton.open() as second:
        first.rodata.increment = 7
        first.load()
        second.object.maps[".rodata"].reuse(first.object.maps[".rodata"])
        second.load()
        assert second.rodata.increment == 7


def test_pinned_globals_keep_their_values_from_load_to_load(
    make_skeleton: Make, bpffs: BpfFileSystem
) -> None:
    skeleton = make_skeleton("globals_live").GlobalsLive
    for packets in range(3):
        with skeleton.open() as skel:
            skel.object.maps[".bss"].pin_path = bpffs.path / "mine" / "globals"
            skel.load()
            assert skel.bss.totals.packets == packets
            skel.bss.totals.packets += 1
    (bpffs.path / "mine" / "globals").unlink()


# -- definitions -----------------------------------------------------------------


def test_settings_reach_the_kernel(compile_bpf: Compile) -> None:
    with skelgen.open_object(compile_bpf("maps_optional")) as obj:
        details = obj.maps["details"]
        details.type, details.flags = T.HASH, 1
        details.max_entries, details.value_size = 33, 8
        details.numa_node = 0
        obj.load()
        info = details.info()
        assert (info.type, info.max_entries, info.value_size) == (T.HASH, 33, 8)
        assert info.flags == 1 | 4


def test_an_inner_map_of_ones_own_decides_what_fits_into_the_outer(
    compile_bpf: Compile,
) -> None:
    with skelgen.open_object(compile_bpf("maps_nested")) as obj:
        outer = obj.maps["outer_hash"]
        assert outer.inner is not None
        outer.inner = outer.inner._replace(max_entries=3)
        obj.load()
        wanted = MapRequest(T.HASH, 4, 4, 3, 1, "inner")
        fd = create.create(wanted, "map 'inner'")
        try:
            syscalls.map_update(outer.fd(), bytes(8), fd.to_bytes(4, sys.byteorder))
        finally:
            syscalls.close(fd)


# -- size of data sections -------------------------------------------------------


def test_a_data_section_is_resized(make_skeleton: Make) -> None:
    """Programs see the new elements; the kernel has the types of the new size."""
    with make_skeleton("sections_resized").SectionsResized.open() as skel:
        skel.data_numbers.resize("numbers", 2000)
        skel.bss_slots.resize("slots", 3000)
        skel.data_numbers.numbers[:] = range(2000)
        skel.rodata.count = 1000
        skel.load()
        skel.progs.add.test_run(PACKET)
        assert skel.bss.sum == sum(range(1000))
        skel.data_numbers.numbers[999] = 0  # a view of the kernel's memory
        skel.progs.add.test_run(PACKET)
        assert skel.bss.sum == sum(range(999))
        assert skel.bss_slots.slots[0].hits == 2
        assert len(skel.bss_slots.slots) == 3000
        info = skel.object.maps[".data.numbers"].info()
        assert info.value_size == 4 + 4 * 2000
        spec = {data.section: data for data in skel.object.spec.data}
        assert info.btf_value_type_id == spec[".data.numbers"].type_id
    with make_skeleton("sections_resized").SectionsResized.open() as skel:
        skel.rodata.count = 1000
        with pytest.raises(VerifierError):  # as the C file has it, it is too short
            skel.load()


# -- types and sizes that change before load ---------------------------------------


def test_the_objects_map_follows_its_type_and_the_typed_one_says_so(
    make_skeleton: Make,
) -> None:
    cpus = possible_cpus()
    with make_skeleton("maps_plain").MapsPlain.open() as skel:
        skel.progs.count.autoload = False
        for name, other in (("array", T.PERCPU_ARRAY), ("lru_hash", T.PERCPU_HASH)):
            with pytest.raises(
                TypeError, match=f"'{name}': cannot become {other.name}"
            ):
                getattr(skel.maps, name).type = other
            before = skel.object.maps[name]
            before.type = other  # as the error says
            assert getattr(skel.maps, name).type == other
        skel.maps.hash.type = T.LRU_HASH
        skel.object.maps["percpu_array"].type = T.ARRAY
        skel.object.maps["percpu_array"].value_size = 20
        skel.load()
        stale = before
        size = skel.maps.array.value_size
        follows = skel.object.maps["array"]
        assert isinstance(follows, PerCpuArrayMap)
        follows[1] = [bytes([7]) * size] * cpus
        assert follows[1] == [bytes([7]) * size] * cpus
        now = skel.object.maps["lru_hash"]
        now[bytes(8)] = [b"1234"] * cpus
        assert dict(now) == {bytes(8): [b"1234"] * cpus}
        wide = skel.object.maps["percpu_array"]
        wide[3] = bytes(20)
        assert list(wide) == [bytes(20)] * 4
        for use in (
            lambda: stale[bytes(8)],
            lambda: dict(stale),
            lambda: skel.maps.array[0],
            lambda: list(skel.maps.array),
            lambda: skel.maps.lru_hash.get(1),
            lambda: skel.maps.lru_hash.update({1: 2, 3: 4}),
            lambda: skel.maps.percpu_array[0],
        ):
            with pytest.raises(BpfError, match=r"take it from the object's maps \(obj"):
                use()
        skel.maps.hash[skel.maps.hash._key.unpack(bytes(16))] = (
            skel.maps.hash._value.unpack(bytes(16))
        )
        assert len(skel.maps.hash) == 1


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"value_size": 24}, "values have 24 bytes, but their type here has 16"),
        ({"key_size": 20}, "keys have 20 bytes, but their type here has 16"),
    ],
)
def test_sizes_that_change_are_refused_where_the_types_stay(
    make_skeleton: Make, settings: dict[str, int], text: str
) -> None:
    module = make_skeleton("maps_plain")
    with module.MapsPlain.open() as skel:
        skel.progs.count.autoload = False
        for name, value in settings.items():
            setattr(skel.maps.hash, name, value)
        skel.maps.hash.max_entries = 3
        skel.load()
        assert skel.maps.hash.info().max_entries == 3
        key, value = (codec.unpack(bytes(99)) for codec in _codecs(skel.maps.hash))
        for use in (
            lambda: skel.maps.hash.get(key),
            lambda: skel.maps.hash.put(key, value),
            lambda: list(skel.maps.hash.items()),
            lambda: skel.maps.hash.pop(key),
        ):
            with pytest.raises(BpfError, match=f"map 'hash': {text}"):
                use()


def _codecs(map_: Any) -> tuple[Any, Any]:
    return map_._key, map_._value


# -- inner maps --------------------------------------------------------------------


def test_the_template_of_inner_maps_is_settable(make_skeleton: Make) -> None:
    with make_skeleton("maps_nested").MapsNested.open() as skel:
        rings, words = skel.maps.rings.inner, skel.maps.outer_hash.inner
        assert skel.maps.first.inner is None
        rings.max_entries = 5000  # bytes, rounded up
        words.value_size, words.flags, words.max_entries = 12, 0, 3
        with pytest.raises(OverflowError, match=r"map 'rings.inner': max_entries must"):
            rings.max_entries = -1
        with pytest.raises(TypeError, match=r"map 'rings.inner': flags must be int"):
            rings.flags = "x"
        assert repr(words) == (
            "<template of map 'outer_hash': type HASH, key_size 4, value_size 12,"
            " max_entries 3, flags 0x0>"
        )
        skel.load()
        for template, name in ((rings, "max_entries"), (words, "value_size")):
            with pytest.raises(StateError, match=f"{name} cannot change after load"):
                setattr(template, name, 1)
        with skel.maps.rings.create_inner() as ring:
            assert ring.info().max_entries == 8192
            skel.maps.rings.update(1, ring)
        with skel.maps.outer_hash.create_inner() as new:
            assert new.info()[2:7] == (T.HASH, 4, 12, 3, 0)


def test_new_inner_maps_are_made_and_put_in_from_python(make_skeleton: Make) -> None:
    with make_skeleton("maps_nested").MapsNested.open() as skel:
        skel.load()
        outer = skel.maps.outer_array
        with outer.create_inner(value=c.U64) as counts:
            assert isinstance(counts, ArrayMap)
            outer.update(3, counts)
            skel.attach()
            number = counts.info().id
            assert outer.lookup(3) == number
            os.getppid()
            assert counts[1] > 0
        counts.close()
        with pytest.raises(ClosedError, match=r"map 'outer_array.inner': .*destroyed"):
            counts[1]
        assert outer.lookup(3) == number, "the map of maps keeps it"
        small = outer.create_inner(max_entries=1)
        with pytest.raises(BpfOSError, match="EINVAL") as caught:
            outer.update(0, small)
        assert "create_inner() makes one like <template" in caught.value.__notes__[0]
        small.close()
        with pytest.raises(
            StateError, match="map 'first': is the object's, whose dest"
        ):
            skel.maps.first.close()
        with pytest.raises(StateError, match="map 'first': is the object's"):
            skel.maps.first.__enter__()
        raw = skel.object.maps["outer_hash"]
        with raw.create_inner(max_entries=99) as words:
            raw.update(bytes(8), words)
            words[b"abcd"] = b"1234"
            assert raw.lookup(bytes(8)) == words.info().id.to_bytes(4, sys.byteorder)
    with skelgen.open_object(sources.compiled(sources.find("maps_special"))) as obj:
        for map_ in obj.maps.values():
            if isinstance(map_, GenericMap):
                with pytest.raises(TypeError, match="is no map of maps, so it has no"):
                    map_.create_inner()
