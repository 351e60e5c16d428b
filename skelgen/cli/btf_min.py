"""``skelgen btf min OBJ.o ...``: cut a kernel's BTF to what objects need."""

import sys
from pathlib import Path

import click

from skelgen.cli.errors import BAD_INPUT, check_stdout, show, warn
from skelgen.errors import SkelgenError
from skelgen.plain import plain

_STDOUT = Path("-")
_RUNNING = "/sys/kernel/btf/vmlinux"

_EPILOG = """\b
Examples:
  skelgen btf min -o min.btf trace.bpf.o       of the kernel that runs here
  skelgen btf min -o 5.4.0-80-generic.btf --btf btfhub/5.4.0-80-generic.btf bpf/*.o

\b
At run time, on a kernel without BTF:
  Trace.open(btf="5.4.0-80-generic.btf")

Exit status: 0 all well; 2 bad input or usage.
"""


@click.command(
    "min",
    short_help="Cut a kernel's BTF to what CO-RE in objects needs.",
    epilog=_EPILOG,
)
@click.argument(
    "objects",
    nargs=-1,
    required=True,
    metavar="OBJ.o...",
    type=click.Path(path_type=Path),
)
@click.option(
    "-o",
    "--output",
    metavar="MIN.btf",
    required=True,
    type=click.Path(path_type=Path),
    help="File to write to; - for standard output.",
)
@click.option(
    "-b",
    "--btf",
    "source",
    metavar="SOURCE",
    default=_RUNNING,
    show_default=True,
    type=click.Path(path_type=Path),
    help="BTF to cut: a raw file, or an ELF file like vmlinux that has .BTF.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def min_(objects: tuple[Path, ...], output: Path, source: Path, *, quiet: bool) -> None:
    """Cut a kernel's BTF to what the CO-RE relocations of objects need.

    A few KB in place of 5 MB, to ship with a program for kernels without BTF of their
    own: open(btf=...) takes it. With it relocations come to what they come to with
    the whole, but for numbers of types.

    A relocation that nothing in SOURCE answers is a warning: a program may ask first,
    with bpf_core_field_exists(), and do without.
    """
    from skelgen.build import btf_min, files

    try:
        if output != _STDOUT:
            files.check_output(output, (source, *objects))
        made = btf_min.minimize(source, objects)
        if output != _STDOUT:
            files.write(output, made.data)
    except SkelgenError as error:
        show(error)
        sys.exit(BAD_INPUT)
    if output == _STDOUT:
        check_stdout()
        sys.stdout.buffer.write(made.data)
    if quiet:
        return
    for path, unmet in made.unmet:
        asked = " (the object asks whether it is there)" if unmet.guarded else ""
        warn(f"{path}: {unmet.access}: {unmet.why}{asked}")
    if output != _STDOUT:
        size = len(made.data)
        click.echo(
            f"wrote {plain(str(output))}: {made.types} types, {size} bytes", err=True
        )
