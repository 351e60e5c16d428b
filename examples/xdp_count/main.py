"""Count packets by protocol, in a network namespace that this program makes."""

import ctypes
import os
import socket
import struct
import subprocess
import sys
import time

from xdp_count_skel import XdpCount

from skelgen.runtime import BpfError

CLONE_NEWNET = 0x40000000  # linux/sched.h
# Name, number and how many packets to send.
PROTOCOLS = [
    ("icmp", socket.IPPROTO_ICMP, 3),
    ("tcp", socket.IPPROTO_TCP, 5),
    ("udp", socket.IPPROTO_UDP, 7),
]


def enter_new_network() -> None:
    """Move into an empty network namespace, and connect two interfaces in it."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"network namespace: {os.strerror(error)}")
    for command in (
        "ip link add sender type veth peer name receiver",
        "ip link set sender up",
        "ip link set receiver up",
    ):
        subprocess.run(command.split(), check=True)


def frame(protocol: int) -> bytes:
    """Return an Ethernet frame with an empty IPv4 packet."""
    ethernet = struct.pack("!6s6sH", b"\xff" * 6, b"\x02" + bytes(5), 0x0800)
    addresses = socket.inet_aton("10.0.0.1"), socket.inet_aton("10.0.0.2")
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20, 0, 0, 64, protocol, 0, *addresses)
    return (ethernet + ip).ljust(60, b"\0")


def main() -> None:
    """Attach, send, and print what was counted."""
    with XdpCount.open_and_load() as skel:
        enter_new_network()
        skel.links.count = skel.progs.count.attach("receiver")
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
            sender.bind(("sender", 0))
            for _, protocol, count in PROTOCOLS:
                for _ in range(count):
                    sender.send(frame(protocol))
        time.sleep(0.2)  # the receiving side runs by itself
        print(f"{'PROTOCOL':8} {'PACKETS':>8} {'BYTES':>8}  BY CPU")
        for name, protocol, _ in PROTOCOLS:
            counters = skel.maps.counters[protocol]
            packets = [counter.packets for counter in counters]
            size = sum(counter.bytes for counter in counters)
            print(f"{name:8} {sum(packets):8} {size:8}  {packets}")


if __name__ == "__main__":
    try:
        main()
    except (BpfError, OSError) as error:
        # The notes say what to do: which capability is missing, say.
        sys.exit("\n  ".join((f"xdp_count: {error}", *getattr(error, "__notes__", ()))))
