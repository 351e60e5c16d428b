"""File descriptors that users give, or take away behind an object's back."""

import copy
import os
import pickle
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from skelgen.model.enums import MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, StateError
from skelgen.runtime.links.base import Link
from tests.harness import sources
from tests.harness.generating import loaded

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.any_kernel
SEEN: dict[str, Any] = {"key_size": 4, "value_size": 8, "max_entries": 64}


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return loaded(sources.skeleton("forked"))


def new_map(**more: int) -> int:
    return syscalls.map_create(type=MapType.HASH, **{**SEEN, **more})


@pytest.mark.parametrize("more", [1 << 32, 1 << 63, -(1 << 32)])
def test_a_number_is_not_cut_to_an_fd(module: ModuleType, more: int) -> None:
    fd = new_map()
    calls: dict[str, Callable[[], object]] = {
        "dup": lambda: syscalls.dup(fd + more),
        "close": lambda: syscalls.close(fd + more),
        "ioctl": lambda: syscalls.ioctl(fd + more, 0),
        "mmap": lambda: syscalls.mmap(0, 4096, 1, 1, fd + more),
        "group_fd": lambda: syscalls.perf_event_open(
            type=1, config=0, group_fd=fd + more
        ),
    }
    try:
        with module.Forked.open() as skel:
            calls["reuse"] = lambda: skel.maps.seen.reuse(fd + more)
            for call in calls.values():
                with pytest.raises((ValueError, OverflowError), match=str(fd + more)):
                    call()
            skel.maps.seen.reuse(fd)
            skel.load()
    finally:
        syscalls.close(fd)


def test_a_map_to_reuse_that_is_another_by_the_time_of_load_is_refused(
    module: ModuleType,
) -> None:
    """Someone closed the object's own fd, and made another map of larger values."""
    fd, other = new_map(), new_map(value_size=4096)
    skel: Any = module.Forked.open()
    skel.maps.seen.reuse(fd)
    own = skel.maps.seen.handle.reused_fd()
    os.dup2(other, own)
    with pytest.raises(
        StateError, match=r"map 'seen': fd .* of the map with id .*; close no fd"
    ):
        skel.load()
    with pytest.raises(BpfError, match="value_size 4096 there and 8 here"):
        skel.maps.seen.reuse(other)
    skel.maps.seen.reuse(fd)
    skel.load()
    assert skel.maps.seen.info().value_size == 8
    skel.destroy()
    syscalls.close(fd)
    syscalls.close(other)


def test_what_is_in_the_kernel_is_not_copied(module: ModuleType) -> None:
    """A copy would close fds that are others' by then, also in another process."""
    with module.Forked.open_and_load() as skel:
        with syscalls.Fd(syscalls.dup(skel.maps.seen.fd())) as fd:
            every: tuple[object, ...] = (
                *(skel, skel.maps, skel.maps.seen, skel.maps.rb, skel.maps.seen.handle),
                *(skel.progs.send_number, skel.bss, skel.links, skel.object),
                *(skel.object.section(".bss"), fd, Link(fd.detach())),
            )
            for thing in every:
                for copied in (copy.copy, copy.deepcopy, pickle.dumps):
                    with pytest.raises(TypeError, match="cannot be copied or pickled"):
                        copied(thing)
        skel.maps.seen[1] = 1
