"""Names found by bisection give what the plain reader finds, in sorted BTF alone."""

import itertools
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skelgen.btf.build import BtfBuilder
from skelgen.btf.index import KernelBtf
from skelgen.btf.kinds import Kind
from skelgen.btf.names import essential_name
from skelgen.btf.parse import Btf

KINDS = (Kind.STRUCT, Kind.UNION, Kind.TYPEDEF, Kind.FUNC, Kind.ENUM, Kind.ENUM64)
ADD = {
    Kind.STRUCT: lambda builder, name: builder.add_struct(name, 4),
    Kind.UNION: lambda builder, name: builder.add_union(name, 4),
    Kind.TYPEDEF: lambda builder, name: builder.add_typedef(name, 1),
    Kind.FUNC: lambda builder, name: builder.add_func(name, 1),
    Kind.ENUM: lambda builder, name: builder.add_enum(name),
    Kind.ENUM64: lambda builder, name: builder.add_enum64(name),
}
Named = tuple[str, Kind]

LONG = "long" * 12
NAMES = st.sampled_from(
    (
        *("s", "s___a", "s___b", "s__", "s_", "t", "ss", "r", "s____x", "é", "S", "z"),
        *(LONG, f"{LONG}b", f"{LONG}a", f"{LONG}___old"),
    )
)
NAMED = st.lists(st.tuples(NAMES, st.sampled_from(KINDS)), max_size=40)


def made(named: list[Named], anonymous: int = 3, base: Btf | None = None) -> bytes:
    """Return BTF with nameless types, then these in their order."""
    builder = BtfBuilder(base=base)
    for _ in range(anonymous):
        builder.add_ptr(0)
    for name, kind in named:
        ADD[kind](builder, name)
    return builder.bytes()


def in_order(named: list[Named]) -> list[Named]:
    return sorted(named, key=lambda one: one[0].encode())


def is_sorted(btf: KernelBtf) -> bool:
    return btf._sorted is not None


def assert_same(btf: KernelBtf, plain: Btf, names: set[str]) -> None:
    """Compare every answer about names with the plain reader's."""
    for name in names | {"", "a", "zz", "s\0", "s___", LONG[:-1]}:
        for kinds in ((), (Kind.STRUCT,), (Kind.FUNC, Kind.TYPEDEF)):
            found = plain.find_all(name, *kinds)
            assert btf.find_all(name, *kinds) == found, (name, kinds)
            assert btf.find_all(name, *kinds, own=True) == [
                type_id for type_id in found if type_id >= btf.start_id
            ]
        if name != essential_name(name) or not name:
            continue
        for kind in set(KINDS) - {Kind.FUNC}:
            enums = {Kind.ENUM, Kind.ENUM64}
            assert btf.candidates(name, kind) == [
                type_id
                for type_id in plain.ids()
                if essential_name(plain.name(type_id)) == name
                and (
                    plain.kind(type_id) is kind or {plain.kind(type_id), kind} <= enums
                )
            ]


@given(NAMED, st.integers(0, 3))
def test_bisection_finds_what_the_plain_reader_finds(
    named: list[Named], anonymous: int
) -> None:
    data = made(in_order(named), anonymous)
    btf = KernelBtf(data)
    assert is_sorted(btf)
    names = {name for name, _ in named}
    assert_same(btf, Btf(data), names)
    index = btf.index_bytes()
    again = KernelBtf.from_index(data, index)
    assert is_sorted(again)
    assert again.index_bytes() == index
    assert_same(again, Btf(data), names)


@given(NAMED, st.integers(0, 3))
def test_any_order_gives_the_same_answers(named: list[Named], anonymous: int) -> None:
    data = made(named, anonymous)
    btf = KernelBtf(data)
    raw = [name.encode() for name, _ in named]
    assert is_sorted(btf) == (raw == sorted(raw))
    assert_same(btf, Btf(data), {name for name, _ in named})
    again = KernelBtf.from_index(data, btf.index_bytes())
    assert is_sorted(again) == is_sorted(btf)
    assert_same(again, Btf(data), {name for name, _ in named})


@given(NAMED, NAMED)
def test_modules(named: list[Named], more: list[Named]) -> None:
    """Split BTF is sorted for itself; its names may be among the base's strings."""
    base_data = made(in_order(named))
    for order in (in_order, lambda one: one):
        plain_base, base = Btf(base_data), KernelBtf(base_data)
        builder = BtfBuilder(base=plain_base)
        known = {
            plain_base.name(n): plain_base.words[p]
            for n, p in zip(plain_base.ids(), plain_base.positions, strict=True)
        }
        builder._known |= {name.encode(): at for name, at in known.items() if name}
        for name, kind in order(more):
            ADD[kind](builder, name)
        data = builder.bytes()
        btf = KernelBtf(data, base=base)
        raw = [name.encode() for name, _ in order(more)]
        assert is_sorted(btf) == (raw == sorted(raw))
        assert_same(btf, Btf(data, base=plain_base), {name for name, _ in more})


def test_one_type_out_of_place_is_seen() -> None:
    """Wherever it is, among many: the names are looked at one by one."""
    named = [(f"{LONG}{n:04}", Kind.STRUCT) for n in range(300)]
    assert is_sorted(KernelBtf(made(named)))
    for place in range(0, 299, 13):
        wrong = named.copy()
        wrong[place], wrong[place + 1] = wrong[place + 1], wrong[place]
        btf = KernelBtf(made(wrong))
        assert not is_sorted(btf)
        assert btf.find(wrong[place][0]) == 4 + place
    for place in range(1, 300, 13):
        builder = BtfBuilder()
        for n, (name, kind) in enumerate(named):
            ADD[kind](builder, name if n != place else "")
        assert not is_sorted(KernelBtf(builder.bytes()))


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_a_look_reads_few_names(
    byteorder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = BtfBuilder(byteorder)
    names = ["".join(letters) for letters in itertools.product("abcdef", repeat=5)]
    for name in names:
        builder.add_struct(name, 4)
    btf = KernelBtf(builder.bytes())
    looks = 0
    head = KernelBtf.string_head

    def counted(self: KernelBtf, offset: int, width: int) -> bytes:
        nonlocal looks
        looks += 1
        return head(self, offset, width)

    monkeypatch.setattr(KernelBtf, "string_head", counted)
    for number in range(0, len(names), 777):
        looks = 0
        assert btf.find(names[number]) == number + 1
        assert 0 < looks <= 2 * len(names).bit_length()


def test_looks_without_end() -> None:
    """Short strings may be asked for as often as one likes."""
    btf = KernelBtf(made([("a", Kind.STRUCT), ("b", Kind.STRUCT)]))
    for _ in range(20_000):
        assert btf.find("b") == 5
    assert "skelgen.btf.sorted_names" in sys.modules
