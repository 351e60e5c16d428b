"""Maps of other objects take the place of the object's own."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen.model.enums import MapType
from skelgen.runtime.errors import BpfError, BpfOSError, StateError
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.rich_object import info_of, open_rich, with_pins


def test_a_map_is_reused(kernel: FakeKernel, tmp_path: Path) -> None:
    """By fd: the object has one of its own, and no map is made."""
    with_pins(kernel)
    kernel.always("OBJ_GET_INFO_BY_FD", info_of(MapType.HASH, 4, 8, 16, 0))
    with open_rich(tmp_path) as obj:
        obj.maps["counts"].reuse(77)
        obj.load()
        made = {call.attr.map_name for call in kernel.named("MAP_CREATE")}
        assert "counts" not in made
        assert "inner" in made
        fd = obj.map("counts").fd()
        assert fd != 77
        assert fd in kernel.open
        with pytest.raises(StateError, match=r"reuse\(\) comes before load"):
            obj.maps["counts"].reuse(77)
    assert not kernel.open


def test_a_map_that_differs_is_not_reused_until_settings_match(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    kernel.always("OBJ_GET_INFO_BY_FD", info_of(MapType.LRU_HASH, 4, 16, 99, 1))
    with open_rich(tmp_path) as obj:
        with pytest.raises(BpfError) as caught:
            obj.maps["counts"].reuse(77)
        assert str(caught.value) == (
            "map 'counts': the map to reuse is another: type LRU_HASH there and HASH"
            " here, value_size 16 there and 8 here, max_entries 99 there and 16 here,"
            " flags 0x1 there and 0x0 here; set what differs before reuse(), or change"
            " the declaration"
        )
        assert not kernel.open
        counts = obj.maps["counts"]
        counts.type, counts.value_size = MapType.LRU_HASH, 16
        counts.max_entries, counts.flags = 99, 1
        counts.reuse(77)
        with pytest.raises(
            StateError, match="max_entries is that of the map it reuses"
        ):
            counts.max_entries = 5
        counts.reuse(None)
        counts.max_entries = 5
    assert not kernel.open


def test_a_reused_map_survives_a_failed_load(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with_pins(kernel)
    kernel.always("OBJ_GET_INFO_BY_FD", info_of(MapType.HASH, 4, 8, 16, 0))
    kernel.always("PROG_LOAD", -errno.EIO)
    with open_rich(tmp_path) as obj:
        obj.maps["counts"].reuse(77)
        with pytest.raises(BpfOSError):
            obj.load()
        assert len(kernel.open) == 1  # the object's own
        kernel.always("PROG_LOAD", lambda _: None)
        obj.load()
    assert not kernel.open


def test_a_reused_map_has_its_slots_already(kernel: FakeKernel, tmp_path: Path) -> None:
    with_pins(kernel)
    told = info_of(MapType.HASH_OF_MAPS, 4, 4, 8, 0)
    kernel.then("OBJ_GET_INFO_BY_FD", told, told)
    with open_rich(tmp_path) as obj:
        obj.maps["outer"].reuse(77)
        obj.load()
        # .rodata, .kconfig and the program array, and no slot of outer
        assert len(kernel.named("MAP_UPDATE_ELEM")) == 4


def test_destroying_an_object_never_loaded_closes_its_reused_map(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    kernel.always("OBJ_GET_INFO_BY_FD", info_of(MapType.HASH, 4, 8, 16, 0))
    paths: list[str] = []
    kernel.always("OBJ_GET", lambda call: paths.append(call.text("pathname")))
    with open_rich(tmp_path) as obj:
        obj.maps["counts"].reuse(tmp_path / "a pin")
        assert paths == [str(tmp_path / "a pin")]
        assert len(kernel.open) == 1
    assert not kernel.open


def test_a_data_section_of_another_object_keeps_its_contents(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    """Its contents count, and are not written; also where it is read-only."""
    with_pins(kernel)
    kernel.always("MAP_LOOKUP_ELEM", fill(b"\x09" * 8))
    told = info_of(MapType.ARRAY, 4, 8, 1, 0x80)
    kernel.then("OBJ_GET_INFO_BY_FD", told, told)
    with open_rich(tmp_path) as obj:
        obj.maps[".rodata"].reuse(77)
        obj.load()
        assert obj.sections[".rodata"].read() == b"\x09" * 8
        assert len(kernel.named("MAP_FREEZE")) == 1  # .kconfig
    assert not kernel.open


def fill(data: bytes) -> Callable[[Call], int]:
    def look(call: Call) -> int:
        call.fill("value", data)
        return 0

    return look
