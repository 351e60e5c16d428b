"""Streams that a program prints to, with a kernel that the test plays."""

import errno
from typing import Any

import pytest

from skelgen.runtime import SyscallProgram
from skelgen.runtime.errors import BpfPermissionError, NotSupportedError, StateError
from skelgen.runtime.programs.base import Program
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.programs import loaded, opened


@pytest.fixture
def program(kernel: FakeKernel) -> Any:
    assert kernel
    made = loaded("syscall", SyscallProgram)
    yield made
    made.close()


def prints(kernel: FakeKernel, text: bytes) -> list[tuple[int, int]]:
    """Let a program have printed a text; return the streams that are read, and room."""
    left = bytearray(text)
    asked: list[tuple[int, int]] = []

    def read(call: Call) -> int:
        stream, room = call.attr.stream_id, call.attr.stream_buf_len
        asked.append((stream, room))
        part = bytes(left[:room])
        call.fill("stream_buf", part)
        del left[:room]
        return len(part)

    kernel.always("PROG_STREAM_READ_BY_FD", read)
    return asked


def test_streams_are_read_until_nothing_is_left(
    kernel: FakeKernel, program: Program
) -> None:
    text = bytes(range(256)) * 200
    asked = prints(kernel, text)
    assert program.stream("stderr").read() == text
    assert {stream for stream, _ in asked} == {2}
    assert len(asked) == len(text) // (1 << 14) + 1
    prints(kernel, text)
    out = program.stream("stdout")
    assert out.read(20_000) + out.read(0) + out.read(5) == text[:20_005]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\n\ntwo", ["one", "", "two"]),
        ("\N{EURO SIGN}\x0c\r\u2028\n".encode(), ["\N{EURO SIGN}\x0c\r\u2028"]),
        (b"\xff\n", [r"\xff"]),
    ],
)
def test_lines_end_with_a_line_feed_and_nothing_else(
    kernel: FakeKernel, program: Program, text: bytes, lines: list[str]
) -> None:
    prints(kernel, text)
    assert program.stream("stdout").lines() == lines


def test_kernels_without_streams_are_named(
    kernel: FakeKernel, program: Program
) -> None:
    kernel.then("PROG_STREAM_READ_BY_FD", -errno.EINVAL, -errno.EPERM)
    with pytest.raises(NotSupportedError, match=r"'prog': stdout: .*6\.17 has it"):
        program.stream("stdout").read()
    with pytest.raises(BpfPermissionError, match="'prog': stderr"):
        program.stream("stderr").lines()


def test_streams_are_of_a_loaded_program(kernel: FakeKernel) -> None:
    stream = opened("syscall", SyscallProgram).stream("stdout")
    with pytest.raises(StateError, match="program 'prog': not loaded"):
        stream.read()
    assert not kernel.calls
