"""``skelgen btf min``: what it writes beside what ``bpftool gen min_core_btf`` does."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from struct import unpack_from

import pytest
from click.testing import CliRunner, Result

from skelgen.btf.build import BtfBuilder
from skelgen.btf.core.reloc import CoreRelo, CoreRelocator, Value
from skelgen.btf.core.spec import ReloKind
from skelgen.btf.core.types import SpecError
from skelgen.btf.ext import BtfExt
from skelgen.btf.index import KernelBtf
from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.btf.types import Struct
from skelgen.build import btf_min
from skelgen.cli import main
from skelgen.cli.errors import warn
from skelgen.runtime.kernel.btf_file import read_btf
from tests.harness import sources
from tests.harness.btf import (
    VMLINUX,
    as_bpftool,
    bpftool_types,
    elf_section,
    needs_bpftool,
    needs_kernel_btf,
)

CompileBpf = Callable[..., Path]
EMPTY = 25
"""Bytes of BTF without types: a header and the empty string."""


def run(*arguments: str | Path) -> Result:
    words = ["btf", "min", *map(str, arguments)]
    return CliRunner().invoke(main, words, prog_name="skelgen")


def bpftool_min(output: Path, *objects: Path) -> Path:
    command = ["bpftool", "gen", "min_core_btf", VMLINUX, output, *objects]
    subprocess.run(command, check=True, capture_output=True)
    return output


def relocations(path: Path) -> tuple[Btf, list[CoreRelo]]:
    """Return an object's BTF and its CO-RE relocations, every one."""
    btf = Btf(elf_section(path, ".BTF") or BtfBuilder().bytes())
    data = elf_section(path, ".BTF.ext")
    if not data:
        return btf, []
    return btf, [
        CoreRelo(insn // 8, type_id, btf.string(access), kind)
        for _, records in BtfExt(data).core_relo
        for insn, type_id, access, kind in records
    ]


def values(path: Path, target: KernelBtf) -> list[Value | str]:
    """Return what an object's relocations come to; a type's number by its name."""

    def find(name: str, kind: Kind) -> list[tuple[Btf, int]]:
        return [(target, type_id) for type_id in target.candidates(name, kind)]

    btf, relos = relocations(path)
    relocator = CoreRelocator(btf, find)
    found: list[Value | str] = []
    for relo in relos:
        try:
            value = relocator.value(relo)
        except SpecError:
            found.append("refused")
            continue
        if relo.kind == ReloKind.TYPE_ID_TARGET:
            found.append(target.name(value.new))
        else:
            found.append(value)
    return found


@pytest.fixture(scope="module")
def kernel() -> KernelBtf:
    return KernelBtf(VMLINUX.read_bytes())


# -- against bpftool ------------------------------------------------------------


@needs_kernel_btf
@needs_bpftool
def test_each_object_with_core_gets_the_values_of_the_whole_kernel(
    bpf_source: sources.Source, kernel: KernelBtf, tmp_path: Path
) -> None:
    path = sources.compiled(bpf_source)
    if not relocations(path)[1]:
        return
    ours = tmp_path / "ours.btf"
    assert run("-o", ours, path).exit_code == 0
    theirs = bpftool_min(tmp_path / "theirs.btf", path)
    assert ours.stat().st_size <= 1.1 * theirs.stat().st_size
    part = read_btf(ours)
    assert values(path, part) == values(path, kernel) == values(path, read_btf(theirs))
    read = bpftool_types(ours)
    assert [as_bpftool(part, type_id) for type_id in part.ids()] == read


@needs_kernel_btf
def test_an_object_without_core_needs_no_types(
    compile_bpf: CompileBpf, tmp_path: Path
) -> None:
    for name in ("minimal", "empty", "no_btf"):
        output = tmp_path / f"{name}.btf"
        result = run("-o", output, compile_bpf(name))
        assert result.stderr == f"wrote {output}: 0 types, {EMPTY} bytes\n"
        assert output.stat().st_size == EMPTY


@needs_kernel_btf
@needs_bpftool
def test_several_objects_share_one_part_in_any_order(
    kernel: KernelBtf, tmp_path: Path
) -> None:
    every = sources.sources() | sources.example_sources()
    objects = [
        path
        for source in every.values()
        if relocations(path := sources.compiled(source))[1]
    ]
    assert len(objects) > 8
    ours = tmp_path / "ours.btf"
    assert run("-q", "-o", ours, *objects).stderr == ""
    theirs = bpftool_min(tmp_path / "theirs.btf", *objects)
    assert ours.stat().st_size <= 1.1 * theirs.stat().st_size
    for path in objects:
        assert values(path, read_btf(ours)) == values(path, kernel)
    run("-q", "-o", tmp_path / "again.btf", *reversed(objects), *objects)
    assert (tmp_path / "again.btf").read_bytes() == ours.read_bytes()


@needs_kernel_btf
def test_a_part_of_a_part_is_the_same(compile_bpf: CompileBpf, tmp_path: Path) -> None:
    once, twice = tmp_path / "once.btf", tmp_path / "twice.btf"
    run("-o", once, compile_bpf("core_fields"))
    run("-o", twice, "--btf", once, compile_bpf("core_fields"))
    assert once.read_bytes() == twice.read_bytes()


@needs_kernel_btf
def test_relocations_that_all_fail_warn_and_keep_no_types(
    compile_bpf: CompileBpf, tmp_path: Path
) -> None:
    path = compile_bpf("core_poisoned")
    result = run("-o", tmp_path / "min.btf", path)
    assert result.exit_code == 0
    assert result.stderr == (
        f"skelgen: warning: {path}: task_struct.no_such_field: not in the BTF"
        " (the object asks whether it is there)\n"
        f"wrote {tmp_path}/min.btf: 0 types, {EMPTY} bytes\n"
    )


# -- the command ----------------------------------------------------------------


def small(byteorder: str = "little") -> bytes:
    b = BtfBuilder(byteorder)
    int_ = b.add_int("int", 4, signed=True)
    b.add_struct("task_struct", 512, [("pid", int_, 800), ("tgid", int_, 832)])
    return b.bytes()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return BTF of a kernel with little in it, raw."""
    path = tmp_path / "other.btf"
    path.write_bytes(small())
    return path


def members(path: Path) -> list[str]:
    btf = Btf(path.read_bytes())
    found = btf.type(btf.find("task_struct") or 0)
    assert isinstance(found, Struct)
    return [member.name for member in found.members]


def test_another_kernels_btf_is_cut_and_what_it_lacks_is_told(
    compile_bpf: CompileBpf, source: Path, tmp_path: Path
) -> None:
    output = tmp_path / "min.btf"
    result = run("-o", output, "-b", source, compile_bpf("core_fields"))
    assert result.exit_code == 0
    assert members(output) == ["pid", "tgid"]
    asked = {line.split(": ")[3] for line in result.stderr.splitlines()[:-1]}
    assert {"task_struct.comm", "task_struct.real_parent"} < asked


def test_btf_of_the_other_byte_order_stays_in_it(
    compile_bpf: CompileBpf, tmp_path: Path
) -> None:
    source, output = tmp_path / "big.btf", tmp_path / "min.btf"
    source.write_bytes(small("big"))
    path = compile_bpf("core_fields", byteorder="big")
    assert run("-o", output, "-b", source, path).exit_code == 0
    assert Btf(output.read_bytes()).byteorder == "big"
    assert members(output) == ["pid", "tgid"]


def test_an_elf_file_serves_as_the_source(
    compile_bpf: CompileBpf, tmp_path: Path
) -> None:
    """A BPF object is an ELF file with .BTF too, like vmlinux."""
    output = tmp_path / "min.btf"
    path = compile_bpf("core_direct")
    result = run("-o", output, "-b", path, path)
    assert (result.exit_code, result.stderr.count("\n")) == (0, 1)
    assert "pid" in members(output)


def test_a_dash_writes_to_standard_output(
    compile_bpf: CompileBpf, source: Path
) -> None:
    result = run("-q", "-o", "-", "-b", source, compile_bpf("core_poisoned"))
    assert result.exit_code == 0
    assert len(result.stdout_bytes) == EMPTY


def test_a_link_is_followed_and_the_mode_kept(
    compile_bpf: CompileBpf, source: Path, tmp_path: Path
) -> None:
    target, link = tmp_path / "target.btf", tmp_path / "link.btf"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    assert run("-o", link, "-b", source, compile_bpf("core_direct")).exit_code == 0
    assert link.is_symlink()
    assert target.stat().st_mode & 0o777 == 0o640
    assert members(target) == ["pid"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read it: No such file or directory"),
        (b"not BTF, not a byte of it", "btf: no magic number"),
        (b"", "btf: "),
        (b"\x7fELF", "elf: "),
        (small()[:40], "btf: "),
    ],
)
def test_a_source_that_is_none_is_one_clear_error(
    compile_bpf: CompileBpf, tmp_path: Path, content: bytes | None, message: str
) -> None:
    source = tmp_path / "source.btf"
    if content is not None:
        source.write_bytes(content)
    result = run("-o", tmp_path / "min.btf", "-b", source, compile_bpf("core_fields"))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"skelgen: error: {source}: {message}")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "min.btf").exists()


def test_a_machine_without_kernel_btf_is_told_what_helps(
    compile_bpf: CompileBpf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "sys"
    monkeypatch.setattr(btf_min, "RUNNING_KERNEL", str(missing))
    result = run("-o", tmp_path / "min.btf", "-b", missing, compile_bpf("core_fields"))
    assert result.exit_code == 2
    assert "CONFIG_DEBUG_INFO_BTF" in result.stderr
    assert "--btf" in result.stderr


def test_objects_that_are_none_are_refused_and_nothing_is_written(
    compile_bpf: CompileBpf, source: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.o"
    bad.write_bytes(b"no object")
    good = compile_bpf("core_fields")
    result = run("-o", tmp_path / "min.btf", "-b", source, good, bad)
    assert (result.exit_code, result.stderr) == (
        2,
        f"skelgen: error: {bad}: not an ELF object\n",
    )
    assert not (tmp_path / "min.btf").exists()
    assert run("-o", "min.btf", "-b", source, tmp_path / "no.o").exit_code == 2
    assert run("-o", "min.btf").exit_code == 2
    assert run(good).exit_code == 2


def test_a_relocation_that_makes_no_sense_is_refused_with_its_place(
    compile_bpf: CompileBpf, source: Path, tmp_path: Path
) -> None:
    path = compile_bpf("core_poisoned")
    data = path.read_bytes()
    ext = elf_section(path, ".BTF.ext")
    header, relos = unpack_from("<4xI16xI", ext)
    # behind the size of a record, the group, and three words of the first record
    kind = data.index(ext) + header + relos + 4 + 8 + 12
    broken = tmp_path / "broken.o"
    broken.write_bytes(data[:kind] + b"\x63" + data[kind + 1 :])
    result = run("-o", tmp_path / "min.btf", "-b", source, broken)
    assert result.exit_code == 2
    where = f"{broken}(tp/syscalls/sys_enter_getppid+0x"
    assert result.stderr.startswith(f"skelgen: error: {where}")
    assert "CO-RE relocation of unknown kind 99" in result.stderr


def test_a_folder_that_cannot_be_written_is_an_error(
    compile_bpf: CompileBpf, source: Path, tmp_path: Path
) -> None:
    result = run("-o", tmp_path / "no/min.btf", "-b", source, compile_bpf("minimal"))
    assert result.exit_code == 2
    assert "cannot write it: No such file" in result.stderr


def test_names_in_a_warning_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    warn("x.o: task\x1b[2J.pid: not in the BTF")
    expected = "skelgen: warning: x.o: task\\x1b[2J.pid: not in the BTF\n"
    assert capsys.readouterr().err == expected


def test_help_says_where_btf_comes_from_and_goes_to() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "open(btf=" in result.output
    assert os.fspath(VMLINUX) in result.output
    listed = CliRunner().invoke(main, ["--help"]).output
    assert "btf min" in listed
