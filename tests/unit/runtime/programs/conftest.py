"""Fixtures of perf events, in tracefs and through PMUs."""

from pathlib import Path

import pytest

from skelgen.runtime.kernel import features, tracefs
from skelgen.runtime.links import probe
from tests.harness.fake_kernel import FakeKernel


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that looks like tracefs, with one event."""
    event = tmp_path / "events/sched/sched_switch"
    event.mkdir(parents=True)
    (event / "id").write_text("301\n", "ascii")
    (tmp_path / "available_events").write_text("sched:sched_switch\n", "ascii")
    for control in ("kprobe_events", "uprobe_events"):
        (tmp_path / control).touch()
    monkeypatch.setattr(tracefs, "PLACES", (str(tmp_path),))
    return tmp_path


@pytest.fixture
def perf_link(kernel: FakeKernel) -> None:
    features.PERF_LINK.assume(True)


@pytest.fixture
def no_perf_link(kernel: FakeKernel) -> None:
    features.PERF_LINK.assume(False)


@pytest.fixture
def pmu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the kernel a kprobe and a uprobe PMU."""
    numbers = {
        ("kprobe", "type"): 8,
        ("kprobe", "format/retprobe"): 0,
        ("uprobe", "type"): 9,
        ("uprobe", "format/retprobe"): 1,
    }
    monkeypatch.setattr(probe, "pmu_number", lambda *key: numbers.get(key))


@pytest.fixture
def no_pmu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "pmu_number", lambda *_key: None)


@pytest.fixture
def events(trace: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines written to ``kprobe_events`` and ``uprobe_events``.

    The folder gets the event of each, as the kernel would make it.
    """
    lines: list[str] = []
    append = tracefs.Tracefs.append

    def record(self: tracefs.Tracefs, path: str, line: str) -> None:
        append(self, path, line)
        lines.append(line)
        name = line.split(None, 1)[0].partition(":")[2]
        event = trace / "events" / name
        if not line.startswith("-"):
            event.mkdir(parents=True)
            (event / "id").write_text("77\n", "ascii")

    monkeypatch.setattr(tracefs.Tracefs, "append", record)
    return lines
