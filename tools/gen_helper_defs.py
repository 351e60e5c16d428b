"""Write skelgen/include/bpf/bpf_helper_defs.h: the kernel's helpers as C functions.

    python tools/gen_helper_defs.py [--check]

Three sources, all of them facts, and one text of our own:

* the numbers: ``enum bpf_func_id`` in the BTF of the running kernel;
* the signatures: the comments of ``<linux/bpf.h>`` (linux-libc-dev), as far as that
  header goes, and tables here for what it lacks or says twice;
* a check of both: kernel BTF has each helper's function, all its arguments u64 but
  with their names, so the number of arguments can be compared;
* ``helper_docs.txt``: what a helper does, in a line.

With ``--check`` nothing is written; the exit status is 1 if the file would change.
Helpers are frozen at 211 (Linux 6.2): everything newer in the kernel is a kfunc.
"""

import re
import sys
from pathlib import Path

from skelgen.btf import Kind
from skelgen.btf.index import KernelBtf
from skelgen.btf.types import Enum, Func, FuncProto

ROOT = Path(__file__).resolve().parent.parent
UAPI = Path("/usr/include/linux/bpf.h")
KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")
DOCS = ROOT / "tools" / "helper_docs.txt"
HEADER = ROOT / "skelgen" / "include" / "bpf" / "bpf_helper_defs.h"

# Signatures as the kernel's own comments write them, for helpers that are newer than
# Debian's 6.1 header, and those that have changed since. Sizes and offsets of a dynptr
# are 64 bits wide from 6.19 on; they stay 32 here, which every kernel takes.
NEWER = {
    "cgrp_storage_get": "void *bpf_cgrp_storage_get(struct bpf_map *map, "
    "struct cgroup *cgroup, void *value, u64 flags)",
    "cgrp_storage_delete": "long bpf_cgrp_storage_delete(struct bpf_map *map, "
    "struct cgroup *cgroup)",
    "d_path": "long bpf_d_path(const struct path *path, char *buf, u32 sz)",
    "redirect_map": "long bpf_redirect_map(struct bpf_map *map, u64 key, u64 flags)",
    "kptr_xchg": "void *bpf_kptr_xchg(void *dst, void *ptr)",
    "dynptr_from_mem": "long bpf_dynptr_from_mem(void *data, u32 size, u64 flags, "
    "struct bpf_dynptr *ptr)",
    "dynptr_read": "long bpf_dynptr_read(void *dst, u32 len, "
    "const struct bpf_dynptr *src, u32 offset, u64 flags)",
    "dynptr_write": "long bpf_dynptr_write(const struct bpf_dynptr *dst, u32 offset, "
    "void *src, u32 len, u64 flags)",
    "dynptr_data": "void *bpf_dynptr_data(const struct bpf_dynptr *ptr, u32 offset, "
    "u32 len)",
}

# Helpers that take another type in another kind of program: the header has a comment
# for each. One number has to have one signature here.
OVERLOADED = {
    "get_socket_cookie": "u64 bpf_get_socket_cookie(void *ctx)",
    "sk_assign": "long bpf_sk_assign(void *ctx, void *sk, u64 flags)",
}

# What the kernel's types are to a BPF program: a map is an opaque address, a packet
# its context. Those for byte order mean nothing to the compiler, and a vmlinux.h need
# not have them.
PROGRAM_TYPES = {
    "struct bpf_map *": "void *",
    "struct sk_buff *": "struct __sk_buff *",
    "struct sk_msg_buff *": "struct sk_msg_md *",
    "struct xdp_buff *": "struct xdp_md *",
    "__be16": "__u16",
    "__be32": "__u32",
    "__wsum": "__u32",
    "size_t": "unsigned long",
    "u8": "__u8",
    "u16": "__u16",
    "u32": "__u32",
    "u64": "__u64",
    "s32": "__s32",
    "s64": "__s64",
}

# clang keeps r1 to r5 over a call of these, when asked to.
FASTCALL = {"get_smp_processor_id"}

# Arguments of the kernel's functions that the verifier puts in, not the program.
VERIFIER_PASSES = {"gfp_flags", "aux"}

PREAMBLE = """\
/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's helper functions: what they do, their types, their numbers. Made by
 * tools/gen_helper_defs.py of skelgen; do not edit.
 *
 * A helper is called through a constant pointer whose value is its number, which is
 * what the call instruction holds. All {count} that there are; what came after Linux
 * 6.2 are kfuncs, declared in vmlinux.h. "0 or -errno" is what a long returns where
 * nothing else is said.
 */
#ifndef __BPF_HELPER_DEFS_H
#define __BPF_HELPER_DEFS_H

/* A call that spares the registers r1 to r5 (clang 20, kernel 6.12; older kernels
 * do with the saving and restoring that clang puts around it). Not for helpers unless
 * asked for with BPF_HELPERS_FASTCALL: it changes the code of programs.
 */
#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif
#ifdef BPF_HELPERS_FASTCALL
#define ___bpf_helper_fastcall __bpf_fastcall
#else
#define ___bpf_helper_fastcall
#endif

"""


class SourceError(Exception):
    """The sources do not say what is needed, or contradict each other."""


