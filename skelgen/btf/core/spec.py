"""The question of a CO-RE relocation, and its place in the target.

A relocation names a type and an access string: ``0:1:2`` is member 2 of member 1
of element 0. A :class:`Spec` is that walk spelled out on one type, as bit offset
and as the names that count; :func:`match` walks the same names on another type.
"""

from enum import IntEnum

from skelgen._record import Record
from skelgen.btf.core.types import (
    SpecError,
    fields_compatible,
    types_compatible,
    types_match,
)
from skelgen.btf.names import essential_name
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import size_of, skip_mods_and_typedefs
from skelgen.btf.types import AnyEnum, Array, Struct, Union

_MAX_LEN = 64
"""``BPF_CORE_SPEC_MAX_LEN``: parts of an access string."""


class ReloKind(IntEnum):
    """``enum bpf_core_relo_kind``."""

    FIELD_BYTE_OFFSET = 0
    FIELD_BYTE_SIZE = 1
    FIELD_EXISTS = 2
    FIELD_SIGNED = 3
    FIELD_LSHIFT_U64 = 4
    FIELD_RSHIFT_U64 = 5
    TYPE_ID_LOCAL = 6
    TYPE_ID_TARGET = 7
    TYPE_EXISTS = 8
    TYPE_SIZE = 9
    ENUMVAL_EXISTS = 10
    ENUMVAL_VALUE = 11
    TYPE_MATCHES = 12

    @property
    def on_field(self) -> bool:
        """Whether it asks about a member or element."""
        return self <= ReloKind.FIELD_RSHIFT_U64

    @property
    def on_enumerator(self) -> bool:
        """Whether it asks about a constant of an enumeration."""
        return self in {ReloKind.ENUMVAL_EXISTS, ReloKind.ENUMVAL_VALUE}

    @property
    def on_type(self) -> bool:
        """Whether it asks about a whole type."""
        return not self.on_field and not self.on_enumerator


class Step(Record):
    """One step of a walk that counts: a named member, or an element."""

    type_id: int
    """Struct or union of the member; the element's own type."""
    number: int
    """Which member, element or enumerator."""
    name: str = ""
    """Name of the member or enumerator; empty for an element."""


class Spec:
    """A walk through a type, from its root to a field."""

    __slots__ = ("bit_offset", "btf", "kind", "path", "root_id", "steps")

    def __init__(self, btf: Btf, root_id: int, kind: ReloKind) -> None:
        self.btf = btf
        self.root_id = root_id
        self.kind = kind
        self.steps: list[Step] = []
        self.path: list[int] = []
        """Number of each part walked, those of anonymous members among them."""
        self.bit_offset = 0

    @property
    def access(self) -> str:
        """The walk as C writes it: ``task_struct.comm[1]``, ``enum pid_type::X``."""
        name = self.btf.name(self.root_id) or "(anonymous)"
        if self.kind.on_enumerator:
            return f"{name}::{self.steps[0].name}"
        parts = [name]
        for at, step in enumerate(self.steps):
            if step.name:
                parts.append("." + step.name)
            elif at or step.number:
                parts.append(f"[{step.number}]")
        return "".join(parts)

    def enter(self, index: int, bits: int) -> None:
        """Note another part walked."""
        if len(self.path) == _MAX_LEN:
            raise SpecError("access nests too deeply")
        self.path.append(index)
        self.bit_offset += bits


def parse(btf: Btf, type_id: int, access: str, kind: ReloKind) -> Spec:
    """Return the walk that a relocation of the object describes."""
    spec = Spec(btf, type_id, kind)
    if kind.on_type:
        if access != "0":
            raise SpecError(f"access string '{access}' on a whole type")
        return spec
    parts = _numbers(access)
    current = skip_mods_and_typedefs(btf, type_id)
    spec.enter(parts[0], 0)
    if kind.on_enumerator:
        enum = btf.type(current)
        if not isinstance(enum, AnyEnum):
            raise SpecError(f"type [{type_id}] is no enum")
        if len(parts) > 1 or parts[0] >= len(enum.values):
            raise SpecError(f"enum '{enum.name}' has no constant '{access}'")
        name = enum.values[parts[0]].name
        spec.steps.append(Step(current, parts[0], name))
        return spec
    spec.steps.append(Step(current, parts[0]))
    spec.bit_offset = parts[0] * size_of(btf, current) * 8
    for index in parts[1:]:
        current = _enter_local(spec, current, index)
    return spec


def _numbers(access: str) -> list[int]:
    parts = access.split(":")
    if len(parts) > _MAX_LEN or not all(
        part.isascii() and part.isdigit() for part in parts
    ):
        raise SpecError(f"access string '{access}' is no list of numbers")
    return [int(part) for part in parts]


