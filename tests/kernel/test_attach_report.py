"""What ``attach()`` of a skeleton says of programs of every kind."""

import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from skelgen import runtime as rt

Make = Callable[[str], ModuleType]


@pytest.fixture
def opened(make_skeleton: Make) -> Any:
    return make_skeleton("attach_report").AttachReport.open


def test_every_program_is_in_it(opened: Any) -> None:
    with opened() as skel:
        skel.load()
        report = skel.attach()
        assert report
        assert isinstance(report, rt.AttachReport)
        assert report.attached == {"on_getppid": skel.links.on_getppid}
        assert not report.failed
        assert str(report) == (
            "attached: 'on_getppid'\n"
            "passed over:\n"
            "  'on_demand': its autoload is off\n"
            "  'on_nothing': its autoload is off\n"
            "  'on_packet': SEC(\"xdp\") does not say where to attach; call"
            " attach(interface)\n"
            "  'on_sample': SEC(\"perf_event\") does not say where to attach; call"
            " attach(frequency=...)\n"
            "  'on_connect': SEC(\"cgroup/connect4\") does not say where to attach;"
            " call attach(cgroup)\n"
            "  'on_call': SEC(\"uprobe\") does not say where to attach; call"
            " attach(path, function)\n"
            "  'on_jump': its autoload is off"
        )
        os.getppid()
        assert skel.bss.calls
        again = skel.attach()
        assert again
        assert not again.attached
        assert again.passed_over["on_getppid"] == "it is attached already"


def test_a_link_by_hand_is_attached_already(opened: Any) -> None:
    with opened() as skel:
        skel.load()
        skel.links.on_sample = skel.progs.on_sample.attach(frequency=1, pid=0)
        report = skel.attach()
        assert report.passed_over["on_sample"] == "it is attached already"


def test_a_target_that_cannot_be_attached_to_raises_or_is_reported(opened: Any) -> None:
    with opened() as skel:
        skel.progs.on_nothing.autoload = True
        skel.progs.on_jump.autoload = True
        skel.load()
        with pytest.raises(rt.AttachError, match="no tracepoint 'syscalls/sys_enter_s"):
            skel.attach()
        assert skel.links.on_getppid is None
        report = skel.attach(strict=False)
        assert not report
        assert list(report.attached) == ["on_getppid"]
        assert skel.links.on_getppid is report.attached["on_getppid"]
        assert set(report.failed) == {"on_nothing", "on_jump"}
        assert "USDT" in str(report.failed["on_jump"])
        assert "no tracepoint" in str(report)
        assert skel.progs.on_nothing.loaded
    with opened() as skel:
        skel.progs.on_jump.autoload = True
        skel.load()
        with pytest.raises(rt.AttachError, match="cannot attach to USDT probes"):
            skel.attach()
