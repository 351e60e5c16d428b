"""``skelgen [build] [FILE...]``: compile C files, write modules."""

import os
import shlex
import sys
from pathlib import Path

import click

from skelgen.build import project
from skelgen.build.config import read_pyproject
from skelgen.build.jobs import (
    Job,
    Made,
    Outcome,
    Result,
    difference,
    each,
    jobs_of,
    make,
    objects,
    run,
)
from skelgen.build.options import Options
from skelgen.cli.errors import (
    BAD_INPUT,
    check_stdout,
    compiler_text,
    indented,
    is_terminal,
    show,
)
from skelgen.compiler.clang import CompileOptions
from skelgen.compiler.targets import find_target
from skelgen.errors import ConfigError, SkelgenError
from skelgen.plain import plain, plain_lines

_DIFFERS = 1
_STDOUT = Path("-")
_FOR_PROJECTS = {"folder", "force"}
_FOR_C = {"includes", "defines", "cflags", "cpu", "targets", "vmlinux", "keep_object"}
_FOR_BOTH = {"files", "check", "diff", "verbose", "quiet"}


class _Output(click.Path):
    """A file or a folder; a path that ends with a slash must be a folder."""

    def convert(
        self,
        value: "str | os.PathLike[str]",
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> "str | bytes | os.PathLike[str]":
        if str(value).endswith("/") and not Path(value).is_dir():
            make = f"mkdir -p {shlex.quote(str(value))}"
            self.fail(f"{value}: no such folder; {make} makes it", param, ctx)
        return super().convert(value, param, ctx)


class _Pair(click.ParamType["tuple[str, str]"]):
    """``MAP=TYPE``, ``NAME=NAME``."""

    def __init__(self, name: str, example: str) -> None:
        self.name = name
        self.example = example

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
                f"'{value}' is not of the form {self.name}, like {self.example}",
                param,
                ctx,
            )
        return map_, type_


