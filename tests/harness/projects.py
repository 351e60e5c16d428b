"""Sample projects with BPF programs, and environments to build and install them in."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

SOURCE = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "shared.h"
int {name}_count = STEP;
SEC("tp/sched/sched_process_exec") int handle(void *ctx) {{ return 0; }}
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
requires = ["{backend}", "bpf-skelgen[clang]"]
build-backend = "{module}"
[project]
name = "mytool"
version = "1"
"""
SETUPTOOLS = PYPROJECT.format(backend="setuptools", module="setuptools.build_meta")
HATCHLING = PYPROJECT.format(backend="hatchling", module="hatchling.build") + (
    "[tool.hatch.build.targets.wheel]\npackages = ['src/mytool']\n"
    "[tool.hatch.build]\ndev-mode-dirs = ['src']\n[tool.hatch.build.hooks.skelgen]\n"
)
SETUP_PY = """\
from setuptools import setup
setup(
    packages=["mytool"],
    bpf_skeletons=[
        {"source": "bpf/trace.bpf.c", "module": "mytool.trace_skel",
         "includes": ["bpf/include"]},
        {"source": "bpf/other.bpf.c", "module": "mytool.other_skel",
         "cflags": ["-DSTEP=1"]},
    ],
)
"""
MODULES = {"mytool/trace_skel.py", "mytool/other_skel.py"}


def make(folder: Path, kind: str, table: str = TABLE) -> Path:
    """Write a project with two skeletons, one of which includes a header.

    ``kind`` is ``setuptools`` or ``hatchling``, with packages in ``src``, or
    ``setup.py``, with packages beside it.
    """
    packages = folder if kind == "setup.py" else folder / "src"
    (packages / "mytool").mkdir(parents=True)
    (packages / "mytool/__init__.py").touch()
    (folder / "bpf/include").mkdir(parents=True)
    trace = SOURCE.format(name="trace")
    other = SOURCE.format(name="other")
    (folder / "bpf/trace.bpf.c").write_text(trace)
    (folder / "bpf/other.bpf.c").write_text(
        other.replace('#include "shared.h"\n', "").replace("STEP", "1")
    )
    (folder / "bpf/include/shared.h").write_text("#define STEP 2\n")
    if kind == "setup.py":
        (folder / "pyproject.toml").write_text(SETUPTOOLS)
        (folder / "setup.py").write_text(SETUP_PY)
    else:
        text = {"setuptools": SETUPTOOLS, "hatchling": HATCHLING}[kind]
        (folder / "pyproject.toml").write_text(text + table)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder, records and other temporary files of builds aside."""
    return {
        name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not (name := path.relative_to(folder).as_posix()).startswith("build/")
        and ".egg-info/" not in name
    }


class Environment(NamedTuple):
    """A virtual environment."""

    path: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "bin" / "python"

    def run(
        self, *words: str | Path, cwd: Path, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Python with some arguments, and without a compiler on PATH."""
        return run(
            (self.python, *words), cwd, {"PATH": str(self.path / "bin"), **environ}
        )


def environment(path: Path, *, inherit: bool) -> Environment:
    """Make a virtual environment: empty, or with all that this one has."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", path], check=True)
    if inherit:
        (site,) = path.glob("lib/python*/site-packages")
        folders = [name for name in sys.path if name.endswith("site-packages")]
        lines = [f"import site; site.addsitedir({name!r})\n" for name in folders]
        (site / "inherited.pth").write_text("".join(lines))
    return Environment(path)


def install(into: Environment, *wheels: Path) -> None:
    """Install wheels as they are, without what they depend on."""
    pip = [sys.executable, "-m", "pip", "--python", into.python]
    options = ["install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, *options, *wheels], check=True)


def run(
    words: Sequence[str | Path], cwd: Path, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a program; keep what it prints, errors included, in one piece."""
    return subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
