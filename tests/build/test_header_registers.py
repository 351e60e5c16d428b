"""The registers that bpf_tracing.h reads, on each architecture."""

import re

import pytest

from skelgen.errors import CompileError
from tests.harness.headers import needs_libbpf

REGISTERS = {
    # arguments; those of a system call; return, frame, result, stack, program counter
    "x86": ("di si dx cx r8 r9 - -", "di si dx r10 r8 r9 -", "sp bp ax sp ip"),
    "arm64": (
        "regs[0] regs[1] regs[2] regs[3] regs[4] regs[5] regs[6] regs[7]",
        "orig_x0 regs[1] regs[2] regs[3] regs[4] regs[5] -",
        "regs[30] regs[29] regs[0] sp pc",
    ),
    "riscv": (
        "a0 a1 a2 a3 a4 a5 a6 a7",
        "orig_a0 a1 a2 a3 a4 a5 -",
        "ra s0 a0 sp pc",
    ),
    "s390": (
        "gprs[2] gprs[3] gprs[4] gprs[5] gprs[6] - - -",
        "orig_gpr2 gprs[3] gprs[4] gprs[5] gprs[6] gprs[7] -",
        "gprs[14] gprs[11] gprs[2] gprs[15] psw.addr",
    ),
    "powerpc": (
        "gpr[3] gpr[4] gpr[5] gpr[6] gpr[7] gpr[8] gpr[9] gpr[10]",
        "orig_gpr3 gpr[4] gpr[5] gpr[6] gpr[7] gpr[8] gpr[9]",
        "link - gpr[3] gpr[1] nip",
    ),
    "arm": (
        "uregs[0] uregs[1] uregs[2] uregs[3] - - - -",
        "uregs[0] uregs[1] uregs[2] uregs[3] uregs[4] uregs[5] uregs[6]",
        "uregs[14] uregs[11] uregs[0] uregs[13] uregs[15]",
    ),
    "mips": (
        "regs[4] regs[5] regs[6] regs[7] regs[8] regs[9] regs[10] regs[11]",
        "regs[4] regs[5] regs[6] regs[7] regs[8] regs[9] -",
        "regs[31] regs[30] regs[2] regs[29] cp0_epc",
    ),
    "loongarch": (
        "regs[4] regs[5] regs[6] regs[7] regs[8] regs[9] regs[10] regs[11]",
        "regs[4] regs[5] regs[6] regs[7] regs[8] regs[9] -",
        "regs[1] regs[22] regs[4] regs[3] csr_era",
    ),
    "sparc": (
        "u_regs[8] u_regs[9] u_regs[10] u_regs[11] u_regs[12] u_regs[13] - -",
        "u_regs[8] u_regs[9] u_regs[10] u_regs[11] u_regs[12] u_regs[13] -",
        "u_regs[15] - u_regs[8] u_regs[14] tpc",
    ),
    "arc": (
        " ".join(f"scratch.r{number}" for number in range(8)),
        "scratch.r0 scratch.r1 scratch.r2 scratch.r3 scratch.r4 scratch.r5 -",
        "scratch.blink scratch.fp scratch.r0 scratch.sp scratch.ret",
    ),
}
ROOTS = {
    "arm64": "Struct user_pt_regs",
    "riscv": "Struct user_regs_struct",
    "s390": "Typedef user_pt_regs",
    "loongarch": "Struct user_pt_regs",
    "arc": "Struct user_regs_struct",
}
BIG_ENDIAN = {"s390", "sparc"}


def registers_of(arch):
    """Return macro -> member of the registers, None where there is none."""
    arguments, syscall, others = (row.split() for row in REGISTERS[arch])
    found = {}
    for number, member in enumerate(arguments, 1):
        found[f"PT_REGS_PARM{number}"] = found[f"PT_REGS_PARM{number}_CORE"] = member
    for number, member in enumerate(syscall, 1):
        found[f"PT_REGS_PARM{number}_SYSCALL"] = member
        found[f"PT_REGS_PARM{number}_CORE_SYSCALL"] = member
    for name, member in zip(("RET", "FP", "RC", "SP", "IP"), others, strict=True):
        found[f"PT_REGS_{name}"] = found[f"PT_REGS_{name}_CORE"] = member
    return found


def reader(macro):
    return f'SEC("{macro}") long read_{macro}(struct pt_regs *ctx) {{ return {macro}(ctx); }}'


def registers_program(macros):
    return "\n".join(
        [
            '#include "arch_regs.h"',
            "#include <bpf/bpf_helpers.h>",
            "#include <bpf/bpf_core_read.h>",
            "#include <bpf/bpf_tracing.h>",
            *map(reader, macros),
        ]
    )


@pytest.mark.parametrize("arch", REGISTERS)
def test_each_register_macro_reads_its_member_or_does_not_compile(build, arch):
    expected = registers_of(arch)
    there = {macro: member for macro, member in expected.items() if member != "-"}
    flags = ["-D__arch64__"] if arch == "sparc" else []
    byteorder = "big" if arch in BIG_ENDIAN else "little"
    facts = build(registers_program(there), *flags, arch=arch, byteorder=byteorder)
    for macro, member in there.items():
        (relocation,) = facts.core[macro]
        root = ROOTS.get(arch, "Struct pt_regs")
        if member.startswith("orig_") and arch != "powerpc":
            root = f"Struct pt_regs___{arch}"
        assert (relocation.root, relocation.path) == (root, f".{member}"), macro
        has_call = 0x85 in facts.code[macro][::8]  # a read through a helper
        assert has_call == ("_CORE" in macro), macro

    absent = [macro for macro, member in expected.items() if member == "-"]
    if not absent:
        return
    with pytest.raises(CompileError) as caught:
        build(registers_program(absent), "-ferror-limit=0", arch=arch)
    lines = re.findall(
        r":(\d+):\d+: error: no member named '__unsupported__'", str(caught.value)
    )
    assert len(set(lines)) == len(absent)


