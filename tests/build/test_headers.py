"""Our BPF-side headers: the same code as with libbpf's, and what those lack."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from skelgen.compiler import clang
from skelgen.compiler.targets import this_machine
from skelgen.errors import CompileError
from tests.harness import sources
from tests.harness.headers import HEADERS, LIBBPF, every_compiler, needs_libbpf

UAPI = Path("/usr/include/linux/bpf.h")
KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")

SAME = ("core", "endian", "maps", "printing", "printing_stack", "tracing", "usdt")
"""Programs of what Debian's libbpf 1.1 has too."""


def without_usdt(facts):
    # Ours reads arguments of one kind more, in a function of its own. All that the
    # program itself consists of is to be the same.
    for part in (facts.code, facts.symbols, facts.core):
        part.pop(".text", None)
    return facts


@needs_libbpf
@every_compiler
@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("name", SAME)
def test_code_and_relocations_are_those_of_libbpfs_headers(
    build, libbpf_include, name, byteorder, compiler
):
    path = HEADERS / f"{name}.bpf.c"
    ours = build(path, byteorder=byteorder, compiler=compiler)
    theirs = build(path, byteorder=byteorder, compiler=compiler, include=libbpf_include)
    if name == "usdt":
        ours, theirs = without_usdt(ours), without_usdt(theirs)
    assert sum(map(len, ours.code.values())) > 100
    assert ours == theirs


@needs_libbpf
def test_fixtures_and_examples_compile_as_with_libbpfs_headers(
    bpf_source, build, libbpf_include
):
    ours = build(bpf_source.path)
    try:
        theirs = build(bpf_source.path, include=libbpf_include)
    except CompileError as error:
        theirs = None
        text = str(error)
    if theirs is None:  # a name that came later: newer.bpf.c has it
        unknown = re.findall(r"(?:undeclared|unknown type) \w+ '(\w+)'", text)
        newer = (HEADERS / "newer.bpf.c").read_text()
        assert unknown
        assert all(name in newer for name in unknown)
    else:
        assert ours == theirs


@needs_libbpf
def test_every_helper_has_libbpfs_number_and_types(build, libbpf_include):
    text = (LIBBPF / "bpf_helper_defs.h").read_text()
    helpers = re.findall(
        r"^static (.*?)\(\* *(?:const )?(bpf_\w+)\)\((.*)\) = ", text, re.MULTILINE
    )
    assert len(helpers) == 211
    lines = ["#include <linux/bpf.h>", "#include <bpf/bpf_helpers.h>"]
    for result, name, arguments in helpers:
        fixed = arguments.removesuffix(", ...")
        names = ", ".join(re.findall(r"(\w+)(?:,|$)", fixed)) if fixed != "void" else ""
        back = "" if result.strip() == "void" else "return "
        lines.append(f"{result} call_{name}({fixed}) {{ {back}{name}({names}); }}")
    program = "\n".join(lines)
    ours = build(program, "-Werror")
    assert len(ours.code[".text"]) == 211 * 16  # a call and an exit each
    assert ours == build(program, include=libbpf_include)


@pytest.mark.skipif(not KERNEL_BTF.exists(), reason="the kernel has no BTF")
@pytest.mark.skipif(not UAPI.exists(), reason="needs <linux/bpf.h> (linux-libc-dev)")
def test_helper_definitions_are_what_the_script_makes():
    script = sources.ROOT / "tools" / "gen_helper_defs.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "bpf_helper_defs.h: up to date\n")


