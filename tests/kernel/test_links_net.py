"""Attaching to interfaces, control groups, namespaces and sockets on the running kernel."""

import contextlib
import os
import socket

import pytest

from skelgen.model.enums import AttachType, Command, LinkType, MapType
from skelgen.runtime import (
    CgroupProgram,
    NetfilterProgram,
    NetnsProgram,
    SocketProgram,
    SockmapProgram,
    TcProgram,
    XdpProgram,
    syscalls,
)
from skelgen.runtime.errors import AttachError, BpfOSError, NotSupportedError
from skelgen.runtime.kernel import features
from skelgen.runtime.links.attached import AttachedLink
from skelgen.runtime.links.base import Link
from tests.harness import privilege
from tests.harness.faults import Interrupt, interrupt_after
from tests.harness.packets import TCX_NEXT, send, tc_counter, xdp_counter
from tests.harness.places import Cgroup, NetworkNamespace
from tests.harness.programs import (
    RETURN_0,
    RETURN_1,
    Counter,
    LoadProgram,
    insn,
    loaded,
)


def test_xdp_counts_by_name_and_index(
    veth: NetworkNamespace, counter: Counter, load: LoadProgram
) -> None:
    program = load("xdp", XdpProgram, insns=xdp_counter(counter))
    index = veth.call(socket.if_nametoindex, "veth1")
    link = veth.call(program.attach, "veth1")
    send(veth, 3)
    assert counter.value == 3
    info = link.info()
    assert (info.type, info.ifindex) == (LinkType.XDP, index)
    with pytest.raises(BpfOSError, match=rf"on interface '{index}'.*EBUSY"):
        veth.call(program.attach, index)
    link.destroy()
    send(veth, 1)
    assert counter.value == 3
    with veth.call(program.attach, index, mode="generic"):
        send(veth, 1)
    assert counter.value == 4


