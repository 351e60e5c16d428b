"""Fixtures of one feature each, run: what they use is there, and is the right thing."""

import contextlib
import errno
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import skelgen
from skelgen.btf.layout import section_vars
from skelgen.btf.parse import Btf
from skelgen.btf.types import Kind
from skelgen.runtime import SyscallProgram, syscalls
from skelgen.runtime.errors import BpfError, BpfOSError, NotSupportedError
from skelgen.runtime.object.object import Object
from tests.harness import privilege
from tests.harness.places import NetworkNamespace
from tests.harness.programs import LoadProgram

Compile = Callable[[str], Path]
PACKET = bytes(64)


class Place(NamedTuple):
    """Where a global variable is."""

    section: str
    offset: int
    size: int


def place_of(obj: Object, name: str) -> Place:
    assert obj.spec.btf is not None
    btf = Btf(obj.spec.view(obj.spec.btf))
    for section in obj.sections:
        for var in section_vars(btf, btf.find(section, Kind.DATASEC) or 0):
            if var.name == name:
                return Place(section, var.offset, var.size)
    raise KeyError(name)


def variable(obj: Object, name: str) -> int:
    """Return an integer of any data section, by its name."""
    place = place_of(obj, name)
    data = obj.sections[place.section].read(place.offset, place.size)
    return int.from_bytes(data, sys.byteorder, signed=True)


@contextlib.contextmanager
def loaded(path: Path, *on: str, kfuncs: dict[str, str]) -> Iterator[Object]:
    """Load an object with programs that load on demand; or skip for a kfunc."""
    for kfunc, since in kfuncs.items():
        privilege.require_kfunc(kfunc, since)
    with skelgen.open_object(path) as obj:
        for name in on:
            obj.programs[name].autoload = True
        obj.load()
        yield obj


def test_of_two_flavours_of_a_function_the_kernels_own_is_called(
    compile_bpf: Compile,
) -> None:
    """Of two prototypes under one name the one that this kernel has."""
    path = compile_bpf("externs_flavours")
    with loaded(path, kfuncs={"bpf_task_from_pid": "6.2"}) as obj:
        assert obj.programs["look"].test_run(ctx=bytes(8)).retval == 1


def test_addresses_of_kernel_functions_are_those_of_kallsyms(
    compile_bpf: Compile,
) -> None:
    table = {}
    for line in Path("/proc/kallsyms").read_text("ascii").splitlines():
        address, kind, name, *module = line.split()
        if kind in "tT" and not module:
            table[name] = int(address, 16)
    with loaded(compile_bpf("externs_addresses"), kfuncs={}) as obj:
        obj.programs["read"].test_run(ctx=bytes(16))
        found = struct.unpack("=3Q", obj.sections[".bss"].read(0, 24))
    assert found == tuple(table[x] for x in ("do_exit", "bpf_map_new_fd", "schedule"))


def test_iterators_walk_numbers_and_tasks(compile_bpf: Compile) -> None:
    path = compile_bpf("iterators")
    kfuncs = {"bpf_iter_num_new": "6.4", "bpf_iter_task_new": "6.7"}
    with loaded(path, "count_tasks", kfuncs=kfuncs) as obj:
        obj.programs["add_numbers"].test_run(PACKET)
        assert variable(obj, "total") == 5050
        obj.programs["count_tasks"].test_run(ctx=bytes(8))
        processes = sum(path.name.isdigit() for path in Path("/proc").iterdir())
        assert variable(obj, "tasks") >= processes // 2


def test_lists_give_back_what_they_took_and_trees_take_nodes(
    compile_bpf: Compile,
) -> None:
    path = compile_bpf("maps_graph")
    with loaded(path, kfuncs={"bpf_rbtree_add_impl": "6.6"}) as obj:
        assert obj.programs["push_and_pop"].test_run(PACKET).retval == 0
        assert variable(obj, "popped") == 7
        for _ in range(5):
            assert obj.programs["plant"].test_run(PACKET).retval == 0


def test_kept_pointers_are_exchanged_at_each_run(compile_bpf: Compile) -> None:
    path = compile_bpf("maps_kptr")
    with loaded(path, kfuncs={"bpf_task_acquire": "6.2"}) as obj:
        for _ in range(2):
            assert obj.programs["keep"].test_run(ctx=bytes(8)).retval == 0
        value = bytearray(16)
        assert syscalls.map_lookup(obj.map("tasks").fd(), bytes(4), value)
        assert int.from_bytes(value[:8], sys.byteorder) == 2


def test_a_hash_of_maps_finds_values_of_its_inner_maps(compile_bpf: Compile) -> None:
    with loaded(compile_bpf("maps_nested_hash"), kfuncs={}) as obj:
        obj.programs["count"].test_run(PACKET)
        assert variable(obj, "found") == -1
        key = (5).to_bytes(8, sys.byteorder)
        nine = (9).to_bytes(4, sys.byteorder)
        syscalls.map_update(obj.map("green").fd(), key, nine)
        obj.programs["count"].test_run(PACKET)
        assert variable(obj, "found") == 9


def test_operations_of_bpf_dummy_ops_are_run_by_the_kernel(
    compile_bpf: Compile,
) -> None:
    """``bpf_dummy_ops``: function members called with what we give them."""
    if not privilege.kernel_at_least(5, 16):
        pytest.skip("needs bpf_dummy_ops, Linux 5.16")
    with loaded(compile_bpf("struct_ops_dummy"), kfuncs={}) as obj:
        # an array of u64 arguments, the first a pointer to the state, or NULL
        run = obj.programs["first"].test_run(ctx=struct.pack("=Q", 0))
        assert run.retval == 0xF2F3F4F5


