"""From sources to modules on disk: the one entry for the CLI and the build hooks."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import NamedTuple, TypeVar

from skelgen.build import btf_dump, machine
from skelgen.build.compile import Compiled, compile_c
from skelgen.build.files import (
    changed,
    check_output,
    current,
    is_folder,
    is_stream,
    make_folder,
    read_source,
    write,
)
from skelgen.build.fingerprint import Fingerprint, made_by
from skelgen.build.generate import Image, generate_images
from skelgen.build.options import Options
from skelgen.codegen.text import doc
from skelgen.compiler.clang import CompileOptions
from skelgen.compiler.targets import Target, this_machine
from skelgen.errors import ConfigError, SkelgenError
from skelgen.plain import plain

T = TypeVar("T")

_SUFFIXES = (".bpf.o", ".bpf.c", ".o", ".c")


class Outcome(Enum):
    """The fate of a module."""

    WRITTEN = "written"
    UNCHANGED = "up to date"


class Job(NamedTuple):
    """One source, an object or a C file, and the module to make of it."""

    source: Path
    output: Path
    options: Options = Options()
    compile: CompileOptions = CompileOptions()
    """How a C file is compiled, the target aside; folders are relative to ``root``."""
    targets: tuple[Target, ...] = ()
    """Machines to compile a C file for; none for this one."""
    root: Path | None = None
    """Folder of the project that ``source`` is relative to; ``None`` for a lone file,
    which is compiled in its own folder."""
    fingerprint: Path | None = None
    """File that tells what the module was made from."""
    keep_object: bool = False
    """Whether the object of a C file is wanted too, beside it."""

    @property
    def is_c(self) -> bool:
        """Whether the source has to be compiled."""
        return self.source.suffix == ".c"

    @property
    def path(self) -> Path:
        """The source, from the current folder."""
        return self.source if self.root is None else self.root / self.source


class Made(NamedTuple):
    """A module that was made, and what it took."""

    text: str
    inputs: tuple[Path, ...]
    """The files it was made from."""
    started: int
    """When, in the file system's nanoseconds."""
    commands: tuple[tuple[str, ...], ...] = ()
    """Commands that were run."""
    warnings: str = ""
    """Warnings of the compiler, as it prints them, then skelgen's own, and its notes."""
    instructions: str = ""
    """The instructions that not every kernel knows, one line for each kind."""


class Result(NamedTuple):
    """The result of a job."""

    job: Job
    outcome: Outcome
    made: Made | None = None
    """``None`` where the fingerprint told that there is nothing to do."""
    old: str | None = None
    """Text that the file had before; ``None`` for no file, or where nobody looked."""


def output_path(source: Path, folder: Path | None = None) -> Path:
    """Return where a module goes: ``x.bpf.c`` becomes ``x_skel.py`` beside it.

    ``folder`` is another place for it.
    """
    stem = _stem(source)
    # what is imported has to be an identifier, like the object's own name
    stem = "".join(char if char.isascii() and char.isalnum() else "_" for char in stem)
    return (folder or source.parent) / f"{stem}_skel.py"


def _stem(source: Path) -> str:
    for suffix in _SUFFIXES:
        if source.name.endswith(suffix) and source.name != suffix:
            return source.name.removesuffix(suffix)
    return source.name


def jobs_of(sources: Sequence[Path], output: Path | None, like: Job) -> tuple[Job, ...]:
    """Return what to make of some files, with the options of the job ``like``.

    ``output`` is a file, for one source, or an existing folder. Raises ConfigError.
    """
    if output is not None and not is_folder(output):
        if len(sources) > 1:
            raise ConfigError(f"{output}: no such folder, to write several modules to")
        return checked([_lone(sources[0], output, like)])
    made: dict[Path, Path] = {}
    for source in sources:
        target = output_path(source, output)
        other = made.setdefault(target, source)
        if other is not source:
            raise ConfigError(f"{source}: {target} is made from {other} already")
    return checked([_lone(source, target, like) for target, source in made.items()])


