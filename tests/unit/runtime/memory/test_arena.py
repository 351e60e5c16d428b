"""Arenas without a kernel that has them: private pages take their place."""

import errno
import mmap
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import skelgen
from skelgen.model.enums import MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError, StateError
from skelgen.runtime.errors import os_error as made_error
from skelgen.runtime.kernel import features
from skelgen.runtime.maps.request import MapRequest
from skelgen.runtime.memory.arena import Arena, map_arena
from tests.harness import sources
from tests.harness.fake_kernel import FakeKernel
from tests.harness.faults import faults
from tests.harness.generating import loaded

ADDRESS = 1 << 44
REQUEST = MapRequest(MapType.ARENA, 0, 0, 2, 0x400, "pages")


class Pages:
    """What stands for mmap(2) of a map."""

    def __init__(self, real: Any) -> None:
        self.real = real
        self.error = 0
        self.wanted: list[tuple[int, int]] = []

    def __call__(
        self, address: int, size: int, protection: int, flags: int, fd: int, what: str
    ) -> int:
        self.wanted.append((address, fd))
        if self.error:
            raise made_error(self.error, "no", command="mmap", what=what)
        flags = flags & ~syscalls.MAP_SHARED | syscalls.MAP_PRIVATE
        flags |= syscalls.MAP_ANONYMOUS
        mapped: int = self.real(address, size, protection, flags, what=what)
        return mapped


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Pages:
    fake = Pages(syscalls.mmap)
    monkeypatch.setattr("skelgen.runtime.memory.arena.syscalls.mmap", fake)
    return fake


@pytest.fixture
def skel(kernel: FakeKernel) -> Any:
    assert kernel
    path = sources.compiled(sources.find("maps_arena"), sys.byteorder)
    with loaded(skelgen.generate(path)).MapsArena.open() as skeleton:
        # what goes over the pages of .data is another mmap than the one in question
        skeleton.object.map(".data").autocreate = False
        skeleton.progs.touch.autoload = False
        yield skeleton


def is_mapped(address: int) -> bool:
    lines = Path("/proc/self/maps").read_text("ascii").splitlines()
    return any(line.startswith(f"{address:x}-") for line in lines)


def test_a_failed_load_unmaps_it(kernel: FakeKernel, pages: Pages, skel: Any) -> None:
    skel.progs.touch.autoload = True
    skel.object.map(".data").autocreate = True
    skel.arena.counter = 9
    view = skel.arena.item
    kernel.then("PROG_LOAD", *[-errno.EPERM] * 20)
    with pytest.raises(BpfOSError):
        skel.load()
    assert pages.wanted[0][0] == ADDRESS
    assert not is_mapped(ADDRESS)
    assert skel.arena.counter == 9
    view.value = 4  # may be written: it is what the next load starts with
    kernel.then("PROG_LOAD")
    skel.progs.touch.autoload = False
    skel.object.map(".data").autocreate = False
    skel.load()
    assert is_mapped(ADDRESS)
    assert (skel.arena.counter, skel.arena.item.value) == (9, 4)
    skel.destroy()
    assert not is_mapped(ADDRESS)
    assert not kernel.open


