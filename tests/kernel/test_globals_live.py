"""Globals and skeletons of loaded objects: what we write, programs see, and back."""

import gc
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from skelgen.model.enums import MapType
from skelgen.model.spec import DataKind, DataSpec
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, ClosedError, StateError
from skelgen.runtime.memory.section import Section
from skelgen.runtime.memory.variables import DataSection, Global
from skelgen.runtime.values import codec as c
from tests.harness.maps import made

pytestmark = pytest.mark.any_kernel
MMAPABLE = 1 << 10
PACKET = bytes(64)

MakeSkeleton = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def skeleton(make_skeleton: MakeSkeleton) -> Any:
    return make_skeleton("globals_live").GlobalsLive


def run(skel: Any) -> None:
    skel.progs.count.test_run(PACKET)


def test_programs_see_what_is_written_and_the_other_way_round(skeleton: Any) -> None:
    with skeleton.open() as skel:
        assert (skel.data.counter, skel.data.negative) == (100, -5)
        assert skel.data.last_word == b"nothing"
        assert skel.data_custom.custom == 7
        assert skel.bss.totals.packets == 0
        skel.rodata.increment = 5
        skel.data.counter = 1000
        skel.bss.totals.by_size[0] = 40
        skel.load()
        run(skel)
        assert skel.data.counter == 1005
        assert skel.data.negative == -6
        assert skel.data.last_word == b"Nothing"
        assert skel.data_custom.custom == 14
        assert skel.bss.totals.packets == 1
        assert skel.bss.totals.by_size == [41, 0, 0, 0]
        skel.data.counter = 2**64 - 1
        skel.data.negative = 300
        skel.data.last_word = b"other"
        skel.bss.totals.packets = 10
        run(skel)
        assert skel.data.counter == 4
        assert skel.data.negative == 299
        assert skel.data.last_word == b"Nther"
        assert skel.bss.totals.packets == 11


def test_views_from_before_load_look_at_the_kernels_memory(skeleton: Any) -> None:
    skel = skeleton.open()
    totals, sizes = skel.bss.totals, skel.bss.totals.by_size
    skel.load()
    assert skel.bss.totals.by_size is not None
    run(skel)
    run(skel)
    assert totals.packets == 2
    assert sizes[0] == 2
    totals.packets = 70
    sizes[0] = 0
    run(skel)
    assert (totals.packets, sizes[0]) == (71, 1)
    skel.destroy()
    totals.packets += 1
    assert (totals.packets, sizes[0]) == (72, 1)
    del totals, sizes, skel
    gc.collect()


def test_rodata_is_refused_after_load_and_said_why(skeleton: Any) -> None:
    with skeleton.open() as skel:
        skel.rodata.increment = 2
        skel.load()
        with pytest.raises(StateError) as caught:
            skel.rodata.increment = 3
        assert str(caught.value) == (
            "global 'increment': '.rodata' is read-only after load() or prepare(); "
            "assign before"
        )
        assert skel.rodata.increment == 2
        run(skel)
        assert skel.data.counter == 102


def test_every_use_after_destroy_is_refused(skeleton: Any) -> None:
    skel = skeleton.open_and_load()
    skel.destroy()
    skel.destroy()
    for use in (
        lambda: skel.data.counter,
        lambda: setattr(skel.data, "counter", 1),
        lambda: skel.bss.totals,
        lambda: skel.rodata.increment,
        lambda: run(skel),
        skel.load,
        skel.attach,
        skel.detach,
    ):
        with pytest.raises(ClosedError, match="destroy"):
            use()
    assert repr(skel) == "<GlobalsLive: destroyed>"


def test_calls_out_of_order_are_refused(skeleton: Any) -> None:
    with skeleton.open() as skel:
        for early in (skel.attach, skel.detach):
            with pytest.raises(StateError, match=r"comes after load\(\)"):
                early()
        skel.load()
        with pytest.raises(StateError, match="loaded already"):
            skel.load()
        skel.attach()
        skel.detach()


