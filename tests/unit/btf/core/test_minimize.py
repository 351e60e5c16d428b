"""A cut BTF in place of the whole: every CO-RE relocation comes to the same."""

import contextlib
import random
from collections.abc import Iterable
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skelgen.btf.build import BtfBuilder
from skelgen.btf.core.minimize import BadRelocationError, CoreMinimizer, Unmet
from skelgen.btf.core.reloc import CoreRelo, CoreRelocator, Value
from skelgen.btf.core.spec import ReloKind, parse
from skelgen.btf.core.types import SpecError
from skelgen.btf.edit import BtfEditor
from skelgen.btf.errors import BtfParseError
from skelgen.btf.ext import BtfExt
from skelgen.btf.index import KernelBtf
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import skip_mods_and_typedefs
from skelgen.btf.subset import BtfSubset
from skelgen.btf.types import Array, Enum, Enum64, Kind, Struct, Union
from skelgen.btf.verify import check
from tests.harness.btf import VMLINUX, needs_kernel_btf

K = ReloKind
KINDS = [*K, *[kind for kind in K if kind.on_field or kind.on_enumerator] * 2]
NAMED = frozenset(
    {Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.TYPEDEF, Kind.INT, Kind.FWD}
)


def ext(btf: BtfBuilder, relos: Iterable[tuple[int, str, int]]) -> BtfExt:
    """Return BTF.ext of one section with relocations on instructions 0, 1, ..."""
    records = [
        pack("<4I", 8 * at, type_id, btf.add_string(access), kind)
        for at, (type_id, access, kind) in enumerate(relos)
    ]
    group = pack("<3I", 16, btf.add_string("tp/x"), len(records)) + b"".join(records)
    header = pack("<HBBI6I", 0xEB9F, 1, 0, 32, 0, 0, 0, 0, 0, len(group))
    return BtfExt(header + group)


def cut(
    source: BtfBuilder, local: BtfBuilder, *relos: tuple[int, str, int]
) -> tuple[KernelBtf, list[Unmet]]:
    minimizer = CoreMinimizer(KernelBtf(source.bytes()))
    records = ext(local, relos)
    unmet = minimizer.add(Btf(local.bytes()), records)
    return KernelBtf(minimizer.subset.bytes()), unmet


class Outcome:
    """What relocations come to, one after another, on one target."""

    def __init__(self, local: Btf, target: KernelBtf) -> None:
        def find(name: str, kind: Kind) -> list[tuple[Btf, int]]:
            return [(target, id_) for id_ in target.candidates(name, kind)]

        self._relocator = CoreRelocator(local, find)

    def of(self, relo: CoreRelo) -> Value | str:
        try:
            value = self._relocator.value(relo)
        except SpecError:
            return "refused"
        if relo.kind == K.TYPE_ID_TARGET:
            return "found" if value.new else "missing"
        return value


def assert_same(
    local: Btf, source: KernelBtf, part: KernelBtf, relos: list[CoreRelo]
) -> list[Value | str]:
    whole, less = Outcome(local, source), Outcome(local, part)
    values = []
    for relo in relos:
        value = whole.of(relo)
        assert less.of(relo) == value, whole._relocator.access(relo)
        values.append(value)
    return values


# -- what is kept ---------------------------------------------------------------


def task(b: BtfBuilder) -> dict[str, int]:
    """Add a task as a kernel has it."""
    int_ = b.add_int("int", 4, signed=True)
    pid_t = b.add_typedef("pid_t", b.add_const(int_))
    char = b.add_int("char", 1, char=True)
    comm = b.add_array(char, int_, 16)
    state = b.add_enum("state", [("S_RUN", 0), ("S_WAIT", 1), ("S_DEAD", 2)])
    head = b.add_struct("list_head", 16)
    self = b.next_id + 1
    ptr = b.add_ptr(self)
    struct = b.add_struct(
        "task",
        128,
        [
            ("pid", pid_t, 0),
            ("state", state, 32),
            ("parent", ptr, 64),
            ("", b.next_id + 1, 128),
            ("comm", comm, 256),
            ("flag", int_, 512, 3),
            ("tail", head, 640),
        ],
    )
    b.add_union("", 8, [("inner", int_, 0), ("other", ptr, 0)])
    return {"task": struct, "int": int_, "state": state, "ptr": ptr}


