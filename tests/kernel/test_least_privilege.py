"""What loads with which capabilities: the table of docs/loading.md, tried out.

Each case is a process of its own that keeps some capabilities. It stays root by name, so
that it can read this tree, which gives no rights in the kernel.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import skelgen
from skelgen.runtime.kernel.version import kernel_version

Compile = Callable[[str], Path]

SCRIPT = """
import json, sys
import skelgen
found = {}
for path in sys.argv[1:]:
    with skelgen.open_object(path) as obj:
        report = obj.load(strict=False)
        wanted = {n for n, p in obj.programs.items() if p.loaded or p.load_error}
        reasons = [error for _, _, error in report]
        errors = sorted({type(error).__name__ for error in reasons})
        notes = sorted({n for e in reasons for n in getattr(e, "__notes__", [])})
        found[obj.name] = [len(report.programs), len(wanted), errors, notes]
print(json.dumps(found))
"""
NOTHING_ELSE = ("maps_special",)
PERFMON = ("bootstrap", "prog_raw_tracepoint", "prog_iter", "struct_ops", "core_fields")
NET_ADMIN = ("prog_xdp", "prog_tc", "prog_cgroup", "globals_live", "maps_net")


def loads(compile_bpf: Compile, *capabilities: str) -> dict[str, list[object]]:
    """Return of each fixture: programs that failed, that were wanted, errors, notes."""
    if shutil.which("setpriv") is None:
        pytest.skip("needs setpriv (Debian package util-linux)")
    if kernel_version() < 5 << 16 | 8 << 8:
        pytest.skip("CAP_BPF came with Linux 5.8")
    kept = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    names = (*NOTHING_ELSE, *PERFMON, *NET_ADMIN)
    done = subprocess.run(
        [
            *("setpriv", f"--bounding-set={kept}", f"--inh-caps={kept}"),
            *(sys.executable, "-c", SCRIPT),
            *(str(compile_bpf(name)) for name in names),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def loadable(compile_bpf: Compile) -> set[str]:
    """Return the fixtures of which this kernel has all, for whoever may do everything."""
    found = set()
    for name in (*NOTHING_ELSE, *PERFMON, *NET_ADMIN):
        with skelgen.open_object(compile_bpf(name)) as opened:
            if not opened.load(strict=False).programs:
                found.add(name)
    assert found.issuperset((*NOTHING_ELSE, "bootstrap", "globals_live"))
    return found


def whole(found: dict[str, list[object]]) -> set[str]:
    return {name for name, (failed, *_) in found.items() if not failed}


@pytest.mark.any_kernel
def test_bpf_alone_is_too_little_and_what_is_missing_is_named(
    compile_bpf: Compile,
) -> None:
    found = loads(compile_bpf, "bpf")
    assert whole(found) == set(NOTHING_ELSE)
    for name in (*PERFMON, *NET_ADMIN):
        failed, wanted, errors, notes = found[name]
        # cgroup_skb programs want nothing else
        assert failed == (22 if name == "prog_cgroup" else wanted)
        assert isinstance(errors, list)
        assert "BpfPermissionError" in errors
        missing = "CAP_PERFMON" if name in PERFMON else "CAP_NET_ADMIN"
        assert f"this process lacks {missing}: run as root or grant it" in str(notes)


def test_bpf_and_perfmon_load_tracing_and_no_networking(
    compile_bpf: Compile, loadable: set[str]
) -> None:
    found = loads(compile_bpf, "bpf", "perfmon")
    assert whole(found).issuperset(loadable.intersection(PERFMON))
    assert not whole(found) & set(NET_ADMIN)


def test_bpf_and_net_admin_load_networking_and_no_tracing(
    compile_bpf: Compile, loadable: set[str]
) -> None:
    found = loads(compile_bpf, "bpf", "net_admin")
    assert whole(found).issuperset(loadable.intersection(NET_ADMIN))
    assert not whole(found) & set(PERFMON)


@pytest.mark.any_kernel
def test_all_three_load_tracing_and_networking(
    compile_bpf: Compile, loadable: set[str]
) -> None:
    found = loads(compile_bpf, "bpf", "perfmon", "net_admin")
    assert whole(found) == loadable
