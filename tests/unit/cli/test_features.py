"""``skelgen features``: tables, JSON, exit status. Without rights it says so."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from skelgen.cli import main
from skelgen.model.enums import MapType, ProgType
from skelgen.runtime import needs
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel import machine as system
from skelgen.runtime.kernel.features import Answer, answers
from skelgen.runtime.needs import Need
from skelgen.runtime.syscalls import call
from tests.harness.fake_kernel import FakeKernel

CompileBpf = Callable[..., Path]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["features", *arguments], prog_name="skelgen")


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKernel]:
    """Yield a kernel that says yes to everything; nothing is remembered."""
    fake = FakeKernel()

    def forget() -> None:
        answers.forget()
        for feature in features.named().values():
            feature.forget()

    forget()
    with monkeypatch.context() as patch:
        patch.setattr(call, "raw", fake)
        yield fake
    forget()


def test_the_machine_and_the_named_features_are_listed(kernel: FakeKernel) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stdout.startswith("kernel ")
    for word in ("capabilities", "unprivileged bpf(2)", "\nconfiguration\n", "JIT"):
        assert word in result.stdout
    lines = [line.split("  ") for line in result.stdout.splitlines()]
    listed = {line[1] for line in lines if len(line) > 1}
    assert {f.name for f in features.named().values()} <= listed
    assert not kernel.open


def test_json_has_what_is_asked_for(kernel: FakeKernel) -> None:
    whole = json.loads(run("--json").stdout)
    assert whole["system"]["release"] == system.read().release
    assert whole["features"]["global data"] == {
        "supported": True,
        "since": "5.2",
        "reason": None,
    }
    tables = json.loads(run("--json", "--map-types", "--program-types").stdout)
    assert tables.keys() == {"map_types", "program_types"}
    assert len(tables["map_types"]) == len(MapType) - 1
    assert len(tables["program_types"]) == len(ProgType) - 1


def test_helpers_of_a_type_are_listed_with_what_could_not_be_told(
    kernel: FakeKernel,
) -> None:
    kernel.always("PROG_LOAD", -1)  # EPERM
    result = run("--helpers", "xdp")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "helpers xdp"
    assert lines[1].split()[:4] == ["bpf_map_lookup_elem", "could", "not", "tell"]
    assert "operation not permitted (EPERM)" in lines[1]
    assert len(lines) == 212
    assert run("--helpers", "xpd").exit_code == 2
    assert "'xpd' is no type of program" in run("--helpers", "xpd").stderr


@pytest.mark.parametrize("arguments", [("--load",), ("x.o", "--map-types")])
def test_what_does_not_go_together_is_refused(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_an_object_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.o").write_bytes(b"no object")
    result = run(str(tmp_path / "bad.o"))
    assert result.exit_code == 2
    assert result.stderr.startswith("skelgen: error: ")


def test_what_an_object_needs_and_the_kernel_lacks_is_told(
    kernel: FakeKernel, compile_bpf: CompileBpf
) -> None:
    path = str(compile_bpf("maps_plain"))
    result = run(path)
    assert result.exit_code == 0, result.stdout
    assert "nothing is missing on this kernel" in result.stdout
    answers.forget()
    kernel.always("MAP_CREATE", -22)  # EINVAL
    result = run(path, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    missing = [need for need in report["needs"] if need["supported"] is False]
    assert {need["kind"] for need in missing} >= {"map type"}
    assert "map type hash" in report["missing"]
    text = run(path)
    assert text.exit_code == 1
    assert "this kernel lacks map type hash" in text.stdout


def test_what_an_object_can_do_without_is_not_missing() -> None:
    no = Answer(False, "not in kernel BTF")
    assert Need("kernel type", "task_struct.x", (), no).missing
    assert not Need("kernel type", "task_struct.x", (), no, "it is weak").missing
    assert not Need("helper", "bpf_x", (), Answer(None)).missing


def test_nothing_of_it_is_imported_before() -> None:
    code = (
        "import sys; import skelgen.cli;"
        "assert not [m for m in sys.modules if m.startswith('skelgen.runtime')]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert needs.__doc__
