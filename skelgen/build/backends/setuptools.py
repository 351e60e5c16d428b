"""Skeletons in a setuptools build: a thin adapter over :mod:`skelgen.build.project`.

Setuptools calls :func:`finalize` in every build of an environment that has skelgen.
Where pyproject.toml has ``[tool.skelgen]``, a sub-command ``build_bpf`` is put at the
end of ``build``, behind ``build_py``, which would copy a stale module over a fresh
one. Nothing heavy is imported and nothing raised here: what is wrong is said when the
command runs, where setuptools prints an error as one line.
"""

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import setuptools

from skelgen.errors import SkelgenError
from skelgen.regular import read_regular

if TYPE_CHECKING:
    from skelgen.build.config import ProjectConfig, SkeletonConfig
    from skelgen.build.project import Place

_ATTRIBUTE = "skelgen_project"


def finalize(dist: setuptools.Distribution) -> None:
    """Add ``build_bpf`` to a distribution whose pyproject.toml asks for skeletons."""
    if hasattr(dist, _ATTRIBUTE):
        return
    path = Path(dist.src_root or ".", "pyproject.toml")
    try:
        if b"skelgen" not in read_regular(path):
            return
    except OSError:
        return
    from skelgen.build.config import read_pyproject

    try:
        config = read_pyproject(path)
    except SkelgenError as error:
        _add(dist, error)
    else:
        if config is not None:
            _add(dist, config)


def keyword(dist: setuptools.Distribution, attribute: str, value: object) -> None:
    """Take ``bpf_skeletons=[{"source": ..., "module": ...}]`` of a setup.py."""
    from skelgen.build.config import parse

    try:
        _add(dist, parse({"skeletons": value}, Path(dist.src_root or ".")))
    except SkelgenError as error:
        text = str(error).replace("tool.skelgen.skeletons", attribute)
        _add(dist, SkelgenError(text))


def _add(dist: setuptools.Distribution, config: "ProjectConfig | SkelgenError") -> None:
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
        """Take the folders of ``build``, and the project."""
        self.set_undefined_options(
            "build", ("build_lib", "build_lib"), ("build_temp", "build_temp")
        )
        config: ProjectConfig | SkelgenError = getattr(self.distribution, _ATTRIBUTE)
        if isinstance(config, SkelgenError):
            raise _setup_error(config) from config
        self.config = config

    def run(self) -> None:
        """Bring every module up to date."""
        from skelgen.build import project

        try:
            for result in project.build(self.config, self._place()):
                self.announce(f"{result.outcome.value}: {result.job.output}", level=2)
                if result.made is not None and result.made.warnings:
                    self.warn(result.made.warnings)
            if not self.editable_mode:
                for sentence in project.tied(self.config, self._place()):
                    self.warn(sentence)
        except SkelgenError as error:
            raise _setup_error(error) from error

    def get_source_files(self) -> list[str]:
        """Return what an sdist needs: sources, and headers of the project."""
        from skelgen.build import project

        return list(project.sources(self.config))

    def get_outputs(self) -> list[str]:
        """Return the modules, as they are installed."""
        return [str(self._in_wheel(skeleton)) for skeleton in self.config.skeletons]

    def get_output_mapping(self) -> dict[str, str]:
        """Return where an editable install finds each module."""
        if not self.editable_mode:
            return {}
        output = self._place().output
        return {
            str(self._in_wheel(skeleton)): str(output(skeleton))
            for skeleton in self.config.skeletons
        }

    def _place(self) -> "Place":
        from skelgen.build import project

        if self.editable_mode:
            build_py = self.get_finalized_command("build_py")
            return project.in_tree(
                self.config, lambda package: Path(build_py.get_package_dir(package))
            )
        return project.in_folder(
            Path(str(self.build_lib)), Path(str(self.build_temp), "skelgen")
        )

    def _in_wheel(self, skeleton: "SkeletonConfig") -> Path:
        from skelgen.build import project

        return Path(str(self.build_lib), project.module_path(skeleton))


def _setup_error(error: SkelgenError) -> Exception:
    from setuptools.errors import SetupError

    return SetupError(f"skelgen: {error}")
