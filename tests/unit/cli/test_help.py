"""Help is one screen, with a line for each command."""

import re
from collections.abc import Callable
from pathlib import Path

import click

import skelgen
from skelgen.cli import group, main
from tests.harness.command import run

CompileBpf = Callable[..., Path]


def test_help_names_usage_examples_and_exit_statuses() -> None:
    for arguments in (("--help",), ("-h",)):
        result = run(*arguments)
        assert result.exit_code == 0
        for part in (
            "Usage: skelgen [OPTIONS] [FILE...]\n       skelgen COMMAND [ARGS]...\n",
            "skelgen trace.bpf.c --record rb=event",
            'eval "$(_SKELGEN_COMPLETE=bash_source skelgen)"',
            "Exit status: 0 all well",
        ):
            assert part in result.output
    bare = run()
    assert bare.exit_code == 2
    assert bare.output == run("--help").output


def test_help_is_one_screen() -> None:
    lines = run("--help").output.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 50


def test_help_has_one_line_a_command() -> None:
    output = run("--help").output
    for name, command in group.walk(main):
        if not isinstance(command, click.Group):
            assert re.search(rf"^  {name}  .*\S", output, re.MULTILINE), name
            assert command.short_help, name


def test_help_of_commands_names_usage_and_options() -> None:
    assert "Usage: skelgen inspect [OPTIONS] OBJ.o" in run("inspect", "--help").output
    assert "--check" in run("build", "--help").output


def test_version_is_that_of_the_package() -> None:
    assert run("--version").output == f"skelgen, version {skelgen.__version__}\n"
