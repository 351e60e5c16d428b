"""Programs, data sections and the rest of an object, and what relocations lead to."""

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.parse import Btf
from skelgen.btf.types import Datasec, Func, Var
from skelgen.elf import object_name, read_object
from skelgen.errors import ObjectError
from skelgen.model.attach import Tracepoint
from skelgen.model.enums import ProgType
from skelgen.model.spec import (
    DataKind,
    DataSpec,
    MapFd,
    MapValue,
    ObjectSpec,
    ProgramSpec,
    Span,
)
from tests.harness import elf_builder as eb

BOTH = pytest.mark.parametrize("byteorder", ["little", "big"])


def read(elf: eb.ElfBuilder) -> ObjectSpec:
    return read_object(elf.bytes(), name="x", source="x.o", path="dir/x.o")


@BOTH
def test_the_smallest_object_has_nothing_in_it(byteorder: str) -> None:
    assert read(eb.ElfBuilder(byteorder)) == ObjectSpec("x", "x.o", byteorder, "")


@BOTH
def test_a_program_has_its_type_target_and_code(byteorder: str) -> None:
    asm = eb.Asm(byteorder)
    elf = eb.ElfBuilder(byteorder)
    code = elf.code("?tp/sched/sched_switch", asm.mov(0, 0) + asm.exit())
    elf.function("on_switch", code, 0, 16)
    elf.license()
    spec = read(elf)
    assert spec.programs == (
        ProgramSpec(
            "on_switch",
            "?tp/sched/sched_switch",
            ProgType.TRACEPOINT,
            Tracepoint("sched", "sched_switch"),
            Span(0, 16),
            autoload=False,
        ),
    )
    assert spec.image == asm.mov(0, 0) + asm.exit()
    assert spec.license == "GPL"


def test_programs_are_ordered_by_section_and_offset() -> None:
    asm = eb.Asm()
    elf = eb.ElfBuilder()
    one = elf.code("xdp", asm.exit() * 3)
    two = elf.code("socket", asm.exit() * 2)
    elf.function("e", two, 8, 8)
    elf.function("c", one, 16, 8)
    elf.function("d", two, 0, 8, bind=eb.WEAK)
    elf.function("a", one, 0, 8)
    elf.function("b", one, 8, 8)
    assert [program.name for program in read(elf).programs] == list("abcde")


def test_aliases_share_their_relocations() -> None:
    asm = eb.Asm()
    elf = eb.ElfBuilder()
    bss = elf.section(".bss", type=eb.NOBITS, size=8)
    variable = elf.symbol("v", bss, 4, 4, type=eb.OBJECT)
    code = elf.code("xdp", asm.load64() + asm.exit())
    elf.function("one", code, 0, 24)
    elf.function("other", code, 0, 24)
    elf.relocate(code, [(0, variable)])
    one, other = read(elf).programs
    assert one.relocs == other.relocs == (MapValue(0, ".bss", 4),)
    assert one.insns == other.insns


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        (b"GPL\0", "GPL"),
        (b"Dual BSD/GPL\0junk", "Dual BSD/GPL"),
        (b"GPL", "GPL"),
        (b"", ""),
        (b"x" * 100, "x" * 63),
        (b"\xffGPL\0", "\\xffGPL"),
    ],
)
def test_the_licence_ends_at_a_nul_or_63_characters(text: bytes, licence: str) -> None:
    elf = eb.ElfBuilder()
    elf.license(text)
    assert read(elf).license == licence


@BOTH
def test_the_version_is_read(byteorder: str) -> None:
    elf = eb.ElfBuilder(byteorder)
    order = "little" if byteorder == "little" else "big"
    elf.section("version", (0x60C05).to_bytes(4, order))
    assert read(elf).kern_version == 0x60C05


def test_a_version_of_eight_bytes_is_refused() -> None:
    elf = eb.ElfBuilder()
    elf.section("version", bytes(8))
    with pytest.raises(ObjectError, match="kernel version of 8 bytes, not 4"):
        read(elf)


def test_legacy_maps_are_refused() -> None:
    elf = eb.ElfBuilder()
    elf.section("maps", bytes(20))
    with pytest.raises(ObjectError, match=r"declare maps in SEC\(\".maps\"\)"):
        read(elf)


