"""XDP and tc without BPF links: rtnetlink, seen to act, and as iproute2 tells it."""

import errno
import json
import os
import socket
from collections.abc import Iterator

import pytest

from skelgen.runtime import TcProgram, XdpProgram
from skelgen.runtime.errors import BpfOSError, NotSupportedError
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.features import Answer, answers
from skelgen.runtime.links.netlink import TcFilterLink, XdpNetlinkLink
from skelgen.runtime.syscalls import call, netlink, numbers, rtnetlink
from tests.harness import privilege
from tests.harness.packets import send, tc_counter, xdp_counter
from tests.harness.places import NetworkNamespace
from tests.harness.programs import Counter, LoadProgram, insn

TC_ACT_OK, TC_ACT_UNSPEC, TC_ACT_SHOT = 0, -1, 2


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be a kernel that has no links for interfaces."""
    real = call.raw

    def raw(nr: int, a: int = 0, *rest: int) -> tuple[int, int]:
        if nr == numbers.NR_BPF and a == 28:  # LINK_CREATE
            return -1, errno.EINVAL
        return real(nr, a, *rest)

    answers.forget()
    features.TCX.forget()
    with monkeypatch.context() as patch:
        patch.setattr(call, "raw", raw)
        yield
    answers.forget()
    features.TCX.forget()


def ip_link(netns: NetworkNamespace, name: str) -> dict[str, object]:
    (link,) = json.loads(netns.run(f"ip -j -d link show dev {name}"))
    assert isinstance(link, dict)
    return link


def filters(
    netns: NetworkNamespace, name: str, direction: str
) -> list[dict[str, object]]:
    text = netns.run(f"tc -j filter show dev {name} {direction}")
    return [each for each in json.loads(text or "[]") if "options" in each]


# -- XDP -----------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["generic", "native", None])
def test_xdp_by_netlink_counts_and_is_taken_off(
    veth: NetworkNamespace, counter: Counter, load: LoadProgram, mode: str | None
) -> None:
    program = load("xdp", XdpProgram, insns=xdp_counter(counter))
    link = veth.call(program.attach, "veth1", mode=mode, link=False)
    assert type(link) is XdpNetlinkLink
    send(veth, 3)
    assert counter.value == 3
    shown = ip_link(veth, "veth1")["xdp"]
    assert isinstance(shown, dict)
    assert shown["prog"]["id"] == program.info().id
    assert shown["mode"] == (2 if mode == "generic" else 1)
    with pytest.raises(BpfOSError, match=r"RTM_SETLINK.*EBUSY"):
        veth.call(program.attach, "veth1", mode=mode, link=False)
    with pytest.raises(NotSupportedError, match="without a BPF link"):
        link.info()
    link.destroy()  # from a thread of another namespace: the socket knows its own
    link.destroy()
    assert "xdp" not in ip_link(veth, "veth1")
    send(veth, 1)
    assert counter.value == 3


def test_xdp_falls_back_by_itself(
    old: None, veth: NetworkNamespace, counter: Counter, load: LoadProgram
) -> None:
    assert features.attach_type("xdp") == Answer(
        False, "invalid argument (EINVAL)", "5.9"
    )
    program = load("xdp", XdpProgram, insns=xdp_counter(counter))
    with veth.call(program.attach, "veth1") as link:
        assert isinstance(link, XdpNetlinkLink)
        send(veth, 2)
    send(veth, 2)
    assert counter.value == 2
    with pytest.raises(BpfOSError, match="EINVAL"):
        veth.call(program.attach, "veth1", link=True)


def test_the_next_program_is_left_on_the_interface(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    program = load("xdp", XdpProgram)
    other = load("xdp", XdpProgram, name="other")
    index = veth.call(socket.if_nametoindex, "veth1")
    link = veth.call(program.attach, "veth1", link=False)
    route = veth.call(netlink.Route)
    try:
        rtnetlink.xdp_attach(route, index, other.fd(), expected_fd=program.fd())
        state = rtnetlink.xdp_query(route, index)
        assert other.info().id in state
        link.destroy()
        assert rtnetlink.xdp_query(route, index) == state
        rtnetlink.xdp_attach(route, index, -1)
        assert rtnetlink.xdp_query(route, index) == (0, 0, 0, 0, 0)
    finally:
        route.close()


def test_the_kernels_words_are_a_note(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    program = load("xdp", XdpProgram)
    with pytest.raises(BpfOSError) as caught:
        veth.call(program.attach, "lo", mode="native", link=False)
    assert caught.value.errno == errno.EOPNOTSUPP
    assert any("native mode" in note for note in caught.value.__notes__)
    with pytest.raises(BpfOSError, match="ENODEV"):
        veth.call(program.attach, 9999, link=False)


def test_links_of_an_interface_that_has_gone_can_be_destroyed(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    xdp = veth.call(load("xdp", XdpProgram).attach, "veth1", link=False)
    tc = veth.call(
        load("tc", TcProgram).attach, "veth1", direction="ingress", link=False
    )
    veth.run("ip link delete veth1")
    xdp.destroy()
    tc.destroy()


# -- tc ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "interface", "direction"),
    [("tcx/ingress", "veth1", "ingress"), ("tcx/egress", "veth0", "egress")],
)
def test_a_filter_counts_and_is_taken_off(
    veth: NetworkNamespace,
    counter: Counter,
    load: LoadProgram,
    section: str,
    interface: str,
    direction: str,
) -> None:
    program = load(section, TcProgram, insns=tc_counter(counter), name="counts")
    link = veth.call(program.attach, interface, link=False)
    assert type(link) is TcFilterLink
    send(veth, 2)
    assert counter.value == 2
    (shown,) = filters(veth, interface, direction)
    options = shown["options"]
    assert isinstance(options, dict)
    assert options["bpf_name"] == "counts"
    assert options["direct-action"] is True
    assert options["prog"]["id"] == program.info().id
    assert shown["pref"] == link.filter.priority
    assert int(str(options["handle"]), 0) == link.filter.handle
    assert shown["protocol"] == "all"
    link.destroy()
    assert not filters(veth, interface, direction)
    assert "clsact" in veth.run(f"tc qdisc show dev {interface}")
    send(veth, 1)
    assert counter.value == 2


def test_filters_run_by_priority_and_the_first_verdict_counts(
    veth: NetworkNamespace, counter: Counter, load: LoadProgram
) -> None:
    count = load("tc", TcProgram, insns=tc_counter(counter, TC_ACT_UNSPEC))
    drop = load("tc", TcProgram, insns=insn(0xB7, 0, imm=TC_ACT_SHOT) + insn(0x95))
    options = {"direction": "ingress"}
    with veth.call(count.attach, "veth1", priority=20, handle=7, **options) as link:
        assert isinstance(link, TcFilterLink)
        assert (link.filter.handle, link.filter.priority) == (7, 20)
        send(veth, 1)
        with veth.call(drop.attach, "veth1", priority=10, **options):
            send(veth, 5)  # dropped before they are counted
            index = veth.call(socket.if_nametoindex, "veth1")
            route = veth.call(netlink.Route)
            there = rtnetlink.filter_list(route, index, rtnetlink.INGRESS)
            assert rtnetlink.filter_list(route, index, rtnetlink.EGRESS) == []
            route.close()
            assert [f.priority for f in there] == [10, 20]
            assert [f.prog_id for f in there] == [drop.info().id, count.info().id]
        send(veth, 1)
        with pytest.raises(BpfOSError, match=r"RTM_NEWTFILTER.*EEXIST"):
            veth.call(drop.attach, "veth1", priority=20, handle=7, **options)
    assert counter.value == 2


def test_tc_falls_back_by_itself(
    old: None, veth: NetworkNamespace, counter: Counter, load: LoadProgram
) -> None:
    assert features.TCX.supported() is False
    program = load("tc", TcProgram, insns=tc_counter(counter))
    with veth.call(program.attach, "veth1", direction="ingress") as link:
        assert isinstance(link, TcFilterLink)
        send(veth, 2)
    assert counter.value == 2
    with pytest.raises(NotSupportedError, match=r"no tcx links \(Linux 6\.6"):
        veth.call(program.attach, "veth1", direction="ingress", first=True)


def test_a_filter_that_another_put_there_stays(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    program, other = load("tc", TcProgram), load("tc", TcProgram, name="other")
    link = veth.call(program.attach, "veth1", direction="egress", priority=3, handle=1)
    index = veth.call(socket.if_nametoindex, "veth1")
    route = veth.call(netlink.Route)
    rtnetlink.filter_add(
        route,
        index,
        rtnetlink.EGRESS,
        other.fd(),
        name="other",
        handle=1,
        priority=3,
        replace=True,
    )
    link.destroy()
    (there,) = rtnetlink.filter_list(route, index, rtnetlink.EGRESS)
    assert (there.name, there.prog_id) == ("other", other.info().id)
    rtnetlink.clsact_delete(route, index)
    assert rtnetlink.clsact_create(route, index)
    assert not rtnetlink.clsact_create(route, index)
    assert rtnetlink.filter_list(route, index, rtnetlink.EGRESS) == []
    route.close()


def test_a_childs_destroy_leaves_the_parents_program(
    veth: NetworkNamespace, counter: Counter, load: LoadProgram
) -> None:
    program = load("xdp", XdpProgram, insns=xdp_counter(counter))
    link = veth.call(program.attach, "veth1", link=False)
    child = os.fork()
    if child == 0:
        link.destroy()
        os._exit(0)
    os.waitpid(child, 0)
    send(veth, 1)
    assert counter.value == 1
    link.destroy()


def test_orders_and_filters_do_not_go_together(load: LoadProgram) -> None:
    privilege.require("tcx", features.attach_type("tcx_ingress"))
    program = load("tcx/ingress", TcProgram)
    with pytest.raises(ValueError, match="for tcx links"):
        program.attach(1, priority=1, first=True)
