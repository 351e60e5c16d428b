"""What libbpf gives to the kernel, byte for byte: instructions, records, BTF, maps.

``libbpf_capture.c`` runs libbpf against a kernel that it makes up, so that this needs
no privilege and covers what the kernel here would refuse.
"""

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from skelgen.btf.parse import Btf
from skelgen.elf import read_object
from skelgen.model.enums import MapType, ProgType
from skelgen.model.linked import Linked, Linker
from skelgen.model.spec import DataSpec, MapFd, MapSpec, MapValue, ObjectSpec
from tests.harness import sources

CAPTURE = Path(__file__).with_name("libbpf_capture.c")

# Debian's libbpf is 1.1, of 2022.
REFUSED = {
    "maps_inner_struct.clang14": "BTF has no size for a struct of its, which DWARF has",
    "externs_missing": "the kernel function is made up",
    "load_partly": "its kernel function is made up",
    "jump_table": "no jump tables before libbpf 1.7",
    "maps_arena": "no arenas and no __ulong before libbpf 1.4",
    "prog_freplace": "needs a program to replace",
    "prog_on_programs": "needs a program to replace",
    "prog_module": "no names of modules before libbpf 1.3",
    "prog_tracing": "no names of modules before libbpf 1.3",
    "sched_weighted": ".struct_ops.link, with all that uses a program, is unknown",
    "struct_ops_forms": ".struct_ops.link, with all that uses a program, is unknown",
    "struct_ops_shadow": "the kernel operations are made up",
}
NEWER_SECTIONS = {
    "prog_cgroup_unix": "no unix sockets before libbpf 1.3",
    "prog_kprobe_session": "no sessions before libbpf 1.5",
    "prog_netfilter": "no netfilter before libbpf 1.3",
    "prog_tc": "tc/ingress means tcx since libbpf 1.3",
    "prog_tcx": "no tcx before libbpf 1.3",
}
"""Programs whose type is not to be found in the section's name."""
SKIPPED_CALLBACKS = {"subprogs_exception": "no exceptions before libbpf 1.4"}
NO_LINK_SECTIONS = {
    "life": ".struct_ops.link since libbpf 1.2",
    "struct_ops_link": ".struct_ops.link since libbpf 1.2",
    "struct_ops_tcp": ".struct_ops.link since libbpf 1.2",
}
OTHER_BTF = {
    "linkage": "hidden variables are not static before libbpf 1.3",
    "sections_bss": "no .bss.x before libbpf 1.2",
}
# Maps whose types libbpf keeps from the kernel, which wants none.
NO_TYPES = {
    MapType.PERF_EVENT_ARRAY,
    MapType.STACK_TRACE,
    MapType.CGROUP_ARRAY,
    MapType.ARRAY_OF_MAPS,
    MapType.HASH_OF_MAPS,
    MapType.DEVMAP,
    MapType.DEVMAP_HASH,
    MapType.CPUMAP,
    MapType.XSKMAP,
    MapType.SOCKMAP,
    MapType.SOCKHASH,
    MapType.QUEUE,
    MapType.STACK,
}
RINGS = {MapType.RINGBUF, MapType.USER_RINGBUF}
RDONLY_PROG, MMAPABLE = 1 << 7, 1 << 10
PSEUDO_MAP_FD, PSEUDO_MAP_VALUE = 1, 2


class Record(NamedTuple):
    kind: str
    fields: dict[str, str]

    def number(self, name: str) -> int:
        return int(self.fields[name])

    def data(self, name: str) -> bytes:
        return bytes.fromhex(self.fields[name])


@pytest.fixture(scope="session")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program, with Debian's libbpf-dev."""
    if shutil.which("cc") is None or not Path("/usr/include/bpf/libbpf.h").exists():
        pytest.skip("needs cc and libbpf (Debian packages gcc and libbpf-dev)")
    program = tmp_path_factory.mktemp("capture") / "capture"
    subprocess.run(
        ["cc", "-O1", "-Wall", "-Werror", "-o", program, CAPTURE, "-lbpf"], check=True
    )
    return program


def run(capture: Path, path: Path) -> list[Record] | None:
    done = subprocess.run([capture, path], capture_output=True, text=True, check=False)
    if done.returncode:
        assert done.returncode == 1
        return None
    records = []
    for line in done.stdout.splitlines():
        kind, *fields = line.split("\t")
        records.append(Record(kind, dict(f.split("=", 1) for f in fields)))
    return records


def test_the_kernel_gets_the_same_as_from_libbpf(
    capture: Path, bpf_source: sources.Source, tmp_path: Path
) -> None:
    path = tmp_path / f"{bpf_source.name}.bpf.o"  # the folder must not matter
    shutil.copy(sources.compiled(bpf_source), path)
    compare(capture, path, bpf_source.name)


OBJECTS = sorted(
    path
    for path in (sources.DATA / "objects").glob("*.o")
    if ".big." not in path.name  # libbpf does not load the other byte order
)


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_committed_objects_give_the_kernel_the_same_as_libbpf(
    capture: Path, path: Path
) -> None:
    name = path.name.removesuffix(".bpf.o")
    compare(capture, path, name if name in REFUSED else name.partition(".")[0])


