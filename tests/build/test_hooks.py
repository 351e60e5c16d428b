"""Sample projects: from the tree to a source distribution to a wheel to a program."""

import ast
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import privilege, projects

KINDS = ("setuptools", "setup.py", "hatchling")
ISOLATED = {"setuptools", "hatchling"}

OPEN = """\
import sys
import mytool.other_skel
from mytool.trace_skel import Trace
with Trace.open() as skel:
    skel.data.trace_count += 5
    print(skel.data.trace_count, skel.progs.handle.name)
for name in ("ziglang", "black", "click", "jinja2", "elftools", "setuptools"):
    assert name not in sys.modules, name
"""
LOAD = """\
from mytool.trace_skel import Trace
with Trace.open_and_load() as skel:
    skel.data.trace_count += 5
    print(skel.data.trace_count, skel.progs.handle.fd() > 0)
"""

Built = Callable[[str], Path]


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory, skelgen_dist: Path) -> Path:
    """Return a folder with all that an isolated build of the projects installs.

    It is the only index of those builds: what is tested is the wheel of this tree.
    """
    folder = tmp_path_factory.mktemp("wheelhouse")
    (wheel,) = skelgen_dist.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "download", "--quiet"]
    wanted = ["setuptools", "hatchling", f"{wheel}[clang]"]
    subprocess.run([*pip, "--dest", folder, *wanted], check=True)
    return folder


@pytest.fixture(scope="session")
def built(
    tmp_path_factory: pytest.TempPathFactory,
    wheelhouse: Path,
    build_environment: projects.Environment,
) -> Built:
    """Return a function from a kind of project to the folder it was built in.

    The wheel is made from the source distribution alone. In isolation means that pip
    makes an environment of what ``build-system.requires`` lists: skelgen from the
    tree, and its compiler.
    """
    folders: dict[str, Path] = {}

    def once(kind: str) -> Path:
        if kind not in folders:
            folder = projects.make(tmp_path_factory.mktemp("project") / "it", kind)
            done = build_environment.run(
                *("-m", "build", "--sdist", "--no-isolation", "."), cwd=folder
            )
            assert done.returncode == 0, done.stdout
            (sdist,) = (folder / "dist").glob("*.tar.gz")
            how = () if kind in ISOLATED else ("--no-build-isolation",)
            done = build_environment.run(
                *("-m", "pip", "wheel", "--no-deps", *how, "-w", "dist", sdist),
                cwd=folder,
                PIP_NO_INDEX="1",
                PIP_FIND_LINKS=str(wheelhouse),
            )
            assert done.returncode == 0, done.stdout
            folders[kind] = folder
        return folders[kind]

    return once


def members(folder: Path) -> dict[str, str]:
    with zipfile.ZipFile(next((folder / "dist").glob("*.whl"))) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        assert len(names) == len(set(names))
        return {name: wheel.read(name).decode() for name in names}


@pytest.mark.parametrize("kind", KINDS)
def test_the_sdist_carries_what_the_wheel_is_made_of(built: Built, kind: str) -> None:
    with tarfile.open(next((built(kind) / "dist").glob("*.tar.gz"))) as sdist:
        names = [name.partition("/")[2] for name in sdist.getnames()]
    assert {"bpf/trace.bpf.c", "bpf/other.bpf.c", "bpf/include/shared.h"} <= set(names)
    assert len(names) == len(set(names))
    assert not [name for name in names if name.endswith("_skel.py")]


@pytest.mark.parametrize("kind", KINDS)
def test_the_wheel_has_the_modules(built: Built, kind: str) -> None:
    folder = built(kind)
    modules = members(folder)
    assert set(modules) == {*projects.MODULES, "mytool/__init__.py"}
    for name in projects.MODULES:
        ast.parse(modules[name])
        assert str(folder) not in modules[name]
        assert "# Regenerate with: skelgen build\n" in modules[name]
    assert "class Trace(rt.Skeleton)" in modules["mytool/trace_skel.py"]
    # the tree stays as it was
    assert not list(folder.rglob("*_skel.py.tmp"))
    assert not (folder / "src/mytool/trace_skel.py").exists()


def test_every_backend_makes_the_same_module(built: Built) -> None:
    name = "mytool/trace_skel.py"
    assert len({members(built(kind))[name] for kind in KINDS}) == 1


@pytest.fixture(params=KINDS)
def installed(
    request: pytest.FixtureRequest, built: Built, skelgen_dist: Path, tmp_path: Path
) -> projects.Environment:
    """Return an environment of skelgen and the project, and nothing else at all."""
    environment = projects.environment(tmp_path / "venv", inherit=False)
    wheels = [
        next((built(request.param) / "dist").glob("*.whl")),
        next(skelgen_dist.glob("*.whl")),
    ]
    projects.install(environment, *wheels)
    return environment


def test_an_installed_wheel_opens(
    installed: projects.Environment, tmp_path: Path
) -> None:
    done = installed.run("-W", "error", "-c", OPEN, cwd=tmp_path)
    assert done.stdout == "7 handle\n"


