"""Maps of ``.maps``: every attribute, and every way to get one wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen import elf
from skelgen.build import generate
from skelgen.elf import read_object
from skelgen.errors import ObjectError
from skelgen.model.enums import MapType
from skelgen.model.spec import MapSpec, ObjectSpec, Pinning
from tests.harness import elf_builder as eb

BOTH = pytest.mark.parametrize("byteorder", ["little", "big"])


def read(elf: eb.ElfBuilder) -> ObjectSpec:
    return read_object(elf.bytes(), name="x", source="x.o", path="dir/x.o")


def one_map(
    members: Callable[[eb.MapBtf], dict[str, int]], byteorder: str = "little"
) -> MapSpec:
    """Read an object with the map ``m``."""
    elf = eb.ElfBuilder(byteorder)
    maps = eb.MapBtf(byteorder)
    struct = members(maps)
    maps.map("m", maps.struct(struct), 8 * len(struct))
    maps.finish(elf)
    (spec,) = read(elf).maps
    return spec


@BOTH
def test_all_numbers_of_a_map_are_read(byteorder: str) -> None:
    spec = one_map(
        lambda m: {
            "type": m.uint(1),
            "max_entries": m.uint(0xFFFFFFFF),
            "map_flags": m.uint(5),
            "numa_node": m.uint(0),
            "key_size": m.uint(4),
            "value_size": m.uint(12),
            "pinning": m.uint(1),
            "map_extra": m.uint(3),
        },
        byteorder,
    )
    assert spec == MapSpec(
        "m", MapType.HASH, 4, 12, 0xFFFFFFFF, 5, 0, 3, Pinning.BY_NAME
    )


@BOTH
def test_types_of_key_and_value_give_their_sizes(byteorder: str) -> None:
    ids: dict[str, int] = {}

    def members(m: eb.MapBtf) -> dict[str, int]:
        ids["value"] = m.btf.add_array(m.long, m.int, 3)
        return {
            "key": m.ptr(m.int),
            "value": m.ptr(ids["value"]),
            "key_size": m.uint(4),
            "type": m.uint(2),
        }

    spec = one_map(members, byteorder)
    assert (spec.key_size, spec.value_size) == (4, 24)
    assert (spec.key_type_id, spec.value_type_id) == (1, ids["value"])
    assert spec.numa_node is None
    assert spec.type is MapType.ARRAY


def test_void_value_is_an_error() -> None:
    with pytest.raises(ObjectError, match="map 'm': btf: type 0 has no size"):
        one_map(lambda m: {"type": m.uint(1), "value": m.ptr(0)})


@pytest.mark.parametrize("value", [1 << 33, -1])
def test_ulong_values_have_64_bits(value: int) -> None:
    spec = one_map(
        lambda m: {
            "type": m.uint(33),
            "map_extra": m.btf.add_enum64("", [("__unique", value)]),
        }
    )
    assert spec.map_extra == value & 0xFFFFFFFFFFFFFFFF


def test_ulong_values_may_have_32_bits() -> None:
    spec = one_map(
        lambda m: {"type": m.uint(33), "map_extra": m.btf.add_enum("", [("e", 7)])}
    )
    assert spec.map_extra == 7


def test_a_type_from_the_future_stays_a_number() -> None:
    assert one_map(lambda m: {"type": m.uint(4711)}).type == 4711


@BOTH
def test_maps_are_in_the_order_of_their_section(byteorder: str) -> None:
    elf = eb.ElfBuilder(byteorder)
    maps = eb.MapBtf(byteorder)
    for name in ("zeta", "alpha", "mid"):
        maps.map(name, maps.struct({"type": maps.uint(2)}), 8)
    maps.finish(elf)
    assert [spec.name for spec in read(elf).maps] == ["zeta", "alpha", "mid"]


@BOTH
def test_a_map_of_maps_has_its_inner_map_and_values(byteorder: str) -> None:
    elf = eb.ElfBuilder(byteorder)
    maps = eb.MapBtf(byteorder)
    inner = maps.struct({"type": maps.uint(2), "max_entries": maps.uint(4)})
    outer = maps.struct({"type": maps.uint(12), "values": maps.array(inner)})
    maps.map("first", inner, 16)
    maps.map("second", inner, 16)
    maps.map("outer", outer, 8 + 8 * 5)
    symbols = maps.finish(elf)
    start = 32 + 8
    elf.relocate(
        1,
        [
            (start + 8 * 4, symbols["first"]),
            (start + 8, symbols["second"]),
            (start + 8 * 2, symbols["first"]),
        ],
    )
    spec = read(elf).maps[2]
    assert spec.values == ((1, "second"), (2, "first"), (4, "first"))
    assert spec.value_size == 4
    assert spec.inner == MapSpec("outer.inner", MapType.ARRAY, 0, 0, 4)
    assert read(elf).maps[0].values == ()


def prog_array(target: str) -> eb.ElfBuilder:
    elf = eb.ElfBuilder()
    maps = eb.MapBtf()
    proto = maps.btf.add_func_proto(maps.int)
    maps.map(
        "jumps", maps.struct({"type": maps.uint(3), "values": maps.array(proto)}), 24
    )
    symbols = maps.finish(elf)
    asm = eb.Asm()
    code = elf.code("xdp", (asm.mov(0, 0) + asm.exit()) * 2)
    text = elf.code(".text", asm.exit())
    symbols["tail"] = elf.function("tail", code, 16, 16)
    symbols["main"] = elf.function("main", code, 0, 16)
    symbols["sub"] = elf.function("sub", text, 0, 8)
    elf.relocate(1, [(16, symbols[target])])
    return elf


def test_a_program_array_has_its_programs() -> None:
    spec = read(prog_array("tail"))
    assert spec.maps[0].values == ((1, "tail"),)
    assert [program.name for program in spec.programs] == ["main", "tail"]


@pytest.mark.parametrize("target", ["sub", "jumps"])
def test_a_program_array_of_what_is_no_program_is_refused(target: str) -> None:
    message = f"map 'jumps': '{target}' is no program"
    with pytest.raises(ObjectError, match=message) as caught:
        read(prog_array(target))
    assert str(caught.value).startswith("dir/x.o(.rel.maps+0x0): ")


FAULTS: dict[str, tuple[Callable[[eb.MapBtf], dict[str, int]], str]] = {
    "no_type": (lambda m: {"max_entries": m.uint(1)}, "has no type"),
    "type_zero": (lambda m: {"type": m.uint(0)}, "has no type"),
    "unknown": (lambda m: {"type": m.uint(1), "tpye": m.uint(1)}, "attribute 'tpye'"),
    "uint_of_int": (lambda m: {"type": m.int}, "'type' is no __uint"),
    "uint_of_pointer": (lambda m: {"type": m.ptr(m.int)}, "'type' is no __uint"),
    "key_of_int": (lambda m: {"type": m.uint(1), "key": m.int}, "'key' is no __type"),
    "conflict": (
        lambda m: {"type": m.uint(1), "key_size": m.uint(8), "key": m.ptr(m.int)},
        "conflicting key_size: 8 and 4",
    ),
    "pinning": (
        lambda m: {"type": m.uint(1), "pinning": m.uint(2)},
        "pinning 2 is neither NONE nor BY_NAME",
    ),
    "ulong_of_two": (
        lambda m: {
            "type": m.uint(1),
            "map_extra": m.btf.add_enum("", [("a", 1), ("b", 2)]),
        },
        "'map_extra' is no __ulong",
    ),
    "values_first": (
        lambda m: {"values": m.array(m.int), "type": m.uint(12)},
        "'values' has to be the last member",
    ),
    "values_of_hash": (
        lambda m: {"type": m.uint(1), "values": m.array(m.int)},
        "'values' are for maps of maps and program arrays",
    ),
    "values_no_array": (
        lambda m: {"type": m.uint(12), "values": m.uint(3)},
        "'values' is no __array",
    ),
    "values_of_int": (
        lambda m: {"type": m.uint(12), "values": m.array(m.int)},
        "'values' of a map of maps are maps",
    ),
    "values_no_functions": (
        lambda m: {"type": m.uint(3), "values": m.array(m.int)},
        "'values' of a program array are functions",
    ),
    "value_size": (
        lambda m: {
            "type": m.uint(12),
            "value_size": m.uint(8),
            "values": m.array(m.struct({"type": m.uint(1)})),
        },
        "conflicting value_size: 8 and 4",
    ),
    "inner_pinned": (
        lambda m: {
            "type": m.uint(12),
            "values": m.array(m.struct({"type": m.uint(1), "pinning": m.uint(1)})),
        },
        "map 'm.inner': an inner map cannot be pinned",
    ),
    "three_levels": (
        lambda m: {
            "type": m.uint(12),
            "values": m.array(
                m.struct(
                    {
                        "type": m.uint(12),
                        "values": m.array(m.struct({"type": m.uint(1)})),
                    }
                )
            ),
        },
        "map 'm.inner': maps in maps in maps",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_definition_is_refused_with_its_place(name: str) -> None:
    members, message = FAULTS[name]
    with pytest.raises(ObjectError) as caught:
        one_map(members)
    assert message in str(caught.value)
    assert (caught.value.section, caught.value.offset) == (".maps", 0)
    assert caught.value.path == "dir/x.o"


def test_twice_the_same_attribute_is_refused() -> None:
    elf = eb.ElfBuilder()
    maps = eb.MapBtf()
    struct = maps.btf.add_struct(
        "", 16, [("type", maps.uint(1), 0), ("type", maps.uint(2), 64)]
    )
    maps.map("m", struct, 16)
    maps.finish(elf)
    with pytest.raises(ObjectError, match="'type' is given twice"):
        read(elf)


@pytest.mark.parametrize(("linkage", "word"), [(0, "static"), (2, "extern")])
def test_a_static_or_extern_map_is_refused(linkage: int, word: str) -> None:
    elf = eb.ElfBuilder()
    maps = eb.MapBtf()
    maps.map("m", maps.struct({"type": maps.uint(1)}), 8, linkage=linkage)
    maps.finish(elf)
    with pytest.raises(ObjectError, match=f"map 'm': is {word}"):
        read(elf)


def test_a_map_that_is_no_struct_is_refused() -> None:
    elf = eb.ElfBuilder()
    maps = eb.MapBtf()
    maps.map("m", maps.int, 4)
    maps.finish(elf)
    with pytest.raises(ObjectError, match="map 'm': is no struct"):
        read(elf)


def test_a_struct_larger_than_its_variable_is_refused() -> None:
    elf = eb.ElfBuilder()
    maps = eb.MapBtf()
    maps.map("m", maps.struct({"type": maps.uint(1), "key": maps.ptr(1)}), 8)
    maps.finish(elf)
    with pytest.raises(ObjectError, match="its struct of 16 bytes crosses the end"):
        read(elf)


def test_two_maps_of_one_name_are_refused() -> None:
    elf = eb.ElfBuilder()
    maps = eb.MapBtf()
    struct = maps.struct({"type": maps.uint(1)})
    maps.map("m", struct, 8)
    maps.map("m", struct, 8)
    maps.finish(elf)
    with pytest.raises(ObjectError, match="map 'm': declared twice"):
        read(elf)


def test_maps_without_btf_are_refused() -> None:
    elf = eb.ElfBuilder()
    elf.section(".maps", bytes(8))
    with pytest.raises(ObjectError, match="maps need BTF; compile with -g"):
        read(elf)


def test_btf_without_the_section_is_refused() -> None:
    elf = eb.ElfBuilder()
    elf.section(".maps", bytes(8))
    elf.btf(eb.MapBtf().btf)
    with pytest.raises(ObjectError, match="BTF does not describe this section"):
        read(elf)


def test_two_sections_of_maps_are_refused() -> None:
    elf = eb.ElfBuilder()
    elf.section(".maps", bytes(8))
    elf.section(".maps", bytes(8))
    with pytest.raises(ObjectError, match="more than one section of this name"):
        read(elf)


def test_a_typedef_without_end_is_refused() -> None:
    elf = eb.ElfBuilder()
    maps = eb.MapBtf()
    maps.map("m", maps.btf.add_typedef("t", maps.btf.next_id), 8)
    maps.finish(elf)
    with pytest.raises(ObjectError, match="is a typedef or modifier of itself"):
        read(elf)


def filled(kind: int, offset: int, key_size: int = 4) -> eb.ElfBuilder:
    """Return an object where byte `offset` of a map of maps leads to a map."""
    elf = eb.ElfBuilder()
    maps = eb.MapBtf()
    inner = maps.struct({"type": maps.uint(2)})
    members = {"type": maps.uint(kind), "key_size": maps.uint(key_size)}
    maps.map("inner", inner, 8)
    maps.map("outer", maps.struct({**members, "values": maps.array(inner)}), 32)
    symbols = maps.finish(elf)
    elf.relocate(1, [(offset, symbols["inner"])])
    return elf


@pytest.mark.parametrize(
    ("kind", "offset", "key_size", "message"),
    [
        (12, 8, 4, "map 'outer': an initializer outside of 'values'"),
        (12, 28, 4, "map 'outer': an initializer outside of 'values'"),
        (12, 36, 4, "no map at .maps+0x24"),
        (12, 4096, 4, "no map at .maps+0x1000"),
        (12, 0, 4, "map 'inner': an initializer outside of 'values'"),
        (13, 24, 8, "map 'outer': values need keys of 4 bytes, not 8"),
    ],
)
def test_a_bad_initializer_is_refused_with_its_place(
    kind: int, offset: int, key_size: int, message: str
) -> None:
    with pytest.raises(ObjectError) as caught:
        read(filled(kind, offset, key_size))
    assert str(caught.value) == f"dir/x.o(.rel.maps+0x0): {message}"


def test_relocations_with_addends_are_refused() -> None:
    elf = filled(12, 24)
    elf.sections[-1].type = eb.RELA
    with pytest.raises(ObjectError, match=r"\(SHT_RELA\) of '.maps' are not supported"):
        read(elf)


# -- structs that only an inner map names: clang before 16 leaves them out of BTF ----


OBJECT = Path(__file__).parents[2] / "data/objects/maps_inner_struct.clang14.bpf.o"
SAID = (
    "map 'by_day.inner': its value is struct 'visit', of which BTF has the name alone:"
)
HELPS = "declare a variable of it (struct visit unused;), or use a newer clang"


def test_the_size_of_a_struct_that_btf_only_names_comes_from_dwarf() -> None:
    found = elf.read(OBJECT.read_bytes(), name="x", source="x.o", path="x.o")
    (spec,) = found.spec.maps
    assert spec.inner is not None
    assert (spec.inner.value_size, spec.inner.value_type_id) == (16, 0)
    (text,) = found.odd
    assert text.startswith(f"{SAID} DWARF says 16 bytes, and in Python they are bytes;")
    assert text.endswith(HELPS)
    assert text in generate.read(OBJECT.read_bytes(), "x.bpf.o", "x.bpf.o").warnings


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (b".debug_info", b".xebug_info", "no DWARF; compile with -g"),
        (b"visit\0", b"vizit\0", "type 'visit': neither in BTF nor in DWARF"),
    ],
)
def test_without_dwarf_the_error_names_the_struct_and_what_helps(
    before: bytes, after: bytes, why: str
) -> None:
    data = OBJECT.read_bytes()
    head, strings = data[: data.rindex(before)], data[data.rindex(before) :]
    if before != b".debug_info":  # the string of DWARF, which comes before BTF's
        head, strings = data[: data.index(before)], data[data.index(before) :]
    broken = head + strings.replace(before, after, 1)
    with pytest.raises(ObjectError) as caught:
        read_object(broken, name="x", source="x.o", path="x.o")
    text = str(caught.value)
    assert text.startswith(f"x.o(.maps+0x0): {SAID} {why}")
    assert text.endswith(HELPS)
