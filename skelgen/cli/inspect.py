"""``skelgen inspect OBJ.o``: show what is in an object."""

import json
import sys
from pathlib import Path

import click

from skelgen.build.files import read_source
from skelgen.build.generate import read, warning_lines
from skelgen.cli.errors import BAD_INPUT, check_stdout, show
from skelgen.errors import SkelgenError


@click.command(short_help="Show maps, programs, globals and externs of an object.")
@click.argument("object_", metavar="OBJ.o", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
def inspect(object_: Path, *, as_json: bool) -> None:
    """Show what is in a compiled BPF object.

    Maps with key, value and size; programs with section, type and where they attach;
    globals with C declaration, offset and size; externs; struct_ops.
    """
    from skelgen.build.inspect import as_table, as_text

    check_stdout()
    try:
        data = read_source(object_)
        spec, warnings = read(data, object_.name, str(object_))
        shown = json.dumps(as_table(spec), indent=2) if as_json else as_text(spec)
    except SkelgenError as error:
        show(error)
        sys.exit(BAD_INPUT)
    click.echo(warning_lines(str(object_), warnings), err=True, nl=False)
    click.echo(shown, nl=as_json)
