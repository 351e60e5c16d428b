"""A command of ``bpf(2)`` that an older kernel may refuse, and its refusal."""

import ctypes
import struct
from collections.abc import Iterator
from typing import NamedTuple

from tests.harness.bpf_attr import Attr
from tests.harness.commands import Command


class Refusal(NamedTuple):
    """What an older kernel says to a call."""

    errno: int
    log: str = ""


class Attempt(NamedTuple):
    """One command of ``bpf(2)``, before the kernel sees it."""

    command: Command
    attr: Attr

    def memory(self, name: str, size: int) -> bytes:
        """Return the bytes that a field points to."""
        return ctypes.string_at(self.attr[name], size)

    def insns(self) -> Iterator[tuple[int, int, int]]:
        """Yield code, source register and immediate of each instruction."""
        data = self.memory("insns", self.attr.insn_cnt * 8)
        at = 0
        while at < len(data):
            code, regs, _, imm = struct.unpack_from("<BBhi", data, at)
            yield code, regs >> 4, imm
            at += 16 if code == 0x18 else 8


MAP_CREATE, PROG_LOAD = Command.MAP_CREATE, Command.PROG_LOAD
BTF_LOAD, LINK_CREATE = Command.BTF_LOAD, Command.LINK_CREATE


def write_log(call: Attempt, text: str) -> None:
    """Say why, where the caller gave room for it."""
    if call.command is PROG_LOAD:
        size, place = call.attr.log_size, call.attr.log_buf
    elif call.command is BTF_LOAD:
        size, place = call.attr.btf_log_size, call.attr.btf_log_buf
    else:
        return
    data = text.encode() + b"\0"
    if text and place and size >= len(data):
        ctypes.memmove(place, data, len(data))
