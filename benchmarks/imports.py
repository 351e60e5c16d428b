"""What importing costs a process, beyond starting Python."""

import subprocess
import sys
import tempfile
from pathlib import Path

from table import Times, row, summary, title

RUNS = 40


def main(skeleton: Path) -> None:
    """Print the table for the runtime and for one generated module."""
    title("Import, time beyond an empty Python")
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder, "imported_skel.py")
        generate = [str(Path(sys.executable).with_name("skelgen")), "--quiet"]
        subprocess.run([*generate, str(skeleton), "-o", str(module)], check=True)
        path = f"import sys; sys.path[:0] = [{folder!r}]; "
        empty, runtime, whole, ctypes = _interleaved(
            path + "pass",
            path + "import skelgen.runtime",
            path + "import imported_skel",
            path + "import ctypes, typing, enum",
        )
    row("skelgen.runtime", (runtime - empty) * 1e3, 0, "ms", "< 15 ms")
    row("a skeleton, runtime included", (whole - empty) * 1e3, 0, "ms")
    row("ctypes, typing and enum alone", (ctypes - empty) * 1e3, 0, "ms")


def _interleaved(*codes: str) -> tuple[float, ...]:
    """Return the median seconds of a process for each piece of code, run in turn."""
    seconds: list[list[float]] = [[] for _ in codes]
    for _ in range(RUNS):
        for kept, code in zip(seconds, codes, strict=True):
            kept.append(_process(code))
    return tuple(_median(times) for times in seconds)


def _median(seconds: list[float]) -> float:
    times: Times = summary(seconds)
    return times.median


def _process(code: str) -> float:
    """Time one process from inside: from its first statement to its last."""
    words = [
        sys.executable,
        "-c",
        "import time; t = time.perf_counter(); "
        + code
        + "; print(time.perf_counter() - t)",
    ]
    return float(
        subprocess.run(words, check=True, capture_output=True, text=True).stdout
    )
