"""The three relations that CO-RE compares types by."""

from collections.abc import Callable

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.core.types import (
    SpecError,
    fields_compatible,
    kinds_compatible,
    types_compatible,
    types_match,
)
from skelgen.btf.names import essential_name
from skelgen.btf.parse import Btf
from skelgen.btf.types import Kind

Make = Callable[[BtfBuilder], int]


def build(make: Make) -> tuple[Btf, int]:
    builder = BtfBuilder()
    builder.add_int("padding", 1)  # so that numbers differ between the two sides
    type_id = make(builder)
    return Btf(builder.bytes()), type_id


def ask(
    relation: Callable[[Btf, int, Btf, int], bool], local: Make, target: Make
) -> bool:
    return relation(*build(local), *build(target))


def integer(size: int = 4, *, signed: bool = False, name: str = "int") -> Make:
    return lambda b: b.add_int(name, size, signed=signed)


def old_bitfield(b: BtfBuilder) -> int:
    return b.add_int("int", 4, bits=3, bit_offset=2)


def pointer(to: Make) -> Make:
    return lambda b: b.add_ptr(to(b))


def array(of: Make, nelems: int = 4) -> Make:
    return lambda b: b.add_array(of(b), 1, nelems)


def struct(name: str, *members: tuple[str, Make]) -> Make:
    return lambda b: b.add_struct(
        name,
        8,
        [(member, make(b), 32 * at) for at, (member, make) in enumerate(members)],
    )


def union(name: str) -> Make:
    return lambda b: b.add_union(name, 8, [])


def fwd(name: str, *, union: bool = False) -> Make:
    return lambda b: b.add_fwd(name, union=union)


def enum(name: str, *constants: str, size: int = 4) -> Make:
    return lambda b: b.add_enum(
        name, [(constant, at) for at, constant in enumerate(constants)], size=size
    )


def enum64(name: str, *constants: str) -> Make:
    return lambda b: b.add_enum64(
        name, [(constant, at) for at, constant in enumerate(constants)]
    )


def floating(size: int) -> Make:
    return lambda b: b.add_float("float", size)


def void(_: BtfBuilder) -> int:
    return 0


def proto(returns: Make, *params: Make) -> Make:
    return lambda b: b.add_func_proto(returns(b), [("x", make(b)) for make in params])


def dressed(make: Make) -> Make:
    """Typedef, const, volatile and a type tag around a type."""
    return lambda b: b.add_typedef(
        "t", b.add_const(b.add_volatile(b.add_type_tag("rcu", make(b))))
    )


@pytest.mark.parametrize(
    ("name", "essential"),
    [
        ("task_struct", "task_struct"),
        ("task_struct___old", "task_struct"),
        ("a___b___c", "a___b"),
        ("a___b", "a"),
        ("___a", "___a"),
        ("a___", "a___"),
        ("a____b", "a____b"),
        ("a_____b", "a_____b"),
        ("a___b___", "a"),
        ("a___b____c", "a"),
        ("_a___b", "_a"),
        ("", ""),
    ],
)
def test_the_essential_name_leaves_the_flavour_out(name: str, essential: str) -> None:
    assert essential_name(name) == essential


def test_enums_of_both_widths_are_of_one_kind() -> None:
    assert kinds_compatible(Kind.ENUM, Kind.ENUM64)
    assert kinds_compatible(Kind.STRUCT, Kind.STRUCT)
    assert not kinds_compatible(Kind.STRUCT, Kind.UNION)
    assert not kinds_compatible(Kind.ENUM, Kind.INT)


@pytest.mark.parametrize(
    ("local", "target", "expected"),
    [
        (integer(), integer(8, signed=True, name="long"), True),
        (integer(), old_bitfield, False),
        (integer(), pointer(void), False),
        (pointer(integer()), pointer(struct("s")), True),
        (struct("a"), union("b"), True),
        (struct("a"), fwd("a"), False),
        (floating(4), floating(8), True),
        (array(integer(), 4), array(integer(2), 9), True),
        (array(integer()), array(pointer(void)), False),
        (array(integer()), integer(), False),
        (enum("e", "A"), enum("e", "B"), True),
        (enum("e___v1"), enum("e"), True),
        (enum("e"), enum("f"), False),
        (enum("e"), enum(""), True),
        (enum("e"), enum64("e"), True),
        (fwd("s"), fwd("s___x"), True),
        (fwd("s"), fwd("t"), False),
        (dressed(integer()), integer(), True),
        (integer(), dressed(integer()), True),
        (proto(void), proto(void), False),
        (void, void, False),
    ],
)
def test_fields_are_compatible_as_core_has_it(
    local: Make, target: Make, *, expected: bool
) -> None:
    assert ask(fields_compatible, local, target) is expected


