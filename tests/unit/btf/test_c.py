"""C declarations and definitions: as written, as bpftool writes them, and compiled."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.decl import BODY_LIMIT, declaration, type_name
from skelgen.btf.dump_c import definition
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import Kind
from skelgen.btf.layout import section_vars
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import align_of, size_of, skip_mods_and_typedefs
from skelgen.btf.types import (
    Array,
    Const,
    FuncProto,
    Ptr,
    Restrict,
    Struct,
    Type,
    Typedef,
    TypeTag,
    Union,
    Volatile,
)
from skelgen.compiler import clang
from tests.harness.btf import bpftool_c, btf_of, elf_section, every_kind, needs_bpftool
from tests.harness.sources import Source, compiler, find

DECLARATIONS = (
    "int plain",
    "unsigned char byte",
    "_Bool flag",
    "float real",
    "__int128 wide",
    "char text[16]",
    "int grid[2][3][4]",
    "int *pointer",
    "void *anything",
    "int **deep",
    "int *table[4]",
    "int (*row)[4]",
    "const volatile int four[4]",
    "const char *name",
    "char * const fixed",
    "const char * const both",
    "const volatile char * volatile moving",
    "const char * const names[3]",
    "int (*call)(void *, int)",
    "void (*nothing)(void)",
    "int (*printf_like)(const char *, ...)",
    "int (*calls[5])(char)",
    "int (*(*factory)(int))(char)",
    "int *(*returns_pointer)(void)",
    "void (*signal_like)(int, void (*)(int))",
    "struct point where",
    "struct point *there",
    "union either one_of",
    "enum colour shade",
    "number counted",
    "number *counted_there",
    "const number counted_const",
    "struct later *unknown",
    "struct { int a; char b[3]; } anonymous",
    "struct { int a: 3; int b: 29; } bits",
    "union { int i; struct { char low; char high; } parts; } nested",
    "struct { union { int i; float f; }; } inner",
    "enum { RED, GREEN, BLUE } inline_enum",
    "struct { int a; } several[2]",
)

PREAMBLE = """
struct point { int x, y; };
union either { int i; float f; };
enum colour { CYAN, MAGENTA };
typedef unsigned long long number;
struct later;
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("c")


def compile_c(folder: Path, name: str, text: str) -> Btf:
    source = folder / f"{name}.bpf.c"
    source.write_text(text, "utf-8")
    output = folder / f"{name}.bpf.o"
    clang.compile_object(
        source,
        output,
        options=clang.CompileOptions(cflags=("-Wno-everything",)),
        compiler=compiler(),
        cwd=folder,
    )
    return Btf(elf_section(output, ".BTF"))


def initialized(text: str) -> str:
    """Define a variable even if it is const."""
    return f"{text} = {{}};\n"


@pytest.fixture(scope="module")
def declared(folder: Path) -> Btf:
    lines = "".join(map(initialized, DECLARATIONS))
    return compile_c(folder, "declared", PREAMBLE + lines)


@pytest.mark.parametrize("text", DECLARATIONS)
def test_declarations_come_back_as_written(declared: Btf, text: str) -> None:
    shown = [declaration(declared, var) for var in vars_of(declared)]
    assert text in shown


def vars_of(btf: Btf) -> list[int]:
    return [type_id for type_id in btf.ids() if btf.kind(type_id) is Kind.VAR]


def test_functions_come_back_as_written(folder: Path) -> None:
    btf = compile_c(
        folder,
        "functions",
        "int first(void *ctx, const char *text) { return text[0]; }\n"
        "void second(void) {}\n"
        "long (*third(int x))(char) { return 0; }\n",
    )
    functions = [i for i in btf.ids() if btf.kind(i) is Kind.FUNC]
    assert [declaration(btf, func) for func in functions] == [
        "int first(void *ctx, const char *text)",
        "void second(void)",
        "long (*third(int x))(char)",
    ]
    assert definition(btf, functions[0]).endswith("text);")


