"""What is changed between open and load comes out as libbpf would have it.

The same changes through ``bpf_map__set_*()``, ``bpf_program__set_*()`` and the options
of ``bpf_object__open_file()`` as through skelgen; see ``oracle/oracle.c``.
"""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.build import btf_min
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError
from skelgen.runtime.kernel import features
from tests.harness import oracle as oracles
from tests.harness import privilege
from tests.harness.btf import VMLINUX
from tests.harness.oracle import Case, Oracle, case
from tests.harness.places import BpfFileSystem

pytestmark = pytest.mark.outer_kernels

Compile = Callable[[str], Path]
XDP, SOCKET = ProgType.XDP, ProgType.SOCKET_FILTER


MAPS = {
    "entries": case("maps_plain", "map hash max_entries 77"),
    "another type": case("maps_plain", f"map hash type {MapType.LRU_HASH:d}"),
    "flags": case("maps_plain", "map hash flags 1", "map array flags 0x400"),
    "key size": case("maps_attributes", "map sizes_only key_size 8"),
    "value size": case("maps_attributes", "map sizes_only value_size 100"),
    # the types do not fit any longer: made without them
    "value size of a type": case("maps_plain", "map array value_size 64"),
    "map_extra": case("maps_special", "map bloom_filter map_extra 5"),
    "NUMA node": case(
        "maps_attributes", "map twin_a numa_node 0", "map twin_a flags 4"
    ),
    "ring": case("maps_special", "map ringbuf max_entries 12288"),
    "perf events": case("maps_special", "map perf_two max_entries 0"),
    "not made": case(
        "maps_optional", "map details autocreate 0", "program always autoload 0"
    ),
    "contents": case(
        "globals_live", "map .rodata contents 0a0b", "map .bss contents ff00ff"
    ),
}
SECTIONS = {
    "data": case("sections_resized", "map .data.numbers value_size 44"),
    "smaller": case("sections_resized", "map .data.text value_size 2"),
    "zeros": case("sections_resized", "map .bss.slots value_size 4096"),
    "and contents": case(
        "sections_resized",
        "map .data.text value_size 12",
        "map .data.text contents 6162636465666768",
    ),
}
PROGRAMS = {
    "not loaded": case("subprogs", "program second autoload 0"),
    "type": case(
        "prog_unknown",
        f"program mystery type {SOCKET:d}",
        f"program near_miss type {XDP:d}",
    ),
    "attach type": case(
        "prog_unknown",
        f"program mystery type {ProgType.CGROUP_SOCK_ADDR:d}",
        f"program mystery attach_type {AttachType.CGROUP_INET6_CONNECT:d}",
        f"program near_miss type {XDP:d}",
    ),
    "verdict": case(
        "prog_net", f"program skb attach_type {AttachType.SK_SKB_VERDICT:d}"
    ),
    "flags": case("prog_xdp", "program pass flags 0x20"),
    "iterator": case("prog_iter", "program tasks attach_target task_file"),
    "tp_btf": case(
        "prog_raw_tracepoint", "program on_task_exit attach_target sched_process_free"
    ),
    "fentry": case(
        "prog_tracing",
        "program enter attach_target bpf_fentry_test2",
        "program leave autoload 0",
        "program modify autoload 0",
        "program enter_sleepable autoload 0",
    ),
    "LSM": case(
        "prog_lsm",
        "program mprotect attach_target bpf_map",
        "program exec autoload 0",
        "program bind autoload 0",
    ),
    "log level": case("subprogs", "program first log_level 1"),
    "more log": case("subprogs", "program first log_level 2"),
}
OPTIONS = {
    "kconfig": case(
        "externs_kconfig",
        kconfig="CONFIG_HZ=1234\nCONFIG_BPF_SYSCALL=n\nCONFIG_BPF=m\n"
        'CONFIG_NET=y\nCONFIG_CC_VERSION_TEXT="a compiler, with a long name"\n'
        "CONFIG_PHYSICAL_START=0xffffffff00\nCONFIG_NR_CPUS=0x7fff\n"
        "CONFIG_SKELGEN_HAS_NO_SUCH_OPTION=-5\n",
    ),
    "name": case("globals_live")._replace(name="a_name_of_some_length"),
    "log level": case("long_program", log_level=1),
    "statistics": case("subprogs", log_level=4),
}
REFUSED = {
    "no entries": case("maps_plain", "map hash max_entries 0"),
    "a flag that is none": case("maps_plain", "map hash flags 0x40000000"),
    "a node that is none": case(
        "maps_attributes", "map on_node numa_node 1000", "map on_node flags 4"
    ),
    "an interface that cannot": case("maps_plain", "map hash ifindex 1"),
    "a map that is needed": case("maps_optional", "map details autocreate 0"),
    "no type": case("prog_unknown"),
    "the wrong type": case("prog_xdp", "program pass type 9"),
    "a program's flag that is none": case("minimal", "program on_getppid flags 0x4000"),
    "a target that is none": case("prog_iter", "program tasks attach_target nothing"),
    "kconfig: too large": case("externs_kconfig", kconfig="CONFIG_NR_CPUS=70000\n"),
    "kconfig: no number": case("externs_kconfig", kconfig="CONFIG_HZ=many\n"),
    "kconfig: a module": case("externs_kconfig", kconfig="CONFIG_BPF_SYSCALL=m\n"),
}


