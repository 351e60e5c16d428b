"""The ``vmlinux.h`` that skelgen brings: tools compile with it, and one's own wins."""

import os
from pathlib import Path

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.types import Enumerator, Member
from skelgen.build import btf_dump, project
from skelgen.build.compile import compile_c
from skelgen.build.config import parse
from skelgen.build.jobs import Outcome
from skelgen.compiler import clang
from skelgen.compiler.targets import TARGETS, find_target
from skelgen.errors import CompileError, ConfigError
from tests.harness.btf import needs_kernel_btf
from tests.harness.headers import every_compiler
from tests.harness.sources import DATA

TOOLS = sorted((DATA / "vmlinux").glob("*.bpf.c"))
HEADER = clang.VMLINUX / "vmlinux.h"
USES_REGISTERS = "tcpconnect.bpf.c"

every_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda path: path.name)

MINE = "struct task_struct { int mine; };\n"
READS_MINE = "#include {}\nint f(struct task_struct *t) {{ return t->mine; }}\n"


@every_tool
@every_compiler
def test_tools_compile(tool: Path, compiler: clang.Compiler, tmp_path: Path) -> None:
    assert not clang.compile_object(tool, tmp_path / "tool.o", compiler=compiler)


@pytest.mark.parametrize("name", TARGETS)
@every_tool
def test_tools_compile_for_other_machines(
    tool: Path, name: str, tmp_path: Path
) -> None:
    target = find_target(name)
    if tool.name == USES_REGISTERS and target.arch is None:
        pytest.skip("a program that reads registers is for one architecture")
    options = clang.CompileOptions(target=target)
    assert not clang.compile_object(tool, tmp_path / "tool.o", options=options)


def test_registers_are_each_architectures_own(tmp_path: Path) -> None:
    members = {"arm64": "regs[0]", "riscv": "a0", "s390": "gprs[2]", "x86": "di"}
    types = {"arm64": "struct user_pt_regs", "riscv": "struct user_regs_struct"}
    types |= {"s390": "user_pt_regs", "x86": "struct pt_regs"}
    for arch, member in members.items():
        target = next(target for target in TARGETS.values() if target.arch == arch)
        source = tmp_path / f"{arch}.bpf.c"
        source.write_text(
            f"#include <vmlinux.h>\nlong f({types[arch]} *r) {{ return r->{member}; }}\n"
            "bpf_user_pt_regs_t *exported;\n",
            "utf-8",
        )
        options = clang.CompileOptions(target=target)
        assert not clang.compile_object(source, tmp_path / "x.o", options=options)


# What the programs of public projects name (twenty-two of them were counted: 947 of 970
# types and 384 of 394 constants); these are of those that several name
NAMED = (
    "struct tty_struct", "struct module", "struct oom_control", "struct kmem_cache",
    "struct syscall_trace_enter", "struct syscall_trace_exit", "struct unix_address",
    "struct qdisc_skb_cb", "struct Qdisc_ops", "struct netlink_ext_ack", "struct sctphdr",
    "struct mmsghdr", "struct tty_driver", "struct seq_operations", "struct kvec",
    "struct trace_event_raw_percpu_alloc_percpu", "struct pipe_buffer", "struct rt6_info",
    "enum iter_type", "key_t", "uint8_t", "uint16_t", "uint32_t", "uint64_t", "int8_t",
    "int16_t", "int32_t", "int64_t",
)  # fmt: skip
CONSTANTS = (
    "TASK_COMM_LEN", "NR_SOFTIRQS", "NET_RX_SOFTIRQ", "ITER_UBUF", "ITER_IOVEC",
    "IP_CT_DIR_ORIGINAL", "IP_CT_DIR_REPLY", "IP_CT_DIR_MAX", "SK_PASS",
)  # fmt: skip


@every_compiler
def test_what_public_programs_name_is_there(
    tmp_path: Path, compiler: clang.Compiler
) -> None:
    lines = [f"int t{at}[sizeof({name}) > 0];" for at, name in enumerate(NAMED)]
    lines += [f"int c{at}[{name} + 1];" for at, name in enumerate(CONSTANTS)]
    source = tmp_path / "named.bpf.c"
    source.write_text("\n".join(["#include <vmlinux.h>", *lines, ""]), "utf-8")
    assert not clang.compile_object(source, tmp_path / "named.o", compiler=compiler)


@every_compiler
def test_the_c_librarys_integers_before_it_do_not_clash(
    tmp_path: Path, compiler: clang.Compiler
) -> None:
    source = tmp_path / "integers.bpf.c"
    source.write_text(
        "#include <stdint.h>\n#include <vmlinux.h>\nuint64_t a; int8_t b;\n", "utf-8"
    )
    assert not clang.compile_object(source, tmp_path / "x.o", compiler=compiler)


# Whose header


