"""Iterators say what they walk, and are read like a file."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen.runtime import IterProgram
from skelgen.runtime.errors import AttachError
from skelgen.runtime.links.iter import IterLink
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.programs import loaded


def tell_task(call: Call, info: bytes) -> None:
    """Answer as a kernel whose iterators look at tid and pid."""
    call.fill("info", bytes(32) + info[:8])


def test_iterators_say_what_they_walk(kernel: FakeKernel, tmp_path: Path) -> None:
    seen: list[bytes] = []

    def look(call: Call) -> None:
        size = call.attr.iter_info_len
        seen.append(call.memory("iter_info", size) if size else b"")

    kernel.always("LINK_CREATE", look)
    kernel.always("OBJ_GET_INFO_BY_FD", lambda call: tell_task(call, seen[-1]))
    tasks = loaded("iter/task", IterProgram)
    for link in (
        tasks.attach(),
        loaded("iter/bpf_map_elem", IterProgram).attach(map=77),
        tasks.attach(tid=5),
        tasks.attach(pid=6),
    ):
        assert isinstance(link, IterLink)
    assert seen[0] == b""
    assert struct.unpack_from("=I", seen[1]) == (77,)
    assert struct.unpack_from("=III", seen[2]) == (5, 0, 0)
    assert struct.unpack_from("=III", seen[3]) == (0, 6, 0)
    groups = loaded("iter/cgroup", IterProgram)
    groups.attach(cgroup=tmp_path, order=2)
    order, directory, number = struct.unpack("=IIQ", seen[4])
    assert (order, number) == (2, 0)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(directory)  # closed again
    groups.attach(order=1)  # from the root
    assert struct.unpack("=IIQ", seen[5]) == (1, 0, 0)


def test_an_old_kernel_walks_all_tasks_whatever_it_is_asked(
    kernel: FakeKernel,
) -> None:
    tasks = loaded("iter/task", IterProgram)
    for given in ({"tid": 5}, {"pid": 5}):
        with pytest.raises(AttachError, match=r"those of one task .* Linux 6\.1"):
            tasks.attach(**given)
    assert kernel.open == {tasks.fd()}


def test_iterators_take_what_is_theirs(kernel: FakeKernel, tmp_path: Path) -> None:
    """The kernel would read a map's fd as a thread, or look at nothing."""
    tasks = loaded("iter/task", IterProgram)
    given: dict[str, object]
    for given in ({"map": 5}, {"cgroup": tmp_path}, {"order": 1}):
        with pytest.raises(ValueError, match=f"it takes no {next(iter(given))}"):
            tasks.attach(**given)
    sockets = loaded("iter/tcp", IterProgram)
    with pytest.raises(ValueError, match="it takes no pid"):
        sockets.attach(pid=1)
    with pytest.raises(OverflowError, match="tid must be"):
        tasks.attach(tid=1 << 32)
    elements = loaded("iter/bpf_map_elem", IterProgram)
    with pytest.raises(AttachError, match=r"which map to walk; call attach\(map=...\)"):
        elements.attach()
    with pytest.raises(AttachError, match="in which order to walk"):
        loaded("iter/cgroup", IterProgram).attach(cgroup=tmp_path)
    for junk in ("x", 1.5, b"x"):
        with pytest.raises(TypeError, match="map must be an object with an fd"):
            elements.attach(map=junk)
    for number in (-1, 1 << 31, 1 << 64):
        with pytest.raises(ValueError, match="map must be a file descriptor"):
            elements.attach(map=number)
    assert not kernel.named("LINK_CREATE")


def test_an_iterator_is_read_like_a_file(kernel: FakeKernel) -> None:
    def output(text: bytes) -> Callable[[Call], int]:
        def make(_call: Call) -> int:
            reader, writer = os.pipe()
            os.write(writer, text)
            os.close(writer)
            return reader

        return make

    kernel.then("ITER_CREATE", output(b"one\ntwo\n"), output(b"\xff"), output(b"x"))
    link = loaded("iter/task", IterProgram).attach()
    with link.open() as reader:
        assert list(reader) == [b"one\n", b"two\n"]
    assert link.read_text() == "�"
    assert link.read() == b"x"
    assert [call.attr.link_fd for call in kernel.named("ITER_CREATE")] == [
        link.fd()
    ] * 3
