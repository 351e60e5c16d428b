"""Whole objects on the running kernel: maps, data, externs, failures, clean-up."""

import contextlib
import gc
import mmap
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import skelgen
from skelgen.btf.layout import section_vars
from skelgen.btf.parse import Btf
from skelgen.btf.types import Kind
from skelgen.model.enums import MapType
from skelgen.runtime import ExtensionProgram, syscalls
from skelgen.runtime.errors import (
    BpfError,
    ClosedError,
    ExternError,
    NotSupportedError,
    StateError,
    VerifierError,
)
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.version import kernel_version
from skelgen.runtime.object.object import Object
from tests.harness import privilege
from tests.harness.leaks import LeakCheck
from tests.harness.places import BpfFileSystem

Compile = Callable[[str], Path]
PACKET = bytes(64)


def variable(obj: Object, name: str) -> int:
    """Return an integer of any data section, by its name."""
    assert obj.spec.btf is not None
    btf = Btf(obj.spec.view(obj.spec.btf))
    for section in obj.sections:
        for var in section_vars(btf, btf.find(section, Kind.DATASEC) or 0):
            if var.name == name:
                data = obj.sections[section].read(var.offset, var.size)
                return int.from_bytes(data, sys.byteorder, signed=True)
    raise KeyError(name)


# -- life ------------------------------------------------------------------------


def drop(kept: list[Object]) -> None:
    kept.clear()
    gc.collect()


def test_nothing_is_left_in_between(compile_bpf: Compile) -> None:
    """Loaded, attached and destroyed, several at a time, and dropped."""
    check = LeakCheck()
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            obj = stack.enter_context(
                skelgen.open_object(compile_bpf("prog_tracepoint"))
            )
            obj.load()
            obj.attach()
        assert check.left()
    assert not check.check()
    obj = skelgen.open_object(compile_bpf("prog_tracepoint"))
    obj.load()
    obj.attach()
    kept = [obj]
    del obj
    with pytest.warns(ResourceWarning, match="never destroyed"):
        drop(kept)
    assert not check.check()


def test_every_failure_leaves_nothing(compile_bpf: Compile) -> None:
    for name in ("prog_rejected", "externs_missing", "prog_unknown"):
        check = LeakCheck()
        obj = skelgen.open_object(compile_bpf(name))
        with pytest.raises(BpfError):
            obj.load()
        assert not check.check()
        obj.destroy()


def test_a_refusal_of_the_verifier_shows_the_line_of_c(compile_bpf: Compile) -> None:
    with skelgen.open_object(compile_bpf("prog_rejected")) as obj:
        with pytest.raises(VerifierError) as caught:
            obj.load()
        error = caught.value
        assert isinstance(error, PermissionError | VerifierError)
        assert error.program == "outside"
        assert error.source is not None
        assert Path(error.source.file).name == "prog_rejected.bpf.c"
        assert error.source.text == "return value[1];"
        lines = str(error).splitlines()
        assert lines[0] == (
            "program 'outside': refused by the verifier: permission denied (EACCES)"
        )
        assert lines[1].endswith("prog_rejected.bpf.c:20, in outside()")
        assert "value_size=8 off=8 size=8" in str(error)
        assert len(lines) < 20
        # the others can be loaded without it
        obj.programs["outside"].autoload = False
        obj.load()


