"""All skeletons of a project, built where something changed."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from skelgen.build.config import ProjectConfig, SkeletonConfig, read_pyproject
from skelgen.build.jobs import Job, Result, checked, each, run
from skelgen.errors import ConfigError, SkelgenError


class Place(NamedTuple):
    """Where a build writes and remembers."""

    output: Callable[[SkeletonConfig], Path]
    """Where the module of a skeleton goes."""
    fingerprints: Path
    """Folder of the fingerprints; made when needed."""


def find(start: Path) -> ProjectConfig:
    """Return the project that a folder is in.

    That of the nearest pyproject.toml, here or above, that has ``[tool.skelgen]``.
    Raises ConfigError when there is none.
    """
    for folder in (start, *start.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            # relative, for messages that name files as the user sees them
            config = read_pyproject(Path(os.path.relpath(path)))
            if config is not None:
                return config
    raise ConfigError(
        f"no pyproject.toml with [tool.skelgen] in {start} or above;"
        " name files to build, or the project's folder with --project"
    )


def in_tree(
    config: ProjectConfig, find_folder: Callable[[str], Path] | None = None
) -> Place:
    """Return the place of an editable install and of ``skelgen build``: the tree.

    ``find_folder`` returns the folder of a package, where the build backend knows;
    else it is under ``python-source``, or under ``src``, or beside pyproject.toml.
    """

    def output(skeleton: SkeletonConfig) -> Path:
        package, _, name = skeleton.module.rpartition(".")
        if find_folder is not None:
            return find_folder(package) / f"{name}.py"
        return _source_folder(config, package).joinpath(
            *package.split("."), f"{name}.py"
        )

    return Place(output, config.root / "build" / "skelgen")


def _source_folder(config: ProjectConfig, package: str) -> Path:
    """Return the folder that module names start in. Raises ConfigError."""
    top = package.partition(".")[0]
    root, src = config.root, config.root / "src"
    if config.python_source is not None:
        return root / config.python_source
    for folder in (src, root):
        if (folder / top).is_dir():  # for a module without package: folder itself
            return folder
    raise ConfigError(
        f"package '{top}': in neither {src} nor {root};"
        " tool.skelgen.python-source names the folder it is in"
    )


def in_folder(folder: Path, fingerprints: Path) -> Place:
    """Return the place of a wheel in the making: a folder that is packed later."""

    def output(skeleton: SkeletonConfig) -> Path:
        return folder / module_path(skeleton)

    return Place(output, fingerprints)


def module_path(skeleton: SkeletonConfig) -> Path:
    """Return the file of a skeleton's module, as it is installed."""
    return Path(*skeleton.module.split(".")).with_suffix(".py")


def jobs(config: ProjectConfig, place: Place) -> tuple[Job, ...]:
    """Return what to make of a project's skeletons. Raises ConfigError."""
    return checked(
        [
            Job(
                Path(skeleton.source),
                place.output(skeleton),
                skeleton.options,
                skeleton.compile,
                skeleton.targets,
                root=config.root,
                fingerprint=place.fingerprints / f"{skeleton.module}.json",
            )
            for skeleton in config.skeletons
        ]
    )


def build(config: ProjectConfig, place: Place) -> Iterator[Result]:
    """Bring every module of a project up to date, in the order of its table.

    Raises SkelgenError at the first that fails; that module is left as it was.
    """
    for _, result in each(run, jobs(config, place)):
        if isinstance(result, SkelgenError):
            raise result
        yield result


_CHOICE = re.compile(r"return rt\.image_for_machine\(\s*\S+,\s*(\w+)=_spec_\1,?\s*\)")


def tied(config: ProjectConfig, place: Place) -> Iterator[str]:
    """Yield a sentence for each module, built already, that is for one machine alone.

    A wheel with such a module says that it is for every machine.
    """
    for skeleton in config.skeletons:
        found = _CHOICE.search(place.output(skeleton).read_text("utf-8"))
        if found is not None:
            machine = found[1]
            other = "x86_64" if machine != "x86_64" else "aarch64"
            yield (
                f"module '{skeleton.module}': its programs depend on the machine, as those"
                f" that read registers do, and it is for {machine} alone; the wheel says"
                " that it is for every one. On others the module refuses to be opened;"
                " name them in [tool.skelgen], and it is for all of them:"
                f' targets = ["{machine}", "{other}"]'
            )


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
        for folder in (near, *map(Path, skeleton.compile.includes)):
            if (root / folder).resolve().is_relative_to(root):
                found = sorted((root / folder).rglob("*.h"))
                files += [path.relative_to(root).as_posix() for path in found]
    return tuple(dict.fromkeys(files))
