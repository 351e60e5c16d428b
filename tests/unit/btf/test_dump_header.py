"""A whole BTF as a C header: order, names, layout; compiled, and against bpftool."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.dump_header import header
from skelgen.btf.dump_raw import raw_dump
from skelgen.btf.errors import BtfParseError
from skelgen.btf.parse import Btf
from skelgen.compiler import clang
from tests.harness import vmlinux
from tests.harness.btf import bpftool_c, btf_of, every_kind, needs_bpftool
from tests.harness.sources import Source, compiler

Make = Callable[[BtfBuilder], object]
CompileC = Callable[[str], None]


@pytest.fixture
def compile_c(tmp_path: Path) -> Callable[[str], None]:
    """Return a function that wants a text to compile without a warning."""

    def run(text: str) -> None:
        source = tmp_path / "made.bpf.c"
        source.write_text(text, "utf-8")
        warnings = clang.compile_object(
            source,
            tmp_path / "made.bpf.o",
            compiler=compiler(),
            cwd=tmp_path,
        )
        assert not warnings

    return run


def body(text: str) -> str:
    """Return what stands between the frame of a header."""
    text = text.partition("#define __VMLINUX_H__\n\n")[2].rpartition("\n#endif /*")[0]
    return re.sub(r"\n?#ifndef BPF_NO_PRES.*\n#pragma.*\n#endif\n\n?", "", text)


def written(make: Make, *roots: int, byteorder: str = "little") -> str:
    builder = BtfBuilder(byteorder)
    make(builder)
    return body(header(Btf(builder.bytes()), roots or None))


def test_the_header_has_a_guard_and_no_empty_pragma() -> None:
    builder = BtfBuilder()
    empty = header(Btf(builder.bytes()))
    assert "#pragma" not in empty  # clang warns of one that nothing follows
    builder.add_struct("s", 0)
    text = header(Btf(builder.bytes()))
    assert text.startswith("#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n")
    assert text.endswith("#endif /* __VMLINUX_H__ */\n")
    assert text.count("#if") == text.count("#endif")
    assert "preserve_access_index)), apply_to = record" in text
    assert "kfunc" not in text.lower()


def test_a_list_needs_no_declaration() -> None:
    def make(add: BtfBuilder) -> None:
        add.add_struct("list_head", 16, [("next", 2, 0), ("prev", 2, 64)])
        add.add_ptr(1)

    text = (
        "struct list_head {\n\tstruct list_head *next;\n\tstruct list_head *prev;\n};\n"
    )
    assert written(make) == text


def test_members_by_value_come_before(compile_c: CompileC) -> None:
    def make(add: BtfBuilder) -> None:
        add.add_struct("a_outer", 8, [("inner", 2, 0)])
        add.add_struct("z_inner", 8, [("x", 3, 0)])
        add.add_typedef("number", 4)
        add.add_int("long", 8, signed=True)

    text = written(make)
    assert text.index("typedef long number;") < text.index("struct z_inner {")
    assert text.index("struct z_inner {") < text.index("struct a_outer {")
    compile_c(text)


def test_circles_end_with_a_declaration(compile_c: CompileC) -> None:
    def make(add: BtfBuilder) -> None:
        add.add_struct("a", 16, [("b", 2, 0)])
        add.add_struct("b", 16, [("back", 3, 0), ("call", 6, 64)])
        add.add_ptr(4)
        add.add_typedef("a_t", 1)
        add.add_func_proto(0, [("a", 3), ("c", 7)])
        add.add_ptr(5)
        add.add_ptr(8)
        add.add_struct("c", 8, [("a", 3, 0)])

    text = written(make)
    assert text == (
        "struct a;\ntypedef struct a a_t;\nstruct c;\n\n"
        "struct b {\n\ta_t *back;\n\tvoid (*call)(a_t *a, struct c *c);\n};\n\n"
        "struct a {\n\tstruct b b;\n};\n\n"
        "struct c {\n\ta_t *a;\n};\n"
    )
    compile_c(text)


def test_a_pointer_to_an_array_wants_its_elements(compile_c: CompileC) -> None:
    def make(add: BtfBuilder) -> None:
        add.add_struct("a", 8, [("rows", 2, 0)])
        add.add_ptr(3)
        add.add_array(4, 5, 3)
        add.add_struct("b", 4, [("x", 5, 0)])
        add.add_int("int", 4, signed=True)

    text = written(make)
    assert "\tstruct b (*rows)[3];\n" in text
    assert text.index("struct b {") < text.index("struct a {")
    compile_c(text)


def test_a_nameless_struct_behind_a_pointer_wants_its_members(
    compile_c: CompileC,
) -> None:
    def make(add: BtfBuilder) -> None:
        add.add_struct("a", 8, [("p", 2, 0)])
        add.add_ptr(3)
        add.add_struct("", 4, [("b", 4, 0)])
        add.add_struct("b", 4, [("x", 5, 0)])
        add.add_int("int", 4, signed=True)

    text = written(make)
    assert "struct a {\n\tstruct {\n\t\tstruct b b;\n\t} *p;\n};\n" in text
    assert text.index("struct b {") < text.index("struct a {")
    compile_c(text)


def test_names_that_are_there_twice_are_numbered(compile_c: CompileC) -> None:
    def make(add: BtfBuilder) -> None:
        int_ = add.add_int("int", 4, signed=True)
        add.add_struct("s", 4, [("first", int_, 0)])
        second = add.add_struct("s", 4, [("second", int_, 0)])
        add.add_union("s", 4, [("third", int_, 0)])
        add.add_struct("s___2", 4, [("own", int_, 0)])
        add.add_typedef("t", int_)
        add.add_typedef("t", second)
        add.add_enum("e", [("t", 1), ("A", 2)])
        add.add_enum("e", [("A", 3)])

    text = written(make)
    for line in (
        "struct s {\n\tint first;\n};",
        "struct s___3 {\n\tint second;\n};",
        "union s___4 {\n\tint third;\n};",
        "struct s___2 {\n\tint own;\n};",
        "typedef int t;",
        "typedef struct s___3 t___2;",
        "enum e {\n\tt___3 = 1,\n\tA = 2,\n};",
        "enum e___2 {\n\tA___2 = 3,\n};",
    ):
        assert f"{line}\n" in text
    compile_c(text)


def test_declared_and_defined_are_one(compile_c: CompileC) -> None:
    def make(add: BtfBuilder) -> None:
        add.add_fwd("s")
        add.add_fwd("u", union=True)
        add.add_struct("s", 8, [("u", 4, 0)])
        add.add_ptr(2)
        add.add_enum("e", [("A", 0)])
        add.add_enum("e")
        add.add_fwd("clash", union=True)
        add.add_struct("clash", 0)

    text = written(make)
    assert text.count("struct s") == text.count("union u;") == 1
    assert "enum e;" not in text
    assert "union clash___2;" in text
    compile_c(text)


def test_constants_of_a_nameless_enumeration_are_written(compile_c: CompileC) -> None:
    def make(add: BtfBuilder) -> None:
        add.add_enum("", [("INSIDE", 0)])
        add.add_enum("", [("LOOSE", 7)])
        add.add_struct("s", 8, [("x", 1, 0), ("y", 1, 32)])

    text = written(make)
    assert "enum {\n\tLOOSE = 7,\n};\n" in text
    assert "\t\tINSIDE = 0,\n\t} x;\n" in text
    assert "\t\tINSIDE___2 = 0,\n\t} y;\n" in text
    compile_c(text)
    assert "LOOSE" not in written(make, 3)
    assert written(make, 2, 2) == "enum {\n\tLOOSE = 7,\n};\n"


def test_enumerations_of_64_bits_keep_values_and_sizes(compile_c: CompileC) -> None:
    def make(add: BtfBuilder) -> None:
        add.add_enum64("large", [("A", 1 << 40), ("B", (1 << 64) - 1)])
        add.add_enum64("small", [("C", 1)])
        add.add_enum64("signed_", [("D", -(1 << 63)), ("E", -1)])
        add.add_enum("byte", [("F", 1)], size=1)

    text = written(make)
    assert "\tB = 18446744073709551615ULL,\n" in text
    assert "\tC = 1ULL,\n} __attribute__((mode(DI)));" in text
    assert "\tD = -0x7fffffffffffffffLL - 1,\n\tE = -1LL,\n" in text
    sizes = ("large", 8), ("small", 8), ("signed_", 8), ("byte", 1)
    compile_c(
        text
        + "".join(f'_Static_assert(sizeof(enum {n}) == {s}, "");\n' for n, s in sizes)
    )


LAYOUTS: dict[str, Make] = {
    "bit-fields": lambda add: add.add_struct(
        "s",
        24,
        [
            ("a", 1, 0, 3),
            ("b", 1, 8, 5),
            ("c", 2, 40),
            ("d", 3, 64, 40),
            ("e", 3, 128, 9),
        ],
    ),
    "bit-field over a unit": lambda add: add.add_struct(
        "s", 10, [("a", 3, 0, 60), ("b", 3, 60, 10), ("c", 2, 72)]
    ),
    "packed": lambda add: add.add_struct(
        "s", 7, [("a", 2, 0), ("b", 1, 8), ("c", 2, 48)]
    ),
    "packed at the end": lambda add: add.add_struct(
        "s", 5, [("a", 1, 0), ("b", 2, 32)]
    ),
    "padding": lambda add: add.add_struct(
        "s", 64, [("a", 2, 0), ("b", 1, 128), ("c", 2, 264)]
    ),
    "much padding": lambda add: add.add_struct(
        "s", 65544, [("a", 2, 24), ("b", 3, 524288)]
    ),
    "aligned union": lambda add: add.add_union("s", 64, [("a", 2, 0), ("b", 1, 0)]),
    "packed union": lambda add: add.add_union("s", 5, [("a", 4, 0), ("b", 1, 0)]),
    "flexible": lambda add: add.add_struct("s", 8, [("a", 3, 0), ("b", 5, 64)]),
    "wide": lambda add: add.add_struct("s", 32, [("a", 3, 0), ("b", 6, 128)]),
    "wide at 8": lambda add: add.add_struct("s", 24, [("a", 3, 0), ("b", 6, 64)]),
    "nothing": lambda add: add.add_struct("s", 0),
    "only padding": lambda add: add.add_struct("s", 12),
}


@pytest.mark.parametrize("byteorder", ["little", "big"])
@pytest.mark.parametrize("make", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_is_the_btfs(make: Make, byteorder: str, compile_c: CompileC) -> None:
    builder = BtfBuilder(byteorder)
    builder.add_int("int", 4, signed=True)
    builder.add_int("char", 1, char=True)
    builder.add_int("long long unsigned int", 8)
    builder.add_array(2, 1, 5)
    builder.add_array(3, 1, 0)
    builder.add_int("__int128", 16, signed=True)
    make(builder)
    # and the same as a member, so that its alignment counts too
    inside = builder.next_id - 1
    size = (builder_size(builder, inside) + 23) // 8 * 8
    builder.add_struct("around", size, [("c", 2, 0), ("s", inside, 64)])
    btf = Btf(builder.bytes())
    compile_c(header(btf) + "".join(vmlinux.assertions(btf)))


def builder_size(builder: BtfBuilder, type_id: int) -> int:
    found = Btf(builder.bytes()).type(type_id)
    return int(getattr(found, "size"))  # noqa: B009 (a union of types)


def test_integers_that_c_does_not_know_become_typedefs(compile_c: CompileC) -> None:
    def make(add: BtfBuilder) -> None:
        add.add_int("u8", 1)
        add.add_int("i64", 8, signed=True)
        add.add_int("bool", 1, bool=True)
        add.add_int("__Poly128_t", 16)
        add.add_struct("s", 32, [("a", 1, 0), ("b", 2, 64), ("c", 4, 128), ("d", 3, 8)])

    text = written(make, 5)
    assert "typedef unsigned char u8;\n" in text
    assert "typedef signed long long i64;\n" in text
    assert "typedef _Bool bool;\n" in text
    compile_c(text)


def test_the_va_list_of_another_compiler_keeps_its_size(compile_c: CompileC) -> None:
    def make(add: BtfBuilder) -> None:
        add.add_int("long", 8, signed=True)
        add.add_struct("__va_list_tag", 24, [("x", 4, 0)])
        add.add_array(2, 1, 1)
        add.add_array(1, 1, 3)
        add.add_typedef("__builtin_va_list", 3)
        add.add_typedef("va_list", 5)
        add.add_struct("s", 24, [("args", 6, 0)])

    text = written(make)
    compile_c(f'{text}\n_Static_assert(sizeof(struct s) == 24, "");')


def kfuncs(add: BtfBuilder) -> None:
    struct = add.add_struct("task", 4, [("x", 2, 0)])
    add.add_int("int", 4, signed=True)
    ptr = add.add_ptr(struct)
    typedef = add.add_typedef("flags_t", 2)
    proto = add.add_func_proto(ptr, [("task", ptr), ("flags", typedef)])
    for name, tags in (
        ("second", ("bpf_kfunc",)),
        ("first", ("bpf_kfunc", "bpf_fastcall")),
        ("other", ("bpf_fastcall",)),
    ):
        func = add.add_func(name, proto, 0)
        for tag in tags:
            add.add_decl_tag(tag, func)
    add.add_decl_tag("bpf_kfunc", proto)
    add.add_decl_tag("bpf_kfunc", add.add_func("argument", proto, 0), 0)


def test_kfuncs_are_declared_extern_weak_and_ksym(compile_c: CompileC) -> None:
    builder = BtfBuilder()
    kfuncs(builder)
    btf = Btf(builder.bytes())
    text = header(btf)
    prototype = "struct task *{}(struct task *task, flags_t flags) __weak __ksym;\n"
    lines = "".join(re.findall(r"^extern .*\n", text, re.MULTILINE))
    assert lines == (
        "extern __bpf_fastcall "
        + prototype.format("first")
        + "extern "
        + prototype.format("second")
    )
    compile_c(text)
    second = btf.find("second")
    assert second is not None
    text = header(btf, [second])
    assert "*second(" in text
    assert "first" not in text
    assert "flags_t;" in text
    assert "struct task;" in text
    compile_c(text)


def test_what_is_not_defined_is_not_the_kernels(compile_c: CompileC) -> None:
    """A program's own ``struct key`` must not be looked up in the kernel."""
    builder = BtfBuilder()
    builder.add_struct("user", 8, [("key", 2, 0)])
    builder.add_ptr(3)
    builder.add_struct("key", 0)
    text = header(Btf(builder.bytes()), [1])
    assert text.index("struct key;\n") < text.index("#pragma clang attribute push")
    compile_c(text)


