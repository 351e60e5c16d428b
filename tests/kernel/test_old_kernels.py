"""Every fallback for an older kernel, driven on this one with the feature masked.

Real objects are loaded into the real kernel, which refuses what the older one did not
know (``tests/harness/masked_kernel.py``); then they have to work. The last part does
it by kernel: what loads on one like 5.4, 5.10, 5.15, and what is said of the rest.
"""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import skelgen
from skelgen.model.enums import AttachType, MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import (
    BpfError,
    BpfOSError,
    KernelBtfError,
    NotSupportedError,
    StateError,
)
from skelgen.runtime.kernel import features
from skelgen.runtime.links.attached import AttachedLink
from skelgen.runtime.links.perf_event import PerfEventLink
from skelgen.runtime.maps.ringbuf import RingBuf
from skelgen.runtime.object.object import Object
from tests.harness import elf_builder as eb
from tests.harness import privilege
from tests.harness.masked_kernel import FEATURES, masked
from tests.harness.places import Cgroup
from tests.kernel.test_load_objects import variable

pytestmark = pytest.mark.any_kernel
Compile = Callable[..., Path]
PACKET = bytes(64)


@pytest.fixture
def opened(compile_bpf: Compile) -> Iterator[Callable[..., Object]]:
    """Return a function that opens a fixture, destroyed at the end."""
    made: list[Object] = []

    def open_fixture(name: str, *programs: str, **options: object) -> Object:
        if name == "externs_kfuncs":
            privilege.require_kfunc("bpf_task_from_pid", "6.2")
        obj = skelgen.open_object(compile_bpf(name), **options)  # type: ignore[arg-type] # options of every kind
        made.append(obj)
        for program in obj.programs.values():
            if programs:
                program.autoload = program.name in programs
        return obj

    yield open_fixture
    for obj in made:
        obj.destroy()


Open = Callable[..., Object]


def counts(obj: Object) -> None:
    """Run ``globals_live`` and see its variables change, by the kernel and by us."""
    before = variable(obj, "counter")
    obj.programs["count"].test_run(PACKET)
    assert variable(obj, "counter") == before + 1
    assert variable(obj, "negative") == -6
    assert variable(obj, "custom") == 14


# -- programs and maps ---------------------------------------------------------


def test_without_names_an_object_loads_and_works_nameless(opened: Open) -> None:
    obj = opened("globals_live")
    with masked("names") as kernel:
        obj.load()
        assert kernel.refused["names"] > 1
        assert features.PROG_NAME.supported() is False
    assert obj.programs["count"].info().name == ""
    for name in (".bss", ".data"):
        fd = obj.maps[name].fd()
        assert syscalls.map_info(fd).name == ""
    counts(obj)


def test_without_expected_attach_type_a_program_still_works(opened: Open) -> None:
    obj = opened("prog_xdp", "pass")
    with masked("expected_attach_type") as kernel:
        obj.load()
        assert kernel.refused
    obj.programs["pass"].test_run(PACKET)
    assert variable(obj, "packets") == 1


def test_globals_that_cannot_be_mapped_are_reached_by_system_calls(
    opened: Open,
) -> None:
    obj = opened("globals_live")
    with masked("array_mmap") as kernel:
        obj.load()
        assert kernel.refused["array_mmap"] > 1
        # and with a write from outside, through system calls
        section = obj.sections[".data"]
        counts(obj)
        image = section.read()
        section.write(bytes(len(image)))
        obj.programs["count"].test_run(PACKET)
        assert variable(obj, "counter") == 1
        section.write(image)
        assert variable(obj, "counter") == 101
        with pytest.raises(StateError):
            obj.sections[".rodata"].write(bytes(4))
    fd = obj.maps[".bss"].fd()
    assert not syscalls.map_info(fd).flags & 1 << 10


def test_without_global_data_only_an_object_with_globals_fails(opened: Open) -> None:
    with masked("global_data", "rdonly_prog", "map_freeze", "array_mmap") as kernel:
        with pytest.raises(BpfError, match="no global data") as caught:
            opened("globals_live").load()
        assert kernel.refused["global_data"]
        assert "Linux 5.2" in str(caught.value)
        obj = opened("maps_plain")  # has none
        obj.load()
    assert obj.programs["count"].loaded


def test_without_bind_map_an_object_still_works(opened: Open) -> None:
    obj = opened("globals_live")
    with masked("bind_map") as kernel:
        obj.load()
        assert kernel.refused == {"bind_map": 1}
    counts(obj)