@click.command(short_help="Build the project, or the files named (the default).")
@click.argument("files", nargs=-1, metavar="[FILE...]", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="PATH",
    type=_Output(path_type=Path),
    help="File or folder to write to; - for standard output."
    " Default: x.bpf.c becomes x_skel.py beside it.",
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
    type=_Pair("MAP=TYPE", "rb=event"),
    multiple=True,
    help="What the ring buffer MAP carries: the C type of its records. Repeatable.",
)
@click.option(
    "--rename",
    "renames",
    type=_Pair("NAME=OTHER", "Stats_2=BStats or maps.class_=classes"),
    multiple=True,
    help="Call OTHER what is NAME in the module: Stats_2, maps.class_, Event.c__pad."
    " Repeatable.",
)
@click.option(
    "-I",
    "--include",
    "includes",
    metavar="FOLDER",
    multiple=True,
    help="Where to look for headers, before skelgen's own. Repeatable.",
)
@click.option(
    "-D",
    "--define",
    "defines",
    metavar="NAME[=VALUE]",
    multiple=True,
    help="Define a C macro. Repeatable.",
)
@click.option(
    "--cflag",
    "cflags",
    metavar="FLAG",
    multiple=True,
    help="Hand FLAG to the compiler: --cflag=-Wextra. Repeatable.",
)
@click.option(
    "--cpu",
    metavar="VERSION",
    default="v3",
    help="BPF instruction set: v1, v2 (any kernel), v3 (Linux 5.1; its atomic operations"
    " 5.12), v4 (6.6). Default: v3.",
)
@click.option(
    "--target",
    "targets",
    metavar="NAME",
    multiple=True,
    help="Compile for this machine (x86_64, aarch64, ...) or byte order (bpfel, bpfeb)."
    " Repeatable: the module picks. Default: this machine.",
)
@click.option(
    "--vmlinux",
    type=click.Choice(["small", "kernel"]),
    default="small",
    help="The vmlinux.h for sources that bring none: skelgen's own with common types,"
    " or all types of the kernel that runs here. Default: small.",
)
@click.option(
    "--keep-object", is_flag=True, help="Leave the object beside the C file too."
)
@click.option(
    "--project",
    "folder",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="Folder of the project's pyproject.toml. Default: here, or the next above.",
)
@click.option("--force", is_flag=True, help="Build all of the project, changed or not.")
@click.option(
    "--check",
    is_flag=True,
    help="Write nothing; exit with status 1 if a module is not up to date.",
)
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Show what is run, and what is up to date."
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@click.pass_context
def build(
    ctx: click.Context,
    files: tuple[Path, ...],
    output: Path | None,
    name: str | None,
    types: tuple[str, ...],
    records: tuple[tuple[str, str], ...],
    renames: tuple[tuple[str, str], ...],
    includes: tuple[str, ...],
    defines: tuple[str, ...],
    cflags: tuple[str, ...],
    cpu: str,
    targets: tuple[str, ...],
    vmlinux: str,
    folder: Path | None,
    *,
    keep_object: bool,
    force: bool,
    check: bool,
    diff: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Write a typed Python module for each BPF program.

    Of a project: each skeleton that [tool.skelgen] in its pyproject.toml lists, where
    something changed. Of the files named, otherwise: C files, which are compiled, and
    compiled objects.
    """
    _refuse_strays(ctx, files)
    if name is not None and len(files) > 1:
        raise click.UsageError("--name is for one file")
    if output == _STDOUT and (len(files) > 1 or check or diff):
        raise click.UsageError("-o - is for one file, without --check and --diff")
    if output == _STDOUT or diff:
        check_stdout()
    try:
        if files:
            flags = (*(f"-D{macro}" for macro in defines), *cflags)
            like = Job(
                files[0],
                _STDOUT,
                Options.of(name, types, records, renames),
                CompileOptions(
                    cpu=cpu, includes=includes, cflags=flags, vmlinux=vmlinux
                ),
                tuple(map(find_target, targets)),
                keep_object=keep_object,
            )
            jobs = jobs_of(files, output, like)
        else:
            jobs = _project(folder)
    except SkelgenError as error:
        show(error)
        sys.exit(BAD_INPUT)
    modules = _Modules(jobs, check=check, diff=diff, verbose=verbose, quiet=quiet)
    modules.build(force=force)


def _refuse_strays(ctx: click.Context, files: tuple[Path, ...]) -> None:
    """Refuse options that would change nothing."""
    compiles = any(path.suffix == ".c" for path in files)
    for param in ctx.command.params:
        source = ctx.get_parameter_source(param.name or "")
        if source is not click.core.ParameterSource.COMMANDLINE:
            continue
        option = param.opts[-1]
        if param.name in _FOR_BOTH:
            continue
        if files and param.name in _FOR_PROJECTS:
            raise click.UsageError(f"{option} is for a project; files are named here")
        if files and not compiles and param.name in _FOR_C:
            raise click.UsageError(
                f"{option} is for C files, which are compiled; {files[0]} is none"
            )
        if not files and param.name not in _FOR_PROJECTS:
            raise click.UsageError(
                f"{option} is for files, and none is named; a project says it in"
                " [tool.skelgen]"
            )


def _project(folder: Path | None) -> tuple[Job, ...]:
    if folder is None:
        config = project.find(Path.cwd())
    else:
        path = folder / "pyproject.toml"
        found = read_pyproject(path)
        if found is None:
            raise ConfigError(f"{path}: no [tool.skelgen]")
        config = found
    return project.jobs(config, project.in_tree(config))


class _Modules:
    """The jobs of one call: what became of each, and the exit status."""

    def __init__(
        self,
        jobs: tuple[Job, ...],
        *,
        check: bool,
        diff: bool,
        verbose: bool,
        quiet: bool,
    ) -> None:
        self._jobs = jobs
        self._total = len(jobs)
        self._check = check
        self._diff = diff
        self._verbose = verbose
        self._quiet = quiet
        # On a terminal many jobs share one line; elsewhere each gets its own.
        terminal = is_terminal(sys.stderr)
        self._live = self._total > 1 and not quiet and terminal
        self._color = terminal and not os.environ.get("NO_COLOR")
        self._changed = 0
        self._failed = 0

    def build(self, *, force: bool) -> None:
        """Do what was asked for, and leave with the exit status."""
        if self._jobs[0].output == _STDOUT:
            self._print(self._jobs[0])
            return
        dry = self._check or self._diff

        def do(job: Job) -> Result:
            return run(job, force=force, dry=dry, color=self._color)

        self._progress(0)
        for number, (job, result) in enumerate(each(do, self._jobs), 1):
            self._clear()
            if isinstance(result, SkelgenError):
                self._failed += 1
                show(result, verbose=self._verbose)
            else:
                self._one(job, result)
            self._progress(number)
        self._finish()

    def _print(self, job: Job) -> None:
        try:
            made = make(job, color=self._color, write_object=job.keep_object)
        except SkelgenError as error:
            show(error, verbose=self._verbose)
            sys.exit(BAD_INPUT)
        self._compiler(made)
        click.echo(made.text, nl=False)

    def _one(self, job: Job, result: Result) -> None:
        if result.made is not None:
            self._compiler(result.made)
            if not (self._check or self._diff):
                for _, path in objects(job):
                    self._say(f"wrote {path}")
        if result.outcome is Outcome.UNCHANGED:
            if self._verbose or (self._total == 1 and not (self._check or self._diff)):
                self._say(f"{job.output} is up to date")
            return
        self._changed += 1
        if self._diff and result.made is not None:
            text = difference(result.old, result.made.text, job.output)
            if is_terminal(sys.stdout):
                # the file there may be anything; a patch has to have its bytes
                text = "".join(
                    plain(line) + "\n" for line in text.removesuffix("\n").split("\n")
                )
            click.echo(text.encode("utf-8", "surrogateescape"), nl=False)
        if self._check:
            state = "is missing" if result.old is None else "is not up to date"
            self._say(f"{job.output} {state}")
        elif not self._diff:
            self._say(f"wrote {job.output}")

    def _compiler(self, made: Made) -> None:
        """Show what the compiler said, and how it was called."""
        if self._verbose:
            for command in made.commands:
                self._say(shlex.join(command))
            for line in made.instructions.splitlines():
                self._say(line)
        if made.warnings and not self._quiet:
            click.echo(compiler_text(made.warnings), err=True, nl=False)

    def _finish(self) -> None:
        if self._total > 1:
            same = self._total - self._changed - self._failed
            verb = "to write" if self._check or self._diff else "written"
            text = f"{self._total} modules: {self._changed} {verb}, {same} up to date"
            self._say(text + (f", {self._failed} failed" if self._failed else ""))
        if self._failed:
            sys.exit(BAD_INPUT)
        if self._check and self._changed:
            sys.exit(_DIFFERS)

    def _say(self, text: str) -> None:
        if not self._quiet:
            click.echo(indented(plain_lines(text)), err=True)

    def _progress(self, done: int) -> None:
        if self._live and done < self._total:
            job = self._jobs[done]
            text = f"\r\x1b[K[{done + 1}/{self._total}] {plain(str(job.path))}\r"
            click.echo(text, err=True, nl=False)

    def _clear(self) -> None:
        if self._live:
            click.echo("\r\x1b[K", err=True, nl=False)
