"""Which Python the tests run on: programs stand in for interpreters."""

from pathlib import Path

import pytest

from tests.pythons import interpreters, run


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with nothing on PATH and nothing of pyenv's."""
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", "ascii")
    path.chmod(0o755)
    return path


def test_the_machines_own_comes_first(places: Path) -> None:
    found = program(places / "path/python3.12", "echo 3.12")
    program(places / "pyenv/versions/3.12.1/bin/python3.12", "echo 3.12")
    assert interpreters.interpreter("3.12") == found


def test_a_shim_that_refuses_is_passed_over(places: Path) -> None:
    program(places / "path/python3.12", "exit 127")
    found = program(places / "pyenv/versions/3.12.1/bin/python3.12", "echo 3.12")
    assert interpreters.interpreter("3.12") == found


def test_a_python_of_another_version_is_none(places: Path) -> None:
    program(places / "path/python3.12", "echo 3.11")
    assert interpreters.interpreter("3.12") is None


def test_one_that_is_nowhere_fails_where_it_was_named(
    places: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "VERSIONS", ("3.12",))
    assert run.main([]) == 0
    assert run.main(["3.12"]) == 1
    missing = "== Python 3.12: not there: pyenv install it, or have it on PATH\n"
    assert capsys.readouterr().out == missing * 2


def test_a_version_that_is_not_supported_is_named() -> None:
    with pytest.raises(SystemExit, match=r"skelgen supports no Python 3\.9: 3\.11, "):
        run.main(["3.9"])