def test_without_probe_read_kernel_the_older_helper_reads(opened: Open) -> None:
    lacking = (
        "bpf_probe_read_kernel",
        "bpf_probe_read_user",
        "bpf_probe_read_kernel_str",
        "bpf_probe_read_user_str",
    )
    obj = opened("bootstrap")
    with masked(*lacking) as kernel:
        obj.load()
        assert kernel.refused["helpers"] >= 2
        with obj:
            obj.attach()
            child = subprocess.Popen(["/bin/true"])
            child.wait()
            mine = [
                record
                for record in _records(obj)
                if int.from_bytes(record[4:8], sys.byteorder) == child.pid
            ]
    assert mine, "no event of the process"
    parents = {int.from_bytes(record[8:12], sys.byteorder) for record in mine}
    assert parents == {os.getpid()}  # read with bpf_probe_read


def _records(obj: Object) -> list[bytes]:
    ring = obj.maps["rb"]
    assert isinstance(ring, RingBuf)
    return [bytes(record) for record in ring.consume()]


def test_a_ring_buffer_that_the_kernel_lacks_is_an_error_that_says_so(
    opened: Open,
) -> None:
    with masked("map RINGBUF"):
        assert features.map_type("ringbuf").supported is False
        with pytest.raises(BpfOSError, match=r"map 'rb': BPF_MAP_CREATE.*EINVAL") as e:
            opened("ringbuf").load()
    assert any("RINGBUF" in note for note in e.value.__notes__)


def test_without_batches_a_map_is_still_read_whole(opened: Open) -> None:
    obj = opened("maps_plain")
    with masked("batches") as kernel:
        obj.load()
        fd = obj.maps["lru_hash"].fd()
        for key in range(5):
            syscalls.map_update(fd, key.to_bytes(8, "little"), bytes(4))
        assert len(list(obj.maps["lru_hash"])) == 5  # type: ignore[call-overload] # a mapping
        assert kernel.refused["batches"] >= 1


# -- BTF -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lacking", "name", "program"),
    [
        (("btf",), "globals_live", "count"),
        (("btf",), "subprogs", "first"),
        (("btf_func",), "subprogs", "first"),
        (("btf_global_func",), "subprogs", "first"),
        (("btf_datasec",), "globals_live", "count"),
        (("btf_float",), "types_scalars", "sum"),
        (("btf_decl_tag",), "tags", "use"),
        (("btf_type_tag",), "tags", "use"),
        (("btf_decl_tag", "btf_type_tag", "btf_datasec"), "tags", "use"),
        (("btf_enum64",), "core_enums", None),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, tuple) else str(value),
)
def test_btf_is_put_in_words_that_the_kernel_knows(
    opened: Open, lacking: tuple[str, ...], name: str, program: str | None
) -> None:
    obj = opened(name)
    with masked(*lacking) as kernel:
        obj.load()
        assert set(lacking) & kernel.refused.keys()  # the first that it meets
    found = obj.programs[program or next(iter(obj.programs))]
    info = found.info()
    has_functions = not {"btf", "btf_func"} & set(lacking)
    assert (info.btf_id != 0) is has_functions
    if program is not None:
        found.test_run(PACKET)


def test_prototypes_without_names_of_parameters_keep_their_btf() -> None:
    """As enumerations they need names, or the kernel takes none of the BTF (4.19)."""
    elf, maps = eb.ElfBuilder(), eb.MapBtf()
    btf = maps.btf
    proto = btf.add_func_proto(0, [("", maps.int), ("", 0)])
    value = btf.add_struct("value", 8, [("call", btf.add_ptr(proto), 0)])
    struct = maps.struct(
        {
            "type": maps.uint(MapType.ARRAY),
            "max_entries": maps.uint(1),
            "key": maps.ptr(maps.int),
            "value": maps.ptr(value),
        }
    )
    maps.map("calls", struct, 32)
    maps.finish(elf)
    with masked(kernel="4.19") as kernel:
        obj = skelgen.open_object(elf.bytes(), source_name="nameless.bpf.o")
        obj.load()
        assert kernel.refused["btf_func"]
        assert "btf_names" not in kernel.refused
    with obj:
        assert syscalls.map_info(obj.maps["calls"].fd()).btf_id != 0


