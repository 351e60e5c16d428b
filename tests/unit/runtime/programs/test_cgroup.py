"""Programs of control groups, with links and without."""

import os
from pathlib import Path

import pytest

from skelgen.model.enums import AttachType
from skelgen.runtime import CgroupProgram
from skelgen.runtime.errors import AttachError, BpfOSError, NotSupportedError
from skelgen.runtime.kernel import features
from skelgen.runtime.links.attached import AttachedLink
from tests.harness.fake_kernel import FakeKernel
from tests.harness.programs import loaded


def test_a_cgroup_is_opened_for_the_call(kernel: FakeKernel, tmp_path: Path) -> None:
    features.LINK_CREATE.assume(True)
    program = loaded("cgroup_skb/egress", CgroupProgram)
    program.attach(tmp_path, last=True)
    program.attach(9)
    with pytest.raises(FileNotFoundError):
        program.attach(tmp_path / "none")
    with pytest.raises(BpfOSError, match="ENOTDIR"):
        program.attach("/etc/passwd")
    first, second = kernel.named("LINK_CREATE")
    assert first.values("attach_type", "flags") == [AttachType.CGROUP_INET_EGRESS, 16]
    assert second.attr.target_fd == 9
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(first.attr.target_fd)


@pytest.mark.parametrize("way", ["old kernel", "asked for"])
def test_before_links_cgroups_attach_next_to_others(
    kernel: FakeKernel, tmp_path: Path, way: str
) -> None:
    features.LINK_CREATE.assume(way != "old kernel")
    program = loaded("cgroup/connect4", CgroupProgram)
    link = program.attach(tmp_path, link=None if way == "old kernel" else False)
    assert isinstance(link, AttachedLink)
    (call,) = kernel.named("PROG_ATTACH")
    hook = AttachType.CGROUP_INET4_CONNECT
    assert call.values("attach_bpf_fd", "attach_type", "attach_flags") == [
        program.fd(),
        hook,
        2,
    ]
    with pytest.raises(NotSupportedError, match="without a BPF link"):
        link.info()
    # works also when the object went first
    cgroup_fd = link.fd()
    program.close()
    link.destroy()
    link.destroy()
    (call,) = kernel.named("PROG_DETACH")
    assert call.values("target_fd", "attach_type") == [cgroup_fd, hook]
    assert not kernel.open


def test_a_child_does_not_detach_its_parents_program(
    kernel: FakeKernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = loaded("cgroup/connect4", CgroupProgram)
    link = program.attach(tmp_path, link=False)
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    link.destroy()
    program.close()
    assert not kernel.named("PROG_DETACH")
    assert not kernel.open


def test_cgroup_skb_asks_for_the_direction(kernel: FakeKernel, tmp_path: Path) -> None:
    features.LINK_CREATE.assume(True)
    program = loaded("cgroup/skb", CgroupProgram)
    with pytest.raises(AttachError, match="does not say in which direction"):
        program.attach(tmp_path)
    program.attach(tmp_path, attach_type=AttachType.CGROUP_INET_INGRESS)
    ingress = loaded("cgroup_skb/ingress", CgroupProgram)
    ingress.attach(tmp_path)
    hooks = [call.attr.attach_type for call in kernel.named("LINK_CREATE")]
    assert hooks == [AttachType.CGROUP_INET_INGRESS] * 2
