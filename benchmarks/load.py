"""Opening and loading an object: the runtime against libbpf, same objects, one run."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from table import Times, row, summary, title

ROUNDS = 30
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
    with tempfile.TemporaryDirectory() as folder:
        libbpf = Path(folder, "libbpf_load")
        source = str(_HERE / "libbpf_load.c")
        subprocess.run(["cc", "-O2", source, "-o", str(libbpf), "-lbpf"], check=True)
        for path in objects:
            module = Path(folder, path.name.split(".")[0] + "_skel.py")
            generate = [str(Path(sys.executable).with_name("skelgen")), "--quiet"]
            subprocess.run([*generate, str(path), "-o", str(module)], check=True)
            cold, warm = _ours(folder, module.stem, dict(os.environ))
            theirs = _libbpf(libbpf, path)
            row(path.name, warm.median * 1e3, theirs.median * 1e3, "ms", "< 3x")
            with tempfile.TemporaryDirectory() as cache:
                environ = {
                    **os.environ,
                    "XDG_CACHE_HOME": cache,
                    "SKELGEN_CACHE": cache,
                }
                first, _ = _ours(folder, module.stem, environ)
            row("  first load of a process, index cached", cold * 1e3, 0, "ms")
            row("  first load of a process, no index yet", first * 1e3, 0, "ms")


def _ours(folder: str, module: str, environ: dict[str, str]) -> tuple[float, Times]:
    """Return the first round of a process and the summary of the others."""
    words = [sys.executable, "-c", _OURS, folder, module, str(ROUNDS)]
    done = subprocess.run(
        words, check=True, capture_output=True, text=True, env=environ
    )
    seconds = json.loads(done.stdout)
    return seconds[0], summary(seconds[1:])


def _libbpf(program: Path, path: Path) -> Times:
    done = subprocess.run(
        [str(program), str(path), str(ROUNDS)],
        check=True,
        capture_output=True,
        text=True,
    )
    return summary([int(line) / 1e9 for line in done.stdout.split()][1:])


def start_to_loaded(folder: str, module: str) -> float:
    """Return the seconds from exec to loaded, a process each time."""
    words = [sys.executable, "-c", _OURS, folder, module, "1"]
    start = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - start