def test_roots_limit_it(compile_c: CompileC) -> None:
    def make(add: BtfBuilder) -> None:
        add.add_struct("a", 16, [("b", 2, 0), ("c", 3, 64)])
        add.add_struct("b", 8, [("p", 5, 0)])
        add.add_ptr(4)
        add.add_struct("c", 4, [("x", 6, 0)])
        add.add_ptr(7)
        add.add_int("int", 4, signed=True)
        add.add_struct("d", 4, [("x", 6, 0)])

    text = written(make, 1)
    assert re.findall(r"struct (\w+)[;{ ]+\n", text) == ["c", "d", "b", "a"]
    compile_c(text)


def test_split_btf_is_written_with_its_base(compile_c: CompileC) -> None:
    base = BtfBuilder()
    base.add_int("int", 4, signed=True)
    base.add_struct("base", 4, [("x", 1, 0)])
    base_btf = Btf(base.bytes())
    split = BtfBuilder(base=base_btf)
    own = split.add_struct("own", 8, [("base", 2, 0), ("x", 1, 32)])
    split.add_struct("base", 4, [("other", 1, 0)])
    btf = Btf(split.bytes(), base=base_btf)
    text = header(btf)
    assert vmlinux.tags(text) == {"struct base", "struct own", "struct base___2"}
    compile_c(text)
    assert vmlinux.tags(header(btf, [own])) == {"struct base", "struct own"}


