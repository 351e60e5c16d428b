"""Misuse of a skeleton is a type error, and use of it is none, for two checkers."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import skelgen
from tests.harness import sources

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FIXTURES = ("globals_live", "maps_arena", "names_meet", "ringbuf", "struct_ops_shadow")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the two files and the skeletons that they import."""
    path = tmp_path_factory.mktemp("typing")
    for name in FIXTURES:
        records = tuple(sources.records_of(name).items())
        compiled = sources.compiled(sources.find(name), "little")
        text = skelgen.generate(compiled, records=records)
        (path / f"{name}_skel.py").write_text(text, "utf-8")
    for name in ("positive.py", "negative.py"):
        (path / name).write_text((HERE / name).read_text("utf-8"), "utf-8")
    return path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def mypy(folder: Path, *files: str) -> list[tuple[str, int, str]]:
    """Return file, line and text of every error of mypy."""
    cache = ROOT / ".mypy_cache" / "tests"
    options = ("--strict", "--no-error-summary", "--hide-error-context")
    done = run(folder, "mypy", *options, f"--cache-dir={cache}", *files)
    assert done.returncode in {0, 1}, done.stderr
    errors = []
    for line in done.stdout.splitlines():
        file, number, kind, text = line.split(":", 3)
        if kind.strip() == "error":
            errors.append((file, int(number), text.strip()))
    return errors


def pyright(folder: Path, *files: str) -> list[tuple[str, int, str]]:
    """Return file, line and text of every error of pyright in strict mode."""
    (folder / "pyrightconfig.json").write_text(
        json.dumps(
            {
                "include": list(files),
                "strict": ["."],
                "extraPaths": [str(ROOT)],
                "pythonVersion": "3.11",
                "reportUnusedExpression": "none",
                "reportPrivateUsage": "none",
            }
        ),
        "utf-8",
    )
    done = run(folder, "pyright", "--outputjson", "--pythonpath", sys.executable)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)["generalDiagnostics"]
    return [
        (Path(d["file"]).name, d["range"]["start"]["line"] + 1, d["message"])
        for d in found
        if d["severity"] == "error" and d.get("rule") != "reportUnusedExpression"
    ]


Checker = Callable[..., list[tuple[str, int, str]]]


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_what_is_right_is_accepted(checker: Checker, folder: Path) -> None:
    skeletons = [f"{name}_skel.py" for name in FIXTURES]
    assert checker(folder, "positive.py", *skeletons) == []


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_what_is_wrong_is_refused_line_by_line(checker: Checker, folder: Path) -> None:
    lines = (folder / "negative.py").read_text("utf-8").splitlines()
    wanted = {n for n, line in enumerate(lines, 1) if line.endswith("# error")}
    assert len(wanted) > 50
    found = {n for file, n, _ in checker(folder, "negative.py") if "negative" in file}
    missed = [lines[n - 1].strip() for n in sorted(wanted - found)]
    surplus = [lines[n - 1].strip() for n in sorted(found - wanted)]
    assert (missed, surplus) == ([], [])


def test_what_is_right_also_runs(folder: Path) -> None:
    done = run(folder, "positive")
    assert (done.returncode, done.stderr) == (0, "")
