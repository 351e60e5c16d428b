"""Every system call of a load fails once: the right error, and nothing is left."""

import errno
import itertools
import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen.model.enums import MapType
from skelgen.runtime.errors import BpfError, BpfOSError, StateError
from skelgen.runtime.kernel import features
from skelgen.runtime.object.life import State
from skelgen.runtime.object.object import Object
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.faults import ERRORS, Failure, Faults, faults
from tests.harness.specs import rich_object

# the object does without these
OPTIONAL = {"BTF_LOAD", "PROG_BIND_MAP"}
NOT_FOR_LOADING = {"close", "fcntl"}


def open_rich(folder: Path) -> Object:
    return Object(rich_object(), pin_root=folder, kconfig="CONFIG_X=-7")


def with_pins(kernel: FakeKernel) -> None:
    """Let pins be files that can be seen."""

    def pin(call: Call) -> None:
        os.mknod(call.text("pathname"))

    kernel.always("OBJ_GET", -errno.ENOENT)
    kernel.always("OBJ_PIN", pin)


def calls_of_a_load(folder: Path) -> list[str]:
    """Return the names of the calls of a load that works."""
    from skelgen.runtime.syscalls import call

    kernel = FakeKernel()
    with_pins(kernel)
    real, call.raw = call.raw, kernel  # type: ignore[assignment]  # a test's
    try:
        with open_rich(folder) as obj:
            obj.load()
    finally:
        call.raw = real
    return kernel.names()


def test_a_load_that_works(kernel: FakeKernel, tmp_path: Path) -> None:
    with_pins(kernel)
    with open_rich(tmp_path) as obj:
        obj.load()
        assert kernel.names() == [
            "BTF_LOAD",
            "MAP_CREATE",  # counts
            "OBJ_GET",
            "MAP_CREATE",  # kept
            "OBJ_PIN",
            "MAP_CREATE",  # inner
            "MAP_CREATE",  # inner map of outer
            "MAP_CREATE",  # outer
            "MAP_CREATE",  # calls
            "MAP_CREATE",  # events
            "MAP_CREATE",  # .rodata
            "MAP_UPDATE_ELEM",
            "MAP_FREEZE",
            "MAP_CREATE",  # .bss
            "MAP_CREATE",  # .kconfig
            "MAP_UPDATE_ELEM",
            "MAP_FREEZE",
            "MAP_UPDATE_ELEM",  # outer[3]
            "PROG_LOAD",
            "PROG_BIND_MAP",
            "PROG_LOAD",
            "PROG_BIND_MAP",
            "MAP_UPDATE_ELEM",  # calls[0]
            "MAP_UPDATE_ELEM",  # calls[2]
        ]
        created = kernel.named("MAP_CREATE")
        outer = next(c for c in created if c.attr.map_type == MapType.HASH_OF_MAPS)
        assert outer.attr.inner_map_fd
        events = next(c for c in created if c.attr.map_type == MapType.RINGBUF)
        assert events.attr.max_entries == 2 * mmap.PAGESIZE
        assert obj.maps["events"].max_entries == 2 * mmap.PAGESIZE
        assert obj.sections[".kconfig"].read() == (-7 & 0xFFFFFFFF).to_bytes(
            4, "little"
        )
        assert obj.map("kept").pinned == (str(tmp_path / "kept"),)
        assert (tmp_path / "kept").exists()
        inner_fd = outer.attr.inner_map_fd
        assert inner_fd not in kernel.open
    assert not kernel.open


