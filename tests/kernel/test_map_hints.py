"""What an error about a map says to do is done here, to the letter, after provoking it."""

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import skelgen
from skelgen.model.enums import MapType
from skelgen.model.spec import MapSpec
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError, MapFullError, StateError
from skelgen.runtime.values import codec as c
from tests.harness.places import BpfFileSystem

Make = Callable[[str], ModuleType]

pytestmark = pytest.mark.any_kernel


def quoted(error: BaseException, pattern: str) -> str:
    """Return the code that an error has in its text."""
    found = re.search(pattern, str(error))
    assert found is not None, str(error)
    return found[1]


def say(code: str, skel: Any, **names: object) -> None:
    """Run code of an error, with ``maps`` and ``object`` being those of a skeleton."""
    known = {"skel": skel, "maps": skel.maps, "object": skel.object, **names}
    exec(code, known)  # noqa: S102 (of an error)


SET = r"set (maps\.[\w.]+) before load\(\)"


@pytest.fixture
def plain(make_skeleton: Make) -> Iterator[Any]:
    with make_skeleton("maps_plain").MapsPlain.open() as skel:
        skel.progs.count.autoload = False
        yield skel


@pytest.fixture
def nested(make_skeleton: Make) -> Iterator[Any]:
    with make_skeleton("maps_nested").MapsNested.open() as skel:
        yield skel


def test_no_entries_is_an_error_whose_advice_works(plain: Any) -> None:
    plain.maps.hash.max_entries = 0
    with pytest.raises(BpfOSError, match="max_entries is 0") as caught:
        plain.load()
    say(f"{quoted(caught.value, SET)} = 10", plain)
    plain.load()
    assert plain.maps.hash.info().max_entries == 10


def test_no_entries_of_an_inner_map_is_an_error_whose_advice_works(nested: Any) -> None:
    nested.maps.rings.inner.max_entries = 0
    with pytest.raises(BpfOSError, match="max_entries is 0") as caught:
        nested.load()
    code = quoted(caught.value, SET)
    assert code == "maps.rings.inner.max_entries"
    say(f"{code} = 4096", nested)
    nested.load()
    with nested.maps.rings.create_inner() as ring:
        assert ring.info().max_entries == 4096


def test_no_inner_map_is_an_error_whose_advice_works(nested: Any) -> None:
    nested.maps.rings.inner = None
    with pytest.raises(BpfOSError, match="wants an inner map") as caught:
        nested.load()
    early = quoted(caught.value, SET)
    with pytest.raises(StateError, match="no template of its inner maps") as late:
        nested.maps.rings.create_inner()
    assert quoted(late.value, SET) == early == "maps.rings.inner"
    ring = MapSpec("any", MapType.RINGBUF, max_entries=4096)
    say(f"{early} = ring", nested, ring=ring)
    nested.load()
    nested.maps.rings.create_inner().close()


def test_sizes_that_are_too_big_are_errors_whose_advice_works(plain: Any) -> None:
    array = plain.object.maps["percpu_array"]
    array.value_size, array.max_entries = 40_000, 4
    with pytest.raises(BpfOSError, match="value_size is 40000, and a CPU's value has"):
        plain.load()
    array.value_size, array.max_entries = 32_768, 0xFFFFFFF0
    with pytest.raises(BpfOSError, match="lower max_entries"):
        plain.load()
    array.max_entries = 1
    plain.load()


def test_a_full_map_says_to_raise_max_entries(plain: Any) -> None:
    plain.maps.lru_hash.type = MapType.HASH
    plain.maps.lru_hash.max_entries = 1
    plain.load()
    plain.maps.lru_hash[1] = 1
    with pytest.raises(MapFullError, match=r"raise max_entries before load\(\)"):
        plain.maps.lru_hash[2] = 2


def test_raising_max_entries_makes_room(plain: Any) -> None:
    plain.maps.lru_hash.type = MapType.HASH
    plain.maps.lru_hash.max_entries = 2
    plain.load()
    plain.maps.lru_hash.update({1: 1, 2: 2})


def test_a_type_of_another_shape_is_an_error_whose_advice_works(plain: Any) -> None:
    with pytest.raises(TypeError, match="cannot become PERCPU_ARRAY") as caught:
        plain.maps.array.type = MapType.PERCPU_ARRAY
    place = quoted(caught.value, r"set it on the object's map \((skel\.object\.maps)\)")
    say(f"{place}['array'].type = other", plain, other=MapType.PERCPU_ARRAY)
    plain.load()
    with pytest.raises(BpfError, match="is PERCPU_ARRAY, which is nothing") as late:
        plain.maps.array[0]
    place = quoted(late.value, r"take it from the object's maps \((.*)\)")
    say(f"assert len({place}[0]) > 0", plain)


