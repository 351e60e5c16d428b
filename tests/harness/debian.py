"""Packages of Debian's suites, fetched and unpacked beside this machine's own.

The lists of a suite are read with a configuration of their own: nothing is installed,
and the lists of this machine stay as they are.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Suite:
    """Packages of one suite, whose lists are kept in a folder of its name."""

    def __init__(self, name: str, parent: Path) -> None:
        folder = parent / name
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        sources = folder / "sources.list"
        signed = f" [signed-by={_KEYS}]" if Path(_KEYS).exists() else ""
        sources.write_text(f"deb{signed} {_archive()} {name} main\n", "ascii")
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
        self._nothing = folder / "nothing_installed"
        self._nothing.touch()
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

    def with_dependencies(self, package: str) -> list[str]:
        """Return a package and all that it needs, on a machine that has none of it."""
        nothing = f"Dir::State::status={self._nothing}"
        words = ("--simulate", "--no-install-recommends", "-o", nothing)
        plan = self._run("apt-get", *words, "install", package)
        return re.findall(r"^Inst (\S+)", plan, re.MULTILINE)

    def download(self, packages: Iterable[str], folder: str) -> list[Path]:
        """Fetch packages into a folder and return all that are in there."""
        self._run("apt-get", "download", "--quiet", *packages, cwd=folder)
        return sorted(Path(folder).glob("*.deb"))


def unpack(packages: Iterable[Path], folder: Path) -> None:
    """Unpack packages into a folder that need not exist."""
    for package in packages:
        subprocess.run(["dpkg", "-x", package, folder], check=True)


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
