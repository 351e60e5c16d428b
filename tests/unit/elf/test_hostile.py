"""Objects that no compiler writes: small files that ask for much, and torn ones."""

import random
import struct
import time

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.parse import Btf
from skelgen.elf import programs, read_object, struct_from_dwarf
from skelgen.errors import ObjectError
from skelgen.model.spec import ObjectSpec
from tests.harness import elf_builder as eb
from tests.harness import sources

LIMIT = 5.0  # seconds of processor time


def read(data: bytes) -> ObjectSpec | ObjectError:
    """Read an object, which gives a blueprint or one ObjectError, in time."""
    start = time.process_time()
    try:
        return read_object(data, name="x", source="x.o", path="x.o")
    except ObjectError as error:
        return error
    finally:
        assert time.process_time() - start < LIMIT


def refused(elf: eb.ElfBuilder, message: str) -> None:
    result = read(elf.bytes())
    assert isinstance(result, ObjectError)
    assert message in str(result)


def test_typedefs_of_typedefs_for_many_maps_are_refused() -> None:
    elf = eb.ElfBuilder()
    maps = eb.MapBtf()
    last = maps.struct({"type": maps.uint(1)})
    for _ in range(20_000):
        last = maps.btf.add_typedef("t", last)
    for number in range(5_000):
        maps.map(f"m{number}", last, 8)
    maps.finish(elf)
    refused(elf, "is a typedef or modifier of itself, or of too many")


def test_many_functions_with_one_long_prototype_are_read() -> None:
    elf = eb.ElfBuilder()
    btf = BtfBuilder()
    integer = btf.add_int("int", 4)
    proto = btf.add_func_proto(0, [("", integer)] * 5_000)
    functions = []
    for number in range(5_000):
        elf.extern(f"f{number}")
        functions.append((btf.add_func(f"f{number}", proto, 2), 0, 0))
    btf.add_datasec(".ksyms", 0, functions)
    elf.btf(btf)
    result = read(elf.bytes())
    assert isinstance(result, ObjectSpec)
    assert len(result.externs) == 5_000


def test_many_descriptions_of_one_section_are_read() -> None:
    elf = eb.ElfBuilder()
    btf = BtfBuilder()
    for number in range(5_000):
        elf.section(f".notes.{number}")
    elf.section(".data", bytes(8))
    for _ in range(20_000):
        btf.add_datasec(".data", 8)
    elf.btf(btf)
    assert isinstance(read(elf.bytes()), ObjectSpec)


def test_many_hidden_functions_of_one_name_are_read() -> None:
    elf = eb.ElfBuilder()
    btf = BtfBuilder()
    btf.add_func_proto(0)
    count = 5_000
    text = elf.code(".text", eb.Asm().exit() * count)
    for number in range(count):
        elf.function("f", text, 8 * number, 8, other=eb.HIDDEN)
        btf.add_func("f", 1, 0)
    elf.btf(btf)
    assert isinstance(read(elf.bytes()), ObjectSpec)


def test_many_aliases_of_a_large_program_are_refused() -> None:
    elf = eb.ElfBuilder()
    asm = eb.Asm()
    body = asm.load64() * 20_000 + asm.exit()
    bss = elf.section(".bss", type=eb.NOBITS, size=8)
    variable = elf.symbol("v", bss, 0, 8, type=eb.OBJECT)
    code = elf.code("xdp", body)
    elf.relocate(code, [(16 * number, variable) for number in range(20_000)])
    for number in range(5_000):
        elf.function(f"p{number}", code, 0, len(body))
    refused(elf, f"more than {programs.MAX_REPEATED} relocations")


def test_many_large_functions_on_top_of_each_other_are_refused() -> None:
    elf = eb.ElfBuilder()
    code = elf.code("xdp", eb.Asm().mov(0, 0) * 100_000)
    for number in range(20_000):
        elf.function(f"p{number}", code, 8 * number, 8 * 50_000)
    refused(elf, "overlaps function")


