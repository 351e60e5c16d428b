"""The ``skelgen`` command: parse arguments, call the build, print errors."""

import click

from skelgen._version import __version__
from skelgen.cli.group import Commands, DefaultGroup

_HELP = """Write a typed Python module for each BPF program, C file or object.

The module embeds the bytecode, and needs nothing but Python and skelgen to run:
maps, programs, globals and events under their names in C, with types.

\b
First steps:
  skelgen init mytool; cd mytool         a project: C, Python, a test
  pip install -e .                       compiles and generates, as any build
  sudo "$(command -v python)" -m mytool  into the kernel
"""

_EPILOG = """\b
Examples:
  skelgen trace.bpf.c                    compile it; trace_skel.py beside it
  skelgen trace.bpf.o                    the same from an object
  skelgen trace.bpf.c -o app/trace.py    write it there
  skelgen bpf/*.bpf.c -o app             several, into a folder
  skelgen trace.bpf.c --record rb=event  ring buffer rb carries struct event
  skelgen build                          what pyproject.toml lists, if changed
  skelgen build --check                  is it up to date? (for CI)
  skelgen build --help                   every option of these

\b
Shell completion, for .bashrc (.zshrc: zsh_source; fish: fish_source):
  eval "$(_SKELGEN_COMPLETE=bash_source skelgen)"

\b
Exit status: 0 all well; 1 --check found a difference; 2 bad input or usage.
"""


# The first one is what skelgen does when no command is named; the help lists them
# in this order, which is the order in which a newcomer needs them.
_COMMANDS = ("build", "init", "inspect", "features", "btf")


@click.group(
    cls=DefaultGroup,
    commands=Commands(__name__, _COMMANDS),
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.version_option(__version__, prog_name="skelgen")
def main() -> None:
    """Write modules, and all that goes with it."""
