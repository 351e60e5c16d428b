"""Links undo what they did: not in a forked child, and also when they are dropped."""

import os
from typing import TYPE_CHECKING

import pytest

from skelgen.runtime import KprobeProgram
from skelgen.runtime.kernel import features
from tests.harness.fake_kernel import FakeKernel
from tests.harness.programs import loaded

if TYPE_CHECKING:
    from skelgen.runtime.links.base import Link


def child(monkeypatch: pytest.MonkeyPatch) -> None:
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)


@pytest.mark.usefixtures("no_pmu")
@pytest.mark.parametrize("with_link", [True, False])
def test_a_forked_child_undoes_nothing_of_its_parent(
    kernel: FakeKernel,
    events: list[str],
    monkeypatch: pytest.MonkeyPatch,
    with_link: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    features.PERF_LINK.assume(with_link)
    program = loaded("kprobe/do_unlinkat", KprobeProgram)
    link = program.attach()
    before = len(kernel.named("ioctl"))
    child(monkeypatch)
    link.destroy()
    assert len(events) == 1
    assert len(kernel.named("ioctl")) == before
    program.close()
    assert not kernel.open


@pytest.mark.usefixtures("no_pmu", "perf_link")
def test_a_dropped_link_is_undone(kernel: FakeKernel, events: list[str]) -> None:
    import gc

    program = loaded("kprobe/do_unlinkat", KprobeProgram)
    link: Link | None = program.attach()
    assert len(events) == 1
    link = None
    gc.collect()
    assert link is None
    assert events[1].startswith("-:")
    assert kernel.open == {program.fd()}
