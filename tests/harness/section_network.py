"""Programs of every ``SEC()`` name of the network, in a network namespace of our own."""

import contextlib
import fcntl
import os
import socket
import struct
import time
from pathlib import Path

from skelgen.model.enums import AttachType
from skelgen.runtime import Program, syscalls
from skelgen.runtime.links.base import Link
from skelgen.runtime.maps.handle import MapHandle
from tests.harness.packets import send
from tests.harness.places import BpfFileSystem, NetworkNamespace
from tests.harness.section_programs import Outcome, Stage

_WAIT_SECONDS = 20.0 if os.environ.get("SKELGEN_VM") == "1" else 5.0
_NEWLINK, _REQUEST, _ACK, _CREATE, _EXCL = 16, 0x1, 0x4, 0x400, 0x200
_IFNAME, _LINKINFO, _KIND = 3, 18, 1
_NETKIT = "primary"  # the kernel calls the other one nk0
_AWAY = "10.99.0.77"  # an address of nobody, so that packets from it are forwarded


def network() -> dict[str, Outcome]:
    """Return the outcomes of all programs of ``sections_network``."""
    stage = Stage("network")
    places = NetworkNamespace()
    file_system = BpfFileSystem()
    try:
        places.add_veth()
        _interfaces(stage, places)
        _netkit(stage, places)
        _xdp(stage, places)
        _routes(stage, places, file_system)
        places.call(_namespace, stage, places)
        places.call(_sockets, stage)
        places.call(_sockmaps, stage)
        stage.attach("action", "", lambda program: program.attach("veth1"))
        stage.attach("lirc_mode2", "", lambda program: program.attach())
        return stage.outcomes()
    finally:
        stage.close()
        file_system.close()
        places.close()


def wait_for(stage: Stage, *keys: str) -> None:
    """Wait until programs that are attached have run; what has not by then does not."""
    deadline = time.monotonic() + _WAIT_SECONDS
    attached = [key for key in keys if key in stage.ways]
    while not all(map(stage.hits, attached)) and time.monotonic() < deadline:
        time.sleep(0.01)


# -- interfaces ----------------------------------------------------------------


def _interfaces(stage: Stage, places: NetworkNamespace) -> None:
    for key in ("tc/ingress", "tcx/ingress"):
        _on(stage, places, key, "veth1")
    for key in ("tc/egress", "tcx/egress"):
        _on(stage, places, key, "veth0")
    for key in ("tc", "classifier"):
        _on(stage, places, key, "veth1", direction="ingress")
    send(places, 1)
    wait_for(stage, "tc/ingress", "tcx/ingress", "tc", "classifier")


def _on(
    stage: Stage, places: NetworkNamespace, key: str, interface: str, **options: str
) -> None:
    text = ", ".join(["interface", *(f"{k}={v!r}" for k, v in options.items())])

    def attach(program: Program) -> Link:
        link: Link = places.call(program.attach, interface, **options)
        return link

    stage.attach(key, f"attach({text})", attach)


def _netkit(stage: Stage, places: NetworkNamespace) -> None:
    """Make a pair of netkit interfaces, which iproute2 of that age cannot."""
    with contextlib.suppress(OSError):
        places.call(_new_link, _NETKIT, "netkit")
        places.run(f"ip link set {_NETKIT} up")
    peer = [
        line.split()[1].partition("@")[0]
        for line in places.run("ip -o link show").splitlines()
        if f"@{_NETKIT}:" in line
    ]
    for key in ("netkit/primary", "netkit/peer"):
        _on(stage, places, key, _NETKIT if peer else "lo")
    for name in (_NETKIT, *peer) if peer else ():
        places.run(f"ip link set {name} up")
        places.call(_send_ip, name)


