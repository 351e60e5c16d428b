"""Objects that are prepared, filled and then loaded, and clones of their programs."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import skelgen
from skelgen import runtime as rt
from skelgen.model.enums import AttachType, MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, StateError, VerifierError
from skelgen.runtime.object.life import State
from tests.harness import leaks, libbpf
from tests.harness import oracle as oracles
from tests.harness.faults import faults
from tests.harness.oracle import Facts, Oracle
from tests.harness.places import BpfFileSystem, Cgroup

pytestmark = pytest.mark.any_kernel

PACKET = bytes(64)


@pytest.fixture
def prepared(make_skeleton: Callable[[str], ModuleType]) -> type[Any]:
    """Return the skeleton class of the fixture ``prepared``."""
    found: type[Any] = make_skeleton("prepared").Prepared
    return found


def test_the_verifier_reads_what_was_filled_in(prepared: type[Any]) -> None:
    """A frozen map that programs cannot write has constants."""
    with prepared.open() as skel:
        skel.progs.by_settings.autoload = True
        with pytest.raises(VerifierError):
            skel.load()
        assert skel.object.state is State.OPENED
        skel.prepare()
        with pytest.raises(VerifierError) as caught:
            skel.load()
        assert caught.value.program == "by_settings"
        assert skel.object.state is State.PREPARED
        skel.maps.settings[0] = 42
        skel.maps.settings.freeze()
        skel.load()
        assert skel.progs.by_settings.test_run(PACKET).retval == 6
        assert skel.maps.settings[0] == 42


def test_maps_and_globals_are_live(prepared: type[Any]) -> None:
    with prepared.open() as skel:
        skel.bss.calls = 3
        skel.rodata.step = 10
        view = skel.bss
        skel.prepare()
        skel.maps.counts[1] = 100
        assert dict(skel.maps.counts.items()) == {1: 100}
        assert view.calls == 3
        view.calls = 5
        value = bytearray(8)
        assert syscalls.map_lookup(skel.object.map(".bss").fd(), bytes(4), value)
        assert value == struct.pack("=Q", 5)
        with pytest.raises(StateError, match="read-only after load"):
            skel.rodata.step = 1
        with pytest.raises(StateError, match="max_entries cannot change after load"):
            skel.maps.counts.max_entries = 8
        skel.load()
        skel.progs.count.test_run(PACKET)
        assert view.calls == 15
        assert skel.maps.counts[1] == 101


def test_programs_are_in_their_slots(prepared: type[Any]) -> None:
    with prepared.open() as skel:
        skel.prepare()
        clone = skel.progs.call_tail.clone()
        assert clone.test_run(PACKET).retval == 5  # nothing is there yet
        skel.load()
        assert clone.test_run(PACKET).retval == 4
        assert skel.progs.call_tail.test_run(PACKET).retval == 4


def test_a_failed_load_empties_slots(prepared: type[Any]) -> None:
    """The maps are there still, and hold no program of the load that failed."""
    with prepared.open() as skel:
        skel.prepare()
        skel.maps.counts[2] = 7
        programs = leaks.SEEN.ids("prog")
        with (
            faults(0, 5, names=("MAP_UPDATE_ELEM",)),
            pytest.raises(BpfOSError, match="slot 1 for program 'tail'"),
        ):
            skel.load()
        assert not leaks.SEEN.ids("prog") - programs
        clone = skel.progs.call_tail.clone()
        assert clone.test_run(PACKET).retval == 5
        assert skel.maps.counts[2] == 7
        skel.load()
        assert clone.test_run(PACKET).retval == 4


def test_settings_of_programs_can_change_until_load(prepared: type[Any]) -> None:
    with prepared.open() as skel:
        skel.prepare()
        skel.progs.on_address.autoload = False
        skel.progs.count.log_level = 1
        skel.progs.on_address.attach_type = AttachType.CGROUP_INET4_BIND
        skel.load()
        assert not skel.progs.on_address.loaded
        assert "processed" in skel.progs.count.log


def test_an_object_destroyed_in_between_leaves_no_fd(prepared: type[Any]) -> None:
    fds = leaks.open_fds()
    with prepared.open() as skel:
        skel.prepare()
        skel.progs.count.clone()
        assert leaks.open_fds() != fds
    assert leaks.open_fds() == fds


def test_pins_of_a_prepared_object_are_found_by_another(
    compile_bpf: Callable[[str], Path], bpffs: BpfFileSystem
) -> None:
    path = compile_bpf("maps_pinned")
    with skelgen.open_object(path, pin_root=bpffs.path) as obj:
        obj.prepare()
        assert obj.map("skelgen_pinned").pinned == (f"{bpffs.path}/skelgen_pinned",)
        with skelgen.open_object(path, pin_root=bpffs.path) as other:
            other.prepare()  # finds them
            pinned = [x.map("skelgen_pinned").info().id for x in (obj, other)]
            assert pinned[0] == pinned[1]
            other.load()
        obj.load()


# -- clones --------------------------------------------------------------------


def test_clones_share_maps_and_globals(prepared: type[Any]) -> None:
    with prepared.open() as skel:
        skel.prepare()
        one = skel.progs.count.clone()
        two = skel.progs.count.clone("count_too", log_level=1)
        assert isinstance(one, rt.XdpProgram)
        for program in (one, two, one):
            assert program.test_run(PACKET).retval == 2
        assert skel.bss.calls == 3
        skel.load()
        own = skel.progs.count
        tags = {program.info().tag for program in (one, two, own)}
        assert len(tags) == 1
        assert len({program.info().id for program in (one, two, own)}) == 3
        assert (one.info().name, two.info().name) == ("count", "count_too")
        assert sorted(one.info().map_ids) == sorted(own.info().map_ids)
        assert "processed" in two.log
        one.close()
        own.test_run(PACKET)
        assert skel.bss.calls == 4


def test_a_clone_of_a_raw_tracepoint_runs_and_attaches(prepared: type[Any]) -> None:
    with prepared.open() as skel:
        skel.prepare()
        with skel.progs.on_enter.clone() as clone:
            clone.test_run(ctx=struct.pack("=2Q", 7, 0))
            assert skel.bss.calls == 7
            with clone.attach():
                os.getppid()


def test_one_program_serves_two_hooks_by_a_clone(
    prepared: type[Any], cgroup: Cgroup
) -> None:
    """The kernel attaches a program to the hook alone that it was loaded for."""
    with prepared.open() as skel:
        skel.prepare()
        skel.load()
        bind = skel.progs.on_address.clone(attach_type=AttachType.CGROUP_INET4_BIND)
        connect = skel.progs.on_address
        with connect.attach(cgroup.path) as one, bind.attach(cgroup.path) as two:
            hooks = [link.info().attach_type for link in (one, two)]
        assert hooks == [AttachType.CGROUP_INET4_CONNECT, AttachType.CGROUP_INET4_BIND]


def test_a_clone_that_is_refused_leaves_no_fd_and_can_be_made_later(
    prepared: type[Any],
) -> None:
    with prepared.open() as skel:
        skel.prepare()
        before = leaks.open_fds()
        with pytest.raises(VerifierError) as caught:
            skel.progs.by_settings.clone("mine")
        assert caught.value.program == "mine"
        assert leaks.open_fds() == before
        skel.maps.settings[0] = 42
        skel.maps.settings.freeze()
        with skel.progs.by_settings.clone() as clone:
            assert clone.test_run(PACKET).retval == 6


def test_names_of_the_calls_are_free_for_c(prepared: type[Any]) -> None:
    with prepared.open() as skel:
        assert skel.data.prepare == 3
        skel.prepare()
        with skel.progs.clone.clone() as clone:
            clone.test_run(ctx=bytes(16))
        assert skel.data.prepare == 4


# -- the same as in one step ---------------------------------------------------

SAME = (
    "bootstrap",
    "core_fields",
    "externs_kconfig",
    "globals_live",
    "large",
    "maps_attributes",
    "maps_nested",
    "maps_plain",
    "maps_prog_array",
    "prog_cgroup",
    "prog_tracepoint",
    "prog_xdp",
    "ringbuf",
    "struct_ops",
    "subprogs",
    "subprogs_callbacks",
    "types_structs",
)


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return oracles.oracle(libbpf.INSTALLED)


@pytest.mark.parametrize("name", SAME)
def test_two_steps_make_what_libbpf_makes(oracle: Oracle, name: str) -> None:
    wanted = oracles.case(name)
    verdict = oracle.ask(wanted)
    if verdict.errno:
        pytest.skip(f"libbpf does not load it here: {verdict.text.splitlines()[-1]}")
    with oracles.opened(wanted) as obj:
        obj.prepare()
        oracle.assert_same_maps(obj, without_programs(verdict.maps))
        obj.load()
        assert oracles.program_facts(obj) == verdict.programs
        oracle.assert_same_maps(obj, verdict.maps)


def without_programs(maps: list[Facts]) -> list[Facts]:
    """Return maps as they are until programs are loaded."""
    return [
        {**facts, "slots": {}} if facts["type"] == MapType.PROG_ARRAY else {**facts}
        for facts in maps
    ]