def compile_mine(folder: Path, quoted: str, *flags: str, includes: str = "") -> None:
    source = folder / "mine.bpf.c"
    source.write_text(READS_MINE.format(quoted), "utf-8")
    options = clang.CompileOptions(
        cflags=flags, includes=(includes,) if includes else ()
    )
    clang.compile_object(source, folder / "mine.o", options=options, cwd=folder)


def test_ones_own_beside_the_source_wins(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="no member named 'mine'"):
        compile_mine(tmp_path, '"vmlinux.h"')
    (tmp_path / "vmlinux.h").write_text(MINE, "utf-8")
    compile_mine(tmp_path, '"vmlinux.h"')


@pytest.mark.parametrize("flag", ["-I", "-isystem", "-idirafter", "-iquote"])
def test_ones_own_in_a_folder_wins(tmp_path: Path, flag: str) -> None:
    folder = tmp_path / "include"
    folder.mkdir()
    (folder / "vmlinux.h").write_text(MINE, "utf-8")
    quoted = '"vmlinux.h"' if flag == "-iquote" else "<vmlinux.h>"
    compile_mine(tmp_path, quoted, f"{flag}include")
    if flag == "-I":
        compile_mine(tmp_path, quoted, includes="include")


# What is not in it


def failure(folder: Path, text: str, **options: object) -> CompileError:
    (folder / "lacking.bpf.c").write_text(text, "utf-8")
    chosen = clang.CompileOptions(**options)  # type: ignore[arg-type] # one of each
    with pytest.raises(CompileError) as caught:
        compile_c(Path("lacking.bpf.c"), chosen, root=folder)
    return caught.value