@needs_libbpf
@pytest.mark.parametrize("arch", [arch for arch in REGISTERS if arch != "loongarch"])
def test_registers_are_read_as_by_libbpf_where_it_is_right(build, libbpf_include, arch):
    # Debian's 1.1 is wrong about these (gone by 1.8, but for those of powerpc and arm):
    wrong = {
        "arm64": {"PARM1_SYSCALL"},
        "riscv": {"PARM1_SYSCALL", "PARM1_CORE_SYSCALL"},
        "s390": {"PARM1_SYSCALL", "RET", "RET_CORE"},
        "powerpc": {"PARM1_SYSCALL", "PARM1_CORE_SYSCALL", "RET", "RET_CORE"}
        | {"SP", "SP_CORE"},
        "arm": {"IP", "IP_CORE"} | {f"PARM5{end}" for end in ("", "_CORE")},
        "arc": {"FP", "FP_CORE"},
    }.get(arch, set())
    same = [
        macro
        for macro, member in registers_of(arch).items()
        if member != "-"
        and not re.search(r"PARM[678]", macro)
        and macro.removeprefix("PT_REGS_") not in wrong
    ]
    flags = ["-D__arch64__"] if arch == "sparc" else []
    program = registers_program(same)
    if arch == "sparc":
        indices = {f"UREG_I{n}": 8 + n for n in (0, 1, 2, 3, 4, 5, 7)} | {"UREG_FP": 14}
        flags += [f"-D{name}={value}" for name, value in indices.items()]
    ours = build(program, *flags, arch=arch)
    assert len(ours.code) == len(same) >= 20
    assert ours == build(program, *flags, arch=arch, include=libbpf_include)


@pytest.mark.parametrize("arch", REGISTERS)
def test_programs_read_their_arguments_on_every_architecture(build, arch):
    count = sum(member != "-" for member in REGISTERS[arch][0].split())
    if arch == "s390":
        count = 5
    arguments = ", ".join(f"long a{n}" for n in range(count))
    total = " + ".join(f"a{n}" for n in range(count))
    facts = build(
        registers_program([]) + f"""
        SEC("kprobe") long BPF_KPROBE(entry, {arguments}) {{ return {total}; }}
        SEC("kretprobe") long BPF_KRETPROBE(leave, long result) {{ return result; }}
        SEC("ksyscall") long BPF_KSYSCALL(call, int a, int b, int c) {{ return a + b + c; }}
        SEC("return") long ip(struct pt_regs *ctx) {{
            long at;
            BPF_KPROBE_READ_RET_IP(at, ctx);
            return at;
        }}
        SEC("syscall_regs") long pass(struct pt_regs *ctx) {{
            return (long)PT_REGS_SYSCALL_REGS(ctx);
        }}
        """,
        *(["-D__arch64__"] if arch == "sparc" else []),
        arch=arch,
    )
    expected = registers_of(arch)
    paths = [relocation.path for relocation in facts.core["kprobe"]]
    assert paths == [f".{expected[f'PT_REGS_PARM{n + 1}']}" for n in range(count)]
    assert [r.path for r in facts.core["kretprobe"]] == [f".{expected['PT_REGS_RC']}"]
    assert {r.path for r in facts.core["ksyscall"]} == {
        f".{expected[f'PT_REGS_PARM{n}_SYSCALL']}" for n in (1, 2, 3)
    } | {f".{expected['PT_REGS_PARM1']}"}
    assert [r.path for r in facts.core["return"]] == [f".{expected['PT_REGS_RET']}"]
    wrapped = arch not in {"powerpc", "loongarch", "arc"}
    assert ("syscall_regs" in facts.core) == wrapped


def test_registers_of_an_unknown_machine_stop_the_build(build):
    program = '#include "mini_vmlinux.h"\n#include <bpf/bpf_helpers.h>\n'
    program += "#include <bpf/bpf_core_read.h>\n#include <bpf/bpf_tracing.h>\n"
    body = "int BPF_PROG(fine, int a) { return a; }\n"
    build(program + body, "-U__TARGET_ARCH_x86")
    with pytest.raises(
        CompileError, match=r"compile with -D__TARGET_ARCH_x86 \(or arm64"
    ):
        build(program + reader("PT_REGS_PARM1"), "-U__TARGET_ARCH_x86")
    with pytest.raises(CompileError, match="compile with -D__TARGET_ARCH_x86"):
        build(program + "int BPF_KPROBE(k, int a) { return a; }", "-U__TARGET_ARCH_x86")


def test_registers_are_read_by_the_names_of_the_uapi_header(build):
    facts = build("""
        #include <linux/bpf.h>
        #include <linux/ptrace.h>
        #include <bpf/bpf_helpers.h>
        #include <bpf/bpf_tracing.h>
        SEC("kprobe") int BPF_KPROBE(entry, int a, int b) { return a + b; }
        """)
    assert len(facts.code["kprobe"]) == 4 * 8