def test_a_failed_load_gives_private_memory_back(
    skeleton: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    skel = skeleton.open()
    totals = skel.bss.totals
    totals.packets = 5

    def refuse(*_args: object, **_options: object) -> int:
        raise BpfOSError(13, command="BPF_PROG_LOAD")

    with monkeypatch.context() as patch:
        patch.setattr(syscalls, "prog_load", refuse)
        with pytest.raises(BpfOSError):
            skel.load()
    skel.rodata.increment = 9
    totals.packets += 1
    skel.load()
    run(skel)
    assert totals.packets == 7
    assert skel.data.counter == 109
    skel.destroy()


def test_a_user_of_open_and_load_gets_nothing_half_done(
    skeleton: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    destroyed: list[object] = []
    original = skeleton.destroy

    def destroy(self: object) -> None:
        destroyed.append(self)
        original(self)

    def refuse(_self: object) -> None:
        raise BpfOSError(22)

    monkeypatch.setattr(skeleton, "destroy", destroy)
    monkeypatch.setattr(skeleton, "load", refuse)
    with pytest.raises(BpfOSError):
        skeleton.open_and_load()
    assert len(destroyed) == 1


# -- links ---------------------------------------------------------------------


def test_attach_again_leaves_its_links_and_the_users_own_in_place(
    make_skeleton: MakeSkeleton,
) -> None:
    minimal: Any = make_skeleton("ringbuf").Ringbuf
    with minimal.open_and_load() as skel:
        links: Any = skel.links
        assert skel.links.on_getppid is None
        skel.attach()
        first: Any = links.on_getppid
        assert not first.destroyed
        skel.attach()
        assert links.on_getppid is first
        skel.detach()
        assert first.destroyed
        assert skel.links.on_getppid is None
        own: Any = skel.progs.on_getppid.attach()
        links.on_getppid = own
        skel.attach()
        assert links.on_getppid is own
        assert skel.object.links == {}
        with pytest.raises(AttributeError):
            links.on_getpid = own
    assert own.destroyed
    assert skel.links.on_getppid is None


def test_typed_records_arrive(make_skeleton: MakeSkeleton) -> None:
    import os

    minimal: Any = make_skeleton("ringbuf").Ringbuf
    with minimal.open() as skel:
        skel.rodata.only_pid = os.getpid()
        skel.load()
        skel.attach()
        for _ in range(5):
            os.getppid()
        records = list(skel.maps.rb.consume())
        assert [record.number for record in records] == [0, 1, 2, 3, 4]
        assert {record.pid for record in records} == {os.getpid()}
        assert records[0].comm == Path("/proc/self/comm").read_bytes().strip()
        assert (records[0].pair.a, records[0].pair.b) == (1, 2)


# -- sections alone ------------------------------------------------------------


class Words(DataSection):
    __slots__ = ()

    word = Global(c.U64, offset=0)


def test_a_store_is_never_seen_half_done() -> None:
    spec = DataSpec(".bss", DataKind.BSS, size=8, mmapable=True)
    with made(MapType.ARRAY, 4, 8, 1, MMAPABLE) as handle:
        section = Section(spec)
        words = Words(section)
        section.adopt(handle.fd())
        seen: set[int] = set()
        stop = threading.Event()
        ones = 2**64 - 1
        words.word = ones

        def read() -> None:
            value = bytearray(8)
            while not stop.is_set():
                syscalls.map_lookup(handle.fd(), bytes(4), value)
                seen.add(struct.unpack("=Q", value)[0])

        reader = threading.Thread(target=read)
        reader.start()
        for _ in range(50_000):
            words.word = 2**64 - 2
            words.word = ones
        stop.set()
        reader.join()
        assert seen <= {ones, ones - 1}
        section.close()


def test_a_map_that_cannot_be_mapped_is_used_through_calls() -> None:
    spec = DataSpec(".bss", DataKind.BSS, size=8, mmapable=True)
    with made(MapType.ARRAY, 4, 8, 1) as handle:  # without BPF_F_MMAPABLE
        section = Section(spec)
        words = Words(section)
        section.adopt(handle.fd())
        words.word = 5
        value = bytearray(8)
        syscalls.map_lookup(handle.fd(), bytes(4), value)
        assert value == c.U64.pack(5)
        syscalls.map_update(handle.fd(), bytes(4), c.U64.pack(6))
        assert words.word == 6
        assert section.read() == c.U64.pack(6)
        section.close()


def test_two_pages_and_more_are_mapped() -> None:
    spec = DataSpec(".bss", DataKind.BSS, size=10_000, mmapable=True)
    with made(MapType.ARRAY, 4, 10_000, 1, MMAPABLE) as handle:
        section = Section(spec)
        section.adopt(handle.fd())
        section.write(b"end", 9_997)
        value = bytearray(10_000)
        syscalls.map_lookup(handle.fd(), bytes(4), value)
        assert value[-3:] == b"end"
        section.close()