def checked(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """Return jobs that write over no source, their own or another's."""
    sources = [job.path for job in jobs]
    for job in jobs:
        for output in (job.output, *(path for _, path in objects(job))):
            check_output(output, sources)
    return tuple(jobs)


def objects(job: Job) -> list[tuple[Target, Path]]:
    """Return where the objects of a C file are left, if they are wanted."""
    if not (job.keep_object and job.is_c):
        return []
    targets = job.targets or (this_machine(),)
    stem = _stem(job.path)
    kinds = [f".{target.name}" if len(targets) > 1 else "" for target in targets]
    found = [
        (target, job.path.with_name(f"{stem}{kind}.bpf.o"))
        for target, kind in zip(targets, kinds, strict=True)
    ]
    for _, path in found:
        if os.path.realpath(path) == os.path.realpath(job.output):
            raise ConfigError(f"{path}: is to be the object, and the module too")
    return found


def _lone(source: Path, output: Path, like: Job) -> Job:
    """Return the job for one file, which is compiled in its own folder."""
    folders = [
        folder if folder.startswith("/") else os.path.relpath(folder, source.parent)
        for folder in like.compile.includes
    ]
    options = dataclasses.replace(like.compile, includes=tuple(folders))
    return like._replace(source=source, output=output, compile=options)


def each(
    do: Callable[[Job], T], jobs: Sequence[Job]
) -> Iterator[tuple[Job, T | SkelgenError]]:
    """Do something with every job; yield the results, in order, and errors as such.

    As many at once as there are processors, when there is something to compile.
    """

    def attempt(job: Job) -> T | SkelgenError:
        try:
            return do(job)
        except SkelgenError as error:
            return error

    workers = (os.cpu_count() or 1) if any(job.is_c for job in jobs) else 1
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            yield from zip(jobs, pool.map(attempt, jobs), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def run(
    job: Job, *, force: bool = False, dry: bool = False, color: bool = False
) -> Result:
    """Bring a job's module up to date on disk; nothing is left half-written.

    ``force`` makes it anew whatever the fingerprint says. With ``dry``, nothing is written,
    and the outcome is what it would be. ``color`` is for the compiler's texts. Raises
    SkelgenError.
    """
    fingerprint = _fingerprint(job)
    if fingerprint is not None and not force and fingerprint.holds(job.output):
        return Result(job, Outcome.UNCHANGED)
    if dry and is_stream(job.output):
        raise ConfigError(f"{job.output}: no file, and so nothing to compare with")
    made = make(job, color=color, write_object=job.keep_object and not dry)
    old = current(job.output)
    outcome = Outcome.UNCHANGED if old == made.text else Outcome.WRITTEN
    if not dry:
        if old != made.text:
            _write(job, made.text)
        if fingerprint is not None:
            fingerprint.write(made.inputs, made.text, started=made.started)
    return Result(job, outcome, made, old)


def make(job: Job, *, color: bool = False, write_object: bool = False) -> Made:
    """Return a job's module, compiling what has to be compiled. Raises SkelgenError."""
    path = str(job.path)
    if not job.is_c:
        check_output(job.output, (job.path,))
        started = changed(job.path)
        data = read_source(job.path)
        made = generate_images((Image(data),), job.source.name, path, job.options)
        said = made.warnings + made.notes
        return Made(made.text, (job.path,), started, (), said, made.instructions)
    targets = job.targets or (this_machine(),)
    source = job.source if job.root is not None else Path(job.source.name)
    root = job.root if job.root is not None else job.source.parent
    compiled = {
        target: compile_c(
            source,
            dataclasses.replace(job.compile, target=target),
            root=root,
            color=color,
        )
        for target in targets
    }
    inputs = tuple({path: None for one in compiled.values() for path in one.inputs})
    check_output(job.output, inputs)
    if write_object:
        for target, place in objects(job):
            check_output(place, inputs)
            write(place, compiled[target].data)
    images = [Image(one.data, (target.name,)) for target, one in compiled.items()]
    # of equal objects one serves every machine, unless there is but one to compare
    alone = len({target.arch for target in targets if target.arch is not None}) == 1
    if alone and len({image.data for image in images}) == 1:
        first = dataclasses.replace(job.compile, target=targets[0])
        if machine.depends(compiled[targets[0]], source, first, root):
            images = [image._replace(alone=True) for image in images]
    options = job.options._replace(command=_command(job))
    made = generate_images(images, job.source.name, path, options)
    return Made(
        made.text,
        inputs,
        min(one.started for one in compiled.values()),
        tuple(one.command for one in compiled.values()),
        "".join({one.warnings: None for one in compiled.values()})
        + _other_arch(job, compiled)
        + made.warnings
        + made.notes,
        made.instructions,
    )


def _other_arch(job: Job, compiled: Mapping[Target, Compiled]) -> str:
    """Return a warning for each target whose registers the program does not take."""
    found = {
        target: machine.other_arch(one, dataclasses.replace(job.compile, target=target))
        for target, one in compiled.items()
        if target.arch is not None
    }
    return "".join(
        f"{doc(str(job.path))}: warning: compiled for {target.name}, and defines"
        f" __TARGET_ARCH_{doc(arch)}, whose registers it may read; leave that to skelgen,"
        f" which defines __TARGET_ARCH_{target.arch}\n"
        for target, arch in found.items()
        if arch is not None
    )


def _command(job: Job) -> tuple[str, ...]:
    """Return what makes a C file's module again."""
    if job.root is not None:
        return ("skelgen", "build")
    targets = [word for target in job.targets for word in ("--target", target.name)]
    words = (*job.options.arguments(), *job.compile.arguments(), *targets)
    return ("skelgen", job.source.name, *words)


def _fingerprint(job: Job) -> Fingerprint | None:
    if job.fingerprint is None:
        return None
    # where it stands on this machine changes nothing
    job_itself = job._replace(output=Path(), root=None, fingerprint=None)
    kernel = btf_dump.kernel_name() if job.compile.vmlinux == "kernel" else ""
    digest = made_by(repr(job_itself), kernel, compiled=job.is_c)
    return Fingerprint(job.fingerprint, job.root or Path(), digest)


def _write(job: Job, text: str) -> None:
    if job.root is not None:
        make_folder(job.output.parent)
    write(job.output, text)


def difference(old: str | None, new: str, path: Path) -> str:
    """Return a unified diff of a module; ``old`` is ``None`` for a file to come."""
    import difflib

    lines = difflib.unified_diff(
        (old or "").splitlines(keepends=True),
        new.splitlines(keepends=True),
        "/dev/null" if old is None else plain(str(path)),
        plain(str(path)),
    )
    return "".join(lines)
