"""Types from DWARF: every version, both byte orders, and DWARF that is broken."""

import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import size_of
from skelgen.btf.types import Enum, Enum64, Struct, Union
from skelgen.elf import dwarf_index, read_object, struct_from_dwarf
from skelgen.errors import ObjectError
from tests.harness import elf_builder as eb
from tests.harness import sources

SOURCE = """
enum kind { EXEC, EXIT = -3 };
enum big { BIG = 0x123456789aULL };
typedef struct { int x; union { long l; char c[4]; }; } anon_t;
typedef unsigned int u32;
struct fwd;
struct inner { unsigned a : 3; int b : 7; unsigned long c : 40; };
struct event {
    int pid;
    enum kind kind;
    enum big big;
    char comm[16];
    anon_t anon;
    struct inner grid[2][3];
    const char *text;
    struct event *next;
    struct fwd *declared;
    int (*function)(int);
    anon_t *pointer;
    u32 *number;
    _Bool ok;
    volatile const unsigned short modified;
    unsigned char flexible[];
};
union number { int a; float f; };
static struct event *(*reserve)(void) = (void *)131;
static void (*use)(union number *) = (void *)132;
__attribute__((section("socket"), used)) int program(void *ctx)
{
    struct event *e = reserve();
    union number n = {1};
    e->grid[1][2].c = 4;
    use(&n);
    return e->pid;
}
"""
EXPECTED = {
    "pid": (0, 0),
    "kind": (32, 0),
    "big": (64, 0),
    "comm": (128, 0),
    "anon": (256, 0),
    "grid": (384, 0),
    "text": (768, 0),
    "next": (832, 0),
    "declared": (896, 0),
    "function": (960, 0),
    "pointer": (1024, 0),
    "number": (1088, 0),
    "ok": (1152, 0),
    "modified": (1168, 0),
    "flexible": (1184, 0),
}


def compiled(folder: Path, version: int, byteorder: str = "little") -> bytes:
    source = folder / "x.bpf.c"
    source.write_text(SOURCE)
    output = folder / "x.bpf.o"
    target = {"little": "bpfel", "big": "bpfeb"}[byteorder]
    subprocess.run(
        [
            *sources.compiler().command,
            *("-target", target, "-O2", "-g", f"-gdwarf-{version}", "-c"),
            *(str(source), "-o", str(output)),
        ],
        check=True,
    )
    return output.read_bytes()


def own_btf(data: bytes) -> Btf:
    spec = read_object(data, name="x", source="x.o")
    assert spec.btf is not None
    return Btf(bytes(spec.view(spec.btf)))


def found(btf: Btf, name: str) -> Struct | Union:
    type_id = btf.find_all(name, Kind.STRUCT, Kind.UNION)[-1]
    result = btf.type(type_id)
    assert isinstance(result, (Struct, Union))
    return result


@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("version", [2, 3, 4, 5])
def test_every_version_gives_the_same_types(
    version: int, byteorder: str, tmp_path: Path
) -> None:
    data = compiled(tmp_path, version, byteorder)
    before = own_btf(data)
    assert not before.find_all("event", Kind.STRUCT)
    raw = struct_from_dwarf(data, ["event", "number", "u32"], before)
    btf = Btf(raw)
    # what was there has kept its number
    assert [*map(before.type, before.ids())] == [*map(btf.type, range(1, len(before)))]
    event = found(btf, "event")
    members = {m.name: (m.bit_offset, m.bitfield_size) for m in event.members}
    assert members == EXPECTED
    sizes = {m.name: size_of(btf, m.type_id) for m in event.members}
    assert sizes == {
        **dict.fromkeys(EXPECTED, 8),
        "pid": 4,
        "kind": 4,
        "comm": 16,
        "anon": 16,
        "grid": 48,
        "ok": 1,
        "modified": 2,
        "flexible": 0,
    }
    assert event.size == 152
    inner = [
        (m.name, m.bit_offset, m.bitfield_size) for m in found(btf, "inner").members
    ]
    assert inner == [("a", 0, 3), ("b", 3, 7), ("c", 10, 40)]
    assert [m.name for m in found(btf, "number").members] == ["a", "f"]
    kind = btf.type(btf.find("kind", Kind.ENUM) or 0)
    assert isinstance(kind, Enum)
    assert [(v.name, v.value) for v in kind.values] == [("EXEC", 0), ("EXIT", -3)]
    large = btf.type(btf.find("big", Kind.ENUM64) or 0)
    assert isinstance(large, Enum64)
    assert large.values[0].value == 0x123456789A
    assert btf.find("u32", Kind.TYPEDEF) is not None
    declarations = {m.name: _shape(btf, m.type_id) for m in event.members}
    assert declarations["text"] == ["PTR", "CONST", "INT char"]
    assert declarations["next"] == ["PTR", "FWD event"]
    assert declarations["declared"] == ["PTR", "FWD fwd"]
    assert declarations["function"] == ["PTR", "VOID"]
    assert declarations["pointer"] == ["PTR", "TYPEDEF anon_t", "STRUCT"]
    assert declarations["number"] == ["PTR", "TYPEDEF u32", "INT unsigned int"]
    assert sorted(declarations["modified"][:2]) == ["CONST", "VOLATILE"]
    # twice is once
    assert struct_from_dwarf(data, ["event"], btf) == raw