def _enter_local(spec: Spec, type_id: int, index: int) -> int:
    """Go to a member or element by number; return its type."""
    btf = spec.btf
    type_id = skip_mods_and_typedefs(btf, type_id)
    type_ = btf.type(type_id)
    if isinstance(type_, Struct | Union):
        if index >= len(type_.members):
            raise SpecError(f"type '{type_.name}' has no member number {index}")
        member = type_.members[index]
        spec.enter(index, member.bit_offset)
        if member.name:
            spec.steps.append(Step(type_id, index, member.name))
        return member.type_id
    if isinstance(type_, Array):
        if index >= type_.nelems and not _is_flexible(spec, type_):
            raise SpecError(f"element {index} of an array of {type_.nelems}")
        return _enter_element(spec, type_, index)
    raise SpecError(f"type [{type_id}] has no parts")


def _enter_element(spec: Spec, array: Array, index: int) -> int:
    element = skip_mods_and_typedefs(spec.btf, array.type_id)
    spec.enter(index, index * size_of(spec.btf, element) * 8)
    spec.steps.append(Step(element, index))
    return element


def _is_flexible(spec: Spec, array: Array) -> bool:
    """Whether an array just reached is the open end of its struct."""
    last = spec.steps[-1]
    if not last.name or array.nelems > 0:
        return False
    owner = spec.btf.type(last.type_id)
    return isinstance(owner, Struct | Union) and last.number == len(owner.members) - 1


def match(local: Spec, target_btf: Btf, target_id: int) -> Spec | None:
    """Return the same walk on a type of the target; ``None`` where it has no such."""
    spec = Spec(target_btf, target_id, local.kind)
    if local.kind.on_type:
        relation = (
            types_match if local.kind == ReloKind.TYPE_MATCHES else types_compatible
        )
        fits = relation(local.btf, local.root_id, target_btf, target_id)
        return spec if fits else None
    if local.kind.on_enumerator:
        return spec if _match_enumerator(local, spec) else None
    current = target_id
    for at, step in enumerate(local.steps):
        found: int | None
        if step.name:
            found = _match_member(local.btf, step, spec, current)
        elif at == 0:
            found = _match_root(spec, current, step.number)
        else:
            found = _match_element(spec, current, step.number)
        if found is None:
            return None
        current = found
    return spec


def _match_enumerator(local: Spec, spec: Spec) -> bool:
    type_id = skip_mods_and_typedefs(spec.btf, spec.root_id)
    enum = spec.btf.type(type_id)
    if not isinstance(enum, AnyEnum):
        return False
    wanted = essential_name(local.steps[0].name)
    for index, value in enumerate(enum.values):
        if essential_name(value.name) == wanted:
            spec.steps.append(Step(type_id, index, value.name))
            return True
    return False


def _match_root(spec: Spec, type_id: int, index: int) -> int:
    type_id = skip_mods_and_typedefs(spec.btf, type_id)
    # the size counts for &p[n] alone, and a forward declaration has none
    spec.enter(index, index * size_of(spec.btf, type_id) * 8 if index else 0)
    spec.steps.append(Step(type_id, index))
    return type_id


def _match_element(spec: Spec, type_id: int, index: int) -> int | None:
    array = spec.btf.type(skip_mods_and_typedefs(spec.btf, type_id))
    if not isinstance(array, Array):
        return None
    if index >= array.nelems and not _is_flexible(spec, array):
        return None
    return _enter_element(spec, array, index)


def _match_member(local_btf: Btf, step: Step, spec: Spec, type_id: int) -> int | None:
    """Find a member by name, in anonymous members too; return its type."""
    type_id = skip_mods_and_typedefs(spec.btf, type_id)
    owner = spec.btf.type(type_id)
    if not isinstance(owner, Struct | Union):
        return None
    ours = local_btf.type(step.type_id)
    assert isinstance(ours, Struct | Union)  # parse() stepped into it
    for index, member in enumerate(owner.members):
        if member.name == step.name:
            if not fields_compatible(
                local_btf, ours.members[step.number].type_id, spec.btf, member.type_id
            ):
                return None
            spec.enter(index, member.bit_offset)
            spec.steps.append(Step(type_id, index, member.name))
            return member.type_id
        if not member.name:
            before = len(spec.path), spec.bit_offset
            spec.enter(index, member.bit_offset)
            found = _match_member(local_btf, step, spec, member.type_id)
            if found is not None:
                return found
            length, spec.bit_offset = before
            del spec.path[length:]
    return None
