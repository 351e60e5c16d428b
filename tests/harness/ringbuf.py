"""A ring buffer with a program that fills it, without a compiler."""

import struct
from typing import Self

from skelgen.model.enums import MapType, ProgType
from skelgen.model.spec import MapSpec
from skelgen.runtime import syscalls
from skelgen.runtime.maps.handle import MapHandle

NO_WAKEUP, FORCE_WAKEUP = 1, 2


def insn(code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    return struct.pack("=BBhi", code, src << 4 | dst, off, imm)


class Ring:
    """A ring buffer map and programs that write records to it.

    A record begins with a number of 64 bits that counts the runs of all programs;
    the rest is zeros.
    """

    def __init__(self, size: int = 4096, flags: int = 0) -> None:
        spec = MapSpec("rb", MapType.RINGBUF, max_entries=size, flags=flags)
        self.handle = MapHandle(spec)
        fd = syscalls.map_create(
            type=MapType.RINGBUF,
            key_size=0,
            value_size=0,
            max_entries=size,
            flags=flags,
            name="rb",
        )
        self.handle.adopt(fd)
        self._counter = syscalls.Fd(
            syscalls.map_create(
                type=MapType.ARRAY, key_size=4, value_size=8, max_entries=1
            )
        )
        self._programs: dict[tuple[int, int], syscalls.Fd] = {}

    def write(self, count: int = 1, size: int = 8, flags: int = 0) -> None:
        """Run a program ``count`` times, which outputs records of ``size`` bytes."""
        program = self._programs.get((size, flags))
        if program is None:
            program = self._programs[size, flags] = self._load(size, flags)
        syscalls.prog_test_run(program.fileno(), data=bytes(64), repeat=count)

    def _load(self, size: int, flags: int) -> syscalls.Fd:
        room = max(8, (size + 7) // 8 * 8)
        code = insn(0x18, 6, 2, 0, self._counter.fileno()) + insn(0)
        code += insn(0xB7, 7, 0, 0, 1)
        # not in one, which takes Linux 5.12: one program writes at a time
        code += insn(0xDB, 6, 7) + insn(0x79, 7, 6)  # lock *r6 += 1; r7 = *r6
        code += insn(0x07, 7, imm=-1)
        for off in range(8, room, 8):
            code += insn(0x7A, 10, 0, off - room, 0)
        code += insn(0x7B, 10, 7, -room)
        code += insn(0x18, 1, 1, 0, self.handle.fd()) + insn(0)
        code += insn(0xBF, 2, 10) + insn(0x07, 2, 0, 0, -room)
        code += insn(0xB7, 3, 0, 0, size)
        code += insn(0xB7, 4, 0, 0, flags)
        code += insn(0x85, 0, 0, 0, 130)  # bpf_ringbuf_output
        return self._finish(code)

    def reserving(self) -> syscalls.Fd:
        """Return a program that reserves a record and discards it."""
        code = insn(0x18, 1, 1, 0, self.handle.fd()) + insn(0)
        code += insn(0xB7, 2, 0, 0, 16) + insn(0xB7, 3, 0, 0, 0)
        code += insn(0x85, 0, 0, 0, 131)  # bpf_ringbuf_reserve
        code += insn(0x15, 0, 0, 3, 0)  # no room: skip
        code += insn(0xBF, 1, 0) + insn(0xB7, 2, 0, 0, 0)
        code += insn(0x85, 0, 0, 0, 133)  # bpf_ringbuf_discard
        return self._finish(code)

    def _finish(self, code: bytes) -> syscalls.Fd:
        code += insn(0xB7, 0, 0, 0, 0) + insn(0x95)
        fd = syscalls.prog_load(type=ProgType.SCHED_CLS, insns=code, license="GPL")
        return syscalls.Fd(fd)

    def close(self) -> None:
        self.handle.close()
        self._counter.close()
        for program in self._programs.values():
            program.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