OBJECTS = sorted((sources.DATA / "objects").glob("ringbuf.*"))


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_committed_objects_give_the_members_of_their_twin(path: Path) -> None:
    """clang 14 and 22, either byte order; the static linker drops DWARF."""
    data = path.read_bytes()
    btf = own_btf(data)
    assert not btf.find_all("event", Kind.STRUCT)
    if ".linked." in path.name:
        with pytest.raises(ObjectError, match="no DWARF; compile with -g"):
            struct_from_dwarf(data, ["event"], btf)
        return
    event = found(Btf(struct_from_dwarf(data, ["event"], btf)), "event")
    twin = sources.compiled(sources.find("ringbuf")).read_bytes()
    same = found(Btf(struct_from_dwarf(twin, ["event"], own_btf(twin))), "event")
    assert [(m.name, m.bit_offset) for m in event.members] == [
        (m.name, m.bit_offset) for m in same.members
    ]


def _shape(btf: Btf, type_id: int) -> list[str]:
    shape: list[str] = []
    for _ in range(10):
        shape.append(f"{btf.kind(type_id).name} {_name(btf, type_id)}".strip())
        if btf.kind(type_id) not in {
            Kind.PTR,
            Kind.CONST,
            Kind.VOLATILE,
            Kind.TYPEDEF,
        }:
            break
        type_id = btf.ref(type_id)
    return shape


def _name(btf: Btf, type_id: int) -> str:
    return btf.name(type_id)


def test_what_btf_has_is_left_alone(tmp_path: Path) -> None:
    data = compiled(tmp_path, 4)
    builder = BtfBuilder()
    builder.add_struct("event", 4)
    btf = Btf(builder.bytes())
    assert struct_from_dwarf(data, ["event"], btf) == btf.raw
    # and serves as part of what is new
    builder = BtfBuilder()
    builder.add_struct("inner", 8, [("own", builder.add_int("long", 8), 0)])
    btf = Btf(struct_from_dwarf(data, ["event"], Btf(builder.bytes())))
    assert [m.name for m in found(btf, "inner").members] == ["own"]


def test_an_unknown_type_is_an_error(tmp_path: Path) -> None:
    data = compiled(tmp_path, 5)
    with pytest.raises(ObjectError, match="type 'evnt': neither in BTF nor in DWARF"):
        struct_from_dwarf(data, ["event", "evnt"], own_btf(data))


def test_without_dwarf_it_says_how_to_compile() -> None:
    btf = Btf(BtfBuilder().bytes())
    with pytest.raises(ObjectError, match="no DWARF; compile with -g"):
        struct_from_dwarf(eb.ElfBuilder().bytes(), ["event"], btf)


# DWARF 4 written by hand: abbreviations, then a unit of entries.
UNIT, STRUCT, MEMBER, BASE, POINTER = 0x11, 0x13, 0x0D, 0x24, 0x0F
NAME, SIZE, ENCODING, TYPE, LOCATION, SIBLING = 0x03, 0x0B, 0x3E, 0x49, 0x38, 0x01
STRING, DATA1, REF4, SDATA = 0x08, 0x0B, 0x13, 0x0D


def handmade(entries: bytes, *, strings: bytes = b"") -> bytes:
    """Return an object with a unit of DWARF 4."""

    def abbreviation(code: int, tag: int, children: int, *attributes: int) -> bytes:
        return bytes((code, tag, children, *attributes, 0, 0))

    abbrev = (
        abbreviation(1, UNIT, 1)
        + abbreviation(2, STRUCT, 1, NAME, STRING, SIZE, DATA1)
        + abbreviation(3, MEMBER, 0, NAME, STRING, TYPE, REF4, LOCATION, SDATA)
        + abbreviation(4, BASE, 0, NAME, STRING, SIZE, DATA1, ENCODING, DATA1)
        + abbreviation(5, STRUCT, 1, SIBLING, REF4)
        + abbreviation(6, POINTER, 0, TYPE, REF4)
        + b"\0"
    )
    body = struct.pack("<HIB", 4, 0, 8) + b"\1" + entries + b"\0"
    elf = eb.ElfBuilder()
    elf.section(".debug_info", struct.pack("<I", len(body)) + body)
    elf.section(".debug_abbrev", abbrev)
    if strings:
        elf.section(".debug_str", strings)
    return elf.bytes()


FIRST = 12  # offset of the first entry within the unit


def base(name: bytes, size: int, encoding: int) -> bytes:
    return b"\4" + name + b"\0" + bytes((size, encoding))


def test_handmade_dwarf_gives_its_members() -> None:
    integer = base(b"int", 4, 5)
    data = handmade(
        integer
        + b"\2event\0\x08"
        + b"\3a\0"
        + struct.pack("<I", FIRST)
        + b"\0"
        + b"\3b\0"
        + struct.pack("<I", FIRST)
        + b"\4"
        + b"\0"
    )
    btf = Btf(struct_from_dwarf(data, ["event"], Btf(BtfBuilder().bytes())))
    event = found(btf, "event")
    assert [(m.name, m.bit_offset) for m in event.members] == [("a", 0), ("b", 32)]