def local_task() -> tuple[BtfBuilder, int]:
    b = BtfBuilder()
    int_ = b.add_int("int", 4, signed=True)
    array = b.add_array(b.add_int("char", 1), int_, 16)
    struct = b.add_struct(
        "task___mine",
        64,
        [
            ("pid", int_, 0),
            ("parent", b.add_ptr(0), 64),
            ("inner", int_, 128),
            ("comm", array, 160),
            ("flag", int_, 320, 3),
            ("missing", int_, 384),
        ],
    )
    return b, struct


def test_members_that_are_used() -> None:
    source = BtfBuilder()
    task(source)
    local, struct = local_task()
    part, unmet = cut(
        source,
        local,
        (struct, "0:0", K.FIELD_BYTE_OFFSET),
        (struct, "0:1", K.FIELD_BYTE_OFFSET),
        (struct, "0:2", K.FIELD_EXISTS),
        (struct, "0:4", K.FIELD_LSHIFT_U64),
    )
    assert not unmet
    found = part.type(part.find("task", Kind.STRUCT) or 0)
    assert isinstance(found, Struct)
    assert found.size == 128
    assert [(one.name, one.bit_offset, one.bitfield_size) for one in found.members] == [
        ("pid", 0, 0),
        ("parent", 64, 0),
        ("", 128, 0),
        ("flag", 512, 3),
    ]
    pid, parent, anonymous, _ = (one.type_id for one in found.members)
    assert part.name(pid) == "int"  # no typedef, no qualifier
    assert (part.kind(parent), part.ref(parent)) == (Kind.PTR, 0)
    inside = part.type(anonymous)
    assert isinstance(inside, Union)
    assert [(one.name, inside.size) for one in inside.members] == [("inner", 8)]
    assert part.find("state") is part.find("char") is None
    assert len(part) == 1 + 4


def test_array_element() -> None:
    source = BtfBuilder()
    task(source)
    local, struct = local_task()
    part, _ = cut(source, local, (struct, "0:3:5", K.FIELD_BYTE_OFFSET))
    found = part.type(part.find("task") or 0)
    assert isinstance(found, Struct)
    array = part.type(found.members[0].type_id)
    assert isinstance(array, Array)
    assert array.nelems == 16
    assert part.name(array.type_id) == "char"


def test_constants_that_are_used() -> None:
    source = BtfBuilder()
    task(source)
    local = BtfBuilder()
    state = local.add_enum("state", [("S_DEAD___x", 5), ("S_GONE", 6)])
    part, unmet = cut(
        source,
        local,
        (state, "0", K.ENUMVAL_VALUE),
        (state, "1", K.ENUMVAL_EXISTS),
        (state, "1", K.ENUMVAL_VALUE),
    )
    found = part.type(part.find("state") or 0)
    assert isinstance(found, Enum)
    assert found.values == (("S_DEAD", 2),)
    assert unmet == [Unmet("state::S_GONE", "not in the BTF", guarded=True)]


def test_whole_types_have_no_members() -> None:
    source = BtfBuilder()
    task(source)
    local, struct = local_task()
    for kind in (K.TYPE_EXISTS, K.TYPE_SIZE):
        part, unmet = cut(source, local, (struct, "0", kind))
        assert not unmet
        found = part.type(1)
        assert isinstance(found, Struct)
        assert found == (1, "task", 128, (), False)
        assert len(part) == 2