def test_an_installed_wheel_loads(
    installed: projects.Environment, tmp_path: Path
) -> None:
    privilege.require_privilege()
    done = installed.run("-W", "error", "-c", LOAD, cwd=tmp_path)
    assert done.stdout == "7 True\n"


# -- modules of one machine ------------------------------------------------------

READS_REGISTERS = """\
#include <vmlinux.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
long seen = 1;
SEC("uprobe") int BPF_UPROBE(handle, long a) { seen = a; return 0; }
char LICENSE[] SEC("license") = "GPL";
"""
HOOKS = {
    "setuptools": "from setuptools import build_meta as backend\n",
    "hatchling": "from hatchling import build as backend\n",
}


@pytest.mark.parametrize("kind", HOOKS)
def test_a_wheel_says_which_module_is_of_one_machine(
    tmp_path: Path, build_environment: projects.Environment, kind: str
) -> None:
    table = projects.TABLE.replace("includes", 'targets = ["x86_64"]\nincludes')
    folder = projects.make(tmp_path / "it", kind, table)
    (folder / "bpf/trace.bpf.c").write_text(READS_REGISTERS)
    script = HOOKS[kind] + "backend.build_wheel('dist')\n"
    for _ in range(2):  # also where nothing had to be built
        done = build_environment.run("-c", script, cwd=folder)
        assert done.returncode == 0, done.stdout
        said = " ".join(done.stdout.split())
        assert (
            "module 'mytool.trace_skel': its programs depend on the machine, as those that"
            " read registers do, and it is for x86_64 alone;"
        ) in said
        assert 'targets = ["x86_64", "aarch64"]' in said
        assert "module 'mytool.other_skel'" not in said
    both = table.replace('"x86_64"', '"x86_64", "aarch64"')
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(text.replace(table, both))
    done = build_environment.run("-c", script, cwd=folder)
    assert done.returncode == 0, done.stdout
    assert "depend on the machine" not in done.stdout


# -- what does not concern us ----------------------------------------------------


def test_a_project_without_the_table_builds_as_ever(
    tmp_path: Path, build_environment: projects.Environment
) -> None:
    folder = projects.make(tmp_path / "it", "setuptools", table="")
    done = build_environment.run(
        *("-m", "build", "--no-isolation", "--wheel", "."), cwd=folder
    )
    assert done.returncode == 0, done.stdout
    assert set(members(folder)) == {"mytool/__init__.py"}
    assert "build_bpf" not in done.stdout


FINALIZE = """\
import sys
import setuptools
from skelgen.build.backends.setuptools import finalize
before = set(sys.modules)
dist = setuptools.Distribution({"src_root": sys.argv[1]})
finalize(dist)
print(sorted(set(sys.modules) - before), hasattr(dist, "skelgen_project"))
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[project]\nname = 'x'\n"),
        ("pyproject.toml", "["),
        ("other.toml", "[tool.skelgen]"),
        ("pyproject.toml/folder", ""),
    ],
)
def test_other_projects_cost_nothing_and_never_fail(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    command = [sys.executable, "-c", FINALIZE, tmp_path]
    assert projects.run(command, tmp_path, {}).stdout == "[] False\n"


@pytest.mark.parametrize("text", ["[tool.skelgen]\nx =", "[tool.skelgen]\nx = 1\n"])
def test_a_broken_table_is_no_error_before_it_is_used(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    command = [sys.executable, "-c", FINALIZE, tmp_path]
    assert projects.run(command, tmp_path, {}).stdout.endswith("] True\n")


# -- editable --------------------------------------------------------------------


def editable(folder: Path, into: projects.Environment, *settings: str) -> None:
    done = into.run(
        *("-m", "pip", "install", "--no-build-isolation", "--no-deps"),
        *("--no-index", *settings, "-e", "."),
        cwd=folder,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("setuptools", ()),
        ("setuptools", ("--config-settings", "editable_mode=strict")),
        ("setup.py", ()),
        ("hatchling", ()),
    ],
)
def test_an_editable_install_sees_an_edit_after_the_next_build(
    tmp_path: Path, kind: str, settings: tuple[str, ...]
) -> None:
    folder = projects.make(tmp_path / "it", kind)
    into = projects.environment(tmp_path / "venv", inherit=True)
    editable(folder, into, *settings)
    assert into.run("-c", OPEN, cwd=tmp_path).stdout == "7 handle\n"
    in_tree = next(folder.glob("**/mytool/trace_skel.py"))
    assert in_tree.relative_to(folder).parts[0] in {"src", "mytool"}

    (folder / "bpf/include/shared.h").write_text("#define STEP 20\n")
    if kind == "setup.py":  # what [tool.skelgen] does not say, the command cannot know
        editable(folder, into, *settings)
    else:
        done = into.run("-m", "skelgen", "build", cwd=folder)
        assert done.stdout.splitlines() == [
            "wrote src/mytool/trace_skel.py",
            "2 modules: 1 written, 1 up to date",
        ]
    assert into.run("-c", OPEN, cwd=tmp_path).stdout == "25 handle\n"
