"""Shell completion: the scripts, and what real shells make of them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from skelgen.cli import main
from tests.harness.sources import ROOT

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return a PATH with a ``skelgen`` of this tree at its head."""
    command = tmp_path / "bin" / "skelgen"
    command.parent.mkdir()
    command.write_text(
        f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m skelgen "$@"\n'
    )
    command.chmod(0o755)
    return f"{command.parent}:{os.environ['PATH']}"


def complete(words: str, number: int) -> list[str]:
    environ = {
        "_SKELGEN_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(number),
    }
    result = CliRunner().invoke(main, env=environ, prog_name="skelgen")
    return result.output.splitlines()


@pytest.mark.parametrize(
    ("words", "number", "wanted"),
    [
        ("skelgen ", 1, {"plain,build", "plain,init", "plain,inspect", "file,"}),
        ("skelgen --rec", 1, {"plain,--record"}),
        ("skelgen x.o --ch", 2, {"plain,--check"}),
        ("skelgen x.o ring", 2, {"file,ring"}),
        ("skelgen inspect --j", 2, {"plain,--json"}),
        ("skelgen inspect ring", 2, {"file,ring"}),
        ("skelgen btf ", 2, {"plain,min"}),
        ("skelgen init --kind ", 3, {"plain,trace", "plain,xdp"}),
    ],
)
def test_words_are_completed_with_what_may_follow(
    words: str, number: int, wanted: set[str]
) -> None:
    answers = complete(words, number)
    assert wanted <= set(answers)
    assert len(answers) == len(set(answers))


def test_no_answer_comes_twice() -> None:
    answers = complete("skelgen --", 1)
    assert len(answers) == len(set(answers))
    assert {"plain,--help", "plain,--version", "plain,--output"} <= set(answers)


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_printed_and_parse_in_their_shells(shell: str, path: str) -> None:
    script = subprocess.run(
        ["skelgen"],
        env=os.environ | {"PATH": path, "_SKELGEN_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "_skelgen_completion" in script
    assert f"_SKELGEN_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n", "-c", script], check=True)


def test_bash_completes_commands_and_options(path: str, tmp_path: Path) -> None:
    (tmp_path / "trace.bpf.c").touch()
    script = """
    eval "$(_SKELGEN_COMPLETE=bash_source skelgen)"
    complete -p skelgen
    for words in "skelgen in" "skelgen init --ki" "skelgen --ver"; do
        COMP_WORDS=($words); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        COMPREPLY=()
        _skelgen_completion skelgen "${COMP_WORDS[COMP_CWORD]}"
        echo "${COMPREPLY[@]}"
    done
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=os.environ | {"PATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    registered, commands, options, default = done.stdout.splitlines()
    assert registered == "complete -o nosort -F _skelgen_completion skelgen"
    assert commands.split() == ["init", "inspect"]
    assert options == "--kind"
    assert default.split() == ["--version", "--verbose"]
