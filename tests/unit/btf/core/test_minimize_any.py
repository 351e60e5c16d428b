"""Whatever the types: every CO-RE relocation comes to the same on the cut BTF."""

import contextlib
import random
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from skelgen.btf.build import BtfBuilder
from skelgen.btf.core.minimize import BadRelocationError, CoreMinimizer
from skelgen.btf.core.reloc import CoreRelo, Value
from skelgen.btf.core.spec import parse
from skelgen.btf.core.types import SpecError
from skelgen.btf.edit import BtfEditor
from skelgen.btf.errors import BtfParseError
from skelgen.btf.index import KernelBtf
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import skip_mods_and_typedefs
from skelgen.btf.subset import BtfSubset
from skelgen.btf.types import Array, Enum, Enum64, Kind, Struct, Union
from skelgen.btf.verify import check
from tests.harness.btf import VMLINUX, needs_kernel_btf
from tests.harness.cut_btf import KINDS, NAMED, assert_same, ext


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
def test_relocations_come_to_the_same_with_less(seed: int) -> None:
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
def test_broken_types_give_btf_or_a_promised_error(seed: int) -> None:
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


def test_arrays_that_are_indexed_by_arrays_are_kept_however_deep() -> None:
    """As deep as one likes, which no compiler does."""
    b = BtfBuilder()
    for _ in range(5000):
        b.add_array(b.next_id + 1, b.next_id + 1, 1)
    int_ = b.add_int("int", 4)
    subset = BtfSubset(Btf(b.bytes()))
    subset.keep(1)
    assert len(subset) == int_


@needs_kernel_btf
def test_relocations_of_kernel_types_come_to_the_same_on_the_part() -> None:
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
