"""One section of an ELF file of any kind: where BTF of a kernel may be.

Read with :mod:`struct` as far as that takes, for the runtime has to do without an
ELF library. BPF objects, of which more is wanted, are ``skelgen.elf``'s.
"""

from mmap import mmap
from struct import error as StructError  # noqa: N812 - it is a class
from struct import unpack_from

from skelgen.btf.errors import BtfParseError

MAGIC = b"\x7fELF"
"""First bytes of an ELF file."""


def elf_section(data: bytes | mmap, name: str) -> bytes:
    """Return the contents of the section of an ELF file of any kind.

    Raises :class:`BtfParseError`: for broken ELF, and when there is no such section.
    """
    try:
        return _elf_section(data, name.encode())
    except StructError:
        raise BtfParseError("elf: headers reach past the end of the file") from None


def _elf_section(data: bytes | mmap, name: bytes) -> bytes:
    order = {1: "<", 2: ">"}.get(data[5:6][0] if len(data) > 5 else 0)
    wide = {1: False, 2: True}.get(data[4:5][0] if len(data) > 4 else 0)
    if order is None or wide is None:
        raise BtfParseError("elf: neither 32 nor 64 bits, or of no byte order", 4)
    table = unpack_from(order + ("Q" if wide else "I"), data, 40 if wide else 32)[0]
    size, count, strings = unpack_from(order + "3H", data, 58 if wide else 46)

    def header(index: int) -> tuple[int, int, int, int]:
        """Return name, type, offset and size of a section."""
        at = table + index * size
        if wide:
            fields = unpack_from(order + "IIQQQQ", data, at)
        else:
            fields = unpack_from(order + "IIIIII", data, at)
        return fields[0], fields[1], fields[4], fields[5]

    if not table or size < (64 if wide else 40) or strings >= count:
        raise BtfParseError("elf: no sections", 40)
    if table + count * size > len(data):
        raise BtfParseError("elf: headers reach past the end of the file", 40)
    names = header(strings)
    for index in range(count):
        name_at, kind, start, length = header(index)
        text = data[names[2] + name_at : names[2] + names[3]]
        if text.startswith(name + b"\0") and kind != 8:  # SHT_NOBITS has no bytes
            if start + length > len(data):
                raise BtfParseError(
                    f"elf: section {name.decode()} reaches past the end of the file",
                    start,
                )
            return data[start : start + length]
    raise BtfParseError(f"elf: no section {name.decode()}")
