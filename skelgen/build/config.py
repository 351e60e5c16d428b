"""``[tool.skelgen]`` in pyproject.toml: which skeletons a project builds.

::

    [tool.skelgen]
    includes = ["bpf/include"]          # of every skeleton, as are cflags, cpu
                                        # and targets
    vmlinux = "kernel"                  # all types of this kernel in <vmlinux.h>
    python-source = "lib"               # where packages are, if not in src or here

    [[tool.skelgen.skeletons]]
    source = "bpf/trace.bpf.c"          # or a compiled .bpf.o
    module = "mytool.trace_skel"        # the module to write
    types = ["event"]                   # types to emit besides those in use
    records = { rb = "event" }          # what a ring buffer carries
    rename = { Stats_2 = "BStats" }     # another name for what the module has
"""

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias, cast

from skelgen.build.options import Options
from skelgen.compiler.clang import CompileOptions
from skelgen.compiler.targets import Target, find_target
from skelgen.errors import ConfigError
from skelgen.near_names import near_names, or_near
from skelgen.regular import read_regular

_TABLE = "tool.skelgen"


@dataclass(frozen=True, slots=True)
class SkeletonConfig:
    """One skeleton of a project."""

    source: str
    """C file or object, relative to pyproject.toml."""
    module: str
    """Dotted name of the module to write."""
    options: Options = field(default_factory=Options)
    compile: CompileOptions = field(default_factory=CompileOptions)
    """How a C file is compiled, the target aside."""
    targets: tuple[Target, ...] = ()
    """Machines to compile for; none for this one."""

    @property
    def is_c(self) -> bool:
        """Whether the source has to be compiled."""
        return self.source.endswith(".c")


@dataclass(frozen=True, slots=True)
class ProjectConfig:
    """All skeletons of a project."""

    root: Path
    """Folder of pyproject.toml."""
    skeletons: tuple[SkeletonConfig, ...] = ()
    python_source: str | None = None
    """Folder that module names start in; ``None`` for ``src`` or ``root``."""


@dataclass(slots=True)
class _Table:
    """A TOML table that is read key by key, so that what is left over is a mistake."""

    where: str
    values: dict[str, object]
    taken: list[str] = field(default_factory=list[str])

    def text(self, key: str, default: str | None = None) -> str | None:
        value = self.take(key)
        if value is None:
            return default
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{self.where}.{key}: must be a non-empty string")
        return value

    def required(self, key: str) -> str:
        value = self.text(key)
        if value is None:
            text = f"{self.where}: the key '{key}' is missing"
            near = [other for other in self.values if key in near_names(other, [key])]
            raise ConfigError(f"{text}; is '{near[0]}' meant for it?" if near else text)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(
            isinstance(item, str) for item in cast("list[object]", value)
        ):
            raise ConfigError(f"{self.where}.{key}: must be a list of strings")
        return tuple(cast("list[str]", value))

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        value = self.take(key)
        if value is None:
            return ()
        if not isinstance(value, dict) or not all(
            isinstance(item, str) for item in cast("dict[str, object]", value).values()
        ):
            raise ConfigError(f"{self.where}.{key}: must be a table of strings")
        return tuple(cast("dict[str, str]", value).items())

    def finish(self) -> None:
        """Refuse a key that nobody asked for."""
        unknown = sorted(self.values.keys() - set(self.taken))
        if unknown:
            known = ", ".join(self.taken)
            text = f"{self.where}.{unknown[0]}: unknown key; known are {known}"
            raise ConfigError(or_near(text, unknown[0], self.taken))

    def take(self, key: str) -> object:
        self.taken.append(key)
        return self.values.get(key)


