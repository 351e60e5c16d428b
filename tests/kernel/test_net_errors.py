"""What is said where an interface does not take a program."""

import errno
import shutil

import pytest

from skelgen.runtime import TcProgram, XdpProgram
from skelgen.runtime.errors import AttachError, BpfOSError
from skelgen.runtime.links.netlink import TcFilterLink
from tests.harness.packets import send, tc_counter
from tests.harness.places import NetworkNamespace
from tests.harness.programs import Counter, LoadProgram


def text_of(error: BaseException) -> str:
    return " | ".join([str(error), *getattr(error, "__notes__", ())])


# -- ingress, where clsact would be --------------------------------------------


def needs_tc() -> None:
    if shutil.which("tc") is None:
        pytest.skip("needs the tc command (Debian package iproute2)")


def test_an_ingress_qdisc_has_no_egress(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    needs_tc()
    veth.run("tc qdisc add dev veth0 ingress")
    program = load("tc/egress", TcProgram)
    with pytest.raises(
        AttachError, match="'veth0' has the queueing discipline 'ingress'"
    ) as caught:
        veth.call(program.attach, "veth0", link=False)
    assert isinstance(caught.value.__cause__, FileExistsError)
    assert "tc qdisc del dev veth0 ingress" in str(caught.value)
    for direction in ("ingress", "egress"):
        assert "bpf" not in veth.run(f"tc filter show dev veth0 {direction}")
    # the advice
    veth.run("tc qdisc del dev veth0 ingress")
    veth.call(program.attach, "veth0", link=False).destroy()


def test_ingress_filters_are_fine_there(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    needs_tc()
    veth.run("tc qdisc add dev veth1 ingress")
    with Counter() as counter:
        program = load("tc/ingress", TcProgram, insns=tc_counter(counter))
        with veth.call(program.attach, "veth1", link=False) as link:
            assert type(link) is TcFilterLink
            send(veth, 3)
            assert counter.value == 3
        send(veth, 2)
        assert counter.value == 3
    assert "qdisc ingress" in veth.run("tc qdisc show dev veth1")


def test_another_qdisc_with_that_handle_is_not_taken_for_clsact(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    """That is no clsact, whatever the kernel says to it."""
    needs_tc()
    veth.run("tc qdisc add dev veth0 root handle ffff: pfifo")
    program = load("tc/egress", TcProgram)
    with pytest.raises(BpfOSError, match="RTM_NEWQDISC"):
        veth.call(program.attach, "veth0", link=False)


# -- XDP -----------------------------------------------------------------------


@pytest.mark.parametrize("link", [None, True, False])
def test_a_long_mtu_is_named(
    veth: NetworkNamespace,
    load: LoadProgram,
    link: bool | None,  # noqa: FBT001 (a parameter of the test)
) -> None:
    for name in ("veth0", "veth1"):
        veth.run(f"ip link set {name} mtu 9000")
    program = load("xdp", XdpProgram)
    with pytest.raises(BpfOSError) as caught:
        veth.call(program.attach, "veth0", link=link)
    assert caught.value.errno in {errno.ERANGE, errno.EINVAL}
    text = text_of(caught.value)
    assert "the MTU of 'veth0' is 9000" in text
    assert "mode='generic'" in text
    assert 'SEC("xdp.frags")' in text
    veth.call(program.attach, "veth0", mode="generic", link=link).destroy()


def test_the_program_that_is_there_is_named(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    program = load("xdp", XdpProgram, name="first")
    number = program.info().id
    for link in (True, False):
        for mode in ("generic", "native"):
            with veth.call(program.attach, "veth1", mode=mode, link=link):
                with pytest.raises(BpfOSError, match="EBUSY") as caught:
                    veth.call(program.attach, "veth1", mode=mode)
                there = f"program 'first' (id {number}), in mode '{mode}'"
                assert f"attached there already: {there}" in text_of(caught.value)
    with veth.call(program.attach, "veth1", mode="generic"):
        with pytest.raises(FileExistsError) as exists:
            veth.call(program.attach, "veth1", mode="native")
        assert "native and generic XDP do not go together" in text_of(exists.value)


def test_a_driver_without_xdp_is_said_to_refuse_it(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    program = load("xdp", XdpProgram)
    with pytest.raises(BpfOSError) as caught:
        veth.call(program.attach, "lo", mode="native")
    assert caught.value.errno == errno.EOPNOTSUPP
    assert "the driver of 'lo' refuses native XDP" in text_of(caught.value)


def test_a_driver_without_offload_is_said_to_run_no_programs(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    program = load("xdp", XdpProgram)
    with pytest.raises(BpfOSError) as caught:
        veth.call(program.attach, "lo", mode="offload")
    if caught.value.errno == errno.EOPNOTSUPP:  # from Linux 6.3 or so
        assert "'lo' runs no programs on its card" in text_of(caught.value)


def test_words_of_others_for_the_mode_are_answered_with_ours(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    program = load("xdp", XdpProgram)
    for word, meant in (("skb", "generic"), ("drv", "native"), ("hw", "offload")):
        with pytest.raises(ValueError, match=f"'{word}' is '{meant}' here"):
            veth.call(program.attach, "veth1", mode=word)
    with pytest.raises(ValueError, match="'generic', 'native', 'offload' or None"):
        veth.call(program.attach, "veth1", mode="fast")
    with pytest.raises(TypeError, match="mode must be a str or None, got int"):
        veth.call(program.attach, "veth1", mode=2)


def test_interfaces_that_are_not_there_are_refused(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    program = load("xdp", XdpProgram)
    with pytest.raises(AttachError, match=r"'vth1' in this.*; did you mean 'veth1'"):
        veth.call(program.attach, "vth1")
    with pytest.raises(ValueError, match="interface has a NUL in it"):
        veth.call(program.attach, "veth1\0x")
    for number in (0, -1, 1 << 31, 1 << 32):
        with pytest.raises(ValueError, match=f"{number} is no interface index"):
            veth.call(program.attach, number)
    with pytest.raises(OverflowError, match="interface must be int in"):
        veth.call(program.attach, 1 << 64)
    with pytest.raises(TypeError, match="interface must be str or int, got float"):
        veth.call(program.attach, 1.5)
    with pytest.raises(BpfOSError) as caught:
        veth.call(program.attach, 9999)
    assert "no interface of this network namespace has index 9999" in text_of(
        caught.value
    )


def test_numbers_that_do_not_fit_are_refused_with_their_name(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    program = load("tc", TcProgram)
    options = {"direction": "ingress"}
    for name, value in (
        ("handle", 1 << 32),
        ("priority", 1 << 16),
        ("priority", -1),
        ("expected_revision", 1 << 64),
        ("before", 1 << 32),
    ):
        with pytest.raises(OverflowError, match=name):
            veth.call(program.attach, "veth1", **{name: value}, **options)
    with pytest.raises(TypeError, match="priority must be int"):
        veth.call(program.attach, "veth1", priority="x", **options)
    with pytest.raises(TypeError, match="before must be an object with an fd or int"):
        veth.call(program.attach, "veth1", before="x", **options)
