"""Every system call of a load fails once: the right error, and nothing is left."""

import errno
import itertools
import mmap
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen.model.enums import MapType
from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.kernel import features
from skelgen.runtime.object.life import State
from skelgen.runtime.object.object import Object
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.faults import ERRORS, Failure, Faults, faults
from tests.harness.rich_object import info_of, open_rich, with_pins
from tests.harness.specs import rich_object

# the object does without these
OPTIONAL = {"BTF_LOAD", "PROG_BIND_MAP"}


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


def test_a_load_that_works_makes_each_call_and_leaves_nothing_open(
    kernel: FakeKernel, tmp_path: Path
) -> None:
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


def test_slots_hold_their_maps_and_programs(kernel: FakeKernel, tmp_path: Path) -> None:
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


def test_a_slot_of_a_program_that_is_not_loaded_stays_empty(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with_pins(kernel)
    with open_rich(tmp_path) as obj:
        obj.programs["first"].autoload = False
        obj.load()
        assert len(kernel.named("MAP_UPDATE_ELEM")) == 4


@pytest.mark.parametrize("error", [errno.EIO, *ERRORS])
@pytest.mark.parametrize("number", range(24))
def test_every_call_that_fails_leaves_nothing_behind(
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
def test_every_call_that_fails_on_other_ways_leaves_nothing_behind(
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


def test_an_interrupted_load_leaves_nothing_behind(
    kernel: FakeKernel, tmp_path: Path
) -> None:
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


def test_a_section_that_cannot_be_mapped_back_keeps_its_contents(
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
