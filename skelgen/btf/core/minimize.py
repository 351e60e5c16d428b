"""BTF cut to what CO-RE relocations look at.

With the part in place of the whole, every relocation comes to the same: a field
has its place, and what is not there, or is of another shape, is still not. Numbers
of types are the exception, for the part has its own.

A relocation on a field or a constant needs what it finds, in each type that has it:
two types may answer one question, and the next be answered by one of them only. For
one on a whole type, all is kept that a comparison looks at, whether the types turn
out the same or not.
"""

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.btf.core.reloc import CoreRelo, CoreRelocator
from skelgen.btf.core.spec import ReloKind, Spec, match, parse
from skelgen.btf.core.types import SpecError
from skelgen.btf.errors import BtfParseError
from skelgen.btf.names import essential_name
from skelgen.btf.resolve import skip_mods_and_typedefs
from skelgen.btf.subset import BtfSubset
from skelgen.btf.types import (
    AnyEnum,
    Array,
    FuncProto,
    Fwd,
    Ptr,
    Struct,
    Union,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from skelgen.btf.ext import BtfExt
    from skelgen.btf.index import KernelBtf
    from skelgen.btf.kinds import Kind
    from skelgen.btf.parse import Btf

_QUESTIONS = frozenset(
    {
        ReloKind.FIELD_EXISTS,
        ReloKind.TYPE_EXISTS,
        ReloKind.TYPE_MATCHES,
        ReloKind.ENUMVAL_EXISTS,
    }
)
"""Relocations that "no" is an answer to."""
_MISSING = "not in the BTF"


class Unmet(Record):
    """A relocation that has no answer in the BTF, or none that the part can give."""

    access: str
    """The question, as C: ``task_struct.no_such_field``."""
    why: str
    guarded: bool = False
    """Whether the object asks elsewhere if there is such a thing at all."""


class BadRelocationError(ValueError):
    """A CO-RE record that makes no sense in its object's own BTF."""

    def __init__(self, message: str, section: str, offset: int) -> None:
        super().__init__(message)
        self.section = section
        """Section of code."""
        self.offset = offset
        """Byte offset of the instruction."""


class CoreMinimizer:
    """Cuts one BTF to what some objects need of it."""

    __slots__ = ("_source", "subset")

    def __init__(self, source: "KernelBtf") -> None:
        self._source = source
        self.subset = BtfSubset(source)
        """The types that are needed so far."""

    def add(self, btf: "Btf", ext: "BtfExt") -> list[Unmet]:
        """Keep what an object needs, given its own types and relocations.

        Returns what it asks for in vain. Raises :class:`BadRelocationError`, and
        :class:`BtfParseError` for BTF that is broken.
        """
        one = _OneObject(btf, self._source, self.subset)
        for name_off, records in ext.core_relo:
            for insn_off, type_id, access_str_off, kind in records:
                access = btf.string(access_str_off)
                try:
                    one.add(CoreRelo(insn_off // 8, type_id, access, kind))
                except SpecError as error:
                    section = btf.string(name_off)
                    raise BadRelocationError(str(error), section, insn_off) from error
        return one.unmet()


class _OneObject:
    """The relocations of one object."""

    def __init__(self, btf: "Btf", source: "KernelBtf", subset: BtfSubset) -> None:
        self._btf = btf
        self._source = source
        self._subset = subset
        self._relocator = CoreRelocator(btf, self._find)
        self._seen: set[tuple[int, str, int]] = set()
        self._asked: set[str] = set()
        self._unmet: dict[Unmet, None] = {}

    def _find(self, name: str, kind: "Kind") -> "list[tuple[Btf, int]]":
        source = self._source
        return [(source, type_id) for type_id in source.candidates(name, kind)]

    def unmet(self) -> list[Unmet]:
        return [
            one._replace(guarded=one.why == _MISSING and one.access in self._asked)
            for one in self._unmet
        ]

    def add(self, relo: CoreRelo) -> None:
        """Keep what a relocation looks at. Raises :class:`SpecError` for nonsense."""
        if relo[1:] in self._seen:
            return
        self._seen.add(relo[1:])
        try:
            kind = ReloKind(relo.kind)
        except ValueError:
            raise SpecError(f"CO-RE relocation of unknown kind {relo.kind}") from None
        local = parse(self._btf, relo.type_id, relo.access, kind)
        if kind is ReloKind.TYPE_ID_LOCAL:
            return
        name = essential_name(self._btf.name(relo.type_id))
        if not name:
            raise SpecError("anonymous types cannot be looked up")
        if kind in _QUESTIONS:
            self._asked.add(local.access)
        candidates = self._source.candidates(name, self._btf.kind(relo.type_id))
        try:
            found = self._keep(local, candidates)
            self._note(relo, local, found=found)
        except (SpecError, BtfParseError) as error:
            self._unmet[Unmet(local.access, str(error))] = None

    def _note(self, relo: CoreRelo, local: Spec, *, found: bool) -> None:
        """Note a relocation whose answer the user should know about."""
        if not found:
            if local.kind not in _QUESTIONS:
                self._unmet[Unmet(local.access, _MISSING)] = None
        elif local.kind is ReloKind.TYPE_ID_TARGET:
            why = "the kernel's number of a type, which a part of its BTF does not tell"
            self._unmet[Unmet(local.access, why)] = None
        else:
            self._relocator.value(relo)  # which types of one name have to agree on

    def _keep(self, local: Spec, candidates: list[int]) -> bool:
        """Keep what a relocation looks at; return whether it fits any candidate."""
        found = False
        for type_id in candidates:
            spec = match(local, self._source, type_id)
            found = found or spec is not None
            if local.kind is ReloKind.TYPE_MATCHES:
                self._keep_matching(local.root_id, type_id)
            elif local.kind.on_type:
                self._keep_compatible(type_id)
            elif spec is not None and local.kind.on_enumerator:
                self._subset.keep_named(type_id)
                self._subset.keep_value(spec.steps[0].type_id, spec.steps[0].number)
            elif spec is not None:
                self._keep_field(spec)
        return found

    def _keep_field(self, spec: Spec) -> None:
        current = self._subset.keep_named(spec.root_id)
        for index in spec.path[1:]:
            found = self._source.type(current)
            if isinstance(found, Array):
                current = skip_mods_and_typedefs(self._source, found.type_id)
            else:
                current = self._subset.keep_member(current, index)

    def _keep_compatible(self, type_id: int) -> None:
        """Keep what ``types_compatible`` looks at: pointers, arrays, prototypes."""
        self._subset.keep_named(type_id)
        seen: set[int] = set()
        left = [type_id]
        while left:
            current = self._subset.keep(left.pop())
            if current in seen:
                continue
            seen.add(current)
            found = self._source.type(current)
            if isinstance(found, Ptr):
                left.append(self._subset.follow(current))
            elif isinstance(found, Array):
                left.append(found.type_id)
            elif isinstance(found, FuncProto):
                left += [found.type_id, *(param.type_id for param in found.params)]

    def _keep_matching(self, local_id: int, target_id: int) -> None:
        """Keep what ``types_match`` looks at, which depends on the local type."""
        self._subset.keep_named(target_id)
        seen: set[tuple[int, int, bool]] = set()
        left = [(local_id, target_id, False)]
        while left:
            local_id, target_id, behind = left.pop()
            target_id = self._subset.keep(target_id)
            pair = skip_mods_and_typedefs(self._btf, local_id), target_id, behind
            if pair not in seen:
                seen.add(pair)
                left += self._compared(*pair)

    def _compared(
        self, local_id: int, target_id: int, behind: bool  # noqa: FBT001 - of a triple
    ) -> "Iterator[tuple[int, int, bool]]":
        """Keep what is in a type that is compared; yield the pairs that are next."""
        local, target = self._btf.type(local_id), self._source.type(target_id)
        if isinstance(local, Fwd | Struct | Union) and behind:
            return  # names and kinds decide
        if isinstance(local, Struct | Union) and isinstance(target, Struct | Union):
            yield from self._members(local, target)
        elif isinstance(local, AnyEnum) and isinstance(target, AnyEnum):
            self._keep_constants(local, target)
        elif isinstance(local, Ptr) and isinstance(target, Ptr):
            yield local.type_id, self._subset.follow(target_id), True
        elif isinstance(local, Array) and isinstance(target, Array):
            yield local.type_id, target.type_id, behind
        elif isinstance(local, FuncProto) and isinstance(target, FuncProto):
            yield local.type_id, target.type_id, behind
            for mine, theirs in zip(local.params, target.params, strict=False):
                yield mine.type_id, theirs.type_id, behind

    def _members(
        self, local: Struct | Union, target: Struct | Union
    ) -> "Iterator[tuple[int, int, bool]]":
        places = _places(member.name for member in target.members)
        for member in local.members:
            for index in places.get(essential_name(member.name), ()):
                theirs = self._subset.keep_member(target.id, index)
                yield member.type_id, theirs, False

    def _keep_constants(self, local: AnyEnum, target: AnyEnum) -> None:
        places = _places(constant.name for constant in target.values)
        for constant in local.values:
            for index in places.get(essential_name(constant.name), ()):
                self._subset.keep_value(target.id, index)


def _places(names: "Iterable[str]") -> dict[str, list[int]]:
    """Return where each name is, without flavor."""
    places: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        places.setdefault(essential_name(name), []).append(index)
    return places