def test_a_program_is_tied_to_operations_for_good(
    compile_bpf: Compile, load: LoadProgram
) -> None:
    """``BPF_PROG_ASSOC_STRUCT_OPS``: to one map, as often as one likes."""
    if not privilege.kernel_at_least(5, 16):
        pytest.skip("needs bpf_dummy_ops, Linux 5.16")
    program = load("syscall", SyscallProgram)
    path = compile_bpf("struct_ops_dummy")
    with loaded(path, kfuncs={}) as obj, loaded(path, kfuncs={}) as other:
        ops = obj.struct_ops["dummy"]
        if not privilege.kernel_at_least(6, 19):
            with pytest.raises(NotSupportedError, match=r"Linux 6\.19 has it"):
                program.assoc_struct_ops(ops)
            return
        program.assoc_struct_ops(ops)
        program.assoc_struct_ops(ops.fd())
        with pytest.raises(BpfOSError, match="EBUSY") as caught:
            program.assoc_struct_ops(other.struct_ops["dummy"])
        assert "tied to another struct_ops map" in caught.value.__notes__[0]
        with pytest.raises(BpfError, match="belongs to the struct_ops maps"):
            obj.programs["first"].assoc_struct_ops(ops)


def test_bounded_loops_run_and_work_queues_start(compile_bpf: Compile) -> None:
    path = compile_bpf("prog_newer")
    with loaded(path, kfuncs={"bpf_wq_init": "6.10"}) as obj:
        assert obj.programs["loop"].test_run(ctx=bytes(8)).retval == 1000
        assert obj.programs["start"].test_run(PACKET).retval == 0
        assert obj.programs["undisturbed"].test_run(PACKET).retval == 0


# -- modules -------------------------------------------------------------------------


@pytest.fixture
def module() -> Iterator[Callable[[str], None]]:
    """Yield a function that loads a module of the running kernel, or skips."""
    loaded_here = []

    def load(name: str) -> None:
        if Path(f"/sys/module/{name}").exists():  # or it is part of the kernel
            return
        modprobe = shutil.which("modprobe") or pytest.skip("needs modprobe (kmod)")
        known = subprocess.run([modprobe, "-qn", name], check=False)
        if known.returncode:
            pytest.skip(f"this kernel has no module '{name}' to load")
        subprocess.run([modprobe, name], check=True)
        loaded_here.append(name)
        if not Path(f"/sys/kernel/btf/{name}").exists():
            pytest.skip(
                "this kernel has no BTF of modules, which are in Linux since 5.11"
            )

    yield load
    for name in reversed(loaded_here):
        subprocess.run(["modprobe", "-r", name], check=False)


def test_kernel_functions_of_a_module_are_called(
    compile_bpf: Compile, module: Callable[[str], None]
) -> None:
    module("nf_conntrack")
    with skelgen.open_object(compile_bpf("externs_module")) as obj:
        obj.load()  # not called, whether it is there or not
    with skelgen.open_object(compile_bpf("externs_module")) as obj:
        place = place_of(obj, "present")
        obj.sections[place.section].write(b"\1", place.offset)
        obj.load()
        assert obj.programs["look"].test_run(PACKET).retval == 2  # TC_ACT_SHOT
        assert variable(obj, "error") == -2  # ENOENT: no such connection


def test_functions_of_a_module_are_traced(
    compile_bpf: Compile, module: Callable[[str], None], netns: NetworkNamespace
) -> None:
    """By the module's name, and by their own alone; entry, exit and probes."""
    module("dummy")
    path = compile_bpf("prog_module")
    with loaded(path, "of_module", "by_name", "probe", kfuncs={}) as obj:
        obj.attach()
        netns.run("ip link add dummy9 type dummy")
        netns.run("ip link set dummy9 address 02:00:00:00:00:01 up")
        netns.call(_send, "dummy9")
        counts = [variable(obj, name) for name in ("entered", "left", "probed")]
        assert counts[0] == counts[1] == counts[2] > 0


def test_many_functions_of_a_module_are_attached_to_at_once(
    compile_bpf: Compile, module: Callable[[str], None]
) -> None:
    module("dummy")
    with loaded(compile_bpf("prog_module"), "many", kfuncs={}) as obj:
        try:
            link = obj.programs["many"].attach()
        except BpfOSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            pytest.skip("this kernel has no kprobe.multi (CONFIG_FPROBE)")
        link.destroy()


@pytest.fixture
def exclusive(compile_bpf: Compile) -> Iterator[Object]:
    if not privilege.kernel_at_least(6, 18):
        pytest.skip("this kernel has no maps of one program, in Linux since 6.18")
    with skelgen.open_object(compile_bpf("maps_exclusive")) as obj:
        yield obj


def test_maps_of_one_program_let_that_program_in(exclusive: Object) -> None:
    """The hash that we make is the kernel's, or it would not let the program in."""
    owner = exclusive.program("owner")
    exclusive.map("counts").exclusive_program = owner
    exclusive.map(".data").exclusive_program = "owner"
    exclusive.load()
    assert [owner.test_run().retval for _ in range(2)] == [5, 10]


@pytest.mark.parametrize("at", ["counts", ".data"])
def test_no_other_program_gets_in(exclusive: Object, at: str) -> None:
    exclusive.map(at).exclusive_program = "owner"
    exclusive.program("stranger").autoload = True
    report = exclusive.load(strict=False)
    assert list(report.programs) == ["stranger"]
    told = str(report.programs["stranger"])
    assert "why: a map that it uses is for another program alone" in told
    assert exclusive.program("owner").test_run().retval == 5


def _send(interface: str) -> None:
    import socket

    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, 0))
        sender.send(bytes(64))
