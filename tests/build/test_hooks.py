"""Sample projects built with setuptools and hatchling."""

import ast
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

SOURCE = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "shared.h"
int count;
SEC("tp/sched/sched_process_exec") int handle(void *ctx) { count += STEP; return 0; }
char LICENSE[] SEC("license") = "GPL";
"""
TABLE = """
[tool.skelgen]
includes = ["bpf/include"]
[[tool.skelgen.skeletons]]
source = "bpf/trace.bpf.c"
module = "mytool.trace_skel"
[[tool.skelgen.skeletons]]
source = "bpf/other.bpf.c"
module = "mytool.other_skel"
"""
PYPROJECT = """\
[build-system]
requires = ["{backend}", "skelgen[clang]"]
build-backend = "{module}"
[project]
name = "mytool"
version = "1"
"""
SETUPTOOLS = PYPROJECT.format(backend="setuptools", module="setuptools.build_meta")
HATCHLING = PYPROJECT.format(backend="hatchling", module="hatchling.build") + (
    "[tool.hatch.build.targets.wheel]\npackages = ['src/mytool']\n"
    "[tool.hatch.build.hooks.skelgen]\n"
)
MODULES = {"mytool/trace_skel.py", "mytool/other_skel.py"}


def project(folder: Path, pyproject: str) -> Path:
    (folder / "src/mytool").mkdir(parents=True)
    (folder / "bpf/include").mkdir(parents=True)
    (folder / "pyproject.toml").write_text(pyproject)
    (folder / "src/mytool/__init__.py").touch()
    (folder / "bpf/trace.bpf.c").write_text(SOURCE)
    (folder / "bpf/other.bpf.c").write_text(SOURCE.replace('#include "shared.h"', ""))
    text = (folder / "bpf/other.bpf.c").read_text().replace("STEP", "1")
    (folder / "bpf/other.bpf.c").write_text(text)
    (folder / "bpf/include/shared.h").write_text("#define STEP 2\n")
    return folder


def build(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "build", "--no-isolation", *words, str(folder)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder
    )


def members(folder: Path) -> dict[str, str]:
    with zipfile.ZipFile(next((folder / "dist").glob("*.whl"))) as wheel:
        return {
            name: wheel.read(name).decode()
            for name in wheel.namelist()
            if name.endswith(".py")
        }


@pytest.mark.parametrize("pyproject", [SETUPTOOLS + TABLE, HATCHLING + TABLE])
def test_from_tree_to_sdist_to_wheel(tmp_path, pyproject):
    folder = project(tmp_path, pyproject)
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    with tarfile.open(next((folder / "dist").glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"bpf/trace.bpf.c", "bpf/other.bpf.c", "bpf/include/shared.h"} <= names
    modules = members(folder)
    assert set(modules) == {*MODULES, "mytool/__init__.py"}
    for name in MODULES:
        ast.parse(modules[name])
    assert "class Trace(rt.Skeleton)" in modules["mytool/trace_skel.py"]
    assert str(folder) not in modules["mytool/trace_skel.py"]


def test_the_keyword_of_a_setup_py(tmp_path):
    folder = project(tmp_path, SETUPTOOLS)
    (folder / "setup.py").write_text(
        "from setuptools import setup\n"
        "setup(bpf_skeletons=[{'source': 'bpf/other.bpf.c',"
        " 'module': 'mytool.other_skel'}])\n"
    )
    done = build(folder, "--wheel")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mytool/other_skel.py" in members(folder)


def test_a_project_without_the_table_builds_as_ever(tmp_path):
    folder = project(tmp_path, SETUPTOOLS)
    done = build(folder, "--wheel")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(members(folder)) == {"mytool/__init__.py"}


def test_an_unknown_key_is_named(tmp_path):
    table = TABLE.replace("includes", "inclds")
    done = build(project(tmp_path, SETUPTOOLS + table), "--wheel")
    assert done.returncode != 0
    assert "skelgen: tool.skelgen.inclds: unknown key" in done.stdout + done.stderr


def test_broken_c_shows_what_clang_says(tmp_path):
    folder = project(tmp_path, SETUPTOOLS + TABLE)
    (folder / "bpf/trace.bpf.c").write_text("int x = wrong;\n")
    done = build(folder, "--wheel")
    assert done.returncode != 0
    assert "bpf/trace.bpf.c:1:9: error: use of undeclared" in done.stdout + done.stderr
    assert not list((folder / "dist").glob("*.whl"))


def test_a_header_rebuilds_what_includes_it_and_nothing_else(tmp_path):
    from skelgen.build import project as projects
    from skelgen.build.config import read_pyproject

    folder = project(tmp_path, SETUPTOOLS + TABLE)
    config = read_pyproject(folder / "pyproject.toml")
    assert config is not None
    place = projects.in_folder(tmp_path / "made", tmp_path / "records")

    def compiled() -> list[bool]:
        return [result.made is not None for result in projects.build(config, place)]

    assert compiled() == [True, True]
    assert compiled() == [False, False]
    (folder / "bpf/include/shared.h").write_text("#define STEP 3\n")
    assert compiled() == [True, False]
    (tmp_path / "made/mytool/other_skel.py").write_text("edited by hand\n")
    assert compiled() == [False, True]
    (tmp_path / "records" / "mytool.trace_skel.json").write_text("{broken")
    assert compiled() == [True, False]
