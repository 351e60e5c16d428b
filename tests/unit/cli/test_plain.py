"""Nothing that the command prints plays tricks on a terminal, whatever names are."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from skelgen.cli import main
from skelgen.cli.errors import compiler_text
from tests.conftest import CompileBpf

HOSTILE = "a\u202e\x1b[2Jb\nskelgen: error: c"
"""A mark that turns the writing direction, an escape sequence, a line end."""


@pytest.fixture
def obj(compile_bpf: CompileBpf, tmp_path: Path) -> Path:
    path = tmp_path / f"{HOSTILE}.bpf.o"
    path.write_bytes(compile_bpf("ringbuf").read_bytes())
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["{obj}", "--record", HOSTILE],
        ["{obj}", "--rename", HOSTILE],
        ["{obj}", "--rename", f"{HOSTILE}=x"],
        ["{obj}", "--name", HOSTILE],
        ["{obj}", "--type", HOSTILE],
        ["{obj}", "--target", HOSTILE],
        ["{obj}", "-o", "{tmp}/x.py"],
        ["{obj}", "-o", f"{{tmp}}/{HOSTILE}.py"],
        ["{obj}", "-o", f"{{tmp}}/{HOSTILE}/x.py"],
        ["{obj}", "{obj}", "-o", f"{{tmp}}/{HOSTILE}"],
        [f"--{HOSTILE}"],
        ["build", "--project", HOSTILE],
        ["inspect", "{obj}", HOSTILE],
        ["features", HOSTILE],
        ["features", "{obj}", HOSTILE],
        ["btf", HOSTILE],
        ["btf", "dump", "{obj}", HOSTILE],
        ["btf", "dump", f"{HOSTILE}.o"],
        ["btf", "min", "{obj}", "-o", f"{{tmp}}/{HOSTILE}.btf"],
        ["init", HOSTILE],
    ],
    ids=lambda words: " ".join(words).replace(HOSTILE, "!"),
)
def test_no_argument_plays_tricks(obj: Path, tmp_path: Path, words: list[str]) -> None:
    arguments = [word.format(obj=obj, tmp=tmp_path) for word in words]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code in {0, 2}
    shown = result.output.replace("\n", "")
    assert shown.isprintable(), shown
    ours = [line for line in result.output.splitlines() if line.startswith("skelgen:")]
    assert len(ours) <= 1


def test_progress_and_differences_on_a_terminal_are_escaped(
    obj: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.py"
    old.write_bytes(b"x = 1\x1b[2J\xff\n")
    ours, theirs = pty.openpty()
    words = ["--diff", str(obj), "-o", str(old)]
    with open(theirs, "wb", closefd=False) as file:
        command = [sys.executable, "-m", "skelgen", *words]
        done = subprocess.Popen(command, stdout=file, stderr=file)
    os.close(theirs)
    pieces: list[bytes] = []
    while True:
        try:
            pieces.append(os.read(ours, 65536))
        except OSError:  # nobody writes any more
            break
    os.close(ours)
    assert done.wait() == 0
    text = b"".join(pieces).decode()
    assert "-x = 1\\x1b[2J\\udcff" in text
    assert text.replace("\r\n", "").isprintable()


def test_a_patch_has_the_bytes_of_the_file(obj: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.py"
    old.write_bytes(b"x = 1\xff\n")
    result = CliRunner().invoke(main, ["--diff", str(obj), "-o", str(old)])
    assert b"\n-x = 1\xff\n+# @generated" in result.stdout_bytes


def test_a_compiler_may_use_colours_alone() -> None:
    text = "\x1b[0;1;31merror: \x1b[0ma\u202eb\x1b]0;title\x07\n"
    assert compiler_text(text) == (
        "\x1b[0;1;31merror: \x1b[0ma\\u202eb\\x1b]0;title\\x07\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["{obj}", "-o", "-"],
        ["{obj}", "--diff"],
        ["inspect", "{obj}"],
        ["btf", "dump", "{obj}"],
        ["btf", "min", "{obj}", "-o", "-"],
    ],
)
def test_what_goes_to_a_closed_output_is_refused(obj: Path, words: list[str]) -> None:
    arguments = [word.format(obj=obj) for word in words]
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", sys.executable, "-m", "skelgen", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "skelgen: error: standard output is closed\n"
    assert done.returncode == 2


def test_a_closed_standard_error_changes_nothing(obj: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "skelgen", str(obj), "-o", str(tmp_path / "x.py")]
    subprocess.run(["sh", "-c", '"$@" 2>&-', "sh", *words], check=True)
    assert (tmp_path / "x.py").stat().st_size


@pytest.mark.parametrize(
    "option",
    ["-Ix", "-DX", "--cflag=-g", "--cpu=v2", "--target=bpfel", "--keep-object"],
)
def test_options_of_the_compiler_are_not_for_objects(obj: Path, option: str) -> None:
    result = CliRunner().invoke(main, [str(obj), option])
    assert result.exit_code == 2
    assert "is for C files, which are compiled" in result.output
