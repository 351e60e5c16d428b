"""``skelgen btf dump --kernel`` of this machine: compiled, against BTF and bpftool."""

import json
from pathlib import Path

import pytest

from skelgen.btf.dump_header import header
from skelgen.btf.dump_raw import json_dump
from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.compiler import clang
from skelgen.errors import CompileError
from tests.harness import vmlinux
from tests.harness.btf import (
    VMLINUX,
    bpftool_c,
    bpftool_types,
    needs_bpftool,
    needs_kernel_btf,
    without_sign_extension,
)
from tests.harness.headers import every_compiler

pytestmark = needs_kernel_btf


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Btf(VMLINUX.read_bytes())


@pytest.fixture(scope="module")
def text(btf: Btf) -> str:
    return header(btf)


@every_compiler
def test_it_compiles_and_every_type_is_laid_out_as_the_btf_says(
    btf: Btf, text: str, compiler: clang.Compiler, tmp_path: Path
) -> None:
    asserted = list(vmlinux.assertions(btf))
    assert sum("sizeof" in line for line in asserted) > 2000
    (tmp_path / "vmlinux.h").write_text(text, "utf-8")
    source = tmp_path / "asserted.bpf.c"
    source.write_text('#include "vmlinux.h"\n' + "".join(asserted), "utf-8")
    warnings = clang.compile_object(
        source, tmp_path / "asserted.bpf.o", compiler=compiler, cwd=tmp_path
    )
    assert not warnings


def test_assertions_can_fail(btf: Btf, text: str, tmp_path: Path) -> None:
    line = next(line for line in vmlinux.assertions(btf) if "task_struct comm" in line)
    source = tmp_path / "wrong.bpf.c"
    source.write_text(text + line.replace(" == ", " == 1 + "), "utf-8")
    with pytest.raises(CompileError, match="task_struct comm"):
        clang.compile_object(source, tmp_path / "wrong.bpf.o", cwd=tmp_path)


@needs_bpftool
def test_it_names_what_bpftool_names(text: str) -> None:
    theirs = bpftool_c(VMLINUX)
    assert vmlinux.tags(text) == vmlinux.tags(theirs)
    # bpftool leaves the compiler's own out; its size in the kernel is another one
    assert vmlinux.typedefs(text) - {"__builtin_va_list___2"} == vmlinux.typedefs(
        theirs
    )
    assert vmlinux.constants(text) == vmlinux.constants(theirs)


@needs_bpftool
def test_json_is_bpftools(btf: Btf) -> None:
    ours = json.loads(json_dump(btf))["types"]
    theirs = without_sign_extension(bpftool_types(VMLINUX))
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == other


def test_kfuncs_have_prototypes(text: str) -> None:
    assert text.count(" __weak __ksym;\n") > 50
    prototype = "struct task_struct *bpf_task_acquire(struct task_struct *p)"
    assert f"extern {prototype} __weak __ksym;\n" in text


def test_each_root_compiles_alone(btf: Btf, tmp_path: Path) -> None:
    """A sample of types, each with what it needs, in a file of its own."""
    names = ("task_struct", "sk_buff", "tcp_sock", "request", "cgroup", "bpf_map")
    for name in names:
        (root,) = btf.find_all(name, Kind.STRUCT)
        source = tmp_path / f"{name}.bpf.c"
        source.write_text(header(btf, [root]) + f"struct {name} *it;\n", "utf-8")
        assert not clang.compile_object(source, source.with_suffix(".o"), cwd=tmp_path)
