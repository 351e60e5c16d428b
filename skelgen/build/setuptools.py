"""Skeletons in a setuptools build: a thin adapter over :mod:`skelgen.build.project`.

Setuptools calls :func:`finalize` in every build of an environment that has skelgen.
Where pyproject.toml has ``[tool.skelgen]``, a sub-command ``build_bpf`` is put at the
end of ``build``, behind ``build_py``, which would copy a stale module over a fresh
one. Nothing heavy is imported and nothing raised for a project that has no skeletons.
"""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

import setuptools

from skelgen.errors import SkelgenError

if TYPE_CHECKING:
    from skelgen.build.config import ProjectConfig, SkeletonConfig
    from skelgen.build.project import Place

_ATTRIBUTE = "skelgen_project"


def finalize(dist: setuptools.Distribution) -> None:
    """Add ``build_bpf`` to a distribution whose pyproject.toml asks for skeletons."""
    path = Path(dist.src_root or ".", "pyproject.toml")
    if getattr(dist, _ATTRIBUTE, None) is not None or not path.is_file():
        return
    from skelgen.build.config import read_pyproject  # noqa: PLC0415  # tomllib

    try:
        config = read_pyproject(path)
    except SkelgenError as error:
        raise _setup_error(error) from error
    if config is not None:
        _add(dist, config)


def keyword(dist: setuptools.Distribution, attribute: str, value: object) -> None:
    """Take ``bpf_skeletons=[{"source": ..., "module": ...}]`` of a setup.py."""
    from skelgen.build.config import parse  # noqa: PLC0415

    try:
        config = parse({"skeletons": value}, Path(dist.src_root or "."))
    except SkelgenError as error:
        text = str(error).replace("tool.skelgen.skeletons", attribute)
        raise _setup_error(SkelgenError(text)) from error
    _add(dist, config)


def _add(dist: setuptools.Distribution, config: "ProjectConfig") -> None:
    setattr(dist, _ATTRIBUTE, config)
    command = dist.get_command_class("build")

    class build(command):  # type: ignore[valid-type, misc]  # noqa: N801  # a command
        sub_commands: ClassVar = [*command.sub_commands, ("build_bpf", None)]

    dist.cmdclass["build"] = build
    dist.cmdclass["build_bpf"] = build_bpf


class build_bpf(setuptools.Command):  # noqa: N801  # a command's name
    """Compile BPF programs and write their typed modules."""

    description = "compile BPF programs and write their typed Python modules"
    user_options: ClassVar = [("build-lib=", "d", "folder to write the modules to")]
    editable_mode = False
    """Set by setuptools: write into the tree instead of ``build_lib``."""

    def initialize_options(self) -> None:
        """Start without options."""
        self.build_lib: str | None = None
        self.build_temp: str | None = None

    def finalize_options(self) -> None:
        """Take the folders of ``build``."""
        self.set_undefined_options(
            "build", ("build_lib", "build_lib"), ("build_temp", "build_temp")
        )

    def run(self) -> None:
        """Bring every module up to date."""
        from skelgen.build import project  # noqa: PLC0415  # heavy

        try:
            for result in project.build(self._config(), self._place()):
                self.announce(f"{result.outcome.value}: {result.output}", level=2)
                if result.warnings:
                    self.warn(result.warnings)
        except SkelgenError as error:
            raise _setup_error(error) from error

    def get_source_files(self) -> list[str]:
        """Return what an sdist needs: sources, and headers of the project."""
        from skelgen.build import project  # noqa: PLC0415

        return list(project.sources(self._config()))

    def get_outputs(self) -> list[str]:
        """Return the modules, as they are installed."""
        return [str(self._in_wheel(skeleton)) for skeleton in self._config().skeletons]

    def get_output_mapping(self) -> dict[str, str]:
        """Return where an editable install finds each module."""
        if not self.editable_mode:
            return {}
        return {
            str(self._in_wheel(skeleton)): str(self._in_tree(skeleton))
            for skeleton in self._config().skeletons
        }

    def _config(self) -> "ProjectConfig":
        return cast("ProjectConfig", getattr(self.distribution, _ATTRIBUTE))

    def _place(self) -> "Place":
        from skelgen.build.project import Place  # noqa: PLC0415

        where = self._in_tree if self.editable_mode else self._in_wheel
        kind = "editable" if self.editable_mode else "wheel"
        return Place(where, Path(str(self.build_temp), "skelgen", kind))

    def _in_wheel(self, skeleton: "SkeletonConfig") -> Path:
        return Path(str(self.build_lib), *skeleton.module.split(".")).with_suffix(".py")

    def _in_tree(self, skeleton: "SkeletonConfig") -> Path:
        package, _, name = skeleton.module.rpartition(".")
        build_py = self.get_finalized_command("build_py")
        folder = build_py.get_package_dir(package)
        return Path(str(folder), f"{name}.py")


def _setup_error(error: SkelgenError) -> Exception:
    from setuptools.errors import SetupError  # noqa: PLC0415

    return SetupError(f"skelgen: {error}")
