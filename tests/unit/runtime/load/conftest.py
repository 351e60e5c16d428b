"""Fixtures of the tests of loading."""

import sys
from pathlib import Path

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.index import KernelBtf
from skelgen.runtime.kernel import btf as kernel_btf


@pytest.fixture
def vmlinux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> KernelBtf:
    """Return kernel types made here, in place of the running kernel's."""
    b = BtfBuilder(sys.byteorder)
    int_id = b.add_int("int", 4, signed=True)
    proto = b.add_func_proto(int_id)
    for name in ("do_something", "bpf_lsm_open", "bpf_iter_task", "kfunc"):
        b.add_func(name, proto)
    b.add_typedef("btf_trace_exec", b.add_ptr(proto))
    b.add_struct("task", 16, [("pid", int_id, 64)])
    btf = KernelBtf(b.bytes())
    monkeypatch.setattr(kernel_btf, "_vmlinux", lambda: btf)
    monkeypatch.setattr(kernel_btf, "_module_btf", {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return btf
