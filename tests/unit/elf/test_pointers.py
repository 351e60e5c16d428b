"""Pointers in initial values are warned of by everything that reads an object."""

import struct
from pathlib import Path

import pytest
from click.testing import CliRunner

import skelgen
from skelgen.build.generate import read
from skelgen.cli import main
from skelgen.elf import object as lower
from skelgen.errors import ObjectError, ObjectWarning
from tests.harness import elf_builder as eb

SECTIONS = (".rodata", ".data", ".data.custom", ".rodata.cold")


def labelled(section: str, *, byteorder: str = "little", rela: bool = False) -> bytes:
    """Return an object with pointers of every kind in a section."""
    elf = eb.ElfBuilder(byteorder)
    elf.license()
    code = elf.code("socket", eb.Asm().exit())
    function = elf.function("prog", code, 0, 8)
    text = elf.section_symbol(elf.section(".rodata.str1.1", b"alpha\0beta\0"))
    bss = elf.section(".bss", type=eb.NOBITS, size=8)
    counter = elf.symbol("counter", bss, 0, 8, type=eb.OBJECT)
    data = elf.section(section, bytes(64), flags=eb.ALLOC)
    elf.symbol("ops", data, 32, 16, type=eb.OBJECT, bind=eb.LOCAL)
    elf.symbol("labels", data, 0, 16, type=eb.OBJECT, bind=eb.LOCAL)
    elf.symbol("where", data, 24, 8, type=eb.OBJECT)
    places = [(0, text), (8, text), (24, counter), (40, function), (56, text)]
    if rela:
        entries = [struct.pack("<QQq", at, to << 32 | 1, 0) for at, to in places]
        kind = {"type": eb.RELA, "info": data, "entry_size": 24}
        elf.section(".rela", b"".join(entries), **kind)
    else:
        elf.relocate(data, places)
    return elf.bytes()


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_every_variable_is_named(section: str, byteorder: str) -> None:
    data = labelled(section, byteorder=byteorder)
    warnings = read(data, "x.bpf.o", "x.bpf.o").warnings
    nowhere = "will point nowhere, for the kernel fills in no addresses; "
    texts = "keep the text itself in it, like char labels[][8], or choose the text by a"
    assert warnings == (
        (
            f"data without a name in '{section}': the pointer to text in its initial value"
            f" (+56) {nowhere}{texts} switch"
        ),
        (
            f"variable 'labels' in '{section}': 2 pointers to text in its initial value"
            f" (+0, +8) {nowhere}{texts} switch"
        ),
        (
            f"variable 'where' in '{section}': the pointer to variables in its initial value"
            f" (+0) {nowhere}take the address in the program"
        ),
        (
            f"variable 'ops' in '{section}': the pointer to functions in its initial value"
            f" (+8) {nowhere}choose the function by a switch"
        ),
    )


def test_relocations_with_addends_are_warned_of_too() -> None:
    assert len(read(labelled(".data", rela=True), "x.o", "x.o").warnings) == 4


def test_many_offsets_are_cut_short() -> None:
    elf = eb.ElfBuilder()
    elf.license()
    data = elf.section(".data", bytes(80))
    table = elf.symbol("table", data, 0, 80, type=eb.OBJECT)
    elf.relocate(data, [(8 * number, table) for number in range(10)])
    (warning,) = read(elf.bytes(), "x.o", "x.o").warnings
    assert "10 pointers to variables in its initial value (+0, +8, +16, +24, ...)" in (
        warning
    )


def test_many_variables_are_counted() -> None:
    elf = eb.ElfBuilder()
    elf.license()
    data = elf.section(".data", bytes(8 * 50))
    symbols = [elf.symbol(f"v{n}", data, 8 * n, 8, type=eb.OBJECT) for n in range(50)]
    elf.relocate(data, [(8 * n, symbol) for n, symbol in enumerate(symbols)])
    warnings = read(elf.bytes(), "x.o", "x.o").warnings
    assert len(warnings) == 21
    assert warnings[-1] == "30 more variables with pointers"


def test_names_play_no_tricks_on_a_terminal() -> None:
    elf = eb.ElfBuilder()
    elf.license()
    data = elf.section(".data", bytes(8))
    elf.relocate(data, [(0, elf.symbol("a\x1b[31m\n", data, 0, 8, type=eb.OBJECT))])
    (warning,) = read(elf.bytes(), "x.o", "x.o").warnings
    assert warning.isprintable()


def test_everything_that_reads_an_object_says_it(tmp_path: Path) -> None:
    path = tmp_path / "x.bpf.o"
    path.write_bytes(labelled(".data.custom"))
    for command in ([], ["inspect"]):
        said = CliRunner().invoke(main, [*command, str(path)])
        assert said.exit_code == 0
        assert said.stderr.count("warning: ") == 4
        assert f"{path}: warning: variable 'labels' in '.data.custom': " in said.stderr
    for call in (skelgen.generate, skelgen.read_object, skelgen.open_object):
        with pytest.warns(ObjectWarning) as caught:
            call(path)
        assert len(caught) == 4
        assert {warning.filename for warning in caught} == {__file__}


# -- the debug half of a split object --------------------------------------------


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("socket", eb.EXEC),
        (".text", eb.EXEC),
        ("license", 0),
        ("version", 0),
        (".maps", 0),
        (".rodata", 0),
        (".rodata.str1.1", 0),
        (".data", 0),
        (".data.custom", 0),
        (".struct_ops.link", 0),
        ("?.struct_ops", 0),
        (".addr_space.1", 0),
        (".jumptables", 0),
        (".BTF", 0),
        (".BTF.ext", 0),
    ],
)
def test_a_section_without_contents_is_refused(name: str, flags: int) -> None:
    elf = eb.ElfBuilder()
    elf.section(name, type=eb.NOBITS, size=16, flags=flags)
    with pytest.raises(ObjectError) as caught:
        lower.read(elf.bytes(), name="x", source="x.o")
    assert str(caught.value) == (
        f"x.o({name}): 16 bytes without contents (SHT_NOBITS): this is the half of a"
        " split object that has the debug information; give the half with the code"
    )


@pytest.mark.parametrize("name", [".bss", ".bss.cold", ".tbss", ".note"])
def test_zeros_need_no_contents(name: str) -> None:
    elf = eb.ElfBuilder()
    elf.license()
    elf.section(name, type=eb.NOBITS, size=16)
    assert lower.read(elf.bytes(), name="x", source="x.o").pointers == ()


def test_an_object_of_nothing_is_warned_of() -> None:
    elf = eb.ElfBuilder()
    assert read(elf.bytes(), "x.o", "x.o").warnings == (
        "no programs, maps, variables or licence in it",
    )