def read_numbers(btf: KernelBtf) -> dict[str, int]:
    """``enum bpf_func_id``: number of each helper by its name without ``bpf_``."""
    for type_id in btf.candidates("bpf_func_id", Kind.ENUM):
        enum = btf.type(type_id)
        assert isinstance(enum, Enum)  # what candidates() was asked for
        return {
            value.name.removeprefix("BPF_FUNC_"): value.value
            for value in enum.values
            if value.name not in {"BPF_FUNC_unspec", "__BPF_FUNC_MAX_ID"}
        }
    raise SourceError("kernel BTF: no enum bpf_func_id")


def read_signatures(text: str) -> dict[str, str]:
    """Signatures in the comments of ``<linux/bpf.h>``, by name without ``bpf_``."""
    start = text.index("Start of BPF helper function descriptions")
    end = text.index("*/", start)
    found = re.findall(
        r"^ \* (\w[\w *]*\bbpf_(\w+)\(.*\))$", text[start:end], re.MULTILINE
    )
    signatures = {name: signature for signature, name in found}
    names = [name for _, name in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice - OVERLOADED.keys():
        raise SourceError(f"{UAPI}: two comments: {', '.join(sorted(twice))}")
    return signatures | OVERLOADED | NEWER


def read_docs(text: str) -> dict[str, str]:
    """``helper_docs.txt``: a line of documentation by name without ``bpf_``."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: doc for name, _, doc in (line.partition(": ") for line in lines)}


def translate(declaration: str) -> str:
    """Give a result or an argument as a BPF program sees it."""
    match = re.fullmatch(r"((?:const )?)(.*?)(\**)(\w*)", declaration)
    if declaration == "..." or match is None:
        return declaration
    const, base, stars, name = match.groups()
    if not base:  # "void": a type alone
        return declaration
    base = base.strip()
    for kernel, program in PROGRAM_TYPES.items():
        if stars and kernel.endswith(" *") and base == kernel.removesuffix(" *"):
            return f"{const}{program.removesuffix('*')}{stars}{name}"
        if base == kernel:
            base = program
            break
    return f"{const}{base} {stars}{name}"


def split(signature: str) -> tuple[str, str, list[str]]:
    """Take a signature apart: result, name without ``bpf_``, arguments."""
    match = re.fullmatch(r"(.*?)\bbpf_(\w+)\((.*)\)", signature)
    if match is None:
        raise SourceError(f"{UAPI}: not a function: {signature}")
    result, name, arguments = match.groups()
    return result.strip(), name, [argument.strip() for argument in arguments.split(",")]


def define(signature: str, number: int) -> str:
    """Write the C definition of one helper."""
    result, name, arguments = split(signature)
    result = translate(result if result.endswith("*") else f"{result} ").strip()
    space = "" if result.endswith("*") else " "
    prefix = "static ___bpf_helper_fastcall" if name in FASTCALL else "static"
    listed = ", ".join(map(translate, arguments))
    return f"{prefix} {result}{space}(*const bpf_{name})({listed}) = (void *){number};"


def check_arguments(btf: KernelBtf, signatures: dict[str, str]) -> None:
    """Compare the number of arguments with the kernel's function of that name."""
    for name, signature in signatures.items():
        arguments = split(signature)[2]
        if arguments == ["void"]:
            arguments = []
        for type_id in btf.find_all(f"bpf_{name}", Kind.FUNC):
            function = btf.type(type_id)
            assert isinstance(function, Func)  # what was asked for
            prototype = btf.type(function.type_id)
            assert isinstance(prototype, FuncProto)  # of a function
            names = [param.name for param in prototype.params]
            if len(names) != 5 or "..." in arguments:
                continue  # not the function that BPF calls, or any number
            # The kernel declares five u64, those without a use as __ur_<n>.
            used = [
                param
                for param in names
                if not param.startswith("__ur_") and param not in VERIFIER_PASSES
            ]
            if len(used) != len(arguments):
                raise SourceError(f"bpf_{name}: kernel BTF has {used}: {signature}")


def forward_declarations(definitions: list[str]) -> list[str]:
    """Structures that the definitions point to, once each, in order."""
    structs = re.findall(r"struct \w+", "\n".join(definitions))
    return [f"{struct};" for struct in dict.fromkeys(structs)]


def generate() -> str:
    """Make the text of the header."""
    btf = KernelBtf(KERNEL_BTF.read_bytes())
    numbers = read_numbers(btf)
    signatures = read_signatures(UAPI.read_text())
    docs = read_docs(DOCS.read_text())
    for what, have in (("signature", signatures), ("line in helper_docs.txt", docs)):
        missing = [name for name in numbers if name not in have]
        if missing:
            raise SourceError(f"no {what} for {', '.join(missing)}")
    unknown = [name for name in docs if name not in numbers]
    if unknown:
        raise SourceError(f"helper_docs.txt: no such helper: {', '.join(unknown)}")
    check_arguments(btf, {name: signatures[name] for name in numbers})
    definitions = [define(signatures[name], numbers[name]) for name in numbers]
    described = [
        f"/* {docs[name]} */\n{definition}\n"
        for name, definition in zip(numbers, definitions, strict=True)
    ]
    return "\n".join(
        [
            PREAMBLE.format(count=len(numbers)).rstrip("\n"),
            "",
            *forward_declarations(definitions),
            "",
            *described,
            "#endif",
            "",
        ]
    )


def main() -> int:
    """Write the header, or compare it with ``--check``."""
    text = generate()
    if "--check" in sys.argv[1:]:
        same = HEADER.read_text() == text
        print(f"{HEADER.name}: {'up to date' if same else 'would change'}")
        return 0 if same else 1
    HEADER.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
