"""What goes wrong in a build: one message, no traceback, nothing half-written."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.harness import projects
from tests.harness.projects import TABLE

UNKNOWN = (
    "unknown key; known are skeletons, includes, cflags, cpu, targets, vmlinux,"
    " python-source; did you mean 'includes'?"
)
NO_COMPILER = """\
no C compiler for BPF was found
  pip install 'bpf-skelgen[clang]'   installs one into this Python environment, or
  apt install clang                  installs one for the machine, or
  SKELGEN_CLANG=/path/to/clang       names one
"""
NO_ZIGLANG = (
    "import importlib.util as u; u.find_spec = lambda *name, every=u.find_spec:"
    " None if 'ziglang' in name else every(*name)\n"
)


class Mistake(NamedTuple):
    """A way to break a sample project, and what is said about it."""

    make: Callable[[Path], object]
    message: str
    says: str = ""
    """What the compiler says first, from the second word on."""
    table: str = TABLE
    no_compiler: bool = False


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def nothing(_folder: Path) -> None:
    pass


MISTAKES = {
    "broken C": Mistake(
        write("bpf/trace.bpf.c", "int x = wrong;\n"),
        "bpf/trace.bpf.c: clang failed (version ",
        "bpf/trace.bpf.c:1:9: error: use of undeclared identifier 'wrong'\n",
    ),
    "a missing header": Mistake(
        lambda folder: (folder / "bpf/include/shared.h").unlink(),
        "bpf/trace.bpf.c: clang failed (version ",
        "bpf/trace.bpf.c:3:10: fatal error: 'shared.h' file not found\n",
    ),
    "a missing source": Mistake(
        lambda folder: (folder / "bpf/trace.bpf.c").unlink(),
        "bpf/trace.bpf.c: no such file\n",
    ),
    "no compiler": Mistake(nothing, NO_COMPILER, no_compiler=True),
    "an unknown key": Mistake(
        nothing,
        f"tool.skelgen.inclds: {UNKNOWN}\n",
        table=TABLE.replace("includes", "inclds"),
    ),
    "two of a name": Mistake(
        nothing,
        "tool.skelgen.skeletons: 'bpf/trace.bpf.c' and 'bpf/other.bpf.c' would both"
        " write the module 'mytool.trace_skel'\n",
        table=TABLE.replace("other_skel", "trace_skel"),
    ),
    "a source outside": Mistake(
        nothing,
        "tool.skelgen.skeletons[0].source: '../trace.bpf.c' is outside the project\n",
        table=TABLE.replace("bpf/trace", "../trace"),
    ),
    "an unknown target": Mistake(
        nothing,
        "tool.skelgen.targets: target 'vax': unknown; known are bpfel, bpfeb, x86_64,",
        table=TABLE.replace("includes", "targets = ['vax']\nincludes"),
    ),
}


@pytest.fixture(params=MISTAKES.values(), ids=MISTAKES.keys())
def mistake(request: pytest.FixtureRequest) -> Mistake:
    """Return each mistake in turn."""
    found: Mistake = request.param
    return found


@pytest.fixture(scope="session")
def bare_environment(tmp_path_factory: pytest.TempPathFactory) -> projects.Environment:
    """Return an environment without any compiler."""
    path = tmp_path_factory.mktemp("bare") / "venv"
    made = projects.environment(path, inherit=True)
    (site,) = path.glob("lib/python*/site-packages")
    (site / "without_ziglang.pth").write_text(NO_ZIGLANG)
    return made


@pytest.fixture
def where(
    mistake: Mistake,
    build_environment: projects.Environment,
    bare_environment: projects.Environment,
) -> projects.Environment:
    """Return the environment of a mistake."""
    return bare_environment if mistake.no_compiler else build_environment


def test_the_command_says_each_mistake_without_a_traceback(
    tmp_path: Path, mistake: Mistake, where: projects.Environment
) -> None:
    folder = projects.make(tmp_path / "it", "setuptools", mistake.table)
    mistake.make(folder)
    before = projects.files(folder)
    done = where.run("-m", "skelgen", "build", "--project", "it", cwd=tmp_path)
    assert done.returncode == 2
    said = done.stdout.replace("it/bpf/", "bpf/")
    assert said.startswith(mistake.says or f"skelgen: error: {mistake.message}")
    assert f"skelgen: error: {mistake.message}" in said
    assert "Traceback" not in said
    after = projects.files(folder)
    after.pop("src/mytool/other_skel.py", None)  # the other one may be whole
    assert after == before


HOOKS = {
    "setuptools": "from setuptools import build_meta as backend\n",
    "hatchling": "from hatchling import build as backend\n",
}


@pytest.mark.parametrize("kind", HOOKS)
def test_a_build_backend_says_each_mistake_and_writes_nothing(
    tmp_path: Path, mistake: Mistake, where: projects.Environment, kind: str
) -> None:
    folder = projects.make(tmp_path / "it", kind, mistake.table)
    mistake.make(folder)
    before = projects.files(folder)
    script = HOOKS[kind] + "backend.build_wheel('dist')\n"
    done = where.run("-c", script, cwd=folder)
    assert done.returncode == 1
    *lines, last = mistake.message.splitlines(keepends=True)
    error = "error: skelgen: " if kind == "setuptools" else "skelgen: "
    assert error + "".join(lines) + last in done.stdout
    assert mistake.says in done.stdout
    assert "Traceback" not in done.stdout
    after = projects.files(folder)
    assert after == before


@pytest.mark.parametrize("kind", HOOKS)
def test_pip_shows_the_error_of_the_compiler(
    tmp_path: Path, build_environment: projects.Environment, kind: str
) -> None:
    folder = projects.make(tmp_path / "it", kind)
    (folder / "bpf/trace.bpf.c").write_text("int x = wrong;\n")
    done = build_environment.run(
        *("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "."),
        cwd=folder,
    )
    assert done.returncode == 1
    said = [line.removeprefix("      ") for line in done.stdout.splitlines()]
    head = "error: skelgen: " if kind == "setuptools" else "skelgen: "
    failed = f"{head}bpf/trace.bpf.c: clang failed (version "
    (start,) = [at for at, line in enumerate(said) if line.startswith(failed)]
    assert said[start + 1] == (
        "  bpf/trace.bpf.c:1:9: error: use of undeclared identifier 'wrong'"
    )


def test_a_folder_that_cannot_be_written_to_is_an_error_of_each_module(
    tmp_path: Path, build_environment: projects.Environment
) -> None:
    setpriv = shutil.which("setpriv")
    # root writes everywhere, unless it gives up the capability for that
    drop: tuple[str | Path, ...] = ()
    if os.geteuid() == 0:
        if setpriv is None:
            pytest.skip(
                "setpriv, with which root gives up CAP_DAC_OVERRIDE, is missing"
            )
        drop = (setpriv, "--bounding-set=-dac_override", "--inh-caps=-dac_override")
    table = TABLE.replace("mytool.trace", "mytool.bpf.trace")
    folder = projects.make(tmp_path / "it", "setuptools", table)
    before = projects.files(folder)
    package = folder / "src/mytool"
    package.chmod(0o555)
    words = (*drop, build_environment.python, "-m", "skelgen", "build")
    environ = {"PATH": str(build_environment.path / "bin")}
    done = projects.run(words, folder, environ)
    package.chmod(0o755)
    assert done.returncode == 2
    assert done.stdout.splitlines() == [
        "skelgen: error: src/mytool/bpf: cannot make the folder: Permission denied",
        "skelgen: error: src/mytool/other_skel.py: cannot write it: Permission denied",
        "2 modules: 0 written, 0 up to date, 2 failed",
    ]
    assert projects.files(folder) == before


def test_a_file_in_the_place_of_a_folder_is_an_error_that_names_it(
    tmp_path: Path, build_environment: projects.Environment
) -> None:
    table = TABLE.replace("mytool.trace", "mytool.bpf.trace")
    folder = projects.make(tmp_path / "it", "setuptools", table)
    (folder / "src/mytool/bpf").touch()
    done = build_environment.run("-m", "skelgen", "build", "-q", cwd=folder)
    assert done.returncode == 2
    assert done.stdout == (
        "skelgen: error: src/mytool/bpf: cannot make the folder: File exists\n"
    )


def test_a_package_that_is_nowhere_is_an_error_and_is_not_made(
    tmp_path: Path, build_environment: projects.Environment
) -> None:
    table = TABLE.replace("mytool.trace", "elsewhere.trace")
    folder = projects.make(tmp_path / "it", "setuptools", table)
    done = build_environment.run("-m", "skelgen", "build", cwd=folder)
    assert done.returncode == 2
    assert done.stdout == (
        "skelgen: error: package 'elsewhere': in neither src nor .;"
        " tool.skelgen.python-source names the folder it is in\n"
    )
    assert not (folder / "elsewhere").exists()


def test_a_call_outside_any_project_is_an_error_with_two_ways_out(
    tmp_path: Path, build_environment: projects.Environment
) -> None:
    done = build_environment.run("-m", "skelgen", "build", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == (
        f"skelgen: error: no pyproject.toml with [tool.skelgen] in {tmp_path} or above;"
        " name files to build, or the project's folder with --project\n"
    )
