"""Variables in sections that nobody loads are warned of, whatever they are called."""

import pytest

from skelgen.build.generate import read
from tests.harness import elf_builder as eb


def with_variables(section: str, *names: str, **how: int) -> tuple[str, ...]:
    """Return the warnings of an object with variables in a section."""
    elf = eb.ElfBuilder()
    elf.license()
    code = elf.code("socket", eb.Asm().exit())
    elf.function("prog", code, 0, 8)
    how = {"flags": eb.ALLOC, **how}
    number = elf.section(section, b"" if "type" in how else bytes(64), **how)
    for at, name in enumerate(names):
        elf.symbol(name, number, 8 * at, 8, type=eb.OBJECT, bind=eb.LOCAL)
    return read(elf.bytes(), "x.bpf.o", "x.bpf.o").warnings


@pytest.mark.parametrize(
    ("section", "near"),
    [
        ("licence", "license"),
        (".map", ".maps"),
        ("rodata", ".rodata"),
        ("data", ".data"),
        (".struct_op", ".struct_ops"),
    ],
)
def test_a_misspelt_section_is_warned_of_with_a_near_name(
    section: str, near: str
) -> None:
    (warning,) = with_variables(section, "it")
    assert warning.startswith(
        f"section '{section}': nothing loads the variable 'it', for no section of that"
        f" name is read; did you mean '{near}'"
    )


def test_a_section_of_any_name_is_warned_of_with_its_variables() -> None:
    (warning,) = with_variables("foo", "a", "b", "c", "d", "e", "f")
    assert warning == (
        "section 'foo': nothing loads the variables 'a', 'b', 'c', 'd' and 2 more, for no"
        " section of that name is read; variables are kept in .data, .rodata, .bss and"
        " .data.NAME and so on"
    )


def test_zeros_of_another_name_are_warned_of() -> None:
    (warning,) = with_variables("sbss", "a", type=eb.NOBITS, size=8)
    assert "'sbss'" in warning


def test_what_is_no_variable_of_the_program_is_not_warned_of() -> None:
    assert not with_variables(".eh_frame")
    assert not with_variables(".comment", "a", flags=0)
    assert not with_variables(".data.foo", "a")
