"""The examples, and the one in the README, run and print what they promise."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import skelgen
from tests.harness import sources
from tests.harness.sources import ROOT

pytestmark = pytest.mark.any_kernel


def run(script: Path, *arguments: str, **environ: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
    done = subprocess.run(
        [sys.executable, "-W", "error", script, *arguments],
        cwd=script.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def built(name: str, folder: Path) -> Path:
    """Copy an example and generate its skeleton beside it."""
    for script in (sources.EXAMPLES / name).glob("*.py"):
        if not script.name.endswith("_skel.py"):
            shutil.copy(script, folder)
    records = tuple(sources.records_of(name).items())
    path = sources.compiled(sources.find(name))
    text = skelgen.generate(path, records=records)
    (folder / f"{name}_skel.py").write_text(text, "utf-8")
    return folder


def test_minimal_prints_the_calls_that_the_kernel_saw(tmp_path: Path) -> None:
    printed = run(built("minimal", tmp_path) / "main.py")
    assert printed == "the kernel saw 5 calls of getppid()\n"


@pytest.mark.skipif(shutil.which("ip") is None, reason="needs ip (package iproute2)")
def test_xdp_count_prints_packets_and_bytes_by_protocol(tmp_path: Path) -> None:
    printed = run(built("xdp_count", tmp_path) / "main.py")
    rows = [line.split()[:3] for line in printed.splitlines()]
    assert rows == [
        ["PROTOCOL", "PACKETS", "BYTES"],
        ["icmp", "3", "180"],
        ["tcp", "5", "300"],
        ["udp", "7", "420"],
    ]


@pytest.mark.skipif(shutil.which("ip") is None, reason="needs ip (package iproute2)")
@pytest.mark.parametrize("arguments", [(), ("--unlimited",)])
def test_tcp_congestion_keeps_its_window_small_unless_unlimited(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    printed = run(built("tcp_congestion", tmp_path) / "main.py", *arguments)
    found = re.fullmatch(
        r"1 connection, (\d+) segments acknowledged\nlargest window: (\d+) segments\n",
        printed,
    )
    assert found is not None
    acknowledged, largest = map(int, found.groups())
    assert acknowledged >= (16 << 20) // 1500
    if arguments:
        assert largest > 20
    else:
        assert largest == 20


def test_bootstrap_demo_prints_the_exec_and_exit_of_each_process(
    tmp_path: Path,
) -> None:
    printed = run(built("bootstrap", tmp_path) / "demo.py")
    lines = printed.splitlines()
    assert len(lines) >= 22
    assert sum(line.startswith("exec ") for line in lines) == 16
    assert sum(line.startswith("exit ") for line in lines) == 16
    assert re.search(r"^exit +sh +\d+ +\d+ +exit code 13 ", printed, re.MULTILINE)
    assert re.search(r"^exit +sh +\d+ +\d+ +killed by signal 9 ", printed, re.MULTILINE)
    assert lines[-1].startswith("demo: 32 events of 16 processes")


def test_demo_without_root_says_what_is_lacking(tmp_path: Path) -> None:
    drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    done = subprocess.run(
        [*drop, sys.executable, str(built("bootstrap", tmp_path) / "demo.py")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "demo: BTF of object 'bootstrap': BPF_BTF_LOAD: operation not permitted (EPERM)",
        "  this process lacks CAP_BPF: run as root or grant it",
        *done.stderr.splitlines()[2:-1],  # sysctls, as they are here
        "  sudo make demo",
    ]


def test_the_script_of_the_struct_ops_page_prints_what_it_promises(
    tmp_path: Path,
) -> None:
    page = (ROOT / "docs" / "struct_ops.md").read_text("utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    folder = built("tcp_congestion", tmp_path)
    (folder / "page.py").write_text(script, "utf-8")
    assert run(folder / "page.py") == f"{b'bpf_mine'.ljust(16, bytes(1))!r}\n"


def test_the_program_of_the_readme_counts_one_call(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    (program,) = re.findall(r"```c\n(.*?)```", readme, re.DOTALL)
    (script,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    source = tmp_path / "count.bpf.c"
    source.write_text(program, "utf-8")
    (tmp_path / "main.py").write_text(script, "utf-8")
    command = [sys.executable, "-m", "skelgen", source]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, env=environment)
    assert run(tmp_path / "main.py") == "1\n"