def test_a_log_of_any_length_is_read_whole(
    compile_bpf: Compile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The buffer grows until the whole log is in it."""
    from skelgen.runtime.load import program as prog_load

    with skelgen.open_object(compile_bpf("long_program"), log_level=2) as obj:
        obj.load()
        whole = obj.programs[next(iter(obj.programs))].log
    assert len(whole) > 8192
    monkeypatch.setattr(prog_load, "_FIRST_LOG", 4096)
    with skelgen.open_object(compile_bpf("long_program"), log_level=2) as obj:
        obj.load()
        log = obj.programs[next(iter(obj.programs))].log
    assert len(log) >= len(whole) // 2
    assert log.splitlines()[0] == whole.splitlines()[0]


@pytest.mark.any_kernel
def test_threads_load_objects_of_their_own_without_a_failure(
    compile_bpf: Compile,
) -> None:
    """Eight threads open, load, use and destroy objects of their own."""
    failures = []

    def work() -> None:
        try:
            for _ in range(5):
                with skelgen.open_object(compile_bpf("core_fields")) as obj:
                    obj.load()
                    obj.attach()
        except Exception as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_programs_on_demand_load_when_their_autoload_is_on(
    compile_bpf: Compile,
) -> None:
    with skelgen.open_object(compile_bpf("prog_autoload")) as obj:
        obj.load()
        with pytest.raises(StateError, match="autoload is off"):
            obj.programs["on_demand"].test_run(PACKET)
    with skelgen.open_object(compile_bpf("prog_autoload")) as obj:
        obj.programs["on_demand"].autoload = True
        obj.load()
        obj.programs["on_demand"].test_run(PACKET)
        assert variable(obj, "calls") == 10


# -- maps ------------------------------------------------------------------------


def test_definitions_can_change_until_load(compile_bpf: Compile) -> None:
    with skelgen.open_object(compile_bpf("maps_plain")) as obj:
        for name in obj.maps:
            if obj.maps[name].type == MapType.HASH:
                obj.maps[name].max_entries = 77
                break
        obj.load()
        info = obj.maps[name].info()
        assert (info.max_entries, info.type) == (77, MapType.HASH)
        with pytest.raises(StateError, match="cannot change after load"):
            obj.maps[name].max_entries = 5


def test_kernel_names_of_sections_begin_with_that_of_the_object(
    compile_bpf: Compile,
) -> None:
    path = compile_bpf("globals_live")
    with skelgen.open_object(path, name="a_rather_long_name") as obj:
        obj.load()
        names = {section: obj.maps[section].info().name for section in obj.sections}
    assert names[".bss"] == "a_rather.bss"
    assert names[".rodata"] == "a_rather.rodata"


def test_maps_in_maps_are_in_the_slots_that_c_gives_them(compile_bpf: Compile) -> None:
    with skelgen.open_object(compile_bpf("maps_nested")) as obj:
        obj.load()
        slots = {}
        for index in range(4):
            value = bytearray(4)
            key = index.to_bytes(4, sys.byteorder)
            if syscalls.map_lookup(obj.map("outer_array").fd(), key, value):
                slots[index] = int.from_bytes(value, sys.byteorder)
        assert slots == {
            0: obj.map("first").info().id,
            3: obj.map("second").info().id,
        }


def test_tail_calls_run_and_fall_through_where_a_slot_is_empty(
    compile_bpf: Compile,
) -> None:
    with skelgen.open_object(compile_bpf("maps_prog_array")) as obj:
        obj.load()
        assert obj.programs["entry"].test_run(PACKET).retval == 1
        assert variable(obj, "hits") == 11
    with skelgen.open_object(compile_bpf("maps_prog_array")) as obj:
        # meant so: its slot is empty, where libbpf fails (docs/loading.md)
        obj.programs["tail_two"].autoload = False
        assert obj.load()
        slots = dict(obj.maps["jumps"].items())
        assert slots == {1: obj.programs["tail_one"].info().id}
        assert obj.programs["entry"].test_run(PACKET).retval == 3
        assert variable(obj, "hits") == 0


def test_sizes_of_ring_buffers_and_perf_arrays_are_made_to_fit(
    compile_bpf: Compile,
) -> None:
    seen = set()
    for name in ("ringbuf", "maps_special", "maps_kernel_types"):
        with skelgen.open_object(compile_bpf(name)) as obj:
            for map_ in obj.maps.values():
                map_.autocreate = bool(features.map_type(map_.type))
            obj.load(strict=False)
            for declared in obj.spec.maps:
                if not obj.maps[declared.name].autocreate:
                    continue
                info = obj.maps[declared.name].info()
                assert obj.maps[declared.name].max_entries == info.max_entries
                if (
                    declared.type == MapType.PERF_EVENT_ARRAY
                    and not declared.max_entries
                ):
                    assert info.max_entries >= (os.cpu_count() or 1)
                    seen.add("perf")
                if declared.type == MapType.RINGBUF:
                    assert info.max_entries % mmap.PAGESIZE == 0
                    seen.add("ring")
    assert "ring" in seen


def test_types_of_maps_reach_the_kernel(compile_bpf: Compile) -> None:
    with skelgen.open_object(compile_bpf("maps_plain")) as obj:
        obj.load()
        for declared in obj.spec.maps:
            info = obj.maps[declared.name].info()
            if declared.type == MapType.HASH and declared.key_type_id:
                assert info.btf_id
                assert info.btf_key_type_id == declared.key_type_id
                assert info.btf_value_type_id == declared.value_type_id
                break
        else:
            pytest.fail("no map of the fixture has types")


def test_a_map_pinned_by_name_is_shared_and_outlives_its_objects(
    compile_bpf: Compile, bpffs: BpfFileSystem
) -> None:
    path = compile_bpf("maps_pinned")
    pin = bpffs.path / "skelgen_pinned"
    with skelgen.open_object(path, pin_root=bpffs.path) as first:
        first.load()
        assert pin.exists()
        first.programs["count"].test_run(PACKET)
        with skelgen.open_object(path, pin_root=bpffs.path) as second:
            second.load()
            ours, theirs = (o.maps["skelgen_pinned"].info().id for o in (first, second))
            assert ours == theirs
            second.programs["count"].test_run(PACKET)
    assert pin.exists()  # it outlives both
    with skelgen.open_object(path, pin_root=bpffs.path) as third:
        third.load()
        value = bytearray(8)
        syscalls.map_lookup(third.map("skelgen_pinned").fd(), bytes(4), value)
        assert int.from_bytes(value, sys.byteorder) == 2
        third.maps["skelgen_pinned"].unpin()
    assert not pin.exists()


def test_another_map_that_is_pinned_there_is_refused(
    compile_bpf: Compile, bpffs: BpfFileSystem
) -> None:
    path = compile_bpf("maps_pinned")
    with skelgen.open_object(path, pin_root=bpffs.path) as first:
        first.load()
    with skelgen.open_object(path, pin_root=bpffs.path) as obj:
        obj.maps["skelgen_pinned"].max_entries = 9
        with pytest.raises(BpfError, match="max_entries 1 there and 9 here"):
            obj.load()
        obj.maps["skelgen_pinned"].pin_path = bpffs.path / "other"
        obj.load()
        obj.maps["skelgen_pinned"].unpin()
    (bpffs.path / "skelgen_pinned").unlink()


def test_one_missing_folder_of_a_pin_is_made_and_two_are_refused(
    compile_bpf: Compile, bpffs: BpfFileSystem
) -> None:
    """One directory is made, as libbpf does; two are not."""
    root = bpffs.path / "nowhere"
    path = compile_bpf("maps_pinned")
    with skelgen.open_object(path, pin_root=root / "deep") as obj:
        with pytest.raises(FileNotFoundError) as caught:
            obj.load()
        assert f"directory '{root}' does not exist; make it with 'mkdir" in str(
            caught.value
        )
        assert not root.exists()
    with skelgen.open_object(path, pin_root=root) as obj:
        obj.load()
        obj.maps["skelgen_pinned"].unpin()
    root.rmdir()


def test_a_failed_load_takes_its_pins_back(
    compile_bpf: Compile, bpffs: BpfFileSystem
) -> None:
    with skelgen.open_object(compile_bpf("maps_pinned"), pin_root=bpffs.path) as obj:
        obj.programs["count"].type = 999
        with pytest.raises(BpfError):
            obj.load()
        assert not (bpffs.path / "skelgen_pinned").exists()


# -- data ------------------------------------------------------------------------


def test_rodata_is_frozen(compile_bpf: Compile) -> None:
    with skelgen.open_object(compile_bpf("globals_live")) as obj:
        obj.load()
        with pytest.raises(StateError, match="read-only after load"):
            obj.sections[".rodata"].write(b"\0")
        fd = obj.map(".rodata").fd()
        with pytest.raises(PermissionError):
            syscalls.map_update(fd, bytes(4), obj.sections[".rodata"].read())


def test_views_outlive_the_object(compile_bpf: Compile) -> None:
    obj = skelgen.open_object(compile_bpf("globals_live"))
    section = obj.sections[".bss"]
    before = memoryview(section.memory())
    obj.load()
    after = memoryview(section.memory())
    before[0] = 7
    assert after[0] == 7
    obj.destroy()
    before[0] = 8
    assert after[0] == 8
    with pytest.raises(ClosedError):
        section.read()
    del before, after


# -- externs -----------------------------------------------------------------------


def test_kconfig_variables_have_the_values_of_the_configuration(
    compile_bpf: Compile,
) -> None:
    text = "CONFIG_HZ=123\nCONFIG_BPF_SYSCALL=y\n"
    with skelgen.open_object(compile_bpf("externs_kconfig"), kconfig=text) as obj:
        with pytest.raises(StateError, match=r"known after load\(\) or prepare"):
            obj.sections[".kconfig"].read()
        obj.load()
        obj.programs["read"].test_run(PACKET)
        assert variable(obj, "hz") == 123
        assert variable(obj, "version") == kernel_version()
        assert variable(obj, "missing") == 0
        with pytest.raises(StateError, match="read-only"):
            obj.sections[".kconfig"].write(b"\0")
        offsets = {extern.name: extern.offset for extern in obj.spec.externs}
        data = obj.sections[".kconfig"].read()
        cookie = bool(features.BPF_COOKIE.supported())
        assert data[offsets["LINUX_HAS_BPF_COOKIE"]] == cookie
        assert data[offsets["CONFIG_BPF_SYSCALL"]] == 1


def test_kconfig_of_the_wrong_type_is_refused(compile_bpf: Compile) -> None:
    path = compile_bpf("externs_kconfig")
    obj = skelgen.open_object(path, kconfig="CONFIG_HZ=y\n")
    with pytest.raises(ExternError, match=r"'CONFIG_HZ'.* has to be a bool"):
        obj.load()


def test_kernel_functions_are_called(compile_bpf: Compile) -> None:
    kfunc = "bpf_task_from_pid"
    privilege.require(f"{kfunc}()", features.kfunc(kfunc)._replace(since="6.2"))
    with skelgen.open_object(compile_bpf("externs_kfuncs")) as obj:
        obj.load()
        assert variable(obj, "found") == -1
        found = obj.programs["look"].test_run(ctx=bytes(8)).retval
        assert found in {0, 1}  # some kernels hide process 1
        assert variable(obj, "found") == found


def test_a_missing_kernel_function_is_named_with_a_way_out(
    compile_bpf: Compile,
) -> None:
    with skelgen.open_object(compile_bpf("externs_missing")) as obj:
        with pytest.raises(ExternError) as caught:
            obj.load()
        assert caught.value.extern == "skelgen_no_such_kfunc"
        assert str(caught.value) == (
            "extern 'skelgen_no_such_kfunc': no kernel function"
            " 'skelgen_no_such_kfunc' in the BTF of this kernel or its modules;"
            " declare it __weak to do without"
        )


# -- targets, struct_ops -------------------------------------------------------------


def test_a_program_that_replaces_a_function_needs_a_target(
    compile_bpf: Compile,
) -> None:
    with skelgen.open_object(compile_bpf("prog_freplace")) as obj:
        with pytest.raises(StateError, match="call set_attach_target"):
            obj.load()
        for program in obj.programs.values():
            assert isinstance(program, ExtensionProgram)


def test_struct_ops_are_there_from_attach_to_detach(compile_bpf: Compile) -> None:
    available = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
    with skelgen.open_object(compile_bpf("struct_ops")) as obj:
        obj.load()
        assert "bpf_skelgen" not in available.read_text()
        report = obj.attach()
        assert list(report.attached) == ["skelgen_cc"]
        assert "bpf_skelgen" in available.read_text()
        obj.detach()
        assert "bpf_skelgen" not in available.read_text()


def test_struct_ops_with_a_link_are_there_until_the_object_goes(
    compile_bpf: Compile,
) -> None:
    privilege.require("links of struct_ops", features.attach_type("struct_ops"))
    available = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
    with skelgen.open_object(compile_bpf("struct_ops_link")) as obj:
        assert not obj.struct_ops["optional"].autocreate
        obj.load()
        obj.attach()
        assert "bpf_skelgen_lnk" in available.read_text()
        assert "bpf_skelgen_opt" not in available.read_text()
    assert "bpf_skelgen_lnk" not in available.read_text()
    with skelgen.open_object(compile_bpf("struct_ops_link")) as obj:
        ops = obj.struct_ops["linked"]
        ops.set_program("cong_avoidance", obj.programs["link_cong_avoid"])
        with pytest.raises(BpfError, match="no member 'cong_avoidance'"):
            obj.load()


def test_struct_ops_that_no_kernel_has_fail_the_load_unless_left_out(
    compile_bpf: Compile,
) -> None:
    with skelgen.open_object(compile_bpf("struct_ops_shadow")) as obj:
        with pytest.raises(NotSupportedError, match="no operations of type 'struct sk"):
            obj.load()
        obj.maps["plain"].autocreate = False
        obj.maps["linked"].autocreate = False
        obj.load()
        assert obj.programs["other"].loaded
        assert not obj.programs["on_start"].loaded


def test_struct_ops_that_are_left_out_cannot_be_attached(compile_bpf: Compile) -> None:
    with skelgen.open_object(compile_bpf("struct_ops")) as obj:
        obj.struct_ops["skelgen_cc"].autocreate = False
        obj.load()
        assert not obj.attach().attached
        with pytest.raises(StateError, match="autocreate is off"):
            obj.struct_ops["skelgen_cc"].attach()
