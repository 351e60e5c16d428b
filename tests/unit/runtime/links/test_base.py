"""A link is detached, pinned, updated and destroyed."""

import errno
from pathlib import Path

import pytest

from skelgen.runtime import XdpProgram
from skelgen.runtime.errors import ClosedError, StateError
from skelgen.runtime.links.base import Link
from skelgen.runtime.links.iter import IterLink
from tests.harness.fake_kernel import FakeKernel
from tests.harness.programs import loaded


def test_a_link_is_pinned_updated_and_destroyed(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    program = loaded("xdp", XdpProgram)
    link = program.attach(7)
    assert link.program is program
    path = tmp_path / "link"
    with pytest.raises(StateError, match="link of program 'prog': not pinned"):
        link.unpin()
    link.pin(path)
    path.touch()  # as the kernel does
    assert link.pin_path == str(path)
    with pytest.raises(StateError, match="pinned already"):
        link.pin(path)
    link.unpin()
    assert not path.exists()
    other = loaded("xdp", XdpProgram, name="other")
    link.update(other, old=program)
    (update,) = kernel.named("LINK_UPDATE")
    assert update.values("new_prog_fd", "flags", "old_prog_fd") == [
        other.fd(),
        4,
        program.fd(),
    ]
    assert link.program is other
    link.destroy()
    link.destroy()
    assert link.destroyed
    for action in (link.fd, link.info, lambda: link.update(program)):
        with pytest.raises(ClosedError, match="link of program 'other': destroyed"):
            action()
    link.detach()
    program.close()
    other.close()
    assert not kernel.open


@pytest.mark.parametrize("answer", [0, -errno.EOPNOTSUPP, -errno.EINVAL])
def test_detach_detaches_what_can_be(kernel: FakeKernel, answer: int) -> None:
    link = loaded("xdp", XdpProgram).attach(7)
    kernel.then("LINK_DETACH", answer)
    link.detach()
    assert link.destroyed
    assert len(kernel.named("LINK_DETACH")) == 1


def test_detach_tells_of_failure(kernel: FakeKernel) -> None:
    link = loaded("xdp", XdpProgram).attach(7)
    kernel.then("LINK_DETACH", -errno.EPERM)
    with pytest.raises(PermissionError, match="BPF_LINK_DETACH"):
        link.detach()
    assert not link.destroyed
    assert link.fd() in kernel.open


def test_a_pinned_link_is_opened_by_its_path(kernel: FakeKernel) -> None:
    link = IterLink.from_pin("/sys/fs/bpf/x")
    assert isinstance(link, IterLink)
    assert link.program is None
    assert link.pin_path == "/sys/fs/bpf/x"
    kernel.then("OBJ_GET", -errno.ENOENT)
    with pytest.raises(FileNotFoundError, match="link at '/sys/fs/bpf/none'"):
        Link.from_pin("/sys/fs/bpf/none")
