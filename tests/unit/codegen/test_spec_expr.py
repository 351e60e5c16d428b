"""The blueprint in a module is the one that it was generated from."""

import pytest

from skelgen import read_object
from skelgen.btf.build import BtfBuilder
from skelgen.codegen.pretty import flat
from skelgen.codegen.spec_expr import blueprint as expression
from skelgen.model import attach
from skelgen.model.attach import Attach
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.spec import (
    DataKind,
    DataSpec,
    ExternKind,
    ExternLoad,
    ExternSpec,
    JumpTable,
    KconfigType,
    KfuncCall,
    MapFd,
    MapSpec,
    MapValue,
    ObjectSpec,
    Pinning,
    ProgramSpec,
    Span,
    StructOpsSpec,
)
from tests.harness import sources
from tests.harness.generating import blueprint, generated, loaded, program

ATTACH: list[Attach] = [
    attach.Manual(),
    attach.Tracepoint("sched", "sched_switch"),
    attach.Tracepoint(),
    attach.RawTracepoint("sys_enter"),
    attach.Tracing("do_unlinkat"),
    attach.Tracing("f", "module"),
    attach.Tracing(None, "module"),
    attach.TracingMulti("tcp_*"),
    attach.Kprobe("f", 16, retprobe=True),
    attach.Kprobe(None, 1),
    attach.KprobeMulti("f*", session=True),
    attach.Ksyscall("unlinkat", retprobe=True),
    attach.Uprobe("/bin/bash", "readline", 4),
    attach.Uprobe(None, "readline"),
    attach.UprobeMulti("/bin/bash", "read*", session=True),
    attach.Usdt("/bin/python", "python", "gc__start"),
    attach.StructOps(),
]


def rebuilt(spec: ObjectSpec) -> ObjectSpec:
    module = loaded(generated(spec))
    made: ObjectSpec = module.Demo.spec()
    return made


def test_everything_comes_back_from_the_expression() -> None:
    builder = BtfBuilder("big")
    builder.add_struct("tcp_congestion_ops", 8, [("key", 2, 0)])
    builder.add_int("u64", 8)
    builder.add_var("CONFIG_HZ", 2)
    btf = builder.bytes()
    spec = ObjectSpec(
        name="demo",
        source="demo.bpf.o",
        byteorder="big",
        license='odd "license" \\ \n\x00 \u2028 é',
        kern_version=0x060102,
        maps=(
            MapSpec("plain", MapType.ARRAY, 4, 8, 2),
            MapSpec(
                "full",
                MapType.HASH_OF_MAPS,
                key_size=4,
                value_size=4,
                max_entries=4,
                flags=0x8000_0001,
                numa_node=0,
                map_extra=1 << 40,
                pinning=Pinning.BY_NAME,
                inner=MapSpec("full.inner", MapType.RINGBUF, max_entries=4096),
                values=((0, "plain"), (2, "other")),
            ),
            MapSpec("future", 77, key_size=1),
        ),
        data=(
            DataSpec(".rodata", DataKind.RODATA, size=4, image=Span(0, 4)),
            DataSpec(".bss", DataKind.BSS, size=8),
        ),
        struct_ops=(
            StructOpsSpec(
                "ops",
                ".struct_ops.link",
                1,
                "tcp_congestion_ops",
                Span(4, 8),
                functions=(("init", "on_init"), ("release", "on_release")),
                link=True,
                autocreate=False,
            ),
        ),
        programs=(
            ProgramSpec(
                "first",
                "cgroup_skb/ingress",
                ProgType.CGROUP_SKB,
                attach.Manual(),
                Span(0, 16),
                attach_type=AttachType.CGROUP_INET_EGRESS,
                attach_type_optional=True,
                flags=1,
                autoload=False,
                relocs=(
                    MapFd(0, "plain"),
                    MapValue(1, ".rodata", 4),
                    ExternLoad(2, "ksym"),
                    KfuncCall(3, "kfunc"),
                    JumpTable(4, (1, 2, 3)),
                    JumpTable(5, (9,)),
                ),
                func_info=Span(0, 8),
                line_info=Span(0, 16),
                core_relos=Span(0, 16),
            ),
            ProgramSpec("second", "x", 99, attach.Manual(), Span(0, 8), attach_type=99),
        ),
        externs=(
            ExternSpec("ksym", ExternKind.KSYM, weak=True),
            ExternSpec("kfunc", ExternKind.KFUNC, type_id=3),
            ExternSpec(
                "CONFIG_HZ",
                ExternKind.KCONFIG,
                kconfig=KconfigType.INT,
                offset=8,
                size=4,
                signed=True,
            ),
        ),
        btf=Span(768, len(btf)),
        image=bytes(range(256)) * 3 + btf,
    )
    made = rebuilt(spec)
    assert made == spec
    assert type(made.maps[0].type) is MapType
    assert type(made.maps[2].type) is int
    assert type(made.programs[0].attach_type) is AttachType


@pytest.mark.parametrize("where", ATTACH, ids=lambda where: type(where).__name__)
def test_places_to_attach_come_back_from_the_expression(where: Attach) -> None:
    made = rebuilt(blueprint(programs=(program("p", "s", where),)))
    assert made.programs[0].attach == where
    assert type(made.programs[0].attach) is type(where)


def test_every_place_is_tested() -> None:
    assert {type(where) for where in ATTACH} == set(Attach.__args__)


def test_defaults_are_left_out() -> None:
    text = flat(expression(blueprint(maps=(MapSpec("m", MapType.HASH, 4, 8, 1),)), "x"))
    assert text == (
        'rt.ObjectSpec(name="demo", source="demo.bpf.o", byteorder="little", '
        'license="GPL", maps=(rt.MapSpec("m", rt.MapType.HASH, key_size=4, '
        "value_size=8, max_entries=1),), image=x)"
    ).replace('"little"', f'"{blueprint().byteorder}"')


def test_masks_are_hexadecimal() -> None:
    maps = (MapSpec("m", MapType.HASH, 4, 8, 1, flags=0xABC),)
    assert "flags=0xABC" in flat(expression(blueprint(maps=maps), "x"))


def test_the_blueprint_of_every_fixture_comes_back(bpf_source: sources.Source) -> None:
    path = sources.compiled(bpf_source)
    import skelgen

    module = loaded(skelgen.generate(path, name="demo"))
    assert module.Demo.spec() == read_object(path, name="demo")
