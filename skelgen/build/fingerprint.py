"""A file for each module, beside the build's other temporary files, that tells if it is stale.

It holds the digest of every file that went in (the source, and the headers that
clang named), of the options, of the compiler and the generator, and of what came out.
A module is up to date when all of them are what they were; times do not matter.
"""

import functools
import hashlib
import importlib.resources
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, cast

from skelgen._version import __version__
from skelgen.build.files import make_folder, write
from skelgen.compiler import clang
from skelgen.compiler.targets import this_machine
from skelgen.regular import read_regular


class Fingerprint(NamedTuple):
    """The fingerprint of one module, and the file that keeps it."""

    path: Path
    root: Path
    """Folder of the project; names of files in it are kept relative to it."""
    made_by: str
    """Digest of all that changes the module, except the files it is made from."""

    def holds(self, output: Path) -> bool:
        """Whether the module in ``output`` would come out as it is."""
        try:
            kept = json.loads(read_regular(self.path))
            files = cast("Mapping[str, str]", kept["files"])
            return (
                kept["made_by"] == self.made_by
                and kept["module"] == digest(read_regular(output))
                and all(
                    digest(read_regular(self.root / name)) == wanted
                    for name, wanted in files.items()
                )
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return False  # no fingerprint, or one of something else: build

    def write(self, inputs: Iterable[Path], text: str, *, started: int) -> None:
        """Remember a module; not where an input changed since the build ``started``.

        Whoever edits a file while it is compiled gets it compiled again.
        """
        files: dict[str, str] = {}
        for path in inputs:
            try:
                files[self._name(path)] = digest(read_regular(path))
                if path.stat().st_mtime_ns > started:
                    return
            except OSError:  # gone since: whoever reads it next says so
                return
        kept = {
            "made_by": self.made_by,
            "module": digest(text.encode()),
            "files": files,
        }
        folder = self.path.parent
        if not folder.is_dir():
            make_folder(folder)
            write(folder / ".gitignore", "*\n")
        write(self.path, json.dumps(kept, indent=1) + "\n")

    def _name(self, path: Path) -> str:
        inside = path.is_relative_to(self.root)
        return str(path.relative_to(self.root) if inside else path)


def made_by(*parts: str, compiled: bool) -> str:
    """Digest the generator, the compiler where one takes part, and ``parts``.

    Raises CompileError where the compiler is missing.
    """
    words = [__version__, _generator(), *parts]
    if compiled:
        compiler = clang.find_compiler()
        words += [*compiler.command, _stamp(compiler.command[0]), this_machine().name]
    return digest("\0".join(words).encode())


@functools.cache
def _generator() -> str:
    """Digest the generator itself, so that whoever works on it need not clean."""
    package = Path(__file__).parents[1]
    files = [
        path
        for path in package.rglob("*.py")
        if path.relative_to(package).parts[0] not in {"runtime", "cli"}
    ]
    files += Path(str(importlib.resources.files("skelgen.templates"))).glob("*.j2")
    return digest("".join(_stamp(str(path)) for path in sorted(files)).encode())


def _stamp(program: str) -> str:
    """Return what changes when a file of ours is installed anew."""
    try:
        status = Path(program).stat()
    except OSError:  # found through PATH by a name without folder
        return program
    return f"{program}:{status.st_size}:{status.st_mtime_ns}"


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
