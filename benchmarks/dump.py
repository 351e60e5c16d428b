"""A kernel's BTF as C and as JSON: ``skelgen btf dump`` against ``bpftool btf dump``."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from table import command, row, time_pair, title

KERNEL = "/sys/kernel/btf/vmlinux"


def main() -> None:
    """Print the table; whole processes, the output thrown away."""
    if not Path(KERNEL).exists():
        print("\nDumping kernel BTF: left out, this kernel has none")
        return
    skelgen = str(Path(sys.executable).with_name("skelgen"))
    python = command(sys.executable, "-c", "import click")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SKELGEN_CACHE"] = folder
        title(f"Dumping {KERNEL}, whole process")
        for form, against, aim, kept in (
            (
                "c",
                ("bpftool", "btf", "dump", "file", KERNEL, "format", "c"),
                "< 3 s",
                "< 0.1 s",
            ),
            ("json", ("bpftool", "-j", "btf", "dump", "file", KERNEL), "", ""),
        ):
            words = (skelgen, "btf", "dump", "--kernel", "--format", form)
            cold, theirs = time_pair(_cold(words, folder), command(*against), runs=5)
            row(f"{form}, nothing in the cache", cold.median, theirs.median, "s", aim)
            warm, theirs = time_pair(command(*words), command(*against), runs=15)
            row(f"{form}, from the cache", warm.median, theirs.median, "s", kept)
        bare, _ = time_pair(python, command("true"), runs=15)
        row("(Python and click, doing nothing)", bare.median, 0, "s")
        del os.environ["SKELGEN_CACHE"]


def _cold(words: tuple[str, ...], folder: str) -> Callable[[], object]:
    """Return a call that finds an empty cache."""

    def call() -> object:
        for entry in Path(folder).iterdir():
            entry.unlink()
        return subprocess.run(words, check=True, capture_output=True)

    return call
