"""The generator as a process: ``skelgen`` against ``bpftool gen skeleton``."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from table import command, row, time_pair, title


def main(objects: Sequence[Path]) -> None:
    """Print the table; objects that Debian's bpftool refuses are left out."""
    skelgen = str(Path(sys.executable).with_name("skelgen"))
    with tempfile.TemporaryDirectory() as folder:
        accepted = []
        for path in objects:
            words = ["bpftool", "gen", "skeleton", str(path)]
            if subprocess.run(words, check=False, capture_output=True).returncode == 0:
                accepted.append(Path(shutil.copy(path, folder)))
        one = next(path for path in accepted if path.name.startswith("bootstrap"))

        def bpftool_each() -> None:
            for path in accepted:
                command("bpftool", "gen", "skeleton", str(path))()

        title("Generating, whole process")
        ours, theirs = time_pair(
            command(skelgen, "--quiet", str(one)),
            command("bpftool", "gen", "skeleton", str(one)),
            runs=15,
        )
        row(f"one object ({one.name})", ours.median, theirs.median, "s", "< 0.30 s")
        ours, theirs = time_pair(
            command(skelgen, "--quiet", *map(str, accepted)), bpftool_each, runs=5
        )
        row(
            f"{len(accepted)} objects in one call",
            ours.median,
            theirs.median,
            "s",
            "<= 1.00x",
        )