def test_types_are_named_as_c_names_them() -> None:
    btf = Btf(every_kind().bytes())
    names = {type_id: type_name(btf, type_id) for type_id in (0, 1, 6, 7, 17, 19, 20)}
    assert names == {
        0: "void",
        1: "int",
        6: "int[7]",
        7: "struct s",
        17: "t",
        19: "const union u",
        20: "void * restrict",
    }
    assert type_name(btf, 5) == "void *"
    assert type_name(btf, 15) == "struct later"
    assert type_name(btf, 16) == "union later_union"
    assert type_name(btf, 21) == "int (void *first, ...)"
    assert type_name(btf, 33) == 'struct s __attribute__((btf_type_tag("kptr")))'
    assert declaration(btf, 26) == "t v"
    assert declaration(btf, 26, "other") == "t other"
    assert declaration(btf, 31, "x") == "struct s x"
    with pytest.raises(BtfParseError, match="type 28 is a DATASEC, which cannot"):
        type_name(btf, 28)


def test_qualifiers_that_gcc_puts_on_arrays_go_to_the_elements() -> None:
    builder = BtfBuilder()
    builder.add_int("int", 4)
    builder.add_const(1)
    builder.add_array(2, 1, 3)
    builder.add_volatile(3)
    builder.add_const(4)
    builder.add_ptr(5)
    btf = Btf(builder.bytes())
    assert declaration(btf, 5, "x") == "const volatile int x[3]"
    assert declaration(btf, 6, "x") == "const volatile int (*x)[3]"


def test_tags_of_pointers_are_written_as_attributes() -> None:
    builder = BtfBuilder()
    builder.add_struct("task_struct", 8)
    builder.add_type_tag("kptr", 1)
    builder.add_ptr(2)
    builder.add_type_tag("noderef", 3, attribute=True)
    builder.add_ptr(4)
    builder.add_const(5)
    btf = Btf(builder.bytes())
    kptr = 'struct task_struct __attribute__((btf_type_tag("kptr")))'
    assert declaration(btf, 3, "p") == f"{kptr} *p"
    assert declaration(btf, 6, "p") == f"{kptr} * __attribute__((noderef)) * const p"


def test_long_bodies_are_left_out(folder: Path) -> None:
    members = "".join(f"int member_{number};" for number in range(20))
    btf = compile_c(
        folder,
        "bodies",
        f"struct {{ {members} }} large;\n"
        "struct { int abcdefghijklmnopqrstuvwxyz, zyxwvutsrqponmlkjihgfedcba; } wide;\n"
        "struct {} nothing;\n"
        f"struct {{ struct {{ {members} }} in; }} nested;\n",
    )
    shown = [declaration(btf, var) for var in vars_of(btf)]
    assert shown == [
        "struct { ... } large",
        "struct { ... } wide",
        "struct {} nothing",
        "struct { struct { ... } in; } nested",
    ]
    assert BODY_LIMIT < 88


def test_what_c_defines_is_written_and_the_rest_is_refused() -> None:
    btf = Btf(every_kind().bytes())
    for type_id, text in {
        7: "struct s {\n\tint a;\n\tint[7];\n};",
        9: "struct empty {};",
        10: "union u {\n\tint a;\n\tvoid *p;\n};",
        12: "enum e {\n\tE_A = 0,\n\tE_B = 4294967295,\n};",
        13: "enum neg {\n\tN_A = -1,\n\tN_B = 2147483647,\n} __attribute__((mode(byte)));",
        14: "enum declared;",
        15: "struct later;",
        16: "union later_union;",
        17: "typedef struct s t;",
        24: "static int static_f(void *first, ...);",
        25: "extern int extern_f(void *first, ...);",
        26: "t v;",
        27: "static int static_v;",
    }.items():
        assert definition(btf, type_id).startswith(text.removesuffix("};")), type_id
    assert definition(btf, 7, indent="  ").startswith("struct s {\n  int a;\n")
    assert "M_B = -0x7fffffffffffffffLL - 1," in definition(btf, 35)
    assert "L_B = 18446744073709551615ULL," in definition(btf, 34)
    for type_id in (1, 5, 6, 18, 21, 28, 30, 31, 33):
        with pytest.raises(BtfParseError, match="which C does not define"):
            definition(btf, type_id)


# Against bpftool


PADDING = re.compile(r"^\s*(?:long|int|short|char): \d+;$", re.MULTILINE)
QUALIFIERS = re.compile(
    r"\b(?:(?:const|volatile|restrict) )*(?:const|volatile|restrict)\b"
)


