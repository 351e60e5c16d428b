"""From the event in the kernel to the reader: skelgen beside C with libbpf.

``python benchmarks/latency.py [NAME=TREE ...]``, as root. A process makes events at
intervals, whose record has the time of ``bpf_ktime_get_ns()``; each reader is a process
that looks at the clock when it has the record. All readers take turns, so that a noisy
machine is noisy for all, and runs in real time, where that is allowed. ``NAME=TREE`` adds another tree of skelgen to them, for figures
of before and after in one run. Wants cc and libbpf-dev.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from table import title

from skelgen.compiler import clang

HERE = Path(__file__).parent
INTERVALS = {"1 ms": (1_000_000, 500), "160 us": (160_000, 2500)}
"""Nanoseconds between events, and how many a round."""
ROUNDS = 8
WAYS = ("poll", "rt.poll", "async")
AIM = (3, 5)
"""How many times libbpf's p50 and p99 ours may be."""


def main(trees: dict[str, str] | None = None) -> None:
    """Print the table; root only."""
    if os.geteuid() != 0 or shutil.which("cc") is None:
        print("\nLatency of ring buffers: left out, it needs root and cc")
        return
    with tempfile.TemporaryDirectory() as folder:
        readers = _readers(folder, {"": str(HERE.parent), **(trees or {})})
        for name, (interval, count) in INTERVALS.items():
            took: dict[str, list[int]] = {reader: [] for reader in readers}
            _run_before_others()
            for _ in range(ROUNDS):
                for reader, (words, tree) in readers.items():
                    took[reader] += _round(folder, words, tree, interval, count)
            _print(name, {reader: sorted(times) for reader, times in took.items()})


def _readers(
    folder: str, trees: dict[str, str]
) -> dict[str, tuple[tuple[str, ...], str]]:
    """Compile all, and return the words that start each reader, and its tree."""
    path = Path(folder, "latency.bpf.o")
    clang.compile_object(HERE / "latency.bpf.c", path)
    for name in ("latency_source", "latency_libbpf"):
        source, output = str(HERE / f"{name}.c"), str(Path(folder, name))
        subprocess.run(["cc", "-O2", "-o", output, source, "-lbpf"], check=True)
    found: dict[str, tuple[tuple[str, ...], str]] = {
        "C, libbpf": ((str(Path(folder, "latency_libbpf")), str(path)), "")
    }
    for name, tree in trees.items():
        for way in WAYS:
            script = str(HERE / "latency_read.py")
            found[f"{name} {way}".strip()] = (
                sys.executable,
                script,
                str(path),
                way,
            ), tree
    return found


def _run_before_others() -> None:
    """Have what is started from here run before all that is not for real time."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    except OSError as error:
        print(f"  among all other processes of this machine: {error}")


def _round(
    folder: str, words: tuple[str, ...], tree: str, interval: int, count: int
) -> list[int]:
    """Let one reader read some events; return what each took, but of the first ones."""
    head, way = (words[:-1], words[-1:]) if tree else (words, ())
    reader = subprocess.Popen(
        [*head, str(count), *way],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": tree},
    )
    try:
        assert reader.stdout is not None
        program = reader.stdout.readline().strip()
        source = [Path(folder, "latency_source"), str(reader.pid), program]
        subprocess.run([*source, str(interval), str(count)], check=True, timeout=60)
        output, _ = reader.communicate(timeout=60)
    finally:
        reader.kill()
    assert reader.returncode == 0
    return [int(line) for line in output.split()][count // 20 :]


def _print(interval: str, took: dict[str, list[int]]) -> None:
    title(f"An event every {interval}: microseconds from the kernel to the reader")
    theirs = [_percentile(took["C, libbpf"], part) for part in (50, 99)]
    print(f"  {'reader':<22}{'p50':>9}{'x C':>7}{'p99':>10}{'x C':>7}{'worst':>10}")
    for reader, times in took.items():
        cells = ""
        for part, c, width in zip((50, 99), theirs, (9, 10), strict=True):
            value = _percentile(times, part)
            cells += f"{value:>{width}.1f}{value / c:>7.2f}"
        print(f"  {reader:<22}{cells}{times[-1] / 1000:>10.1f}")
    print(f"  aim: p50 within {AIM[0]}, p99 within {AIM[1]} times of C")


def _percentile(times: list[int], part: int) -> float:
    return times[min(len(times) - 1, len(times) * part // 100)] / 1000


if __name__ == "__main__":
    main(dict(word.split("=", 1) for word in sys.argv[1:]))
