"""All skeletons of a project, built where something changed.

What a module was made from is remembered in a record beside the build's other
temporary files: the digest of every file that went in (the source, and the headers
that clang named), of the options, of the generator and of what came out. A module
is up to date when all of them are what they were; times of files do not matter.
"""

import functools
import hashlib
import importlib.resources
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import cast

import skelgen
from skelgen import clang
from skelgen.build import driver
from skelgen.build.config import ProjectConfig, SkeletonConfig
from skelgen.build.generate import Options, generate
from skelgen.errors import ConfigError, ObjectError
from skelgen.targets import this_machine


class Outcome(Enum):
    """What became of a skeleton."""

    BUILT = "built"
    FRESH = "up to date"


@dataclass(frozen=True, slots=True)
class Result:
    """A skeleton that was looked at."""

    skeleton: SkeletonConfig
    output: Path
    outcome: Outcome
    warnings: str = ""
    """What the compiler warned of."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a build reads, writes and remembers."""

    output: Callable[[SkeletonConfig], Path]
    """Where the module of a skeleton goes."""
    records: Path
    """Folder of the records; made when needed."""


def build(config: ProjectConfig, place: Place) -> Iterator[Result]:
    """Bring every module of a project up to date, in the order of its table.

    Several at once, as there are processors. Raises SkelgenError; modules that
    were finished before stay, the one that failed is left as it was.
    """
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        one = functools.partial(build_one, config.root, place)
        try:
            yield from pool.map(one, config.skeletons)
        finally:
            pool.shutdown(cancel_futures=True)


def build_one(root: Path, place: Place, skeleton: SkeletonConfig) -> Result:
    """Bring one module up to date. Raises SkelgenError."""
    output = place.output(skeleton)
    record = _Record(place.records / f"{skeleton.module}.json")
    made_by = _made_by(skeleton)
    if record.holds(root, made_by, output):
        return Result(skeleton, output, Outcome.FRESH)
    text, inputs, warnings = _module(root, skeleton)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{output.parent}: cannot make the folder: {error.strerror}"
        ) from error
    if driver.current(output) != text:
        driver.write(output, text)
    record.write(root, made_by, inputs, text)
    return Result(skeleton, output, Outcome.BUILT, warnings)


def is_fresh(root: Path, place: Place, skeleton: SkeletonConfig) -> bool:
    """Whether the module on disk is what a build would write. Raises SkelgenError.

    Compiles where no record tells.
    """
    output = place.output(skeleton)
    record = _Record(place.records / f"{skeleton.module}.json")
    if record.holds(root, _made_by(skeleton), output):
        return True
    text, _, _ = _module(root, skeleton)
    return driver.current(output) == text


def sources(config: ProjectConfig) -> tuple[str, ...]:
    """Return the files that an sdist must carry, relative to the project.

    The sources, and every header beside them or in an include folder of the project:
    which of them a compiler would read depends on the machine.
    """
    files = [skeleton.source for skeleton in config.skeletons]
    root = config.root.resolve()
    for skeleton in config.skeletons:
        if not skeleton.is_c:
            continue
        near = Path(skeleton.source).parent
        for folder in (near, *map(Path, skeleton.includes)):
            if (root / folder).resolve().is_relative_to(root):
                found = sorted((root / folder).rglob("*.h"))
                files += [path.relative_to(root).as_posix() for path in found]
    return tuple(dict.fromkeys(files))


def _module(root: Path, skeleton: SkeletonConfig) -> tuple[str, list[Path], str]:
    """Return the module of a skeleton, the files it came from, and warnings."""
    options = Options.of(skeleton.name, skeleton.types, skeleton.records)
    data, inputs, warnings = _object(root, skeleton)
    source = root / skeleton.source
    return generate(data, source.name, str(source), options), inputs, warnings


def _object(root: Path, skeleton: SkeletonConfig) -> tuple[bytes, list[Path], str]:
    """Return the object of a skeleton, the files it came from, and warnings."""
    source = root / skeleton.source
    if not skeleton.is_c:
        return driver.read_source(source), [source], ""
    if not source.is_file():
        raise ObjectError("no such file", path=str(source))
    with tempfile.TemporaryDirectory(prefix="skelgen-") as folder:
        output, depfile = Path(folder, "object.o"), Path(folder, "object.d")
        warnings = clang.compile_object(
            Path(skeleton.source),
            output,
            options=clang.CompileOptions(
                cpu=skeleton.cpu, includes=skeleton.includes, cflags=skeleton.cflags
            ),
            depfile=depfile,
            cwd=root,
        )
        named = clang.read_depfile(depfile.read_text(encoding="utf-8"))
        return output.read_bytes(), [root / name for name in named], warnings


@dataclass(frozen=True, slots=True)
class _Record:
    """What a module was made from, on disk."""

    path: Path

    def holds(self, root: Path, made_by: str, output: Path) -> bool:
        """Whether the module in ``output`` would come out as it is."""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            files = cast("Mapping[str, str]", kept["files"])
            return (
                kept["made_by"] == made_by
                and kept["module"] == _digest(output.read_bytes())
                and all(
                    _digest((root / name).read_bytes()) == digest
                    for name, digest in files.items()
                )
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False  # no record, or one of something else: build

    def write(self, root: Path, made_by: str, inputs: list[Path], text: str) -> None:
        """Remember what a module was made from; a record only saves time later."""
        files = {_name(path, root): _digest(path.read_bytes()) for path in inputs}
        kept = {"made_by": made_by, "module": _digest(text.encode()), "files": files}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        driver.write(self.path, json.dumps(kept, indent=1) + "\n")


def _name(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _made_by(skeleton: SkeletonConfig) -> str:
    """Digest all that changes a module, except the files it is made from."""
    parts = [skelgen.__version__, _generator(), repr(skeleton)]
    if skeleton.is_c:
        compiler = clang.find_compiler()
        parts += [*compiler.command, _stamp(compiler.command[0]), this_machine().name]
    return _digest("\0".join(parts).encode())


@functools.cache
def _generator() -> str:
    """Digest the generator itself, so that whoever works on it need not clean."""
    package = Path(skelgen.__file__).parent
    rooms = [package / name for name in ("btf", "codegen", "elf", "model", "build")]
    files = [path for room in rooms for path in room.glob("*.py")]
    files += Path(str(importlib.resources.files("skelgen.templates"))).glob("*.j2")
    return _digest("".join(_stamp(str(path)) for path in sorted(files)).encode())


def _stamp(program: str) -> str:
    """Return what changes when a file of ours is installed anew."""
    try:
        status = Path(program).stat()
    except OSError:  # found through PATH by a name without folder
        return program
    return f"{program}:{status.st_size}:{status.st_mtime_ns}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
