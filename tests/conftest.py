"""Fixtures of all tests: BPF C files compiled once, skeletons made and imported."""

import importlib.util
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import hypothesis
import pytest

from tests.harness import sources

# A busy machine is slow, which says nothing about the code under test.
hypothesis.settings.register_profile(
    "skelgen",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize=os.environ.get("CI") == "true",
)
hypothesis.settings.load_profile("skelgen")

CompileBpf = Callable[..., Path]
MakeSkeleton = Callable[..., ModuleType]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes ``bpf_source`` once a fixture and example."""
    if "bpf_source" in metafunc.fixturenames:
        every = sources.sources() | sources.example_sources()
        metafunc.parametrize("bpf_source", every.values(), ids=every.keys())
    if "bad_source" in metafunc.fixturenames:
        bad = sources.bad_sources()
        metafunc.parametrize("bad_source", bad.values(), ids=bad.keys())


@pytest.fixture(scope="session")
def compile_bpf() -> CompileBpf:
    """Return a function from the name of a fixture to its compiled object.

    ``compile_bpf("ringbuf")``, ``compile_bpf("bad/map_static")``,
    ``compile_bpf("types_enums", byteorder="big")``.
    """

    def compile_by_name(name: str, *, byteorder: str = "little") -> Path:
        return sources.compiled(sources.find(name), byteorder)

    return compile_by_name


@pytest.fixture(scope="session")
def make_skeleton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeSkeleton]:
    """Return a function from the name of a fixture to its skeleton, imported."""
    folder = tmp_path_factory.mktemp("skeletons")
    made: dict[str, ModuleType] = {}
    number = itertools.count()

    def make(name: str) -> ModuleType:
        if name not in made:
            path = folder / f"{name}_skel.py"
            path.write_text(sources.skeleton(name), "utf-8")
            made[name] = _import(path, f"skelgen_test_{next(number)}_{name}")
        return made[name]

    yield make
    for module in made.values():
        sys.modules.pop(module.__name__, None)


def _import(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
