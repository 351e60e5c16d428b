"""A process from exec until its program is loaded: time, and the most memory it took.

skelgen as a wheel in a virtual environment of its own, against a C program with libbpf
and a Python program with BCC, which compiles when it runs.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path

from load import compile_libbpf, generate
from table import row, title

RUNS = 15
_ROOT = Path(__file__).resolve().parents[1]

# Each says a line when it has loaded, and is measured while it waits.
_OURS = """
import sys
sys.path.insert(0, sys.argv[1])
from bootstrap_skel import Bootstrap
with Bootstrap.open_and_load():
    print("loaded", flush=True)
    sys.stdin.read()
"""
_BCC = """
import sys
from bcc import BPF
with open(sys.argv[1]) as file:
    bpf = BPF(text=file.read())
bpf.load_func("handle_exec", BPF.TRACEPOINT)
bpf.load_func("handle_exit", BPF.TRACEPOINT)
print("loaded", flush=True)
sys.stdin.read()
"""


def main(bootstrap: Path) -> None:
    """Print the table; root only."""
    if os.geteuid() != 0:
        print("\nFrom exec to loaded: left out, it needs root")
        return
    title("From exec to loaded, bootstrap, whole process")
    with tempfile.TemporaryDirectory() as folder:
        generate(bootstrap, folder)
        python = _environment(Path(folder, "venv"))
        ours = [str(python), "-c", _OURS, folder]
        libbpf = [str(compile_libbpf(folder)), str(bootstrap)]
        empty = [
            str(python),
            "-c",
            "import sys; print('loaded', flush=True); sys.stdin.read()",
        ]
        bcc = ["/usr/bin/python3", "-c", _BCC, str(_ROOT / "benchmarks/bcc.c")]
        _loaded(ours)  # compiles the module, and writes the index
        _print("against C with libbpf", ours, libbpf, ("< 60 ms", "< 20 MB"))
        _print("(an empty Python)", empty, libbpf)
        try:
            _loaded(bcc)
        except RuntimeError as error:
            print(f"  (BCC left out, it does not run here: {error})")
        else:
            _print("against Python with BCC", ours, bcc)


def _environment(folder: Path) -> Path:
    """Return the Python of a virtual environment with skelgen's wheel."""
    venv.create(folder, symlinks=True)
    python = folder / "bin/python"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    source = folder / "source"  # setuptools leaves things where it builds
    left = shutil.ignore_patterns(".*", "tests", "venv")
    shutil.copytree(_ROOT, source, ignore=left)
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*wheel, "-w", str(folder), str(source)], check=True)
    (built,) = folder.glob("*.whl")
    install = [*pip, "--python", str(python), "install", "--no-deps", str(built)]
    subprocess.run(install, check=True)
    return python


def _print(
    what: str,
    ours: Sequence[str],
    theirs: Sequence[str],
    aims: tuple[str, str] = ("", ""),
) -> None:
    samples = [(_loaded(ours), _loaded(theirs)) for _ in range(RUNS)]
    (our_times, our_peaks), (times, peaks) = (
        zip(*side, strict=True) for side in zip(*samples, strict=True)
    )
    row(
        what,
        statistics.median(our_times) * 1e3,
        statistics.median(times) * 1e3,
        "ms",
        aims[0],
    )
    row("  worst", max(our_times) * 1e3, max(times) * 1e3, "ms")
    row("  peak memory", max(our_peaks) / 1e6, max(peaks) / 1e6, "MB", aims[1])


def _loaded(words: Sequence[str]) -> tuple[float, int]:
    """Return the seconds until a process says that it has loaded, and its peak bytes."""
    start = time.perf_counter()
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        loaded = b"loaded\n" in process.stdout  # as soon as that line is there
        seconds = time.perf_counter() - start
        if not loaded:
            lines = process.stderr.read().decode().strip().splitlines()
            raise RuntimeError("; ".join(lines[:1] + lines[-1:]))
        status = Path(f"/proc/{process.pid}/status").read_text("ascii")
        process.communicate()
    peak = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    assert peak is not None
    return seconds, int(peak[1]) * 1024