def test_types_that_match_have_what_is_declared() -> None:
    source = BtfBuilder()
    task(source)
    local = BtfBuilder()
    int_ = local.add_int("int", 4, signed=True)
    ptr = local.add_ptr(local.next_id + 1)
    struct = local.add_struct("task", 16, [("pid", int_, 0), ("parent", ptr, 64)])
    part, _ = cut(source, local, (struct, "0", K.TYPE_MATCHES))
    found = part.type(part.find("task") or 0)
    assert isinstance(found, Struct)
    assert [one.name for one in found.members] == ["pid", "parent"]
    assert part.ref(found.members[1].type_id) == found.id


def test_a_refusal_stays_one() -> None:
    """``void *`` is no ``struct task *``, which a cut pointer must not hide."""
    source = BtfBuilder()
    task(source)
    local = BtfBuilder()
    struct = local.add_struct("task", 16, [("parent", local.add_ptr(0), 64)])
    relos = [
        CoreRelo(0, struct, "0:0", K.FIELD_BYTE_OFFSET),
        CoreRelo(1, struct, "0", K.TYPE_MATCHES),
    ]
    part, _ = cut(source, local, *(relo[1:] for relo in relos))
    own, whole = Btf(local.bytes()), KernelBtf(source.bytes())
    field, matches = assert_same(own, whole, part, relos)
    assert isinstance(field, Value)
    assert field.new == 8
    assert isinstance(matches, Value)
    assert matches.new == 0


def test_every_type_of_that_name() -> None:
    """One field is in two types, the next in the second only."""
    source = BtfBuilder()
    int_ = source.add_int("int", 4)
    source.add_struct("s", 8, [("a", int_, 0)])
    source.add_struct("s", 8, [("a", int_, 0), ("b", int_, 32)])
    local = BtfBuilder()
    int_ = local.add_int("int", 4)
    struct = local.add_struct("s", 8, [("a", int_, 0), ("b", int_, 32)])
    relos = [CoreRelo(0, struct, f"0:{at}", K.FIELD_BYTE_OFFSET) for at in (0, 1)]
    part, unmet = cut(source, local, *(relo[1:] for relo in relos))
    assert not unmet
    assert len(part.candidates("s", Kind.STRUCT)) == 2
    values = assert_same(
        Btf(local.bytes()), KernelBtf(source.bytes()), part, relos[::-1]
    )
    assert [value.new for value in values if isinstance(value, Value)] == [4, 0]


def test_open_array_in_the_middle() -> None:
    """Elements of ``int a[0]`` count where it ends its struct, and there alone."""
    source = BtfBuilder()
    int_ = source.add_int("int", 4)
    array = source.add_array(int_, int_, 0)
    source.add_struct("s", 8, [("a", array, 0), ("b", int_, 0), ("c", int_, 32)])
    local = BtfBuilder()
    int_ = local.add_int("int", 4)
    array = local.add_array(int_, int_, 0)
    struct = local.add_struct("s", 8, [("a", array, 0)])
    relos = [
        CoreRelo(0, struct, "0:0", K.FIELD_BYTE_OFFSET),
        CoreRelo(1, struct, "0:0:3", K.FIELD_BYTE_OFFSET),
    ]
    part, unmet = cut(source, local, *(relo[1:] for relo in relos))
    assert unmet == [Unmet("s.a[3]", "not in the BTF")]
    assert_same(Btf(local.bytes()), KernelBtf(source.bytes()), part, relos)


# -- what cannot be kept --------------------------------------------------------


def test_unmet() -> None:
    source = BtfBuilder()
    task(source)
    local, struct = local_task()
    part, unmet = cut(
        source,
        local,
        (struct, "0:5", K.FIELD_BYTE_OFFSET),
        (struct, "0:5", K.FIELD_BYTE_SIZE),
        (struct, "0", K.TYPE_ID_TARGET),
        (struct, "0", K.TYPE_ID_LOCAL),
        (struct, "0", K.TYPE_EXISTS),
    )
    assert [one.access for one in unmet] == ["task___mine.missing", "task___mine"]
    assert "number of a type" in unmet[1].why
    assert not any(one.guarded for one in unmet)
    assert part.find("task") == 1


