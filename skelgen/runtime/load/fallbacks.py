"""Loading without what an old kernel lacks: one row a feature.

A row has the feature that a part of the request needs, and the change that does without;
rows are tried in order, once the kernel has refused the program.
"""

import sys

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.insns.bytecode import CALL, Bytecode
from skelgen.runtime.kernel import features

if TYPE_CHECKING:
    from collections.abc import Callable

    from skelgen.runtime.kernel.features import Feature
    from skelgen.runtime.programs.request import ProgramRequest

# helpers that take the place of others before Linux 5.5
_PROBE_READ = {112: 4, 113: 4, 114: 45, 115: 45}


class Fallback(Record):
    """A change of a request for kernels without a feature."""

    feature: "Feature"
    part: str
    """Field of the request that needs the feature, unless it is empty."""
    change: "Callable[[ProgramRequest], ProgramRequest]"


def lowered(request: "ProgramRequest") -> "ProgramRequest":
    """Return a request without what this kernel is too old for, or the same one."""
    for feature, part, change in FALLBACKS:
        if getattr(request, part) and feature.supported() is False:
            request = change(request)
    return request


def without_name(request: "ProgramRequest") -> "ProgramRequest":
    """Return a request for a program without a name in the kernel."""
    return request._replace(name="")


def without_attach_type(request: "ProgramRequest") -> "ProgramRequest":
    """Return a request that does not say how the program will be attached."""
    return request._replace(attach_type=0, spare_attach_type=0)


def without_btf(request: "ProgramRequest") -> "ProgramRequest":
    """Return a request for a program whose functions and lines are not described."""
    return request._replace(prog_btf_fd=0, func_info=b"", line_info=b"")


def with_probe_read(request: "ProgramRequest") -> "ProgramRequest":
    """Return a request that calls ``bpf_probe_read`` in place of its newer variants."""
    code = Bytecode(request.insns, sys.byteorder)
    changed = False
    index = 0
    while index < len(code):
        insn = code[index]
        if insn.code == CALL and insn.src == 0 and insn.imm in _PROBE_READ:
            code[index] = insn._replace(imm=_PROBE_READ[insn.imm])
            changed = True
        index += 2 if code.is_ldimm64(index) else 1
    return request._replace(insns=code.data) if changed else request


FALLBACKS = (
    Fallback(features.PROG_NAME, "name", without_name),
    Fallback(features.EXPECTED_ATTACH_TYPE, "spare_attach_type", without_attach_type),
    Fallback(features.BTF_FUNC, "prog_btf_fd", without_btf),
    Fallback(features.PROBE_READ_KERNEL, "insns", with_probe_read),
)
