"""DWARF types written as BTF."""

from typing import TYPE_CHECKING

from skelgen.btf.edit import BtfEditor
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import ENUMS, Kind
from skelgen.btf.resolve import size_of
from skelgen.errors import ObjectError

if TYPE_CHECKING:
    from collections.abc import Callable

    from elftools.dwarf.die import DIE

    from skelgen.btf.parse import Btf
    from skelgen.elf.dwarf_index import Index

_MAX_DEPTH = 100  # types within types, far more than C code has

# DW_ATE_*: how a base type is encoded.
_BOOLEAN, _FLOAT = 0x02, 0x04
_SIGNED = frozenset((0x05, 0x06))
_UNSIGNED = frozenset((0x07, 0x08, 0x10, 0x12))  # and UTF, and ASCII
_OP_PLUS_UCONST = 0x23

_COMPOSITES = {
    "DW_TAG_structure_type": Kind.STRUCT,
    "DW_TAG_class_type": Kind.STRUCT,
    "DW_TAG_union_type": Kind.UNION,
}
_SCALARS = frozenset(("DW_TAG_base_type", "DW_TAG_enumeration_type"))


class TypeWriter:
    """Adds types to BTF, each once and after those it consists of."""

    def __init__(self, index: "Index", btf: "Btf") -> None:
        self._index = index
        self._btf = btf
        self._editor = BtfEditor(btf.raw)
        self._big = btf.byteorder == "big"
        self._known: dict[int, int] = {}
        self._open: set[int] = set()
        self._forward: dict[tuple[str, bool], int] = {}
        self._scalars: dict[tuple[str, int], int] = {}
        self._same: dict[tuple[str | int, ...], int | None] = {}
        self._index_type = 0

    def add(self, die: "DIE") -> int:
        """Add a type; return its number."""
        known = self._known.get(die.offset)
        if known is not None:
            return known
        if die.offset in self._open:
            raise self._fault(die, "consists of itself")
        if len(self._open) > _MAX_DEPTH:
            raise self._fault(die, f"types nested more than {_MAX_DEPTH} deep")
        self._open.add(die.offset)
        type_id = self._add(die)
        self._open.remove(die.offset)
        self._known[die.offset] = type_id
        return type_id

    def bytes(self) -> bytes:
        """Return the BTF as it is now."""
        try:
            return self._editor.bytes()
        except ValueError as error:
            raise ObjectError(f"DWARF types: {error}") from error

    def _add(self, die: "DIE") -> int:
        writers: dict[str, Callable[[DIE], int]] = {
            "DW_TAG_structure_type": self._add_composite,
            "DW_TAG_class_type": self._add_composite,
            "DW_TAG_union_type": self._add_composite,
            "DW_TAG_enumeration_type": self._add_enum,
            "DW_TAG_typedef": self._add_typedef,
            "DW_TAG_base_type": self._add_base,
            "DW_TAG_array_type": self._add_array,
            "DW_TAG_pointer_type": self._add_pointer,
            "DW_TAG_const_type": lambda d: self._editor.add_const(self._type_of(d)),
            "DW_TAG_volatile_type": lambda d: self._editor.add_volatile(
                self._type_of(d)
            ),
            "DW_TAG_restrict_type": lambda d: self._editor.add_restrict(
                self._type_of(d)
            ),
            "DW_TAG_atomic_type": self._type_of,
        }
        write = writers.get(str(die.tag))
        if write is None:
            raise self._fault(die, f"{die.tag} is not supported")
        return write(die)

    # What an entry says

    def _fault(self, die: "DIE", message: str) -> ObjectError:
        name = self._name(die)
        what = f"type '{name}'" if name else "a type without a name"
        return ObjectError(
            f"{what}: {message}", section=".debug_info", offset=die.offset
        )

    def _name(self, die: "DIE") -> str:
        attribute = die.attributes.get("DW_AT_name")
        if attribute is None or attribute.value is None:
            return ""
        return bytes(attribute.value).decode("utf-8", "backslashreplace")

    def _number(self, die: "DIE", attribute: str, default: int | None = None) -> int:
        """Return an attribute that is a constant of at most 32 bits."""
        found = die.attributes.get(attribute)
        value = default if found is None else found.value
        if not isinstance(value, int) or not 0 <= value <= 0xFFFFFFFF:
            raise self._fault(die, f"{attribute} is {value}")
        return value

    def _target(self, die: "DIE") -> "DIE | None":
        """Return the type that an entry refers to; ``None`` is ``void``."""
        if "DW_AT_type" not in die.attributes:
            return None
        return die.get_DIE_from_attribute("DW_AT_type")

    def _type_of(self, die: "DIE") -> int:
        target = self._target(die)
        return 0 if target is None else self.add(target)

    def _existing(self, name: str, size: int, *kinds: Kind) -> int | None:
        """Return a type of BTF that is the same, as far as name and size tell."""
        key: tuple[str | int, ...] = (name, size, *kinds)
        if key not in self._same:
            self._same[key] = None
            for type_id in self._btf.find_all(name, *kinds) if name else ():
                try:
                    if size_of(self._btf, type_id) == size:
                        self._same[key] = type_id
                        break
                except BtfParseError:
                    continue
        return self._same[key]

    # Kinds of types

    def _add_base(self, die: "DIE") -> int:
        name = self._name(die)
        size = self._number(die, "DW_AT_byte_size")
        encoding = self._number(die, "DW_AT_encoding")
        known = self._scalars.get((name, size))
        if known is None:
            known = self._existing(name, size, Kind.INT, Kind.FLOAT)
        if known is None:
            if encoding == _FLOAT:
                known = self._editor.add_float(name, size)
            elif encoding == _BOOLEAN or encoding in _SIGNED | _UNSIGNED:
                if not 0 < size <= 16:
                    raise self._fault(die, f"an integer of {size} bytes")
                known = self._editor.add_int(
                    name,
                    size,
                    signed=encoding in _SIGNED,
                    bool=encoding == _BOOLEAN,
                )
            else:
                raise self._fault(die, f"encoding {encoding:#x} is not supported")
        self._scalars[name, size] = known
        return known

    def _add_typedef(self, die: "DIE") -> int:
        name = self._name(die)
        target = self._type_of(die)
        existing = self._btf.find(name, Kind.TYPEDEF) if name else None
        if existing is not None and target < len(self._btf):
            found = self._btf.type(existing)
            if getattr(found, "type_id", None) == target:
                return existing
        return self._editor.add_typedef(name, target)

    def _add_pointer(self, die: "DIE") -> int:
        return self._editor.add_ptr(self._pointee(self._target(die), 0))

    def _pointee(self, die: "DIE | None", depth: int) -> int:
        """Return what a pointer leads to; structs declared, the unclear ``void``."""
        if die is None or depth > _MAX_DEPTH:
            return 0
        if die.offset in self._known:
            return self._known[die.offset]
        if die.tag in _COMPOSITES:
            return self._declared(die)
        target = self._target(die)
        wrap = {
            "DW_TAG_const_type": self._editor.add_const,
            "DW_TAG_volatile_type": self._editor.add_volatile,
            "DW_TAG_pointer_type": self._editor.add_ptr,
        }.get(str(die.tag))
        if wrap is not None:
            return wrap(self._pointee(target, depth + 1))
        named = die.tag == "DW_TAG_typedef"
        if die.tag in _SCALARS or (
            named and target is not None and target.tag in _SCALARS
        ):
            return self.add(die)
        return self._pointee(target, depth + 1) if named else 0

    def _declared(self, die: "DIE") -> int:
        """Return a struct or union that is defined already, else a declaration."""
        name = self._name(die)
        if not name:
            return 0
        kind = _COMPOSITES[str(die.tag)]
        existing = self._btf.find(name, kind)
        if existing is not None:
            return existing
        key = (name, kind is Kind.UNION)
        if key not in self._forward:
            self._forward[key] = self._editor.add_fwd(name, union=key[1])
        return self._forward[key]

    def _add_array(self, die: "DIE") -> int:
        type_id = self._type_of(die)
        ranges = [
            child
            for child in self._index.children.get(die.offset, ())
            if child.tag == "DW_TAG_subrange_type"
        ]
        if not ranges:
            raise self._fault(die, "an array without dimensions")
        if not self._index_type:
            self._index_type = self._existing(
                "__ARRAY_SIZE_TYPE__", 4, Kind.INT
            ) or self._editor.add_int("__ARRAY_SIZE_TYPE__", 4)
        for dimension in reversed(ranges):
            count = self._count(dimension)
            type_id = self._editor.add_array(type_id, self._index_type, count)
        return type_id

    def _count(self, die: "DIE") -> int:
        """Return the length of one dimension; 0 for a flexible array."""
        if "DW_AT_count" in die.attributes:
            return self._number(die, "DW_AT_count")
        upper = die.attributes.get("DW_AT_upper_bound")
        if upper is None or upper.value in {-1, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}:
            return 0
        return self._number(die, "DW_AT_upper_bound") + 1

    def _add_enum(self, die: "DIE") -> int:
        name = self._name(die)
        size = self._number(die, "DW_AT_byte_size", 4)
        existing = self._existing(name, size, *ENUMS)
        if existing is not None:
            return existing
        if size not in {1, 2, 4, 8}:
            raise self._fault(die, f"an enumeration of {size} bytes")
        values = [
            (self._name(child), self._constant(child))
            for child in self._index.children.get(die.offset, ())
            if child.tag == "DW_TAG_enumerator"
        ]
        wide = size == 8 or any(not -(1 << 31) <= v < 1 << 32 for _, v in values)
        if wide:
            return self._editor.add_enum64(name, values, size=size)
        return self._editor.add_enum(name, values, size=size)

    def _constant(self, die: "DIE") -> int:
        found = die.attributes.get("DW_AT_const_value")
        value = None if found is None else found.value
        if (
            found is None
            or not isinstance(value, int)
            or not -(1 << 63) <= value < (1 << 64)
        ):
            raise self._fault(die, f"enumerator of value {value}")
        return value

    def _add_composite(self, die: "DIE") -> int:
        if "DW_AT_declaration" in die.attributes:
            return self._declared(die)
        name = self._name(die)
        size = self._number(die, "DW_AT_byte_size")
        kind = _COMPOSITES[str(die.tag)]
        existing = self._existing(name, size, kind)
        if existing is not None:
            return existing
        members: list[tuple[str, int, int, int]] = []
        for child in self._index.children.get(die.offset, ()):
            if child.tag == "DW_TAG_variant_part":
                raise self._fault(die, "variants are not supported")
            if child.tag != "DW_TAG_member" or "DW_AT_external" in child.attributes:
                continue
            target = self._target(child)
            if target is None:
                raise self._fault(die, f"member '{self._name(child)}' has no type")
            offset, width = self._place(child, target)
            members.append((self._name(child), self.add(target), offset, width))
        write = (
            self._editor.add_union if kind is Kind.UNION else self._editor.add_struct
        )
        try:
            return write(name, size, members)
        except ValueError as error:
            raise self._fault(die, str(error)) from error

    def _place(self, die: "DIE", target: "DIE") -> tuple[int, int]:
        """Return where a member starts, in bits, and its width as a bit-field."""
        attributes = die.attributes
        location = attributes.get("DW_AT_data_member_location")
        start = 0 if location is None else self._location(die, location.value)
        if "DW_AT_bit_size" not in attributes:
            return self._bits(die, start), 0
        width = self._number(die, "DW_AT_bit_size")
        if "DW_AT_data_bit_offset" in attributes:  # DWARF 4
            return (
                self._bits(die, start) + self._number(die, "DW_AT_data_bit_offset"),
                width,
            )
        # Before, it was counted from the most significant bit of a storage unit.
        offset = self._number(die, "DW_AT_bit_offset", 0)
        if not self._big:
            storage = die if "DW_AT_byte_size" in attributes else target
            offset = self._number(storage, "DW_AT_byte_size") * 8 - offset - width
        if offset < 0:
            raise self._fault(die, "a bit-field outside of its storage unit")
        return self._bits(die, start) + offset, width

    def _bits(self, die: "DIE", start: int) -> int:
        if start > 0xFFFFFFFF // 8:
            raise self._fault(die, f"a member at byte {start}")
        return start * 8

    def _location(self, die: "DIE", value: object) -> int:
        """Return the offset of a member: a number, or DW_OP_plus_uconst of one."""
        if isinstance(value, int) and value >= 0:
            return value
        if isinstance(value, list) and len(value) > 1 and value[0] == _OP_PLUS_UCONST:
            number = 0
            for place, byte in enumerate(map(int, value[1:6])):  # ULEB128
                number |= (byte & 0x7F) << 7 * place
                if not byte & 0x80:
                    return number
        raise self._fault(die, "a member at a place that is no constant")
