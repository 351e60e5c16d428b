"""Globals of a section before load, and sections that cannot be mapped."""

# ruff: noqa: S102 (as generated; statements of our own)

import enum
import gc
import subprocess
import sys

import pytest

from skelgen.model.spec import DataKind, DataSpec
from skelgen.runtime.errors import ClosedError, StateError
from skelgen.runtime.memory.section import Section
from skelgen.runtime.memory.variables import DataSection, Global
from skelgen.runtime.values import codec as c
from skelgen.runtime.values.array import Array, array
from skelgen.runtime.values.member import member
from skelgen.runtime.values.struct import Struct, struct
from tests.harness.fake_kernel import Call, FakeKernel


class Mode(enum.IntEnum):
    OFF = 0
    ON = 1


class Stats(Struct, size=16):
    hits: int = member(c.U64, 0)
    per: Array[int] = member(array(c.U16, 4), 8)


class Data(DataSection):
    __slots__ = ()

    n = Global(c.U64, offset=0)
    flag = Global(c.BOOL, offset=8)
    i = Global(c.I32, offset=12)
    d = Global(c.F64, offset=16)
    f = Global(c.F32, offset=24)
    name = Global(c.CString(8), offset=28)
    mode = Global(c.enum(Mode, c.U32), offset=36)
    stats = Global(struct(Stats), offset=40)
    table = Global(array(c.U32, 3), offset=56)
    grid = Global(array(array(c.U8, 2), 2), offset=68)
    big = Global(c.I128, offset=72)


SIZE = 88


def section(
    kind: DataKind = DataKind.DATA, image: bytes | bytearray | None = None
) -> Section:
    names = {DataKind.RODATA: ".rodata", DataKind.KCONFIG: ".kconfig"}
    spec = DataSpec(names.get(kind, ".data"), kind, size=SIZE, mmapable=True)
    return Section(spec, image)


def test_globals_start_with_the_image_and_keep_what_they_are_given() -> None:
    image = bytearray(SIZE)
    image[0] = 7
    image[28:31] = b"abc"
    part = section(image=image)
    data = Data(part)
    assert (data.n, data.name, data.flag) == (7, b"abc", False)
    data.n = 2**64 - 1
    data.flag = True
    data.i = -1
    data.d = 1
    data.f = 0.5
    data.name = b"xyz"
    data.mode = Mode.ON
    data.stats = Stats(hits=3, per=[1, 2, 3, 4])
    data.table = [1, 2, 3]
    data.grid = array(array(c.U8, 2), 2).unpack(bytes([1, 2, 3, 4]))
    data.big = -1
    assert repr(data) == (
        "Data(n=18446744073709551615, flag=True, i=-1, d=1.0, f=0.5, name=b'xyz', "
        "mode=<Mode.ON: 1>, stats=Stats(hits=3, per=[1, 2, 3, 4]), table=[1, 2, 3], "
        "grid=[[1, 2], [3, 4]], big=-1)"
    )
    assert part.read(0, 8) == b"\xff" * 8
    assert part.read(36, 4) == c.U32.pack(1)
    assert Data.n.offset == 0
    assert Data.stats.codec.size == 16
    part.close()


