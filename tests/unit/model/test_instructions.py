"""Instructions that came later, as the compiler makes them."""

from pathlib import Path

import pytest

from skelgen.compiler import clang
from skelgen.elf import read_object
from skelgen.model import instructions
from tests.harness import sources

HEAD = """#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
long x; int n; short h;
SEC("socket") int p(struct __sk_buff *skb)
{
"""


def made(tmp_path: Path, cpu: str, statement: str) -> set[tuple[str, str]]:
    """Return names and kernels of the newer instructions of a program."""
    source = tmp_path / "p.bpf.c"
    source.write_text(f"{HEAD}{statement} return 0;\n}}\n")
    output = tmp_path / "p.o"
    clang.compile_object(
        source,
        output,
        options=clang.CompileOptions(cpu=cpu),
        compiler=sources.compiler(),
        cwd=tmp_path,
    )
    spec = read_object(output.read_bytes(), name="p", source="p.bpf.c")
    code = bytes(spec.view(spec.programs[0].insns))
    found = instructions.all_newer(code, spec.byteorder)
    return {(kind.name, kind.since) for _, _, kind in found}


FETCH = ("an atomic operation other than a plain add", "5.12")
JUMP32 = ("a jump that compares 32 bits", "5.1")
LOAD = ("a sign-extending load", "6.6")
MOVE = ("a sign-extending move", "6.6")
DIVISION = ("a signed division", "6.6")
SWAP = ("a byte swap (bswap)", "6.6")
MAY_GOTO = ("may_goto (can_loop)", "6.9")
CASES = {
    "__sync_fetch_and_add(&x, 1);": {"v3": {FETCH}},
    "__atomic_fetch_add(&x, 1, __ATOMIC_RELAXED);": {},
    "x = __sync_fetch_and_add(&x, 1);": {"v2": None, "v3": {FETCH}},
    "if (skb->len > 5) n = 1;": {"v3": {JUMP32}},
    "x = *(volatile short *)&h;": {"v4": {LOAD}},
    "x = (short)skb->len;": {"v4": {MOVE}},
    "x = (long)(int)skb->len / x;": {"v2": None, "v3": None, "v4": {DIVISION}},
    "x = __builtin_bswap64(skb->len);": {"v4": {SWAP}},
}


@pytest.mark.parametrize("cpu", ["v2", "v3", "v4"])
@pytest.mark.parametrize("statement", CASES)
def test_what_a_statement_needs(tmp_path: Path, cpu: str, statement: str) -> None:
    """``None`` in the table: this ``-mcpu`` cannot compile it."""
    wanted: set[tuple[str, str]] | None = set()
    for name, kinds in CASES[statement].items():
        if name <= cpu:
            wanted = kinds
    if wanted is None:
        return
    assert wanted <= made(tmp_path, cpu, statement)
    if not wanted:
        assert not made(tmp_path, cpu, statement)
