"""The kernels after 6.18: what they brought, and what they say otherwise."""

import errno
import platform
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import skelgen
from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_EXIST, BPF_F_NO_PREALLOC, BPF_NOEXIST
from skelgen.runtime import RawTracepointProgram, TracepointProgram
from skelgen.runtime.errors import BpfOSError, MapFullError, NotSupportedError
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.version import kernel_version
from skelgen.runtime.maps import create
from skelgen.runtime.maps.families import family
from skelgen.runtime.maps.generic import GenericMap
from skelgen.runtime.maps.request import MapRequest
from skelgen.runtime.object.object import Object
from skelgen.runtime.programs.base import Program
from skelgen.runtime.values import codec as c
from tests.harness import privilege
from tests.harness.maps import made
from tests.harness.programs import LoadProgram

Compile = Callable[[str], Path]
NUMBERS = (MapType.RHASH, 4, 8, 500)


def test_elements_of_a_resizable_hash_come_and_go() -> None:
    with made(*NUMBERS, BPF_F_NO_PREALLOC) as handle:
        squares: Any = family(handle, key=c.U32, value=c.U64)
        assert isinstance(squares, GenericMap)
        wanted = {number: number * number for number in range(300)}
        for number, square in wanted.items():
            squares.update(number, square)
        # while it grows, a walk may miss some
        deadline = time.monotonic() + 30
        while (
            found := dict(squares.items())
        ) != wanted and time.monotonic() < deadline:
            time.sleep(0.01)
        assert found == wanted
        assert (squares.lookup(17), squares.lookup(300)) == (289, None)
        assert squares.delete(17)
        assert not squares.delete(17)
        assert 17 not in squares
        assert squares.lookup_and_delete(18) == 324
        assert squares.lookup_and_delete(18) is None
        with pytest.raises(FileNotFoundError):
            squares.update(18, 1, flags=BPF_EXIST)
        squares.update(18, 1, flags=BPF_NOEXIST)
        with pytest.raises(FileExistsError):
            squares.update(18, 2, flags=BPF_NOEXIST)
        squares.update(18, 3, flags=BPF_EXIST)
        assert squares.lookup(18) == 3
        for number in range(500):
            squares.update(number, number)
        with pytest.raises(MapFullError, match="is full: 500 entries"):
            squares.update(500, 500)
        for number in range(500):
            assert squares.delete(number)
        assert list(squares.keys()) == []


def test_a_resizable_hash_wants_a_flag() -> None:
    privilege.require("RHASH", features.map_type("rhash"))
    with pytest.raises(BpfOSError, match="RHASH wants map_flags BPF_F_NO_PREALLOC"):
        create.create(MapRequest(*NUMBERS, 0, "m"), "m")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="of x86-64 alone")
def test_fast_uprobes() -> None:
    """From 6.18 on, whichever way the system call refuses to be called by hand."""
    expected = kernel_version() >= 6 << 16 | 18 << 8
    assert features.UPROBE_SYSCALL.supported() is expected


@pytest.mark.parametrize(
    ("section", "kind", "target"),
    [
        ("tp.s/sched/sched_switch", TracepointProgram, "tracepoint 'sched/"),
        ("raw_tp.s/sched_switch", RawTracepointProgram, "raw tracepoint 'sched_"),
    ],
)
def test_a_tracepoint_where_a_program_may_not_sleep(
    load: LoadProgram, section: str, kind: type[Program], target: str
) -> None:
    try:
        program = load(section, kind)
    except BpfOSError as error:
        # the first release is not known; 7.3 has them
        if error.errno != errno.EINVAL or privilege.kernel_at_least(7, 3):
            raise
        pytest.skip("this kernel has no sleepable programs on tracepoints; 7.3 has")
    with pytest.raises(BpfOSError, match=f"on {target}.*EINVAL") as caught:
        program.attach()
    assert "the program may sleep" in caught.value.__notes__[-1]


def test_jump_tables_are_run_or_the_error_says_since_when_they_are(
    compile_bpf: Compile,
) -> None:
    """Since Linux 6.19; before, the error says so."""
    with skelgen.open_object(compile_bpf("jump_table")) as obj:
        if privilege.kernel_at_least(6, 19):
            obj.load()
            take_every_branch(obj)
            return
        with pytest.raises(NotSupportedError, match="jump table") as caught:
            obj.load()
        assert caught.value.since == "6.19"


def take_every_branch(obj: Object) -> None:
    """Run ``jump_table`` for each case of its switch, and for what is none."""
    packet, out = bytes(64), 1000
    steps: tuple[Callable[[int], int], ...] = (
        lambda _: 3,
        lambda _: 31,
        lambda out: out + 7,
        lambda out: out ^ 12,
        lambda out: out - 2,
        lambda out: out << 1,
        lambda _: 77,
        lambda _: len(packet),
        lambda out: out | 4,
        lambda out: out & 1,
        lambda out: out + 30,
        lambda out: out - 33,
        lambda out: out ^ 36,
        lambda out: out | 39,
        lambda _: 42,
        lambda out: out * 45,
        lambda out: out & 48,
        lambda out: out + 51,
        lambda _: -1,
        lambda _: -1,
    )
    for mark, step in [*enumerate(steps), (1 << 31, lambda _: -1), (2, steps[2])]:
        ctx = struct.pack("=III", 0, 0, mark)  # struct __sk_buff: len, pkt_type, mark
        out = step(out)
        assert obj.programs["choose"].test_run(packet, ctx=ctx).retval == out % 2**32