def test_both_byte_orders_give_one_text() -> None:
    little, big = (Btf(every_kind(order).bytes()) for order in ("little", "big"))
    # an array without a name is no member of C
    roots = [
        type_id for type_id in little.ids() if type_id not in {6, 7, *range(17, 36)}
    ]
    assert header(little, roots) == header(big, roots)


# Broken


BROKEN: dict[str, tuple[Make, str]] = {
    "struct in itself": (
        lambda add: add.add_struct("s", 8, [("s", 1, 0)]),
        "type 1 consists of itself",
    ),
    "typedef of itself": (lambda add: add.add_typedef("t", 1), "consists of itself"),
    "no such type": (
        lambda add: add.add_struct("s", 8, [("s", 9, 0)]),
        "type 1 refers to type 9",
    ),
    "no identifier": (
        lambda add: add.add_struct("s; int evil", 0),
        "'s; int evil' is no identifier",
    ),
    "constant": (
        lambda add: add.add_enum("e", [("A = 1, B", 0)]),
        "no identifier",
    ),
    "integer": (
        lambda add: add.add_typedef("t", add.add_int("int x; char", 4)),
        "is called 'int x; char'",
    ),
    "void member": (
        lambda add: add.add_struct("s", 8, [("s", 0, 0)]),
        "cannot be part of a struct",
    ),
    "tag": (
        lambda add: add.add_typedef("t", add.add_type_tag('")) int x[', 0)),
        "is the tag",
    ),
    "chain": (
        lambda add: [add.add_const(add.next_id + 1) for _ in range(5000)]
        and add.add_typedef("t", 1),
        r"nested too deep|refers|itself",
    ),
}