@BOTH
def test_data_sections_are_read_and_other_sections_are_not(byteorder: str) -> None:
    elf = eb.ElfBuilder(byteorder)
    elf.section(".rodata.str1.1", b"hello\0")
    elf.section(".data", bytes(8))
    elf.section(".bss.mine", type=eb.NOBITS, size=100)
    elf.section(".data.read_mostly", b"\0\1")
    elf.section(".data.empty")
    elf.section(".database", b"no")
    elf.section(".eh_frame", bytes(8))
    elf.section(".llvm_addrsig", bytes(8), type=0x6FFF4C03)
    elf.section(".bss", bytes(4))  # no NOBITS: libbpf leaves it alone
    spec = read(elf)
    assert spec.data == (
        DataSpec(".rodata.str1.1", DataKind.RODATA, 6, Span(0, 6)),
        DataSpec(".data", DataKind.DATA, 8),
        DataSpec(".bss.mine", DataKind.BSS, 100),
        DataSpec(".data.read_mostly", DataKind.DATA, 2, Span(8, 2)),
    )
    assert bytes(spec.view(Span(0, 10))) == b"hello\0\0\0\0\1"
    assert [data.readonly for data in spec.data] == [True, False, False, False]


@pytest.mark.parametrize("size", [0x80000000, 1 << 60, (1 << 64) - 1])
def test_bss_that_no_map_can_hold_is_refused(size: int) -> None:
    elf = eb.ElfBuilder()
    elf.section(".bss", type=eb.NOBITS, size=size)
    with pytest.raises(ObjectError, match=f"{size} bytes of data; a map takes"):
        read(elf)


def test_bss_that_a_map_can_just_hold_is_read() -> None:
    elf = eb.ElfBuilder()
    elf.section(".bss", type=eb.NOBITS, size=0x7FFFFFFF)
    assert read(elf).data == (DataSpec(".bss", DataKind.BSS, 0x7FFFFFFF),)


@pytest.mark.parametrize("name", [".data", ".BTF", ".struct_ops", ".jumptables"])
def test_two_sections_of_one_name_are_refused(name: str) -> None:
    elf = eb.ElfBuilder()
    elf.section(name, b"\1")
    elf.section(name, b"\2")
    with pytest.raises(ObjectError, match="more than one section of this name"):
        read(elf)


def described(byteorder: str = "little", **changes: int) -> eb.ElfBuilder:
    """Variables in ``.data`` with BTF as clang writes it: no sizes, no offsets."""
    elf = eb.ElfBuilder(byteorder)
    btf = BtfBuilder(byteorder)
    data = elf.section(".data", bytes(range(32)))
    integer = btf.add_int("int", 4, signed=True)
    variables = []
    for name, offset, linkage, other in (
        ("last", 24, 1, 0),
        ("hidden", 16, 1, eb.HIDDEN),
        ("weak", 8, 1, 0),
        ("local", 4, 0, 0),
    ):
        var = btf.add_var(name, integer, linkage)
        place = changes.get(name, offset)
        # of a static variable, the compiler knows the offset
        variables.append((var, 0 if linkage else place, 4))
        bind = eb.WEAK if name == "weak" else eb.GLOBAL
        if linkage:
            elf.symbol(name, data, place, 4, bind=bind, type=eb.OBJECT, other=other)
    btf.add_datasec(".data", changes.get("size", 0), variables)
    elf.btf(btf)
    return elf


@BOTH
def test_btf_is_filled_in(byteorder: str) -> None:
    spec = read(described(byteorder))
    (data,) = spec.data
    assert data.mmapable
    assert spec.btf is not None
    btf = Btf(bytes(spec.view(spec.btf)))
    assert btf.byteorder == byteorder
    section = btf.type(data.type_id)
    assert isinstance(section, Datasec)
    assert section.size == 32
    found = [(btf.type(v.type_id), v.offset, v.size) for v in section.vars]
    assert [
        (var.name, var.linkage, offset, size)
        for var, offset, size in found
        if isinstance(var, Var)
    ] == [
        ("local", 0, 4, 4),
        ("weak", 1, 8, 4),
        ("hidden", 0, 16, 4),
        ("last", 1, 24, 4),
    ]


def test_what_the_static_linker_filled_in_stays() -> None:
    """With a size, the offsets in BTF count, not those of symbols."""
    spec = read(described(size=32))
    assert spec.btf is not None
    section = Btf(bytes(spec.view(spec.btf))).type(spec.data[0].type_id)
    assert isinstance(section, Datasec)
    assert [var.offset for var in section.vars] == [0, 0, 0, 4]


def test_a_section_of_only_static_variables_is_not_mapped() -> None:
    elf = eb.ElfBuilder()
    btf = BtfBuilder()
    elf.section(".bss", type=eb.NOBITS, size=8)
    var = btf.add_var("v", btf.add_int("int", 4), 0)
    btf.add_datasec(".bss", 0, [(var, 0, 4)])
    elf.btf(btf)
    (data,) = read(elf).data
    assert data.type_id == 3
    assert not data.mmapable