def test_types_that_disagree() -> None:
    source = BtfBuilder()
    int_ = source.add_int("int", 4)
    source.add_struct("s", 8, [("a", int_, 0)])
    source.add_struct("s", 8, [("a", int_, 32)])
    local = BtfBuilder()
    struct = local.add_struct("s", 8, [("a", local.add_int("int", 4), 0)])
    relo = CoreRelo(0, struct, "0:0", K.FIELD_BYTE_OFFSET)
    part, unmet = cut(source, local, relo[1:])
    assert "which disagree" in unmet[0].why
    (value,) = assert_same(Btf(local.bytes()), KernelBtf(source.bytes()), part, [relo])
    assert value == "refused"


@pytest.mark.parametrize(
    ("relo", "message"),
    [
        ((3, "0:9", K.FIELD_BYTE_OFFSET), "no member number 9"),
        ((3, "0", 99), "unknown kind 99"),
        ((3, "x", K.FIELD_EXISTS), "no list of numbers"),
        ((2, "0", K.TYPE_EXISTS), "anonymous types"),
    ],
)
def test_nonsense(relo: tuple[int, str, int], message: str) -> None:
    local = BtfBuilder()
    int_ = local.add_int("int", 4)
    local.add_ptr(int_)
    local.add_struct("s", 4, [("a", int_, 0)])
    with pytest.raises(BadRelocationError, match=message) as caught:
        cut(BtfBuilder(), local, (3, "0:0", K.FIELD_EXISTS), relo)
    assert (caught.value.section, caught.value.offset) == ("tp/x", 8)


def test_a_type_that_is_not_there() -> None:
    with pytest.raises(BtfParseError, match="no type 7"):
        cut(BtfBuilder(), BtfBuilder(), (7, "0", K.TYPE_EXISTS))


def test_source_that_is_no_data() -> None:
    source = BtfBuilder()
    proto = source.add_func_proto(0)
    source.add_struct("s", 8, [("f", source.add_func("f", proto), 0)])
    local = BtfBuilder()
    field = local.add_struct("", 4)
    struct = local.add_struct("s", 8, [("f", field, 0)])
    part, unmet = cut(source, local, (struct, "0", K.TYPE_MATCHES))
    assert "is a FUNC" in unmet[0].why
    check(part)


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_in_the_order_of_the_source(byteorder: str) -> None:
    source = BtfBuilder(byteorder)
    task(source)
    local, struct = local_task()
    part, _ = cut(source, local, (struct, "0:0", K.FIELD_BYTE_OFFSET))
    assert part.byteorder == byteorder
    assert len(part) == 3


# -- whatever the types ---------------------------------------------------------


def accesses(btf: Btf, type_id: int, dice: random.Random) -> str:
    """Return an access string that goes some way into a type."""
    parts = ["0"]
    current = type_id
    while len(parts) < 6:
        found = btf.type(skip_mods_and_typedefs(btf, current))
        if isinstance(found, Struct | Union) and found.members:
            index = dice.randrange(len(found.members))
            current = found.members[index].type_id
        elif isinstance(found, Array):
            index = dice.randrange(max(found.nelems, 2))
            current = found.type_id
        else:
            break
        parts.append(str(index))
        if dice.random() < 0.2:
            break
    return ":".join(parts)


