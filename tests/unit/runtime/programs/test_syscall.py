"""Programs of type SYSCALL are called."""

import ctypes

import pytest

from skelgen.runtime import SyscallProgram
from skelgen.runtime.errors import AttachError
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.programs import loaded


def test_a_syscall_program_is_called(kernel: FakeKernel) -> None:
    program = loaded("syscall", SyscallProgram)
    assert program.flags == 1 << 4  # BPF_F_SLEEPABLE

    def run(call: Call) -> int:
        size = call.attr.ctx_size_in
        seen.append(call.memory("ctx_in", size) if size else b"")
        if size:
            call.fill("ctx_in", b"\x09" * size)
        call.answer("retval", 0xFFFFFFFE)
        return 0

    seen: list[bytes] = []
    kernel.always("PROG_TEST_RUN", run)
    assert program.run() == -2
    args = bytearray(b"\x01\x02")
    assert program.run(args) == -2
    assert args == b"\x09\x09"
    assert program.run(b"\x05") == -2  # read-only: taken, and not given back
    words = (ctypes.c_uint32 * 2)(1, 2)
    program.run(memoryview(words))
    assert list(words) == [0x09090909] * 2
    assert [len(ctx) for ctx in seen] == [0, 2, 1, 8]
    with pytest.raises(AttachError, match=r"call run\(\)"):
        program.attach()
    program.close()
