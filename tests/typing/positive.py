"""What users write, and a type checker accepts. It also runs: see test_typing.py.

The skeletons come from the fixtures ``globals_live``, ``maps_arena``, ``names_meet``,
``ringbuf`` and ``struct_ops_shadow``.
"""

from collections.abc import AsyncIterator, Iterator, MutableMapping, Sequence
from typing import assert_type

from globals_live_skel import GlobalsLive, Totals
from maps_arena_skel import Item, MapsArena
from names_meet_skel import (
    Ev,
    Ev_2,
    FooBar,
    FooBar_2,
    Level,
    NamesMeet,
    NamesMeet_,
    NamesMeetMaps,
    NamesMeetMaps_,
    Outer,
    OuterIn,
    OuterIn_2,
)
from ringbuf_skel import Event, Ringbuf
from struct_ops_shadow_skel import Limits, Mode, StructOpsShadow

from skelgen import runtime as rt


class Key(rt.Struct, size=16):
    port: int = rt.member(rt.U16, 0)
    tags: rt.Array[int] = rt.member(rt.array(rt.U8, 6), 2)
    mode: int = rt.bits(64, width=3)
    wide: int = rt.member(rt.I32, 12)


class Shape(rt.Union, size=32):
    real: float = rt.member(rt.F64, 0)
    flag: bool = rt.member(rt.BOOL, 0)
    name: bytes = rt.member(rt.CString(8), 0)
    key: Key = rt.member(rt.struct(Key), 0)
    keys: rt.Array[Key] = rt.member(rt.array(rt.struct(Key), 2), 0)
    grid: rt.Array[rt.Array[int], Sequence[int]] = rt.member(
        rt.array(rt.array(rt.U8, 2), 2), 4
    )
    cube: rt.Array[rt.Array[rt.Array[int]], Sequence[Sequence[int]]] = rt.member(
        rt.array(rt.array(rt.array(rt.U8, 2), 2), 2), 0
    )
    rest: tuple[int, ...] = rt.flexible(rt.U16, 32)
    text: bytes = rt.flexible_bytes(32)


class Data(rt.DataSection):
    __slots__ = ()

    number = rt.Global(rt.U64, offset=0)
    flag = rt.Global(rt.BOOL, offset=8)
    ratio = rt.Global(rt.F64, offset=16)
    name = rt.Global(rt.CString(8), offset=24)
    key = rt.Global(rt.struct(Key), offset=32)
    table = rt.Global(rt.array(rt.U32, 4), offset=48)
    grid = rt.Global(rt.array(rt.array(rt.U8, 2), 2), offset=64)
    keys = rt.Global(rt.array(rt.struct(Key), 2), offset=68)


def globals_are_typed(data: Data) -> None:
    assert_type(data.number, int)
    assert_type(data.flag, bool)
    assert_type(data.ratio, float)
    assert_type(data.name, bytes)
    assert_type(data.key, Key)
    assert_type(data.table, rt.Array[int])
    assert_type(data.grid, rt.Array[rt.Array[int]])
    assert_type(data.keys, rt.Array[Key])
    data.number = 0
    # not narrowed to 0: a program may have changed it
    if data.number == 1:
        raise AssertionError
    data.flag = False
    if data.flag:
        raise AssertionError
    data.ratio = 1.5
    data.name = b"abc"
    data.key.port = 80
    data.key.tags[0] = 1
    data.key.tags[:] = [1, 2, 3, 4, 5, 6]
    data.key.mode = 7
    data.key.wide = -1
    data.key = Key(port=443)
    data.table = [1, 2, 3, 4]
    data.table[1:3] = (5, 6)
    data.table[0] += 1
    assert_type(data.table[0], int)
    assert_type(data.table[:], list[int])
    data.grid[1][0] = 3
    data.keys[1].port = 2
    assert sum(data.table) == 2 + 5 + 6 + 4
    assert max(row[0] for row in data.grid) == 3
    assert_type(Data.number.offset, int)


