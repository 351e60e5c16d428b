"""CO-RE: what a relocation's value is on the target kernel.

:class:`CoreRelocator` takes an object's records one by one, finds the candidates
for the type in the target's BTF, and works the value out on each. Facts from
libbpf's ``relo_core.c``: several candidates are fine while they agree.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.btf.core.spec import ReloKind, Spec, match, parse
from skelgen.btf.core.types import SpecError
from skelgen.btf.errors import BtfParseError
from skelgen.btf.names import essential_name
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import MAX_CHAIN, size_of, skip_mods_and_typedefs
from skelgen.btf.types import (
    AnyEnum,
    Array,
    Int,
    Kind,
    Ptr,
    Struct,
    Union,
)

if TYPE_CHECKING:
    from typing import TypeAlias

Candidates: TypeAlias = Callable[[str, Kind], list[tuple[Btf, int]]]
"""Finds the target's types of an essential name and a compatible kind."""


class CoreRelo(Record):
    """``struct bpf_core_relo``, with the access string spelled out."""

    insn: int
    """Index of the instruction in the linked program."""
    type_id: int
    access: str
    kind: int


class Value(Record):
    """The result of a relocation: a new operand, or poison."""

    poison: bool
    """Nothing in the target fits: make the instruction one the verifier refuses."""
    old: int = 0
    """The operand that the compiler wrote, from the object's own BTF."""
    new: int = 0
    check: bool = True
    """Whether the instruction must hold ``old``."""
    old_size: int = 0
    """Bytes of the field a load or store accesses; 0 when sizes do not matter."""
    new_size: int = 0
    resizable: bool = True
    """Whether a load or store may change its size to follow the field's."""


class _Answer(Record):
    """Value of a relocation on one BTF."""

    value: int
    check: bool = True
    size: int = 0
    type_id: int = 0


class CoreRelocator:
    """Works out relocations of one object against one target."""

    __slots__ = ("_candidates", "_find", "_values", "btf", "byteorder")

    def __init__(self, btf: Btf, find: Candidates) -> None:
        self.btf = btf
        """Of the object."""
        self._find = find
        self._candidates: dict[int, list[tuple[Btf, int]]] = {}
        self._values: dict[tuple[int, str, int], Value] = {}
        self.byteorder = sys.byteorder
        """Byte order of the programs."""

    def value(self, relo: CoreRelo) -> Value:
        """Return what a relocation comes to. Raises :class:`SpecError`."""
        key = relo[1:]
        value = self._values.get(key)
        if value is None:
            try:
                value = self._values[key] = self._work_out(relo)
            except BtfParseError as error:
                raise SpecError(str(error)) from error
        return value

    def access(self, relo: CoreRelo) -> str:
        """Return what a relocation asks for, as C: ``task_struct.real_parent``."""
        try:
            return parse(
                self.btf, relo.type_id, relo.access, ReloKind(relo.kind)
            ).access
        except (ValueError, BtfParseError):
            return f"type [{relo.type_id}] {relo.access}"

    def _work_out(self, relo: CoreRelo) -> Value:
        try:
            kind = ReloKind(relo.kind)
        except ValueError:
            raise SpecError(f"CO-RE relocation of unknown kind {relo.kind}") from None
        local = parse(self.btf, relo.type_id, relo.access, kind)
        if kind == ReloKind.TYPE_ID_LOCAL:
            # static linking renumbers types and leaves instructions as they are
            return Value(False, relo.type_id, relo.type_id, check=False)
        if not self.btf.name(relo.type_id):
            raise SpecError("anonymous types cannot be looked up")
        candidates = self._candidates_of(relo.type_id)
        fits = [
            (candidate, spec)
            for candidate in candidates
            if (spec := match(local, *candidate)) is not None
        ]
        if not fits:
            return self._combine(local, None)
        first = fits[0][1]
        value = self._combine(local, first)
        for _, spec in fits[1:]:
            self._check_agreement(first, value, spec, self._combine(local, spec))
        # what does not have one field is not asked for the next
        candidates[:] = [candidate for candidate, _ in fits]
        return value

    def _candidates_of(self, type_id: int) -> list[tuple[Btf, int]]:
        found = self._candidates.get(type_id)
        if found is None:
            name = essential_name(self.btf.name(type_id))
            found = list(self._find(name, self.btf.kind(type_id)))
            self._candidates[type_id] = found
        return found

    @staticmethod
    def _check_agreement(first: Spec, value: Value, spec: Spec, other: Value) -> None:
        if first.bit_offset != spec.bit_offset:
            raise SpecError(
                "the target has several types of that name which disagree:"
                f" bit offset {first.bit_offset} in [{first.root_id}]"
                f" and {spec.bit_offset} in [{spec.root_id}]"
            )
        if (value.poison, value.new) != (other.poison, other.new):
            raise SpecError(
                "the target has several types of that name which disagree:"
                f" {value.new} from [{first.root_id}]"
                f" and {other.new} from [{spec.root_id}]"
            )

    def _combine(self, local: Spec, target: Spec | None) -> Value:
        """Put the answers of the object's BTF and of the target's together."""
        kind = local.kind
        old = self._answer(local)
        if target is not None:
            new = self._answer(target)
        elif kind in _ZERO_IF_MISSING:
            new = _Answer(0)
        else:
            return Value(True)
        return Value(
            False,
            old.value,
            new.value,
            old.check,
            old.size,
            new.size,
            old.size == new.size
            or target is None
            or _resizable(local.btf, old.type_id, target.btf, new.type_id),
        )

    def _answer(self, spec: Spec) -> _Answer:
        kind = spec.kind
        if kind in _EXISTS:
            return _Answer(1)
        if kind == ReloKind.TYPE_ID_TARGET:
            return _Answer(spec.root_id, check=False)
        if kind == ReloKind.TYPE_SIZE:
            return _Answer(size_of(spec.btf, spec.root_id))
        if kind == ReloKind.ENUMVAL_VALUE:
            step = spec.steps[0]
            enum = spec.btf.type(step.type_id)
            assert isinstance(enum, AnyEnum)  # parse() looked
            return _Answer(enum.values[step.number].value)
        if not spec.steps[-1].name:
            return _element_answer(spec)
        return _member_answer(spec, self.byteorder)


