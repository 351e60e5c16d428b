"""Run the tests that need no kernel on every Python that skelgen supports.

Usage: ``python -m tests.pythons.run [--quick] [3.12 | 3.14 ...] [-- pytest arguments]``

Each Python has a virtual environment in ``.cache/pythons``, made once; see
``interpreters.py`` for where it is from. One that is nowhere is a failure where it was
named, and else a line. ``--quick`` runs what a Python can make a difference to on those
but this one, and loads the examples where the running kernel may be used.
"""

import hashlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.harness.sources import ROOT
from tests.pythons.interpreters import CACHE, VERSIONS, interpreter

QUICK = [
    "tests/golden",
    "tests/kernel/test_examples.py",
    *("tests/unit/test_record.py", "tests/unit/test_typing.py"),
    *(f"tests/unit/{room}" for room in ("model", "codegen", "cli")),
    *(f"tests/unit/runtime/{room}" for room in ("values", "maps", "object", "load")),
    "--ignore=tests/unit/codegen/test_any_module.py",
]
"""Tests of all that a Python may do differently: classes, annotations, ctypes, start."""
EVERYTHING = ["tests", "--ignore=tests/kernel"]


def main(arguments: list[str]) -> int:
    """Run the tests on each Python and return the number of those that failed."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    versions, pytest = arguments[:at], arguments[at + 1 :]
    quick = "--quick" in versions
    if quick:
        versions.remove("--quick")
    unknown = [version for version in versions if version not in VERSIONS]
    if unknown:
        sys.exit(f"skelgen supports no Python {unknown[0]}: {', '.join(VERSIONS)}")
    failed = 0
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    others = [version for version in VERSIONS if version != running]
    for version in versions or (others if quick else VERSIONS):
        program = interpreter(version)
        started = time.monotonic()
        if program is None:
            failed += version in versions
            verdict = "not there: pyenv install it, or have it on PATH"
        else:
            python = _environment(version, program, "test" if quick else "dev")
            status = _tests(python, pytest or (QUICK if quick else EVERYTHING))
            failed += status != 0
            verdict = "passed" if status == 0 else f"FAILED (status {status})"
            verdict += f" after {time.monotonic() - started:.0f} s ({program})"
        print(f"== Python {version}: {verdict}", flush=True)
    return failed


def _environment(version: str, program: Path, extra: str) -> Path:
    """Return the Python of a virtual environment with skelgen and its tools in it."""
    folder = CACHE / f"venv-{version}-{extra}"
    python = folder / "bin/python"
    # a copy of the folder in another tree would test the tree that it was made in
    wanted = f"{ROOT} {program} {extra}\n".encode()
    wanted += hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).digest()
    made = folder / "made_for"
    if not made.exists() or made.read_bytes() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([program, "-m", "venv", "--without-pip", folder], check=True)
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
        # the tests of builds and installs run the environment's own pip
        pip += ["--disable-pip-version-check", "pip", "--editable", f".[{extra}]"]
        subprocess.run(pip, cwd=ROOT, check=True)
        made.write_bytes(wanted)
    return python


def _tests(python: Path, pytest: list[str]) -> int:
    """Run pytest on every processor and return its status."""
    words = [python, "-m", "pytest", "-q", "--durations=3", "-p", "no:cacheprovider"]
    words += ["--numprocesses=auto", "--dist=loadfile"]
    return subprocess.run([*words, *pytest], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
