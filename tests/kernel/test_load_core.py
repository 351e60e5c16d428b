"""CO-RE on the running kernel: what programs read is what the kernel has."""

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import skelgen
from skelgen.btf.build import BtfBuilder
from skelgen.btf.types import Kind, Struct
from skelgen.runtime.errors import (
    BpfError,
    CoreRelocationError,
    KernelBtfError,
    VerifierError,
)
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.process.once import Once

VMLINUX = "/sys/kernel/btf/vmlinux"
Make = Callable[[str], ModuleType]


def skeleton_class(module: ModuleType) -> Any:
    """Return the one skeleton of a generated module."""
    (found,) = (
        value
        for name, value in vars(module).items()
        if name in module.__all__ and hasattr(value, "open_and_load")
    )
    return found


@pytest.fixture(params=[None, VMLINUX, "bytes"], ids=["kernel", "path", "bytes"])
def btf(request: pytest.FixtureRequest) -> Iterator[str | bytes | None]:
    """Yield the kernel's own types, and the same as a file and as bytes."""
    if request.param == "bytes":
        yield Path(VMLINUX).read_bytes()
    else:
        yield request.param


def trigger(skel: Any, mine: Callable[[], bool]) -> None:
    """Call ``getppid`` until the program has run in this process last."""
    skel.attach()
    libc = ctypes.CDLL(None)
    for _ in range(1000):
        libc.getppid()
        if mine():
            return
    pytest.fail("the program did not run in this process")


def task_struct() -> Struct:
    found = kernel_btf.vmlinux()
    task = found.type(found.find("task_struct", Kind.STRUCT) or 0)
    assert isinstance(task, Struct)
    return task


def test_fields_are_read_where_this_kernel_has_them(
    make_skeleton: Make, btf: str | bytes | None
) -> None:
    with skeleton_class(make_skeleton("core_fields")).open(btf=btf) as skel:
        skel.load()
        bss, data = skel.bss, skel.data
        trigger(skel, lambda: bool(bss.pid == threading.get_native_id()))
        name = Path("/proc/self/comm").read_bytes().rstrip(b"\n")
        assert bss.comm == name
        # in the state of a running task, which is 0
        assert bss.ppid == os.getppid()
        members = {member.name: member for member in task_struct().members}
        assert (bss.comm_size, bss.pid_size) == (16, 4)
        assert bss.comm_offset == members["comm"].bit_offset // 8
        assert (data.has_missing, data.has_type) == (0, 0)
        assert bss.code


def test_enumerators_have_the_values_of_this_kernel(
    make_skeleton: Make, btf: str | bytes | None
) -> None:
    with skeleton_class(make_skeleton("core_enums")).open(btf=btf) as skel:
        skel.load()
        bss = skel.bss
        bss.value = -1
        trigger(skel, lambda: bool(bss.exists))
        assert (bss.exists, bss.not_exists, bss.no_enum) == (1, 0, 0)
        assert bss.value == 0  # PIDTYPE_PID
        assert bss.value_flavoured == 1  # PIDTYPE_TGID
        assert bss.wide == 1  # BPF_FUNC_map_lookup_elem


def test_types_have_the_sizes_and_numbers_of_this_kernel(
    make_skeleton: Make, btf: str | bytes | None
) -> None:
    with skeleton_class(make_skeleton("core_types")).open(btf=btf) as skel:
        skel.load()
        bss = skel.bss
        trigger(skel, lambda: bool(bss.exists))
        assert (bss.exists, bss.not_exists) == (1, 0)
        assert (bss.exists_typedef, bss.not_exists_typedef) == (1, 0)
        assert bss.exists_enum == 1
        assert bss.size_list == 16
        assert bss.size_task == task_struct().size
        assert bss.size_missing == 0
        assert (bss.matches, bss.matches_short, bss.matches_not) == (1, 1, 0)
        kernel = kernel_btf.vmlinux()
        assert bss.id_kernel == kernel.find("list_head", Kind.STRUCT)
        assert bss.id_missing == 0
        assert bss.id_local > 0


def exit_once() -> int:
    child = os.fork()
    if child == 0:
        os._exit(3)
    os.waitpid(child, 0)
    return child


def until_exit(skel: Any, mine: Callable[[int], bool]) -> int:
    """End children until the program has seen one of them last."""
    skel.attach()
    for _ in range(100):
        child = exit_once()
        if mine(child):
            return child
    pytest.fail("the program did not see a child of this process")


def test_direct_loads_read_the_members_of_the_task(make_skeleton: Make) -> None:
    with skeleton_class(make_skeleton("core_direct")).open_and_load() as skel:
        bss = skel.bss
        child = until_exit(skel, lambda child: bool(bss.pid == child))
        assert bss.leader == child
        assert bss.uid == os.getuid()
        assert bss.threads >= 0
        assert bss.start > 0