def test_many_relocation_sections_over_the_same_bytes_are_refused() -> None:
    elf = eb.ElfBuilder()
    code = elf.code("xdp", eb.Asm().exit() * 2)
    elf.function("p", code, 0, 8)
    first = elf.relocate(code, [(8, 0)] * 20_000)
    for _ in range(1_000):
        elf.section(
            ".relxdp",
            type=eb.REL,
            info=code,
            entry_size=16,
            size=len(elf.sections[first].data),
        )
    refused(elf, "truncated: sections claim")


def test_many_long_symbol_names_are_read() -> None:
    elf = eb.ElfBuilder()
    text = elf.code(".text", eb.Asm().exit() * 5_000)
    for number in range(5_000):
        elf.function("n" * (number % 2_000 + 1), text, 8 * number, 8)
    assert isinstance(read(elf.bytes()), ObjectSpec)


def test_arrays_of_arrays_without_end_are_refused() -> None:
    elf = eb.ElfBuilder()
    maps = eb.MapBtf()
    last = maps.int
    for _ in range(1_000):
        last = maps.btf.add_array(last, maps.int, 1)
    maps.map("m", maps.struct({"type": maps.uint(1), "key": maps.ptr(last)}), 16)
    maps.finish(elf)
    refused(elf, "consists of itself, or of too many")


FIXTURES = (
    "maps_nested",
    "externs_kfuncs",
    "externs_kconfig",
    "struct_ops_link",
    "subprogs_exception",
    "jump_table",
    "maps_arena",
    "types_structs",
    "core_fields",
)
NASTY = (b'"""', b"\\", b"\n", b"class", b"\xff\xfe", b"\0", b"{{", "\u202e".encode())
NUMBERS = (0, 1, 2**16, 2**31, 2**32 - 1, 2**60, 2**63, 2**64 - 1)


def torn(rng: random.Random, data: bytes) -> bytes:
    """Return a copy with some bytes changed, most of them in the tables of the file."""
    broken = bytearray(data)
    (table,) = struct.unpack_from("<Q", data, 40)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(broken) - 8)
        how = rng.randrange(6)
        if how == 0:
            broken[place] ^= 1 << rng.randrange(8)
        elif how == 1:
            struct.pack_into("<Q", broken, place & ~7, rng.choice(NUMBERS))
        elif how == 2:
            struct.pack_into("<I", broken, place & ~3, rng.randrange(256))
        elif how == 3:
            place = table + 4 * rng.randrange((len(data) - table) // 4)
            struct.pack_into("<I", broken, place, rng.randrange(64))
        elif how == 4:
            text = rng.choice(NASTY)
            broken[place : place + len(text)] = text
        else:
            other = rng.randrange(len(broken) - 64)
            broken[place : place + 64] = broken[other : other + 64]
    return bytes(broken[: len(data)])


@pytest.mark.parametrize("name", FIXTURES)
def test_torn_objects_give_a_blueprint_or_one_error(name: str) -> None:
    """A blueprint or one ObjectError, never another exception."""
    data = sources.compiled(sources.find(name)).read_bytes()
    rng = random.Random(name)  # noqa: S311 - the same objects every time
    results = {True: 0, False: 0}
    for _ in range(300):
        broken = torn(rng, data)
        result = read(broken)
        results[isinstance(result, ObjectSpec)] += 1
        if isinstance(result, ObjectSpec) and result.btf is not None:
            _find_in_dwarf(broken, Btf(bytes(result.view(result.btf))))
        elif isinstance(result, ObjectError):
            assert result.path == "x.o"
            assert str(result).startswith("x.o")
    assert min(results.values()) > 30


def _find_in_dwarf(data: bytes, btf: Btf) -> None:
    try:
        struct_from_dwarf(data, ["event", "pt_regs", "no_such_type"], btf)
    except ObjectError as error:
        assert str(error)  # noqa: PT017 - either this or BTF


@pytest.mark.parametrize("name", FIXTURES[:3])
def test_cut_objects_are_refused(name: str) -> None:
    data = sources.compiled(sources.find(name)).read_bytes()
    for end in range(0, len(data), 37):
        assert isinstance(read(data[:end]), ObjectError)
