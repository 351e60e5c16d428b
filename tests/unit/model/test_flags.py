"""Flags: equal to those of the kernel's headers, and written down once."""

import importlib.util
import re
from pathlib import Path

from skelgen.model import flags
from tests.harness.sources import ROOT

OURS = {
    name: value
    for name, value in vars(flags).items()
    if name.isupper() and isinstance(value, int)
}
OURS.pop("TYPE_CHECKING")

_ENUM = re.compile(r"^\t(\w+)\s*= ([^,/\n]+)", re.MULTILINE)
_DEFINE = re.compile(r"^#define (\w+)[ \t]+(\(.*?\))", re.MULTILINE)
_NUMBER = re.compile(r"\(?(?:(1)U? << )?(\d+)\)?")


def header(name: str) -> str:
    """Return a header of Linux as ziglang ships it, which is newer than Debian's."""
    found = importlib.util.find_spec("ziglang")
    assert found is not None
    assert found.origin is not None
    include = "lib/libc/include/any-linux-any/linux"
    return (Path(found.origin).parent / include / name).read_text("utf-8")


def constants(text: str) -> dict[str, int]:
    """Return the numbers that a header names, where they are plain ones."""
    found: dict[str, int] = {}
    for name, value in [*_ENUM.findall(text), *_DEFINE.findall(text)]:
        number = _NUMBER.fullmatch(value.strip())
        if number is not None:
            found[name] = int(number[2]) if number[1] is None else 1 << int(number[2])
    return found


def test_each_is_as_in_the_headers_of_linux() -> None:
    theirs = constants(header("bpf.h")) | constants(header("if_link.h"))
    assert OURS.items() <= theirs.items()


def test_none_of_a_command_is_missing() -> None:
    commands, _, helpers = header("bpf.h").partition("enum bpf_stats_type")
    assert "The description below" in helpers
    wanted = {name for name in constants(commands) if name.startswith("BPF_F_")}
    assert wanted
    assert wanted <= OURS.keys()


def test_no_other_module_defines_one() -> None:
    pattern = re.compile(
        rf"^\s*_?(?:{'|'.join(OURS)})\b.*(?<![=!<>])=(?!=)", re.MULTILINE
    )
    for path in (ROOT / "skelgen").rglob("*.py"):
        if path.name != "flags.py":
            assert not pattern.search(path.read_text("utf-8")), path
