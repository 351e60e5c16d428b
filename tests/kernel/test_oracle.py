"""After load, the kernel holds the same as libbpf would have given it.

``oracle/oracle.c`` loads every fixture and example with Debian's libbpf and prints
program tags, instruction counts and map definitions; here the same object goes through
skelgen. A program that libbpf gets refused has to be refused to skelgen too, with the
same errno. What is too new for that libbpf is compared with the blueprint.
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
from tests.harness.oracle import TALLY, Case, Facts, Oracle, Verdict

OBJECTS = sorted(
    path for path in (sources.DATA / "objects").glob("*.o") if ".big." not in path.name
)

# Debian's libbpf is 1.1, of 2022.
TOO_OLD = {
    "jump_table": "jump tables, libbpf 1.7",
    "life": ".struct_ops.link, libbpf 1.2",
    "maps_arena": "arenas and __ulong, libbpf 1.4",
    "prog_cgroup_unix": "SEC(cgroup/connect_unix), libbpf 1.3",
    "prog_kprobe_session": "SEC(kprobe.session), SEC(uprobe.multi), libbpf 1.5",
    "prog_netfilter": "SEC(netfilter), libbpf 1.3",
    "prog_tcx": "SEC(tcx/ingress), libbpf 1.3",
    "sched_weighted": ".struct_ops.link, libbpf 1.2",
    "struct_ops_forms": ".struct_ops.link, libbpf 1.2",
    "struct_ops_link": ".struct_ops.link, libbpf 1.2",
    "struct_ops_shadow": ".struct_ops.link, libbpf 1.2",
    "struct_ops_tcp": ".struct_ops.link, libbpf 1.2",
    "subprogs_exception": "exception callbacks, libbpf 1.4",
}
# It loads these, as if the kernel had not what they would use.
BLIND = {"externs_flavours": "kernel functions by names with a flavour, libbpf 1.3"}
# It does nothing about kernels before these: libbpf 1.4 names the type of arg:ctx.
NEEDED_OF_KERNEL = {"subprogs_ctx_types": (6, 8)}
# What libbpf 1.1 makes otherwise than today's: fixture, program, facts.
OTHERWISE = {
    # calls in dead code are poisoned with the name's number since 1.3
    ("externs_module", "look"): {"tag"},
    ("externs_weak", "look"): {"tag"},
    ("prog_newer", "start"): {"tag"},
    # BPF_TRACE_UPROBE_MULTI where the kernel has it, since 1.3
    ("prog_misnamed", "usdt"): {"attach_type"},
    ("prog_uprobe", "bare_usdt"): {"attach_type"},
}
# What any kernel of the last years loads whole.
MUST_LOAD = {
    "bootstrap",
    "core_fields",
    "core_types",
    "externs_kconfig",
    "globals_live",
    "large",
    "long_program",
    "maps_nested",
    "maps_plain",
    "minimal",
    "prog_cgroup",
    "prog_tracepoint",
    "prog_xdp",
    "ringbuf",
    "subprogs",
    "subprogs_callbacks",
    "subprogs_many",
    "types_structs",
    "xdp_count",
}
# clang 14 leaves a struct out of BTF; its size is in DWARF, which libbpf does not read.
IN_DWARF_ALONE = {"maps_inner_struct.clang14.bpf.o"}
# What libbpf 1.1 cannot read, and these kernels load whole.
MUST_LOAD_SINCE = {
    "maps_arena": (6, 9),
    "prog_cgroup_unix": (6, 7),
    "prog_netfilter": (6, 4),
    "prog_tcx": (6, 7),
    "struct_ops_forms": (6, 4),
    "struct_ops_link": (6, 4),
    "struct_ops_tcp": (6, 4),
    "subprogs_ctx_types": (5, 8),
    "subprogs_exception": (6, 7),
}


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return oracles.build()


def test_kernel_holds_the_same(oracle: Oracle, bpf_source: sources.Source) -> None:
    name = bpf_source.name
    wanted = oracles.case(name)
    if name == "maps_pinned":  # names of pins are not compared here
        wanted = oracles.case("maps_pinned", "map skelgen_pinned pin_path")
    verdict = oracle.ask(wanted)
    old_kernel = not privilege.kernel_at_least(*NEEDED_OF_KERNEL.get(name, (0, 0)))
    if name in TOO_OLD or name in BLIND or old_kernel:
        assert verdict.errno or name in BLIND, "it is not too old: compare"
        as_the_blueprint_says(wanted)
        return
    if name in MUST_LOAD:
        assert not verdict.errno, verdict.text
    compare(oracle, wanted, verdict)


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.name)
def test_objects_of_another_compiler_load_as_with_libbpf(
    oracle: Oracle, path: Path
) -> None:
    """clang 14, whose BTF and code are of 2022, and what ``bpftool gen object`` links."""
    wanted = Case(path, path.name.split(".", 1)[0])
    verdict = oracle.ask(wanted)
    if path.name in IN_DWARF_ALONE:
        assert verdict.errno, "libbpf reads it: compare"
        as_the_blueprint_says(wanted)
        return
    compare(oracle, wanted, verdict)


def compare(oracle: Oracle, wanted: Case, verdict: Verdict) -> None:
    """Load what libbpf loads and compare, refuse what it refuses."""
    if verdict.errno:
        verdicts = refused(oracle, wanted)
        for name, alone in verdicts.items():
            refuse_alike(wanted, name, alone)
        wanted = wanted.without([*verdicts])
        verdict = oracle.ask(wanted)
    with oracles.opened(wanted) as obj:
        if verdict.errno:  # not a program: an extern, a map
            with pytest.raises(BpfError) as caught:
                obj.load()
            same_errno(caught.value, verdict)
            return
        obj.load()
        ours = oracles.program_facts(obj)
        for facts in (*ours, *verdict.programs):
            for fact in OTHERWISE.get((wanted.name, facts["name"]), ()):
                facts[fact] = "not compared"
        assert ours == verdict.programs
        oracles.assert_same_maps(obj, verdict.maps)
    TALLY.add(wanted, len(verdict.programs), len(verdict.maps))


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


def refuse_alike(wanted: Case, name: str, verdict: Verdict) -> None:
    """Check that skelgen gets the same refusal."""
    with skelgen.open_object(wanted.path) as every:
        others = [other for other in every.programs if other != name]
    with oracles.opened(wanted.without(others)) as obj:
        with pytest.raises(BpfError) as caught:
            obj.load()
        same_errno(caught.value, verdict)


def same_errno(error: BpfError, verdict: Verdict) -> None:
    if isinstance(error, OSError):
        assert error.errno == verdict.errno, verdict.text
    TALLY.refusals += 1


# -- newer than libbpf -------------------------------------------------------------


def as_the_blueprint_says(wanted: Case) -> None:
    """Compare what the kernel holds with the blueprint, as far as it loads."""
    with oracles.opened(wanted) as obj:
        report = obj.load(strict=False)
        if privilege.kernel_at_least(*MUST_LOAD_SINCE.get(wanted.name, (99, 0))):
            assert report, report
        programs = oracles.program_facts(obj)
        for facts in programs:
            spec = obj.programs[facts["name"]].spec
            assert facts.items() >= expected_program(obj.spec, spec).items()
        for declared in obj.spec.maps:
            check_map(obj, declared)
        if not programs:
            pytest.skip(f"this kernel loads nothing of it: {report}")
    TALLY.kernel_only += 1


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