@pytest.mark.parametrize(
    ("elf", "message"),
    [
        (described(last=29), "variable 'last': crosses the end of the section"),
        (described(local=30), "variable 'local': crosses the end of the section"),
        (described(size=33), "BTF describes a section of 33 bytes, but the object has"),
    ],
)
def test_btf_that_does_not_fit_is_refused(elf: eb.ElfBuilder, message: str) -> None:
    with pytest.raises(ObjectError, match=message) as caught:
        read(elf)
    assert caught.value.section == ".data"


def test_a_variable_without_a_symbol_is_refused() -> None:
    elf = described()
    elf.symbols = [symbol for symbol in elf.symbols if symbol.name != "weak"]
    with pytest.raises(ObjectError, match="variable 'weak': in BTF, but not in the"):
        read(elf)


def test_a_section_in_btf_alone_is_refused() -> None:
    elf = eb.ElfBuilder()
    btf = BtfBuilder()
    btf.add_datasec(".data.gone", 0, [])
    elf.btf(btf)
    with pytest.raises(ObjectError, match="of some bytes, but the object has 0"):
        read(elf)


def test_hidden_subprograms_are_static_for_the_verifier() -> None:
    asm = eb.Asm()
    elf = eb.ElfBuilder()
    btf = BtfBuilder()
    text = elf.code(".text", asm.exit() * 2)
    elf.function("hidden", text, 0, 8, other=eb.HIDDEN)
    elf.function("shown", text, 8, 8)
    code = elf.code("xdp", asm.exit())
    elf.function("program", code, 0, 8, other=eb.HIDDEN)
    proto = btf.add_func_proto(btf.add_int("int", 4))
    for name in ("hidden", "shown", "program"):
        btf.add_func(name, proto)
    elf.btf(btf)
    spec = read(elf)
    assert spec.btf is not None
    fixed = Btf(bytes(spec.view(spec.btf)))
    functions = [fixed.type(number) for number in fixed.ids()]
    linkages = {f.name: f.linkage for f in functions if isinstance(f, Func)}
    assert linkages == {"hidden": 0, "shown": 1, "program": 1}


def test_btf_in_the_other_byte_order_is_refused() -> None:
    elf = eb.ElfBuilder()
    elf.btf(BtfBuilder("big"))
    with pytest.raises(ObjectError, match="BTF is big endian, the object is not"):
        read(elf)


def test_broken_btf_is_refused_with_its_place() -> None:
    elf = eb.ElfBuilder()
    elf.section(".BTF", b"\x9f\xeb\x01")
    with pytest.raises(ObjectError, match="3 bytes are too few for a header") as caught:
        read(elf)
    assert str(caught.value).startswith("dir/x.o(.BTF+0x0): ")


