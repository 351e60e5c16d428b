"""Debian's kernels for the tests: which there are, and how one is fetched and unpacked.

The packages come from several suites of Debian's archive. Their lists are read with a
configuration of their own under ``.cache/kernels``: nothing is installed, and the lists
of this machine stay as they are. Of a series the newest release is taken that its suite
has, so that an update of the archive breaks nothing.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
# resolved, for it may be a link to a folder that several trees share
CACHE = (ROOT / ".cache" / "kernels").resolve()

_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Kernel(NamedTuple):
    """A series of kernels in Debian's archive."""

    suite: str
    release: str
    """Pattern of ``uname -r``."""
    packages: tuple[str, ...] = ("linux-image",)
    """What it consists of; each package has the release behind its name."""
    arguments: str = ""
    """More on its command line."""


_SPLIT = ("linux-binary", "linux-modules", "linux-base")
"""From 7.0 on ``linux-image`` is an empty package that depends on these."""

KERNELS = {
    # no LSM asks BPF programs there unless it is told to
    "5.10": Kernel(
        "bullseye", r"5\.10\.0-\d+-amd64", arguments="lsm=lockdown,yama,apparmor,bpf"
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
    apt = _Apt(kernel.suite)
    release = _newest(apt.package_names(), kernel)
    if release is None:
        sys.exit(f"Debian's {kernel.suite} has no kernel {kernel.release}")
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        apt.download([f"{package}-{release}" for package in kernel.packages], scratch)
        unpacked = Path(scratch) / "unpacked"
        for package in Path(scratch).glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, unpacked], check=True)
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


class _Apt:
    """Package lists of one suite, apart from those of the machine."""

    def __init__(self, suite: str) -> None:
        folder = CACHE / "apt" / suite
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        sources = folder / "sources.list"
        signed = f" [signed-by={_KEYS}]" if Path(_KEYS).exists() else ""
        sources.write_text(f"deb{signed} {_archive()} {suite} main\n", "ascii")
        settings = {
            "Dir::Etc::sourcelist": sources,
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": folder / "lists",
            "Dir::Cache": folder / "cache",
            "APT::Sandbox::User": "root",  # the folders belong to whoever tests
            "Acquire::Languages": "none",
        }
        self._options = [
            word for key, value in settings.items() for word in ("-o", f"{key}={value}")
        ]
        self._run("apt-get", "update", "--quiet")

    def _run(self, *words: str, cwd: str | None = None) -> str:
        command = [words[0], *self._options, *words[1:]]
        done = subprocess.run(
            command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{' '.join(words)} failed: {done.stdout}")
        return done.stdout

    def package_names(self) -> list[str]:
        """Return the names of all packages of the suite."""
        return self._run("apt-cache", "pkgnames").split()

    def download(self, packages: list[str], folder: str) -> None:
        """Fetch packages into a folder."""
        self._run("apt-get", "download", "--quiet", *packages, cwd=folder)


def _archive() -> str:
    """Return where this machine gets Debian's packages from."""
    words = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    for _ in range(2):
        found = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        for uri in found.stdout.split():
            if uri.rstrip("/").endswith("/debian"):
                return uri
        # a fresh machine may have no lists, and then names no place either
        subprocess.run(["apt-get", "update", "--quiet"], check=True)
    sys.exit("the package sources of this machine name no archive of Debian")


if __name__ == "__main__":
    os.umask(0o022)
    for kernel_name in sys.argv[1:] or KERNELS:
        print(f"{kernel_name}: {image(kernel_name)}", flush=True)
