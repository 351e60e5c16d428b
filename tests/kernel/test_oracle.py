"""After load, the kernel holds the same as libbpf would have given it.

``oracle/oracle.c`` loads every fixture with Debian's libbpf and prints program tags,
instruction counts and map definitions; here the same object goes through skelgen. A
program that libbpf gets refused has to be refused to skelgen too, with the same errno.
"""

import json
import re
import shutil
import struct
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import skelgen
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError
from skelgen.runtime.object import Object
from tests.harness import sources

SOURCE = Path(__file__).with_name("oracle") / "oracle.c"

# Debian's libbpf is 1.1, of 2022.
TOO_OLD = {
    "jump_table": "jump tables, libbpf 1.7",
    "life": ".struct_ops.link, libbpf 1.2",
    "maps_arena": "arenas and __ulong, libbpf 1.4",
    "prog_cgroup_unix": "SEC(cgroup/connect_unix), libbpf 1.3",
    "prog_kprobe_session": "SEC(kprobe.session), SEC(uprobe.multi), libbpf 1.5",
    "prog_netfilter": "SEC(netfilter), libbpf 1.3",
    "prog_tcx": "SEC(tcx/ingress), libbpf 1.3",
    "struct_ops_link": ".struct_ops.link, libbpf 1.2",
    "struct_ops_shadow": ".struct_ops.link, libbpf 1.2",
    "struct_ops_tcp": ".struct_ops.link, libbpf 1.2",
    "subprogs_exception": "exception callbacks, libbpf 1.4",
}
# What libbpf 1.1 makes otherwise than today's: fixture, program, fact.
OTHERWISE = {
    # the call, which is dead code, is poisoned with the name's number since 1.3
    ("externs_weak", "look", "tag"),
    # BPF_TRACE_UPROBE_MULTI where the kernel has it, since 1.3
    ("prog_uprobe", "bare_usdt", "attach_type"),
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

PINNED = {"maps_pinned": ("skelgen_pinned",)}
"""Maps that are pinned by name, which is not what is compared here."""


class Verdict(NamedTuple):
    """What libbpf came to: the kernel's facts, or an errno."""

    facts: dict[str, list[dict[str, Any]]] | None
    errno: int
    text: str


class Oracle:
    """The C program, compiled."""

    def __init__(self, program: Path) -> None:
        self.program = program

    def ask(self, source: sources.Source, disabled: Collection[str]) -> Verdict:
        words = [str(self.program), "-n", source.name]
        words += [word for name in disabled for word in ("-d", name)]
        words += [word for name in PINNED.get(source.name, ()) for word in ("-u", name)]
        done = subprocess.run(
            [*words, str(sources.compiled(source))],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return Verdict(json.loads(done.stdout), 0, "")
        found = re.search(r"^oracle: (?:open|load): (\d+) ", done.stderr, re.MULTILINE)
        assert found is not None, done.stderr
        return Verdict(None, int(found[1]), done.stderr)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Oracle:
    if shutil.which("cc") is None or not Path("/usr/include/bpf/libbpf.h").exists():
        pytest.skip("needs cc and libbpf's headers (Debian package libbpf-dev)")
    program = tmp_path_factory.mktemp("oracle") / "oracle"
    subprocess.run(
        ["cc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE, "-lbpf"],
        check=True,
    )
    return Oracle(program)


def opened(source: sources.Source, disabled: Collection[str]) -> Object:
    obj = skelgen.open_object(sources.compiled(source))
    assert obj.name == source.name
    for name in disabled:
        obj.programs[name].autoload = False
    for name in PINNED.get(source.name, ()):
        obj.map(name).pin_path = None
    return obj


def program_facts(obj: Object) -> list[dict[str, Any]]:
    facts = []
    for name, program in obj.programs.items():
        if not program.autoload:
            continue
        info = program.info()
        raw = syscalls.obj_get_info(program.fd(), 232)
        func_infos, line_infos = struct.unpack_from("=II", raw, 144)
        facts.append(
            {
                "name": name,
                "kernel_name": info.name,
                "section": program.spec.section,
                "type": int(info.type),
                "attach_type": int(program.attach_type),
                "tag": info.tag,
                "xlated_size": info.xlated_size,
                "func_infos": func_infos,
                "line_infos": line_infos,
                "maps": len(info.map_ids),
                "gpl": int(info.gpl_compatible),
                "has_btf": int(info.btf_id != 0),
            }
        )
        assert info.insn_count * 8 == info.xlated_size
    return facts


def map_facts(obj: Object) -> list[dict[str, Any]]:
    facts = []
    for bpf_map in obj.maps.values():
        info = bpf_map.info()
        facts.append(
            {
                "kernel_name": info.name,
                "type": int(info.type),
                "key_size": info.key_size,
                "value_size": info.value_size,
                "max_entries": info.max_entries,
                "flags": info.flags,
                "map_extra": info.map_extra,
                "has_btf": int(info.btf_id != 0),
                "key_type_id": info.btf_key_type_id,
                "value_type_id": info.btf_value_type_id,
                "btf_vmlinux_value_type_id": info.btf_vmlinux_value_type_id,
            }
        )
    return facts


def refused(oracle: Oracle, source: sources.Source) -> dict[str, Verdict]:
    """Return the programs that libbpf cannot load, each tried alone."""
    with skelgen.open_object(sources.compiled(source)) as obj:
        names = [name for name, program in obj.programs.items() if program.autoload]
    found = {}
    for name in names:
        verdict = oracle.ask(source, [other for other in names if other != name])
        if verdict.facts is None:
            found[name] = verdict
    return found


def test_kernel_holds_the_same(oracle: Oracle, bpf_source: sources.Source) -> None:
    verdict = oracle.ask(bpf_source, ())
    if bpf_source.name in TOO_OLD:
        assert verdict.facts is None, "libbpf is not too old: compare"
        return
    disabled: list[str] = []
    if verdict.facts is None:
        assert bpf_source.name not in MUST_LOAD, verdict.text
        disabled = refuse_alike(bpf_source, refused(oracle, bpf_source))
        verdict = oracle.ask(bpf_source, disabled)
        if verdict.facts is None:  # not a program: an extern, a map
            with opened(bpf_source, disabled) as obj, pytest.raises(BpfError):
                obj.load()
            return
    theirs = verdict.facts
    assert theirs is not None
    with opened(bpf_source, disabled) as obj:
        obj.load()
        ours = program_facts(obj)
        for facts in (*ours, *theirs["programs"]):
            for name, program, fact in OTHERWISE:
                if (name, program) == (bpf_source.name, facts["name"]):
                    facts[fact] = "not compared"
        assert ours == theirs["programs"]
        for definition in theirs["maps"]:
            del definition["name"]  # libbpf's own; the kernel's is compared
        assert map_facts(obj) == theirs["maps"]


def refuse_alike(source: sources.Source, verdicts: dict[str, Verdict]) -> list[str]:
    """Check that skelgen gets the same refusals, and return whose they are."""
    for name, verdict in verdicts.items():
        with skelgen.open_object(sources.compiled(source)) as every:
            others = [other for other in every.programs if other != name]
        with opened(source, others) as obj:
            with pytest.raises(BpfError) as caught:
                obj.load()
            if isinstance(caught.value, OSError):
                assert caught.value.errno == verdict.errno, verdict.text
    return [*verdicts]
