"""After load, the kernel holds the same as libbpf would have given it.

``oracle/oracle.c`` loads every fixture and example with libbpf, Debian's of this machine
and the newest, and prints program tags, instruction counts and map definitions; here the
same object goes through skelgen. A program that libbpf gets refused has to be refused to
skelgen too, with the same errno. What is too new for a libbpf is compared with the
blueprint.
"""

from pathlib import Path

import pytest

import skelgen
from skelgen.model import map_types
from skelgen.model.enums import MapType
from skelgen.model.linked import Linker
from skelgen.model.spec import MapFd, MapSpec, MapValue, ObjectSpec, ProgramSpec
from skelgen.runtime.errors import BpfError
from skelgen.runtime.object.object import Object
from tests.harness import oracle as oracles
from tests.harness import privilege, sources
from tests.harness.oracle import Case, Facts, Oracle, Verdict

pytestmark = pytest.mark.outer_kernels

OBJECTS = sorted(
    path for path in (sources.DATA / "objects").glob("*.o") if ".big." not in path.name
)

# What libbpf cannot read before a version of its own: fixture, version, what it is.
TOO_OLD = {
    "jump_table": ((1, 7), "jump tables"),
    "life": ((1, 2), ".struct_ops.link"),
    "maps_arena": ((1, 4), "arenas and __ulong"),
    "prog_cgroup_unix": ((1, 3), "SEC(cgroup/connect_unix)"),
    "prog_kprobe_session": ((1, 6), "SEC(uprobe.session)"),
    "prog_netfilter": ((1, 3), "SEC(netfilter)"),
    "prog_tcx": ((1, 3), "SEC(tcx/ingress)"),
    "sched_weighted": ((1, 2), ".struct_ops.link"),
    "struct_ops_forms": ((1, 2), ".struct_ops.link"),
    "struct_ops_link": ((1, 2), ".struct_ops.link"),
    "struct_ops_shadow": ((1, 2), ".struct_ops.link"),
    "struct_ops_tcp": ((1, 2), ".struct_ops.link"),
    "subprogs_ctx_types": ((1, 4), "the type of arg:ctx"),
    "subprogs_exception": ((1, 4), "exception callbacks"),
    "tcp_congestion": ((1, 4), "programs of a struct_ops, which its map has loaded"),
}
# With kernels since these that makes no difference.
SPARED_BY_KERNEL = {"subprogs_ctx_types": (6, 8), "tcp_congestion": (5, 13)}
# It loads these before that, as if the kernel had not what they would use.
BLIND = {"externs_flavours": ((1, 3), "kernel functions by names with a flavour")}
# What it makes otherwise before a version of its own: fixture, program, version, facts.
OTHERWISE = {
    # calls in dead code are poisoned with the name's number
    ("externs_module", "look"): ((1, 3), {"tag"}),
    ("externs_weak", "look"): ((1, 3), {"tag"}),
    ("prog_newer", "start"): ((1, 3), {"tag"}),
    # BPF_TRACE_UPROBE_MULTI where the kernel has it
    ("prog_misnamed", "usdt"): ((1, 3), {"attach_type"}),
    ("prog_uprobe", "bare_usdt"): ((1, 3), {"attach_type"}),
}
NONE: tuple[tuple[int, int], set[str]] = ((0, 0), set())
# What every kernel since these loads whole.
MUST_LOAD = {
    **dict.fromkeys(
        (
            *("bootstrap", "core_fields", "core_types", "externs_kconfig", "large"),
            *("globals_live", "long_program", "maps_nested", "maps_plain", "minimal"),
            *("prog_cgroup", "prog_tracepoint", "ringbuf", "subprogs", "xdp_count"),
            *("subprogs_ctx_types", "subprogs_many", "types_structs"),
        ),
        (5, 8),
    ),
    "maps_arena": (6, 9),
    "prog_cgroup_unix": (6, 7),
    "prog_netfilter": (6, 4),
    "prog_tcx": (6, 7),
    "prog_xdp": (5, 18),
    "struct_ops_forms": (6, 4),
    "struct_ops_link": (6, 4),
    "struct_ops_tcp": (6, 4),
    "subprogs_callbacks": (5, 13),
    "subprogs_exception": (6, 7),
}
# clang 14 leaves a struct out of BTF; its size is in DWARF, which libbpf does not read.
IN_DWARF_ALONE = {"maps_inner_struct.clang14.bpf.o"}


def test_kernel_holds_the_same(oracle: Oracle, bpf_source: sources.Source) -> None:
    name = bpf_source.name
    wanted = oracles.case(name)
    if name == "maps_pinned":  # names of pins are not compared here
        wanted = oracles.case("maps_pinned", "map skelgen_pinned pin_path")
    verdict = oracle.ask(wanted)
    if why := too_old(oracle, name):
        assert verdict.errno or name in BLIND, f"compare, for it has {why}"
        as_the_blueprint_says(oracle, wanted)
        return
    if must_load(name):
        assert not verdict.errno, verdict.text
    compare(oracle, wanted, verdict)