def read_pyproject(path: Path) -> ProjectConfig | None:
    """Return the skeletons that a pyproject.toml asks for.

    ``None`` when it has no ``[tool.skelgen]``. Raises ConfigError, naming the key,
    when that table is wrong.
    """
    try:
        text = read_regular(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    # Called in every build of an environment: TOML is parsed only where it matters.
    if b"skelgen" not in text:
        return None
    try:
        document = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    tool = document.get("tool", {})
    if not isinstance(tool, dict) or "skelgen" not in tool:
        return None
    return parse(cast("dict[str, object]", tool)["skelgen"], path.parent)


def parse(table: object, root: Path) -> ProjectConfig:
    """Return what the value of ``[tool.skelgen]`` means, with paths under ``root``.

    Raises ConfigError, naming the key, when it is wrong.
    """
    if not isinstance(table, dict):
        raise ConfigError(f"{_TABLE}: must be a table")
    top = _Table(_TABLE, cast("dict[str, object]", table))
    entries = top.take("skeletons")
    shared = _compilation(top, CompileOptions(), ())
    python_source = top.text("python-source")
    if not isinstance(entries, list) or not entries:
        raise ConfigError(
            f"{_TABLE}.skeletons: at least one [[{_TABLE}.skeletons]] table is wanted"
        )
    top.finish()
    skeletons = tuple(
        _skeleton(f"{_TABLE}.skeletons[{index}]", entry, shared, root)
        for index, entry in enumerate(cast("list[object]", entries))
    )
    _refuse_clashes(skeletons)
    return ProjectConfig(root, skeletons, python_source)


_Compilation: TypeAlias = tuple[CompileOptions, tuple[Target, ...]]


def _skeleton(
    where: str, entry: object, shared: _Compilation, root: Path
) -> SkeletonConfig:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: must be a table")
    table = _Table(where, cast("dict[str, object]", entry))
    config = SkeletonConfig(
        _inside(where, table.required("source"), root),
        _module(where, table.required("module")),
        Options.of(
            table.text("name"),
            table.texts("types"),
            table.pairs("records"),
            table.pairs("rename"),
        ),
        *_compilation(table, *shared),
    )
    table.finish()
    return config


def _compilation(
    table: _Table, shared: CompileOptions, targets: tuple[Target, ...]
) -> _Compilation:
    """Return how C files are compiled, and for which machines."""
    includes = (*shared.includes, *table.texts("includes"))
    cflags = (*shared.cflags, *table.texts("cflags"))
    cpu = table.text("cpu", shared.cpu) or shared.cpu
    targets = _targets(table) or targets
    vmlinux = _vmlinux(table, shared.vmlinux)
    options = replace(
        shared, includes=includes, cflags=cflags, cpu=cpu, vmlinux=vmlinux
    )
    return options, targets


def _vmlinux(table: _Table, default: str) -> str:
    value = table.text("vmlinux", default) or default
    if value not in {"small", "kernel"}:
        raise ConfigError(
            f"{table.where}.vmlinux: '{value}' is neither small nor kernel"
        )
    return value


def _targets(table: _Table) -> tuple[Target, ...]:
    names = table.texts("targets")
    try:
        return tuple(map(find_target, names))
    except ConfigError as error:
        raise ConfigError(f"{table.where}.targets: {error}") from error


def _inside(where: str, source: str, root: Path) -> str:
    """Refuse a source that an sdist could not carry."""
    path = Path(source)
    if path.is_absolute() or not (root / path).resolve().is_relative_to(root.resolve()):
        raise ConfigError(f"{where}.source: '{source}' is outside the project")
    if path.suffix not in {".c", ".o"}:
        raise ConfigError(f"{where}.source: '{source}' is neither a .c nor a .o file")
    return path.as_posix()


def _module(where: str, module: str) -> str:
    if not all(part.isidentifier() for part in module.split(".")):
        raise ConfigError(f"{where}.module: '{module}' is not a module name")
    return module


def _refuse_clashes(skeletons: tuple[SkeletonConfig, ...]) -> None:
    seen: dict[str, str] = {}
    for skeleton in skeletons:
        if skeleton.module in seen:
            raise ConfigError(
                f"{_TABLE}.skeletons: '{seen[skeleton.module]}' and "
                f"'{skeleton.source}' would both write the module '{skeleton.module}'"
            )
        seen[skeleton.module] = skeleton.source
