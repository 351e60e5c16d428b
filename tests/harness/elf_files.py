"""ELF programs and libraries built by hand: of either class and byte order.

Code is at :data:`CODE`, which is :data:`CODE_OFFSET` of the file, and the section
headers say something else about it, for nothing may go by them.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

CODE, CODE_OFFSET, CODE_SIZE = 0x401000, 0x1000, 0x200
DATA, DATA_OFFSET = 0x500000, 0x2000
FUNC, OBJECT, NOTYPE, IFUNC = 2, 1, 0, 10
LOCAL, GLOBAL, WEAK = 0, 1, 2
UNDEF, ABS = 0, 0xFFF1


class Sym(NamedTuple):
    """A symbol; ``version`` is an index, with 0x8000 where it is hidden."""

    name: str
    address: int = CODE
    type: int = FUNC
    section: int = 1
    version: int = 1
    bind: int = GLOBAL
    size: int = 4


class Strings:
    """A table of strings that grows."""

    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        """Return where a text is, now."""
        at = len(self.data)
        self.data += text.encode() + b"\0"
        return at


class Builder:
    """Lays out a file: program headers, then data that is all in one segment."""

    def __init__(self, *, is_64: bool = True, order: str = "<", e_type: int = 3):
        self.is_64, self.order, self.e_type = is_64, order, e_type
        self.machine = 62
        self.word = "Q" if is_64 else "I"
        self.blobs = b""
        # type, address, offset, size, link, size of an entry; what is said of the code
        # is stale: another address, another place
        self.sections = [(0,) * 6, (1, 0x400000, 0x40, 0x10, 0, 0)]
        self.tags: list[tuple[int, int]] = []

    def pack(self, layout: str, *values: int) -> bytes:
        """Pack in the byte order of the file."""
        return struct.pack(self.order + layout, *values)

    def put(self, data: bytes) -> int:
        """Add data; return its file offset, which plus :data:`DATA` is its address."""
        at = DATA_OFFSET + len(self.blobs)
        self.blobs += data.ljust(-(-len(data) // 8) * 8, b"\0")
        return at

    def address(self, offset: int) -> int:
        """Return the address of what :meth:`put` added."""
        return DATA + offset - DATA_OFFSET

    def section(self, *, kind: int, at: int, data: bytes, link: int, entry: int) -> int:
        """Add a section header: of address, offset, size and link."""
        self.sections.append((kind, self.address(at), at, len(data), link, entry))
        return len(self.sections) - 1

    def symbols(self, symbols: Sequence[Sym], strings: Strings) -> bytes:
        """Return a symbol table."""
        table = bytes(24 if self.is_64 else 16)
        for s in symbols:
            name, info = strings.add(s.name), s.bind << 4 | s.type
            if self.is_64:
                table += self.pack(
                    "IBBHQQ", name, info, 0, s.section, s.address, s.size
                )
            else:
                table += self.pack(
                    "IIIBBH", name, s.address, s.size, info, 0, s.section
                )
        return table

    def symtab(self, symbols: Sequence[Sym]) -> None:
        """Add ``.symtab`` and its strings."""
        strings = Strings()
        self._table(2, self.symbols(symbols, strings), strings)

    def _table(
        self, kind: int, data: bytes, strings: Strings
    ) -> tuple[int, int, int, int]:
        """Add symbols; return the numbers of two sections and where they are."""
        at, strings_at = self.put(data), self.put(strings.data)
        link = self.section(kind=3, at=strings_at, data=strings.data, link=0, entry=0)
        entry = 24 if self.is_64 else 16
        number = self.section(kind=kind, at=at, data=data, link=link, entry=entry)
        return number, link, at, strings_at

    def dynamic(
        self,
        symbols: Sequence[Sym],
        *,
        versions: Sequence[str] = (),
        needed: Sequence[tuple[str, str]] = (),
        libraries: Sequence[str] = (),
        hashes: str = "gnu",
    ) -> None:
        """Add dynamic symbols with versions from 2 on, then those that are needed."""
        strings = Strings()
        names = [strings.add(text) for text in versions]
        pairs = [(strings.add(a), strings.add(b)) for a, b in needed]
        homes = [strings.add(text) for text in libraries]
        table = self.symbols(symbols, strings)
        count = len(symbols) + 1
        number, link, at, strings_at = self._table(11, table, strings)
        self.tags += [(6, self.address(at)), (5, self.address(strings_at))]
        self.tags += [(10, len(strings.data)), *((1, home) for home in homes)]
        if "sysv" in hashes:
            where = self.put(self.pack("IIII", 1, count, 0, 0))
            self.tags.append((4, self.address(where)))
        if "gnu" in hashes:
            self._gnu_hash([s.section != UNDEF for s in symbols])
        if versions or needed:
            numbers = [0, *(s.version for s in symbols)]
            self._versions(numbers, names, pairs, number, link)

    def _gnu_hash(self, hashed: Sequence[bool]) -> None:
        """All that are defined in one bucket; those imported have to come first."""
        first = 1 + hashed.index(True) if True in hashed else 0
        chain = [2] * (len(hashed) - first) + [3] if first else []
        data = self.pack("IIII", 1, first or len(hashed) + 1, 1, 0)
        data += self.pack(self.word, 0) + self.pack("I", first)
        data += b"".join(self.pack("I", value) for value in chain)
        self.tags.append((0x6FFFFEF5, self.address(self.put(data))))

    def _versions(
        self,
        numbers: Sequence[int],
        names: Sequence[int],
        pairs: Sequence[tuple[int, int]],
        table: int,
        strings: int,
    ) -> None:
        versym = b"".join(self.pack("H", number) for number in numbers)
        defined = needs = b""
        base = self.pack("HHHHIII", 1, 1, 1, 1, 0, 20, 28 if names else 0)
        defined += base + self.pack("II", 0, 0)
        for index, name in enumerate(names):
            step = 0 if index + 1 == len(names) else 28
            defined += self.pack("HHHHIII", 1, 0, index + 2, 1, 0, 20, step)
            defined += self.pack("II", name, 0)
        for index, (version, library) in enumerate(pairs):
            step = 0 if index + 1 == len(pairs) else 32
            needs += self.pack("HHIII", 1, 1, library, 16, step)
            number = len(names) + 2 + index
            needs += self.pack("IHHII", 0, 0, number, version, 0)
        for kind, tag, data, link in (
            (0x6FFFFFFF, 0x6FFFFFF0, versym, table),
            (0x6FFFFFFD, 0x6FFFFFFC, defined, strings),
            (0x6FFFFFFE, 0x6FFFFFFE, needs, strings),
        ):
            at = self.put(data)
            self.section(kind=kind, at=at, data=data, link=link, entry=0)
            self.tags.append((tag, self.address(at)))

    def build(
        self,
        *,
        section_headers: bool = True,
        segments: bool = True,
        count_in_first: bool = False,
    ) -> bytes:
        """Return the file."""
        header = 64 if self.is_64 else 52
        dynamic_at = self.put(
            b"".join(self.pack(self.word * 2, *tag) for tag in [*self.tags, (0, 0)])
        )
        size = len(self.blobs)
        rows = [(1, 5, CODE_OFFSET, CODE, CODE_SIZE), (1, 4, DATA_OFFSET, DATA, size)]
        if self.tags:
            dynamic_size = (len(self.tags) + 1) * (16 if self.is_64 else 8)
            rows.append((2, 4, dynamic_at, self.address(dynamic_at), dynamic_size))
        programs = b"".join(self._segment(*row) for row in rows) if segments else b""
        count = len(self.sections) if section_headers else 0
        sections_at = DATA_OFFSET + len(self.blobs) if section_headers else 0
        table = list(self.sections)
        if count_in_first:
            table[0] = (0, 0, 0, count, 0, 0)
        size_of = 64 if self.is_64 else 40
        ident = b"\x7fELF" + bytes(
            [2 if self.is_64 else 1, 1 if self.order == "<" else 2, 1]
        )
        head = ident.ljust(16, b"\0") + self.pack(
            f"HHI{self.word * 3}IHHHHHH",
            *(self.e_type, self.machine, 1, CODE, header if programs else 0),
            *(sections_at, 0, header, 56 if self.is_64 else 32),
            *(len(rows) if programs else 0, size_of),
            *(0 if count_in_first else count, 0),
        )
        data = (head + programs).ljust(CODE_OFFSET, b"\0").ljust(DATA_OFFSET, b"\x90")
        data += self.blobs
        if section_headers:
            data += b"".join(self._header(*row) for row in table)
        return data

    def _segment(
        self, kind: int, flags: int, offset: int, address: int, size: int
    ) -> bytes:
        if self.is_64:
            return self.pack(
                "IIQQQQQQ", kind, flags, offset, address, address, size, size, 1
            )
        return self.pack(
            "IIIIIIII", kind, offset, address, address, size, size, flags, 1
        )

    def _header(
        self, kind: int, address: int, offset: int, size: int, link: int, entry: int
    ) -> bytes:
        word = self.word
        return self.pack(
            f"II{word * 4}II{word * 2}",
            *(0, kind, 0, address, offset, size, link, 0, 1, entry),
        )
