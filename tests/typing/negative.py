"""What a type checker has to refuse: every line that ends in ``# error``, no other."""

# ruff: noqa: B018 (what is only named is an error by itself)

from globals_live_skel import GlobalsLive, Totals
from maps_arena_skel import MapsArena
from positive import Data, Key, Shape
from ringbuf_skel import Ringbuf
from struct_ops_shadow_skel import StructOpsShadow, StructOpsShadowSkelgenOps

from skelgen import runtime as rt


def wrong_globals(data: Data) -> None:
    data.number = "x"  # error
    data.number = 1.5  # error
    data.number = None  # error
    data.flag = "yes"  # error
    data.ratio = "1.5"  # error
    data.name = "abc"  # error
    data.name = 5  # error
    data.key = 5  # error
    data.key.port = "x"  # error
    data.key.prot = 1  # error
    data.key.tags = 1  # error
    data.key.tags = ["x"]  # error
    data.key.tags[0] = "x"  # error
    data.key.mode = "x"  # error
    data.key.wide = b""  # error
    data.table = 5  # error
    data.table = ["x"]  # error
    data.table[0] = "x"  # error
    data.table[:] = ["x"]  # error
    data.grid[0][0] = "x"  # error
    data.numbr = 1  # error
    text: str = data.number  # error
    del text


def wrong_structs(key: Key, shape: Shape) -> None:
    Key(prot=1)  # error
    Key(port="x")  # error
    Key(80)  # error
    Key(tags=["x"])  # error
    Key(tags=[[1]])  # error
    Key(mode=b"")  # error
    Shape(grid=[1])  # error
    Shape(grid=[["x"]])  # error
    Shape(cube=[[1]])  # error
    Shape(keys=[1])  # error
    Shape(key=Shape())  # error
    Shape(rest=(1,))  # error
    Shape(text=b"x")  # error
    shape.grid = [["x"]]  # error
    shape.keys = [key, 1]  # error
    shape.name = "x"  # error
    shape.nmae  # error
    shape.rest[0] = 1  # error


class WrongSize(rt.Struct, size="4"):  # error
    pass


class WrongOption(rt.Struct, sizee=4):  # error
    pass


class WrongTypes(rt.Struct, size=16):
    number: int = rt.member(rt.CString(4), 0)  # error
    text: bytes = rt.member(rt.U32, 0)  # error
    key: Key = rt.member(rt.struct(Shape), 0)  # error
    where: int = rt.member(rt.U32, "0")  # error
    many: rt.Array[Key] = rt.member(rt.array(rt.U32, 4), 0)  # error
    flag: bool = rt.bits(0, width=1)  # error


def wrong_maps(
    counts: rt.HashMap[int, int],
    flows: rt.HashMap[Key, bytes],
    array: rt.ArrayMap[int],
    per_cpu: rt.PerCpuHashMap[int, int],
) -> None:
    counts["x"]  # error
    counts[1] = "x"  # error
    counts.get("x")  # error
    counts.put(1, None)  # error
    counts.update({"x": 1})  # error
    counts.max_entries = "many"  # error
    counts.maxentries = 5  # error
    counts.exclusive_program = 5  # error
    del counts[b""]  # error
    flows[1] = b""  # error
    flows[Key()] = ""  # error
    array["x"]  # error
    array[0] = "x"  # error
    del array[0]  # error
    per_cpu[1] = 5  # error
    per_cpu.put_cpu(1, 0, [5])  # error
    per_cpu.put_all_cpus(1, "x")  # error
    per_cpu[1] = ["x"]  # error
    value: int = counts.get(1)  # error
    del value


def wrong_skeletons(skel: GlobalsLive, other: Ringbuf) -> None:
    skel.rodata.increment = "x"  # error
    skel.rodata.incremnt = 1  # error
    skel.data.last_word = "text"  # error
    skel.bss.totals.packets = "x"  # error
    skel.bss.totals = 5  # error
    skel.progs.cuont  # error
    skel.links.count.destroy()  # error
    skel.links.count = 5  # error
    skel.links.cuont = None  # error
    skel.open(btff="x")  # error
    skel.load(strict="no")  # error
    skel.load(False)  # error
    skel.load().failed  # error
    skel.prepare(False)  # error
    skel.attach(False)  # error
    skel.attach().attached["count"].nothing  # error
    skel.attach().links  # error
    skel.progs.count.clone(flags="1")  # error
    skel.progs.count.clone(autoload=True)  # error
    skel.progs.count.clone(1)  # error
    skel.progs.count.log_level = "2"  # error
    other.maps.rb.autocreate = "no"  # error
    other.maps.rb.reuse(1.5)  # error
    other.maps.rbb  # error
    other.maps.rb = other.maps.rb  # error
    for event in other.maps.rb.poll():
        event.pdi  # error
        number: str = event.pid  # error
        del number
    Totals(packtes=1)  # error
    Totals(packets="x")  # error


def wrong_shadows(skel: StructOpsShadow) -> None:
    plain = skel.struct_ops.plain
    plain.flags = "x"  # error
    plain.falgs = 1  # error
    plain.name = "text"  # error
    plain.limits = 5  # error
    plain.limits.low = "x"  # error
    plain.table = ["x"]  # error
    plain.start = skel.progs.other  # error
    plain.start = "on_start"  # error
    plain.strat = None  # error
    plain.start.fd()  # error
    plain.private  # error
    skel.struct_ops.plian  # error
    skel.struct_ops.plain = plain  # error
    skel.maps.plain.autocreate = "no"  # error
    skel.links.linked = skel.progs.other.attach(1)  # error
    StructOpsShadowSkelgenOps(flags=1)  # error


def wrong_arenas(skel: MapsArena) -> None:
    skel.arena.counter = "x"  # error
    skel.arena.cuonter = 1  # error
    skel.arena.head = skel.arena.item  # error
    skel.maps.arena.read("x", 4)  # error
    skel.maps.arena.write(skel.arena.head, "text")  # error
    number: str = skel.maps.arena.at(skel.arena.head, rt.U32)  # error
    del number
