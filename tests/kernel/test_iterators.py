"""Iterators walk tasks and maps."""

import os

import pytest

from skelgen.btf.types import Kind
from skelgen.model.enums import LinkType, MapType
from skelgen.runtime import IterProgram, syscalls
from skelgen.runtime.errors import AttachError
from tests.harness import privilege
from tests.harness.programs import LoadProgram, btf_id, insn, load_or_skip

# bpf_seq_write(ctx->meta->seq, "x\n", 2)
WRITE_LINE = (
    insn(0x79, 1, 1)  # r1 = *(u64 *)(r1 + 0), meta
    + insn(0x79, 1, 1)  # r1 = *(u64 *)(r1 + 0), seq
    + insn(0x62, 10, off=-8, imm=0x0A78)  # *(u32 *)(r10 - 8) = "x\n"
    + insn(0xBF, 2, 10)  # r2 = r10
    + insn(0x07, 2, imm=-8)  # r2 += -8
    + insn(0xB7, 3, imm=2)  # r3 = 2
    + insn(0x85, imm=127)
    + insn(0xB7, 0)
    + insn(0x95)
)


def load_iterator(load: LoadProgram, target: str) -> IterProgram:
    program = load_or_skip(
        load,
        f"iter/{target}",
        cls=IterProgram,
        insns=WRITE_LINE,
        attach_btf_id=btf_id(f"bpf_iter_{target}", Kind.FUNC),
    )
    assert isinstance(program, IterProgram)
    return program


def test_an_iterator_walks_all_tasks(load: LoadProgram) -> None:
    program = load_iterator(load, "task")
    with program.attach() as link:
        with link.open() as reader:
            lines = list(reader)
        assert len(lines) > 2
        # the last call is for the end, without a task
        assert set(lines) == {b"x\n"}
        info = link.info()
        assert (info.type, info.target) == (LinkType.ITER, "task")
        assert link.read_text().startswith("x\nx\n")


def test_an_iterator_walks_one_map(load: LoadProgram) -> None:
    program = load_iterator(load, "bpf_map_elem")
    fd = syscalls.map_create(
        type=MapType.ARRAY, key_size=4, value_size=4, max_entries=3
    )
    with syscalls.Fd(fd):
        with program.attach(map=fd) as link:
            assert link.read() == b"x\n" * 4  # and once for the end
            assert link.info().map_id == syscalls.map_info(fd).id
        with pytest.raises(AttachError, match="does not say which map to walk"):
            program.attach()


def test_an_iterator_of_one_task_walks_that_one_alone(load: LoadProgram) -> None:
    program = load_iterator(load, "task")
    try:
        link = program.attach(tid=os.getpid())
    except AttachError as error:
        assert not privilege.kernel_at_least(6, 1)
        assert "came with Linux 6.1" in str(error)  # noqa: PT017 - a kernel's no
        with program.attach() as every:
            assert every.read().count(b"x") > 2
        return
    with link:
        assert link.read() == b"x\n" * 2
    with program.attach(pid=os.getpid()) as link:
        assert link.read().count(b"x") >= 2
