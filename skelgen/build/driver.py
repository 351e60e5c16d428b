"""Objects in, modules on disk: the one entry for the CLI and the build hooks."""

import os
import stat
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from skelgen.build.generate import Options, generate
from skelgen.errors import ConfigError, ObjectError

_SUFFIXES = (".bpf.o", ".o")
_MOST_BYTES = 256 << 20
"""Objects are some hundred KB; this is no object, or a mistake."""


class Outcome(Enum):
    """What became of a module."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"


class Job(NamedTuple):
    """One object and the module to make of it."""

    source: Path
    output: Path
    options: Options = Options()


def output_path(source: Path, folder: Path | None = None) -> Path:
    """Return where a module goes: ``x.bpf.o`` becomes ``x_skel.py`` beside it.

    ``folder`` is another place for it.
    """
    name = source.name
    for suffix in _SUFFIXES:
        if name.endswith(suffix) and name != suffix:
            name = name.removesuffix(suffix)
            break
    # what is imported has to be an identifier, like the object's own name
    stem = "".join(char if char.isascii() and char.isalnum() else "_" for char in name)
    return (folder or source.parent) / f"{stem}_skel.py"


def jobs(
    sources: Sequence[Path], output: Path | None, options: Options
) -> tuple[Job, ...]:
    """Return what to make of some objects.

    ``output`` is a file, for one object, or an existing folder. Raises ConfigError.
    """
    if output is not None and not output.is_dir():
        if len(sources) > 1:
            raise ConfigError(f"{output}: no such folder, to write several modules to")
        return (Job(sources[0], output, options),)
    made: dict[Path, Path] = {}
    for source in sources:
        target = output_path(source, output)
        other = made.setdefault(target, source)
        if other is not source:
            raise ConfigError(f"{source}: {target} is made from {other} already")
    return tuple(Job(source, target, options) for target, source in made.items())


def read_source(path: Path) -> bytes:
    """Return the contents of an object file. Raises ObjectError."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ObjectError(error.strerror or str(error), path=str(path)) from error
    if len(data) > _MOST_BYTES:
        raise ObjectError(
            f"more than {_MOST_BYTES >> 20} MB, this is no BPF object", path=str(path)
        )
    return data


def build(job: Job) -> str:
    """Return the text of a job's module. Raises SkelgenError."""
    data = read_source(job.source)
    return generate(data, job.source.name, str(job.source), job.options)


def current(path: Path) -> str | None:
    """Return what is in an output file now; ``None`` if there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot("read", path, error) from error


def run(job: Job) -> Outcome:
    """Bring a job's module up to date on disk. Raises SkelgenError."""
    text = build(job)
    if current(job.output) == text:
        return Outcome.UNCHANGED
    write(job.output, text)
    return Outcome.WRITTEN


def difference(old: str | None, new: str, path: Path) -> str:
    """Return a unified diff of a module; ``old`` is ``None`` for a file to come."""
    import difflib  # noqa: PLC0415 - for --diff alone

    lines = difflib.unified_diff(
        (old or "").splitlines(keepends=True),
        new.splitlines(keepends=True),
        "/dev/null" if old is None else str(path),
        str(path),
    )
    return "".join(lines)


def write(path: Path, content: str | bytes) -> None:
    """Write a file in one step: whoever reads it sees the old content or the new one.

    The mode of an existing file is kept, a symbolic link followed. Raises ConfigError.
    """
    target = Path(os.path.realpath(path))
    data = content.encode("ascii") if isinstance(content, str) else content
    try:
        _replace(target, data)
    except OSError as error:
        raise _cannot("write", path, error) from error


def _replace(target: Path, data: bytes) -> None:
    try:
        status = target.stat()
    except FileNotFoundError:
        status = None
    if status is not None and not stat.S_ISREG(status.st_mode):
        target.write_bytes(data)  # a pipe or device, like /dev/stdout
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(fd, "wb") as file:
            if status is not None:
                os.fchmod(fd, stat.S_IMODE(status.st_mode))
            file.write(data)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _cannot(verb: str, path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{path}: cannot {verb} it: {error.strerror or error}")