def _new_link(name: str, kind: str) -> None:
    def attribute(number: int, data: bytes) -> bytes:
        size = 4 + len(data)
        return struct.pack("=HH", size, number) + data + bytes(-size % 4)

    body = bytes(16) + attribute(_IFNAME, name.encode() + b"\0")
    body += attribute(_LINKINFO, attribute(_KIND, kind.encode()))
    flags = _REQUEST | _ACK | _CREATE | _EXCL
    head = struct.pack("=IHHII", 16 + len(body), _NEWLINK, flags, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.send(head + body)
        (code,) = struct.unpack_from("=i", sock.recv(4096), 16)
    if code:
        raise OSError(-code, f"RTM_NEWLINK {kind}")


def _send_ip(name: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as sock:
        sock.sendto(_ipv4("10.97.0.2"), (name, 0x0800))


def _ipv4(destination: str, source: str = _AWAY) -> bytes:
    """Return a datagram of nothing."""
    fields = [0x45, 0, 28, 0, 0, 64, 17, 0]
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    head = struct.pack("!BBHHHBBH", *fields) + addresses
    total = sum(struct.unpack("!10H", head))
    fields[7] = 0xFFFF & ~(total + (total >> 16))
    head = struct.pack("!BBHHHBBH", *fields) + addresses
    return head + struct.pack("!HHHH", 9, 9, 8, 0)


# -- XDP -----------------------------------------------------------------------

_XDP = (("xdp", "", "/"), ("xdp.frags", "_frags", ".frags/"))


def _xdp(stage: Stage, places: NetworkNamespace) -> None:
    index = places.call(socket.if_nametoindex, "veth1")
    cpu = min(os.sched_getaffinity(0))
    for key, maps, slash in _XDP:
        devices, processors = f"xdp{slash}devmap", f"xdp{slash}cpumap"
        # a device is one of the namespace of who asks
        places.call(_value, stage, devices, f"devices{maps}", index)
        places.call(_value, stage, processors, f"processors{maps}", 192, cpu)

        def attach(program: Program) -> Link:
            link: Link = places.call(program.attach, "veth1", mode="generic")
            return link

        stage.attach(key, "attach(interface)", attach)
        for way, target in enumerate((key, devices, processors)):
            stage.set("way", way)
            send(places, 1)
            wait_for(stage, key, target)
        stage.set("way", 0)
        if key in stage.links:
            stage.links.pop(key).destroy()


def _value(stage: Stage, key: str, name: str, number: int, index: int = 0) -> None:
    """Put a program into a map, beside a device or the length of a queue."""
    kind = "DEVMAP" if "devmap" in key else "CPUMAP"

    def put(program: Program) -> None:
        value = struct.pack("=Ii", number, program.fd())
        handle = stage.obj.map(name)
        syscalls.map_update(handle.fd(), struct.pack("=i", index), value)

    stage.attach(key, f"as the program of a {kind}'s value", put)


# -- routes --------------------------------------------------------------------


def _routes(stage: Stage, places: NetworkNamespace, file_system: BpfFileSystem) -> None:
    folder = f"/proc/{os.getpid()}/fd/{file_system.fd}"
    for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        places.call(Path(f"/proc/sys/net/{name}").write_text, "1", "ascii")
    routes = {
        "lwt_in": "ip route add 10.98.1.0/24 encap bpf in pinned {} dev veth0",
        "lwt_out": "ip route add 10.98.2.0/24 encap bpf out pinned {} dev veth0",
        "lwt_xmit": "ip route add 10.98.3.0/24 encap bpf xmit pinned {} dev veth0",
        "lwt_seg6local": "ip -6 route add fc00:1::1/128 encap seg6local action End.BPF"
        " endpoint pinned {} dev veth0",
    }
    for key, command in routes.items():
        pin = f"{folder}/{key}"

        def route(program: Program, pin: str = pin, command: str = command) -> None:
            program.pin(pin)
            try:
                places.run(command.format(pin))
            except Exception as error:
                raise OSError(f"{command}: {error}") from error

        words = command.partition(" encap ")[2].partition(" pinned ")[0]
        stage.attach(key, f"ip route add ... encap {words} pinned PATH", route)
    places.call(_send_routed)
    wait_for(stage, *routes)


def _send_routed() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for net in (2, 3):
            sock.sendto(b"x", (f"10.98.{net}.1", 9))
    mac = _mac("veth1")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("veth0", 0))
        raw.send(mac + bytes(6) + b"\x08\x00" + _ipv4("10.98.1.1"))
        segments = [
            socket.inet_pton(socket.AF_INET6, a) for a in ("fc00:2::1", "fc00:1::1")
        ]
        # a routing header with one segment left, and nothing behind it
        routing = struct.pack("!BBBBBBH", 59, 4, 4, 1, 1, 0, 0) + b"".join(segments)
        head = struct.pack("!IHBB", 6 << 28, len(routing), 43, 64)
        head += socket.inet_pton(socket.AF_INET6, "fd00:9::1") + segments[1]
        raw.send(mac + bytes(6) + b"\x86\xdd" + head + routing)


def _mac(name: str) -> bytes:
    """Return the address of an interface: ``SIOCGIFHWADDR``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16s24x", name.encode())
        return fcntl.ioctl(sock.fileno(), 0x8927, request)[18:24]


# -- network namespaces and sockets --------------------------------------------


def _namespace(stage: Stage, places: NetworkNamespace) -> None:
    stage.attach("flow_dissector", "attach()", lambda p: p.attach())
    stage.attach("sk_lookup", "attach()", lambda p: p.attach())
    stage.attach(
        "netfilter",
        "attach(family, hook)",
        lambda p: p.attach("ipv4", "output"),
    )
    _send_ip("veth0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", 9))
    for end in _pair():
        end.close()
    wait_for(stage, "flow_dissector", "sk_lookup", "netfilter")


def _pair() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname(), timeout=20)
        return client, server.accept()[0]


def _sockets(stage: Stage) -> None:
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        stage.attach("socket", "attach(socket)", lambda p: p.attach(receiver))
        sender.send(b"x")
    for key in ("sk_reuseport", "sk_reuseport/migrate"):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        ):
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            server.bind(("127.0.0.1", 0))
            stage.attach(key, "attach(socket)", lambda p: p.attach(server))
            client.sendto(b"x", server.getsockname())
            wait_for(stage, key)


def _sockmaps(stage: Stage) -> None:
    for name, keys in (
        ("streams", ("sk_skb/stream_parser", "sk_skb/stream_verdict")),
        ("verdicts", ("sk_skb/verdict",)),
        ("plain", ("sk_skb",)),
        ("senders", ("sk_msg",)),
    ):
        handle = stage.obj.map(name)
        if not handle.made:
            continue
        for key in keys:
            _to_map(stage, key, handle)
        client, server = _pair()
        with client, server, contextlib.suppress(OSError):
            ours = client if name == "senders" else server
            value = struct.pack("=i", ours.fileno())
            syscalls.map_update(handle.fd(), bytes(4), value)
            client.send(b"x")
            wait_for(stage, *keys)


def _to_map(stage: Stage, key: str, handle: MapHandle) -> None:
    if key == "sk_skb":  # it does not say which of the two
        hook = AttachType.SK_SKB_STREAM_VERDICT
        way = "attach(map, attach_type=...)"
        stage.attach(key, way, lambda p: p.attach(handle, attach_type=hook))
        return
    stage.attach(key, "attach(map)", lambda p: p.attach(handle))
