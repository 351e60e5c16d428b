"""``skelgen build``: projects in place, C files, and what is run for them."""

import os
import pty
import re
import shlex
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from skelgen.build import jobs, project
from skelgen.build.config import parse, read_pyproject
from skelgen.build.fingerprint import Fingerprint
from skelgen.compiler import clang
from skelgen.errors import ConfigError
from tests.harness import projects
from tests.harness.projects import TABLE, Environment
from tests.harness.sources import ROOT

LIB = "tool.skelgen.python-source = 'lib'\n"
BOTH = ["wrote src/mytool/trace_skel.py", "wrote src/mytool/other_skel.py"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a sample project."""
    return projects.make(tmp_path / "it", "setuptools")


@pytest.fixture
def counting_clang(tmp_path: Path, build_environment: Environment) -> Path:
    """Return a compiler that writes a line into ``counted`` beside it for each call."""
    script = tmp_path / "clang"
    real = shlex.join([str(build_environment.python), "-m", "ziglang", "clang"])
    script.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/counted\nexec {real} "$@"\n')
    script.chmod(0o755)
    return script


def build(
    where: Environment, cwd: Path, *words: str, **environ: str
) -> subprocess.CompletedProcess[str]:
    return where.run("-m", "skelgen", "build", *words, cwd=cwd, **environ)


# -- a project ---------------------------------------------------------------------


def test_a_project_builds_the_same_from_anywhere(
    folder: Path, build_environment: Environment, tmp_path: Path
) -> None:
    done = build(build_environment, folder)
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [*BOTH, "2 modules: 2 written, 0 up to date"],
    )
    first = projects.files(folder)
    done = build(build_environment, folder / "bpf/include", "--force", "-v")
    assert "../../src/mytool/trace_skel.py is up to date\n" in done.stdout
    assert " -I bpf/include " in done.stdout
    done = build(build_environment, tmp_path, "--project", "it", "-q")
    assert (done.returncode, done.stdout) == (0, "")
    assert projects.files(folder) == first


def test_check_writes_nothing(folder: Path, build_environment: Environment) -> None:
    before = projects.files(folder)
    done = build(build_environment, folder, "--check")
    assert (done.returncode, done.stdout.splitlines()) == (
        1,
        [
            "src/mytool/trace_skel.py is missing",
            "src/mytool/other_skel.py is missing",
            "2 modules: 2 to write, 0 up to date",
        ],
    )
    assert projects.files(folder) == before
    assert not (folder / "build").exists()
    build(build_environment, folder)
    assert build(build_environment, folder, "--check").returncode == 0

    (folder / "bpf/include/shared.h").write_text("#define STEP 3\n")
    before = projects.files(folder)
    # the words of the issue, without ``build``
    done = build_environment.run("-m", "skelgen", "--check", cwd=folder)
    assert (done.returncode, done.stdout.splitlines()) == (
        1,
        [
            "src/mytool/trace_skel.py is not up to date",
            "2 modules: 1 to write, 1 up to date",
        ],
    )
    done = build(build_environment, folder, "--diff")
    assert done.returncode == 0
    assert "--- src/mytool/trace_skel.py\n+++ src/mytool/trace_skel.py\n" in done.stdout
    assert projects.files(folder) == before


def test_a_fresh_clone_is_checked_without_records(
    folder: Path, build_environment: Environment
) -> None:
    build(build_environment, folder)
    for record in (folder / "build/skelgen").iterdir():
        record.unlink()
    assert build(build_environment, folder, "--check").returncode == 0


def test_nothing_is_run_or_written_when_all_is_up_to_date(
    folder: Path, build_environment: Environment, counting_clang: Path
) -> None:
    environ = {"SKELGEN_CLANG": str(counting_clang)}
    counted = counting_clang.with_name("counted")
    assert build(build_environment, folder, **environ).returncode == 0
    assert len(counted.read_text().splitlines()) == 2
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    done = build(build_environment, folder, **environ)
    assert done.stdout == "2 modules: 0 written, 2 up to date\n"
    assert len(counted.read_text().splitlines()) == 2
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert build(build_environment, folder, "--check", **environ).returncode == 0
    assert len(counted.read_text().splitlines()) == 2
    build(build_environment, folder, "--force", **environ)
    assert len(counted.read_text().splitlines()) == 4


def test_a_header_rebuilds_what_includes_it_and_nothing_else(
    folder: Path, tmp_path: Path
) -> None:
    config = read_pyproject(folder / "pyproject.toml")
    assert config is not None
    place = project.in_folder(tmp_path / "made", tmp_path / "records")

    def compiled() -> list[bool]:
        return [result.made is not None for result in project.build(config, place)]

    assert compiled() == [True, True]
    assert compiled() == [False, False]
    (folder / "bpf/include/shared.h").write_text("#define STEP 3\n")
    assert compiled() == [True, False]
    (tmp_path / "made/mytool/other_skel.py").write_text("edited by hand\n")
    assert compiled() == [False, True]
    (tmp_path / "records" / "mytool.trace_skel.json").write_text("{broken")
    assert compiled() == [True, False]
    (folder / "bpf/include/shared.h").touch()  # times do not matter
    assert compiled() == [False, False]


def test_an_edit_while_the_compiler_runs_is_not_missed(tmp_path: Path) -> None:
    source, output = tmp_path / "x.bpf.c", tmp_path / "x_skel.py"
    fingerprint = Fingerprint(
        tmp_path / "records/x.json", tmp_path, "made by this test"
    )
    source.write_text("one")
    output.write_text("text")
    written = source.stat().st_mtime_ns
    fingerprint.write([source], "text", started=written - 1)
    assert not fingerprint.holds(output)
    fingerprint.write([source], "text", started=written)
    assert fingerprint.holds(output)


def test_builds_at_once_do_not_disturb_each_other(
    folder: Path, build_environment: Environment
) -> None:
    build(build_environment, folder)
    wanted = projects.files(folder)
    for name in projects.MODULES:
        (folder / "src" / name).write_text("of another time\n")
    with ThreadPoolExecutor(4) as pool:
        calls = [
            pool.submit(build, build_environment, folder, "--force") for _ in range(4)
        ]
        for call in calls:
            assert call.result().returncode == 0, call.result().stdout
    assert projects.files(folder) == wanted
    assert build(build_environment, folder).stdout == (
        "2 modules: 0 written, 2 up to date\n"
    )
    assert not list(folder.rglob("*.tmp"))


def test_one_source_that_fails_leaves_the_other_built(
    folder: Path, build_environment: Environment
) -> None:
    (folder / "bpf/trace.bpf.c").write_text("int x = wrong;\n")
    done = build(build_environment, folder)
    assert done.returncode == 2
    assert done.stdout.splitlines()[-2:] == [
        "wrote src/mytool/other_skel.py",
        "2 modules: 1 written, 0 up to date, 1 failed",
    ]


def test_warnings_are_shown_as_clang_prints_them(
    folder: Path, build_environment: Environment
) -> None:
    with (folder / "bpf/other.bpf.c").open("a") as file:
        file.write("static int unused;\n")
    done = build(build_environment, folder / "bpf")
    assert "\nother.bpf.c:6:12: warning: unused variable 'unused'" in done.stdout
    done = build(build_environment, folder, "--force", "--quiet")
    assert (done.returncode, done.stdout) == (0, "")


def test_a_terminal_shows_progress_and_colors(
    folder: Path, build_environment: Environment
) -> None:
    (folder / "bpf/trace.bpf.c").write_text("int x = wrong;\n")
    text = on_terminal(build_environment, folder, {})
    assert "[1/2] bpf/trace.bpf.c\r" in text
    assert "\x1b[0;1;31merror: \x1b[0m" in text
    assert text.endswith("2 modules: 1 written, 0 up to date, 1 failed\r\n")
    assert "\x1b[0;1;31m" not in on_terminal(
        build_environment, folder, {"NO_COLOR": "1"}
    )


def on_terminal(where: Environment, folder: Path, environ: dict[str, str]) -> str:
    ours, theirs = pty.openpty()
    subprocess.run(
        [where.python, "-m", "skelgen", "build"],
        cwd=folder,
        env={**os.environ, "PATH": str(where.path / "bin"), **environ},
        stderr=theirs,
        check=False,
    )
    os.close(theirs)
    text = os.read(ours, 65536).decode()
    os.close(ours)
    return text


# -- where a module goes -------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "tool", "module", "wanted"),
    [
        (["src/p/__init__.py"], "", "p.x", "src/p/x.py"),
        (["p/__init__.py"], "", "p.x", "p/x.py"),
        (["p/__init__.py"], "", "p.q.x", "p/q/x.py"),
        (["src/p/__init__.py"], "", "x", "src/x.py"),
        (["y.py"], "", "x", "x.py"),
        (
            ["p/__init__.py", "src/main.c"],
            "tool.setuptools.packages = ['p']\n",
            "p.x",
            "p/x.py",
        ),
        (
            ["lib/p/__init__.py"],
            "tool.setuptools.package-dir = {'' = 'lib'}\n" + LIB,
            "p.x",
            "lib/p/x.py",
        ),
    ],
)
def test_the_command_and_setuptools_agree_where_a_module_goes(
    tmp_path: Path, tree: list[str], tool: str, module: str, wanted: str
) -> None:
    for name in tree:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pyproject = tmp_path / "pyproject.toml"
    pyproject.write_text(
        f"{tool}[project]\nname = 'p'\nversion = '1'\n"
        f"[[tool.skelgen.skeletons]]\nsource = 'x.bpf.c'\nmodule = '{module}'\n"
    )
    config = read_pyproject(pyproject)
    assert config is not None
    (skeleton,) = config.skeletons
    assert project.in_tree(config).output(skeleton) == tmp_path / wanted
    script = (
        "import setuptools, sys\n"
        "sys.argv = ['setup.py', '--quiet', '--name']\n"
        "dist = setuptools.setup()\n"
        "dist.set_defaults()  # as before any command\n"
        "command = dist.get_command_obj('build_bpf')\n"
        "command.editable_mode = True\n"
        "command.ensure_finalized()\n"
        "print(*command.get_output_mapping().values())\n"
    )
    done = projects.run([sys.executable, "-c", script], tmp_path, {})
    assert done.stdout.splitlines()[-1] == wanted


def test_a_project_is_compiled_for_each_of_its_targets(
    folder: Path, build_environment: Environment
) -> None:
    table = TABLE.replace("includes", "targets = ['bpfel', 'bpfeb']\nincludes")
    (folder / "pyproject.toml").write_text(table)
    done = build(build_environment, folder, "-v")
    assert done.stdout.count(" -target bpfel ") == 2
    assert done.stdout.count(" -target bpfeb ") == 2
    head = (folder / "src/mytool/trace_skel.py").read_text().splitlines()[:4]
    assert head[1] == "# Regenerate with: skelgen build"
    assert head[2].endswith(" for bpfel")
    assert head[3].endswith(" for bpfeb")


# -- C files ---------------------------------------------------------------------------


def test_c_files_and_objects_in_one_call_make_a_module_each(
    folder: Path, build_environment: Environment
) -> None:
    bpf = folder / "bpf"
    words = ("-m", "skelgen", "-I", "include", "trace.bpf.c", "--keep-object")
    done = build_environment.run(*words, cwd=bpf)
    assert done.stdout.splitlines() == ["wrote trace.bpf.o", "wrote trace_skel.py"]
    (bpf / "trace.bpf.o").rename(bpf / "kept.bpf.o")
    done = build_environment.run("-m", "skelgen", "kept.bpf.o", "other.bpf.c", cwd=bpf)
    assert done.stdout.splitlines() == [
        "wrote kept_skel.py",
        "wrote other_skel.py",
        "2 modules: 2 written, 0 up to date",
    ]
    text, kept = ((bpf / f"{name}_skel.py").read_text() for name in ("trace", "kept"))
    assert text.splitlines()[1] == "# Regenerate with: skelgen trace.bpf.c -I include"
    assert text[text.index("_IMAGE: Final = (") :] == (
        kept[kept.index("_IMAGE: Final = (") :]
    )


def test_the_module_does_not_depend_on_the_folder_of_the_call(
    folder: Path, build_environment: Environment, tmp_path: Path
) -> None:
    made = []
    for cwd, path in (
        (folder / "bpf", ""),
        (folder, "bpf/"),
        (folder / "bpf/include", "../"),
        (tmp_path, f"{folder}/bpf/"),
    ):
        include = "include" if not path else f"{path}include"
        words = (f"{path}trace.bpf.c", "-I", include, "-o", "-")
        made.append(build(build_environment, cwd, *words).stdout)
    # absolute folders are not said to others
    assert made.pop() == made[0].replace(" -I include", "")
    assert len(set(made)) == 1
    assert str(tmp_path) not in made[0]


def test_options_reach_the_compiler(
    folder: Path, build_environment: Environment
) -> None:
    words = ("-D", "STEP=7", "-D", "X", "--cflag=-Wextra", "--cpu", "v2")
    (folder / "bpf/include/shared.h").write_text("")
    done = build(
        build_environment,
        folder,
        "bpf/trace.bpf.c",
        *("-v", "-I", "bpf/include", *words, "--target", "s390x", "-o", "out.py"),
    )
    command, *warnings, wrote = done.stdout.splitlines()
    assert "unused parameter 'ctx' [-Wunused-parameter]" in warnings[0]
    for part in (" -target bpfeb ", " -mcpu=v2 ", " -D__TARGET_ARCH_s390 "):
        assert part in command
    assert " -DSTEP=7 -DX -Wextra " in command
    assert wrote == "wrote out.py"
    assert (folder / "out.py").read_text().splitlines()[1] == (
        "# Regenerate with: skelgen trace.bpf.c --cpu v2 -I include --cflag=-DSTEP=7"
        " --cflag=-DX --cflag=-Wextra --target s390x"
    )


def test_objects_of_several_targets_are_kept(
    folder: Path, build_environment: Environment
) -> None:
    words = ("bpf/other.bpf.c", "--target", "x86_64", "--target", "s390x")
    done = build(build_environment, folder, *words, "--keep-object")
    names = ("other.x86_64.bpf.o", "other.s390x.bpf.o", "other_skel.py")
    assert done.stdout.splitlines() == [f"wrote bpf/{name}" for name in names]
    kept = {path.name: path.read_bytes()[5] for path in (folder / "bpf").glob("*.o")}
    assert kept == {"other.x86_64.bpf.o": 1, "other.s390x.bpf.o": 2}


def test_a_failure_shows_the_command_when_asked(
    folder: Path, build_environment: Environment
) -> None:
    done = build(build_environment, folder, "-v", "bpf/trace.bpf.c")
    lines = done.stdout.splitlines()
    assert " -c trace.bpf.c " in lines[0]
    assert lines[1] == "bpf/trace.bpf.c:3:10: fatal error: 'shared.h' file not found"
    failed = "skelgen: error: bpf/trace.bpf.c: clang failed (version "
    assert lines[-1].startswith(failed)


def test_nothing_is_kept_of_a_failure(
    folder: Path, build_environment: Environment
) -> None:
    before = projects.files(folder)
    words = ("bpf/trace.bpf.c", "--keep-object", "--cflag=-DSTEP=1")
    done = build(build_environment, folder, *words)
    assert done.returncode == 2
    assert projects.files(folder) == before


def test_jobs_of_lone_files_look_for_headers_where_they_are_called() -> None:
    like = jobs.Job(Path(), Path())
    options = clang.CompileOptions(includes=("inc", "/abs"))
    (job,) = jobs.jobs_of([Path("a/b/x.bpf.c")], None, like._replace(compile=options))
    assert job.compile.includes == ("../../inc", "/abs")


def test_every_key_of_a_skeleton_makes_it_stale() -> None:
    def made_by(**changes: object) -> str:
        skeleton = {"source": "x.bpf.c", "module": "p.x", **changes}
        config = parse({"skeletons": [skeleton]}, Path())
        (job,) = project.jobs(config, project.in_folder(Path("a"), Path("r")))
        fingerprint = jobs._fingerprint(job)
        assert fingerprint is not None
        return fingerprint.made_by

    changes: list[dict[str, object]] = [
        {"name": "y"},
        {"types": ["event"]},
        {"records": {"rb": "event"}},
        {"rename": {"Event": "Record"}},
        {"includes": ["i"]},
        {"cflags": ["-DX"]},
        {"cpu": "v4"},
        {"targets": ["s390x"]},
        {"vmlinux": "kernel"},
    ]
    digests = {made_by(**change) for change in changes} | {made_by()}
    assert len(digests) == len(changes) + 1
    keys = {key for change in changes for key in change}
    with pytest.raises(ConfigError) as caught:
        made_by(nothing=1)
    known = str(caught.value).partition("known are ")[2].split(", ")
    assert keys | {"source", "module"} == {*known}


# -- pre-commit -----------------------------------------------------------------------


def pre_commit_hooks() -> dict[str, dict[str, str]]:
    """Read our hooks: a list of flat mappings, which is all the YAML there is in it."""
    text = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    hooks: dict[str, dict[str, str]] = {}
    for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]:
        pairs = [line.strip().split(": ", 1) for line in item.splitlines()]
        hook = {key: value.strip("'") for key, value in pairs}
        hooks[hook["id"]] = hook
    return hooks


def test_the_hooks_of_pre_commit_check_and_build_the_project(
    folder: Path, build_environment: Environment
) -> None:
    hooks = pre_commit_hooks()
    assert set(hooks) == {"skelgen-check", "skelgen-build"}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = settings["project"]["optional-dependencies"]["clang"]
    for hook in hooks.values():
        assert hook["language"] == "python"
        assert "false" in hook["pass_filenames"]
        assert hook["additional_dependencies"] == f'["{wanted[0]}"]'
        for name in ("bpf/trace.bpf.c", "a.h", "p/trace_skel.py", "pyproject.toml"):
            assert re.search(hook["files"], name)
        assert not re.search(hook["files"], "src/main.py")

    def entry(name: str) -> int:
        words = hooks[name]["entry"].split()
        assert words[0] == "skelgen"
        return build_environment.run("-m", *words, cwd=folder).returncode

    assert entry("skelgen-check") == 1
    assert entry("skelgen-build") == 0
    assert entry("skelgen-check") == 0


def test_what_the_instructions_need(
    tmp_path: Path, build_environment: Environment
) -> None:
    source = tmp_path / "count.bpf.c"
    source.write_text(
        "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\nlong n;\n"
        'SEC("socket") int p(void *ctx) { __sync_fetch_and_add(&n, 1); return 0; }\n'
    )
    need = "count.bpf.c: needs Linux 5.12: 'p' has an atomic operation"
    assert need in build(build_environment, tmp_path, "-v", source.name).stdout
    assert "needs Linux" not in build(build_environment, tmp_path, source.name).stdout
    older = build(build_environment, tmp_path, "-v", "--cpu", "v2", source.name)
    assert older.returncode == 0
    assert "needs Linux" not in older.stdout
