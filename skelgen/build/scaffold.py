"""A new project for ``skelgen init``: its files, and the folder they go to.

The files are in ``skelgen.templates``, folder ``project``: ``common`` and one folder
a kind, each file with ``$words`` to fill in (:class:`string.Template`).
"""

import importlib.resources
import keyword
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import NamedTuple

from skelgen._version import __version__
from skelgen.build.backends import BACKENDS
from skelgen.codegen.names import MODULE_NAMES, camel
from skelgen.errors import ConfigError

_is_name = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?").fullmatch

# ``test`` is one, too, although sys.stdlib_module_names leaves it out.
_NO_PACKAGES = sys.stdlib_module_names | {"test"}


class Kind(NamedTuple):
    """A kind of new project."""

    summary: str
    """In one sentence, without the full stop."""
    arguments: str
    """Arguments that its command is tried with."""
    types: tuple[str, ...]
    """Classes of its structs, beside the skeleton in the generated module."""
    imports: tuple[str, ...]
    """Classes its Python code imports: the skeleton cannot have their names."""
    settings: str = ""
    """More lines for the skeleton's table in pyproject.toml."""


KINDS: Mapping[str, Kind] = {
    "trace": Kind(
        summary="Prints every program that starts",
        arguments="",
        types=("Event",),
        imports=("BpfError", "Iterator", "Path"),
        settings='records = { rb = "event" }\n',
    ),
    "xdp": Kind(
        summary="Counts the packets that arrive at a network interface",
        arguments="lo",
        types=("Counter",),
        imports=("BpfError", "Iterator"),
    ),
}
"""The kinds of project there are; the first is the default."""


class Project(NamedTuple):
    """A new project, before it is written."""

    distribution: str
    """Name for pip."""
    package: str
    """Name in Python: ``my-tool`` becomes ``my_tool``."""
    command: str
    """Command that runs it, as root."""
    files: Mapping[str, str]
    """Path in the project to text."""


def project(name: str, kind: str, backend: str) -> Project:
    """Return a project of one of :data:`KINDS`, built by one of :data:`BACKENDS`.

    Raises ConfigError for a name that pip or Python could not use.
    """
    what = KINDS[kind]
    package, skeleton = _names(name, what)
    builder = BACKENDS[backend]
    # sudo has a PATH of its own, where python is another one
    command = f'sudo "$(command -v python)" -m {package} {what.arguments}'.rstrip()
    words = {
        "distribution": name,
        "package": package,
        "skeleton": skeleton,
        "classes": ", ".join(sorted({skeleton, *what.types})),
        "summary": what.summary,
        "command": command,
        "versions": f">={__version__},<{_next_major()}",
        "requires": f'"{builder.requires}"',
        "backend": builder.module,
        "records": what.settings,
    }
    words["settings"] = Template(builder.settings).substitute(words)
    return Project(name, package, command, _files(kind, package, words))


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Make a folder with these files, all of them or nothing.

    Raises ConfigError when there is something in its place already, except an empty
    folder.
    """
    temporary = folder.with_name(f".skelgen-{os.getpid()}.tmp")
    try:
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise ConfigError(f"{folder}: exists, and is no folder")
        if folder.is_dir() and any(folder.iterdir()):
            raise ConfigError(f"{folder}: exists, and is not empty")
        temporary.mkdir()
        try:
            for name, text in files.items():
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="ascii")
            temporary.replace(folder)
        except BaseException:
            shutil.rmtree(temporary)
            raise
    except OSError as error:
        raise ConfigError(
            f"{folder}: cannot make the folder: {error.strerror}"
        ) from error


def _names(name: str, kind: Kind) -> tuple[str, str]:
    """Return the names of package and skeleton. Raises ConfigError."""
    if not _is_name(name):
        raise ConfigError(
            f"name {name!a}: a project's name has letters, digits, '-', '_' and '.',"
            " and begins and ends with a letter or digit"
        )
    package = re.sub(r"[-_.]+", "_", name).lower()
    if not package.isidentifier():
        raise ConfigError(
            f"name '{name}': no package of Python begins with a digit, like '{package}'"
        )
    if keyword.iskeyword(package):
        raise ConfigError(f"name '{name}': '{package}' is a keyword of Python")
    if package in _NO_PACKAGES:
        raise ConfigError(
            f"name '{name}': '{package}' is a module of Python's standard library"
        )
    if package in {"skelgen", "bpf_skelgen"}:
        raise ConfigError(f"name '{name}': that is the package of skelgen itself")
    skeleton = camel(package)
    if skeleton in {*kind.types, *kind.imports, *MODULE_NAMES}:
        raise ConfigError(
            f"name '{name}': the skeleton would be a class '{skeleton}', and the"
            " project has another class of that name"
        )
    return package, skeleton


def _next_major() -> int:
    """Return the release that may break what this one makes."""
    return int(__version__.partition(".")[0]) + 1


def _files(kind: str, package: str, words: Mapping[str, str]) -> dict[str, str]:
    source = f"src/{package}"
    places = {
        "pyproject.toml": "common/pyproject.toml",
        "README.md": "common/README.md",
        ".gitignore": "common/gitignore",
        f"bpf/{package}.bpf.c": f"{kind}/program.bpf.c",
        f"{source}/__init__.py": "common/__init__.py",
        f"{source}/__main__.py": f"{kind}/__main__.py",
        f"{source}/py.typed": "common/py.typed",
        f"tests/test_{package}.py": f"{kind}/test.py",
    }
    templates = importlib.resources.files("skelgen.templates") / "project"
    return {
        path: Template((templates / f"{name}.in").read_text("utf-8")).substitute(words)
        for path, name in places.items()
    }
