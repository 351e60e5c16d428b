"""Targets of attach(): what cannot be read, what no family attaches, and when."""

import pytest

from skelgen.runtime import (
    KprobeMultiProgram,
    KprobeProgram,
    KsyscallProgram,
    Program,
    StructOpsProgram,
    TracepointProgram,
    TracingProgram,
    UprobeProgram,
    UsdtProgram,
    XdpProgram,
)
from skelgen.runtime.errors import AttachError, ClosedError, StateError
from tests.harness.fake_kernel import FakeKernel
from tests.harness.programs import loaded, opened


def test_attach_comes_after_load_and_before_destroy(kernel: FakeKernel) -> None:
    program = opened("tp/sched/sched_switch", TracepointProgram)
    with pytest.raises(StateError, match="not loaded; call load"):
        program.attach()
    program = opened("?tp/sched/sched_switch", TracepointProgram)
    with pytest.raises(StateError, match="not loaded; its autoload is off"):
        program.attach()
    program.close()
    with pytest.raises(ClosedError, match="destroyed already"):
        program.attach()
    assert not kernel.calls


def test_a_bare_section_asks_for_the_target(kernel: FakeKernel) -> None:
    program = loaded("tp", TracepointProgram)
    assert not program.auto_attachable
    with pytest.raises(AttachError) as caught:
        program.attach()
    assert str(caught.value) == (
        "program 'prog': SEC(\"tp\") does not say where to attach; "
        "call attach(category, event)"
    )
    assert opened("tp/a/b", TracepointProgram).auto_attachable


@pytest.mark.parametrize(
    ("section", "kind", "misnamed"),
    [
        ("tp/unused", TracepointProgram, True),
        ("kretprobe/f+8", KprobeProgram, True),
        ("kretprobe.multi/a b", KprobeMultiProgram, True),
        ("usdt/a", UsdtProgram, True),
        ("uretprobe//a:f+8", UprobeProgram, True),
        ("fentry.multi/a b", Program, True),
        ("tp", TracepointProgram, False),
        ("tp/a/b", TracepointProgram, False),
        ("kretprobe/f", KprobeProgram, False),
        ("kprobe.multi/*", KprobeMultiProgram, False),
        ("uprobe/text", UprobeProgram, False),
        ("ksyscall/f", KsyscallProgram, False),
        ("fentry/f", TracingProgram, False),
        ("xdp/devmap", XdpProgram, False),
        ("struct_ops/f", StructOpsProgram, False),
        ("mine/f", Program, False),
    ],
)
def test_a_target_that_cannot_be_read_is_refused(
    kernel: FakeKernel,
    section: str,
    kind: type[Program],
    *,
    misnamed: bool,
) -> None:
    program = loaded(section, kind)
    assert program.misnamed == misnamed
    if misnamed:
        assert not program.auto_attachable
        with pytest.raises(AttachError):
            program.attach()


def test_families_that_nothing_attaches_say_what_does(kernel: FakeKernel) -> None:
    with pytest.raises(AttachError, match="ip route add"):
        loaded("lwt_in", Program).attach()
    assert kernel.names() == ["PROG_LOAD"]
