"""Fixtures of the tests of headers, packages and build hooks."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import headers, projects
from tests.harness.sources import ROOT


@pytest.fixture
def build(tmp_path: Path) -> headers.Build:
    """Return :func:`tests.harness.headers.build` with a folder of the test's own."""
    return lambda source, *cflags, **options: headers.build(
        source, tmp_path, *cflags, **options
    )


@pytest.fixture(scope="session")
def libbpf_include(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder where <bpf/...> are libbpf's headers, and nothing else is."""
    folder = tmp_path_factory.mktemp("libbpf")
    (folder / "bpf").symlink_to(headers.LIBBPF)
    return folder


@pytest.fixture(scope="session")
def skelgen_dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a source distribution of the tree, and the wheel of that."""
    work = tmp_path_factory.mktemp("skelgen")
    for name in ("skelgen", "templates"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, work / name, ignore=ignore)
    man_page = "docs/man/skelgen.1"
    (work / man_page).parent.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", man_page):
        shutil.copy(ROOT / name, work / name)
    command = [sys.executable, "-m", "build", "--no-isolation", work]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return work / "dist"


@pytest.fixture(scope="session")
def build_environment(tmp_path_factory: pytest.TempPathFactory) -> projects.Environment:
    """Return an environment of what this one has, without a compiler on PATH."""
    return projects.environment(tmp_path_factory.mktemp("build") / "venv", inherit=True)
