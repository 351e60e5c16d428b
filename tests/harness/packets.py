"""Frames that cross a pair of interfaces, and programs that count them."""

import socket

from tests.harness.places import NetworkNamespace
from tests.harness.programs import Counter, insn

XDP_PASS, TCX_NEXT = 2, -1


def send(netns: NetworkNamespace, count: int) -> None:
    """Send datagrams out of ``veth0``, to nobody: each crosses to ``veth1``."""

    def inside() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind(("veth0", 0x88B5))  # an EtherType for experiments
            for _ in range(count):
                sock.send(b"\xff" * 6 + b"\x02" * 6 + b"\x88\xb5" + bytes(50))

    netns.call(inside)


def own_packets(counter: Counter, *, data: int, end: int, result: int) -> bytes:
    """Return a program that counts frames of our EtherType alone.

    ``data`` and ``end`` are the offsets of the context's packet pointers.
    """
    count = counter.insns(result=result)
    return (
        insn(0x61, 2, 1, data)  # r2 = ctx->data
        + insn(0x61, 3, 1, end)  # r3 = ctx->data_end
        + insn(0xBF, 4, 2)  # r4 = r2
        + insn(0x07, 4, imm=14)  # r4 += 14
        + insn(0x2D, 4, 3, 2)  # if r4 > r3: out
        + insn(0x69, 4, 2, 12)  # r4 = *(u16 *)(r2 + 12)
        + insn(0x15, 4, off=2, imm=0xB588)  # if r4 == htons(0x88b5): go on
        + insn(0xB7, 0, imm=result)
        + insn(0x95)
        + count
    )


def xdp_counter(counter: Counter) -> bytes:
    return own_packets(counter, data=0, end=4, result=XDP_PASS)


def tc_counter(counter: Counter, result: int = TCX_NEXT) -> bytes:
    return own_packets(counter, data=76, end=80, result=result)
