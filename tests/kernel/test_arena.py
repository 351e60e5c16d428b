"""Arenas from generated skeletons: variables, pointers, and a second process."""

import mmap
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from skelgen import runtime as rt
from skelgen.model.enums import MapType
from skelgen.runtime.errors import BpfOSError, ClosedError, StateError
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.version import kernel_version
from tests.harness import leaks, privilege, sources
from tests.harness.generating import loaded
from tests.harness.sources import ROOT

ADDRESS = 1 << 44
SIZE = 4 * mmap.PAGESIZE

pytestmark = pytest.mark.skipif(
    kernel_version() < 6 << 16 | 9 << 8, reason="needs arenas, Linux 6.9"
)


def text() -> str:
    return sources.skeleton("maps_arena")


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return loaded(text())


@pytest.fixture
def skel(module: ModuleType) -> Any:
    with module.MapsArena.open() as skeleton:
        yield skeleton


def test_programs_and_python_see_each_others_variables(skel: Any) -> None:
    arena = skel.arena
    assert (arena.counter, arena.label, arena.head) == (5, b"from C", 0)
    with pytest.raises(StateError, match="made by load"):
        skel.maps.arena.read(ADDRESS, 4)
    arena.counter = 100
    arena.items[2].value = 7
    skel.load()
    assert (arena.counter, arena.label) == (100, b"from C")
    assert skel.progs.touch.test_run().retval == 106
    assert (arena.counter, arena.item.value) == (106, 106)
    assert [item.value for item in arena.items] == [1, 0, 10]
    arena.counter = -50  # and programs see what Python writes
    arena.items[0].value = 1 << 40
    skel.progs.touch.test_run()
    assert (arena.counter, arena.items[0].value) == (-44, (1 << 40) + 1)
    with pytest.raises(OverflowError, match="global 'counter' must be int"):
        arena.counter = 1 << 31


def test_pointers_are_addresses(skel: Any, module: ModuleType) -> None:
    skel.load()
    memory = skel.maps.arena
    assert (memory.address, memory.size) == (ADDRESS, SIZE)
    info = memory.info()
    assert (info.type, info.max_entries, info.map_extra) == (MapType.ARENA, 4, ADDRESS)
    skel.progs.touch.test_run()
    values = []
    pointer = skel.arena.head
    while pointer:
        item = memory.at(pointer, rt.struct(module.Item))
        values.append(item.value)
        pointer = item.next
    assert values == [1, 3, 11]
    first = memory.at(skel.arena.head, rt.struct(module.Item))
    first.value = 8
    assert skel.arena.items[0].value == 8
    assert memory.read(skel.arena.head + 8, 8) == (8).to_bytes(8, sys.byteorder)
    memory.write(ADDRESS + SIZE - 4, b"last")  # a page that nobody has allocated
    assert memory.read(ADDRESS + SIZE - 4, 4) == b"last"
    assert memory.at(ADDRESS + SIZE - 4, rt.CString(4)) == b"last"
    for address, error in (
        (0, ValueError), (ADDRESS - 1, IndexError), (ADDRESS + SIZE - 3, IndexError)
    ):  # fmt: skip
        with pytest.raises(error, match="map 'arena': "):
            memory.read(address, 4)
    with pytest.raises(IndexError):
        memory.read(ADDRESS, -1)


def test_views_outlive_the_object(skel: Any) -> None:
    before = skel.arena.item
    before.value = 3
    skel.load()
    view = skel.arena.item
    assert view.value == 3
    with pytest.raises(StateError, match=r"'\.addr_space\.1' as it was before load"):
        before.value = 4
    skel.progs.touch.test_run()
    assert (view.value, before.value) == (11, 3)
    skel.destroy()
    view.value = 12
    assert view.value == 12
    with pytest.raises(ClosedError):
        _ = skel.arena.counter
    with pytest.raises(ClosedError):
        _ = skel.maps.arena.address
    assert leaks.bpf_mappings()
    del view
    assert not leaks.bpf_mappings()