def compare(capture: Path, path: Path, name: str) -> None:
    spec = read_object(path.read_bytes(), name=name, source=path.name)
    records = run(capture, path)
    if name in REFUSED:
        assert records is None, "libbpf has become newer"
        return
    assert records is not None, "libbpf refuses what skelgen reads"
    files = compare_maps(spec, records, name)
    compare_programs(spec, records, name, files)
    if spec.btf is not None and name not in OTHER_BTF:
        compare_btf(bytes(spec.view(spec.btf)), records)


def compare_maps(spec: ObjectSpec, records: list[Record], name: str) -> dict[str, int]:
    """Compare maps; return file descriptors by map and section."""
    theirs = [record for record in records if record.kind == "MAP"]
    files: dict[str, int] = {}
    expected = [*spec.maps, *spec.data]
    if name not in NO_LINK_SECTIONS:
        expected += spec.struct_ops
    assert len(theirs) == len(expected)
    for one, record in zip(expected, theirs, strict=True):
        if isinstance(one, MapSpec):
            assert declared(record) == wanted(one, record)
            files[one.name] = record.number("fd")
        elif isinstance(one, DataSpec):
            flags = (RDONLY_PROG if one.readonly else 0) | (
                MMAPABLE if one.mmapable and name not in OTHER_BTF else 0
            )
            assert record.number("value") == one.size
            assert record.number("value_id") == one.type_id
            if name not in OTHER_BTF:
                assert record.number("flags") == flags
            files[one.section] = record.number("fd")
        else:
            assert record.fields["name"] == one.name
            assert record.number("type") == MapType.STRUCT_OPS
    return files


def declared(record: Record) -> tuple[object, ...]:
    names = ("type", "key", "value", "max", "flags", "extra", "numa")
    ids = (record.number("key_id"), record.number("value_id"))
    return (record.fields["name"], *map(record.number, names), *ids)


def wanted(one: MapSpec, record: Record) -> tuple[object, ...]:
    entries = one.max_entries
    if one.type in RINGS or (one.type is MapType.PERF_EVENT_ARRAY and not entries):
        entries = record.number("max")  # decided when loaded
    ids = (0, 0) if one.type in NO_TYPES else (one.key_type_id, one.value_type_id)
    return (
        one.name,
        int(one.type),
        one.key_size,
        one.value_size,
        entries,
        one.flags,
        one.map_extra,
        one.numa_node or 0,
        *ids,
    )


def compare_programs(
    spec: ObjectSpec, records: list[Record], name: str, files: dict[str, int]
) -> None:
    theirs = [record for record in records if record.kind == "PROGRAM"]
    loads = iter([record for record in records if record.kind == "LOAD"])
    assert [record.fields["name"] for record in theirs] == [
        program.name for program in spec.programs
    ]
    linker = Linker(spec)
    for program, record in zip(spec.programs, theirs, strict=True):
        linked = linker.link(program)
        assert record.fields["section"] == program.section.removeprefix("?")
        insns = record.data("insns")
        if name in SKIPPED_CALLBACKS and len(insns) != 8 * len(linked):
            continue
        assert relocated(linked, files, insns) == insns, program.name
        # Between them, libbpf loads others to see what the kernel can do.
        load = next(
            load
            for load in loads
            if load.fields["name"] == program.name[:15] and load.data("insns") == insns
        )
        assert load.fields["license"] == spec.license
        if program.type is not ProgType.UNSPEC and name not in NEWER_SECTIONS:
            assert load.number("type") == program.type
            assert load.number("flags") == program.flags
            if program.type is not ProgType.STRUCT_OPS:  # there, a member's index
                assert load.number("attach") == program.attach_type
        assert load.data("func") == linked.func_info
        assert load.data("line") == linked.line_info


def relocated(program: Linked, files: dict[str, int], theirs: bytes) -> bytes:
    """Return our instructions, with what the kernel decides taken from theirs."""
    ours = program.code()
    assert len(ours) == len(theirs)
    for reloc in program.relocs:
        place = 8 * reloc.insn
        if isinstance(reloc, MapFd):
            ours[place + 1] |= PSEUDO_MAP_FD << 4
            struct.pack_into("=i", ours, place + 4, files[reloc.map])
        elif isinstance(reloc, MapValue):
            ours[place + 1] |= PSEUDO_MAP_VALUE << 4
            struct.pack_into("=i", ours, place + 4, files[reloc.section])
            struct.pack_into("=I", ours, place + 12, reloc.offset)
        else:
            end = place + width(ours, place)
            assert ours[place] == theirs[place]
            ours[place:end] = theirs[place:end]
    for (insn, *_), end in core_places(program, ours):
        ours[8 * insn : end] = theirs[8 * insn : end]
    return bytes(ours)


def core_places(
    program: Linked, insns: bytearray
) -> Iterator[tuple[tuple[int, ...], int]]:
    for record in struct.iter_unpack("=4I", program.core_relos):
        yield record, 8 * record[0] + width(insns, 8 * record[0])


def width(insns: bytearray, place: int) -> int:
    return 16 if insns[place] == 0x18 else 8


def compare_btf(raw: bytes, records: list[Record]) -> None:
    """Compare all types; libbpf probes features with other, small BTF."""
    ours = Btf(raw)
    expected = [*map(ours.type, ours.ids())]
    found = [record.data("data") for record in records if record.kind == "BTF"]
    for data in found:
        theirs = Btf(data)
        if len(theirs) == len(ours):
            assert [*map(theirs.type, theirs.ids())] == expected
            return
    pytest.fail(f"libbpf loads BTF of {sorted({len(Btf(data)) for data in found})}")
