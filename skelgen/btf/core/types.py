"""When two types are the same for CO-RE: the three relations of libbpf.

``fields_compatible`` is asked of a member that a program reads, ``types_compatible``
of a type that a program names, ``types_match`` by ``bpf_core_type_matches()``. All
three look through typedefs and qualifiers. Rules as in libbpf's ``relo_core.c``.
"""

from skelgen.btf.kinds import ENUMS
from skelgen.btf.names import essential_name
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import skip_mods_and_typedefs
from skelgen.btf.types import (
    AnyEnum,
    Array,
    Float,
    FuncProto,
    Fwd,
    Int,
    Kind,
    Ptr,
    Struct,
    Type,
    Union,
    Void,
)

_MAX_DEPTH = 32
"""How deep pointers, arrays and parameters are followed, as in libbpf."""


class SpecError(ValueError):
    """A relocation, or a type that it names, that makes no sense."""


def kinds_compatible(local: Kind, target: Kind) -> bool:
    """Whether types of two kinds can be candidates of each other."""
    if local == target:
        return True
    return local in ENUMS and target in ENUMS


def _same_kind(local: Type, target: Type) -> bool:
    if isinstance(local, AnyEnum):
        return isinstance(target, AnyEnum)
    return type(local) is type(target)


def fields_compatible(
    local_btf: Btf, local_id: int, target_btf: Btf, target_id: int
) -> bool:
    """Whether a member of one type can be read as a member of the other.

    Any two structs or unions are, any two pointers, any two integers (their sizes
    are the relocation's business), arrays by their elements, enums and forward
    declarations of the same name or with one of them anonymous.
    """
    for _ in range(_MAX_DEPTH):
        local_id = skip_mods_and_typedefs(local_btf, local_id)
        target_id = skip_mods_and_typedefs(target_btf, target_id)
        local, target = local_btf.type(local_id), target_btf.type(target_id)
        if isinstance(local, Struct | Union) and isinstance(target, Struct | Union):
            return True
        if not _same_kind(local, target):
            return False
        if isinstance(local, Ptr | Float):
            return True
        if isinstance(local, AnyEnum | Fwd):
            ours = essential_name(local.name)
            theirs = essential_name(target_btf.name(target_id))
            return not ours or not theirs or ours == theirs
        if isinstance(local, Int) and isinstance(target, Int):
            return local.bit_offset == 0 and target.bit_offset == 0
        if isinstance(local, Array) and isinstance(target, Array):
            local_id, target_id = local.type_id, target.type_id
            continue
        return False
    raise SpecError("array of too many dimensions")


def types_compatible(
    local_btf: Btf, local_id: int, target_btf: Btf, target_id: int
) -> bool:
    """Whether a type that the program names can be this one of the target.

    The caller has compared the names. Kinds must be equal, pointers and arrays are
    followed, functions compared parameter by parameter; names, sizes and members
    are not looked at.
    """
    if not kinds_compatible(local_btf.kind(local_id), target_btf.kind(target_id)):
        return False
    return _Compatible(local_btf, target_btf).test(local_id, target_id, _MAX_DEPTH)


def types_match(local_btf: Btf, local_id: int, target_btf: Btf, target_id: int) -> bool:
    """Whether the target's type is what the program declares, and maybe more.

    Integers of the same size and sign, arrays of the same length, every member and
    enumerator of the local type there under its name; behind a pointer structs are
    compared by name and kind alone.
    """
    return _Match(local_btf, target_btf).test(local_id, target_id, _MAX_DEPTH)


class _Compatible:
    """One comparison of a type of the object with a type of the target."""

    __slots__ = ("_local", "_target")

    def __init__(self, local: Btf, target: Btf) -> None:
        self._local = local
        self._target = target

    def test(
        self, local_id: int, target_id: int, level: int, *, behind: bool = False
    ) -> bool:
        """Compare two types; ``behind`` says that a pointer was followed."""
        if level <= 0:
            raise SpecError("types nest too deeply")
        for _ in range(_MAX_DEPTH):
            local_id = skip_mods_and_typedefs(self._local, local_id)
            target_id = skip_mods_and_typedefs(self._target, target_id)
            local = self._local.type(local_id)
            target = self._target.type(target_id)
            verdict = self._verdict(local, target, level, behind=behind)
            if verdict is not None:
                return verdict
            behind = behind or isinstance(local, Ptr)
            local_id, target_id = _behind(local), _behind(target)
        raise SpecError("types nest too deeply")

    def _verdict(
        self, local: Type, target: Type, level: int, *, behind: bool
    ) -> bool | None:
        """Compare without following; ``None`` when what is behind decides."""
        if not _same_kind(local, target):
            return False
        if isinstance(local, Void | Struct | Union | AnyEnum | Fwd):
            return True
        if isinstance(local, Int) and isinstance(target, Int):
            return local.bit_offset == 0 and target.bit_offset == 0
        if isinstance(local, FuncProto) and isinstance(target, FuncProto):
            return self._params(local, target, level, behind=behind)
        return None if isinstance(local, Ptr | Array) else False

    def _params(
        self, local: FuncProto, target: FuncProto, level: int, *, behind: bool
    ) -> bool | None:
        if len(local.params) != len(target.params):
            return False
        for ours, theirs in zip(local.params, target.params, strict=True):
            if not self.test(ours.type_id, theirs.type_id, level - 1, behind=behind):
                return False
        return None  # the types that they return


class _Match(_Compatible):
    """The same for ``bpf_core_type_matches()``, which looks closer."""

    __slots__ = ()

    def _verdict(
        self, local: Type, target: Type, level: int, *, behind: bool
    ) -> bool | None:
        ours, theirs = self._local.name(local.id), self._target.name(target.id)
        if not _names_match(ours, theirs):
            return False
        if behind and isinstance(local, Fwd | Struct | Union):
            # a forward declaration stands for its struct or union
            return isinstance(target, Fwd | Struct | Union) and (
                _is_union(local) == _is_union(target)
            )
        if not _same_kind(local, target):
            return False
        if isinstance(local, Array) and isinstance(target, Array):
            return None if local.nelems == target.nelems else False
        if isinstance(local, Struct | Union) and isinstance(target, Struct | Union):
            return self._members(local, target, level)
        return self._leaf(local, target, level, behind=behind)

    def _leaf(
        self, local: Type, target: Type, level: int, *, behind: bool
    ) -> bool | None:
        if isinstance(local, Fwd) and isinstance(target, Fwd):
            return local.union == target.union
        if isinstance(local, AnyEnum) and isinstance(target, AnyEnum):
            return _enums_match(local, target)
        if isinstance(local, Int) and isinstance(target, Int):
            return local.size == target.size and local.signed == target.signed
        return super()._verdict(local, target, level, behind=behind)

    def _members(
        self, local: Struct | Union, target: Struct | Union, level: int
    ) -> bool:
        return all(
            any(
                _names_match(ours.name, theirs.name)
                and self.test(ours.type_id, theirs.type_id, level - 1)
                for theirs in target.members
            )
            for ours in local.members
        )


def _names_match(local: str, target: str) -> bool:
    return essential_name(local) == essential_name(target)


def _behind(type_: Type) -> int:
    return type_.type_id if isinstance(type_, Ptr | Array | FuncProto) else 0


def _is_union(type_: Fwd | Struct | Union) -> bool:
    return type_.union if isinstance(type_, Fwd) else isinstance(type_, Union)


def _enums_match(local: AnyEnum, target: AnyEnum) -> bool:
    if local.size != target.size:
        return False
    theirs = {essential_name(value.name) for value in target.values}
    return all(essential_name(value.name) in theirs for value in local.values)
