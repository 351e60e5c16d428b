"""What ``SEC()`` promises, row by row, and what is said of the rest."""

import pytest

from skelgen.elf.section_names import SECTIONS, match_section
from skelgen.model.enums import AttachType, ProgType
from skelgen.model.spec import ProgramSpec, Span
from skelgen.runtime import AttachReport, Program
from skelgen.runtime.errors import AttachError
from skelgen.runtime.programs.families import program_class
from tests.harness.programs import opened

PROMISED = {
    *("kprobe", "kretprobe", "ksyscall", "kretsyscall"),
    *("kprobe.multi", "kretprobe.multi", "kprobe.session"),
    *("uprobe", "uprobe.s", "uretprobe", "uretprobe.s"),
    *("uprobe.multi", "uretprobe.multi", "uprobe.session"),
    *("uprobe.multi.s", "uretprobe.multi.s", "uprobe.session.s"),
    *("usdt", "usdt.s"),
    *("tracepoint", "tp", "tracepoint.s", "tp.s"),
    *("raw_tracepoint", "raw_tp", "raw_tracepoint.s", "raw_tp.s"),
    *("raw_tracepoint.w", "raw_tp.w", "tp_btf", "tp_btf.s"),
    *("fentry", "fmod_ret", "fexit", "fentry.s", "fmod_ret.s", "fexit.s"),
    *("fsession", "fsession.s", "fsession.multi", "fsession.multi.s"),
    *("fentry.multi", "fexit.multi", "fentry.multi.s", "fexit.multi.s"),
    *("lsm", "lsm.s", "iter", "iter.s"),
}
"""Rows of the table whose long form says all that there is to say."""
EXTRA = {
    "tp": "a/b",
    "uprobe": "/bin/true:main",
    "uretprobe": "/bin/true:main",
    "usdt": "/bin/true:a:b",
    "iter": "task",
}


def program(section: str) -> Program:
    """Return a program as ``open()`` makes it from ``SEC(section)``."""
    match = match_section(section)
    spec = ProgramSpec(
        "p",
        section,
        match.type,
        match.attach,
        insns=Span(0, 8),
        attach_type=match.attach_type,
    )
    return opened(section, program_class(spec))


def long_form(key: str) -> str:
    head = key.removesuffix("+")
    kind = head.split(".")[0].replace("tracepoint", "tp")
    kind = "tp" if kind == "tp" else kind
    return f"{head}/{EXTRA.get(kind, 'name')}"


@pytest.mark.parametrize("key", [row.key for row in SECTIONS])
def test_every_row_is_attached_or_says_what_to_do(key: str) -> None:
    head = key.removesuffix("+")
    bare = program(head)
    assert not bare.auto_attachable
    assert not bare.misnamed
    assert bare.by_hand
    if key.endswith("+"):
        full = program(long_form(key))
        assert full.auto_attachable is (head in PROMISED)
        assert full.auto_attachable or full.by_hand


@pytest.mark.parametrize(
    ("section", "call"),
    [
        ("xdp", "call attach(interface)"),
        ("xdp/devmap", "put its fd into an element"),
        ("tc", "call attach(interface, direction='ingress') or 'egress'"),
        ("tcx/egress", "call attach(interface)"),
        ("cgroup/connect4", "call attach(cgroup)"),
        ("lsm_cgroup/socket_bind", "call attach(cgroup)"),
        ("sk_lookup", "call attach(netns)"),
        ("netfilter", "call attach(family, hook)"),
        ("perf_event", "call attach(frequency=...)"),
        ("socket", "call attach(socket)"),
        ("sk_msg", "call attach(map)"),
        ("kprobe", "call attach(function)"),
        ("uprobe", "call attach(path, function)"),
        ("usdt", "cannot attach to USDT probes"),
        ("fentry.multi", "cannot attach to many functions"),
        ("fentry", "call set_attach_target() before load()"),
        ("freplace/main", "call attach(program, function)"),
        ("iter/bpf_map_elem", "call attach(map=...)"),
        ("iter/cgroup", "call attach(order=...)"),
        ("struct_ops/x", "the struct_ops variable that names it"),
        ("syscall", "call run()"),
        ("lwt_in", "ip route add"),
        ("action", "belong to a filter of tc(8)"),
    ],
)
def test_a_program_to_attach_by_hand_says_how(section: str, call: str) -> None:
    made = program(section)
    assert not made.auto_attachable
    assert call in made.by_hand
    assert f'SEC("{section}")' in made.by_hand or "say" not in made.by_hand


@pytest.mark.parametrize("section", ["usdt/a:b:c", "fentry.multi/a*"])
def test_a_full_target_that_nobody_attaches_is_an_error(section: str) -> None:
    from skelgen.runtime.syscalls import Fd

    made = program(section)
    made._fd = Fd(-1)
    with pytest.raises(AttachError, match="this version of skelgen cannot attach"):
        made.attach()


def test_types_are_as_the_table_has_them() -> None:
    assert program("xdp").type == ProgType.XDP
    assert program("lsm_cgroup/x").attach_type == AttachType.LSM_CGROUP


def test_a_report_of_nothing_is_true_and_says_so() -> None:
    report = AttachReport()
    assert report
    assert str(report) == "nothing to attach"
    assert repr(report) == "<attach report: nothing to attach>"


def test_a_report_tells_what_was_passed_over_and_what_failed() -> None:
    error = AttachError("program 'c': no kernel function 'x' to probe")
    error.add_note("did you mean 'y'?")
    report = AttachReport(
        {}, {"a": 'SEC("xdp") does not say where to attach'}, {"c": error}
    )
    assert not report
    assert str(report) == (
        "passed over:\n"
        "  'a': SEC(\"xdp\") does not say where to attach\n"
        "not attached:\n"
        "  program 'c': no kernel function 'x' to probe\n"
        "    did you mean 'y'?"
    )
    other = AttachReport(failed={"d": AttachError("nothing of that name")})
    assert str(other) == "not attached:\n  'd': nothing of that name"
