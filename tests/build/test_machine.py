"""Which modules are for one kind of machine alone, and what they say elsewhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from skelgen.build import jobs
from skelgen.compiler import clang
from skelgen.compiler.targets import find_target
from skelgen.errors import CompileError
from skelgen.runtime import BpfError
from tests.harness.generating import loaded
from tests.harness.headers import every_compiler

HEAD = """\
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
unsigned long seen;
char LICENSE[] SEC("license") = "GPL";
"""
UAPI = HEAD.replace("vmlinux.h", "linux/ptrace.h").replace(
    "#include <bpf/bpf_core_read.h>", ""
)

DEPENDS = {
    "BPF_KPROBE": HEAD
    + 'SEC("kprobe/x") int BPF_KPROBE(p, long a) { seen = a; return 0; }',
    "BPF_UPROBE": HEAD
    + 'SEC("uprobe") int BPF_UPROBE(p, long a) { seen = a; return 0; }',
    "BPF_KSYSCALL": HEAD + 'SEC("ksyscall/read") int BPF_KSYSCALL(p, int fd)'
    " { seen = fd; return 0; }",
    "without CO-RE": UAPI + 'SEC("uprobe") int p(struct pt_regs *ctx)'
    " { seen = PT_REGS_PARM1(ctx); return 0; }",
    "a subprogram": UAPI
    + """
static __noinline long first(struct pt_regs *regs)
{
	return PT_REGS_PARM1(regs);
}
SEC("uprobe") int p(struct pt_regs *ctx) { seen = first(ctx); return 0; }""",
    "the result": UAPI + 'SEC("uretprobe") int BPF_URETPROBE(p, long a)'
    " { seen = a; return 0; }",
    "__TARGET_ARCH_x86": HEAD
    + """
SEC("raw_tp/x") int p(void *ctx)
{
#ifdef __TARGET_ARCH_x86
	seen = 1;
#endif
	return 0;
}""",
    "data": HEAD
    + """
#if defined(bpf_target_arm64)
int syscall_number = 1;
#else
int syscall_number = 2;
#endif
SEC("raw_tp/x") int p(void *ctx) { return syscall_number; }""",
    "no other": HEAD
    + """
#ifndef __TARGET_ARCH_x86
#error "for x86 alone"
#endif
SEC("raw_tp/x") int p(void *ctx) { return 0; }""",
    "defined in the C": "#define __TARGET_ARCH_x86\n"
    + UAPI
    + 'SEC("uprobe") int BPF_UPROBE(p, long a) { seen = a; return 0; }',
}
SERVES_ALL = {
    "nothing asked": HEAD + 'SEC("raw_tp/x") int p(void *ctx) { return 0; }',
    "BPF_PROG": HEAD
    + """
/* no registers, and no PT_REGS_PARM1() either */
SEC("tp_btf/sched_switch")
int BPF_PROG(p, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	seen = BPF_CORE_READ(prev, mm, arg_start) + next->tgid;
	return 0;
}""",
    "no argument": HEAD + 'SEC("kprobe/x") int BPF_KPROBE(p) { seen++; return 0; }',
    "not in the code": HEAD
    + """
#if defined(__TARGET_ARCH_arm64)
#define UNUSED 1
#endif
SEC("raw_tp/x") int p(void *ctx) { return 0; }""",
    "types alone": HEAD
    + """