@pytest.mark.parametrize(
    ("local", "target", "expected"),
    [
        (struct("a", ("x", integer())), struct("b"), True),
        (struct("a"), union("a"), False),
        (integer(), integer(8), True),
        (integer(), old_bitfield, False),
        (enum("e"), enum64("f"), True),
        (fwd("s"), fwd("t"), True),
        (pointer(struct("a")), pointer(struct("b")), True),
        (pointer(struct("a")), pointer(integer()), False),
        (pointer(void), pointer(void), True),
        (pointer(void), pointer(integer()), False),
        (array(integer(), 2), array(integer(8), 3), True),
        (array(integer()), array(struct("s")), False),
        (proto(void), proto(void), True),
        (proto(void, integer()), proto(void, integer(8)), True),
        (proto(void, integer()), proto(void), False),
        (proto(void, integer()), proto(void, pointer(void)), False),
        (proto(integer()), proto(void), False),
        (dressed(integer()), dressed(integer(8)), True),
        (dressed(integer()), integer(), False),  # a typedef is looked up as such
        (floating(8), floating(8), False),  # as libbpf has it
    ],
)
def test_types_are_compatible_as_core_has_it(
    local: Make, target: Make, *, expected: bool
) -> None:
    assert ask(types_compatible, local, target) is expected


@pytest.mark.parametrize(
    ("local", "target", "expected"),
    [
        (integer(), integer(), True),
        (integer(), integer(8), False),
        (integer(), integer(signed=True), False),
        (integer(), integer(name="other"), False),
        (
            struct("s", ("a", integer())),
            struct("s", ("b", void), ("a", integer())),
            True,
        ),
        (struct("s", ("a", integer())), struct("s"), False),
        (struct("s", ("a", integer())), struct("s", ("b", integer())), False),
        (struct("s", ("a", integer())), struct("s", ("a", integer(8))), False),
        (struct("s___v"), struct("s"), True),
        (struct("s"), union("s"), False),
        (struct("s"), fwd("s"), False),
        (
            struct("s", ("p", pointer(struct("t", ("x", integer()))))),
            struct("s", ("p", pointer(struct("t")))),
            True,
        ),
        (pointer(struct("t")), pointer(fwd("t")), True),
        (pointer(struct("t")), pointer(fwd("t", union=True)), False),
        (pointer(fwd("t")), pointer(struct("t")), True),
        (pointer(fwd("t", union=True)), pointer(union("t")), True),
        (pointer(fwd("t")), pointer(union("t")), False),
        (pointer(fwd("t")), pointer(integer(name="t")), False),
        (pointer(struct("t")), pointer(struct("u")), False),
        (fwd("t"), fwd("t"), True),
        (fwd("t"), fwd("t", union=True), False),
        (enum("e", "A"), enum("e", "B", "A"), True),
        (enum("e", "A___v"), enum("e", "A"), True),
        (enum("e", "A", "B"), enum("e", "A"), False),
        (enum("e", "A"), enum("e", "A", size=1), False),
        (enum("e", "A", size=8), enum64("e", "A"), True),
        (enum("e"), integer(name="e"), False),
        (array(integer(), 4), array(integer(), 4), True),
        (array(integer(), 4), array(integer(), 5), False),
        (proto(void, integer()), proto(void, integer()), True),
        (proto(void, integer()), proto(void, integer(8)), False),
        (proto(void, integer()), proto(void), False),
        (proto(integer()), proto(integer(8)), False),
        (dressed(integer()), integer(), True),
        (void, void, True),
    ],
)
def test_types_match_as_core_has_it(
    local: Make, target: Make, *, expected: bool
) -> None:
    assert ask(types_match, local, target) is expected


def test_a_pointer_to_itself_ends() -> None:
    builder = BtfBuilder()
    builder.add_ptr(1)
    btf = Btf(builder.bytes())
    for relation in (types_compatible, types_match):
        with pytest.raises(SpecError, match="too deeply"):
            relation(btf, 1, btf, 1)


def test_a_function_that_takes_itself_ends() -> None:
    builder = BtfBuilder()
    builder.add_func_proto(0, [("f", 1)])
    btf = Btf(builder.bytes())
    for relation in (types_compatible, types_match):
        with pytest.raises(SpecError, match="too deeply"):
            relation(btf, 1, btf, 1)


def test_an_array_of_itself_ends() -> None:
    builder = BtfBuilder()
    builder.add_array(1, 1, 1)
    btf = Btf(builder.bytes())
    with pytest.raises(SpecError, match="too many dimensions"):
        fields_compatible(btf, 1, btf, 1)


def test_a_struct_that_holds_itself_ends() -> None:
    builder = BtfBuilder()
    builder.add_struct("s", 8, [("s", 1, 0)])
    btf = Btf(builder.bytes())
    with pytest.raises(SpecError, match="too deeply"):
        types_match(btf, 1, btf, 1)
