"""Programs of network namespaces, netfilter, sockmaps and sockets."""

import errno
import socket

import pytest

from skelgen.model.enums import AttachType
from skelgen.runtime import (
    NetfilterProgram,
    NetnsProgram,
    SocketProgram,
    SockmapProgram,
)
from skelgen.runtime.errors import AttachError, BpfOSError
from skelgen.runtime.links.base import Link
from tests.harness.fake_kernel import FakeKernel
from tests.harness.programs import loaded


def test_a_network_namespace_is_given_by_path_or_fd(kernel: FakeKernel) -> None:
    program = loaded("sk_lookup", NetnsProgram)
    program.attach()
    program.attach(9)
    with pytest.raises(FileNotFoundError):
        program.attach("/run/netns/none-such")
    first, second = kernel.named("LINK_CREATE")
    assert first.attr.attach_type == second.attr.attach_type == AttachType.SK_LOOKUP
    assert second.attr.target_fd == 9


def test_netfilter_takes_names_or_numbers_of_families_and_hooks(
    kernel: FakeKernel,
) -> None:
    program = loaded("netfilter", NetfilterProgram)
    program.attach("ipv4", "output", priority=-5, defrag=True)
    program.attach(10, 1)
    first, second = kernel.named("LINK_CREATE")
    assert first.values(
        "netfilter.pf", "netfilter.hooknum", "netfilter.priority", "netfilter.flags"
    ) == [2, 3, -5, 1]
    assert second.values("netfilter.pf", "netfilter.hooknum") == [10, 1]
    with pytest.raises(ValueError, match="family must be one of ipv4, ipv6, not 'ip'"):
        program.attach("ip", "output")
    with pytest.raises(ValueError, match="hook must be one of prerouting, input"):
        program.attach("ipv4", "out")
    with pytest.raises(OverflowError, match="priority must be"):
        program.attach("ipv4", "output", priority=1 << 31)
    kernel.then("LINK_CREATE", -errno.EBUSY)
    with pytest.raises(BpfOSError) as caught:
        program.attach("ipv4", "output")
    assert "has that priority there already" in caught.value.__notes__[0]


def test_sockmaps_are_attached_without_links_too(kernel: FakeKernel) -> None:
    program = loaded("sk_skb/stream_verdict", SockmapProgram)
    assert type(program.attach(9)) is Link
    kernel.then("LINK_CREATE", -errno.EINVAL, -errno.EBUSY)
    with program.attach(9):
        (call,) = kernel.named("PROG_ATTACH")
        assert call.values("target_fd", "attach_bpf_fd", "attach_type") == [
            9,
            program.fd(),
            5,
        ]
    assert len(kernel.named("PROG_DETACH")) == 1
    with pytest.raises(BpfOSError, match="EBUSY"):
        program.attach(9)
    bare = loaded("sk_skb", SockmapProgram)
    with pytest.raises(AttachError, match="attach_type="):
        bare.attach(9)


def test_a_socket_that_refuses_is_an_error(kernel: FakeKernel) -> None:
    program = loaded("socket", SocketProgram)
    with socket.socket() as sock, pytest.raises(BpfOSError) as caught:
        program.attach(sock)  # the fd is a fake one
    assert str(caught.value).startswith("program 'prog': SO_ATTACH_BPF: ")
    program.close()
    assert not kernel.open
