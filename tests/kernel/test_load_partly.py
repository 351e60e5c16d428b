"""load(strict=False) on the running kernel: each failure for a reason of its own."""

from collections.abc import Callable
from types import ModuleType

import pytest

from skelgen import runtime as rt

Make = Callable[[str], ModuleType]
PACKET = bytes(64)

REASONS = {
    "outside": (rt.VerifierError, "invalid access to map value"),
    "needs_map": (rt.VerifierError, "'unsized'"),
    "needs_field": (rt.CoreRelocationError, "task_struct.skelgen_no_such_field not in"),
    "needs_kfunc": (rt.ExternError, "no kernel function 'skelgen_no_such_kfunc'"),
    "needs_target": (rt.AttachError, "no tracepoint 'skelgen_no_such_tracepoint'"),
    "needs_type": (rt.StateError, "does not tell its type"),
}


def test_what_can_be_loaded_is(make_skeleton: Make) -> None:
    with make_skeleton("load_partly").LoadPartly.open() as skel:
        report = skel.load(strict=False)
        assert not report
        assert list(report.maps) == ["unsized"]
        assert "max_entries is 0; set maps.unsized.max_entries" in str(
            report.maps["unsized"]
        )
        assert set(report.programs) == set(REASONS)
        for name, (kind, text) in REASONS.items():
            error = report.programs[name]
            assert isinstance(error, kind)
            assert text in str(error)
        assert any(
            "map 'unsized' was not made: " in note
            for note in report.programs["needs_map"].__notes__
        )
        # what is there works: the tail call to the missing program falls through
        assert skel.progs.entry.test_run(PACKET).retval == 7
        assert skel.maps.counts[0] == 1
        attached = skel.attach()
        assert not attached  # the only one whose SEC() says where
        assert attached.failed == {"needs_target": report.programs["needs_target"]}
        assert attached.passed_over["outside"].startswith("load() did without it: ")
        assert skel.object.links == {}
        with pytest.raises(rt.StateError, match=r"'outside': load\(\) did without it"):
            skel.progs.outside.test_run(PACKET)
        with pytest.raises(rt.StateError, match=r"'unsized': load\(\) did without it"):
            skel.maps.unsized.fd()


def test_strict_raises_the_first(make_skeleton: Make) -> None:
    with make_skeleton("load_partly").LoadPartly.open() as skel:
        with pytest.raises(rt.ExternError):
            skel.load()
        assert not skel.load(strict=False)


def test_what_was_missing_may_be_given(make_skeleton: Make) -> None:
    with make_skeleton("load_partly").LoadPartly.open() as skel:
        skel.maps.unsized.max_entries = 4
        skel.progs.needs_type.type = rt.ProgType.SOCKET_FILTER
        report = skel.load(strict=False)
        assert set(report.programs) == set(REASONS) - {"needs_map", "needs_type"}
        assert report.maps == {}


def test_struct_ops_without_one_of_its_programs_is_left_out(
    make_skeleton: Make,
) -> None:
    """A variable without one of its programs is left out."""
    with make_skeleton("struct_ops").StructOps.open() as skel:
        skel.progs.skelgen_ssthresh.flags = 1 << 31
        report = skel.load(strict=False)
        assert list(report.programs) == ["skelgen_ssthresh"]
        assert str(report.maps["skelgen_cc"]) == (
            "struct_ops 'skelgen_cc': its program 'skelgen_ssthresh' was not loaded"
        )
        assert (
            report.maps["skelgen_cc"].__cause__ is report.programs["skelgen_ssthresh"]
        )
        assert skel.progs.skelgen_undo_cwnd.loaded
        attached = skel.attach()
        assert attached.failed == {"skelgen_cc": report.maps["skelgen_cc"]}
        assert not attached
        assert skel.object.links == {}
        with pytest.raises(rt.StateError, match=r"'skelgen_cc': load\(\) did without"):
            skel.maps.skelgen_cc.attach()


def test_a_report_is_true_when_all_is_loaded(make_skeleton: Make) -> None:
    with make_skeleton("bootstrap").Bootstrap.open() as skel:
        report = skel.load(strict=False)
        assert report, report
        skel.attach()
