"""Send data over TCP with a congestion control of our own.

In a network namespace that this program makes. ``--unlimited`` takes the limit away.
"""

import ctypes
import os
import socket
import subprocess
import sys
import threading

from tcp_congestion_skel import TcpCongestion

from skelgen.runtime import BpfError

CLONE_NEWNET = 0x40000000  # linux/sched.h
SIZE = 16 << 20


def enter_new_network() -> None:
    """Move into a network namespace that has the loopback interface alone."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"network namespace: {os.strerror(error)}")
    # Segments as on Ethernet. Of lo's own 64 KB a receiver's buffer takes so few that
    # it would be the limit, and not the congestion control.
    subprocess.run(["ip", "link", "set", "lo", "mtu", "1500", "up"], check=True)


def receive(server: socket.socket) -> None:
    """Take one connection and read it to its end."""
    connection, _ = server.accept()
    with connection:
        while connection.recv(1 << 16):
            pass


def send(name: bytes) -> None:
    """Send data through a connection that uses a congestion control."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        receiver = threading.Thread(target=receive, args=(server,))
        receiver.start()
        with socket.socket() as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name)
            client.connect(server.getsockname())
            client.sendall(bytes(SIZE))
        receiver.join()


def main() -> None:
    """Register it, send, and print what it counted."""
    with TcpCongestion.open() as skel:
        # The variable as the C file has it, until load() gives it to the kernel.
        limited = skel.struct_ops.limited
        limited.name = f"bpf_{os.getpid()}".encode()
        if "--unlimited" in sys.argv[1:]:
            limited.cong_avoid = skel.progs.grow_freely
        skel.load()
        skel.attach()
        enter_new_network()
        send(limited.name)
        bss = skel.bss
        print(f"{bss.connections} connection, {bss.acknowledged} segments acknowledged")
        print(f"largest window: {bss.largest_window} segments")


if __name__ == "__main__":
    try:
        main()
    except (BpfError, OSError) as error:
        # The notes say what to do: which capability is missing, say.
        sys.exit(
            "\n  ".join((f"tcp_congestion: {error}", *getattr(error, "__notes__", ())))
        )
