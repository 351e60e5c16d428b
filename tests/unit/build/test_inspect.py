"""How many instructions ``skelgen inspect`` says that a program has."""

import pytest

from skelgen import elf
from skelgen.build import inspect
from skelgen.build.inspect import as_table, as_text
from skelgen.model.linked import Linker
from skelgen.model.spec import ObjectSpec
from tests.harness import elf_builder as eb

ASM = eb.Asm()


def staircase(count: int) -> ObjectSpec:
    """Return programs that enter one chain of subprograms, each a step further down."""
    made = eb.ElfBuilder()
    code = ASM.call() + ASM.mov(0, 0) + ASM.exit()
    text = made.code(".text", code * count)
    section = made.code("socket", code * count)
    functions: list[int] = []
    for number in range(count):
        functions.append(made.function(f"s{number}", text, 24 * number, 24))
        made.function(f"run{number}", section, 24 * number, 24)
    following = [*functions[1:], functions[-1]]
    made.relocate(text, [(24 * n, to) for n, to in enumerate(following)])
    made.relocate(section, [(24 * n, to) for n, to in enumerate(functions)])
    made.license()
    return elf.read_object(made.bytes(), name="x", source="x.o")


def sizes(spec: ObjectSpec) -> list[inspect.Json]:
    programs = as_table(spec)["programs"]
    assert isinstance(programs, list)
    return [row["instructions"] for row in programs if isinstance(row, dict)]


def test_all_that_a_program_reaches_counts_once() -> None:
    spec = staircase(20)
    linker = Linker(spec)
    assert sizes(spec) == [len(linker.link(program)) for program in spec.programs]
    assert sizes(spec) == [3 + 3 * (20 - number) for number in range(20)]


def test_where_counting_takes_too_long_it_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inspect, "_MAX_STEPS", 30)
    spec = staircase(20)
    assert sizes(spec)[:3] == [63, 60, None]
    assert "3 instructions and its subprograms'" in as_text(spec)