def test_xdp_needs_an_interface_of_this_namespace(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    program = load("xdp", XdpProgram)
    with pytest.raises(AttachError, match="no network interface 'veth1'"):
        program.attach("veth1")  # it is in the other namespace
    with pytest.raises(BpfOSError, match=r"ENODEV|EINVAL"):
        veth.call(program.attach, 9999)


def test_an_xdp_link_takes_another_program(
    veth: NetworkNamespace, counter: Counter, load: LoadProgram
) -> None:
    with Counter() as other_counter:
        program = load("xdp", XdpProgram, insns=xdp_counter(counter))
        other = load("xdp", XdpProgram, insns=xdp_counter(other_counter))
        with veth.call(program.attach, "veth1") as link:
            send(veth, 1)
            link.update(other, old=program)
            send(veth, 2)
            assert link.info().prog_id == other.info().id
            with pytest.raises(PermissionError) as caught:
                link.update(program, old=program)
            (note,) = caught.value.__notes__  # and no word of rights
            assert note.startswith(f"what is in place has id {other.info().id}, and")
            # as it says
            assert link.info().prog_id == other.info().id
            link.update(program)
            link.update(other, old=program)
        assert (counter.value, other_counter.value) == (1, 2)


def test_a_detached_link_is_detached_for_all(
    veth: NetworkNamespace, counter: Counter, load: LoadProgram
) -> None:
    program = load("xdp", XdpProgram, insns=xdp_counter(counter))
    link = veth.call(program.attach, "veth1")
    with syscalls.Fd(syscalls.dup(link.fd())):  # as another process would hold it
        link.detach()
        send(veth, 1)
    assert counter.value == 0


# -- tcx -----------------------------------------------------------------------


def needs_tcx() -> None:
    privilege.require("tcx", features.TCX.answer())


@pytest.mark.parametrize(
    ("section", "interface"), [("tcx/ingress", "veth1"), ("tcx/egress", "veth0")]
)
def test_tcx_counts_packets_until_it_is_destroyed(
    veth: NetworkNamespace,
    counter: Counter,
    load: LoadProgram,
    section: str,
    interface: str,
) -> None:
    needs_tcx()
    program = load(section, TcProgram, insns=tc_counter(counter))
    with veth.call(program.attach, interface) as link:
        send(veth, 2)
        info = link.info()
        assert (info.type, info.attach_type) == (LinkType.TCX, program.attach_type)
    send(veth, 1)
    assert counter.value == 2


def test_tcx_programs_stand_where_they_are_told(
    veth: NetworkNamespace, load: LoadProgram
) -> None:
    needs_tcx()
    insns = insn(0xB7, 0, imm=TCX_NEXT) + insn(0x95)
    names = ("a", "b", "c", "d", "e")
    programs = {n: load("tc", TcProgram, insns=insns, name=n) for n in names}
    by_id = {program.info().id: name for name, program in programs.items()}
    links: list[Link] = []

    def attach(name: str, **place: object) -> Link:
        link = veth.call(programs[name].attach, "veth1", direction="ingress", **place)
        links.append(link)
        return link

    first = attach("a")
    attach("b")
    attach("c", before=first)
    attach("d", after=programs["a"])
    attach("e", first=True)
    index = veth.call(socket.if_nametoindex, "veth1")
    query = veth.call(syscalls.prog_query, index, AttachType.TCX_INGRESS)
    assert [by_id[number] for number in query.prog_ids] == ["e", "c", "a", "d", "b"]
    assert query.link_ids[2] == first.info().id
    first.destroy()
    stale = query.revision
    with pytest.raises(BpfOSError, match="ESTALE") as caught:
        attach("a", last=True, expected_revision=stale)
    assert "has changed since expected_revision was read" in caught.value.__notes__[0]
    now = veth.call(syscalls.prog_query, index, AttachType.TCX_INGRESS)
    assert now.revision > stale
    attach("a", before=query.prog_ids[4], expected_revision=now.revision)
    query = veth.call(syscalls.prog_query, index, AttachType.TCX_INGRESS)
    assert [by_id[number] for number in query.prog_ids] == ["e", "c", "d", "a", "b"]
    for link in links:
        link.destroy()


# -- control groups ------------------------------------------------------------


def connect_in(cgroup: Cgroup) -> int:
    """Connect a socket inside the cgroup: 7 when it is refused."""

    def connect() -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            try:
                sock.connect(("127.0.0.1", 9))
            except PermissionError:
                return 7
        return 0

    return cgroup.call(connect)


@pytest.mark.parametrize("link", [True, False])
def test_a_cgroup_refuses_connections(
    cgroup: Cgroup,
    load: LoadProgram,
    link: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    program = load("cgroup/connect4", CgroupProgram, insns=RETURN_0)
    assert connect_in(cgroup) == 0
    attached = program.attach(cgroup.path, link=link)
    try:
        assert isinstance(attached, AttachedLink) is not link
        assert connect_in(cgroup) == 7
        if link:
            info = attached.info()
            assert info.type == LinkType.CGROUP
            assert info.attach_type == AttachType.CGROUP_INET4_CONNECT
            assert info.cgroup_id == cgroup.path.stat().st_ino
    finally:
        attached.destroy()
    assert connect_in(cgroup) == 0


def test_a_link_to_a_cgroup_by_fd_takes_a_new_program(
    cgroup: Cgroup, load: LoadProgram
) -> None:
    refuse = load("cgroup/connect4", CgroupProgram, insns=RETURN_0)
    allow = load("cgroup/connect4", CgroupProgram, insns=RETURN_1)
    fd = os.open(cgroup.path, os.O_RDONLY | os.O_DIRECTORY)
    with syscalls.Fd(fd), refuse.attach(fd) as link:
        link.update(allow)
        assert connect_in(cgroup) == 0
        link.update(refuse)
        assert connect_in(cgroup) == 7


def test_cgroup_programs_stand_next_to_each_other(
    cgroup: Cgroup, load: LoadProgram
) -> None:
    programs = [
        load("cgroup_skb/egress", CgroupProgram, insns=RETURN_1) for _ in range(3)
    ]
    hook = AttachType.CGROUP_INET_EGRESS
    links = [program.attach(cgroup.path) for program in programs[:2]]
    order = [program.info().id for program in programs[:2]]
    fd = os.open(cgroup.path, os.O_RDONLY | os.O_DIRECTORY)
    with syscalls.Fd(fd):
        assert list(syscalls.prog_query(fd, hook).prog_ids) == order
        # an order among them can be had since Linux 6.16
        with contextlib.suppress(BpfOSError):
            links.append(programs[2].attach(cgroup.path, before=links[1]))
            order.insert(1, programs[2].info().id)
        assert list(syscalls.prog_query(fd, hook).prog_ids) == order
    for link in links:
        link.destroy()


def test_a_childs_destroy_leaves_the_parents_cgroup_program(
    cgroup: Cgroup, load: LoadProgram
) -> None:
    program = load("cgroup/connect4", CgroupProgram, insns=RETURN_0)
    for way in (True, False):
        link = program.attach(cgroup.path, link=way)
        child = os.fork()
        if child == 0:
            link.destroy()
            program.close()
            os._exit(0)
        os.waitpid(child, 0)
        assert connect_in(cgroup) == 7
        link.destroy()
        assert connect_in(cgroup) == 0


# -- network namespaces --------------------------------------------------------


def test_sk_lookup_drops_in_one_namespace(
    netns: NetworkNamespace, load: LoadProgram
) -> None:
    netns.run("ip link set lo up")

    def connects() -> bool:
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = server.getsockname()
            try:
                socket.create_connection(address, timeout=5).close()
            except ConnectionRefusedError:
                return False
            return True

    program = load("sk_lookup", NetnsProgram, insns=RETURN_0)  # SK_DROP
    assert netns.call(connects)
    inode = os.fstat(netns.fd).st_ino
    with netns.call(program.attach) as link:
        assert not netns.call(connects)
        assert connects(), "the host's namespace has nothing to do with it"
        info = link.info()
        assert (info.type, info.netns_ino) == (LinkType.NETNS, inode)
    assert netns.call(connects)
    with program.attach(netns.fd):
        assert not netns.call(connects)


def test_netfilter_drops_what_goes_out(
    netns: NetworkNamespace, load: LoadProgram
) -> None:
    netns.run("ip link set lo up")

    def sends() -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            try:
                sock.sendto(b"x", ("127.0.0.1", 9))
            except PermissionError:
                return False
            return True

    try:
        program = load("netfilter", NetfilterProgram, insns=RETURN_0)  # NF_DROP
    except BpfOSError as error:
        pytest.skip(f"this kernel has no netfilter programs: {error}")
    assert netns.call(sends)
    with netns.call(program.attach, "ipv4", "output", priority=-7) as link:
        assert not netns.call(sends)
        info = link.info()
        assert (info.type, info.netfilter) == (LinkType.NETFILTER, (2, 3, -7))
        with pytest.raises(BpfOSError, match=r"netfilter hook ipv4 output.*EBUSY"):
            netns.call(program.attach, "ipv4", "output", priority=-7)
    assert netns.call(sends)


# -- sockets -------------------------------------------------------------------


def test_a_socket_filter_drops_packets(load: LoadProgram) -> None:
    program = load("socket", SocketProgram, insns=RETURN_0)
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        receiver.settimeout(0.05)
        with program.attach(receiver) as link:
            sender.send(b"dropped")
            with pytest.raises(TimeoutError):
                receiver.recv(16)
            with pytest.raises(NotSupportedError, match="without a BPF link"):
                link.info()
        sender.send(b"comes")
        assert receiver.recv(16) == b"comes"
        forgotten = program.attach(receiver)
    forgotten.destroy()  # the socket has gone before


def test_a_reuseport_program_drops_packets(
    netns: NetworkNamespace, load: LoadProgram
) -> None:
    netns.run("ip link set lo up")
    program = load("sk_reuseport", SocketProgram, insns=RETURN_0)  # SK_DROP

    def refused() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            server.bind(("127.0.0.1", 0))
            server.settimeout(0.05)
            with (
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
                program.attach(server),
            ):
                client.sendto(b"dropped", server.getsockname())
                with pytest.raises(TimeoutError):
                    server.recv(16)

    netns.call(refused)


def test_a_sockmap_verdict_is_attached_to_its_map(load: LoadProgram) -> None:
    program = load("sk_msg", SockmapProgram, insns=RETURN_1)
    fd = syscalls.map_create(
        type=MapType.SOCKMAP, key_size=4, value_size=4, max_entries=2
    )
    with syscalls.Fd(fd), program.attach(fd) as link:
        # flags refuse a second one of the old kind; a link says what it is
        if type(link) is Link:
            info = link.info()
            assert info.type == LinkType.SOCKMAP
            assert info.map_id == syscalls.map_info(fd).id
        else:
            assert isinstance(link, AttachedLink)


def test_an_interrupt_leaves_nothing_attached(
    cgroup: Cgroup, load: LoadProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is raised when the kernel has attached what would stay for good."""
    program = load("cgroup/connect4", CgroupProgram)
    interrupt_after(monkeypatch, Command.PROG_ATTACH)
    with pytest.raises(Interrupt):
        program.attach(str(cgroup.path), link=False)
    directory = os.open(cgroup.path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        hook = AttachType.CGROUP_INET4_CONNECT
        assert syscalls.prog_query(directory, hook).prog_ids == ()
    finally:
        os.close(directory)


# -- rights --------------------------------------------------------------------


def test_without_rights_the_missing_capability_is_named(load: LoadProgram) -> None:
    program = load("xdp", XdpProgram)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        text = "nothing"
        try:
            os.setuid(65534)
            loaded("xdp", XdpProgram)
        except BaseException as error:  # noqa: BLE001 (said in the parent)
            text = f"{error} | {' | '.join(getattr(error, '__notes__', ()))}"
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read().decode()
    os.waitpid(child, 0)
    assert text.startswith(
        "program 'prog': BPF_PROG_LOAD: operation not permitted (EPERM) | "
        "this process lacks CAP_BPF and CAP_NET_ADMIN: run as root or grant it"
    )
    assert program.loaded
