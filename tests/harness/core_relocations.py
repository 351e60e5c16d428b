"""CO-RE relocations worked out on BTF that a test makes."""

from collections.abc import Callable, Sequence
from typing import Literal

from skelgen.btf.build import BtfBuilder
from skelgen.btf.core.reloc import CoreRelo, CoreRelocator, Value
from skelgen.btf.core.spec import ReloKind
from skelgen.btf.core.types import kinds_compatible
from skelgen.btf.names import essential_name
from skelgen.btf.parse import Btf
from skelgen.btf.types import Kind

Fill = Callable[[BtfBuilder], int]


def finder(*targets: Btf) -> Callable[[str, Kind], list[tuple[Btf, int]]]:
    def find(name: str, kind: Kind) -> list[tuple[Btf, int]]:
        return [
            (btf, type_id)
            for btf in targets
            for type_id in btf.ids()
            if kinds_compatible(kind, btf.kind(type_id))
            and essential_name(btf.name(type_id)) == name
        ]

    return find


def make(fill: Fill, byteorder: str = "little") -> tuple[Btf, int]:
    builder = BtfBuilder(byteorder)
    type_id = fill(builder)
    return Btf(builder.bytes()), type_id


def work_out(
    local: Fill,
    targets: Sequence[Fill],
    kind: ReloKind,
    access: str = "0",
    byteorder: Literal["little", "big"] = "little",
) -> Value:
    btf, type_id = make(local)
    relocator = CoreRelocator(btf, finder(*(make(fill)[0] for fill in targets)))
    relocator.byteorder = byteorder
    return relocator.value(CoreRelo(3, type_id, access, kind))


def point(b: BtfBuilder) -> int:
    """Struct with ints x, y, a bit-field of 3 bits, an array and a pointer."""
    int_id = b.add_int("int", 4, signed=True)
    uint_id = b.add_int("unsigned int", 4)
    array_id = b.add_array(uint_id, uint_id, 4)
    ptr_id = b.add_ptr(0)
    return b.add_struct(
        "point",
        48,
        [
            ("x", int_id, 0),
            ("y", uint_id, 32),
            ("bits", uint_id, 64, 3),
            ("list", array_id, 96),
            ("next", ptr_id, 256),
        ],
    )


def moved_point(b: BtfBuilder) -> int:
    """The same fields elsewhere, of other sizes, within anonymous members."""
    b.add_int("gap", 1)
    int_id = b.add_int("int", 8, signed=True)
    uint_id = b.add_int("unsigned int", 8)
    array_id = b.add_array(uint_id, uint_id, 4)
    ptr_id = b.add_ptr(0)
    inner = b.add_union("", 8, [("other", int_id, 0), ("y", uint_id, 0)])
    outer = b.add_struct("", 16, [("z", int_id, 0), ("", inner, 64)])
    return b.add_struct(
        "point",
        96,
        [
            ("", outer, 64),
            ("x", int_id, 192),
            ("bits", uint_id, 260, 7),
            ("list", array_id, 320),
            ("next", ptr_id, 576),
        ],
    )


def empty_point(b: BtfBuilder) -> int:
    return b.add_struct("point", 8, [])


def one(field: Fill) -> Fill:
    return lambda b: b.add_struct("s", 16, [("f", field(b), 0)])


def unsigned(size: int) -> Fill:
    return lambda b: b.add_int("u", size)


def signed(size: int) -> Fill:
    return lambda b: b.add_int("s", size, signed=True)


def pointer(b: BtfBuilder) -> int:
    return b.add_ptr(0)