def some_relocations(
    btf: Btf, type_ids: Iterable[int], dice: random.Random
) -> list[CoreRelo]:
    """Return relocations of every kind that make sense in their own BTF."""
    relos = []
    for type_id in type_ids:
        if btf.kind(type_id) not in NAMED or not btf.name(type_id):
            continue
        kind = dice.choice(KINDS)
        access = "0"
        if kind.on_field and btf.kind(type_id) not in {Kind.STRUCT, Kind.UNION}:
            continue
        if kind.on_enumerator:
            enum = btf.type(skip_mods_and_typedefs(btf, type_id))
            if not isinstance(enum, Enum | Enum64) or not enum.values:
                continue
            access = str(dice.randrange(len(enum.values)))
        elif kind.on_field:
            access = accesses(btf, type_id, dice)
        relo = CoreRelo(len(relos), type_id, access, kind)
        try:
            parse(btf, type_id, access, kind)
        except (SpecError, BtfParseError):
            continue
        relos.append(relo)
    return relos


class Types:
    """BTF of a few types that share a few names.

    The same ``shape`` gives the same types, but for some ``much`` of the choices.
    """

    def __init__(self, shape: int, noise: random.Random, much: float) -> None:
        self._dice = random.Random(shape)  # noqa: S311 - types, no secrets
        self._noise = noise
        self._much = much
        self._b = b = BtfBuilder()
        self._integers = [
            b.add_int("int", 4, signed=True),
            b.add_int("long", 8),
            b.add_int("int", 4),
        ]
        self._sized = list(self._integers)  # what can be a member
        self._pointed = [0, *self._integers]
        self._inside: dict[int, set[str]] = {}  # members of anonymous types
        for _ in range(self._dice.randrange(4, 25)):
            what = self._dice.choice([*[self._composite] * 3, self._other, self._leaf])
            what()

    def bytes(self) -> bytes:
        return self._b.bytes()

    def _pick(self, *choices: Any) -> Any:
        usual = self._dice.choice(choices)
        if self._noise.random() < self._much:
            return self._noise.choice(choices)
        return usual

    def _name(self) -> str:
        name: str = self._pick("a", "b", "a___x", "c", "c___y")
        return name

    def _add(self, type_id: int) -> int:
        self._sized.append(type_id)
        self._pointed.append(type_id)
        return type_id

    def _composite(self) -> None:
        """Add a struct or union; no name is in one twice, as C has it."""
        members = []
        names: set[str] = set()
        for at in range(self._dice.randrange(1, 5)):
            name, type_id = self._pick("x", "y", "z", "w___v", ""), self._pick(
                *self._sized
            )
            width = self._pick(0, 0, 0, 3) if type_id in self._integers else 0
            new = {name} if name else self._inside.get(type_id, set())
            if new and names.isdisjoint(new):
                names |= new
                place = 64 * self._pick(at, at, at + 1)
                members.append((name, type_id, place, width if name else 0))
        add = self._pick(self._b.add_struct, self._b.add_struct, self._b.add_union)
        name = self._name() if self._pick(True, True, False) else ""
        type_id = self._add(add(name, 8 * len(members) + 8, members))
        if not name:
            self._inside[type_id] = names

    def _other(self) -> None:
        what = self._dice.randrange(4)
        if what == 0:
            length = self._dice.randrange(3)
            self._add(self._b.add_array(self._pick(*self._sized), 1, length))
        elif what == 1:
            self._add(self._b.add_ptr(self._pick(*self._pointed)))
        elif what == 2:
            self._add(self._b.add_typedef(self._name(), self._pick(*self._sized)))
        else:
            self._add(self._b.add_const(self._pick(*self._sized)))

    def _leaf(self) -> None:
        what = self._dice.randrange(3)
        if what == 0:
            add = self._pick(self._b.add_enum, self._b.add_enum64)
            count = self._dice.randrange(1, 4)
            values = [(self._pick(*"PQRS"), at) for at in range(count)]
            self._add(add(self._name(), values))
        elif what == 1:
            count = self._dice.randrange(3)
            params = [("p", self._pick(*self._sized)) for _ in range(count)]
            proto = self._b.add_func_proto(self._pick(*self._pointed), params)
            self._pointed.append(proto)
        else:
            fwd = self._b.add_fwd(self._name(), union=self._pick(True, False))
            self._pointed.append(fwd)