def test_slots(kernel: FakeKernel, tmp_path: Path) -> None:
    with_pins(kernel)
    seen: dict[tuple[int, int], int] = {}

    def update(call: Call) -> None:
        if call.attr.map_fd in slots:
            key = int.from_bytes(call.memory("key", 4), "little")
            seen[call.attr.map_fd, key] = int.from_bytes(
                call.memory("value", 4), "little"
            )

    slots: set[int] = set()

    def create(call: Call) -> None:
        if call.attr.map_type in {MapType.HASH_OF_MAPS, MapType.PROG_ARRAY}:
            slots.add(kernel._next + 1)

    kernel.always("MAP_CREATE", create)
    kernel.always("MAP_UPDATE_ELEM", update)
    with open_rich(tmp_path) as obj:
        obj.load()
        assert seen == {
            (obj.map("outer").fd(), 3): obj.map("inner").fd(),
            (obj.map("calls").fd(), 0): obj.programs["second"].fd(),
            (obj.map("calls").fd(), 2): obj.programs["first"].fd(),
        }


def test_a_slot_of_a_program_that_is_not_loaded(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with_pins(kernel)
    with open_rich(tmp_path) as obj:
        obj.programs["first"].autoload = False
        obj.load()
        assert len(kernel.named("MAP_UPDATE_ELEM")) == 4


@pytest.mark.parametrize("error", [errno.EIO, *ERRORS])
@pytest.mark.parametrize("number", range(24))
def test_every_call_fails_once(
    kernel: FakeKernel, tmp_path: Path, number: int, error: int
) -> None:
    probe = tmp_path / "probe"
    probe.mkdir()
    names = calls_of_a_load(probe)
    assert len(names) == 24
    name = names[number]
    with_pins(kernel)
    usual = kernel._always.get(name)
    before = names[:number].count(name)
    features.GLOBAL_DATA.assume(True)  # so that it is not this that is missing
    # this call and its like from now on, so that no second try helps
    kernel.then(name, *[usual] * before)
    kernel.always(name, -error)
    folder = tmp_path / "pins"
    folder.mkdir()
    obj = open_rich(folder)
    if name in OPTIONAL and not (name == "BTF_LOAD" and error == errno.EPERM):
        obj.load()
        obj.destroy()
        assert not kernel.open
        return
    with pytest.raises(BpfOSError) as caught:
        obj.load()
    assert caught.value.errno == error
    assert caught.value.command == f"BPF_{name}"
    assert caught.value.what
    assert obj.state is State.OPENED
    assert not kernel.open
    assert os.listdir(folder) == []  # noqa: PTH208 - no pin
    if error == errno.EPERM:
        assert caught.value.__notes__
        assert isinstance(caught.value, PermissionError)
    obj.destroy()


def with_token(folder: Path, _kernel: FakeKernel) -> Object:
    return Object(
        rich_object(),
        pin_root=folder,
        kconfig="CONFIG_X=-7",
        token="/",  # noqa: S106 - a path
    )


def with_a_pinned_map(folder: Path, kernel: FakeKernel) -> Object:
    kernel.then("OBJ_GET", None)
    kernel.then("OBJ_GET_INFO_BY_FD", info_of(MapType.ARRAY, 4, 4, 1, 0))
    return open_rich(folder)


def with_a_map_to_reuse(folder: Path, kernel: FakeKernel) -> Object:
    told = info_of(MapType.ARRAY, 4, 4, 1, 0)
    kernel.then("OBJ_GET_INFO_BY_FD", told, told)  # of reuse(), and of load()
    obj = open_rich(folder)
    obj.map("kept").reuse(7)
    return obj


def with_strict_off(folder: Path, kernel: FakeKernel) -> Object:
    obj = open_rich(folder)
    kernel.then("PROG_LOAD", -errno.EIO, -errno.EIO)
    return obj


def check_error(error: BaseException, failure: Failure, fault: Faults) -> None:
    if not isinstance(failure, int):
        assert type(error) is failure
        return
    assert isinstance(error, BpfOSError)
    assert error.errno == failure
    assert error.command == fault.command
    assert error.what


WAYS = (with_token, with_a_pinned_map, with_a_map_to_reuse, with_strict_off)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "failure", [*ERRORS, errno.EMFILE, KeyboardInterrupt, MemoryError]
)
def test_every_call_fails_on_other_ways(
    kernel: FakeKernel,
    tmp_path: Path,
    way: Callable[[Path, FakeKernel], Object],
    failure: Failure,
) -> None:
    """Once each: then it works, or nothing is left, and works the next time."""
    with_pins(kernel)
    for feature in (features.GLOBAL_DATA, features.ARRAY_MMAP, features.PROG_NAME):
        feature.assume(True)
    strict = way is not with_strict_off
    failed = set()
    for number in itertools.count():
        folder = tmp_path / str(number)
        folder.mkdir()
        for answers in kernel._answers.values():
            answers.clear()
        with way(folder, kernel) as obj:
            before = set(kernel.open)
            try:
                with faults(number, failure) as fault:
                    obj.load(strict=strict)
            except (BpfError, KeyboardInterrupt, MemoryError) as error:
                assert fault.failed is not None
                check_error(error, failure, fault)
                assert kernel.open == before
                assert os.listdir(folder) == []  # noqa: PTH208 - no pin
                failed.add(fault.failed)
                kernel._answers.clear()
                kernel.then("OBJ_GET_INFO_BY_FD", info_of(MapType.ARRAY, 4, 4, 1, 0))
                obj.load()
        assert not kernel.open
        if fault.failed is None:
            break
    assert {"MAP_CREATE", "PROG_LOAD"} & failed or not strict
    if way is with_token:
        assert {"TOKEN_CREATE", "open"} <= failed
    if way is with_a_pinned_map:
        assert {"OBJ_GET", "OBJ_GET_INFO_BY_FD"} <= failed
    if way is with_a_map_to_reuse:
        assert "fcntl" in failed


