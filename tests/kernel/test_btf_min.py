"""A cut BTF in place of the kernel's own: the same programs, to the instruction."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import skelgen
from skelgen.btf.parse import Btf
from skelgen.build import btf_min
from skelgen.runtime.errors import KernelBtfError
from skelgen.runtime.insns.bytecode import LDIMM64
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.process.once import Once
from skelgen.runtime.syscalls import prog_insns
from tests.harness.btf import VMLINUX, needs_bpftool, needs_kernel_btf

CompileBpf = Callable[..., Path]

OBJECTS = (
    "bootstrap",
    "core_bitfields",
    "core_direct",
    "core_enums",
    "core_fields",
    "core_poisoned",
    "prog_iter",
    "prog_raw_tracepoint",
    "tcp_congestion",
)
"""All with CO-RE but ``core_types``, which holds the number of a kernel type."""

pytestmark = [pytest.mark.any_kernel, needs_kernel_btf]


def ours(folder: Path, *objects: Path) -> Path:
    path = folder / "ours.btf"
    path.write_bytes(btf_min.minimize(VMLINUX, objects).data)
    return path


def theirs(folder: Path, *objects: Path) -> Path:
    path = folder / "theirs.btf"
    command = ["bpftool", "gen", "min_core_btf", VMLINUX, path, *objects]
    subprocess.run(command, check=True, capture_output=True)
    return path


def tags(path: Path, btf: Path | None) -> dict[str, str]:
    """Load an object; return the tag of each program: a hash of its instructions."""
    with skelgen.open_object(path, btf=btf) as obj:
        obj.load()
        return {
            program.name: program.info().tag
            for program in obj.programs.values()
            if program.autoload
        }


@needs_bpftool
@pytest.mark.parametrize("name", OBJECTS)
def test_a_cut_btf_gives_the_same_tags_as_the_whole(
    compile_bpf: CompileBpf, tmp_path: Path, name: str
) -> None:
    path = compile_bpf(name)
    whole = tags(path, None)
    assert whole
    assert tags(path, ours(tmp_path, path)) == whole
    assert tags(path, theirs(tmp_path, path)) == whole


def test_one_file_serves_several_objects(
    compile_bpf: CompileBpf, tmp_path: Path
) -> None:
    objects = [compile_bpf(name) for name in OBJECTS]
    btf = ours(tmp_path, *objects)
    for path in objects:
        assert tags(path, btf) == tags(path, None)


def test_a_kernel_without_btf_loads_with_a_cut_one(
    compile_bpf: CompileBpf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = compile_bpf("core_fields")
    whole, btf = tags(path, None), ours(tmp_path, path)
    monkeypatch.setattr(kernel_btf, "_vmlinux", Once(kernel_btf._read_vmlinux))
    monkeypatch.setattr(kernel_btf, "VMLINUX", "/nowhere/vmlinux")
    monkeypatch.setattr(kernel_btf, "_ELF_PATHS", ())
    with pytest.raises(KernelBtfError):
        tags(path, None)
    assert tags(path, btf) == whole


def instructions(path: Path, btf: Path | None) -> list[bytes]:
    """Load an object of one program; return its instructions but loads of addresses."""
    with skelgen.open_object(path, btf=btf) as obj:
        obj.load()
        (program,) = obj.programs.values()
        raw = prog_insns(program.fileno())
    found = [raw[at : at + 8] for at in range(0, len(raw), 8)]
    return [insn for insn in found if not (insn[0] == LDIMM64 and insn[1] >> 4)]


def test_the_number_of_a_type_is_the_one_thing_that_differs(
    compile_bpf: CompileBpf, tmp_path: Path
) -> None:
    """It is the one thing that a part of the kernel's BTF does not tell."""
    path = compile_bpf("core_types")
    btf = ours(tmp_path, path)
    whole, part = instructions(path, None), instructions(path, btf)
    (differ,) = (pair for pair in zip(whole, part, strict=True) if pair[0] != pair[1])
    kernel = Btf(VMLINUX.read_bytes())
    for insn, types in zip(differ, (kernel, Btf(btf.read_bytes())), strict=True):
        assert int.from_bytes(insn[4:], "little") == types.find("list_head")