@pytest.mark.parametrize("wanted", MAPS.values(), ids=MAPS)
def test_changed_maps_are_as_with_libbpf(oracle: Oracle, wanted: Case) -> None:
    equal(oracle, wanted)


@pytest.mark.parametrize("wanted", SECTIONS.values(), ids=SECTIONS)
def test_resized_data_sections_are_as_with_libbpf_and_keep_types(
    oracle: Oracle, wanted: Case
) -> None:
    """libbpf gives up the types of such a section before 1.3."""
    verdict = oracle.ask(wanted)
    assert not verdict.errno
    with oracles.opened(wanted) as obj:
        obj.load()
        assert oracles.program_facts(obj) == verdict.programs
        ours = oracles.map_facts(obj)
        types = [data.type_id for data in obj.spec.data]
    assert [facts["value_type_id"] for facts in ours] == types
    if oracle.version < (1, 3):
        for facts, type_id in zip(verdict.maps, types, strict=True):
            if not facts["has_btf"]:
                facts.update(has_btf=1, value_type_id=type_id)
    assert ours == verdict.maps
    oracle.tally.add(wanted, len(verdict.programs), len(verdict.maps))


@pytest.mark.parametrize("wanted", PROGRAMS.values(), ids=PROGRAMS)
def test_changed_programs_are_as_with_libbpf(oracle: Oracle, wanted: Case) -> None:
    equal(oracle, wanted)


@pytest.mark.parametrize("wanted", OPTIONS.values(), ids=OPTIONS)
def test_options_of_open_do_the_same_as_with_libbpf(
    oracle: Oracle, wanted: Case
) -> None:
    equal(oracle, wanted)


@pytest.mark.parametrize("wanted", REFUSED.values(), ids=REFUSED)
def test_what_libbpf_refuses_is_refused_alike(oracle: Oracle, wanted: Case) -> None:
    verdict = oracle.ask(wanted)
    assert verdict.errno
    with pytest.raises(BpfError) as caught, oracles.opened(wanted) as obj:
        obj.load()
    oracle.assert_same_errno(caught.value, verdict)


def equal(oracle: Oracle, wanted: Case) -> None:
    """Load an object and compare; what the kernel refuses is refused to both."""
    verdict = oracle.ask(wanted)
    with oracles.opened(wanted) as obj:
        if verdict.errno:
            with pytest.raises(BpfError) as caught:
                obj.load()
            assert isinstance(caught.value, OSError), caught.value
            assert caught.value.errno == verdict.errno, verdict.text
            for map_ in obj.maps.values():
                privilege.require(
                    f"maps of type {MapType(map_.type).name}",
                    features.map_type(map_.type),
                )
            pytest.skip(f"this kernel refuses it to both: {caught.value}")
        obj.load()
        assert oracles.program_facts(obj) == verdict.programs
        oracle.assert_same_maps(obj, verdict.maps)
    oracle.tally.add(wanted, len(verdict.programs), len(verdict.maps))