def test_a_map_that_differs_is_reused_once_what_differs_is_set(
    plain: Any, make_skeleton: Make
) -> None:
    with make_skeleton("maps_plain").MapsPlain.open() as other:
        other.progs.count.autoload = False
        other.maps.hash.max_entries = 5
        other.load()
        with pytest.raises(
            BpfError, match=r"set what differs before reuse\(\)"
        ) as caught:
            plain.maps.hash.reuse(other.maps.hash)
        differs, there = re.findall(r"another: (\w+) (\d+) there", str(caught.value))[0]
        setattr(plain.maps.hash, differs, int(there))
        plain.maps.hash.reuse(other.maps.hash)
        with pytest.raises(StateError, match="is that of the map it reuses") as late:
            plain.maps.hash.max_entries = 6
        say(f"maps.hash.{quoted(late.value, r'(reuse.None.)')}", plain)
        plain.maps.hash.max_entries = 6
        plain.load()
        assert plain.maps.hash.info().id != other.maps.hash.info().id


def test_a_pin_of_another_map_is_refused_until_it_is_removed(
    plain: Any, bpffs: BpfFileSystem
) -> None:
    other = syscalls.Fd(
        syscalls.map_create(type=MapType.ARRAY, key_size=4, value_size=4, max_entries=1)
    )
    path = Path(bpffs.path) / "hash"
    with other:
        syscalls.obj_pin(other.fileno(), str(path))
    plain.maps.hash.pin_path = path
    with pytest.raises(BpfError, match="remove the pin, or change the definition"):
        plain.load()
    path.unlink()
    plain.load()
    plain.maps.hash.unpin()


def test_a_map_used_too_early_or_left_out_is_an_error_that_says_so(plain: Any) -> None:
    with pytest.raises(
        StateError, match=r"made by load\(\) or prepare\(\), which comes"
    ):
        plain.maps.lru_hash.get(1)
    plain.maps.array.autocreate = False
    plain.prepare()
    assert plain.maps.lru_hash.get(1) is None
    with pytest.raises(StateError, match="not made, its autocreate is off"):
        plain.maps.array[0]
    with pytest.raises(StateError, match="cannot change after load"):
        plain.maps.array.autocreate = True


def test_a_write_to_a_copy_is_an_error_whose_advice_works(plain: Any) -> None:
    plain.load()
    key = 3
    with pytest.raises(TypeError, match="its value is a copy") as caught:
        plain.maps.array[key].count = 5
    value = plain.maps.array[key]
    make, write = re.findall(r"write that: (.*), then (.*)$", str(caught.value))[0]
    say(f"{make}; new.count = 5; {write}", plain, copy=copy, key=key, value=value)
    assert plain.maps.array[key].count == 5
    raw = plain.object.maps["hash"]
    raw[bytes(raw.key_size)] = bytes(raw.value_size)
    with pytest.raises(TypeError, match="its key is a copy") as caught:
        next(iter(plain.maps.hash)).pid = 5
    make = quoted(caught.value, r"one of your own: (.*)$")
    found = next(iter(plain.maps.hash))
    say(
        f"{make}; new.pid = 5; maps.hash[new] = value",
        plain,
        copy=copy,
        key=found,
        value=plain.maps.hash[found],
    )
    assert len(plain.maps.hash) == 2


def test_an_inner_map_that_does_not_fit_is_an_error_whose_advice_works(
    nested: Any,
) -> None:
    nested.load()
    outer = nested.maps.outer_array
    with (
        outer.create_inner(max_entries=9) as other,
        pytest.raises(BpfOSError) as caught,
    ):
        outer.update(0, other)
    assert "create_inner() makes one like <template" in caught.value.__notes__[0]
    with outer.create_inner(value=c.U64) as fits:
        outer.update(0, fits)
        assert outer.lookup(0) == fits.info().id


def test_local_storage_without_types_is_refused_until_it_has_them(
    compile_bpf: Callable[[str], Path],
) -> None:
    with skelgen.open_object(compile_bpf("maps_storage")) as obj:
        for name in obj.maps:
            obj.maps[name].autocreate = name == "sk_storage"
        for program in obj.programs.values():
            program.autoload = False
        obj.maps["sk_storage"].value_size = 8
        with pytest.raises(BpfOSError, match="wants BTF types of key and value"):
            obj.load()
        obj.maps["sk_storage"].value_size = 16
        obj.load()
