"""What is in the tree is in the wheel and the source distribution, and no more."""

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.harness.sources import ROOT

SHIPPED = ("skelgen", "templates")
MAN_PAGE = "docs/man/skelgen.1"


def in_tree() -> set[str]:
    """Return the shipped files, under the names they have once installed."""
    found: set[str] = set()
    for folder in SHIPPED:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                name = path.relative_to(ROOT).as_posix()
                found.add(name.replace("templates/", "skelgen/templates/", 1))
    return found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a wheel and a source distribution of a copy of the tree."""
    work = tmp_path_factory.mktemp("package")
    for name in SHIPPED:
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, work / name, ignore=ignore)
    (work / MAN_PAGE).parent.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", MAN_PAGE):
        shutil.copy(ROOT / name, work / name)
    script = (
        "from setuptools import build_meta as backend\n"
        "backend.build_sdist('dist')\n"
        "backend.build_wheel('dist')\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=work, check=True)
    return work / "dist"


def test_package_list_equals_the_tree() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    listed = settings["tool"]["setuptools"]["packages"]
    packages = {
        Path(name).parent.as_posix().replace("/", ".")
        for name in in_tree()
        if name.endswith("/__init__.py")
    }
    assert listed == sorted(packages)


def test_wheel_has_every_file(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    version = wheel.name.split("-")[1]
    data = f"skelgen-{version}.data/data/share/man/man1/skelgen.1"
    assert names == in_tree() | {data}
    assert "skelgen/py.typed" in names
    assert any(name.startswith("skelgen/templates/") for name in names)


def test_source_distribution_has_every_file(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    installed = {name.replace("templates/", "skelgen/templates/", 1) for name in names}
    assert in_tree() <= installed
    assert {"README.md", "LICENSE", "pyproject.toml", MAN_PAGE} <= names
