"""A part of some BTF, written out as BTF of its own.

What CO-RE compares is kinds, names, sizes and places. So a kept struct has the
members that were asked for, at their offsets and in its full size; an enumeration
its constants that were asked for; a pointer points to ``void`` unless it is to be
followed; typedefs and qualifiers between two types are left out.
"""

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.build import BtfBuilder
from skelgen.btf.errors import BtfParseError
from skelgen.btf.resolve import skip_mods_and_typedefs
from skelgen.btf.types import (
    AnyEnum,
    Array,
    Enum,
    Enum64,
    Float,
    FuncProto,
    Fwd,
    Int,
    Ptr,
    Struct,
    Typedef,
    Union,
)

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf
    from skelgen.btf.types import Type

_DATA = (Int, Ptr, Array, Struct, Union, Enum, Enum64, Fwd, FuncProto, Float)


class BtfSubset:
    """Collects what to keep; the same is kept once, however often it is asked for."""

    __slots__ = ("_followed", "_kept", "btf")

    def __init__(self, btf: "Btf") -> None:
        self.btf = btf
        """The whole BTF."""
        # types, with the members or constants of each; no typedef but a root
        self._kept: dict[int, set[int]] = {}
        self._followed: set[int] = set()

    def __len__(self) -> int:
        """Count the types that are kept, pointers to ``void`` as one."""
        return max(self._numbers().values(), default=0)

    # What to keep

    def keep(self, type_id: int) -> int:
        """Keep the type behind typedefs and qualifiers; return its number.

        A struct, union or enumeration is kept without what is in it, an array with
        its elements' type. Raises :class:`BtfParseError` for functions, variables,
        sections and their tags.
        """
        left = [type_id]
        while left:
            current = skip_mods_and_typedefs(self.btf, left.pop())
            if not current or current in self._kept:
                continue
            found = self.btf.type(current)
            if not isinstance(found, _DATA):
                raise BtfParseError(
                    f"btf: type {current} is a {self.btf.kind(current).name},"
                    " which is no part of data"
                )
            self._kept[current] = set()
            if isinstance(found, Array):
                left += [found.type_id, found.index_type_id]
        return skip_mods_and_typedefs(self.btf, type_id)

    def keep_named(self, type_id: int) -> int:
        """Keep a type that is looked up by its name, which may be a typedef's."""
        if isinstance(self.btf.type(type_id), Typedef):
            self._kept.setdefault(type_id, set())
        return self.keep(type_id)

    def keep_member(self, type_id: int, index: int) -> int:
        """Keep a member of a kept struct or union; return the number of its type."""
        owner = self.btf.type(type_id)
        assert isinstance(owner, Struct | Union)  # callers looked
        base = self.keep(owner.members[index].type_id)
        self._kept[type_id].add(index)
        found = self.btf.type(base)
        last = len(owner.members) - 1
        if isinstance(found, Array) and not found.nelems and index < last:
            # only at the end of its struct an array is open
            self._kept[type_id].add(last)
            self.keep(owner.members[last].type_id)
        return base

    def keep_value(self, type_id: int, index: int) -> None:
        """Keep a constant of a kept enumeration."""
        self._kept[type_id].add(index)

    def follow(self, type_id: int) -> int:
        """Keep what a kept pointer points to; return the number of that type."""
        self._followed.add(type_id)
        return self.keep(self.btf.ref(type_id))

    # Writing

    def _numbers(self) -> dict[int, int]:
        """Return the new number of each type, in the order they had."""
        numbers: dict[int, int] = {}
        count = void_pointer = 0
        for type_id in sorted(self._kept):
            opaque = self._is_opaque(type_id)
            if opaque and void_pointer:
                numbers[type_id] = void_pointer
                continue
            count += 1
            numbers[type_id] = count
            if opaque:
                void_pointer = count
        return numbers

    def _is_opaque(self, type_id: int) -> bool:
        return type_id not in self._followed and isinstance(self.btf.type(type_id), Ptr)

    def bytes(self) -> bytes:
        """Return the BTF: the same for the same choice, in whatever order it was made."""
        builder = BtfBuilder(self.btf.byteorder)
        numbers = self._numbers()
        for type_id in sorted(self._kept):
            if numbers[type_id] == builder.next_id:
                self._write(builder, type_id, numbers)
        return builder.bytes()

    def _write(
        self, builder: BtfBuilder, type_id: int, numbers: dict[int, int]
    ) -> None:
        found = self.btf.type(type_id)
        inside = sorted(self._kept[type_id])

        def number(target: int) -> int:
            return numbers.get(skip_mods_and_typedefs(self.btf, target), 0)

        if isinstance(found, Struct | Union):
            add = builder.add_struct if isinstance(found, Struct) else builder.add_union
            members = [found.members[index] for index in inside]
            add(
                found.name,
                found.size,
                [member._replace(type_id=number(member.type_id)) for member in members],
            )
        elif isinstance(found, Ptr):
            builder.add_ptr(0 if self._is_opaque(type_id) else number(found.type_id))
        elif isinstance(found, Array):
            element, index = number(found.type_id), number(found.index_type_id)
            builder.add_array(element, index, found.nelems)
        elif isinstance(found, AnyEnum):
            enum = builder.add_enum if isinstance(found, Enum) else builder.add_enum64
            enum(
                found.name,
                [found.values[index] for index in inside],
                size=found.size,
                signed=found.signed,
            )
        elif isinstance(found, FuncProto):
            params = [(param.name, number(param.type_id)) for param in found.params]
            builder.add_func_proto(number(found.type_id), params)
        elif isinstance(found, Typedef):
            builder.add_typedef(found.name, number(found.type_id))
        else:
            _write_leaf(builder, found)


def _write_leaf(builder: BtfBuilder, found: "Type") -> None:
    if isinstance(found, Int):
        builder.add_int(
            found.name,
            found.size,
            signed=found.signed,
            char=found.char,
            bool=found.bool,
            bits=found.bits,
            bit_offset=found.bit_offset,
        )
    elif isinstance(found, Float):
        builder.add_float(found.name, found.size)
    elif isinstance(found, Fwd):
        builder.add_fwd(found.name, union=found.union)
