"""Damaged files give an ElfError, and take neither time nor memory."""

import contextlib
import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from skelgen.runtime.binaries.elf import ElfError, OpenedElf
from skelgen.runtime.binaries.symbols import ElfSymbols
from tests.harness.elf_files import CODE, DATA, Builder, Sym
from tests.harness.versioned_elf import FORMS, VERSIONED, symbols_of, versioned

pytestmark = pytest.mark.any_kernel


def look(data: bytes) -> None:
    """Read a file that may be broken: an answer or an ElfError, nothing else."""
    try:
        symbols = symbols_of(data)
    except ElfError:
        return
    for name in ("main", "f", "f@V1", "getpid", "value"):
        with contextlib.suppress(ElfError):
            symbols.find(name)
    with contextlib.suppress(ElfError):
        list(symbols.functions())


def interesting(data: bytes) -> Iterator[int]:
    """Iterate over the bytes that are not padding, and a few that are."""
    yield from range(0x100)
    yield from range(0x2000, len(data))


@pytest.mark.parametrize(("is_64", "order"), FORMS)
def test_every_damage_is_an_elf_error(
    is_64: bool, order: str  # noqa: FBT001 (a parameter of the test)
) -> None:
    builder = Builder(is_64=is_64, order=order)
    builder.dynamic(VERSIONED, versions=["V1", "V2"], needed=[("A", "b.so")])
    builder.symtab([Sym("main"), Sym("f@V1")])
    whole = builder.build()
    for at in interesting(whole):
        for value in (0, 0x7F, 0xFF):
            data = bytearray(whole)
            data[at] = value
            look(bytes(data))
        look(whole[:at])


def test_values_that_do_not_belong_there_raise_only_an_elf_error() -> None:
    rng = random.Random(8)  # noqa: S311 - the same each time
    whole = versioned()
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 4)):
            at = rng.choice(
                [rng.randrange(0x100), rng.randrange(0x2000, len(data) - 8)]
            )
            value = rng.choice(
                [0, 1, 2**32 - 1, 2**63, 2**64 - 1, len(data), DATA, CODE]
            )
            struct.pack_into("<Q", data, at // 8 * 8, value)
        look(bytes(data))


def test_chains_that_share_their_links_end() -> None:
    builder = Builder()
    # a version that is needed again and again, by records that overlap
    needs = struct.pack("<HHIII", 1, 1, 0, 16, 16) * 20_000
    symbols = [Sym("f", version=2)]
    builder.dynamic(symbols, needed=[("A", "b.so")])
    tags = dict(builder.tags)
    at = builder.put(needs)
    tags[0x6FFFFFFE] = builder.address(at)
    builder.tags = list(tags.items())
    look(builder.build(section_headers=False))


def test_names_that_share_a_long_text_are_bounded() -> None:
    builder = Builder()
    builder.symtab([Sym("n" * 60_000), *(Sym("x") for _ in range(2000))])
    data = bytearray(builder.build())
    for index in range(2, 2002):
        struct.pack_into(
            "<I", data, builder.sections[3][2] + index * 24, index % 100 + 1
        )
    with pytest.raises(ElfError, match="share their names' text"):
        list(symbols_of(bytes(data)).functions())


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    for path in (tmp_path / "x", tmp_path):
        with pytest.raises(ElfError, match="not a regular file"):
            OpenedElf(str(path))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(ElfError, match="not an ELF file"):
        OpenedElf(str(tmp_path / "x"))


def test_a_file_of_a_terabyte_is_not_read(tmp_path: Path) -> None:
    builder = Builder()
    builder.symtab([Sym("f")])
    builder.sections[3] = (*builder.sections[3][:3], 1 << 39, *builder.sections[3][4:])
    path = tmp_path / "x"
    path.write_bytes(builder.build())
    os.truncate(path, 1 << 40)
    with (
        OpenedElf(str(path)) as file,
        pytest.raises(ElfError, match="549755813888 byte"),
    ):
        ElfSymbols(file).find("f")