def test_an_arena_without_an_address_is_put_where_the_kernel_likes(skel: Any) -> None:
    skel.maps.arena.map_extra = 0
    skel.maps.arena.max_entries = 100
    skel.load()
    memory = skel.maps.arena
    assert memory.address not in {0, ADDRESS}
    assert memory.size == 100 * mmap.PAGESIZE
    assert skel.progs.touch.test_run().retval == 11
    assert memory.address <= skel.arena.head < memory.address + memory.size


@pytest.fixture(params=[True, False], ids=["at its end", "at its start"])
def at_end(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Return where variables lie; of a small arena every kernel takes both."""
    features.LDIMM64_FULL_RANGE.assume(request.param)
    yield request.param
    features.LDIMM64_FULL_RANGE.forget()


def test_variables_lie_in_the_last_pages_or_the_first(
    at_end: bool,  # noqa: FBT001 (a fixture)
    skel: Any,
) -> None:
    skel.arena.counter = 100
    skel.load()
    assert skel.progs.touch.test_run().retval == 106
    memory, section = skel.maps.arena, skel.object.section(".addr_space.1")
    start = ADDRESS + (SIZE - mmap.PAGESIZE if at_end else 0)
    assert memory.read(start, section.size) == section.read()
    assert start <= skel.arena.head < start + section.size
    assert memory.at(skel.arena.items[2].next, rt.U64) == 0  # item.next
    other = ADDRESS if at_end else ADDRESS + SIZE - mmap.PAGESIZE
    assert not any(memory.read(other, mmap.PAGESIZE))


@pytest.mark.parametrize("gigabytes", [1, 4])
def test_a_large_arena_has_variables_where_the_kernel_takes_them(
    skel: Any, gigabytes: int
) -> None:
    """Beyond 512 MiB of its start a program may name none before Linux 7.0."""
    has = features.LDIMM64_FULL_RANGE.supported()
    assert has is privilege.kernel_at_least(7, 0)
    skel.maps.arena.max_entries = (gigabytes << 30) // mmap.PAGESIZE
    skel.maps.arena.map_extra = 1 << 45
    skel.load()
    assert skel.progs.touch.test_run().retval == 11
    assert (skel.arena.head >= (1 << 45) + (1 << 29)) is has


def test_an_address_that_is_taken_fails_the_load_and_another_loads(
    skel: Any, module: ModuleType
) -> None:
    skel.load()
    with module.MapsArena.open() as other:
        with pytest.raises(BpfOSError, match=r"map 'arena': mmap: .*EEXIST"):
            other.load()
        other.arena.counter = 1  # as before load
        other.maps.arena.map_extra = ADDRESS + (1 << 32)
        other.load()
        assert other.progs.touch.test_run().retval == 7
        assert skel.arena.counter == 5


def run_script(
    script: str, folder: Path, *arguments: str, fds: tuple[int, ...] = ()
) -> list[str]:
    """Run a script beside the skeleton, and return the lines that it prints."""
    (folder / "maps_arena_skel.py").write_text(text(), "utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        pass_fds=fds,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_script_of_the_page_prints_what_it_promises(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "arena.md").read_text("utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert run_script(script, tmp_path) == ["1", "3", "16"]


SECOND = """
import sys
from maps_arena_skel import MapsArena

with MapsArena.open() as skel:
    skel.maps.arena.reuse(int(sys.argv[1]))
    skel.arena.counter = 1  # the arena has a value already
    skel.load()
    print(skel.arena.counter, skel.arena.label.decode(), hex(skel.arena.head))
    skel.arena.label = b"from a process"
    print(skel.progs.touch.test_run().retval)
"""


def test_two_processes_share_one_arena(skel: Any, tmp_path: Path) -> None:
    skel.arena.counter = 30
    skel.load()
    skel.progs.touch.test_run()
    fd = skel.maps.arena.fd()
    lines = run_script(SECOND, tmp_path, str(fd), fds=(fd,))
    assert lines == [f"36 from C {skel.arena.head:#x}", "42"]
    assert (skel.arena.counter, skel.arena.label) == (42, b"from a process")