def test_structs_and_arrays_are_views() -> None:
    part = section()
    data = Data(part)
    stats, table, row = data.stats, data.table, data.grid[1]
    stats.hits = 5
    stats.per[3] = 9
    table[1] = 7
    row[0] = 3
    assert data.stats is stats
    assert part.read(40, 8) == c.U64.pack(5)
    assert part.read(54, 2) == c.U16.pack(9)
    assert part.read(60, 4) == c.U32.pack(7)
    assert part.read(70, 1) == b"\3"
    data.stats = Stats(hits=6)
    data.table = (4, 5, 6)
    assert (stats.hits, table[:]) == (6, [4, 5, 6])
    data.stats = data.stats
    data.table = data.table
    assert (stats.hits, table[:]) == (6, [4, 5, 6])
    part.close()


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("n", -1, OverflowError, "global 'n' must be int in 0..2**64-1 (u64), got -1"),
        ("n", "x", TypeError, "global 'n' must be int in 0..2**64-1 (u64), got str"),
        ("i", 1 << 31, OverflowError, "global 'i' must be int in -2147483648.."),
        ("flag", 2, OverflowError, "global 'flag' must be bool, got 2"),
        ("flag", "x", TypeError, "global 'flag' must be bool, got str"),
        ("d", "x", TypeError, "global 'd' must be float (f64), got str"),
        ("f", 1e300, OverflowError, "global 'f' must be float (f32), got 1e+300"),
        ("name", "x", TypeError, "global 'name' must be bytes, got str"),
        ("name", b"123456789", ValueError, "global 'name' must be at most 8 bytes"),
        ("mode", -1, OverflowError, "global 'mode' must be int in 0.."),
        ("stats", 3, TypeError, "global 'stats' must be Stats, got int"),
        ("table", [1, 2], ValueError, "global 'table' must be a sequence of 3"),
        ("table", [1, 2, -3], OverflowError, "global 'table'[2] must be int"),
        ("big", 1 << 127, OverflowError, "global 'big' must be int in -2**127.."),
        ("nn", 1, AttributeError, "'Data' object has no attribute 'nn'"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changes(
    name: str, value: object, error: type[Exception], text: str
) -> None:
    for used_before in (False, True):
        part = section(image=bytes(range(SIZE)))
        data = Data(part)
        if used_before and name != "nn":
            getattr(data, name)
        with pytest.raises(error) as caught:
            setattr(data, name, value)
        assert str(caught.value).startswith(text)
        assert part.read() == bytes(range(SIZE))
        part.close()


def test_rodata_is_frozen_by_load_and_so_are_its_views() -> None:
    part = section(DataKind.RODATA)
    data = Data(part)
    stats, table, per = data.stats, data.table, data.stats.per
    data.n = 5
    stats.hits = 1
    assert not part.readonly
    part.adopt(-1)
    assert part.readonly
    for write in (
        lambda: setattr(data, "n", 6),
        lambda: setattr(data, "n", "x"),
        lambda: setattr(data, "big", 6),
        lambda: setattr(data, "flag", True),
        lambda: setattr(data, "name", b"x"),
        lambda: setattr(data, "table", [1, 2, 3]),
        lambda: setattr(data, "stats", Stats()),
        lambda: setattr(data.stats, "hits", 2),
        lambda: setattr(stats, "hits", 2),
        lambda: table.__setitem__(0, 2),
        lambda: per.__setitem__(slice(None), [1, 2, 3, 4]),
        lambda: part.write(b"x"),
    ):
        with pytest.raises(StateError, match=r"read-only.*assign before"):
            write()
    with pytest.raises(StateError, match=r"^global 'n': '\.rodata' is read-only"):
        data.n = 6
    assert (data.n, data.stats.hits, table[:], data.big) == (5, 1, [0, 0, 0], 0)
    part.disown()
    data.n = 6
    stats.hits = 7
    assert (data.n, data.stats.hits) == (6, 7)
    part.close()


def test_kconfig_is_known_after_load_and_never_written() -> None:
    part = section(DataKind.KCONFIG)
    data = Data(part)
    with pytest.raises(
        StateError, match=r"^global 'n': known after load\(\) or prepare\(\) only"
    ):
        data.n  # noqa: B018 (reading is the test)
    with pytest.raises(StateError, match=r"section '\.kconfig': known after load"):
        part.read()
    with pytest.raises(StateError, match=r"load\(\) fills it in; open\(kconfig=...\)"):
        data.n = 1
    part.fill(c.U64.pack(250))
    part.adopt(-1)
    assert data.n == 250
    with pytest.raises(StateError, match="read-only"):
        data.n = 1
    part.close()


def test_after_destroy_everything_is_closed_but_views_are_memory() -> None:
    part = section()
    data = Data(part)
    data.n = 1
    stats, table = data.stats, data.table
    part.close()
    part.close()
    for statement in (
        "data.n",
        "data.stats",
        "data.n = 1",
        "data.stats = Stats()",
        "part.read()",
        "part.write(b'x')",
        "part.readonly",
    ):
        with pytest.raises(ClosedError, match="the object was destroyed"):
            exec(statement, {"data": data, "part": part, "Stats": Stats})
    assert repr(part) == "<section '.data': destroyed>"
    assert repr(data) == "<Data: destroyed>"
    stats.hits = 3
    table[2] = 4
    del data, part
    gc.collect()
    assert (stats.hits, table[:]) == (3, [0, 0, 4])


def test_bytes_of_a_section_are_bounds_checked() -> None:
    part = section()
    part.write(b"abc", 2)
    assert part.read(2, 3) == b"abc"
    assert len(part.read()) == part.size == SIZE
    for offset, size in ((-1, 2), (SIZE - 1, 2), (0, SIZE + 1), (5, -1)):
        with pytest.raises(IndexError, match=r"section '\.data': bytes"):
            part.read(offset, size)
    for offset in (-1, SIZE - 2):
        with pytest.raises(IndexError, match=r"of 88"):
            part.write(b"abc", offset)
    part.close()


def test_a_kernel_without_mmap_is_read_and_written_by_calls(
    kernel: FakeKernel,
) -> None:
    memory = bytearray(SIZE)

    def lookup(call: Call) -> int:
        call.fill("value", bytes(memory))
        return 0

    def update(call: Call) -> int:
        memory[:] = call.memory("value", SIZE)
        return 0

    kernel.always("MAP_LOOKUP_ELEM", lookup)
    kernel.always("MAP_UPDATE_ELEM", update)
    part = section()
    data = Data(part)
    data.n = 1
    part.adopt(5, mmapable=False)
    memory[0] = 9  # a program wrote it
    assert data.n == 9
    data.i = -2
    data.big = -1
    assert memory[12:16] == c.I32.pack(-2)
    memory[40] = 3
    stats, table = data.stats, data.table
    assert stats.hits == 3
    memory[0] = 10
    stats.per[1] = 4
    table[0] = 8
    data.table = [1, 2, 3]
    assert memory[0] == 10, "a write takes what programs wrote meanwhile along"
    assert memory[50:52] == c.U16.pack(4)
    assert memory[56:60] == c.U32.pack(1)
    with pytest.raises(OverflowError, match="global 'n' must be int"):
        data.n = -1
    part.write(b"\1\1", 0)
    assert data.n == 0x101
    part.close()
    stats.hits = 77
    assert memory[40] == 3, "a closed section does not touch the fd any more"


@pytest.mark.parametrize(
    "code",
    [
        "s = data.stats; part.close(); del data, part; s.hits = 1; print(s)",
        "p = data.stats.per; part.close(); del data, part; p[0] = 1; print(p)",
        "r = data.grid[1]; part.close(); del data, part; r[0] = 1; print(r)",
        "m = memoryview(data.stats); part.close(); m.cast('B')[0] = 1; print(bytes(m))",
        "part.close(); part.close(); del part; del data",
        "x = [Data(part).table for _ in range(100)]; part.close(); x[9][1] = 1",
    ],
)
def test_no_order_of_destruction_crashes(code: str) -> None:
    setup = (
        "import gc\n"
        "from tests.unit.runtime.memory.test_variables import Data, section\n"
        "part = section(); data = Data(part)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{setup}{code}\ngc.collect()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