def too_old(oracle: Oracle, name: str) -> str:
    """Return what a libbpf is too old for; empty if it reads the fixture as today's."""
    since, what = (TOO_OLD | BLIND).get(name, ((0, 0), ""))
    spared = privilege.kernel_at_least(*SPARED_BY_KERNEL.get(name, (99, 0)))
    return "" if spared or oracle.version >= since else what


def must_load(name: str) -> bool:
    return privilege.kernel_at_least(*MUST_LOAD.get(name, (99, 0)))


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_objects_of_another_compiler_load_as_with_libbpf(
    oracle: Oracle, path: Path
) -> None:
    """clang 14, whose BTF and code are of 2022, and what ``bpftool gen object`` links."""
    wanted = Case(path, path.name.split(".", 1)[0])
    verdict = oracle.ask(wanted)
    if path.name in IN_DWARF_ALONE:
        assert verdict.errno, "libbpf reads it: compare"
        as_the_blueprint_says(oracle, wanted)
        return
    compare(oracle, wanted, verdict)


def compare(oracle: Oracle, wanted: Case, verdict: Verdict) -> None:
    """Load what libbpf loads and compare, refuse what it refuses."""
    if verdict.errno:
        verdicts = refused(oracle, wanted)
        for name, alone in verdicts.items():
            refuse_alike(oracle, wanted, name, alone)
        wanted = wanted.without([*verdicts])
        verdict = oracle.ask(wanted)
    with oracles.opened(wanted) as obj:
        if verdict.errno:  # not a program: an extern, a map
            with pytest.raises(BpfError) as caught:
                obj.load()
            oracle.assert_same_errno(caught.value, verdict)
            return
        obj.load()
        ours = oracles.program_facts(obj)
        for facts in (*ours, *verdict.programs):
            since, facts_of_old = OTHERWISE.get((wanted.name, facts["name"]), NONE)
            if oracle.version < since:
                facts.update(dict.fromkeys(facts_of_old, "not compared"))
        assert ours == verdict.programs
        oracle.assert_same_maps(obj, verdict.maps)
    oracle.tally.add(wanted, len(verdict.programs), len(verdict.maps))


def refused(oracle: Oracle, wanted: Case) -> dict[str, Verdict]:
    """Return the programs that libbpf cannot load, each tried alone."""
    with oracles.opened(wanted) as obj:
        names = [name for name, program in obj.programs.items() if program.autoload]
    found = {}
    for name in names:
        verdict = oracle.ask(wanted.without([x for x in names if x != name]))
        if verdict.errno:
            found[name] = verdict
    return found


def refuse_alike(oracle: Oracle, wanted: Case, name: str, verdict: Verdict) -> None:
    """Check that skelgen gets the same refusal."""
    with skelgen.open_object(wanted.path) as every:
        others = [other for other in every.programs if other != name]
    with oracles.opened(wanted.without(others)) as obj:
        with pytest.raises(BpfError) as caught:
            obj.load()
        oracle.assert_same_errno(caught.value, verdict)


# -- newer than libbpf -------------------------------------------------------------


def as_the_blueprint_says(oracle: Oracle, wanted: Case) -> None:
    """Compare what the kernel holds with the blueprint, as far as it loads."""
    with oracles.opened(wanted) as obj:
        report = obj.load(strict=False)
        if must_load(wanted.name):
            assert report, report
        programs = oracles.program_facts(obj)
        for facts in programs:
            spec = obj.programs[facts["name"]].spec
            assert facts.items() >= expected_program(obj.spec, spec).items()
        for declared in obj.spec.maps:
            check_map(obj, declared)
        if not programs:
            pytest.skip(f"this kernel loads nothing of it: {report}")
    oracle.tally.kernel_only += 1


def expected_program(obj: ObjectSpec, spec: ProgramSpec) -> Facts:
    linked = Linker(obj).link(spec)
    maps = {reloc.map for reloc in linked.relocs if isinstance(reloc, MapFd)}
    maps |= {reloc.section for reloc in linked.relocs if isinstance(reloc, MapValue)}
    maps |= {data.section for data in obj.data if data.section.startswith(".rodata")}
    return {
        "kernel_name": spec.name[:15],
        "type": spec.type,
        "func_infos": len(linked.func_info) // 8,
        "maps": len(maps),
        "gpl": int("GPL" in obj.license),
        "has_btf": 1,
    }


def check_map(obj: Object, spec: MapSpec) -> None:
    handle = obj.map(spec.name)
    if handle.load_error is not None or not handle.autocreate:
        return
    info = handle.info()
    assert info.name == spec.name[:15]
    assert (info.type, info.flags) == (spec.type, spec.flags)
    assert (info.key_size, info.value_size) == (spec.key_size, spec.value_size)
    if spec.type not in {MapType.RINGBUF, MapType.USER_RINGBUF}:
        assert info.max_entries == spec.max_entries
    assert info.map_extra in {0, spec.map_extra}
    typed = map_types.row(spec.type).btf != "refused"
    assert info.btf_key_type_id == (spec.key_type_id if typed else 0)
    assert info.btf_value_type_id == (spec.value_type_id if typed else 0)
