"""docs/man/skelgen.1 says what the commands say now."""

import shutil
import subprocess

import click
import pytest

from skelgen.cli import main
from skelgen.cli.group import walk
from tools import gen_man


def test_the_page_is_up_to_date() -> None:
    assert (
        gen_man.PAGE.read_text("ascii") == gen_man.page()
    ), "the commands have changed: run python tools/gen_man.py"


@pytest.mark.parametrize(
    "command",
    [
        ["groff", "-man", "-Tutf8", "-ww", "-z"],
        ["mandoc", "-T", "lint", "-W", "warning"],
    ],
    ids=lambda command: command[0],
)
def test_linters_have_no_complaint_about_the_page(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(
        [*command, gen_man.PAGE], capture_output=True, text=True, check=False
    )
    lines = (done.stdout + done.stderr).splitlines()
    # the page has no date: the same commands give the same page
    assert [line for line in lines if "missing date" not in line] == []


def test_the_page_shows_every_command_and_option() -> None:
    """As a reader sees it, not as roff has it."""
    if shutil.which("groff") is None:
        pytest.skip("groff is not installed")
    text = subprocess.run(
        ["groff", "-man", "-Tascii", "-P-c", "-rLL=1000n", gen_man.PAGE],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    shown = subprocess.run(
        ["col", "-b"], input=text, capture_output=True, text=True, check=True
    ).stdout
    for words, command in walk(main):
        if isinstance(command, click.Group):
            continue
        assert f"skelgen {words} [OPTIONS]" in shown
        for param in command.params:
            if isinstance(param, click.Option):
                for name in param.opts:
                    assert name in shown, f"{words} {name}"


def test_roff_is_escaped() -> None:
    assert gen_man.escape(r"a\b --x 'y'") == r"a\eb \-\-x \(aqy\(aq"
    assert gen_man.escape(".dot") == r"\&.dot"
    assert gen_man.escape("'quote") == r"\(aqquote"


def test_the_check_fails_until_the_page_is_made(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(gen_man, "PAGE", tmp_path / "man" / "skelgen.1")
    monkeypatch.setattr(gen_man.sys, "argv", ["gen_man.py", "--check"])
    assert gen_man.main() == 1
    assert "run python tools/gen_man.py" in capsys.readouterr().err
    monkeypatch.setattr(gen_man.sys, "argv", ["gen_man.py"])
    assert gen_man.main() == 0
    monkeypatch.setattr(gen_man.sys, "argv", ["gen_man.py", "--check"])
    assert gen_man.main() == 0
