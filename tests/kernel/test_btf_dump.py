"""``skelgen btf dump`` of what is loaded: maps and programs, against bpftool."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import skelgen
from skelgen.cli import main
from skelgen.runtime import syscalls
from tests.harness import vmlinux
from tests.harness.btf import needs_bpftool

pytestmark = pytest.mark.any_kernel


Compile = Callable[[str], Path]


def dump(*args: str) -> str:
    result = CliRunner().invoke(main, ["btf", "dump", *args])
    assert result.exit_code == 0, result.output
    return result.output


def bpftool(*args: str) -> str:
    words = ["bpftool", *args]
    return subprocess.run(words, capture_output=True, check=True, text=True).stdout


@needs_bpftool
def test_types_of_a_program_are_as_bpftool_says(compile_bpf: Compile) -> None:
    with skelgen.open_object(compile_bpf("bootstrap")) as obj:
        obj.load()
        program = obj.programs["handle_exec"]
        number = str(syscalls.prog_info(program.fd()).id)
        types = json.loads(dump("--prog-id", number, "--format", "json"))
        assert types == json.loads(bpftool("-j", "btf", "dump", "prog", "id", number))
        theirs = bpftool("btf", "dump", "prog", "id", number, "format", "c")
        assert vmlinux.tags(dump("--prog-id", number)) == vmlinux.tags(theirs)


@needs_bpftool
def test_types_of_a_map_are_as_bpftool_says(compile_bpf: Compile) -> None:
    with skelgen.open_object(compile_bpf("maps_plain")) as obj:
        obj.load()
        for name, map_ in obj.maps.items():
            info = syscalls.map_info(map_.fd())
            if not info.btf_value_type_id:
                continue
            number = str(info.id)
            theirs = bpftool("btf", "dump", "map", "id", number, "format", "c")
            ours = dump("--map-id", number)
            assert vmlinux.tags(ours) == vmlinux.tags(theirs), name
            assert vmlinux.typedefs(ours) == vmlinux.typedefs(theirs), name


def test_things_that_do_not_exist_are_errors_that_say_so() -> None:
    for option in ("--map-id", "--prog-id"):
        result = CliRunner().invoke(main, ["btf", "dump", option, "999999999"])
        assert result.exit_code == 2
        assert "ENOENT" in result.output
    result = CliRunner().invoke(main, ["btf", "dump", "--module", "no_such_module"])
    assert result.exit_code == 2
    assert "module 'no_such_module': not loaded, or built without BTF" in result.output
