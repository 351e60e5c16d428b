"""Skeletons in a hatchling build: a thin adapter over :mod:`skelgen.build.project`.

A project asks for it with an empty ``[tool.hatch.build.hooks.skelgen]``; what to
build stands in ``[tool.skelgen]``, as with setuptools.
"""

import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

from skelgen.build import project
from skelgen.build.config import SkeletonConfig, read_pyproject


class SkelgenBuildHook(BuildHookInterface[Any]):
    """Builds the modules, and puts them into the wheel."""

    PLUGIN_NAME = "skelgen"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before the wheel is packed; an sdist carries sources as they are."""
        root = Path(self.root)
        config = read_pyproject(root / "pyproject.toml")
        if config is None:
            self.app.display_warning("skelgen: pyproject.toml has no [tool.skelgen]")
            return
        if self.target_name == "sdist":
            for name in project.sources(config):
                build_data["force_include"][str(root / name)] = name
            return
        if version == "editable":
            records = root / "build" / "skelgen" / "editable"
            place = project.Place(lambda skeleton: in_tree(root, skeleton), records)
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="skelgen-")
            made = Path(self._folder.name)
            place = project.Place(lambda skeleton: made / _path(skeleton), made)
        for result in project.build(config, place):
            self.app.display_info(f"skelgen: {result.outcome.value}: {result.output}")
            if result.warnings:
                self.app.display_warning(result.warnings)
            if version != "editable":
                inside = _path(result.skeleton).as_posix()
                build_data["force_include"][str(result.output)] = inside

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was built for the wheel, once it is packed."""
        del version, build_data, artifact_path
        folder = getattr(self, "_folder", None)
        if folder is not None:
            folder.cleanup()


def in_tree(root: Path, skeleton: SkeletonConfig) -> Path:
    """Return where a module goes in the tree: its package is in ``src``, or not."""
    path = _path(skeleton)
    src = root / "src"
    package = path.parts[0] if len(path.parts) > 1 else path.name
    return (src if (src / package).exists() else root) / path


def _path(skeleton: SkeletonConfig) -> Path:
    return Path(*skeleton.module.split(".")).with_suffix(".py")


@hookimpl
def hatch_register_build_hook() -> type[SkelgenBuildHook]:
    """Tell hatchling of the hook."""
    return SkelgenBuildHook