A = eb.Asm()
TARGETS = {
    "data": (A.load64(1, 4), MapValue(0, ".data", 4)),
    "variable": (A.load64(1, 4), MapValue(0, ".data", 12)),
    "below": (A.load64(1, -4), MapValue(0, ".data", 0xFFFFFFFC)),
    "map": (A.load64(1), MapFd(0, "m")),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_relocation_leads_to_what_its_symbol_stands_for(name: str) -> None:
    insn, reloc = TARGETS[name]
    elf = eb.ElfBuilder()
    maps = eb.MapBtf()
    maps.map("first", maps.struct({"type": maps.uint(1)}), 8)
    maps.map("m", maps.struct({"type": maps.uint(1)}), 8)
    symbols = maps.finish(elf)
    data = elf.section(".data", bytes(64))
    targets = {
        "data": elf.section_symbol(data),
        "below": elf.section_symbol(data),
        "variable": elf.symbol("v", data, 8, 4, type=eb.OBJECT),
        "map": symbols["m"],
    }
    code = elf.code("xdp", insn + A.exit())
    elf.function("p", code, 0, 24)
    elf.relocate(code, [(0, targets[name])])
    (program,) = read(elf).programs
    assert program.relocs == (reloc,)


def faulty(name: str) -> eb.ElfBuilder:
    """Return an object with one bad relocation."""
    elf = eb.ElfBuilder()
    maps = eb.MapBtf()
    maps.map("m", maps.struct({"type": maps.uint(1)}), 8)
    maps.finish(elf)
    notes = elf.section(".notes", bytes(8))
    data = elf.section(".data", bytes(8))
    body = {"mov": A.mov(1, 0) * 2, "cut": b"", "second_half": A.load64()}
    insns = body.get(name, A.load64()) + (A.load64()[:8] if name == "cut" else A.exit())
    code = elf.code("xdp", insns)
    symbols = {
        "common": elf.symbol("v", eb.COMMON, 4, 4, type=eb.OBJECT),
        "absolute": elf.symbol("v", 0xFFF1, 4),
        "beyond": elf.symbol("v", 99, 4),
        "notes": elf.symbol("v", notes, 4),
        "no_map": elf.symbol("v", 1, 4),
    }
    target = symbols.get(name) or elf.section_symbol(data)
    elf.function("p", code, 0, len(insns))
    offset = {"second_half": 8, "odd": 4, "outside": 800}.get(name, 0)
    entries = [(offset, target)] * (2 if name == "twice" else 1)
    elf.relocate(code, entries)
    return elf


RELOC_FAULTS = {
    "common": "refers to 'v' in common storage; initialize the global variable",
    "absolute": "refers to 'v' in no section (0xfff1)",
    "beyond": "refers to 'v' in no section (0x63)",
    "notes": "refers to 'v' in section '.notes', which is no section of maps or data",
    "no_map": "no map at .maps+0x4",
    "mov": "relocation of opcode 0xb7, which is neither a call nor a 64-bit load",
    "second_half": "relocation of opcode 0x00",
    "cut": "relocation of opcode 0x18",
    "twice": "more than one relocation",
    "odd": "relocation of byte 4 of 'xdp', where no instruction starts",
    "outside": "relocation of byte 800 of 'xdp'",
}


@pytest.mark.parametrize("name", RELOC_FAULTS)
def test_a_bad_relocation_is_refused_with_its_place(name: str) -> None:
    with pytest.raises(ObjectError) as caught:
        read(faulty(name))
    assert RELOC_FAULTS[name] in str(caught.value)
    assert caught.value.section in {"xdp", ".relxdp"}
    assert caught.value.path == "dir/x.o"


def test_relocations_of_dropped_functions_are_ignored() -> None:
    """The static linker leaves the code of an overridden weak function behind."""
    elf = eb.ElfBuilder()
    code = elf.code("xdp", A.mov(0, 1) + A.exit() + A.mov(0, 2) + A.exit())
    elf.function("p", code, 16, 16)
    outside = elf.symbol("v", 99, 4)
    elf.relocate(code, [(0, outside)])
    assert read(elf).programs[0].relocs == ()


def functions(*places: tuple[int, int]) -> eb.ElfBuilder:
    elf = eb.ElfBuilder()
    code = elf.code("xdp", A.exit() * 4)
    for number, (start, size) in enumerate(places):
        elf.function(f"f{number}", code, start, size)
    return elf


@pytest.mark.parametrize(
    ("elf", "message"),
    [
        (functions((0, 0)), "function 'f0': 0 bytes at 0 are no 8-byte instructions"),
        (functions((4, 8)), "function 'f0': 8 bytes at 4 are no"),
        (functions((0, 12)), "function 'f0': 12 bytes at 0 are no"),
        (functions((24, 16)), "function 'f0': bytes 24 to 40 cross the end"),
        (functions((1 << 63, 1 << 63)), "cross the end of the section"),
        (functions((0, 16), (8, 16)), "program 'f0': overlaps function 'f1'"),
        (functions((0, 16), (0, 8)), "program 'f1': overlaps function 'f0'"),
    ],
)
def test_a_bad_function_is_refused(elf: eb.ElfBuilder, message: str) -> None:
    with pytest.raises(ObjectError, match=message) as caught:
        read(elf)
    assert caught.value.section == "xdp"


def test_a_static_program_is_refused() -> None:
    elf = eb.ElfBuilder()
    code = elf.code("xdp", A.exit())
    elf.function("p", code, 0, 8, bind=eb.LOCAL)
    with pytest.raises(ObjectError, match="static functions are supported in"):
        read(elf)


def test_two_programs_of_one_name_are_refused() -> None:
    elf = eb.ElfBuilder()
    for section in ("xdp", "socket"):
        elf.function("p", elf.code(section, A.exit()), 0, 8)
    with pytest.raises(ObjectError, match="another program has the same name"):
        read(elf)


def test_a_malformed_section_name_is_to_be_attached_by_hand() -> None:
    elf = eb.ElfBuilder()
    elf.function("p", elf.code("tp/sched", A.exit()), 0, 8)
    (program,) = read(elf).programs
    assert program.attach == Tracepoint()  # to be attached by hand


def test_an_error_prints_on_a_terminal() -> None:
    elf = eb.ElfBuilder()
    elf.function("\x1b[2J", elf.code("xdp", A.exit()), 0, 8, bind=eb.LOCAL)
    with pytest.raises(ObjectError) as caught:
        read(elf)
    assert "program '\\x1b[2J'" in str(caught.value)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("x.bpf.o", "x"),
        ("dir.d/my-obj.v2.bpf.o", "my_obj_v2"),
        ("minimal.o", "minimal"),
        ("minimal", "minimal"),
        ("9x.bpf.o", "_9x"),
        ("é.o", "_"),
        (".o", "_"),
        ("", "_"),
        ("a" * 80 + ".o", "a" * 63),
    ],
)
def test_the_name_of_an_object_comes_from_its_file(path: str, name: str) -> None:
    assert object_name(path) == name
