"""Kernel BTF: the same answers as the plain reader and bpftool, by name and fast."""

import itertools
import mmap
import os
import random
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skelgen.btf.build import BtfBuilder
from skelgen.btf.errors import BtfParseError
from skelgen.btf.index import KernelBtf
from skelgen.btf.kinds import Kind
from skelgen.btf.names import essential_name
from skelgen.btf.parse import Btf
from tests.harness.btf import (
    VMLINUX,
    as_bpftool,
    bpftool_types,
    every_kind,
    needs_bpftool,
    needs_kernel_btf,
)
from tests.harness.sources import ROOT

BYTEORDERS = ("little", "big")


def map_vmlinux() -> mmap.mmap:
    """Map the kernel's BTF as the runtime does."""
    fd = os.open(VMLINUX, os.O_RDONLY)
    size = os.fstat(fd).st_size
    try:
        return mmap.mmap(fd, size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
    except OSError:  # before Linux 6.16 it can only be read
        anonymous = mmap.mmap(-1, size)
        anonymous.write(VMLINUX.read_bytes())
        return anonymous
    finally:
        os.close(fd)


@pytest.fixture(scope="module")
def vmlinux() -> mmap.mmap:
    return map_vmlinux()


@pytest.fixture(scope="module")
def kernel(vmlinux: mmap.mmap) -> KernelBtf:
    return KernelBtf(vmlinux)


def libbpf_essential_name(name: str) -> str:
    """Apply libbpf's rule by the letter, character by character."""
    for at in range(len(name) - 5, -1, -1):
        x, sep, y = name[at], name[at + 1 : at + 4], name[at + 4]
        if x != "_" and sep == "___" and y != "_":
            return name[: at + 1]
    return name


@pytest.mark.parametrize(
    ("name", "essential"),
    [
        ("task_struct", "task_struct"),
        ("task_struct___old", "task_struct"),
        ("a___b___c", "a___b"),
        ("a____b", "a____b"),
        ("a___b____c", "a"),
        ("___b", "___b"),
        ("a___", "a___"),
        ("a___b___", "a"),
        ("___", "___"),
        ("", ""),
        ("a___1", "a"),
    ],
)
def test_the_essential_name_leaves_the_flavour_out(name: str, essential: str) -> None:
    assert essential_name(name) == libbpf_essential_name(name) == essential


@given(st.text("a_", max_size=14))
def test_essential_name_is_libbpfs(name: str) -> None:
    assert essential_name(name) == libbpf_essential_name(name)


@needs_kernel_btf
@needs_bpftool
def test_the_running_kernel_reads_as_bpftool_does(kernel: KernelBtf) -> None:
    expected = bpftool_types(VMLINUX)
    assert len(expected) == len(kernel) - 1
    # a step that divides nothing, so that all kinds and regions are met
    for entry in itertools.islice(expected, 0, None, 17):
        assert as_bpftool(kernel, entry["id"]) == entry
    kinds = {entry["kind"]: entry["id"] for entry in expected}
    for type_id in kinds.values():
        assert as_bpftool(kernel, type_id) == expected[type_id - 1]


@needs_kernel_btf
def test_names_of_the_running_kernel_are_all_found(kernel: KernelBtf) -> None:
    """Compare with a dictionary of all names, made the slow way."""
    names: dict[str, list[int]] = {}
    for type_id in kernel.ids():
        name = kernel.name(type_id)
        if name:
            names.setdefault(name, []).append(type_id)
    chance = random.Random(1)  # noqa: S311 - a test
    for name in chance.sample(sorted(names), 80):
        assert kernel.find_all(name) == names[name]
        assert kernel.find(name) == names[name][0]
        for kind in (Kind.STRUCT, Kind.FUNC, Kind.TYPEDEF, Kind.VAR, Kind.ENUM):
            wanted = [one for one in names[name] if kernel.kind(one) is kind]
            assert kernel.find_all(name, kind) == wanted
            assert kernel.find(name, kind) == (wanted[0] if wanted else None)
    assert kernel.find_all("no_such_name_here") == []


@needs_kernel_btf
def test_candidates_of_the_running_kernel_are_all_found(kernel: KernelBtf) -> None:
    wanted: dict[tuple[str, Kind], list[int]] = {}
    for type_id in kernel.ids():
        kind = kernel.kind(type_id)
        if kind in {Kind.STRUCT, Kind.ENUM, Kind.TYPEDEF, Kind.INT, Kind.UNION}:
            essential = libbpf_essential_name(kernel.name(type_id))
            wanted.setdefault((essential, kind), []).append(type_id)
    chance = random.Random(2)  # noqa: S311 - a test
    keys = [key for key in wanted if key[0]]
    several = [key for key in keys if len(wanted[key]) > 1]
    for key in chance.sample(keys, 300) + several:
        assert kernel.candidates(*key) == wanted[key]
    assert kernel.candidates("task_struct", Kind.UNION) == []


@needs_kernel_btf
def test_no_object_is_made_for_a_type(vmlinux: mmap.mmap) -> None:
    tracemalloc.start()
    try:
        btf = KernelBtf(vmlinux)
        found = btf.candidates("task_struct", Kind.STRUCT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == 1
    assert btf._cache == {}
    assert btf._named is None
    # 100,000 objects of 56 bytes and more would be twice this
    assert peak < 1.5 * len(vmlinux)


@needs_kernel_btf
def test_the_index_is_taken_up_again(vmlinux: mmap.mmap, kernel: KernelBtf) -> None:
    index = kernel.index_bytes()
    assert len(index) < len(vmlinux) / 2
    for data in (index, memoryview(index)):
        again = KernelBtf.from_index(vmlinux, data)
        assert len(again) == len(kernel)
        assert again.index_bytes() == index
        for name, kind in (
            ("task_struct", Kind.STRUCT),
            ("bpf_map_type", Kind.ENUM),
            ("u32", Kind.TYPEDEF),
        ):
            assert again.candidates(name, kind) == kernel.candidates(name, kind) != []
        assert again.find("vfs_open", Kind.FUNC) == kernel.find("vfs_open", Kind.FUNC)
        sample = kernel.find("task_struct", Kind.STRUCT)
        assert sample is not None
        assert again.type(sample) == kernel.type(sample)


def flavored(byteorder: str = "little") -> BtfBuilder:
    builder = BtfBuilder(byteorder)
    builder.add_struct("s", 4)  # 1
    builder.add_struct("s___old", 8)
    builder.add_union("s", 4)
    builder.add_struct("s____x", 4)
    builder.add_enum("e", [("A", 1)])  # 5
    builder.add_enum64("e___new", [("A", 1)])
    builder.add_struct("s", 12)
    builder.add_struct("s___a___b", 4)
    builder.add_struct("xs", 4)
    builder.add_typedef("s", 1)  # 10
    builder.add_func_proto(0, [("s", 1)])
    builder.add_func("s", 11)
    builder.add_var("s", 1)
    builder.add_datasec("s")
    return builder


@pytest.mark.parametrize("byteorder", BYTEORDERS)
@pytest.mark.parametrize("indexed", [False, True])
def test_candidates_are_found_by_name_and_kind(
    byteorder: str, *, indexed: bool
) -> None:
    data = flavored(byteorder).bytes()
    btf = KernelBtf(data)
    if indexed:
        btf = KernelBtf.from_index(data, btf.index_bytes())
    assert btf.candidates("s", Kind.STRUCT) == [1, 2, 7]
    assert btf.candidates("s___a", Kind.STRUCT) == [8]
    assert btf.candidates("s____x", Kind.STRUCT) == [4]
    assert btf.candidates("s___old", Kind.STRUCT) == []
    assert btf.candidates("s", Kind.UNION) == [3]
    assert btf.candidates("s", Kind.TYPEDEF) == [10]
    assert btf.candidates("e", Kind.ENUM) == [5, 6]
    assert btf.candidates("e", Kind.ENUM64) == [5, 6]
    assert btf.candidates("", Kind.STRUCT) == []
    assert btf.find_all("s") == [1, 3, 7, 10, 12, 13, 14] == Btf(data).find_all("s")
    assert btf.find("s", Kind.FUNC) == 12
    assert btf.find_all("s", Kind.VAR, Kind.FUNC) == [12, 13]
    assert btf.find("s", Kind.DATASEC) == 14


def test_names_that_end_like_others_share_no_search() -> None:
    """Two strings stored one in the other are still found."""
    builder = BtfBuilder()
    builder.add_struct("outer_s", 4)
    builder.add_struct("x", 4)
    # name the second by the end of the first's name
    builder._types[12:16] = builder._types[0:4]
    builder._types[12] += len("outer_")
    btf = KernelBtf(builder.bytes())
    assert btf.candidates("s", Kind.STRUCT) == [2]
    assert btf.find_all("s") == [2] == Btf(builder.bytes()).find_all("s")


@pytest.mark.parametrize("byteorder", BYTEORDERS)
def test_every_kind_is_read_alike(byteorder: str) -> None:
    data = every_kind(byteorder).bytes()
    plain, kernel = Btf(data), KernelBtf(data)
    again = KernelBtf.from_index(data, kernel.index_bytes())
    for type_id in plain.ids():
        assert plain.type(type_id) == kernel.type(type_id) == again.type(type_id)
        name = plain.name(type_id)
        assert plain.find_all(name) == kernel.find_all(name) == again.find_all(name)


def test_an_index_of_other_btf_is_refused() -> None:
    data = flavored().bytes()
    index = KernelBtf(data).index_bytes()
    other = bytearray(data)
    other[-2] ^= 1  # the last string differs, nothing else
    for broken, given_index in (
        (bytes(other), index),
        (every_kind().bytes(), index),
        (data, index[:-1]),
        (data, index + b"\0"),
        (data, index[:10]),
        (data, b""),
        (data, b"x" + index[1:]),
    ):
        with pytest.raises(BtfParseError, match="btf index"):
            KernelBtf.from_index(broken, given_index)


# Split BTF, as modules have it


@pytest.mark.parametrize("byteorder", BYTEORDERS)
@pytest.mark.parametrize("reader", [Btf, KernelBtf])
def test_split_btf_goes_on_where_its_base_ends(
    byteorder: str, reader: type[Btf]
) -> None:
    vmlinux = reader(flavored(byteorder).bytes())
    builder = BtfBuilder(base=vmlinux)
    assert builder.byteorder == byteorder
    first = builder.add_struct("first", 16, [("s", 1, 0), ("x", 1, 64)])
    builder.add_struct("s", 20)
    proto = builder.add_func_proto(0, [("p", first)])
    func = builder.add_func("mod_func", proto)
    module = reader(builder.bytes(), base=vmlinux)
    assert module.base is vmlinux
    assert first == module.start_id == len(vmlinux) == 15
    assert len(module) == 19
    assert module.ids() == range(15, 19)
    assert module.type(1) == vmlinux.type(1)
    assert module.kind(0) is Kind.VOID
    assert module.type(first) == (
        15,
        "first",
        16,
        (("s", 1, 0, 0), ("x", 1, 64, 0)),
        False,
    )
    assert module.name(func) == "mod_func"
    assert module.ref(func) == proto
    assert module.find("s", Kind.STRUCT) == 1
    assert module.find("s", Kind.STRUCT, own=True) == 16
    assert module.find_all("s", Kind.STRUCT) == [1, 7, 16]
    assert module.find("first") == first
    assert module.find("mod_func", Kind.FUNC) == func
    assert module.find("xs", own=True) is None
    assert vmlinux.find("first") is None
    if isinstance(module, KernelBtf):
        assert module.candidates("s", Kind.STRUCT) == [16]
        with pytest.raises(ValueError, match="split BTF"):
            module.index_bytes()
    third = BtfBuilder(base=module)
    third.add_typedef("later", func)
    on_top = reader(third.bytes(), base=module)
    assert on_top.name(19) == "later"
    assert on_top.name(18) == "mod_func"
    assert on_top.name(1) == "s"


def test_split_btf_may_use_names_of_its_base() -> None:
    base = KernelBtf(flavored().bytes())
    builder = BtfBuilder(base=base)
    builder._known[b"s"] = base.words[0]  # as pahole does
    type_id = builder.add_struct("s", 99)
    proto = builder.add_func_proto(0)
    func = builder.add_func("s", proto)
    module = KernelBtf(builder.bytes(), base=base)
    assert module.string_size == 0
    assert module.find_all("s", own=True) == [type_id, func]
    assert module.candidates("s", Kind.STRUCT) == [type_id]


def test_split_btf_without_its_base_is_refused() -> None:
    base = Btf(flavored().bytes())
    builder = BtfBuilder(base=base)
    builder.add_struct("m", 4)
    with pytest.raises(BtfParseError, match="does this BTF continue a base"):
        Btf(builder.bytes())
    with pytest.raises(BtfParseError, match="the other byte order"):
        Btf(builder.bytes(), base=Btf(flavored("big").bytes()))


def test_import_stays_light() -> None:
    """The runtime imports this in every process."""
    code = (
        "import sys; sys.path[:0] = ['.']; import skelgen.btf.index;"
        "print(*(m for m in sys.argv[1:] if m in sys.modules))"
    )
    heavy = ("typing", "re", "dataclasses", "inspect", "logging", "contextlib", "json")
    ours = ("skelgen.btf.types", "skelgen.btf.decode", "skelgen.btf.build")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, *heavy, *ours],
        capture_output=True,
        cwd=ROOT,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []
