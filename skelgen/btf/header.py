"""``struct btf_header``, checked against the data behind it."""

from mmap import mmap
from struct import pack, unpack_from

from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import MAGIC, VERSION

SIZE = 24
"""Bytes of a header without a layout section."""
SIZE_WITH_LAYOUT = 32


class Header:
    """Where the sections of a BTF lie; each is a pair of first and end byte.

    The header may be longer than what is known here, as a newer kernel's is.
    """

    __slots__ = ("byteorder", "extra", "layout", "strings", "types")

    def __init__(self, data: bytes | mmap) -> None:
        size = len(data)
        if size < SIZE:
            raise BtfParseError(f"btf: {size} bytes are too few for a header", 0)
        self.byteorder = "big" if data[0] == MAGIC >> 8 else "little"
        prefix = ">" if self.byteorder == "big" else "<"
        magic, version, _flags, length = unpack_from(prefix + "HBBI", data)
        if magic != MAGIC:
            raise BtfParseError("btf: no magic number, this is not BTF", 0)
        if version != VERSION:
            raise BtfParseError(f"btf: version {version} is not supported", 2)
        if not SIZE <= length <= size:
            raise BtfParseError(f"btf: header of {length} bytes in {size}", 4)
        type_off, type_len, str_off, str_len = unpack_from(prefix + "4I", data, 8)
        layout_off = layout_len = 0
        known = SIZE
        if length >= SIZE_WITH_LAYOUT:
            layout_off, layout_len = unpack_from(prefix + "2I", data, SIZE)
            known = SIZE_WITH_LAYOUT
        self.extra = any(data[known:length])
        """Whether the header says something that skelgen does not know."""
        if type_off % 4 or layout_off % 4:
            raise BtfParseError("btf: a section is not aligned to 4 bytes", 8)
        if type_off + type_len > str_off or length + str_off + str_len > size:
            raise BtfParseError(
                f"btf: types at {type_off}+{type_len} and strings at"
                f" {str_off}+{str_len} do not fit into {size - length} bytes",
                8,
            )
        if layout_len % 4:
            raise BtfParseError("btf: layout section ends inside a kind", SIZE + 4)
        if layout_len and not (
            type_off + type_len <= layout_off and layout_off + layout_len <= str_off
        ):
            raise BtfParseError("btf: layout is not between types and strings", SIZE)
        self.types: tuple[int, int] = (length + type_off, length + type_off + type_len)
        self.layout: tuple[int, int] = (
            length + layout_off,
            length + layout_off + layout_len,
        )
        self.strings: tuple[int, int] = (length + str_off, length + str_off + str_len)


def without_layout(data: bytes) -> bytes:
    """Return BTF without a layout section, with the header of kernels before 7.1.

    Types and strings are behind the header's 24 bytes, without gaps. BTF that is so
    already is returned as it is.
    """
    header = Header(data)
    types, strings = data[slice(*header.types)], data[slice(*header.strings)]
    prefix = ">" if header.byteorder == "big" else "<"
    sizes = pack(prefix + "5I", SIZE, 0, len(types), len(types), len(strings))
    return data[:4] + sizes + types + strings
