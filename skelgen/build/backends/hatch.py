"""Skeletons in a hatchling build: a thin adapter over :mod:`skelgen.build.project`.

A project asks for it with an empty ``[tool.hatch.build.hooks.skelgen]``; what to
build stands in ``[tool.skelgen]``, as with setuptools.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.plugin import hookimpl

from skelgen.build import project
from skelgen.build.config import read_pyproject
from skelgen.errors import SkelgenError


class SkelgenBuildHook(BuildHookInterface[Any]):
    """Builds the modules, and puts them into the wheel."""

    PLUGIN_NAME = "skelgen"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before the wheel is packed; an sdist carries sources as they are."""
        try:
            self._initialize(Path(self.root), version, build_data)
        except SkelgenError as error:
            self.app.abort(f"skelgen: {error}")

    def _initialize(self, root: Path, version: str, build_data: dict[str, Any]) -> None:
        # relative, for messages that name files as the user sees them
        config = read_pyproject(Path(os.path.relpath(root)) / "pyproject.toml")
        if config is None:
            self.app.display_warning("skelgen: pyproject.toml has no [tool.skelgen]")
            return
        if self.target_name == "sdist":
            for name in project.sources(config):
                build_data["force_include"][str(root / name)] = name
            return
        if version == "editable":
            place = project.in_tree(config)
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="skelgen-")
            made = Path(self._folder.name)
            place = project.in_folder(made, made)
            for skeleton in config.skeletons:
                inside = project.module_path(skeleton).as_posix()
                build_data["force_include"][str(made / inside)] = inside
        for result in project.build(config, place):
            self.app.display_info(
                f"skelgen: {result.outcome.value}: {result.job.output}"
            )
            if result.made is not None and result.made.warnings:
                self.app.display_warning(result.made.warnings)
        if version != "editable":
            for sentence in project.tied(config, place):
                self.app.display_warning(f"skelgen: {sentence}")

    def finalize(
        self, version: str, build_data: dict[str, Any], artifact_path: str
    ) -> None:
        """Remove what was built for the wheel, once it is packed."""
        del version, build_data, artifact_path
        folder = getattr(self, "_folder", None)
        if folder is not None:
            folder.cleanup()


@hookimpl
def hatch_register_build_hook() -> type[SkelgenBuildHook]:
    """Tell hatchling of the hook."""
    return SkelgenBuildHook