def normal(text: str) -> str:
    """Write the same C the same way: padding, order of qualifiers, blanks."""
    text = PADDING.sub("", text)
    text = re.sub(r" __attribute__\(\(mode\(\w+\)\)\)", "", text)
    text = re.sub(r"\s+", " ", text)
    text = QUALIFIERS.sub(lambda found: " ".join(sorted(found[0].split())), text)
    return re.sub(r" ?([*(){};,]) ?", r"\1", text)


@needs_bpftool
def test_definitions_are_bpftools(bpf_source: Source) -> None:
    path, btf = btf_of(bpf_source)
    if not len(btf.ids()):
        return
    theirs = {
        normal(text)
        for text in re.split(r"\n\n", bpftool_c(path))
        if text and not text.startswith("#")
    }
    for type_id in btf.ids():
        kind = btf.kind(type_id)
        if kind in {Kind.STRUCT, Kind.UNION, Kind.TYPEDEF} and btf.name(type_id):
            # two types of a name are numbered by bpftool
            if len(btf.find_all(btf.name(type_id))) == 1:
                assert normal(definition(btf, type_id)) in theirs
        elif kind in {Kind.ENUM, Kind.ENUM64}:
            name = btf.name(type_id)
            if name and len(btf.find_all(name)) == 1:
                assert normal(definition(btf, type_id)) in theirs


# Compiled again


DEFINED = {Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.TYPEDEF, Kind.FWD}


def inner(found: Type) -> list[tuple[int, bool]]:
    """Return the types that a type is made of, and whether by value."""
    if isinstance(found, Struct | Union):
        return [(member.type_id, True) for member in found.members]
    if isinstance(found, FuncProto):
        params = [(param.type_id, False) for param in found.params]
        return [(found.type_id, False), *params]
    if isinstance(found, Ptr):
        return [(found.type_id, False)]
    if isinstance(found, Array | Const | Volatile | Restrict | TypeTag | Typedef):
        return [(found.type_id, True)]
    return []


def mentioned(
    btf: Btf, type_id: int, *, by_value: bool = True
) -> Iterator[tuple[int, bool]]:
    """Yield the types with names that a definition mentions."""
    for part, value in inner(btf.type(type_id)):
        if btf.kind(part) in DEFINED and btf.name(part):
            yield part, by_value and value
        else:
            yield from mentioned(btf, part, by_value=by_value and value)


def define(btf: Btf, type_id: int, lines: dict[int, str]) -> None:
    """Add the definition of a type behind those that it needs."""
    if type_id in lines:
        return
    lines[type_id] = ""
    for part, by_value in mentioned(btf, type_id):
        if by_value or not isinstance(btf.type(part), Struct | Union):
            define(btf, part, lines)
    del lines[type_id]  # and to the end
    lines[type_id] = definition(btf, type_id)


def header(btf: Btf) -> str:
    """Return all definitions in an order that compiles."""
    lines: dict[int, str] = {}
    named = [i for i in btf.ids() if btf.kind(i) in DEFINED and btf.name(i)]
    forward = [
        f"{type_name(btf, type_id)};"
        for type_id in named
        if isinstance(btf.type(type_id), Struct | Union)
    ]
    for type_id in named:
        define(btf, type_id, lines)
    return "\n".join([*forward, *lines.values()]) + "\n"


def layout(btf: Btf, type_id: int) -> object:
    """Return a type's layout with names in place of numbers."""
    found = btf.type(type_id)
    if not isinstance(found, Struct | Union):
        return type_name(btf, type_id)
    members = [
        (
            member.name,
            member.bit_offset,
            member.bitfield_size,
            type_name(btf, member.type_id),
            layout(btf, member.type_id) if not btf.name(member.type_id) else None,
        )
        for member in found.members
    ]
    return found.name, found.size, members


ROUND_TRIP = (
    "types_arrays",
    "types_bitfields",
    "types_enums",
    "types_packed",
    "types_pointers",
    "types_structs",
    "types_typedefs",
    "core_bitfields",
    "maps_special",
)


@pytest.mark.parametrize("name", ROUND_TRIP)
def test_a_compiler_lays_the_definitions_out_alike(folder: Path, name: str) -> None:
    _, btf = btf_of(find(name))
    structs = [
        type_id
        for type_id in btf.ids()
        if btf.kind(type_id) in {Kind.STRUCT, Kind.UNION}
        and btf.name(type_id)
        and len(btf.find_all(btf.name(type_id))) == 1
    ]
    uses = "".join(
        f"{type_name(btf, type_id)} use_{type_id} = {{}};\n" for type_id in structs
    )
    again = compile_c(folder, f"again_{name}", header(btf) + uses + "int x;\n")
    for type_id in structs:
        there = again.find(btf.name(type_id), btf.kind(type_id))
        assert there is not None
        assert layout(again, there) == layout(btf, type_id)


