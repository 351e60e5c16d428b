"""``skelgen init NAME``: make a project."""

import os
import sys
from pathlib import Path

import click

from skelgen.build import scaffold
from skelgen.build.backends import BACKENDS
from skelgen.cli.errors import BAD_INPUT, show
from skelgen.errors import SkelgenError


@click.command(short_help="Make a project that builds, runs and is tested at once.")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(list(scaffold.KINDS)),
    default=next(iter(scaffold.KINDS)),
    show_default=True,
    help="trace: prints every program that starts, from a ring buffer."
    " xdp: counts the packets of a network interface.",
)
@click.option(
    "--backend",
    type=click.Choice(list(BACKENDS)),
    default=next(iter(BACKENDS)),
    show_default=True,
    help="What builds it.",
)
def init(name: str, kind: str, backend: str) -> None:
    """Make a project in a new folder NAME.

    C source, the Python program around it, a test, pyproject.toml and README.md. It
    builds, type-checks, passes its test and runs as it is. A name like my-tool gives
    a package my_tool.
    """
    folder = Path(name)
    try:
        project = scaffold.project(name, kind, backend)
        scaffold.write(folder, project.files)
    except SkelgenError as error:
        show(error)
        sys.exit(BAD_INPUT)
    click.echo(f"made {folder}/: {scaffold.KINDS[kind].summary.lower()}. Next:")
    lines = [f"cd {folder}", "pip install -e .", project.command]
    if not os.environ.get("VIRTUAL_ENV"):
        lines.insert(1, "python3 -m venv .venv && . .venv/bin/activate")
    click.echo("\n".join(f"  {line}" for line in lines))
