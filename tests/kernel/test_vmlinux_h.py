"""Programs of tools, compiled with the ``vmlinux.h`` that skelgen brings, load."""

from pathlib import Path

import pytest

import skelgen
from skelgen.compiler import clang
from tests.harness import privilege
from tests.harness.btf import needs_kernel_btf
from tests.harness.sources import DATA

pytestmark = pytest.mark.any_kernel


TOOLS = sorted((DATA / "vmlinux").glob("*.bpf.c"))


@needs_kernel_btf
@pytest.mark.parametrize("tool", TOOLS, ids=lambda path: path.name)
def test_tools_load(tool: Path, tmp_path: Path) -> None:
    if tool.name == "packets.bpf.c":
        privilege.require_kfunc("bpf_dynptr_from_skb", "6.4")
    output = tmp_path / f"{tool.stem.removesuffix('.bpf')}.bpf.o"
    clang.compile_object(tool, output)
    with skelgen.open_object(output) as obj:
        obj.load()
        assert len(obj.programs) >= 2
        assert all(program.fd() > 0 for program in obj.programs.values())
