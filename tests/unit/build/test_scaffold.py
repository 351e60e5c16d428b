"""New projects: their names, files and folders; what they do is in tests/build."""

import ast
import itertools
import os
import tomllib
from pathlib import Path

import black
import pytest
from click.testing import CliRunner, Result

from skelgen.build import config, scaffold
from skelgen.build.backends import BACKENDS
from skelgen.cli import main

EVERY = list(itertools.product(scaffold.KINDS, BACKENDS))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, virtual_env: str | None = None) -> Result:
    env = {"VIRTUAL_ENV": virtual_env}
    return CliRunner().invoke(main, ["init", *arguments], prog_name="skelgen", env=env)


def test_a_new_project_says_what_comes_next(folder: Path) -> None:
    result = run("my-tool", virtual_env="/venv")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "made my-tool/: prints every program that starts. Next:\n"
        "  cd my-tool\n"
        "  pip install -e .\n"
        '  sudo "$(command -v python)" -m my_tool\n'
    )
    assert [path.name for path in folder.iterdir()] == ["my-tool"]
    assert sorted(
        path.relative_to(folder / "my-tool").as_posix()
        for path in (folder / "my-tool").rglob("*")
        if path.is_file()
    ) == [
        ".gitignore",
        "README.md",
        "bpf/my_tool.bpf.c",
        "pyproject.toml",
        "src/my_tool/__init__.py",
        "src/my_tool/__main__.py",
        "src/my_tool/py.typed",
        "tests/test_my_tool.py",
    ]


def test_without_a_virtual_environment_it_says_how_to_make_one() -> None:
    lines = run("packets", "--kind", "xdp").stdout.splitlines()
    assert lines[0] == (
        "made packets/: counts the packets that arrive at a network interface. Next:"
    )
    assert lines[2] == "  python3 -m venv .venv && . .venv/bin/activate"
    assert lines[-1] == '  sudo "$(command -v python)" -m packets lo'


@pytest.mark.parametrize(("kind", "backend"), EVERY)
def test_files_agree_on_the_name_and_are_in_the_form_of_black(
    folder: Path, kind: str, backend: str
) -> None:
    assert run("a.b-c", "--kind", kind, "--backend", backend).exit_code == 0
    made = folder / "a.b-c"
    settings = tomllib.loads((made / "pyproject.toml").read_text())
    assert settings["project"]["name"] == "a.b-c"
    assert settings["project"]["scripts"] == {"a.b-c": "a_b_c.__main__:main"}
    assert settings["build-system"]["requires"][0].startswith(backend)
    project = config.read_pyproject(made / "pyproject.toml")
    assert project is not None
    (skeleton,) = project.skeletons
    assert (made / skeleton.source).is_file()
    assert skeleton.module == "a_b_c.a_b_c_skel"
    for path in made.rglob("*.py"):
        text = path.read_text()
        assert black.format_str(text, mode=black.Mode()) == text
    for path in made.rglob("*"):
        if path.is_file():
            assert all(line == line.rstrip() for line in path.read_text().split("\n"))


@pytest.mark.parametrize("kind", scaffold.KINDS)
def test_classes_that_the_python_imports_are_refused_as_skeletons(kind: str) -> None:
    files = scaffold.project("zz", kind, "setuptools").files
    imported = {
        alias.asname or alias.name
        for name, text in files.items()
        if name.endswith(".py")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    classes = {name for name in imported if name[0].isupper()} - {"HEADER", "Zz"}
    what = scaffold.KINDS[kind]
    assert classes <= {*what.types, *what.imports}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "a b",
            (
                "name 'a b': a project's name has letters, digits, '-', '_' and '.', and"
                " begins and ends with a letter or digit"
            ),
        ),
        (
            "../x",
            (
                "name '../x': a project's name has letters, digits, '-', '_' and '.', and"
                " begins and ends with a letter or digit"
            ),
        ),
        (
            "caf\xe9\x1b",
            (
                "name 'caf\\xe9\\x1b': a project's name has letters, digits, '-', '_' and"
                " '.', and begins and ends with a letter or digit"
            ),
        ),
        (
            "3-d",
            "name '3-d': no package of Python begins with a digit, like '3_d'",
        ),
        ("class", "name 'class': 'class' is a keyword of Python"),
        ("JSON", "name 'JSON': 'json' is a module of Python's standard library"),
        ("test", "name 'test': 'test' is a module of Python's standard library"),
        ("skelgen", "name 'skelgen': that is the package of skelgen itself"),
        ("BPF.skelgen", "name 'BPF.skelgen': that is the package of skelgen itself"),
        (
            "event",
            (
                "name 'event': the skeleton would be a class 'Event', and the project has"
                " another class of that name"
            ),
        ),
        (
            "bpf-error",
            (
                "name 'bpf-error': the skeleton would be a class 'BpfError', and the"
                " project has another class of that name"
            ),
        ),
        ("file", "file: exists, and is no folder"),
        ("link", "link: exists, and is no folder"),
        ("full", "full: exists, and is not empty"),
        ("x" * 300, f"{'x' * 300}: cannot make the folder: File name too long"),
    ],
)
def test_a_bad_name_or_a_place_in_use_is_refused_and_nothing_made(
    folder: Path, name: str, message: str
) -> None:
    (folder / "file").touch()
    (folder / "link").symlink_to("nowhere")
    (folder / "full").mkdir()
    (folder / "full/notes").touch()
    before = sorted(folder.rglob("*"))
    result = run(name)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"skelgen: error: {message}\n"
    assert sorted(folder.rglob("*")) == before


def test_an_empty_folder_is_filled(folder: Path) -> None:
    (folder / "empty").mkdir()
    assert run("empty").exit_code == 0
    assert (folder / "empty/pyproject.toml").is_file()


def test_a_project_is_written_as_a_whole_or_not_at_all(folder: Path) -> None:
    files = {"a.txt": "text", "a.txt/b.txt": "a file is no folder"}
    with pytest.raises(scaffold.ConfigError, match=r"^new: cannot make the folder: "):
        scaffold.write(Path("new"), files)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir("/proc")
    result = run("mytool")
    assert result.exit_code == 2
    assert result.stderr == (
        "skelgen: error: mytool: cannot make the folder: No such file or directory\n"
    )


def test_the_folder_follows_the_umask(folder: Path) -> None:
    umask = os.umask(0o022)
    try:
        assert run("mytool").exit_code == 0
    finally:
        os.umask(umask)
    assert (folder / "mytool").stat().st_mode & 0o777 == 0o755


def test_an_unknown_kind_names_those_there_are() -> None:
    result = run("mytool", "--kind", "nonsense")
    assert result.exit_code == 2
    assert "'nonsense' is not one of 'trace', 'xdp'" in result.stderr
