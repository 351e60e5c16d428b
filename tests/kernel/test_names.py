"""Objects with names that Python or the kernel does not take load, and attach."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import skelgen
from skelgen.runtime import syscalls
from tests.harness import sources
from tests.harness.masked_kernel import masked

FOREIGN = sorted((sources.DATA / "objects" / "foreign").glob("*.o"))
PACKET = bytes(64)


def check(path: Path) -> None:
    """Assert that maps have the types that BTF gives them, and that programs run."""
    with skelgen.open_object(path) as obj:
        obj.load()
        assert obj.maps
        for name in obj.maps:
            info = syscalls.map_info(obj.map(name).fd())
            assert info.btf_id, name
            assert info.btf_value_type_id, name
        for program in obj.programs.values():
            assert program.info().btf_id
            program.test_run(PACKET)


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name)
def test_maps_of_other_languages_keep_their_types(path: Path) -> None:
    check(path)


@pytest.mark.parametrize("path", FOREIGN, ids=lambda path: path.name)
def test_maps_have_types_on_a_kernel_that_knows_less_too(path: Path) -> None:
    with masked(kernel="5.2"), skelgen.open_object(path) as obj:
        obj.load()
        for name in obj.maps:
            assert syscalls.map_info(obj.map(name).fd()).btf_id, name


def test_values_of_other_languages_are_read_and_written() -> None:
    (path,) = (path for path in FOREIGN if path.name == "names.bpf.o")
    module = ModuleType("names_skel")
    exec(skelgen.generate(path), module.__dict__)  # noqa: S102 - what is under test
    with module.Names.open() as skel:
        assert (skel.data.last_shim.pid, skel.data.total_sum) == (4, 7)
        skel.load()
        skel.maps.my_events[1] = module.NsEventStr(pid=3, tup=module.U32U64(c__0=1))
        assert skel.maps.my_events[1].tup.c__0 == 1
        result = skel.progs.count_run.test_run(PACKET)
        assert result.retval == 3 + 8  # pid, and what total is by then
        assert skel.data.total_sum == 8
        assert skel.maps.my_events.name == "my events"


def test_links_of_programs_with_underscores_are_set_and_cleared(
    make_skeleton: Callable[[str], ModuleType],
) -> None:
    with make_skeleton("names_meet").NamesMeet.open() as skel:
        skel.rodata.c__pid = os.getpid()
        skel.load()
        skel.attach()
        assert skel.links.c__on_getppid is not None
        assert skel.links.in_ is None
        os.getppid()
        assert skel.bss.c__calls == 1
        link = skel.links.c__on_getppid
        skel.detach()
        assert skel.links.c__on_getppid is None
        # one that the user makes is left alone by attach()
        skel.links.c__on_getppid = skel.progs.c__on_getppid.attach()
        skel.attach()
        os.getppid()
        assert skel.bss.c__calls == 2
        assert skel.links.c__on_getppid is not link