@needs_libbpf
def test_no_name_of_libbpfs_headers_is_missing():
    script = sources.ROOT / "tools" / "compare_headers.py"
    done = subprocess.run(
        [sys.executable, script, LIBBPF], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "| `BPF_CORE_READ` | macro | bpf_core_read.h | yes |  |" in done.stdout
    assert "helper: 211 of 211" in done.stdout


# ---- What Debian's libbpf lacks ------------------------------------------------------


def symbols(facts, section):
    return [name for _, _, name in facts.symbols[section]]


@every_compiler
@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_newer_macros_make_the_calls_and_relocations_they_stand_for(
    build, compiler, byteorder
):
    facts = build(
        HEADERS / "newer.bpf.c", "-Werror", compiler=compiler, byteorder=byteorder
    )
    loops = symbols(facts, "tc")
    for call in ("bpf_iter_num_new", "bpf_iter_num_next", "bpf_iter_num_destroy"):
        assert loops.count(call) >= 5, call
    assert {"bpf_maybe", "bpf_rdonly_cast"} <= set(loops)
    assert loops.count("bpf_stream_vprintk_impl") > loops.count("bpf_stream_vprintk")
    assert loops.count("bpf_stream_vprintk") == 2
    writes = {(r.path, r.kind) for r in facts.core["tp_btf/x"]}
    for field in (".narrow", ".negative", ".wide"):
        assert {(field, kind) for kind in (0, 1, 4, 5)} <= writes
    assert [r.path for r in facts.core["uprobe"]] == [
        f".{name}" for name in ("di", "si", "dx", "cx", "r8", "r9")
    ]


@every_compiler
@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_loops_that_the_kernel_bounds_are_may_goto(build, compiler, byteorder):
    facts = build(
        HEADERS / "experimental.bpf.c", compiler=compiler, byteorder=byteorder
    )
    code = facts.code["tc"]
    jumps = [
        int.from_bytes(code[at + 2 : at + 4], byteorder, signed=True)
        for at in range(0, len(code), 8)
        if code[at] == 0xE5
    ]
    assert len(jumps) == 3
    assert all(1 <= distance <= 8 for distance in jumps)
    assert {"bpf_throw", "bpf_wq_set_callback_impl"} <= set(symbols(facts, "tc"))
    if compiler.origin == "ziglang":
        assert len(facts.code["syscall"]) > 0
        assert ".addr_space.1" in facts.data


def test_type_matches_is_a_question_for_the_loader(build):
    facts = build(HEADERS / "matches.bpf.c")
    assert [(r.root, r.kind) for r in facts.core["raw_tp"]] == [
        ("Struct leaf", 12),
        ("Enum color", 12),
    ]


def test_a_ksym_that_is_not_weak_cannot_be_asked_for(build):
    with pytest.raises(CompileError, match="bpf_sure: declare it __weak to ask for it"):
        build("""
            #include "mini_vmlinux.h"
            #include <bpf/bpf_helpers.h>
            extern int bpf_sure(void) __ksym;
            SEC("tc") int prog(void *ctx) { return bpf_ksym_exists(bpf_sure); }
            """)


def test_a_tail_call_to_a_slot_that_varies_is_refused(build):
    with pytest.raises(CompileError):
        build("""
            #include "mini_vmlinux.h"
            #include <bpf/bpf_helpers.h>
            extern int jumps SEC(".maps");
            SEC("tc") int prog(int *ctx) {
                bpf_tail_call_static(ctx, &jumps, *ctx);
                return 0;
            }
            """)


def test_fastcall_of_helpers_is_for_the_asking(build):
    program = """
        #include "mini_vmlinux.h"
        #include <bpf/bpf_helpers.h>
        SEC("tc") int prog(int *ctx) {
            long a = ctx[0], b = ctx[1];
            return a + b + bpf_get_smp_processor_id();
        }
    """
    plain = build(program)
    asked = build(program, "-DBPF_HELPERS_FASTCALL")
    assert plain.code["tc"] != asked.code["tc"]


# ---- What may stand around them ------------------------------------------------------


@every_compiler
def test_headers_need_no_other_header_and_give_no_warning(build, compiler, tmp_path):
    copy = tmp_path / "include"  # -I, unlike -isystem, lets warnings through
    copy.symlink_to(clang.INCLUDE)
    flags = ("-nostdinc", f"-I{copy}", "-Wall", "-Wextra", "-Wno-unused-parameter")
    names = (
        "all_headers",
        "core",
        "printing",
        "tracing",
        "usdt",
        "newer",
        "experimental",
    )
    for name in names:
        build(
            HEADERS / f"{name}.bpf.c",
            *flags,
            "-Werror",
            compiler=clang.Compiler(compiler.command, "test"),
        )


UAPI_FIRST = "<linux/bpf.h>\n#include <linux/ptrace.h>"


@pytest.mark.parametrize("first", [UAPI_FIRST, '"mini_vmlinux.h"'], ids=["uapi", "btf"])
@pytest.mark.parametrize("standard", ["gnu89", "gnu11", "gnu17", "gnu2x"])
def test_each_header_compiles_alone_in_every_c(build, first, standard):
    for path in sorted((clang.INCLUDE / "bpf").glob("*.h")):
        build(
            f"#include {first}\n#include <bpf/{path.name}>\nint x;", f"-std={standard}"
        )


@every_compiler
@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize(
    "arch", ["x86", "arm64", "arm", "riscv", "s390", "powerpc", "mips", "loongarch"]
)
def test_headers_of_the_c_library_compile_on_every_architecture(
    build, compiler, arch, byteorder
):
    # <linux/if.h> includes <sys/socket.h>, the others programs do
    if compiler.origin == "PATH" and arch != this_machine().arch:
        pytest.skip("the compiler finds the headers of this machine alone")
    names = (
        "linux/bpf linux/if linux/if_tunnel errno string stdio stdlib stdint inttypes"
        " limits time unistd assert fcntl signal wchar sys/types sys/socket sys/param"
        " sys/stat netinet/in arpa/inet bpf/bpf_helpers bpf/bpf_endian"
    )
    includes = "".join(f"#include <{name}.h>\n" for name in names.split())
    build(
        f"""{includes}
        _Static_assert(sizeof(uintptr_t) == 8 && sizeof(size_t) == 8, "64 bits");
        _Static_assert(sizeof(int64_t) == 8 && INTPTR_MAX == INT64_MAX, "64 bits");
        _Static_assert(EPERM == 1 && AF_INET == 2 && IFNAMSIZ == 16, "constants");
        struct sockaddr_in it;
        """,
        "-Werror",
        arch=arch,
        byteorder=byteorder,
        compiler=compiler,
    )


def test_types_of_stdint_are_those_of_clang(build):
    # not those of a machine of 32 bits, which is what glibc takes BPF for
    names = "int8 int16 int32 int64 uint64 intptr uintptr intmax int_least64"
    for name in names.split():
        build(f"""#include <stdint.h>
            #define same(a, b) __builtin_types_compatible_p(a, b)
            _Static_assert(same({name}_t, __{name.upper()}_TYPE__), "{name}");
            """)


def test_core_read_alone_brings_the_helpers(build):
    # as libbpf's does since 1.2
    facts = build("""#include "mini_vmlinux.h"
        #include <bpf/bpf_core_read.h>
        static __always_inline __u64 now(void) { return bpf_ktime_get_ns(); }
        SEC("tc") int prog(void *ctx) { return now(); }
        """)
    assert "tc" in facts.code


def test_bpf_for_works_with_a_uapi_header_older_than_its_type(build):
    # Debian's <linux/bpf.h> is of 6.1, struct bpf_iter_num of 6.4.
    facts = build("""
        #include <linux/types.h>
        #define __LINUX_BPF_H__
        #include <bpf/bpf_helpers.h>
        SEC("tc") int prog(void *ctx) {
            int i, sum = 0;
            bpf_for(i, 0, 10)
                sum += i;
            return sum;
        }
        """)
    assert "bpf_iter_num_next" in symbols(facts, "tc")


def test_programs_can_build_on_parts_of_the_macros(build):
    # as sched_ext's and Tetragon's headers do
    facts = build("""
        #include "mini_vmlinux.h"
        #include <bpf/bpf_helpers.h>
        #include <bpf/bpf_core_read.h>
        extern int sink(const char *fmt, unsigned long long *values, int size) __ksym;
        #define emit(fmt, args...) ({ static char ___fmt[] = fmt; \\
            unsigned long long ___param[___bpf_narg(args) ?: 1] = {}; \\
            _Pragma("GCC diagnostic push") \\
            _Pragma("GCC diagnostic ignored \\"-Wint-conversion\\"") \\
            ___bpf_fill(___param, args); \\
            _Pragma("GCC diagnostic pop") \\
            sink(___fmt, ___param, sizeof(___param)); })
        #define READ_INTO(dst, src, a, ...) \\
            ({ ___core_read(bpf_core_read, bpf_core_read, dst, (src), a, ##__VA_ARGS__) })
        SEC("raw_tp") int prog(struct node *n) {
            ___type(n, next, leaf.a) got;
            emit("none");
            emit("%d %p", 1, n);
            READ_INTO(&got, n, next, leaf.a);
            return got + sizeof(___arrow(n, next, leaf.numbers));
        }
        """)
    assert symbols(facts, "raw_tp").count("sink") == 2
    assert [r.path for r in facts.core["raw_tp"]] == [".next", ".leaf.a"]
