"""Programs of network interfaces: XDP, tcx, netkit."""

import errno
import socket

import pytest

from skelgen.model.enums import AttachType
from skelgen.runtime import TcProgram, XdpProgram
from skelgen.runtime.errors import AttachError, BpfOSError, NotSupportedError
from skelgen.runtime.kernel import features
from tests.harness.fake_kernel import FakeKernel
from tests.harness.programs import loaded


def test_xdp_is_attached_by_name_or_index(kernel: FakeKernel) -> None:
    program = loaded("xdp", XdpProgram)
    program.attach("lo")
    program.attach(7, mode="generic")
    with pytest.raises(AttachError) as caught:
        program.attach("no-such-if")
    there = [name for _, name in socket.if_nameindex()]
    assert str(caught.value).startswith(
        "program 'prog': no network interface 'no-such-if' in this network namespace;"
        f" there are: {', '.join(there[:8])}"
    )
    for index in (0, -1):
        with pytest.raises(ValueError, match="no interface index"):
            program.attach(index)
    first, second = kernel.named("LINK_CREATE")
    lo = socket.if_nametoindex("lo")
    assert first.values("target_ifindex", "attach_type", "flags") == [
        lo,
        AttachType.XDP,
        0,
    ]
    assert second.values("target_ifindex", "attach_type", "flags") == [
        7,
        AttachType.XDP,
        2,
    ]


def test_tcx_knows_its_place(kernel: FakeKernel) -> None:
    features.TCX.assume(True)
    other = loaded("tcx/ingress", TcProgram, name="other")
    anchor = other.attach(7)
    program = loaded("tcx/ingress", TcProgram)
    kernel.calls.clear()
    program.attach(7, before=other)
    program.attach(7, after=anchor)
    program.attach(7, before=99, expected_revision=3)
    program.attach(7, first=True)
    program.attach(7, last=True)
    before, after, link, by_id = 8, 16, 1 << 13, 32
    assert [
        (
            c.attr.attach_type,
            c.attr.flags,
            c.attr.tcx.relative_fd,
            c.attr.tcx.expected_revision,
        )
        for c in kernel.named("LINK_CREATE")
    ] == [
        (AttachType.TCX_INGRESS, before, other.fd(), 0),
        (AttachType.TCX_INGRESS, after | link, anchor.fd(), 0),
        (AttachType.TCX_INGRESS, before | by_id, 99, 3),
        (AttachType.TCX_INGRESS, before, 0, 0),
        (AttachType.TCX_INGRESS, after, 0, 0),
    ]
    with pytest.raises(ValueError, match="only one of before, after, first and last"):
        program.attach(7, first=True, after=anchor)


def test_tc_asks_for_the_direction(kernel: FakeKernel) -> None:
    features.TCX.assume(True)
    program = loaded("tc", TcProgram)
    with pytest.raises(AttachError, match="direction='ingress'"):
        program.attach(7)
    program.attach(7, direction="egress")
    assert kernel.named("LINK_CREATE")[0].attr.attach_type == AttachType.TCX_EGRESS
    with pytest.raises(ValueError, match="must be 'ingress' or 'egress', not 'up'"):
        program.attach(7, direction="up")  # type: ignore[arg-type] # as a user would
    netkit = loaded("netkit/primary", TcProgram)
    netkit.attach(7)
    assert kernel.named("LINK_CREATE")[1].attr.attach_type == AttachType.NETKIT_PRIMARY


def test_programs_that_interfaces_do_not_run_say_what_does(kernel: FakeKernel) -> None:
    with pytest.raises(AttachError, match="a devmap or cpumap runs"):
        loaded("xdp/cpumap", XdpProgram).attach(7)
    with pytest.raises(AttachError, match=r"belong to a filter of tc\(8\)"):
        loaded("action", TcProgram).attach(7, direction="ingress")
    assert kernel.names() == ["PROG_LOAD"] * 2


def test_before_tcx_netkit_is_said_to_be_missing(kernel: FakeKernel) -> None:
    features.TCX.assume(False)
    program = loaded("netkit/peer", TcProgram)  # has no filters to fall back on
    with pytest.raises(NotSupportedError, match=r"no netkit \(Linux 6\.7 has it\)"):
        program.attach(7)
    assert not kernel.named("LINK_CREATE")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENXIO, "it is no netkit interface"),
        (errno.EACCES, "it is the peer of a netkit pair"),
        (errno.EINVAL, "CONFIG_NETKIT"),
    ],
)
def test_a_refused_netkit_is_told_why(
    kernel: FakeKernel, number: int, said: str
) -> None:
    features.TCX.assume(True)
    program = loaded("netkit/primary", TcProgram)
    kernel.then("LINK_CREATE", -number)
    with pytest.raises(BpfOSError) as caught:
        program.attach(9999)
    assert said in caught.value.__notes__[-1]
    with pytest.raises(ValueError, match="netkit programs have links alone"):
        program.attach(9999, link=False)