def test_a_question_mark_in_a_section_name_does_not_stop_the_load(opened: Open) -> None:
    """An optional struct_ops variable is in a section whose name begins with one."""
    obj = opened("struct_ops")
    with masked("btf_qmark"):
        try:
            obj.load()
        except BpfOSError as error:
            pytest.skip(f"struct_ops of this kernel: {error}")
    assert any(program.loaded for program in obj.programs.values())


def test_missing_kernel_btf_fails_only_what_needs_it(opened: Open) -> None:
    with masked("kernel_btf"):
        opened("globals_live").load()  # needs none
        with pytest.raises(KernelBtfError, match="CONFIG_DEBUG_INFO_BTF"):
            opened("core_fields").load()
    obj = opened("core_fields", btf="/sys/kernel/btf/vmlinux")
    with masked("kernel_btf"):
        obj.load()  # with types from a file


def test_without_btf_of_modules_kernel_functions_still_load(opened: Open) -> None:
    obj = opened("externs_kfuncs")
    with masked("module_btf"):
        assert features.MODULE_BTF.supported() is False
        obj.load()
    assert all(p.loaded for p in obj.programs.values() if p.autoload)


# -- links ---------------------------------------------------------------------


def test_without_perf_links_a_tracepoint_still_fires(opened: Open) -> None:
    obj = opened("prog_tracepoint", "on_getppid")
    with masked("perf_links") as kernel:
        obj.load()
        link = obj.programs["on_getppid"].attach()
        assert kernel.refused
        assert isinstance(link, PerfEventLink)
        before = variable(obj, "ppids")
        os.getppid()
        assert variable(obj, "ppids") > before
        with pytest.raises(NotSupportedError, match="attach cookie"):
            obj.programs["on_getppid"].attach(cookie=1)
        link.destroy()


def test_without_cgroup_links_a_program_is_attached_and_taken_off(
    opened: Open, cgroup: Cgroup
) -> None:
    obj = opened("prog_cgroup")
    program = next(
        p
        for p in obj.programs.values()
        if p.attach_type == AttachType.CGROUP_INET4_CONNECT
    )
    for each in obj.programs.values():
        each.autoload = each is program
    with masked("links") as kernel:
        obj.load()
        link = program.attach(cgroup.path)
        assert isinstance(link, AttachedLink)
        assert kernel.refused["links"] == 1
        directory = os.open(cgroup.path, os.O_RDONLY)
        hook = AttachType.CGROUP_INET4_CONNECT
        try:
            assert program.info().id in syscalls.prog_query(directory, hook).prog_ids
            link.destroy()
            assert not syscalls.prog_query(directory, hook).prog_ids
        finally:
            os.close(directory)


def test_without_tracing_links_a_program_is_still_attached(opened: Open) -> None:
    obj = opened("prog_raw_tracepoint")
    names = [
        p.name
        for p in obj.programs.values()
        if p.attach_type == AttachType.TRACE_RAW_TP and p.attach_target
    ]
    for each in obj.programs.values():
        each.autoload = each.name in names[:1]
    with masked("tracing_links") as kernel:
        obj.load()
        with obj.programs[names[0]].attach() as link:
            assert kernel.refused == {"tracing_links": 1}
            assert link.info().prog_id == obj.programs[names[0]].info().id


def test_a_missing_uprobe_multi_link_is_noticed() -> None:
    with masked("uprobe_multi"):
        assert features.UPROBE_MULTI_LINK.supported() is False
        assert features.attach_type("trace_uprobe_multi").supported is False


# -- rights and memory ---------------------------------------------------------

MEMLOCK = """
import resource, sys, skelgen
from skelgen.runtime.kernel import features
from tests.harness.masked_kernel import masked
_, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, hard))
with masked("memcg", "bpf_ktime_get_coarse_ns") as kernel:
    with skelgen.open_object(sys.argv[1]) as obj:
        obj.load()
    assert kernel.refused["memcg"] == 1, kernel.refused
    assert features.MEMCG_ACCOUNT.supported() is False
soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
assert soft in {hard, resource.RLIM_INFINITY}, soft
"""


