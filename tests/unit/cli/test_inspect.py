"""``skelgen inspect`` shows all of an object, as text and as JSON."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.harness import sources
from tests.harness.command import run

CompileBpf = Callable[..., Path]


def test_inspect_shows_maps_programs_and_sections(folder: Path) -> None:
    result = run("inspect", "ringbuf.bpf.o")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line for line in result.stdout.splitlines() if line]
    assert lines[0].startswith("ringbuf.bpf.o: little-endian, license 'GPL', ")
    assert lines[1:] == [
        "maps",
        "  rb  RINGBUF    65536 bytes",
        "programs",
        (
            '  on_getppid  SEC("tp/syscalls/sys_enter_getppid")  TRACEPOINT'
            "  syscalls:sys_enter_getppid  43 instructions"
        ),
        ".rodata, 4 bytes of zeros",
        "  +0  const volatile int only_pid  4 bytes",
        ".bss, 16 bytes of zeros",
        "  +0  __u64 lost  8 bytes",
        "  +8  __u64 sent  8 bytes",
    ]


def test_inspect_json_has_maps_and_variables_with_their_fields(folder: Path) -> None:
    table = json.loads(run("inspect", "--json", "ringbuf.bpf.o").stdout)
    assert table["name"] == "ringbuf"
    assert table["maps"] == [
        {
            "name": "rb",
            "type": "RINGBUF",
            "key": None,
            "key_size": 0,
            "value": None,
            "value_size": 0,
            "max_entries": 65536,
            "flags": 0,
            "map_extra": 0,
            "numa_node": None,
            "pinned": False,
            "inner": None,
            "values": {},
        }
    ]
    (program,) = table["programs"]
    assert program["attach"] == {
        "family": "Tracepoint",
        "category": "syscalls",
        "event": "sys_enter_getppid",
    }
    assert table["data"][1]["variables"][1] == {
        "name": "sent",
        "declaration": "__u64 sent",
        "offset": 8,
        "size": 8,
        "static": False,
    }


def test_inspect_shows_everything_that_its_json_names(
    bpf_source: sources.Source,
) -> None:
    path = str(sources.compiled(bpf_source))
    text = run("inspect", path)
    odd = bpf_source.name in {
        *("prog_misnamed", "prog_unknown", "load_partly", "types_strings"),
    }
    assert (text.exit_code, ": warning: " in text.stderr) == (0, odd)
    table = json.loads(run("inspect", path, "--json").stdout)
    for part in ("maps", "programs", "struct_ops"):
        for row in table[part]:
            assert row["name"] in text.stdout
    for section in table["data"]:
        assert section["section"] in text.stdout
        for var in section["variables"]:
            assert var["name"] in text.stdout
    for extern in table["externs"]:
        assert extern["name"] in text.stdout