def test_interrupted(kernel: FakeKernel, tmp_path: Path) -> None:
    """Ctrl-C while a program is verified leaves nothing behind, either."""

    def interrupt(_: Call) -> None:
        raise KeyboardInterrupt

    with_pins(kernel)
    kernel.always("PROG_LOAD", interrupt)
    obj = open_rich(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        obj.load()
    assert not kernel.open
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - no pin
    obj.destroy()


def test_a_section_that_cannot_be_mapped_back(
    kernel: FakeKernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step fails: sections are private again, with their contents."""
    from skelgen.runtime.memory.section import Section

    with_pins(kernel)
    adopt = Section.adopt

    def fail(self: Section, fd: int, *, mmapable: bool | None = None) -> None:
        adopt(self, fd, mmapable=mmapable)
        if self.name == ".kconfig":
            raise BpfError("no more")

    monkeypatch.setattr(Section, "adopt", fail)
    obj = open_rich(tmp_path)
    obj.sections[".bss"].write(b"\x05")
    with pytest.raises(BpfError, match="no more"):
        obj.load()
    assert not kernel.open
    assert obj.sections[".bss"].read() == b"\x05\0\0\0"
    obj.sections[".rodata"].write(b"\x09")  # not frozen any more
    monkeypatch.setattr(Section, "adopt", adopt)
    (tmp_path / "kept").unlink(missing_ok=True)
    obj.load()
    obj.destroy()


# -- retries -------------------------------------------------------------------


def test_a_map_without_btf(kernel: FakeKernel, tmp_path: Path) -> None:
    with_pins(kernel)
    kernel.then("MAP_CREATE", -errno.EINVAL)
    with open_rich(tmp_path) as obj:
        obj.load()
        first, second, *_ = kernel.named("MAP_CREATE")
        assert first.values("btf_key_type_id", "btf_value_type_id") == [1, 1]
        assert first.attr.btf_fd
        assert second.values("btf_fd", "btf_key_type_id", "btf_value_type_id") == [
            0,
            0,
            0,
        ]


def answer(probe: Callable[[Call], bool], error: int) -> Callable[[Call], int | None]:
    return lambda call: -error if probe(call) else None


def test_names_on_a_kernel_without(kernel: FakeKernel, tmp_path: Path) -> None:
    """Linux before 4.15 refuses calls that are longer than it knows."""
    with_pins(kernel)
    kernel.always("PROG_LOAD", answer(lambda c: bool(c.attr.prog_name), errno.E2BIG))
    kernel.always("MAP_CREATE", answer(lambda c: bool(c.attr.map_name), errno.E2BIG))
    with open_rich(tmp_path) as obj:
        obj.load()
        assert not kernel.named("PROG_LOAD")[-1].attr.prog_name


def test_no_global_data(kernel: FakeKernel, tmp_path: Path) -> None:
    """Linux before 5.2: programs without global variables can be loaded."""
    features.GLOBAL_DATA.assume(False)
    features.ARRAY_MMAP.assume(False)
    with_pins(kernel)
    kernel.always(
        "MAP_CREATE", answer(lambda c: bool(c.attr.map_flags & 0x480), errno.EINVAL)
    )
    with open_rich(tmp_path) as obj:
        obj.programs["first"].autoload = False
        obj.load()
        assert obj.programs["second"].loaded


def test_no_mapping_of_arrays(kernel: FakeKernel, tmp_path: Path) -> None:
    """Linux before 5.5: globals are read and written with calls."""
    features.GLOBAL_DATA.assume(True)
    features.ARRAY_MMAP.assume(False)
    with_pins(kernel)
    kernel.always(
        "MAP_CREATE", answer(lambda c: bool(c.attr.map_flags & 0x400), errno.EINVAL)
    )
    with open_rich(tmp_path) as obj:
        obj.load()
        assert not obj.map(".bss").flags
        obj.sections[".bss"].read()
        assert kernel.names()[-1] == "MAP_LOOKUP_ELEM"


# -- pins ----------------------------------------------------------------------


def info_of(
    kind: int, key: int, value: int, entries: int, flags: int
) -> Callable[[Call], int]:
    """Return what tells about a map of this definition."""

    def tell(call: Call) -> int:
        info = [kind, 99, key, value, entries, flags]
        data = b"".join(number.to_bytes(4, "little") for number in info)
        call.fill("info", data)
        return 0

    return tell


def test_a_pinned_map_is_used_again(kernel: FakeKernel, tmp_path: Path) -> None:
    kernel.then("OBJ_GET_INFO_BY_FD", info_of(MapType.ARRAY, 4, 4, 1, 0))
    with open_rich(tmp_path) as obj:
        obj.load()
        assert not kernel.named("OBJ_PIN")
        assert obj.map("kept").pinned == (str(tmp_path / "kept"),)


def test_a_pinned_map_of_another_definition(kernel: FakeKernel, tmp_path: Path) -> None:
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


def test_another_process_pins_first(kernel: FakeKernel, tmp_path: Path) -> None:
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


def test_a_pin_path_two_levels_away(kernel: FakeKernel, tmp_path: Path) -> None:
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


def test_a_directory_that_cannot_be_made(
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


# -- reuse ---------------------------------------------------------------------


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


def test_what_a_reused_map_has_otherwise(kernel: FakeKernel, tmp_path: Path) -> None:
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


def test_destroying_an_object_that_was_never_loaded(
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


def test_a_data_section_of_another_object(kernel: FakeKernel, tmp_path: Path) -> None:
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


def test_a_data_section_is_pinned_as_any_map(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with_pins(kernel)
    with open_rich(tmp_path) as obj:
        obj.maps[".bss"].pin_path = tmp_path / "globals"
        obj.load()
        assert (tmp_path / "globals").exists()
        assert obj.map(".bss").pinned == (str(tmp_path / "globals"),)


def test_a_pin_path_that_is_on_no_bpffs(kernel: FakeKernel, tmp_path: Path) -> None:
    kernel.always("OBJ_GET", -errno.ENOENT)
    kernel.always("OBJ_PIN", -errno.EPERM)
    obj = open_rich(tmp_path)
    with pytest.raises(PermissionError) as caught:
        obj.load()
    assert any("bpffs" in note for note in caught.value.__notes__)
    obj.destroy()
