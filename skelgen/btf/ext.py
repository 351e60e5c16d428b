"""BTF.ext: function, line and CO-RE records, one group a section of code."""

from struct import iter_unpack, unpack_from

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING, Generic, TypeVar
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import MAGIC, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from skelgen.btf.parse import Btf


class FuncInfo(Record):
    """``struct bpf_func_info``."""

    insn_off: int
    """Bytes from the start of the section."""
    type_id: int
    """``FUNC``."""


class LineInfo(Record):
    """``struct bpf_line_info``."""

    insn_off: int
    """Bytes from the start of the section."""
    file_name_off: int
    """String offset of the file name."""
    line_off: int
    """String offset of the text of the line."""
    line_col: int
    """Line number above, column in the lowest 10 bits."""

    @property
    def line(self) -> int:
        """Line number, from 1."""
        return self.line_col >> 10

    @property
    def column(self) -> int:
        """Column, from 1; 0 when not known."""
        return self.line_col & 0x3FF


class CoreRelo(Record):
    """``struct bpf_core_relo``."""

    insn_off: int
    """Bytes from the start of the section."""
    type_id: int
    """Local root type."""
    access_str_off: int
    """String offset of the access, e.g. ``"0:1:2"``."""
    kind: int
    """``enum bpf_core_relo_kind``."""


_Record = TypeVar("_Record", FuncInfo, LineInfo, CoreRelo)


class ExtSection(Record, Generic[_Record]):
    """The records of one section of code."""

    name_off: int
    """String offset of the section's name."""
    records: tuple[_Record, ...]


class BtfExt:
    """A ``.BTF.ext`` section, checked as libbpf checks it.

    Records longer than known are cut to what is known here. Raises
    :class:`BtfParseError`.
    """

    __slots__ = (
        "_header",
        "_prefix",
        "_raw",
        "byteorder",
        "core_relo",
        "func_info",
        "line_info",
    )

    def __init__(
        self, data: bytes | bytearray | memoryview, byteorder: str = "little"
    ) -> None:
        raw = bytes(data)
        self.byteorder = byteorder
        """``"little"`` or ``"big"``."""
        self._prefix = {"little": "<", "big": ">"}[byteorder]
        if len(raw) < 24:
            raise BtfParseError(
                f"btf.ext: {len(raw)} bytes are too few for a header", 0
            )
        magic, version, flags, length = unpack_from(self._prefix + "HBBI", raw)
        if magic != MAGIC:
            raise BtfParseError("btf.ext: no magic number, or the other byte order", 0)
        if version != VERSION or flags:
            raise BtfParseError(
                f"btf.ext: version {version} with flags {flags:#x} is not supported", 2
            )
        if not 24 <= length <= len(raw):
            raise BtfParseError(f"btf.ext: header of {length} bytes in {len(raw)}", 4)
        self._raw = raw
        self._header = length
        self.func_info = self._read(8, FuncInfo._make, 2)
        """Where each function starts, a group a section."""
        self.line_info = self._read(16, LineInfo._make, 4)
        """Source lines, a group a section."""
        self.core_relo = self._read(24, CoreRelo._make, 4)
        """CO-RE relocations, a group a section."""

    def _read(
        self, field: int, make: "Callable[[Iterable[int]], _Record]", words: int
    ) -> tuple[ExtSection[_Record], ...]:
        """Read the records that offset and length at ``field`` of the header name."""
        raw = self._raw
        if field + 8 > self._header:
            return ()  # core_relo was added later
        offset, size = unpack_from(self._prefix + "2I", raw, field)
        if size == 0:
            return ()
        start = self._header + offset
        end = start + size
        if offset % 4 or end > len(raw):
            raise BtfParseError(
                f"btf.ext: records at {offset}+{size} are not within the section", field
            )
        if size < 4:
            raise BtfParseError("btf.ext: no record size", start)
        (record_size,) = unpack_from(self._prefix + "I", raw, start)
        if record_size < 4 * words or record_size % 4:
            raise BtfParseError(f"btf.ext: records of {record_size} bytes", start)
        # the pad bytes of a format cut a longer record to what is known
        layout = f"{self._prefix}{words}I{record_size - 4 * words}x"
        found: list[ExtSection[_Record]] = []
        position = start + 4
        while position < end:
            if end - position < 8:
                raise BtfParseError("btf.ext: a group is cut off", position)
            name_off, count = unpack_from(self._prefix + "2I", raw, position)
            position += 8
            if count == 0 or count * record_size > end - position:
                raise BtfParseError(
                    f"btf.ext: {count} records in {end - position} bytes", position - 4
                )
            records = raw[position : position + count * record_size]
            found.append(
                ExtSection(name_off, tuple(map(make, iter_unpack(layout, records))))
            )
            position += len(records)
        return tuple(found)


def by_section(
    btf: "Btf", groups: "Iterable[ExtSection[_Record]]"
) -> dict[str, tuple[_Record, ...]]:
    """Return records by the name of their section, e.g. ``by_section(btf, ext.func_info)``.

    Groups of one name are joined.
    """
    found: dict[str, list[_Record]] = {}
    for name_off, records in groups:
        found.setdefault(btf.string(name_off), []).extend(records)
    return {name: tuple(records) for name, records in found.items()}