_EXISTS = frozenset(
    {
        ReloKind.FIELD_EXISTS,
        ReloKind.TYPE_EXISTS,
        ReloKind.TYPE_MATCHES,
        ReloKind.ENUMVAL_EXISTS,
    }
)
_ZERO_IF_MISSING = _EXISTS | {ReloKind.TYPE_ID_TARGET, ReloKind.TYPE_SIZE}


def _element_answer(spec: Spec) -> _Answer:
    """Answer for a walk that ends in ``[n]``, or in the root type itself."""
    type_id = spec.steps[-1].type_id
    if spec.kind == ReloKind.FIELD_BYTE_OFFSET:
        size = size_of(spec.btf, _innermost_element(spec.btf, type_id))
        return _Answer(spec.bit_offset // 8, size=size, type_id=type_id)
    if spec.kind == ReloKind.FIELD_BYTE_SIZE:
        return _Answer(size_of(spec.btf, type_id))
    raise SpecError("an array element has an offset and a size alone")


def _member_answer(  # noqa: PLR0911 - one question after another
    spec: Spec, byteorder: str
) -> _Answer:
    """Answer for a walk that ends in a member."""
    btf, kind, step = spec.btf, spec.kind, spec.steps[-1]
    owner = btf.type(step.type_id)
    assert isinstance(owner, Struct | Union)  # a named step is in one
    member = owner.members[step.number]
    type_id = skip_mods_and_typedefs(btf, member.type_id)
    size = size_of(btf, type_id)
    offset = spec.bit_offset // 8
    bits = member.bitfield_size
    if bits:
        size, offset = _bitfield_word(spec.bit_offset, bits, size)
    # compilers and BTF may choose another word for a bit-field, so that what an
    # instruction holds cannot be foretold
    check = not bits
    bits = bits or size * 8
    if kind == ReloKind.FIELD_BYTE_OFFSET:
        if member.bitfield_size:
            return _Answer(offset, check)
        element = size_of(btf, _innermost_element(btf, type_id))
        return _Answer(offset, check, element, type_id)
    if kind == ReloKind.FIELD_BYTE_SIZE:
        return _Answer(size, check)
    if kind == ReloKind.FIELD_SIGNED:
        type_ = btf.type(type_id)
        return _Answer(int(isinstance(type_, Int | AnyEnum) and type_.signed))
    if kind == ReloKind.FIELD_RSHIFT_U64:
        return _Answer(64 - bits)
    inside = spec.bit_offset - offset * 8
    if byteorder == "little":
        return _Answer(64 - (inside + bits), check)
    return _Answer((8 - size) * 8 + inside, check)


def _bitfield_word(bit_offset: int, bits: int, size: int) -> tuple[int, int]:
    """Return size and offset of the smallest aligned word with the whole field."""
    if not size:
        raise SpecError("bit-field of a type without a size")
    offset = bit_offset // 8 // size * size
    while bit_offset + bits - offset * 8 > size * 8:
        if size >= 8:
            raise SpecError("bit-field does not fit into one 64-bit load")
        size *= 2
        offset = bit_offset // 8 // size * size
    return size, offset


def _innermost_element(btf: Btf, type_id: int) -> int:
    """Return the element type of an array, however many dimensions it has."""
    for _ in range(MAX_CHAIN):
        type_id = skip_mods_and_typedefs(btf, type_id)
        array = btf.type(type_id)
        if not isinstance(array, Array):
            return type_id
        type_id = array.type_id
    raise SpecError("array of too many dimensions")


def _resizable(old_btf: Btf, old_id: int, new_btf: Btf, new_id: int) -> bool:
    """Whether a load can follow a field's size: zero extension keeps the value.

    True for pointers and for unsigned integers (a signed one of another size would
    read as another number).
    """
    old, new = old_btf.type(old_id), new_btf.type(new_id)
    if isinstance(old, Ptr) and isinstance(new, Ptr):
        return True
    if isinstance(old, Int) and isinstance(new, Int):
        return not old.signed and not new.signed
    return False