def test_bitfields_are_read_with_their_value_and_sign(make_skeleton: Make) -> None:
    with skeleton_class(make_skeleton("core_bitfields")).open_and_load() as skel:
        bss = skel.bss
        bss.reset = bss.execve = -1
        until_exit(skel, lambda _: bool(bss.whole == 3 << 8))
        assert (bss.reset, bss.execve) == (0, 0)
        assert bss.exit_signed == 1  # an int is, a bit-field of unsigned is not


def test_dead_code_may_use_what_is_not_there(make_skeleton: Make) -> None:
    with skeleton_class(make_skeleton("core_poisoned")).open_and_load() as skel:
        assert skel.progs.dead_code.info().insn_count > 0


def test_code_that_uses_what_is_not_there_is_an_error_that_names_it(
    make_skeleton: Make,
) -> None:
    with skeleton_class(make_skeleton("core_poisoned")).open() as skel:
        skel.progs.reached.autoload = True
        with pytest.raises(CoreRelocationError) as caught:
            skel.load()
        error = caught.value
        assert error.program == "reached"
        assert error.access == "task_struct.no_such_field"
        text = f"reached insn {error.insn}: task_struct.no_such_field not in kernel BTF"
        assert str(error) == text
        assert any("core_poisoned.bpf.c:" in note for note in error.__notes__)
        cause = error.__cause__
        assert isinstance(cause, VerifierError)
        assert f"unknown#{0xBAD2310}" in cause.log
        # without it the object can still be loaded
        skel.progs.reached.autoload = False
        skel.load()


def test_a_small_btf_file_loads_and_what_it_lacks_is_an_error(
    compile_bpf: Callable[[str], Path],
) -> None:
    """A small BTF file, as ``bpftool gen min_core_btf`` makes them."""
    b = BtfBuilder()
    int_id = b.add_int("int", 4, signed=True)
    b.add_struct("task_struct", 512, [("pid", int_id, 8 * 300)])
    path = compile_bpf("core_poisoned")
    with skelgen.open_object(path, btf=b.bytes(), log_level=2) as obj:
        obj.load()
        assert "-- " not in obj.programs["dead_code"].log
    with skelgen.open_object(path, btf=b.bytes()) as obj:
        obj.programs["reached"].autoload = True
        with pytest.raises(CoreRelocationError, match="not in the BTF file"):
            obj.load()


def test_a_file_that_is_no_btf_or_not_there_is_an_error(
    compile_bpf: Callable[[str], Path],
) -> None:
    path = compile_bpf("core_fields")
    obj = skelgen.open_object(path, btf=b"no BTF at all, not a byte")
    with pytest.raises(BpfError, match="'btf': btf: no magic number"):
        obj.load()
    obj = skelgen.open_object(path, btf="/nowhere/vmlinux")
    with pytest.raises(FileNotFoundError):
        obj.load()


def test_a_kernel_without_btf_loads_what_needs_no_types_of_it(
    compile_bpf: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_btf, "_vmlinux", Once(kernel_btf._read_vmlinux))
    monkeypatch.setattr(kernel_btf, "VMLINUX", "/nowhere/vmlinux")
    monkeypatch.setattr(kernel_btf, "_ELF_PATHS", ())
    obj = skelgen.open_object(compile_bpf("core_fields"))
    with pytest.raises(KernelBtfError, match="CONFIG_DEBUG_INFO_BTF"):
        obj.load()
    # what needs no types of the kernel can be loaded
    with skelgen.open_object(compile_bpf("maps_plain")) as obj:
        obj.load()
    with skelgen.open_object(compile_bpf("core_fields"), btf=VMLINUX) as obj:
        obj.load()


def test_the_index_is_kept_for_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKELGEN_CACHE", str(tmp_path / "skelgen"))
    monkeypatch.setattr(kernel_btf, "_vmlinux", Once(kernel_btf._read_vmlinux))
    built = kernel_btf.vmlinux()
    (file,) = (tmp_path / "skelgen").iterdir()
    assert file.stat().st_size > 100_000
    monkeypatch.setattr(kernel_btf, "_vmlinux", Once(kernel_btf._read_vmlinux))
    taken = kernel_btf.vmlinux()
    for name, kind in (
        ("task_struct", Kind.STRUCT),
        ("bpf_task_from_pid", Kind.FUNC),
        ("pid_type", Kind.ENUM),
        ("nothing_of_that_name", Kind.STRUCT),
    ):
        assert taken.find(name, kind) == built.find(name, kind)
        assert taken.candidates(name, kind) == built.candidates(name, kind)
