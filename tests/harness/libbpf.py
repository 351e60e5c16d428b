"""libbpf as Debian's suites have it: which the tests compare with, and how it is fetched.

``python -m tests.harness.libbpf`` fetches the newest with the C library that it is linked
with, and unpacks them under ``.cache/libbpf``: nothing is installed. A program that was
linked with this machine's libbpf runs with the other through the loader in there.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from skelgen.runtime.kernel.version import kernel_version
from tests.harness.debian import Suite, unpack
from tests.harness.sources import ROOT

# resolved, for it may be a link to a folder that several trees share
CACHE: Final = (ROOT / ".cache" / "libbpf").resolve()

SUITES: Final = {"1.7": "sid", "1.5": "trixie"}
"""Versions that the tests know and the suite that has each, the newest first.

A suite that has gone on has another; the next of the table is taken then.
"""

INSTALLED: Final = "installed"
"""The one of this machine."""
NEWEST: Final = "newest"
"""The newest that was fetched."""


def compared() -> list[str]:
    """Return which of the two are compared with: both, in a virtual machine one."""
    if os.environ.get("SKELGEN_VM") != "1":
        return [INSTALLED, NEWEST]
    return [NEWEST if kernel_version() >= 6 << 16 | 12 << 8 else INSTALLED]


def with_newest(program: Path) -> list[str] | None:
    """Return the words that run a program with the newest; ``None`` if none was fetched."""
    for version in SUITES:
        loaders = sorted((CACHE / version).glob("usr/lib/*/ld-linux-*.so.*"))
        if loaders:
            words = [loaders[0], "--library-path", loaders[0].parent, program]
            return [str(word) for word in words]
    return None


def fetch() -> None:
    """Fetch the newest, unless one is there; exit where that fails."""
    if with_newest(Path()) is not None:
        return
    for version, name in SUITES.items():
        suite = Suite(name, CACHE / "apt")
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            packages = suite.download(suite.with_dependencies("libbpf1"), scratch)
            wanted = re.compile(rf"libbpf1_(\d+%3a)?{re.escape(version)}\.")
            if any(wanted.match(package.name) for package in packages):
                unpack(packages, Path(scratch) / "unpacked")
                shutil.rmtree(CACHE / version, ignore_errors=True)
                (Path(scratch) / "unpacked").rename(CACHE / version)
                return
    sys.exit(f"Debian's suites have none of libbpf {', '.join(SUITES)} any longer")


if __name__ == "__main__":
    os.umask(0o022)
    fetch()
