"""struct_ops variables and arenas."""

from dataclasses import dataclass

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.elf import read_object
from skelgen.errors import ObjectError
from skelgen.model.spec import DataKind, MapValue, ObjectSpec, StructOpsSpec
from tests.harness import elf_builder as eb

BOTH = pytest.mark.parametrize("byteorder", ["little", "big"])
SECTIONS = (".struct_ops", ".struct_ops.link", "?.struct_ops", "?.struct_ops.link")


def read(elf: eb.ElfBuilder) -> ObjectSpec:
    return read_object(elf.bytes(), name="x", source="x.o", path="x.o")


@dataclass
class Ops:
    """Two variables ``first`` and ``second`` of a struct of three members."""

    section: str = ".struct_ops"
    byteorder: str = "little"
    relocs: tuple[tuple[int, str], ...] = ()
    program_section: str = "struct_ops/f"
    type_name: str = "tcp_congestion_ops___mine"
    names: tuple[str, str] = ("first", "second")
    second: int = 24
    size: int = 24

    def spec(self) -> ObjectSpec:
        elf = eb.ElfBuilder(self.byteorder)
        asm = eb.Asm(self.byteorder)
        btf = BtfBuilder(self.byteorder)
        integer = btf.add_int("int", 4)
        function = btf.add_ptr(btf.add_func_proto(integer))
        struct = btf.add_struct(
            self.type_name,
            self.size,
            [
                ("f", btf.add_typedef("fn_t", function), 0),
                ("g", btf.add_const(function), 64),
                ("n", integer, 128),
            ],
        )
        data = elf.section(self.section, bytes(range(48)))
        places = []
        for name, offset in zip(self.names, (0, self.second), strict=True):
            elf.symbol(name, data, offset, self.size, type=eb.OBJECT)
            places.append((btf.add_var(name, struct), offset, self.size))
        btf.add_datasec(self.section, 48, places)
        elf.btf(btf)
        code = elf.code(self.program_section, asm.exit() * 2)
        text = elf.code(".text", asm.exit())
        symbols = {
            "on_f": elf.function("on_f", code, 0, 8),
            "on_g": elf.function("on_g", code, 8, 8),
            "sub": elf.function("sub", text, 0, 8),
            "data": elf.section_symbol(data),
            "odd": elf.symbol("odd", code, 4),
        }
        elf.relocate(data, [(offset, symbols[name]) for offset, name in self.relocs])
        return read(elf)


@BOTH
@pytest.mark.parametrize("section", SECTIONS)
def test_variables_have_their_functions_and_contents(
    section: str, byteorder: str
) -> None:
    relocs = ((8, "on_g"), (0, "on_f"), (24, "on_g"))
    spec = Ops(section, byteorder, relocs).spec()
    first, second = spec.struct_ops
    assert first == StructOpsSpec(
        "first",
        section,
        6,
        "tcp_congestion_ops___mine",
        first.image,
        (("f", "on_f"), ("g", "on_g")),
        link=section.endswith(".link"),
        autocreate=not section.startswith("?"),
    )
    assert second.functions == (("f", "on_g"),)
    assert bytes(spec.view(first.image)) == bytes(range(24))
    assert bytes(spec.view(second.image)) == bytes(range(24, 48))


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        (Ops(relocs=((16, "on_f"),)), "member 'n' is no function pointer"),
        (Ops(relocs=((4, "on_f"),)), "struct_ops 'first': no member at byte 4"),
        (Ops(relocs=((48, "on_f"),)), "no struct_ops variable at byte 48"),
        (Ops(relocs=((0, "sub"),)), "member 'f' is set to what is no program"),
        (Ops(relocs=((0, "data"),)), "member 'f' is set to what is no program"),
        (Ops(relocs=((0, "odd"),)), "member 'f' is set to what is no program"),
        (
            Ops(relocs=((0, "on_f"),), program_section="xdp"),
            "'on_f', which is not in SEC(\"struct_ops\")",
        ),
        (Ops(type_name=""), "struct_ops 'first': its type is no struct with a name"),
        (Ops(names=("same", "same")), "struct_ops 'same': declared twice"),
        (Ops(names=("", "x")), "a struct_ops variable without a name"),
        (Ops(second=16), "struct_ops 'second': overlaps another variable"),
    ],
)
def test_a_faulty_variable_is_refused(ops: Ops, message: str) -> None:
    with pytest.raises(ObjectError) as caught:
        ops.spec()
    assert message in str(caught.value)
    assert caught.value.section is not None


def test_a_variable_beyond_the_section_is_refused() -> None:
    with pytest.raises(ObjectError, match="crosses the end of the section"):
        Ops(size=32).spec()


def test_struct_ops_without_btf_are_refused() -> None:
    elf = eb.ElfBuilder()
    elf.section(".struct_ops", bytes(8))
    with pytest.raises(ObjectError, match="struct_ops need BTF; compile with -g"):
        read(elf)


def test_btf_without_the_section_is_refused() -> None:
    elf = eb.ElfBuilder()
    elf.section(".struct_ops", bytes(8))
    elf.btf(BtfBuilder())
    with pytest.raises(ObjectError, match="BTF does not describe this section"):
        read(elf)


def arena(*, maps: int = 1, data: bool = True) -> eb.ElfBuilder:
    """Return an object with arenas and a program that uses a variable in one."""
    elf = eb.ElfBuilder()
    asm = eb.Asm()
    declared = eb.MapBtf()
    for number in range(maps):
        struct = declared.struct(
            {"type": declared.uint(33), "max_entries": declared.uint(10)}
        )
        declared.map(f"arena{number}", struct, 16)
    if maps:
        declared.finish(elf)
    if data:
        section = elf.section(".addr_space.1", b"\1" * 16)
        symbol = elf.symbol("v", section, 8, 8, type=eb.OBJECT)
        code = elf.code("syscall", asm.load64() + asm.exit())
        elf.function("p", code, 0, 24)
        elf.relocate(code, [(0, symbol)])
    return elf


def test_an_arena_is_a_data_section() -> None:
    spec = read(arena())
    (data,) = spec.data
    assert (data.section, data.kind, data.size) == (
        ".addr_space.1",
        DataKind.ARENA,
        16,
    )
    assert spec.programs[0].relocs == (MapValue(0, ".addr_space.1", 8),)


@pytest.mark.parametrize(
    ("elf", "message"),
    [
        (arena(maps=0), "variables in an arena, but no BPF_MAP_TYPE_ARENA in .maps"),
        (arena(maps=2), "map 'arena1': 'arena0' is an arena too; one is supported"),
        (arena(maps=2, data=False), "'arena0' is an arena too"),
    ],
)
def test_a_faulty_arena_is_refused(elf: eb.ElfBuilder, message: str) -> None:
    with pytest.raises(ObjectError, match=message):
        read(elf)