def structs_are_typed() -> None:
    key = Key(port=80, tags=[1, 2, 3, 4, 5, 6], mode=7, wide=-1)
    assert key == Key(port=80, tags=key.tags, mode=7, wide=-1)
    assert {key: 1}[key] == 1
    assert_type(key.port, int)
    assert_type(key.tags, rt.Array[int])
    assert_type(key.mode, int)
    key.tags = [0, 0, 0, 0, 0, 1]
    assert key.tags[5] == 1
    shape = Shape()
    assert_type(shape.real, float)
    assert_type(shape.flag, bool)
    assert_type(shape.name, bytes)
    assert_type(shape.key, Key)
    assert_type(shape.keys, rt.Array[Key])
    assert_type(shape.grid, rt.Array[rt.Array[int]])
    assert_type(shape.cube, rt.Array[rt.Array[rt.Array[int]]])
    assert_type(shape.rest, tuple[int, ...])
    assert_type(shape.text, bytes)
    shape.keys = [Key(), Key(port=1)]
    shape.keys[0].port = 2
    shape.grid = [[1, 2], (3, 4)]
    assert Shape(grid=[[1, 2], [3, 4]]).grid == [[1, 2], [3, 4]]
    assert Shape(cube=[[[1, 2], [3, 4]], shape.grid]).cube[1][0][0] == 1
    assert Shape(name=b"abc").name == b"abc"


def maps_are_typed(
    counts: rt.HashMap[int, int],
    flows: rt.HashMap[Key, Sequence[int]],
    per_cpu: rt.PerCpuHashMap[int, int],
    array: rt.ArrayMap[float],
    cpu_array: rt.PerCpuArrayMap[int],
) -> None:
    as_mapping: MutableMapping[int, int] = counts
    as_sequence: Sequence[float] = array
    assert_type(counts[1], int)
    assert_type(counts.get(1), int | None)
    assert_type(counts.get(1, 0), int)
    assert_type(counts.pop(1), int)
    for key, value in counts.items():
        assert_type(key, int)
        assert_type(value, int)
    counts.update({1: 2})
    counts.update([(1, 2)])
    counts.put(1, 2, flags=1)
    flows[Key(port=1)] = [1, 2, 3]
    assert_type(flows[Key()], Sequence[int])
    assert_type(per_cpu[1], list[int])
    assert_type(per_cpu.lookup_cpu(1, 0), int | None)
    per_cpu.put_cpu(1, 0, 5)
    per_cpu.put_all_cpus(1, 5)
    assert_type(cpu_array.lookup_cpu(0, 0), int)
    assert_type(array[0], float)
    assert_type(array[1:], list[float])
    assert_type(cpu_array[0], list[int])
    counts.max_entries = 100
    counts.pin_path = "/sys/fs/bpf/counts"
    counts.exclusive_program = "count"
    assert_type(counts.info().id, int)
    del as_mapping, as_sequence


def rings_are_typed(
    ring: rt.RingBuf[Event], raw: rt.RingBuf[bytes], handle: rt.MapHandle
) -> None:
    assert_type(ring.consume(), Iterator[Event])
    assert_type(raw.poll(1.0), Iterator[bytes])
    assert_type(ring.__aiter__(), AsyncIterator[Event])
    for event in ring.poll(timeout=None):
        assert_type(event.pid, int)
        assert_type(event.comm, bytes)
        break
    assert_type(rt.RingBuf(handle, record=rt.U64), rt.RingBuf[int])
    assert_type(rt.RingBuf(handle, record=None), rt.RingBuf[bytes])


async def rings_are_typed_in_tasks(ring: rt.RingBuf[Event]) -> int:
    async for event in ring:
        assert_type(event, Event)
        return event.pid
    return 0


def skeletons_are_typed() -> None:
    with GlobalsLive.open(kconfig="# nothing") as skel:
        assert_type(skel, GlobalsLive)
        skel.rodata.increment = 2
        skel.bss.totals = Totals(packets=1, by_size=[1, 2, 3, 4])
        skel.bss.totals.by_size[0] += 1
        assert_type(skel.bss.totals.packets, int)
        assert_type(skel.data.last_word, bytes)
        assert_type(skel.links.count, rt.Link | None)
        link = skel.links.count
        if link is not None:
            link.destroy()
        for failure in rt.LoadReport():
            assert_type(failure.name, str)
            assert_type(failure.error, rt.BpfError)
    with Ringbuf.open() as other:
        assert_type(other.maps.rb, rt.RingBuf[Event])
        other.maps.rb.max_entries = 1 << 20


