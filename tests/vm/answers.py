"""Answers of ``skelgen features --json`` about the running kernel, in one file.

``python -m tests.vm.answers [6.1 | 7.3 ...]`` asks each of Debian's kernels and this
machine's own, and writes ``answers.json``.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

from skelgen.cli import main as skelgen
from tests.vm import run
from tests.vm.kernels import KERNELS, ROOT, image

DATA = ROOT / "tests" / "vm" / "answers.json"
"""Answers by kernel, from which ``tools/gen_kernels.py`` makes the table of the docs."""
TABLES = ("features", "map_types", "program_types", "attach_types")


def ask() -> dict[str, Any]:
    """Return the answers: ``yes``, ``no`` or a null by name, and what was left out."""
    found = _features()
    found |= _features("--map-types", "--program-types", "--attach-types")
    config = found["system"]["config"] or {}
    answers: dict[str, Any] = {
        "release": found["system"]["release"],
        "without": sorted(option for option, value in config.items() if value is None),
    }
    for table in TABLES:
        answers[table] = {name: row["supported"] for name, row in found[table].items()}
    return answers


def _features(*options: str) -> dict[str, Any]:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        skelgen(["features", "--json", *options], standalone_mode=False)
    found: dict[str, Any] = json.loads(text.getvalue())
    return found


def keep(found: dict[str, Any]) -> None:
    """Put the answers of some kernels into ``DATA``, beside those of the others."""
    known = json.loads(DATA.read_text("utf-8")) if DATA.exists() else {}
    known |= found
    in_order = sorted(known, key=lambda kernel: [*map(int, kernel.split("."))])
    text = json.dumps({kernel: known[kernel] for kernel in in_order}, indent=1)
    DATA.write_text(f"{text}\n", "utf-8")


def main(arguments: list[str]) -> int:
    """Ask each kernel, and this machine for its own; return how many gave no answer."""
    series = ".".join(os.uname().release.split(".")[:2])
    found = {}
    for kernel in arguments or [*KERNELS, series]:
        if kernel == series:
            found[kernel] = ask()
            continue
        file = run.folder(kernel) / "answers"
        words = [sys.executable, "-m", "tests.vm.answers", f"--into={file}"]
        status, log, seconds = run.run(kernel, image(kernel), words)
        print(f"Linux {kernel}: status {status} in {seconds:.0f} s\n{log}", flush=True)
        if status == 0:
            found[kernel] = json.loads(file.read_text("utf-8"))
            keep(found)
    keep(found)
    return len(arguments or [*KERNELS, series]) - len(found)


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1].startswith("--into="):
        answers = json.dumps(ask())
        Path(sys.argv[1].removeprefix("--into=")).write_text(answers, "utf-8")
    else:
        sys.exit(main(sys.argv[1:]))
