"""How errors reach the terminal."""

import click

from skelgen.errors import SkelgenError

BAD_INPUT = 2
"""Exit status for bad input and usage; click's own, too."""


def show(error: SkelgenError) -> None:
    """Print an error, and the hints that came with it, to standard error."""
    click.echo(f"skelgen: error: {error}", err=True)
    for note in getattr(error, "__notes__", ()):
        click.echo(f"  {note}", err=True)


def warn(text: str) -> None:
    """Print a warning to standard error."""
    click.echo(f"skelgen: warning: {text}", err=True)
