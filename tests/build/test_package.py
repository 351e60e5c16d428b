"""What is in the tree is in the wheel and the source distribution, and no more."""

import email
import tarfile
import tomllib
import zipfile
from pathlib import Path

import skelgen
from tests.harness import projects
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


def test_package_list_equals_the_tree() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    listed = settings["tool"]["setuptools"]["packages"]
    packages = {
        Path(name).parent.as_posix().replace("/", ".")
        for name in in_tree()
        if name.endswith("/__init__.py")
    }
    assert listed == sorted(packages)


def test_wheel_has_every_file(skelgen_dist: Path) -> None:
    (wheel,) = skelgen_dist.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    version = wheel.name.split("-")[1]
    data = f"bpf_skelgen-{version}.data/data/share/man/man1/skelgen.1"
    assert names == in_tree() | {data}
    assert "skelgen/py.typed" in names
    assert any(name.startswith("skelgen/templates/") for name in names)


def test_source_distribution_has_every_file(skelgen_dist: Path) -> None:
    (sdist,) = skelgen_dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    installed = {name.replace("templates/", "skelgen/templates/", 1) for name in names}
    assert in_tree() <= installed
    assert {"README.md", "LICENSE", "pyproject.toml", MAN_PAGE} <= names


INSTALLED = """\
import importlib.metadata as m
import skelgen
from skelgen import runtime, templates
(owner,) = m.packages_distributions()["skelgen"]
print(owner, m.version(owner), skelgen.__version__, runtime.Skeleton.__name__)
print(*sorted(e.name for e in m.distribution(owner).entry_points))
"""


def test_the_wheel_installs_as_bpf_skelgen(skelgen_dist: Path, tmp_path: Path) -> None:
    (wheel,) = skelgen_dist.glob("*.whl")
    version = skelgen.__version__
    assert wheel.name == f"bpf_skelgen-{version}-py3-none-any.whl"
    where = projects.environment(tmp_path / "venv", inherit=False)
    projects.install(where, wheel)
    done = where.run("-c", INSTALLED, cwd=tmp_path)
    assert done.stdout.splitlines() == [
        f"bpf-skelgen {version} {version} Skeleton",
        "bpf_skeletons skelgen skelgen skelgen",
    ]
    assert (where.path / "bin/skelgen").is_file()


def test_the_compiler_is_an_extra_of_the_wheel(skelgen_dist: Path) -> None:
    (wheel,) = skelgen_dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Name"] == "bpf-skelgen"
    assert {"clang", "dev", "test"} == set(metadata.get_all("Provides-Extra", []))
    required = metadata.get_all("Requires-Dist", [])
    assert [text for text in required if 'extra == "clang"' in text] == [
        'ziglang>=0.17; extra == "clang"'
    ]