def test_failures_after_the_move_take_it_back(
    pages: Pages, skel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pages
    skel.arena.counter = 9

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("skelgen.runtime.maps.handle.MapHandle.adopt", fail)
        with pytest.raises(KeyboardInterrupt):
            skel.load()
    assert not is_mapped(ADDRESS)
    skel.arena.counter += 1
    assert skel.arena.counter == 10


def test_a_refused_mapping_can_be_tried_again(
    kernel: FakeKernel, pages: Pages, skel: Any
) -> None:
    pages.error = errno.EBUSY
    with pytest.raises(BpfOSError, match="map 'arena': mmap: no"):
        skel.load()
    assert not kernel.open
    pages.error = 0
    skel.load()


def test_an_arena_that_exists_may_stay_unmapped_without_variables(
    pages: Pages, skel: Any
) -> None:
    """Its address is not known, so it cannot be mapped, which matters to variables."""
    pages.error = errno.EINVAL
    assert map_arena(7, REQUEST, None, reused=True) is None
    with pytest.raises(BpfOSError) as caught:
        map_arena(7, REQUEST, skel.object.section(".addr_space.1").read(), reused=True)
    assert any("__ulong(map_extra" in note for note in caught.value.__notes__)
    pages.error = 0
    arena = map_arena(7, REQUEST, None, reused=True)
    assert arena is not None
    assert pages.wanted[-1] == (0, 7)


def test_globals_that_do_not_fit_are_refused(skel: Any) -> None:
    section = skel.object.section(".addr_space.1")
    with pytest.raises(BpfError, match="bytes of globals do not fit into 0 pages"):
        map_arena(7, REQUEST._replace(max_entries=0), section.read(), reused=False)


@pytest.mark.parametrize(
    ("has", "size", "start"),
    [
        (True, 1, mmap.PAGESIZE),
        (True, mmap.PAGESIZE, mmap.PAGESIZE),
        (True, mmap.PAGESIZE + 1, 0),
        (True, 0, 2 * mmap.PAGESIZE),
        (False, 1, 0),
        (None, 1, 0),  # it could not be told: every kernel takes this
    ],
)
@pytest.mark.usefixtures("pages")
def test_globals_take_the_last_pages_where_the_kernel_has_far_addresses(
    *, has: bool | None, size: int, start: int
) -> None:
    features.LDIMM64_FULL_RANGE.assume(has)
    with Path(os.devnull).open() as file:
        image = b"x" * size
        arena = map_arena(file.fileno(), REQUEST, image, reused=False)
        assert arena is not None
        assert arena.variables == start
        assert bytes(arena.memory(start, size, "")) == image
        arena.unmap()
    features.LDIMM64_FULL_RANGE.forget()


def test_pages_that_nobody_may_touch_are_not_mapped(pages: Pages, skel: Any) -> None:
    request = REQUEST._replace(flags=0x400 | 1 << 17)
    assert map_arena(7, request, None, reused=False) is None
    section = skel.object.section(".addr_space.1")
    with pytest.raises(BpfError, match="BPF_F_SEGV_ON_FAULT leaves no way"):
        map_arena(7, request, section.read(), reused=False)
    assert len(pages.wanted) == 1  # which fixed the address


def test_an_arena_that_is_not_mapped_cannot_be_read(pages: Pages, skel: Any) -> None:
    skel.load()
    skel.maps.arena.handle.arena = None
    with pytest.raises(StateError, match="'arena': not mapped"):
        skel.maps.arena.read(ADDRESS, 1)
    assert pages.wanted


def test_the_lower_32_bits_of_a_pointer_count() -> None:
    """Of a pointer the lower 32 bits count."""
    start = (1 << 44) + 0x1000
    with Path(os.devnull).open() as file:
        arena = Arena(start, 0x3000, "map 'x'", file.fileno())
    assert arena.offset(start, 1) == 0
    assert arena.offset(start + 0x2FFF, 1) == 0x2FFF
    assert arena.offset(0x1004, 4) == 4
    assert arena.offset(start + 0x3000, 0) == 0x3000
    for address, size in ((start + 0x2FFD, 4), (start - 1, 1), (start, 0x3001)):
        with pytest.raises(IndexError, match=r"map 'x': .* are not in 0x100000001000"):
            arena.offset(address, size)
    with pytest.raises(ValueError, match="NULL"):
        arena.offset(0, 0)
    arena.size = 0  # there is nothing to unmap


def test_the_arena_is_among_the_sections(skel: Any) -> None:
    assert set(skel.object.sections) == {".data", ".addr_space.1"}
    section = skel.object.sections[".addr_space.1"]
    assert section.read(4, 6) == b"from C"
    assert section.size % 8 == 0
    assert section.size <= mmap.PAGESIZE


def test_a_page_that_cannot_be_had_is_an_error(pages: Pages, skel: Any) -> None:
    assert pages
    skel.load()
    for at, number, told in ((0, errno.ENOMEM, False), (1, errno.EFAULT, True)):
        with faults(at, number, names=("madvise",)) as fault:
            for _ in range(at):
                skel.maps.arena.write(ADDRESS, b"1")
            with pytest.raises(BpfOSError, match="map 'arena': madvise: ") as caught:
                skel.maps.arena.read(ADDRESS, 1)
        assert fault.failed
        assert caught.value.errno == number
        assert ("used up" in str(getattr(caught.value, "__notes__", ()))) is told
    assert skel.maps.arena.read(ADDRESS + 2 * mmap.PAGESIZE - 1, 1) == b"\0"
    assert skel.maps.arena.read(ADDRESS + 2 * mmap.PAGESIZE, 0) == b""


def test_globals_whose_page_cannot_be_had_fail_the_load(
    kernel: FakeKernel, pages: Pages, skel: Any
) -> None:
    assert pages
    with (
        faults(0, errno.EFAULT, names=("madvise",)),
        pytest.raises(BpfOSError, match=r"map 'arena': madvise: .*EFAULT"),
    ):
        skel.load()
    assert not is_mapped(ADDRESS)
    assert not kernel.open
    skel.load()
