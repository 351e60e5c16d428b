"""Maps are pinned, and found where another process pinned them."""

import errno
import os
from pathlib import Path

import pytest

from skelgen.model.enums import MapType
from skelgen.runtime.errors import BpfError, BpfOSError
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.rich_object import info_of, open_rich, with_pins


def test_a_pinned_map_is_used_again(kernel: FakeKernel, tmp_path: Path) -> None:
    kernel.then("OBJ_GET_INFO_BY_FD", info_of(MapType.ARRAY, 4, 4, 1, 0))
    with open_rich(tmp_path) as obj:
        obj.load()
        assert not kernel.named("OBJ_PIN")
        assert obj.map("kept").pinned == (str(tmp_path / "kept"),)


def test_a_pinned_map_of_another_definition_is_refused(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    kernel.then("OBJ_GET_INFO_BY_FD", info_of(MapType.HASH, 4, 8, 1, 1))
    obj = open_rich(tmp_path)
    with pytest.raises(BpfError) as caught:
        obj.load()
    assert str(caught.value) == (
        f"map 'kept': the map pinned at '{tmp_path}/kept' is another: type HASH there"
        " and ARRAY here, value_size 8 there and 4 here, flags 0x1 there and 0x0 here;"
        " remove the pin, or change the definition"
    )
    assert not kernel.open
    obj.destroy()


def test_a_map_that_another_process_pins_first_is_used(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    kernel.then("OBJ_GET", -errno.ENOENT)
    kernel.then("OBJ_PIN", -errno.EEXIST)
    kernel.then("OBJ_GET_INFO_BY_FD", info_of(MapType.ARRAY, 4, 4, 1, 0))
    with open_rich(tmp_path) as obj:
        obj.load()
        assert len(kernel.named("OBJ_GET")) == 2
        assert obj.map("kept").pinned == (str(tmp_path / "kept"),)
    assert not kernel.open


def test_the_directory_of_a_pin_is_made(kernel: FakeKernel, tmp_path: Path) -> None:
    """One level, as libbpf does; it goes with the pin when a later step fails."""
    with_pins(kernel)
    root = tmp_path / "mine"
    kernel.always("PROG_LOAD", -errno.EIO)
    with open_rich(root) as obj:
        with pytest.raises(BpfOSError):
            obj.load()
        assert not root.exists()
        kernel.always("PROG_LOAD", lambda _: None)
        obj.load()
        assert (root / "kept").exists()
        assert root.stat().st_mode & 0o777 == 0o700


def test_a_directory_of_a_pin_that_others_use_too_stays(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with_pins(kernel)
    root = tmp_path / "mine"

    def refuse(_: Call) -> int:
        (root / "theirs").touch()
        return -errno.EIO

    kernel.always("PROG_LOAD", refuse)
    with open_rich(root) as obj, pytest.raises(BpfOSError):
        obj.load()
    assert [path.name for path in root.iterdir()] == ["theirs"]


def test_a_pin_path_two_levels_away_is_refused_with_what_helps(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    kernel.always("OBJ_GET", -errno.ENOENT)
    root = tmp_path / "nowhere" / "deep"
    obj = open_rich(root)
    with pytest.raises(FileNotFoundError) as caught:
        obj.load()
    assert str(caught.value) == (
        f"map 'kept': BPF_OBJ_PIN: cannot be pinned at '{root}/kept': directory"
        f" '{tmp_path}/nowhere' does not exist; make it with 'mkdir -p {root}', or"
        " choose another place (maps pinned by name: open(pin_root=...))"
    )
    assert not kernel.open
    assert not kernel.named("OBJ_PIN")
    obj.destroy()


def test_a_directory_that_cannot_be_made_is_an_error(
    kernel: FakeKernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: str, mode: int) -> None:
        del mode
        raise PermissionError(errno.EACCES, "no")

    kernel.always("OBJ_GET", -errno.ENOENT)
    monkeypatch.setattr(os, "mkdir", refuse)
    obj = open_rich(tmp_path / "nowhere")
    with pytest.raises(PermissionError, match="its directory cannot be made"):
        obj.load()
    obj.destroy()


def test_a_pin_that_fails_takes_its_directory_back(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    kernel.always("OBJ_GET", -errno.ENOENT)
    kernel.always("OBJ_PIN", -errno.EPERM)
    obj = open_rich(tmp_path / "mine")
    with pytest.raises(PermissionError):
        obj.load()
    assert not (tmp_path / "mine").exists()
    obj.destroy()


def test_a_data_section_is_pinned_as_any_map(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with_pins(kernel)
    with open_rich(tmp_path) as obj:
        obj.maps[".bss"].pin_path = tmp_path / "globals"
        obj.load()
        assert (tmp_path / "globals").exists()
        assert obj.map(".bss").pinned == (str(tmp_path / "globals"),)


def test_a_pin_path_that_is_on_no_bpffs_is_noted(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    kernel.always("OBJ_GET", -errno.ENOENT)
    kernel.always("OBJ_PIN", -errno.EPERM)
    obj = open_rich(tmp_path)
    with pytest.raises(PermissionError) as caught:
        obj.load()
    assert any("bpffs" in note for note in caught.value.__notes__)
    obj.destroy()
