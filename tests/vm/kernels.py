"""Debian's kernels for the tests: which there are, and how one is fetched and unpacked.

The packages come from several suites of Debian's archive and stay under
``.cache/kernels``: nothing is installed. Of a series the newest release is taken that its
suite has, so that an update of the archive breaks nothing.
"""

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.harness.debian import Suite, unpack

ROOT = Path(__file__).resolve().parents[2]
# resolved, for it may be a link to a folder that several trees share
CACHE = (ROOT / ".cache" / "kernels").resolve()


class Kernel(NamedTuple):
    """A series of kernels in Debian's archive."""

    suite: str
    release: str
    """Pattern of ``uname -r``."""
    packages: tuple[str, ...] = ("linux-image",)
    """What it consists of; each package has the release behind its name."""
    arguments: str = ""
    """More on its command line."""
    cpu: str = "v3"
    """BPF instruction set that it runs all of."""


_SPLIT = ("linux-binary", "linux-modules", "linux-base")
"""From 7.0 on ``linux-image`` is an empty package that depends on these."""

KERNELS = {
    # no LSM asks BPF programs there unless it is told to
    "5.10": Kernel(
        "bullseye",
        r"5\.10\.0-\d+-amd64",
        arguments="lsm=lockdown,yama,apparmor,bpf",
        cpu="v2",  # clang's v3 has atomic operations of 5.12
    ),
    "6.1": Kernel("bookworm", r"6\.1\.0-\d+-amd64"),
    "6.12": Kernel("trixie", r"6\.12\.\d+\+deb13-amd64"),
    "7.2": Kernel("trixie-backports", r"7\.2\.\d+\+deb13-amd64", _SPLIT),
    "7.3": Kernel("trixie-backports", r"7\.3\.\d+\+deb13-amd64", _SPLIT),
}


def image(name: str) -> Path:
    """Return the unpacked image of a kernel, fetching its packages the first time.

    Modules are in ``lib/modules`` and the configuration in ``boot`` beside it.
    """
    found = sorted((CACHE / name).glob("boot/vmlinuz-*"))
    if not found:
        _fetch(name)
        found = sorted((CACHE / name).glob("boot/vmlinuz-*"))
    return found[0]


def _fetch(name: str) -> None:
    kernel = KERNELS[name]
    CACHE.mkdir(parents=True, exist_ok=True)
    suite = Suite(kernel.suite, CACHE / "apt")
    release = _newest(suite.package_names(), kernel)
    if release is None:
        sys.exit(f"Debian's {kernel.suite} has no kernel {kernel.release}")
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        unpacked = Path(scratch) / "unpacked"
        packages = [f"{package}-{release}" for package in kernel.packages]
        unpack(suite.download(packages, scratch), unpacked)
        arrange(unpacked, release)
        unpacked.rename(CACHE / name)


def arrange(unpacked: Path, release: str) -> None:
    """Put modules into ``lib``, and the image and the configuration into ``boot``.

    Trixie's 6.12 has its modules in ``usr/lib``; 7.x has the image among them as well.
    """
    modules = unpacked / "usr/lib/modules"
    if modules.exists():
        (unpacked / "lib").mkdir(exist_ok=True)
        modules.rename(unpacked / "lib/modules")
    (unpacked / "boot").mkdir(exist_ok=True)
    for part in ("vmlinuz", "config"):
        wanted = unpacked / "boot" / f"{part}-{release}"
        if not wanted.exists():
            shutil.copy(unpacked / "lib/modules" / release / part, wanted)


def _newest(packages: list[str], kernel: Kernel) -> str | None:
    """Return the newest release of a series of which all packages are there."""
    releases = [
        match[1]
        for package in packages
        if (match := re.fullmatch(f"{kernel.packages[0]}-({kernel.release})", package))
    ]
    whole = [
        release
        for release in releases
        if {f"{package}-{release}" for package in kernel.packages} <= {*packages}
    ]
    return max(whole, key=_numbers, default=None)


def _numbers(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release)]


if __name__ == "__main__":
    os.umask(0o022)
    for kernel_name in sys.argv[1:] or KERNELS:
        print(f"{kernel_name}: {image(kernel_name)}", flush=True)