def test_memory_that_is_counted_against_a_limit_raises_that_limit(
    compile_bpf: Compile,
) -> None:
    path = compile_bpf("globals_live")
    done = subprocess.run(
        [sys.executable, "-c", MEMLOCK, str(path)],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_a_token_on_a_kernel_without_tokens_is_an_error(opened: Open) -> None:
    with masked("tokens"), pytest.raises(BpfOSError, match="BPF_TOKEN_CREATE") as e:
        opened("globals_live", token="/sys/fs").load()  # noqa: S106 - a path
    assert e.value.errno == errno.EINVAL


# -- by kernel -----------------------------------------------------------------

# what each says: nothing where it loads
ERAS = {
    "5.4": {
        "minimal": "",
        "xdp_count": "",
        "bootstrap": r"map 'rb': BPF_MAP_CREATE.*EINVAL",
        "globals_live": "",
        "maps_plain": "",
        "subprogs": "",
        "tags": "",
        "types_scalars": "",
        "prog_tracepoint": "",
        "core_fields": "",
        "externs_kfuncs": r"unrecognized bpf_ld_imm64 insn",
        "maps_storage": r"map '\w+': BPF_MAP_CREATE.*EINVAL",
    },
    "5.10": {
        "minimal": "",
        "bootstrap": "",
        "ringbuf": "",
        "core_fields": "",
        "core_enums": "",
        "tags": "",
        "types_scalars": "",
        "externs_kfuncs": r"unknown opcode|refused|kernel function",
        "subprogs_callbacks": r"unrecognized bpf_ld_imm64|refused",
    },
    "5.15": {
        "minimal": "",
        "bootstrap": "",
        "ringbuf": "",
        "core_fields": "",
        "externs_kfuncs": "",
        "tags": "",
        "maps_storage": r"map '\w+': BPF_MAP_CREATE.*EINVAL",
    },
}
CASES = [(kernel, *case) for kernel, some in ERAS.items() for case in some.items()]


@pytest.mark.parametrize(("kernel", "name", "says"), CASES)
def test_each_kernel_loads_or_refuses_an_object_as_listed(
    opened: Open, kernel: str, name: str, says: str
) -> None:
    with masked(kernel=kernel) as mask:
        obj = opened(name)
        if not says:
            obj.load()
            assert all(p.loaded for p in obj.programs.values() if p.autoload)
            return
        with pytest.raises(BpfError, match=says) as caught:
            obj.load()
        assert mask.refused
        assert str(caught.value)


@pytest.mark.parametrize("kernel", ["4.18", "5.4", "5.10", "5.15", "6.1", "6.12"])
def test_the_named_features_of_a_kernel_are_what_their_trials_find(kernel: str) -> None:
    """What a feature says of its first kernel is what its trial finds."""

    def number(text: str) -> tuple[int, int]:
        major, minor = map(int, text.split("."))
        return major, minor

    if not privilege.kernel_at_least(*number(kernel)):
        pytest.skip(f"the kernel below the mask has to be Linux {kernel} or later")
    unmaskable = {  # files, numbers of system calls: no part of bpf(2)
        "KPROBE_PMU",
        "UPROBE_PMU",
        "UPROBE_SYSCALL",
        "SYSCALL_WRAPPER",
        "ARG_CTX_TAG",  # a meaning, and no form
        "LDIMM64_FULL_RANGE",
        "PERCPU_FLAGS",  # a value of a flag
        "BTF_LAYOUT",
        "COMMON_ATTRS",
    }
    wrong = {}
    with masked(kernel=kernel):
        for name, feature in features.named().items():
            if name in unmaskable:
                continue
            wanted = number(feature.since) <= number(kernel)
            if feature.supported() is not wanted:
                wrong[name] = (feature.since, feature.answer())
    assert not wrong


@pytest.mark.parametrize("kernel", ["5.4", "5.15"])
def test_the_types_of_a_kernel_are_told_as_it_has_them(kernel: str) -> None:
    with masked(kernel=kernel):
        assert not features.map_type("bloom_filter")
        assert bool(features.map_type("ringbuf")) is (kernel != "5.4")
        assert not features.attach_type("tcx_ingress")
        assert bool(features.attach_type("xdp")) is (kernel != "5.4")
        assert not features.helper("bpf_loop", "xdp")
        assert features.helper("bpf_map_lookup_elem", "xdp")
        assert not features.program_type("netfilter")
        assert bool(features.program_type("sk_lookup")) is (kernel != "5.4")


def test_the_masks_have_the_kernels_of_the_features() -> None:
    ours = {f.since for f in features.named().values()}
    theirs = {since for since, _ in FEATURES.values()}
    assert {"4.15", "5.2", "5.5", "5.10", "5.11", "5.15", "6.0", "6.9"} <= ours & theirs
    assert MapType.RINGBUF
