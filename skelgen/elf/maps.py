"""Maps: structs of ``SEC(".maps")``, whose member types spell out the attributes.

``__uint(name, value)`` is a pointer to an array of `value` elements,
``__type(name, T)`` a pointer to T, ``__array(name, T)`` a flexible array of T and
``__ulong(name, value)`` an enumeration with one constant (``bpf_helpers.h``).
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import MAX_CHAIN, size_of, skip_mods_and_typedefs
from skelgen.btf.types import (
    AnyEnum,
    Array,
    Datasec,
    FuncProto,
    Fwd,
    Member,
    Ptr,
    Struct,
    Var,
    VarSecinfo,
)
from skelgen.elf.functions import Functions
from skelgen.elf.reader import ElfFile, Section
from skelgen.elf.roles import MAPS, Layout
from skelgen.errors import ObjectError
from skelgen.model import map_types
from skelgen.model.enums import MapType
from skelgen.model.spec import MapSpec, Pinning

_LINKAGES = {0: "static", 1: "global", 2: "extern"}
_INTEGERS = frozenset(
    ("type", "max_entries", "map_flags", "numa_node", "key_size", "value_size")
)


class _Declared(NamedTuple):
    """A map and the place of its struct."""

    spec: MapSpec
    offset: int
    """In ``.maps``."""
    size: int
    slots: int
    """Bytes before ``values`` in the struct; -1 when there is none."""


class Maps:
    """The maps of an object, in the order of ``.maps``."""

    __slots__ = ("_declared", "odd")

    def __init__(self, declared: list[_Declared], odd: tuple[str, ...] = ()) -> None:
        self._declared = declared
        self.odd = odd
        """Oddities of the maps, a sentence each."""

    @property
    def specs(self) -> tuple[MapSpec, ...]:
        """The maps themselves."""
        return tuple(declared.spec for declared in self._declared)

    @property
    def by_offset(self) -> dict[int, str]:
        """Names by offset in ``.maps``."""
        return {declared.offset: declared.spec.name for declared in self._declared}

    def fill(self, elf: ElfFile, layout: Layout, functions: Functions) -> None:
        """Fill in ``values`` from the relocations of ``.maps``."""
        filler = _Filler(elf, functions, self._declared)
        for section, target in layout.relocations:
            if target is layout.maps:
                self._declared = filler.fill(section, target)


def collect(btf: Btf | None, layout: Layout, dwarf_size: Callable[[str], int]) -> Maps:
    """Read the declarations of ``.maps``.

    ``dwarf_size`` gives the size of a struct or union by DWARF, or raises ObjectError.
    """
    section = layout.maps
    if section is None:
        return Maps([])
    if btf is None:
        raise ObjectError("maps need BTF; compile with -g", section=MAPS)
    type_id = btf.find(MAPS, Kind.DATASEC)
    datasec = btf.type(type_id) if type_id else None
    if not isinstance(datasec, Datasec):
        raise ObjectError("BTF does not describe this section", section=MAPS)
    declared: list[_Declared] = []
    names: set[str] = set()
    sizes = _Sizes(btf, dwarf_size)
    for var in datasec.vars:
        found = _declare(btf, section, var, sizes)
        if found.spec.name in names:
            raise ObjectError(
                f"map '{found.spec.name}': declared twice",
                section=MAPS,
                offset=found.offset,
            )
        names.add(found.spec.name)
        declared.append(found)
    return Maps(declared, tuple(sizes.odd))


class _Sizes:
    """How large keys and values are, where BTF does not say that too."""

    def __init__(self, btf: Btf, dwarf_size: Callable[[str], int]) -> None:
        self._btf = btf
        self._dwarf_size = dwarf_size
        self.odd: list[str] = []

    def of(self, type_id: int, map_: str, side: str) -> tuple[int, int]:
        """Return the size of a type, and the type unless BTF has but its name."""
        missing = self._declared_only(type_id)
        if missing is None:
            return size_of(self._btf, type_id), type_id
        forward, count = missing
        what = f"{'union' if forward.union else 'struct'} '{forward.name}'"
        text = f"map '{map_}': its {side} is {what}, of which BTF has the name alone"
        advice = (
            "clang before 16 leaves out what only an inner map names; declare a variable"
            f" of it ({what.replace(chr(39), '')} unused;), or use a newer clang"
        )
        try:
            size = count * self._dwarf_size(forward.name)
        except ObjectError as error:
            raise ObjectError(f"{text}: {error.message}; {advice}") from error
        self.odd.append(
            f"{text}: DWARF says {size} bytes, and in Python they are bytes; {advice}"
        )
        return size, 0

    def _declared_only(self, type_id: int) -> tuple[Fwd, int] | None:
        """Return a struct without definition, and how many of it a type has."""
        count = 1
        for _ in range(MAX_CHAIN):
            found = self._btf.type(skip_mods_and_typedefs(self._btf, type_id))
            if not isinstance(found, Array):
                return (found, count) if isinstance(found, Fwd) else None
            count *= found.nelems
            type_id = found.type_id
        return None


def _declare(btf: Btf, section: Section, place: VarSecinfo, sizes: _Sizes) -> _Declared:
    var = btf.type(place.type_id)
    if not isinstance(var, Var) or not var.name:
        raise ObjectError("a map without a name", section=MAPS, offset=place.offset)
    if var.linkage != 1:
        linkage = _LINKAGES.get(var.linkage, "unknown")
        raise ObjectError(
            f"map '{var.name}': is {linkage}; only global maps are supported",
            section=MAPS,
            offset=place.offset,
        )
    struct = btf.type(skip_mods_and_typedefs(btf, var.type_id))
    if not isinstance(struct, Struct):
        raise ObjectError(
            f"map '{var.name}': is no struct", section=MAPS, offset=place.offset
        )
    if place.offset + place.size > section.size or struct.size > place.size:
        raise ObjectError(
            f"map '{var.name}': its struct of {struct.size} bytes crosses the end of"
            " its variable or of the section",
            section=MAPS,
            offset=place.offset,
        )
    try:
        spec = _Definition(btf, var.name, sizes, inner=False).read(struct)
    except ObjectError as error:
        raise ObjectError(error.message, section=MAPS, offset=place.offset) from None
    except BtfParseError as error:
        raise ObjectError(
            f"map '{var.name}': {error.message}", section=MAPS, offset=place.offset
        ) from error
    last = struct.members[-1] if struct.members else None
    slots = last.bit_offset // 8 if last is not None and last.name == "values" else -1
    return _Declared(spec, place.offset, place.size, slots)


class _Definition:
    """Reader of one struct."""

    def __init__(self, btf: Btf, name: str, sizes: _Sizes, *, inner: bool) -> None:
        self._btf = btf
        self._sizes = sizes
        self._name = name
        self._inner = inner
        self._numbers: dict[str, int] = {}
        self._key_type = 0
        self._value_type = 0
        self._pinning = Pinning.NONE
        self._inner_spec: MapSpec | None = None

    def read(self, struct: Struct) -> MapSpec:
        """Read every member."""
        seen: set[str] = set()
        for member in struct.members:
            name = member.name
            if name in seen:
                raise self._fault(f"'{name}' is given twice")
            seen.add(name)
            if name == "values" and member is not struct.members[-1]:
                raise self._fault("'values' has to be the last member")
            self._read_attribute(name, member)
        numbers = self._numbers
        if not numbers.get("type"):
            raise self._fault("has no type")
        return MapSpec(
            self._name,
            self._type(),
            numbers.get("key_size", 0),
            numbers.get("value_size", 0),
            numbers.get("max_entries", 0),
            numbers.get("map_flags", 0),
            numbers.get("numa_node"),
            numbers.get("map_extra", 0),
            self._pinning,
            self._key_type,
            self._value_type,
            self._inner_spec,
        )

    def _read_attribute(self, name: str, member: Member) -> None:
        if name in _INTEGERS:
            self._set(name, self._integer(member))
        elif name == "key":
            self._key_type = self._sized("key_size", member)
        elif name == "value":
            self._value_type = self._sized("value_size", member)
        elif name == "map_extra":
            self._set(name, self._long(member))
        elif name == "pinning":
            self._pinning = self._read_pinning(member)
        elif name == "values":
            self._read_values(member)
        else:
            raise self._fault(f"unknown attribute '{name}'")

    def _fault(self, message: str) -> ObjectError:
        return ObjectError(f"map '{self._name}': {message}")

    def _set(self, name: str, value: int) -> None:
        known = self._numbers.setdefault(name, value)
        if known and known != value:  # key and key_size may both be given
            raise self._fault(f"conflicting {name}: {known} and {value}")
        self._numbers[name] = value

    def _type(self) -> MapType | int:
        number = self._numbers.get("type", 0)
        try:
            return MapType(number)
        except ValueError:
            return number

    def _integer(self, member: Member) -> int:
        pointer = self._btf.type(skip_mods_and_typedefs(self._btf, member.type_id))
        array = self._btf.type(pointer.type_id) if isinstance(pointer, Ptr) else None
        if not isinstance(array, Array):
            raise self._fault(f"'{member.name}' is no __uint()")
        return array.nelems

    def _long(self, member: Member) -> int:
        found = self._btf.type(skip_mods_and_typedefs(self._btf, member.type_id))
        if not isinstance(found, AnyEnum):
            return self._integer(member)
        if len(found.values) != 1:
            raise self._fault(f"'{member.name}' is no __ulong()")
        return found.values[0].value & 0xFFFFFFFFFFFFFFFF

    def _sized(self, attribute: str, member: Member) -> int:
        """Read the size of a key or value from its type; return the type."""
        pointer = self._btf.type(member.type_id)
        if not isinstance(pointer, Ptr):
            raise self._fault(f"'{member.name}' is no __type()")
        size, type_id = self._sizes.of(pointer.type_id, self._name, member.name)
        self._set(attribute, size)
        return type_id

    def _read_pinning(self, member: Member) -> Pinning:
        if self._inner:
            raise self._fault("an inner map cannot be pinned")
        number = self._integer(member)
        try:
            return Pinning(number)
        except ValueError:
            raise self._fault(f"pinning {number} is neither NONE nor BY_NAME") from None

    def _read_values(self, member: Member) -> None:
        """Read ``__array(values, ...)``: an inner map, or functions."""
        btf = self._btf
        kind = self._type()
        if self._inner:
            raise self._fault("maps in maps in maps are not supported")
        of_maps = map_types.row(kind).of_maps
        if not of_maps and kind is not MapType.PROG_ARRAY:
            raise self._fault("'values' are for maps of maps and program arrays")
        self._set("value_size", 4)
        array = btf.type(member.type_id)
        if not isinstance(array, Array) or array.nelems:
            raise self._fault("'values' is no __array()")
        pointer = btf.type(skip_mods_and_typedefs(btf, array.type_id))
        target = (
            btf.type(skip_mods_and_typedefs(btf, pointer.type_id))
            if isinstance(pointer, Ptr)
            else None
        )
        if kind is MapType.PROG_ARRAY:
            if not isinstance(target, FuncProto):
                raise self._fault("'values' of a program array are functions")
        elif isinstance(target, Struct):
            inner = _Definition(btf, f"{self._name}.inner", self._sizes, inner=True)
            self._inner_spec = inner.read(target)
        else:
            raise self._fault("'values' of a map of maps are maps")


class _Filler:
    """Reader of the relocations that say what ``values`` hold."""

    def __init__(
        self, elf: ElfFile, functions: Functions, declared: list[_Declared]
    ) -> None:
        self._elf = elf
        self._declared = sorted(declared, key=lambda d: d.offset)
        self._starts = [d.offset for d in self._declared]
        self._maps = {d.spec.name: d.spec for d in declared}
        self._programs = {
            (f.section.number, f.start * 8): f.name for f in functions.programs
        }
        self._slots: dict[str, dict[int, str]] = {}
        self._order = declared

    def fill(self, section: Section, maps: Section) -> list[_Declared]:
        """Read a relocation section; return the maps with their values."""
        for number, relocation in enumerate(self._elf.relocations(section)):
            try:
                self._fill(relocation.offset, relocation.symbol, maps)
            except ObjectError as error:
                raise ObjectError(
                    error.message, section=section.name, offset=number * 16
                ) from None
        return [
            d._replace(
                spec=d.spec._replace(
                    values=tuple(sorted(self._slots.get(d.spec.name, {}).items()))
                )
            )
            for d in self._order
        ]

    def _fill(self, offset: int, symbol_index: int, maps: Section) -> None:
        place = bisect_right(self._starts, offset) - 1
        declared = self._declared[place] if place >= 0 else None
        if declared is None or offset + 8 > declared.offset + declared.size:
            raise ObjectError(f"no map at .maps+{offset:#x}")
        spec = declared.spec
        index, odd = divmod(offset - declared.offset - declared.slots, 8)
        if declared.slots < 0 or odd or index < 0:
            raise ObjectError(f"map '{spec.name}': an initializer outside of 'values'")
        symbol = self._elf.symbols[symbol_index]
        name = self._elf.symbol_name(symbol)
        if spec.type is MapType.PROG_ARRAY:
            if self._programs.get((symbol.section, symbol.value)) is None:
                raise ObjectError(f"map '{spec.name}': '{name}' is no program")
            name = self._programs[symbol.section, symbol.value]
        elif symbol.section != maps.number or name not in self._maps:
            raise ObjectError(f"map '{spec.name}': '{name}' is no map")
        elif spec.type is MapType.HASH_OF_MAPS and spec.key_size != 4:
            raise ObjectError(
                f"map '{spec.name}': values need keys of 4 bytes, not {spec.key_size}"
            )
        self._slots.setdefault(spec.name, {})[index] = name