# -- types, pins, programs of others -----------------------------------------------


@pytest.mark.parametrize(
    "name", ["bootstrap", "core_bitfields", "core_enums", "core_fields", "prog_iter"]
)
def test_types_from_a_file_give_the_same_as_with_libbpf(
    oracle: Oracle, compile_bpf: Compile, tmp_path: Path, name: str
) -> None:
    """As much of the kernel's types as the object needs, by other numbers."""
    path = tmp_path / "cut.btf"
    path.write_bytes(btf_min.minimize(VMLINUX, [compile_bpf(name)]).data)
    equal(oracle, case(name, btf=path))


def test_types_of_another_kernel_give_the_same_as_with_libbpf(
    oracle: Oracle, tmp_path: Path
) -> None:
    """One where a member is elsewhere."""
    b = BtfBuilder()
    b.add_struct("task_struct", 512, [("pid", b.add_int("int", 4, signed=True), 2400)])
    path = tmp_path / "other.btf"
    path.write_bytes(b.bytes())
    equal(oracle, case("core_poisoned", btf=path))


def test_a_pin_by_name_is_found_by_libbpf_and_by_skelgen(
    oracle: Oracle, bpffs: BpfFileSystem
) -> None:
    """What libbpf makes and pins, skelgen finds and uses, and the other way round."""
    wanted = case("maps_pinned", pin_root=bpffs.path)
    pin = bpffs.path / "skelgen_pinned"
    equal(oracle, wanted)
    number = pinned_map(pin)
    with oracles.opened(wanted) as obj:
        obj.load()
        assert obj.maps["skelgen_pinned"].info().id == number
        obj.maps["skelgen_pinned"].unpin()
        obj.maps["skelgen_pinned"].pin(pin)
        assert not oracle.ask(wanted).errno
    assert pinned_map(pin) == number


def test_another_definition_that_is_pinned_there_is_refused_by_both(
    oracle: Oracle, bpffs: BpfFileSystem
) -> None:
    first = case("maps_pinned", pin_root=bpffs.path)
    assert not oracle.ask(first).errno
    other = case("maps_pinned", "map skelgen_pinned max_entries 9", pin_root=bpffs.path)
    assert oracle.ask(other).errno == errno.EINVAL
    with oracles.opened(other) as obj, pytest.raises(BpfError, match="max_entries"):
        obj.load()
    oracle.tally.refusals += 1


def test_a_map_with_a_pin_path_is_pinned_as_with_libbpf(
    oracle: Oracle, bpffs: BpfFileSystem
) -> None:
    path = bpffs.path / "elsewhere"
    equal(oracle, case("maps_plain", f"map array pin_path {path}"))
    assert pinned_map(path)


def test_another_objects_map_is_reused_as_with_libbpf(
    oracle: Oracle, bpffs: BpfFileSystem
) -> None:
    """Of the declared definition, in the two slots that the map has, too."""
    path = bpffs.path / "counters"
    with oracles.opened(case("maps_nested_hash")) as first:
        first.load()
        first.maps["green"].pin(path)
        equal(oracle, case("maps_nested_hash", f"map green reuse {path}"))
        number = first.maps["green"].info().id
    with oracles.opened(case("maps_nested_hash", f"map green reuse {path}")) as obj:
        obj.load()
        assert obj.maps["green"].info().id == number


def pinned_map(path: Path) -> int:
    """Return the id of a pinned map."""
    fd = syscalls.obj_get(str(path))
    try:
        return syscalls.map_info(fd).id
    finally:
        os.close(fd)


def test_a_function_of_another_program_is_a_target_as_with_libbpf(
    oracle: Oracle, bpffs: BpfFileSystem
) -> None:
    """``freplace`` of a global function of a loaded program."""
    if not privilege.kernel_at_least(5, 12):
        pytest.skip("needs pointers as arguments of global functions, Linux 5.12")
    path = bpffs.path / "target"
    with oracles.opened(case("subprogs_global")) as target:
        target.load()
        target.programs["filter"].pin(path)
        equal(
            oracle,
            case(
                "prog_freplace",
                f"program named attach_program decide@{path}",
                "program replacement autoload 0",
            ),
        )
