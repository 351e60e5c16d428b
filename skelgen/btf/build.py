"""BTF written from nothing: for tests, for types found in DWARF, for minimal BTF."""

from builtins import bytes as _bytes  # a method is called bytes
from struct import error as struct_error
from struct import pack

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.header import SIZE, SIZE_WITH_LAYOUT
from skelgen.btf.kinds import MAGIC, MAX_VLEN, VERSION, Kind, info_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from skelgen.btf.parse import Btf


class BtfBuilder:
    """Collects types and strings; each ``add_*`` returns the number of its type.

    Nothing is checked but that numbers fit their fields (``ValueError``): a type may
    refer to one that is added later (see :attr:`next_id`), and a test may build what
    no compiler would. ``base`` starts split BTF, in the base's byte order.
    """

    def __init__(self, byteorder: str = "little", *, base: "Btf | None" = None) -> None:
        self.byteorder = base.byteorder if base is not None else byteorder
        """``"little"`` or ``"big"``."""
        self._prefix = {"little": "<", "big": ">"}[self.byteorder]
        self._base = base
        self._types = bytearray()
        self._positions: list[int] = []  # first byte of each type
        self._layout = b""
        self._strings = bytearray(b"" if base is not None else b"\0")
        self._start_string = 0
        self._known: dict[_bytes, int] = {b"": 0}
        self._next_id = 1
        if base is not None:
            self._start_string = base.start_string_offset + base.string_size
            self._next_id = len(base)

    @property
    def next_id(self) -> int:
        """Number that the next type gets."""
        return self._next_id

    def bytes(self) -> _bytes:
        """Return the BTF: header, types and strings."""
        size = SIZE_WITH_LAYOUT if self._layout else SIZE
        types, layout, strings = len(self._types), len(self._layout), len(self._strings)
        header = pack(
            self._prefix + "HBBI4I",
            MAGIC,
            VERSION,
            0,
            size,
            0,
            types,
            types + layout,
            strings,
        )
        if layout:
            header += pack(self._prefix + "2I", types, layout)
        return b"".join((header, self._types, self._layout, self._strings))

    # Strings

    def add_string(self, text: str | _bytes) -> int:
        """Store a string once and return its offset; ``""`` is 0."""
        raw = text if isinstance(text, bytes) else text.encode()
        if b"\0" in raw:
            raise ValueError(f"string {text!r}: has a NUL in it")
        offset = self._known.get(raw)
        if offset is None:
            offset = self._known[raw] = self._start_string + len(self._strings)
            self._strings += raw + b"\0"
        return offset

    # Types

    def _add(
        self,
        kind: Kind | int,
        name: str | _bytes = "",
        *,
        third: int = 0,
        vlen: int = 0,
        kflag: bool = False,
        payload: "Sequence[int]" = (),
    ) -> int:
        if not 0 <= vlen <= MAX_VLEN:
            raise ValueError(f"type '{name!s}': {vlen} elements are too many")
        info = info_word(kind, vlen, kflag=kflag)
        position = len(self._types)
        try:
            self._types += pack(
                f"{self._prefix}{3 + len(payload)}I",
                self.add_string(name),
                info,
                third,
                *payload,
            )
        except struct_error:
            raise ValueError(
                f"type '{name!s}': a number does not fit 32 bits"
            ) from None
        self._positions.append(position)
        type_id = self._next_id
        self._next_id += 1
        return type_id

    def add_int(
        self,
        name: str,
        size: int,
        *,
        signed: bool = False,
        char: bool = False,
        bool: bool = False,
        bits: int | None = None,
        bit_offset: int = 0,
    ) -> int:
        """Add an integer of ``size`` bytes."""
        encoding = signed | char << 1 | bool << 2
        width = 8 * size if bits is None else bits
        return self._add(
            Kind.INT,
            name,
            third=size,
            payload=(encoding << 24 | bit_offset << 16 | width,),
        )

    def add_ptr(self, type_id: int) -> int:
        """Add a pointer."""
        return self._add(Kind.PTR, third=type_id)

    def add_array(self, type_id: int, index_type_id: int, nelems: int) -> int:
        """Add an array of one dimension."""
        return self._add(Kind.ARRAY, payload=(type_id, index_type_id, nelems))

    def add_struct(
        self,
        name: str,
        size: int,
        members: "Iterable[tuple[str, int, int] | tuple[str, int, int, int]]" = (),
        *,
        kflag: bool | None = None,
    ) -> int:
        """Add a struct of ``size`` bytes.

        Members are ``(name, type id, bit offset[, bit-field size])``, as
        :class:`skelgen.btf.types.Member` is; ``kflag`` is set when one is a bit-field.
        """
        return self._add_composite(Kind.STRUCT, name, size, members, kflag=kflag)

    def add_union(
        self,
        name: str,
        size: int,
        members: "Iterable[tuple[str, int, int] | tuple[str, int, int, int]]" = (),
        *,
        kflag: bool | None = None,
    ) -> int:
        """Add a union; see :meth:`add_struct`."""
        return self._add_composite(Kind.UNION, name, size, members, kflag=kflag)

    def _add_composite(
        self,
        kind: Kind,
        name: str,
        size: int,
        members: "Iterable[tuple[str, int, int] | tuple[str, int, int, int]]",
        *,
        kflag: bool | None,
    ) -> int:
        whole = [member if len(member) == 4 else (*member, 0) for member in members]
        flag = any(member[3] for member in whole) if kflag is None else kflag
        payload: list[int] = []
        for member, type_id, bit_offset, width in whole:
            if flag and (bit_offset > 0xFFFFFF or width > 0xFF):
                raise ValueError(f"member '{member}': does not fit beside bit-fields")
            payload += (
                self.add_string(member),
                type_id,
                width << 24 | bit_offset if flag else bit_offset,
            )
        return self._add(
            kind, name, third=size, vlen=len(whole), kflag=flag, payload=payload
        )

    def add_enum(
        self,
        name: str,
        values: "Iterable[tuple[str, int]]" = (),
        *,
        size: int = 4,
        signed: bool | None = None,
    ) -> int:
        """Add an enumeration of 32-bit constants; signed when one is negative."""
        listed = list(values)
        flag = any(value < 0 for _, value in listed) if signed is None else signed
        payload: list[int] = []
        for constant, value in listed:
            payload += (self.add_string(constant), value & 0xFFFFFFFF)
        return self._add(
            Kind.ENUM, name, third=size, vlen=len(listed), kflag=flag, payload=payload
        )

    def add_enum64(
        self,
        name: str,
        values: "Iterable[tuple[str, int]]" = (),
        *,
        size: int = 8,
        signed: bool | None = None,
    ) -> int:
        """Add an enumeration of 64-bit constants; signed when one is negative."""
        listed = list(values)
        flag = any(value < 0 for _, value in listed) if signed is None else signed
        payload: list[int] = []
        for constant, value in listed:
            payload += (
                self.add_string(constant),
                value & 0xFFFFFFFF,
                value >> 32 & 0xFFFFFFFF,
            )
        return self._add(
            Kind.ENUM64, name, third=size, vlen=len(listed), kflag=flag, payload=payload
        )

    def add_fwd(self, name: str, *, union: bool = False) -> int:
        """Add a struct or union that is declared and not defined."""
        return self._add(Kind.FWD, name, kflag=union)

    def add_typedef(self, name: str, type_id: int) -> int:
        """Add a typedef."""
        return self._add(Kind.TYPEDEF, name, third=type_id)

    def add_volatile(self, type_id: int) -> int:
        """Add ``volatile``."""
        return self._add(Kind.VOLATILE, third=type_id)

    def add_const(self, type_id: int) -> int:
        """Add ``const``."""
        return self._add(Kind.CONST, third=type_id)

    def add_restrict(self, type_id: int) -> int:
        """Add ``restrict``."""
        return self._add(Kind.RESTRICT, third=type_id)

    def add_func(self, name: str, type_id: int, linkage: int = 1) -> int:
        """Add a function with a prototype; linkage 0 static, 1 global, 2 extern."""
        return self._add(Kind.FUNC, name, third=type_id, vlen=linkage)

    def add_func_proto(
        self, type_id: int, params: "Iterable[tuple[str, int]]" = ()
    ) -> int:
        """Add a prototype; a last parameter ``("", 0)`` makes it variadic."""
        payload: list[int] = []
        for name, param_type in params:
            payload += (self.add_string(name), param_type)
        return self._add(
            Kind.FUNC_PROTO, third=type_id, vlen=len(payload) // 2, payload=payload
        )

    def add_var(self, name: str, type_id: int, linkage: int = 1) -> int:
        """Add a variable; linkage 0 static, 1 global, 2 extern."""
        return self._add(Kind.VAR, name, third=type_id, payload=(linkage,))

    def add_datasec(
        self,
        name: str,
        size: int = 0,
        variables: "Iterable[tuple[int, int, int]]" = (),
    ) -> int:
        """Add a section; variables are ``(VAR id, offset, size)``, in bytes."""
        payload: list[int] = []
        for place in variables:
            payload += place
        return self._add(
            Kind.DATASEC, name, third=size, vlen=len(payload) // 3, payload=payload
        )

    def add_float(self, name: str, size: int) -> int:
        """Add a floating-point type of ``size`` bytes."""
        return self._add(Kind.FLOAT, name, third=size)

    def add_decl_tag(
        self,
        name: str,
        type_id: int,
        component_index: int = -1,
        *,
        attribute: bool = False,
    ) -> int:
        """Add a tag of a declaration, or of its member or parameter."""
        return self._add(
            Kind.DECL_TAG,
            name,
            third=type_id,
            kflag=attribute,
            payload=(component_index & 0xFFFFFFFF,),
        )

    def add_type_tag(self, name: str, type_id: int, *, attribute: bool = False) -> int:
        """Add a tag of a type."""
        return self._add(Kind.TYPE_TAG, name, third=type_id, kflag=attribute)
