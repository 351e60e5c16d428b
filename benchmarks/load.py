"""Opening and loading an object: the runtime against libbpf, same objects, one run."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from table import row, summary, title

import skelgen
from skelgen.compiler import clang

ROUNDS = 10
TURNS = 6
"""How often both take turns, so that a noisy machine is noisy for both."""
_HERE = Path(__file__).parent

# Run in a process of its own, so that the first round is a cold one.
_OURS = """
import json, sys, time
sys.path[:0] = [sys.argv[1]]
module = __import__(sys.argv[2])
skeleton = next(
    value for name, value in vars(module).items()
    if name in module.__all__ and hasattr(value, "open_and_load")
)
seconds = []
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    skel = skeleton.open_and_load()
    seconds.append(time.perf_counter() - start)
    skel.destroy()
print(json.dumps(seconds))
"""


def main(objects: Sequence[Path]) -> None:
    """Print the table; root only."""
    if os.geteuid() != 0:
        print("\nOpen and load: left out, it needs root")
        return
    title("Open and load, in process")
    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        libbpf = compile_libbpf(folder)
        many = Path(folder, "core.bpf.o")
        clang.compile_object(_HERE / "core.bpf.c", many)
        for path in (*objects, many):
            relocations = _relocations(path)
            generate(path, folder)
            ratio = _compare(folder, path, libbpf, relocations)
            if relocations:
                ratios.append(ratio)
    row("median object with CO-RE", statistics.median(ratios), 1, "x", "< 0.90x")


def _relocations(path: Path) -> int:
    """Count the CO-RE relocations of an object."""
    spans = (program.core_relos for program in skelgen.read_object(path).programs)
    return sum(span.size // 16 for span in spans if span)


def compile_libbpf(folder: str) -> Path:
    """Return the program that loads an object through libbpf."""
    program, source = Path(folder, "libbpf_load"), str(_HERE / "libbpf_load.c")
    subprocess.run(["cc", "-O2", source, "-o", str(program), "-lbpf"], check=True)
    return program


def generate(path: Path, folder: str) -> str:
    """Write the module of an object into a folder, and return its name."""
    module = path.name.split(".")[0] + "_skel"
    words = [str(Path(sys.executable).with_name("skelgen")), "--quiet", str(path)]
    subprocess.run([*words, "-o", f"{folder}/{module}.py"], check=True)
    return module


def _compare(folder: str, path: Path, libbpf: Path, relocations: int) -> float:
    """Print the rows of an object, and return the ratio of the medians."""
    warm: list[float] = []
    theirs: list[float] = []
    first: list[float] = []
    cold: list[float] = []
    module = path.name.split(".")[0] + "_skel"
    for _ in range(TURNS):
        kept, *more = _ours(folder, module, ROUNDS + 1)
        first.append(kept)
        warm += more
        theirs += _libbpf(libbpf, path, ROUNDS + 1)[1:]
        with tempfile.TemporaryDirectory() as cache:
            cold += _ours(folder, module, 1, SKELGEN_CACHE=cache)
    ours, other = summary(warm), summary(theirs)
    row(
        f"{path.name}, {relocations} CO-RE", ours.median * 1e3, other.median * 1e3, "ms"
    )
    row("  worst", ours.worst * 1e3, other.worst * 1e3, "ms")
    kept = statistics.median(first)
    row("  first of a process, index on disk", kept * 1e3, 0, "ms")
    if relocations:
        extra = statistics.median(cold) - kept
        row("  more without an index", extra * 1e3, 0, "ms", "< 60 ms")
    return ours.median / other.median


def _ours(folder: str, module: str, rounds: int, **environ: str) -> list[float]:
    """Return the seconds of each round of a process."""
    words = [sys.executable, "-c", _OURS, folder, module, str(rounds)]
    done = subprocess.run(
        words,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
    )
    seconds: list[float] = json.loads(done.stdout)
    return seconds


def _libbpf(program: Path, path: Path, rounds: int) -> list[float]:
    done = subprocess.run(
        [str(program), str(path), str(rounds)],
        check=True,
        capture_output=True,
        text=True,
    )
    return [int(line) / 1e9 for line in done.stdout.split()]