def notes(error: CompileError) -> list[str]:
    return getattr(error, "__notes__", [])


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make up the running kernel's BTF: what has names that skelgen's header lacks."""
    btf = BtfBuilder()
    integer = btf.add_int("int", 4, signed=True)
    members = (Member("absent", integer, 0),)
    btf.add_struct("task_struct", 4, members)
    btf.add_struct("absent", 4, members)
    btf.add_typedef("absent_t", integer)
    btf.add_enum("absence", (Enumerator("ABSENT", 1),))
    path = tmp_path / "kernel.btf"
    path.write_bytes(btf.bytes())
    monkeypatch.setattr(btf_dump, "RUNNING_KERNEL", str(path))
    return path


LACKING = {
    "member": (
        "task_struct.absent",
        "int f(struct task_struct *t) { return t->absent; }",
    ),
    "type": ("absent_t", "int f(absent_t *t) { return 0; }"),
    "incomplete": ("absent", "int f(struct absent *t) { return t->x; }"),
    "by value": ("absent", "struct absent it;"),
    "size": ("absent", "int f(void) { return sizeof(struct absent); }"),
    "offset": (
        "absent",
        "int f(void) { return __builtin_offsetof(struct absent, x); }",
    ),
    "constant": ("ABSENT", "int f(void) { return ABSENT; }"),
}


@every_compiler
@pytest.mark.parametrize("lacking", LACKING.values(), ids=LACKING)
def test_who_lacks_something_is_told_how_to_get_it(
    tmp_path: Path,
    kernel: Path,
    monkeypatch: pytest.MonkeyPatch,
    lacking: tuple[str, str],
    compiler: clang.Compiler,
) -> None:
    monkeypatch.setattr(clang, "find_compiler", lambda: compiler)
    name, text = lacking
    (note,) = notes(failure(tmp_path, f"#include <vmlinux.h>\n{text}\n"))
    assert note.startswith(f"this kernel has {name}. skelgen's own vmlinux.h has")
    assert "skelgen btf dump --kernel -o vmlinux.h" in note
    assert 'vmlinux = "kernel"' in note
    # where nobody can tell, it may be
    kernel.unlink()
    (note,) = notes(failure(tmp_path, f"#include <vmlinux.h>\n{text}\n"))
    assert "skelgen btf dump --kernel -o vmlinux.h" in note
    assert "this machine cannot tell" in note


MISTYPED = {
    "type": "int f(evnt_t *t) { return 0; }",
    "struct": "int f(struct evnt *t) { return t->x; }",
    "constant": "int f(void) { return ABSNET; }",
    "variable": "int f(void) { return count; }",
    "member of my own": "struct event { int a; };\nint f(struct event *t) { return t->b; }",
    "syntax": "int f(void) { return }",
}


@pytest.mark.parametrize("text", MISTYPED.values(), ids=MISTYPED)
def test_what_no_kernel_has_is_no_reason_for_another_header(
    tmp_path: Path, kernel: Path, text: str
) -> None:
    assert kernel.exists()
    assert not notes(failure(tmp_path, f"#include <vmlinux.h>\n{text}\n"))


def test_a_mistyped_variable_is_none_of_the_kernels(
    tmp_path: Path, kernel: Path
) -> None:
    kernel.unlink()
    for text in (MISTYPED["variable"], MISTYPED["member of my own"]):
        assert not notes(failure(tmp_path, f"#include <vmlinux.h>\n{text}\n"))


def test_a_mistyped_member_of_the_kernels_is_answered_with_the_one_meant(
    tmp_path: Path, kernel: Path
) -> None:
    assert kernel.exists()
    text = "#include <vmlinux.h>\nint f(struct task_struct *t) { return t->abzent; }\n"
    assert notes(failure(tmp_path, text)) == [
        (
            "struct task_struct of this kernel has no member 'abzent' either;"
            " did you mean 'absent'?"
        )
    ]


def test_other_headers_get_no_such_advice(tmp_path: Path, kernel: Path) -> None:
    assert kernel.exists()
    text = LACKING["member"][1]
    assert not notes(failure(tmp_path, f"struct task_struct {{}};\n{text}\n"))
    (tmp_path / "vmlinux.h").write_text(MINE, "utf-8")
    assert not notes(failure(tmp_path, f'#include "vmlinux.h"\n{text}\n'))


@every_compiler
def test_a_macro_is_in_no_vmlinux_h(
    tmp_path: Path,
    kernel: Path,
    monkeypatch: pytest.MonkeyPatch,
    compiler: clang.Compiler,
) -> None:
    assert kernel.exists()
    monkeypatch.setattr(clang, "find_compiler", lambda: compiler)
    text = "#include <vmlinux.h>\nint f(void) { return ETH_P_IP; }\n"
    assert notes(failure(tmp_path, text)) == [
        (
            "ETH_P_IP is a macro of <linux/if_ether.h>, and no vmlinux.h has macros; #define"
            " it in the program"
        )
    ]


def test_who_declares_a_kfunc_otherwise_is_told_how(tmp_path: Path) -> None:
    own = "extern int bpf_dynptr_adjust(int a);\n"
    (note,) = notes(failure(tmp_path, f"#include <vmlinux.h>\n{own}"))
    assert "BPF_NO_KFUNC_PROTOTYPES" in note
    # what it says works
    source = tmp_path / "own.bpf.c"
    source.write_text(
        f"#define BPF_NO_KFUNC_PROTOTYPES\n#include <vmlinux.h>\n{own}", "utf-8"
    )
    clang.compile_object(source, tmp_path / "own.o", cwd=tmp_path)
    # two declarations of the program's own
    assert not notes(failure(tmp_path, "int f(int a);\nlong f(long b);\n"))


# All of the kernel's


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKELGEN_CACHE", str(tmp_path / "cache"))


RARE = (
    "#include <vmlinux.h>\nint f(struct kobj_uevent_env *e) { return e->envp_idx; }\n"
)


@needs_kernel_btf
def test_all_types_of_the_kernel_can_be_asked_for(cache: None, tmp_path: Path) -> None:
    (tmp_path / "rare.bpf.c").write_text(RARE, "utf-8")
    rare = Path("rare.bpf.c")
    with pytest.raises(CompileError, match="incomplete"):
        compile_c(rare, clang.CompileOptions(), root=tmp_path)
    options = clang.CompileOptions(vmlinux="kernel")
    made = compile_c(rare, options, root=tmp_path)
    assert b"kobj_uevent_env" in made.data
    assert made.inputs == (tmp_path / rare,)
    assert b"/tmp/" not in made.data


@needs_kernel_btf
def test_a_project_that_asks_for_them_is_built_again_on_another_kernel(
    cache: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rare.bpf.c").write_text(
        '__attribute__((section("license"))) char LICENSE[] = "GPL";\n'
        + RARE.replace("int f(", '__attribute__((section("socket"))) int f('),
        "utf-8",
    )
    skeleton = {"source": "rare.bpf.c", "module": "rare_skel"}
    config = parse({"vmlinux": "kernel", "skeletons": [skeleton]}, tmp_path)
    place = project.in_folder(tmp_path / "out", tmp_path / "records")
    outcomes = [
        result.outcome for _ in range(2) for result in project.build(config, place)
    ]
    assert outcomes == [Outcome.WRITTEN, Outcome.UNCHANGED]
    # another kernel, other types
    other = os.uname_result(("Linux", "host", "99.0", "#1", os.uname().machine))
    monkeypatch.setattr(os, "uname", lambda: other)
    (result,) = project.build(config, place)
    assert result.made is not None
    small = parse({"skeletons": [skeleton]}, tmp_path)
    with pytest.raises(CompileError):
        list(project.build(small, place))


def test_a_word_that_is_neither_small_nor_kernel_is_refused(tmp_path: Path) -> None:
    skeleton = {"source": "x.bpf.c", "module": "x"}
    with pytest.raises(ConfigError, match=r"tool.skelgen.vmlinux: 'large' is neither"):
        parse({"vmlinux": "large", "skeletons": [skeleton]}, tmp_path)
    table = {**skeleton, "vmlinux": "kernel"}
    config = parse({"skeletons": [table, {**skeleton, "module": "y"}]}, tmp_path)
    assert [one.compile.vmlinux for one in config.skeletons] == ["kernel", "small"]
