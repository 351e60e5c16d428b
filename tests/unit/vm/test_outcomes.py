"""Tables and verdicts that the runner of other kernels makes of outcomes."""

from pathlib import Path

import pytest

from tests.vm import outcomes, run
from tests.vm.kernels import KERNELS
from tests.vm.outcomes import Outcome


def test_outcomes_by_kernel_and_reason() -> None:
    found = {
        "6.1": [
            Outcome("a", "setup", "passed", 1, ""),
            Outcome("a", "call", "passed", 2, ""),
            Outcome("b", "setup", "skipped", 1, "needs arenas, Linux 6.9\nmore"),
            Outcome("c", "call", "passed", 0, ""),
            Outcome("c", "teardown", "failed", 0, ""),
        ],
        "6.12": [Outcome("a", "call", "passed", 2, "")],
    }
    header, old, new, skips = outcomes.table(found)
    assert header.split() == ["kernel", "passed", "skipped", "failed", "seconds"]
    assert old.split() == ["6.1", "1", "1", "1", "4"]
    assert new.split() == ["6.12", "1", "0", "0", "2"]
    assert skips == "skipped (6.1: 1): needs arenas, Linux 6.9"


@pytest.mark.parametrize(
    ("reason", "kernel", "needless"),
    [
        ("this kernel has no tcx, which is in Linux since 6.6", "6.1", False),
        ("this kernel has no tcx, which is in Linux since 6.6", "6.12", True),
        ("needs arenas, Linux 6.9", "6.9", True),
        ("needs arenas, Linux 6.9", "5.10", False),
        ("CAP_BPF came with Linux 5.8", "5.10", True),
        ("this kernel has no kprobe.multi (CONFIG_FPROBE), Linux 5.18", "6.1", False),
        ("needs bpftool", "6.1", False),
    ],
)
def test_no_skip_for_what_the_kernel_has(
    reason: str, kernel: str, *, needless: bool
) -> None:
    skip = Outcome("t", "setup", "skipped", 0, reason)
    assert bool(outcomes.needless_skips(kernel, [skip])) == needless


def test_what_is_written_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outcomes"
    assert outcomes.read(path) == []
    monkeypatch.setenv(outcomes.VARIABLE, str(path))
    report = pytest.TestReport(
        "t.py::test", ("t.py", 1, "test"), {}, "skipped", ("t.py", 1, "Skipped: so"),
        "setup", duration=0.126,
    )  # fmt: skip
    outcomes.pytest_runtest_logreport(report)
    assert outcomes.read(path) == [
        Outcome("t.py::test", "setup", "skipped", 0.13, "so")
    ]


def test_which_kernels_are_run() -> None:
    assert run._split([])[0] == list(KERNELS)
    quick, _, is_quick = run._split(["--quick"])
    assert set(quick) <= KERNELS.keys()
    assert is_quick
    assert run._split(["7.3", "--", "-x"]) == (["7.3"], ["-x"], False)


def test_which_tests_are_run() -> None:
    oracle, prints = "tests/kernel/test_oracle.py", "tests/kernel/test_shown.py"
    for kernel, compared in (("5.10", True), ("6.1", False), ("7.3", True)):
        chosen = run._chosen(kernel, quick=True)
        assert (oracle in chosen) is compared
        assert prints not in chosen
        assert chosen[-1] != "tests/kernel"
        assert run._chosen(kernel, quick=False)[-1] == "tests/kernel"
