"""Programs tied to a struct_ops map, with a kernel that the test plays."""

import errno
from typing import Any

import pytest

from skelgen.model.enums import MapType
from skelgen.runtime import StructOpsProgram, SyscallProgram
from skelgen.runtime.errors import BpfError, BpfOSError, NotSupportedError, StateError
from skelgen.runtime.programs.base import Program
from tests.harness.fake_kernel import FakeKernel, map_info
from tests.harness.programs import loaded, opened

MAP = 7


@pytest.fixture
def program(kernel: FakeKernel) -> Any:
    kernel.always("OBJ_GET_INFO_BY_FD", map_info(MapType.STRUCT_OPS, 4, 64))
    made = loaded("syscall", SyscallProgram)
    yield made
    made.close()


def test_a_program_is_tied_to_a_map(kernel: FakeKernel, program: Program) -> None:
    program.assoc_struct_ops(MAP)
    assert "command 38" in kernel.names()


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (errno.EINVAL, NotSupportedError, r"program 'prog': .* \(Linux 6\.19 has it\)"),
        (errno.EBUSY, BpfOSError, "program 'prog': BPF_PROG_ASSOC_STRUCT_OPS: .*EBUSY"),
        (errno.EPERM, BpfOSError, "program 'prog': BPF_PROG_ASSOC_STRUCT_OPS: .*EPERM"),
    ],
)
def test_what_the_kernel_refuses_is_explained(
    kernel: FakeKernel, program: Program, error: int, kind: type[Exception], text: str
) -> None:
    kernel.then("command 38", -error)
    with pytest.raises(kind, match=text) as caught:
        program.assoc_struct_ops(MAP)
    notes = getattr(caught.value, "__notes__", [])
    assert any("tied to another" in note for note in notes) is (error == errno.EBUSY)


def test_other_maps_and_programs_are_refused_here(
    kernel: FakeKernel, program: Program
) -> None:
    kernel.always("OBJ_GET_INFO_BY_FD", map_info(MapType.HASH, 4, 64))
    with pytest.raises(ValueError, match="'prog': map fd 7 is HASH, and a program is"):
        program.assoc_struct_ops(MAP)
    with pytest.raises(TypeError, match="'prog': ops must be an object with an fd"):
        program.assoc_struct_ops("dummy")  # type: ignore[arg-type] # on purpose
    with pytest.raises(StateError, match="not loaded"):
        opened("syscall", SyscallProgram).assoc_struct_ops(MAP)
    operation = opened("struct_ops/x", StructOpsProgram)
    with pytest.raises(BpfError, match="belongs to the struct_ops maps that name it"):
        operation.assoc_struct_ops(MAP)
    assert "command 38" not in kernel.names()
