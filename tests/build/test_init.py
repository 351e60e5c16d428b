"""What ``skelgen init`` makes: built, type-checked, tested and run, as it is.

Skelgen is a wheel of this tree, in a virtual environment of its own. The tools beside
it (build backends, type checkers, the compiler) are those of the tests; the commands of
the README fetch theirs with pip, as a newcomer does.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

from skelgen.build import scaffold
from tests.harness import privilege
from tests.harness.sources import ROOT

# Name, kind, backend, the package, and what its command is given here.
PROJECTS = [
    ("trace-it", "trace", "setuptools", "trace_it", ()),
    ("packets", "xdp", "setuptools", "packets", ("lo", "--interval", "0.1")),
    ("tracer", "trace", "hatchling", "tracer", ()),
]


class Environment(NamedTuple):
    """A virtual environment, and what is installed into it."""

    folder: Path
    wheels: Path

    def run(
        self, cwd: Path, *words: str, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run its Python with these arguments."""
        return subprocess.run(
            [str(self.python), *words],
            cwd=cwd,
            env=self.environ() | environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def well(self, cwd: Path, *words: str, **environ: str) -> str:
        """Do that, with status 0, and return what was printed."""
        done = self.run(cwd, *words, **environ)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def environ(self) -> dict[str, str]:
        links = f"{self.wheels} {os.environ.get('PIP_FIND_LINKS', '')}"
        removed = {"PYTHONPATH", "SKELGEN_CLANG"}
        kept = {key: os.environ[key] for key in os.environ.keys() - removed}
        return kept | {"VIRTUAL_ENV": str(self.folder), "PIP_FIND_LINKS": links}

    @property
    def python(self) -> Path:
        return self.folder / "bin/python"


def new_environment(folder: Path, wheels: Path, *extra: str) -> Environment:
    """Make one with skelgen in it; ``extra`` are further folders of packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    environment = Environment(folder, wheels)
    paths = environment.well(
        folder, "-c", "import site; print(*site.getsitepackages())"
    )
    (Path(paths.split()[0]) / "extra.pth").write_text("\n".join(extra))
    (wheel,) = wheels.glob("bpf_skelgen-*.whl")
    pip(environment, folder, "install", "--no-deps", str(wheel))
    return environment


def pip(environment: Environment, cwd: Path, *words: str) -> str:
    """Run the tests' own pip for an environment, where none is installed."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--python", environment.python, "-q", *words],
        cwd=cwd,
        env=environment.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of this tree, as far as a wheel is made of it."""
    work = tmp_path_factory.mktemp("tree")
    for name in ("skelgen", "templates", "docs"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, work / name, ignore=ignore)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, work / name)
    return work


@pytest.fixture(scope="session")
def skelgen_wheels(tree: Path) -> Path:
    """Return a folder with a wheel of this tree."""
    script = "from setuptools import build_meta as b; b.build_wheel('dist')"
    subprocess.run([sys.executable, "-c", script], cwd=tree, check=True)
    return tree / "dist"


@pytest.fixture(scope="session")
def environment(
    tmp_path_factory: pytest.TempPathFactory, skelgen_wheels: Path
) -> Environment:
    folders = [path for path in sys.path if path.endswith("site-packages")]
    return new_environment(
        tmp_path_factory.mktemp("environment") / "venv", skelgen_wheels, *folders
    )


class Made(NamedTuple):
    """A project that was made and installed, editable."""

    folder: Path
    package: str
    arguments: tuple[str, ...]
    environment: Environment


@pytest.fixture(scope="module", params=PROJECTS, ids=[row[0] for row in PROJECTS])
def made(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    environment: Environment,
) -> Made:
    """Return each project, once ``skelgen init`` and ``pip install -e .`` are done."""
    name, kind, backend, package, arguments = request.param
    work = tmp_path_factory.mktemp("project")
    words = ("-m", "skelgen", "init", name, "--kind", kind, "--backend", backend)
    environment.well(work, *words)
    folder = work / name
    pip(environment, folder, "install", "--no-deps", "--no-build-isolation", "-e", ".")
    return Made(folder, package, arguments, environment)


def test_a_new_project_passes_mypy_and_pyright(made: Made) -> None:
    assert "Success: no issues found in 4 source files" in made.environment.well(
        made.folder, "-m", "mypy"
    )
    output = made.environment.well(
        made.folder, "-m", "pyright", "--pythonpath", str(made.environment.python)
    )
    assert "0 errors, 0 warnings" in output


def test_git_sees_only_what_init_made(made: Made) -> None:
    subprocess.run(["git", "init", "-q"], cwd=made.folder, check=True)
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard"],
        cwd=made.folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    shutil.rmtree(made.folder / ".git")
    assert len(listed) == 8
    assert f"src/{made.package}/{made.package}_skel.py" not in listed


def test_its_own_test_passes(made: Made) -> None:
    privilege.require_privilege()
    output = made.environment.well(
        made.folder, "-m", "pytest", "-p", "no:cacheprovider"
    )
    assert " passed" in output
    assert "skipped" not in output


def test_its_own_test_is_skipped_without_privilege(made: Made) -> None:
    output = unprivileged(made, "-m", "pytest", "-p", "no:cacheprovider", "-rs")
    assert output.returncode == 0, output.stdout + output.stderr
    assert "1 skipped" in output.stdout
    assert "CAP_" in output.stdout


def test_it_runs_until_ctrl_c_and_ends_without_an_error(made: Made) -> None:
    privilege.require_privilege()
    # a shell without job control has what it runs in the background ignore Ctrl-C
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [made.environment.python, "-m", made.package, *made.arguments],
            cwd=made.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        assert process.stdout is not None
        header = process.stdout.readline().split()
        if made.arguments:
            assert header == ["PROTOCOL", "PACKETS", "BYTES"]
        else:
            assert header == ["PID", "PPID", "UID", "COMM", "PATH"]
            subprocess.run(["true"], check=True)
            found = any(line.split()[3] == "true" for line in process.stdout)
            assert found
        process.send_signal(signal.SIGINT)  # Ctrl-C
        _, errors = process.communicate(timeout=10)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, errors) == (0, "")


def test_it_says_what_privilege_is_missing(made: Made) -> None:
    done = unprivileged(made, "-m", made.package, *made.arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert "CAP_BPF" in done.stderr


def test_its_wheel_from_the_source_distribution_needs_no_compiler(
    made: Made, tmp_path
) -> None:
    made.environment.well(
        made.folder, "-m", "build", "--no-isolation", "-o", str(tmp_path / "dist")
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = made.package
    files = ("__init__.py", "__main__.py", "py.typed", f"{package}_skel.py")
    assert names == {f"{package}/{name}" for name in files}
    clean = new_environment(tmp_path / "venv", made.environment.wheels)
    pip(clean, tmp_path, "install", "--no-deps", str(wheel))
    command = str(clean.folder / "bin" / made.folder.name)
    done = subprocess.run(
        [command, "--help"],
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"usage: {made.folder.name} ")
    if privilege.missing_privilege() is None:
        script = f"from {package}.{package}_skel import {scaffold.camel(package)} as S"
        clean.well(tmp_path, "-c", f"{script}\nS.open_and_load().destroy()", PATH="")


def test_the_commands_of_the_readme_work_word_for_word(
    tree: Path, tmp_path: Path
) -> None:
    """Its commands, word for word; isolated builds, with what pip fetches from PyPI."""
    first, then = re.findall(
        r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    assert then.endswith("-m mytool\n")
    script = tmp_path / "readme.sh"
    script.write_text(
        "set -euo pipefail\n"
        # no sudo: here is root, or who may do nothing with the kernel
        'sudo() { "$@"; }\n'
        f"{first}cd\n{then[:-1]} --help\n"
        "python -m mytool --count 1 &\n"
        "for _ in $(seq 100); do kill -0 $! 2>&- || break; sleep 0.1; done\n"
        "wait $!\n"
        "sed -i s/lost/dropped/ bpf/mytool.bpf.c\n"
        "skelgen build\n"
        "grep -c dropped src/mytool/mytool_skel.py\n"
    )
    privilege.require_privilege()
    clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(tmp_path)}
    path = f"{Path(sys.base_prefix, 'bin')}:{clean['PATH']}"
    done = subprocess.run(
        ["bash", script],
        cwd=tree,
        env=os.environ | clean | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made mytool/: prints every program that starts. Next:" in done.stdout
    assert "usage: mytool [-h] [--uid UID] [--count COUNT]" in done.stdout
    assert re.search(r"^ *\d+ +\d+ +\d+ sleep +/\S+/sleep$", done.stdout, re.MULTILINE)
    assert "Traceback" not in done.stderr


def unprivileged(made: Made, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the project as one who may do nothing with the kernel."""
    drop: list[str] = []
    if os.geteuid() == 0:
        # still root by its uid, who may read what pytest keeps from others
        drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    return subprocess.run(
        [*drop, made.environment.python, *words],
        cwd=made.folder,
        env=made.environment.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