@pytest.mark.parametrize(("make", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_btf_is_refused(make: Make, message: str) -> None:
    builder = BtfBuilder()
    make(builder)
    with pytest.raises(BtfParseError, match=message):
        header(Btf(builder.bytes()))


def test_damaged_btf_gives_a_header_or_one_error() -> None:
    random = Random(0)  # noqa: S311 (mutations, no secrets)
    whole = every_kind().bytes()
    words = (0, 1, 2, 5, 9, 20, 255, 1 << 16, 1 << 31, (1 << 32) - 1)
    written = 0
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(random.choice((1, 1, 2, 5))):
            at = random.randrange(24, len(data) - 4)
            data[at : at + 4] = random.choice(words).to_bytes(4, "little")
        with contextlib.suppress(BtfParseError):
            btf = Btf(bytes(data))
            raw_dump(btf)
            header(btf, btf.ids())
            written += 1
    assert 0 < written < 2000


# The fixtures


def test_fixtures_compile_with_the_layout_of_their_btf(
    bpf_source: Source, compile_c: CompileC
) -> None:
    for byteorder in ("little", "big"):
        _, btf = btf_of(bpf_source, byteorder)
        compile_c(header(btf) + "".join(vmlinux.assertions(btf)))


@needs_bpftool
def test_fixtures_name_what_bpftool_names(bpf_source: Source) -> None:
    path, btf = btf_of(bpf_source)
    if not len(btf.ids()):
        return
    ours, theirs = header(btf), bpftool_c(path)
    assert vmlinux.tags(ours) == vmlinux.tags(theirs)
    assert vmlinux.typedefs(ours) == vmlinux.typedefs(theirs)
    # constants that only a variable's type has, are worth having too
    assert vmlinux.constants(ours) >= vmlinux.constants(theirs)