SEC("raw_tp/x") int p(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();

	/* where thread_info is differs, and CO-RE finds it (regs) */
	seen = task->thread_info.flags;
	return 0;
}""",
}


def make(
    folder: Path, text: str, *targets: str, cflags: tuple[str, ...] = ()
) -> jobs.Made:
    source = folder / "it.bpf.c"
    source.write_text(text + "\n", "utf-8")
    chosen = tuple(map(find_target, targets))
    options = clang.CompileOptions(cflags=cflags)
    job = jobs.Job(source, folder / "it_skel.py", compile=options, targets=chosen)
    return jobs.make(job)


def machines(text: str) -> list[str]:
    """Return the machines that a module names, none for all of them."""
    _, _, choice = text.partition("rt.image_for_machine(")
    return [
        word.partition("=")[0].strip()
        for word in choice.partition(")")[0].split(",")[1:]
    ]


@every_compiler
@pytest.mark.parametrize("text", DEPENDS.values(), ids=DEPENDS)
def test_a_module_that_depends_on_the_machine_names_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    compiler: clang.Compiler,
) -> None:
    monkeypatch.setattr(clang, "find_compiler", lambda: compiler)
    assert machines(make(tmp_path, text, "x86_64").text) == ["x86_64"]


@every_compiler
@pytest.mark.parametrize("text", SERVES_ALL.values(), ids=SERVES_ALL)
def test_what_serves_every_machine_names_none(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    compiler: clang.Compiler,
) -> None:
    monkeypatch.setattr(clang, "find_compiler", lambda: compiler)
    assert not machines(make(tmp_path, text, "x86_64").text)


@pytest.mark.parametrize("target", ["aarch64", "riscv64", "s390x", "ppc64", "mips64"])
def test_every_target_is_named_only_where_the_program_depends_on_it(
    tmp_path: Path, target: str
) -> None:
    assert machines(make(tmp_path, DEPENDS["BPF_KPROBE"], target).text) == [target]
    assert not machines(make(tmp_path, SERVES_ALL["BPF_PROG"], target).text)


@pytest.mark.parametrize(
    "flags", [("-D__TARGET_ARCH_x86",), ("-D", "__TARGET_ARCH_x86")]
)
def test_an_architecture_among_the_flags_is_taken_without_a_warning(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    made = make(tmp_path, DEPENDS["BPF_KPROBE"], "x86_64", cflags=flags)
    assert machines(made.text) == ["x86_64"]
    assert not made.warnings


def test_another_architecture_than_the_targets_is_warned_of(tmp_path: Path) -> None:
    text = "#define __TARGET_ARCH_x86\n" + DEPENDS["__TARGET_ARCH_x86"]
    made = make(tmp_path, text, "aarch64")
    (warning,) = [line for line in made.warnings.splitlines() if "leave that" in line]
    assert warning == (
        f"{tmp_path}/it.bpf.c: warning: compiled for aarch64, and defines"
        " __TARGET_ARCH_x86, whose registers it may read; leave that to skelgen, which"
        " defines __TARGET_ARCH_arm64"
    )


def test_an_error_in_c_for_another_architecture_has_a_note_of_it(
    tmp_path: Path,
) -> None:
    with pytest.raises(CompileError) as caught:
        make(tmp_path, DEPENDS["defined in the C"], "aarch64")
    assert caught.value.__notes__ == [
        (
            "the program defines __TARGET_ARCH_x86, and the target is aarch64; leave that to"
            " skelgen, which defines what the target needs"
        )
    ]


def test_missing_headers_of_another_machine_point_to_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = shutil.which("clang", path="/usr/bin")
    if path is None:
        pytest.skip("needs a clang of the machine's own")
    found = clang.Compiler((path,), "PATH")
    monkeypatch.setattr(clang, "find_compiler", lambda: found)
    with pytest.raises(CompileError) as caught:
        make(tmp_path, DEPENDS["without CO-RE"], "aarch64")
    (note,) = caught.value.__notes__
    assert note.endswith(
        "and the target is aarch64; bpf-skelgen[clang] has them for every target, and"
        " SKELGEN_CLANG=ziglang asks for it"
    )


def test_a_module_of_several_targets_names_each_where_it_depends(
    tmp_path: Path,
) -> None:
    both = ("x86_64", "aarch64")
    assert machines(make(tmp_path, DEPENDS["BPF_KPROBE"], *both).text) == list(both)
    assert not machines(make(tmp_path, SERVES_ALL["nothing asked"], *both).text)
    # one architecture of two names
    both = ("x86_64", "i686")
    assert machines(make(tmp_path, DEPENDS["BPF_KPROBE"], *both).text) == list(both)


def elsewhere(monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    other = os.uname_result(("Linux", "host", "6.18.0", "#1", machine))
    monkeypatch.setattr(os, "uname", lambda: other)


def test_another_machine_refuses_it_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(tmp_path, DEPENDS["BPF_KPROBE"], "x86_64")
    module = loaded(made.text)
    elsewhere(monkeypatch, "x86_64")
    module.It.open().destroy()
    module = loaded(made.text)
    elsewhere(monkeypatch, "aarch64")
    with pytest.raises(BpfError) as caught:
        module.It.open()
    assert str(caught.value) == (
        "object 'it': built for x86_64, and this machine is aarch64; build it again with"
        " --target x86_64 --target aarch64, or with these as targets in [tool.skelgen]"
    )
    # what it says serves both
    made = make(tmp_path, DEPENDS["BPF_KPROBE"], "x86_64", "aarch64")
    module = loaded(made.text)
    module.It.open().destroy()


def test_what_serves_every_machine_is_opened_on_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = loaded(make(tmp_path, SERVES_ALL["BPF_PROG"]).text)
    elsewhere(monkeypatch, "aarch64" if sys.byteorder == "little" else "s390x")
    module.It.open().destroy()


def test_a_second_compilation_is_for_those_who_may_depend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[object] = []
    run = subprocess.run

    def counted(words: tuple[str, ...], **options: object) -> object:
        runs.append(words)
        return run(words, **options)  # type: ignore[call-overload] # as it was called

    monkeypatch.setattr(subprocess, "run", counted)
    make(tmp_path, SERVES_ALL["nothing asked"], "x86_64")
    assert len([words for words in runs if "-c" in str(words)]) == 1
