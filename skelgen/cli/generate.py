"""``skelgen OBJ.o ...``: write modules."""

import sys
from pathlib import Path

import click

from skelgen.build import driver
from skelgen.build.driver import Job, Outcome
from skelgen.build.generate import Options
from skelgen.cli.errors import BAD_INPUT, show
from skelgen.errors import SkelgenError

_DIFFERS = 1
_STDOUT = Path("-")


class _Record(click.ParamType["tuple[str, str]"]):
    """``MAP=TYPE``."""

    name = "MAP=TYPE"

    def convert(
        self,
        value: str | tuple[str, str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        map_, equals, type_ = value.partition("=")
        if not (map_ and equals and type_):
            self.fail(
                f"'{value}' is not of the form MAP=TYPE, like rb=event", param, ctx
            )
        return map_, type_


@click.command(short_help="Write a typed module for each object (the default).")
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
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="File or folder to write to; - for standard output."
    " Default: x.bpf.o becomes x_skel.py beside it.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="Name of the object and its skeleton. Default: from the file name.",
)
@click.option(
    "-t",
    "--type",
    "types",
    metavar="TYPE",
    multiple=True,
    help="Emit this C type too, like event or 'struct event': from BTF, else from"
    " DWARF. Repeatable.",
)
@click.option(
    "-r",
    "--record",
    "records",
    type=_Record(),
    multiple=True,
    help="What the ring buffer MAP carries: the C type of its records. Repeatable.",
)
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; exit with status 1 if a module is not up to date.",
)
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def generate(
    objects: tuple[Path, ...],
    output: Path | None,
    name: str | None,
    types: tuple[str, ...],
    records: tuple[tuple[str, str], ...],
    *,
    check: bool,
    diff: bool,
    quiet: bool,
) -> None:
    """Write a typed Python module for each compiled BPF object."""
    if name is not None and len(objects) > 1:
        raise click.UsageError("--name is for one object")
    if output == _STDOUT and (len(objects) > 1 or check or diff):
        raise click.UsageError("-o - is for one object, without --check and --diff")
    try:
        options = Options.of(name, types, records)
        jobs = driver.jobs(objects, output, options)
    except SkelgenError as error:
        show(error)
        sys.exit(BAD_INPUT)
    run = _Run(len(jobs), check=check, diff=diff, quiet=quiet)
    for number, job in enumerate(jobs, 1):
        run.one(number, job)
    run.finish()


class _Run:
    """The objects of one call: what became of each, and the exit status."""

    def __init__(self, total: int, *, check: bool, diff: bool, quiet: bool) -> None:
        self._total = total
        self._check = check
        self._diff = diff
        self._quiet = quiet
        # On a terminal many objects share one line; elsewhere each gets its own.
        self._live = total > 1 and not quiet and sys.stderr.isatty()
        self._changed = 0
        self._failed = 0

    def one(self, number: int, job: Job) -> None:
        """Do what was asked with one object."""
        if self._live:
            self._line(f"[{number}/{self._total}] {job.source}", end="\r")
        try:
            self._do(job)
        except SkelgenError as error:
            self._failed += 1
            self._clear()
            show(error)

    def _do(self, job: Job) -> None:
        if job.output == _STDOUT:
            click.echo(driver.build(job), nl=False)
        elif self._check or self._diff:
            self._compare(job)
        elif driver.run(job) is Outcome.WRITTEN:
            self._changed += 1
            self._say(f"wrote {job.output}")
        elif self._total == 1:
            self._say(f"{job.output} is up to date")

    def _compare(self, job: Job) -> None:
        text = driver.build(job)
        old = driver.current(job.output)
        if text == old:
            return
        self._changed += 1
        if self._diff:
            self._clear()
            click.echo(driver.difference(old, text, job.output), nl=False)
        if self._check:
            state = "is missing" if old is None else "is not up to date"
            self._say(f"{job.output} {state}")

    def finish(self) -> None:
        """Sum up, and leave with the exit status."""
        if self._total > 1:
            same = self._total - self._changed - self._failed
            verb = "to write" if self._check or self._diff else "written"
            text = f"{self._total} objects: {self._changed} {verb}, {same} up to date"
            self._say(text + (f", {self._failed} failed" if self._failed else ""))
        if self._failed:
            sys.exit(BAD_INPUT)
        if self._check and self._changed:
            sys.exit(_DIFFERS)

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._line(text)

    def _clear(self) -> None:
        if self._live:
            self._line("", end="")

    def _line(self, text: str, end: str = "\n") -> None:
        erase = "\r\x1b[K" if self._live else ""
        click.echo(f"{erase}{text}{end}", err=True, nl=False)
