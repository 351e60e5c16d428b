"""The fixtures themselves: described, and compiled by the pip clang without warnings."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import sources

OBJECTS = sorted((sources.DATA / "objects").glob("*.o"))


def test_readme_lists_every_file() -> None:
    readme = (sources.DATA / "README.md").read_text("utf-8")
    good, rest = readme.split("## bad/")
    bad, rejected = rest.split("## rejected/")
    for part, found in (
        (good, sources.sources()),
        (bad, sources.bad_sources()),
        (rejected, sources.rejected_sources()),
    ):
        listed = [line for line in part.splitlines() if line.startswith("* ")]
        assert listed == [f"* `{x.name}`: {x.summary}" for x in found.values()]


def test_the_page_on_testing_names_fixtures_that_there_are() -> None:
    page = (sources.ROOT / "docs" / "testing.md").read_text("utf-8")
    table = page.split("## Which fixture")[1]
    rows = [line.split("|")[2] for line in table.splitlines() if line.startswith("| ")]
    named = {name for row in rows[1:] for name in re.findall(r"`(\w+)`", row)}
    assert named
    assert named <= sources.sources().keys()


def test_every_fixture_compiles(
    compile_bpf: Callable[..., Path], bpf_source: sources.Source
) -> None:
    head = compile_bpf(bpf_source.name).read_bytes()[:20]
    assert head[:6] == b"\x7fELF\x02\x01"
    assert struct.unpack_from("<HH", head, 16) == (1, 247)  # ET_REL, EM_BPF


def test_every_bad_fixture_compiles(
    compile_bpf: Callable[..., Path], bad_source: sources.Source
) -> None:
    assert bad_source.error
    assert compile_bpf(f"bad/{bad_source.name}").stat().st_size > 0


@pytest.mark.parametrize("name", sources.rejected_sources())
def test_every_rejected_fixture_compiles(
    compile_bpf: Callable[..., Path], name: str
) -> None:
    assert compile_bpf(f"rejected/{name}").stat().st_size > 0


def test_big_endian_objects_are_compiled(compile_bpf: Callable[..., Path]) -> None:
    head = compile_bpf("ringbuf", byteorder="big").read_bytes()[:20]
    assert head[:6] == b"\x7fELF\x02\x02"
    assert struct.unpack_from(">HH", head, 16) == (1, 247)


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_committed_objects_say_nothing_of_the_machine(path: Path) -> None:
    data = path.read_bytes()
    assert data[5] == (2 if ".big." in path.name else 1)
    assert b"/work" not in data
    assert b"/home" not in data
    assert b"/root" not in data