def shadows_are_typed() -> None:
    with StructOpsShadow.open() as skel:
        plain = skel.struct_ops.plain
        assert_type(plain.flags, int)
        assert_type(plain.name, bytes)
        assert_type(plain.enabled, bool)
        assert_type(plain.limits, Limits)
        assert_type(plain.table, rt.Array[int])
        assert_type(plain.start, rt.StructOpsProgram | None)
        plain.flags = 1
        plain.name = b"another"
        plain.mode = Mode.MODE_FAST
        plain.limits = Limits(low=1, steps=[1, 2, 3, 4])
        plain.limits.steps[0] += 1
        plain.octets[:] = [1, 2, 3, 4]
        plain.start = skel.progs.on_start_too
        plain.yield_ = None
        program = skel.struct_ops.linked.start
        if program is not None:
            assert_type(program.name, str)
            assert program.name == "on_start"
        skel.maps.optional.autocreate = True
        skel.maps.plain.autoattach = False
        assert_type(skel.maps.linked, rt.StructOpsMap)
        assert_type(skel.links.linked, rt.StructOpsLink | None)


def loading_is_typed(skel: GlobalsLive, other: Ringbuf) -> None:
    assert_type(skel.load(), rt.LoadReport)
    attached = skel.attach(strict=False)
    assert_type(attached, rt.AttachReport)
    assert_type(attached.attached, dict[str, rt.Link])
    assert_type(attached.passed_over, dict[str, str])
    assert_type(attached.failed, dict[str, rt.BpfError])
    assert_type(bool(attached), bool)
    report = skel.load(strict=False)
    assert_type(report, rt.LoadReport)
    if not report:
        assert_type(report.programs, dict[str, rt.BpfError])
        assert_type(report.failures, tuple[rt.LoadFailure, ...])
    for kind, name, error in report:
        assert_type(name, str)
        assert_type(error, rt.BpfError)
        del kind
    assert_type(skel.prepare(strict=False), rt.LoadReport)
    with skel.progs.count.clone("twin", log_level=1, attach_target=None) as clone:
        assert_type(clone, rt.TcProgram)
    assert_type(skel.progs.count.load_error, rt.BpfError | None)
    skel.progs.count.log_level = 2
    other.maps.rb.exclusive_program = skel.progs.count
    skel.pin("/sys/fs/bpf/counts")
    other.maps.rb.reuse(3)
    other.maps.rb.reuse(other.maps.rb)
    other.maps.rb.reuse("/sys/fs/bpf/rb")
    other.maps.rb.autocreate = False


def arenas_are_typed() -> None:
    with MapsArena.open() as skel:
        skel.arena.counter = 3
        skel.arena.items[1].value = 4
        assert_type(skel.arena.item, Item)
        assert_type(skel.arena.head, int)  # an address
        assert_type(skel.maps.arena, rt.ArenaMap)
        if skel.arena.head:
            item = skel.maps.arena.at(skel.arena.head, rt.struct(Item))
            assert_type(item, Item)
            assert_type(skel.maps.arena.at(item.next, rt.U32), int)


class Tool:
    """Where Python would mangle names that begin with two underscores."""

    def run(self) -> None:
        with NamesMeet.open() as skel:
            skel.rodata.c__pid = 1
            skel.bss.c__calls += 2
            assert_type(skel.bss.c__calls, int)
            assert_type(skel.maps, NamesMeetMaps)
            assert_type(skel.maps.c__by_key, rt.HashMap[OuterIn, FooBar_2])
            assert_type(skel.progs.c__on_getppid, rt.TracepointProgram)
            assert_type(skel.links.c__on_getppid, rt.Link | None)
            assert_type(skel.maps.class_, rt.ArrayMap[Ev])
            data = skel.data
            assert_type(data.first, NamesMeet_)
            assert_type(data.maps, NamesMeetMaps_)
            assert_type(data.x, FooBar_2)
            assert_type(data.y, FooBar)
            assert_type(data.typed, Ev_2)
            assert_type(data.tagged, Ev)
            data.o = Outer(
                in_=OuterIn_2(h=1), from_2=2, from_=3, c__self=4, c__tail=b"x"
            )
            assert_type(data.o.in_, OuterIn_2)
            assert (data.o.c__from, data.o.from_, data.o.c__self) == (2, 3, 4)
            assert Level(data.c__level) is Level.c__HIGH
            assert [data.def_2, data.def_, data.c__def_2, data.c__def] == [
                13,
                14,
                15,
                16,
            ]
            assert (skel.data_a_b.dotted, skel.data_a_b_2.underlined) == (17, 18)


def main() -> None:
    """Run what needs no map in the kernel."""
    spec = rt.DataSpec(".data", rt.DataKind.DATA, size=100, mmapable=True)
    section = rt.Section(spec)
    globals_are_typed(Data(section))
    structs_are_typed()
    skeletons_are_typed()
    shadows_are_typed()
    arenas_are_typed()
    Tool().run()


if __name__ == "__main__":
    main()
