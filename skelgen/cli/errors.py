"""How errors reach the terminal."""

import re
import shlex
import sys
from typing import TextIO

import click

from skelgen.errors import CompileError, SkelgenError
from skelgen.plain import plain_lines

BAD_INPUT = 2
"""Exit status for bad input and usage; click's own, too."""


_colored = re.compile(r"(\x1b\[[0-9;]*[mK])").split


def show(error: SkelgenError, *, verbose: bool = False) -> None:
    """Print an error, and the hints that came with it, to standard error.

    The output of a compiler comes first and as it is, for people and editors that know
    it; ``verbose`` adds the command.
    """
    text = str(error)
    if isinstance(error, CompileError):
        if verbose and error.command:
            click.echo(shlex.join(error.command), err=True)
        click.echo(compiler_text(error.output), err=True, nl=False)
        text = plain_lines(error.message)
    click.echo(f"skelgen: error: {indented(text)}", err=True)
    for note in getattr(error, "__notes__", ()):
        click.echo(f"  {indented(plain_lines(note))}", err=True)


def indented(text: str) -> str:
    """Return text whose further lines are indented: none looks like one of ours.

    A file's name may have line ends in it.
    """
    return re.sub(r"\n(?=\S)", "\n  ", text)


def compiler_text(text: str) -> str:
    """Return what a compiler printed, in its colours, with nothing else unprintable.

    It escapes ESC itself where it shows source text, but not all of the others.
    """
    pieces = _colored(text)
    pieces[::2] = map(plain_lines, pieces[::2])
    return "".join(pieces)


def os_error_text(error: OSError) -> str:
    """Return what a file could not do for us, with its name first."""
    what = f"{error.filename}: " if error.filename is not None else ""
    return what + (error.strerror or str(error))


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether output goes to a terminal; a stream may be closed, and None then."""
    return stream is not None and stream.isatty()


def check_stdout() -> None:
    """Refuse to print what nobody can get. Raises SkelgenError."""
    if sys.stdout is None:  # pyright: ignore[reportUnnecessaryComparison] - `>&-`
        raise SkelgenError("standard output is closed")


def warn(text: str) -> None:
    """Print a warning to standard error; names in it may play no tricks there."""
    click.echo(f"skelgen: warning: {plain_lines(text)}", err=True)