def itself() -> bytes:
    return b"\2event\0\x08" + b"\3a\0" + struct.pack("<I", FIRST) + b"\0" + b"\0"


def nested(depth: int) -> bytes:
    entry = b"\2e%04d\0\x08" + b"\3a\0" + b"%b" + b"\0" + b"\0"
    size = len(entry % (0, b"1234"))
    return b"".join(
        entry % (number, struct.pack("<I", FIRST + size * (number + 1)))
        for number in range(depth)
    ) + base(b"int", 4, 5)


BROKEN = {
    "itself": (itself(), "event", "type 'event': consists of itself"),
    "nesting": (nested(200), "e0000", "types nested more than 100 deep"),
    "negative_place": (
        base(b"int", 4, 5)
        + b"\2event\0\x08\3a\0"
        + struct.pack("<I", FIRST)
        + b"\x7f\0",
        "event",
        "a member at a place that is no constant",
    ),
    "member_of_member": (
        b"\2event\0\x08\3a\0" + struct.pack("<I", FIRST + 8) + b"\0\0",
        "event",
        "DW_TAG_member is not supported",
    ),
    "two_sizes": (
        b"\2event\0\x08\0\2event\0\x09\0",
        "event",
        "defined more than once, with different sizes",
    ),
    "complex": (
        base(b"c", 8, 3) + b"\2event\0\x08\3a\0" + struct.pack("<I", FIRST) + b"\0\0",
        "event",
        "type 'c': encoding 0x3 is not supported",
    ),
    "unknown_abbreviation": (b"\x77", "event", "broken DWARF"),
    "link_outside": (
        b"\2event\0\x08\3a\0" + struct.pack("<I", 1 << 30) + b"\0\0",
        "event",
        "broken DWARF",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_dwarf_is_refused(name: str) -> None:
    entries, wanted, message = BROKEN[name]
    with pytest.raises(ObjectError, match=message) as caught:
        struct_from_dwarf(handmade(entries), [wanted], Btf(BtfBuilder().bytes()))
    assert caught.value.section == ".debug_info"


def test_siblings_that_go_round_in_circles_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pyelftools may follow DW_AT_sibling backwards, until it is told to stop."""
    circle = b"\5" + struct.pack("<I", FIRST) + b"\0"
    monkeypatch.setattr(dwarf_index, "MAX_ENTRIES", 1_000)
    with pytest.raises(ObjectError, match=r"type 'event': neither in|more than 1000"):
        struct_from_dwarf(handmade(circle), ["event"], Btf(BtfBuilder().bytes()))


def test_a_very_long_string_is_refused() -> None:
    data = handmade(b"", strings=b"x" * (dwarf_index.MAX_STRING + 1) + b"\0")
    with pytest.raises(ObjectError, match="string of 8193 bytes") as caught:
        struct_from_dwarf(data, ["event"], Btf(BtfBuilder().bytes()))
    assert caught.value.section == ".debug_str"


def test_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dwarf_index, "MAX_ENTRIES", 100)
    with pytest.raises(ObjectError, match="more than 100 entries"):
        struct_from_dwarf(
            handmade(base(b"i", 4, 5) * 100), ["event"], Btf(BtfBuilder().bytes())
        )


def test_too_many_units_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dwarf_index, "MAX_UNITS", 0)
    with pytest.raises(ObjectError, match="more than 0 compile units"):
        struct_from_dwarf(handmade(b""), ["event"], Btf(BtfBuilder().bytes()))


@pytest.mark.parametrize(("kind", "offset"), [(99, 0), (3, 1 << 40), (2, 8)])
def test_a_relocation_that_cannot_be_applied_is_refused(kind: int, offset: int) -> None:
    elf = eb.ElfBuilder()
    info = elf.section(".debug_info", bytes(12))
    elf.section(".debug_abbrev", b"\0")
    elf.relocate(info, [(offset, 0)], kind)
    with pytest.raises(ObjectError, match=f"relocation of type {kind} cannot be"):
        struct_from_dwarf(elf.bytes(), ["event"], Btf(BtfBuilder().bytes()))


def test_compressed_dwarf_is_refused() -> None:
    elf = eb.ElfBuilder()
    elf.section(".debug_info", bytes(12), flags=0x800)
    elf.section(".debug_abbrev", b"\0")
    with pytest.raises(ObjectError, match="compressed DWARF is not supported"):
        struct_from_dwarf(elf.bytes(), ["event"], Btf(BtfBuilder().bytes()))


def test_reading_an_object_imports_nothing_of_pyelftools() -> None:
    """It takes 31 ms to import, which only ``--type`` pays for."""
    code = """
        import sys
        from skelgen.elf.object import read_object
        import skelgen.elf.dwarf
        assert "elftools" not in sys.modules
    """
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        check=True,
        cwd=sources.ROOT,
    )