def test_odd_gaps_are_padded(folder: Path) -> None:
    """Layouts that no plain struct has are still compiled as they are."""
    builder = BtfBuilder()
    char = builder.add_int("char", 1, signed=True)
    int_ = builder.add_int("int", 4, signed=True)
    long_ = builder.add_int("long", 8, signed=True)
    expected: list[int] = []
    layouts: tuple[tuple[list[tuple[str, int, int, int]], int], ...] = (
        ([("a", char, 0, 0), ("b", int_, 128, 0), ("c", char, 160, 0)], 64),
        ([("a", int_, 0, 3), ("b", int_, 5, 4), ("c", int_, 30, 2)], 4),
        ([("a", int_, 0, 3), ("b", int_, 32, 4), ("c", char, 48, 0)], 8),
        ([("a", char, 0, 0), ("b", int_, 8, 0), ("c", long_, 40, 0)], 13),
        ([("a", char, 16, 0)], 7),
        ([("a", long_, 64, 0), ("b", char, 128, 1)], 24),
        ([("a", long_, 0, 40), ("b", long_, 40, 24), ("c", int_, 64, 1)], 72),
    )
    for members, size in layouts:
        name = f"odd_{len(expected)}"
        expected.append(builder.add_struct(name, size, members))
    btf = Btf(builder.bytes())
    uses = "".join(f"struct odd_{n} v{n} = {{}};\n" for n in range(len(expected)))
    again = compile_c(folder, "odd", header(btf) + uses)
    for type_id in expected:
        there = again.find(btf.name(type_id), Kind.STRUCT)
        assert there is not None
        assert layout(again, there) == layout(btf, type_id)


# Sizes


def test_sizes_and_alignments_are_the_compilers(folder: Path) -> None:
    btf = compile_c(folder, "sizes", PREAMBLE + "".join(map(initialized, DECLARATIONS)))
    aligned = [(declaration(btf, var), align_of(btf, var)) for var in vars_of(btf)]
    checks = "".join(
        f'_Static_assert(sizeof({name}) == {size_of(btf, var)}, "{name}");\n'
        f'_Static_assert(_Alignof(__typeof__({name})) >= {align}, "{name}");\n'
        for var, (_, align) in zip(vars_of(btf), aligned, strict=True)
        for name in (btf.name(var),)
    )
    lines = "".join(map(initialized, DECLARATIONS))
    assert compile_c(folder, "asserted", PREAMBLE + lines + checks)


def test_sections_state_the_sizes_of_their_variables(bpf_source: Source) -> None:
    _, btf = btf_of(bpf_source)
    for section in btf.ids():
        if btf.kind(section) is not Kind.DATASEC:
            continue
        for var in section_vars(btf, section):
            behind = btf.type(skip_mods_and_typedefs(btf, var.type_id))
            if var.linkage == 2 and not isinstance(behind, Struct | Array):
                continue  # of an extern the compiler says nothing
            if isinstance(behind, Struct):
                last = behind.members[-1:] and btf.type(behind.members[-1].type_id)
                if isinstance(last, Array) and last.nelems == 0:
                    continue  # a flexible array, made longer by its initializer
            assert var.size == size_of(btf, var.type_id), var.name


def test_what_has_no_size_is_refused() -> None:
    btf = Btf(every_kind().bytes())
    for type_id, kind in ((0, "VOID"), (15, "FWD"), (21, "FUNC_PROTO"), (23, "FUNC")):
        with pytest.raises(
            BtfParseError, match=f"has no size: type {type_id} is a {kind}"
        ):
            size_of(btf, type_id)
        with pytest.raises(BtfParseError, match="has no alignment"):
            align_of(btf, type_id)
    with pytest.raises(BtfParseError, match="has no alignment"):
        align_of(btf, 28)
    assert size_of(btf, 28) == 36
    assert size_of(btf, 5, 4) == align_of(btf, 5, 4) == 4
    assert align_of(btf, 10) == 8
    assert align_of(btf, 10, 4) == 4