@settings(max_examples=200)
@given(st.integers(0, 1 << 48))
def test_the_same_with_less(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - types, no secrets
    shape = dice.randrange(1 << 48)
    source = KernelBtf(Types(shape, dice, 0).bytes())
    minimizer = CoreMinimizer(source)
    objects: list[tuple[Btf, list[CoreRelo]]] = []
    for _ in range(dice.randrange(1, 3)):
        data = Types(shape, dice, dice.choice([0, 0.1, 0.5])).bytes()
        local = Btf(data)
        relos = some_relocations(local, list(local.ids()) * 4, dice)
        if relos:
            # new strings go behind those of the BTF, whose types stay the same
            editor = BtfEditor(data)
            records = ext(editor, [relo[1:] for relo in relos])
            local = Btf(editor.bytes())
            minimizer.add(local, records)
            objects.append((local, relos))
    part = KernelBtf(minimizer.subset.bytes())
    check(part)
    assert len(part) <= len(source)
    assert len(part) == 1 + len(minimizer.subset)
    for local, relos in objects:
        dice.shuffle(relos)
        assert_same(local, source, part, relos)


def damaged(data: bytes, dice: random.Random) -> bytes:
    """Return data with a few words behind the header changed."""
    raw = bytearray(data)
    for _ in range(dice.randrange(3)):
        at = dice.randrange(24, len(raw))
        raw[at] = dice.choice([0, 1, 2, 0xFF, dice.randrange(256)])
    return bytes(raw)


@settings(max_examples=300)
@given(st.integers(0, 1 << 48))
def test_broken_types(seed: int) -> None:
    """BTF comes out, or one of the two errors that are promised."""
    dice = random.Random(seed)  # noqa: S311 - types, no secrets
    shape = dice.randrange(1 << 48)
    data = Types(shape, dice, 0.1).bytes()
    relos = some_relocations(Btf(data), list(Btf(data).ids()) * 2, dice)
    editor = BtfEditor(data)
    records = ext(editor, [relo[1:] for relo in relos]) if relos else None
    try:
        source = KernelBtf(damaged(Types(shape, dice, 0).bytes(), dice))
        local = Btf(damaged(editor.bytes(), dice))
    except BtfParseError:
        return
    minimizer = CoreMinimizer(source)
    if records is not None:
        with contextlib.suppress(BadRelocationError, BtfParseError):
            minimizer.add(local, records)
    KernelBtf(minimizer.subset.bytes())


def test_arrays_that_are_indexed_by_arrays() -> None:
    """As deep as one likes, which no compiler does."""
    b = BtfBuilder()
    for _ in range(5000):
        b.add_array(b.next_id + 1, b.next_id + 1, 1)
    int_ = b.add_int("int", 4)
    subset = BtfSubset(Btf(b.bytes()))
    subset.keep(1)
    assert len(subset) == int_


@needs_kernel_btf
def test_relocations_of_kernel_types() -> None:
    """The kernel's types as an object's: each of some hundred finds itself."""
    data = VMLINUX.read_bytes()
    source = KernelBtf(data)
    dice = random.Random(1)  # noqa: S311 - types, no secrets
    ids = dice.sample(range(1, len(source)), 5000)
    relos = some_relocations(source, ids, dice)
    assert len(relos) > 200
    editor = BtfEditor(data)
    records = ext(editor, [relo[1:] for relo in relos])
    local = Btf(editor.bytes())
    minimizer = CoreMinimizer(source)
    minimizer.add(local, records)
    small = minimizer.subset.bytes()
    assert len(small) < len(data) / 10
    part = KernelBtf(small)
    check(part)
    values = assert_same(local, source, part, relos)
    assert sum(isinstance(value, Value) for value in values) > 150
