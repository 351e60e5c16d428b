"""An object that is being changed, and what it is changed to."""

import random
from typing import TYPE_CHECKING, TypeAlias

from tests.fuzz import btf_model, elf_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.elf_model import Elf

EVIL = (
    b"'''",
    b'"""',
    b'"""\nimport os\n"""',
    b"'\nimport os #",
    b"\\N{DASH}",
    b"{{ x }}",
    b"class",
    b"None",
    b"__init__",
    b"__class__",
    b"_fields_",
    b"rt",
    b"self",
    b"mro",
    b"a b",
    b"*/",
    b"\xc3\xa9",
    b"\xe2\x80\xae",
    b"\xff\xfe",
    b"a" * 300,
    b"core::fmt::Arguments<'_>",
    b"",
)
"""Names that are none in C, or that mean something in Python."""


SECTIONS = (
    b".maps",
    b".BTF",
    b".BTF.ext",
    b".text",
    b".bss",
    b".data",
    b".data.x",
    b".rodata.y",
    b".addr_space.1",
    b".jumptables",
    b".struct_ops",
    b"?.struct_ops.link",
    b"license",
    b"version",
    b"maps",
    b"xdp",
    b"tc",
    b"kprobe/x",
    b"fentry/a:b",
    b"tp/x",
    b"uprobe//bin/x:f+0x10",
    b"?socket",
    b".kconfig",
    b".ksyms",
    b".symtab",
)


ATTRIBUTES = (
    *(b"type", b"key", b"value", b"max_entries", b"map_flags", b"map_extra"),
    *(b"key_size", b"value_size", b"pinning", b"numa_node", b"values", b"other"),
)


NUMBERS = (
    *(0, 1, 2, 3, 4, 7, 8, 13, 16, 31, 32, 33, 64, 255, 256, 4096, 65535),
    *(1 << 24, (1 << 31) - 1, 1 << 31, (1 << 32) - 8, (1 << 32) - 1),
)


Change: TypeAlias = "Callable[[Changed], None]"


class Changed:
    """An object that is being changed."""

    def __init__(self, data: bytes, chance: random.Random) -> None:
        self.elf: Elf = elf_model.parse(data)
        self.chance = chance
        self._section = self.elf.find(b".BTF")
        self.btf: btf_model.Btf | None = None
        if self._section is not None:
            self.btf = btf_model.parse(bytes(self._section.data), self.elf.prefix)

    def bytes(self) -> bytes:
        if self._section is not None and self.btf is not None:
            self._section.data = bytearray(btf_model.build(self.btf))
            self._section.size = len(self._section.data)
        return elf_model.build(self.elf)

    def number(self) -> int:
        return max(self.chance.choice(NUMBERS) + self.chance.randrange(-1, 2), 0)

    # BTF

    def types(self) -> list[btf_model.Type]:
        assert self.btf is not None
        return self.btf.types

    def some_type(self, kinds: frozenset[int] | None = None) -> btf_model.Type:
        found = [t for t in self.types() if kinds is None or t.kind in kinds]
        return self.chance.choice(found or self.types())

    def some_id(self, near: int = 0) -> int:
        """Return a type to refer to: most often one that there is."""
        count = len(self.types())
        return self.chance.choice(
            (
                self.chance.randrange(count + 1),
                self.chance.randrange(count + 1),
                near,
                min(near + 1, count),
                max(near - 1, 0),
                0,
                count + self.chance.choice((1, 1, 1 << 31)),
            )
        )

    def some_name(self) -> int:
        """Return the offset of a name: another one, a part of one, an evil one."""
        assert self.btf is not None
        named = self.some_type().name
        kind = self.chance.randrange(8)
        if kind < 3:
            return named
        if kind == 3:
            return named + self.chance.randrange(4)
        if kind == 4:
            return self.btf.string(b"__" + self.btf.text(named))
        if kind == 5:
            return self.chance.choice((0, len(self.btf.strings) - 1, 1 << 30))
        return self.btf.string(self.chance.choice(EVIL))
