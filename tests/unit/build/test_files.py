"""Outputs of the generator, written over those that were there."""

import os
import subprocess
import sys
from pathlib import Path

from skelgen.build import files


def imported(folder: Path) -> str:
    words = [sys.executable, "-c", "import made; print(made.VALUE)"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        words, cwd="/", env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


def test_a_module_as_long_as_the_one_of_the_same_second_is_imported(
    tmp_path: Path,
) -> None:
    """Python keeps bytecode for a size and a second."""
    module = tmp_path / "made.py"
    for value in ("1", "2"):
        files.write(module, f"VALUE = {value}\n")
        os.utime(module, (1_800_000_000, 1_800_000_000))
        assert imported(tmp_path) == value
    assert len([*tmp_path.glob("__pycache__/made.*.pyc")]) == 1


def test_bytecode_of_other_modules_stays(tmp_path: Path) -> None:
    kept = tmp_path / "__pycache__/made_too.cpython-311.pyc"
    kept.parent.mkdir()
    kept.write_bytes(b"")
    for text in ("VALUE = 1\n", "VALUE = 2\n"):
        files.write(tmp_path / "made.py", text)
    assert kept.exists()
