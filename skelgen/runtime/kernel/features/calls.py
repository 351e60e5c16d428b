"""Which helpers and kfuncs programs of a type may call: each probe calls one."""

from __future__ import annotations

import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.types import Kind
from skelgen.model import prog_types
from skelgen.model.enums import AttachType, ProgType
from skelgen.runtime.errors import KernelBtfError
from skelgen.runtime.kernel.btf import KernelTypes
from skelgen.runtime.kernel.features.trial import (
    EXIT,
    Trial,
    Verdict,
    call_insn,
    regs,
    verdict,
)

if TYPE_CHECKING:
    from typing import Final

    from skelgen.btf.index import KernelBtf

_DEPENDS: Final = "it depends on what the program attaches to"

# the verifier's words for a call that programs of the type cannot make
_NO_HELPER: Final = (
    "invalid func ",
    "unknown func ",
    "program of this type cannot use helper ",
    "helper call is not allowed in probe",
)
_NO_KFUNC: Final = (
    "is not allowed",
    "cannot call kernel function",
    "does not support calling kernel function",
)
_PSEUDO_KFUNC: Final = 2


def helper(number: int, prog_type: int) -> Verdict:
    """Try to load a program that calls a helper, with no arguments made ready."""
    if prog_types.row(prog_type).btf_context and prog_type != ProgType.TRACING:
        return None, _DEPENDS
    return _call(call_insn(number) + EXIT, prog_type, _NO_HELPER)


def _call(
    insns: bytes, prog_type: int, refusals: tuple[str, ...], fds: tuple[int, ...] = ()
) -> Verdict:
    if prog_type == ProgType.TRACING:
        target = _raw_tracepoint()
        if target is None:
            return None, "kernel BTF has no raw tracepoint to try it on"
        hook = AttachType.TRACE_RAW_TP
        trial = Trial(
            prog_type, insns, attach_type=hook, attach_btf_id=target, fd_array=fds
        )
    else:
        trial = Trial(prog_type, insns, fd_array=fds)
    if trial.error is None:
        return True, ""
    for line in trial.log.splitlines():
        if any(text in line for text in refusals):
            return False, line.partition(" (limit ")[0]
    if trial.log.strip():  # it came as far as the call, and wants its arguments
        return True, ""
    return verdict(trial.error)


def _raw_tracepoint() -> int | None:
    """Return the BTF type of a raw tracepoint that every kernel has."""
    types = KernelTypes()
    try:
        return types.vmlinux.find("btf_trace_sched_switch", Kind.TYPEDEF)
    except KernelBtfError:
        return None
    finally:
        types.close()


def kfunc(name: str, prog_type: int | None) -> Verdict:
    """Look a function up in kernel BTF, and try to load a program that calls it."""
    types = KernelTypes()
    try:
        found = types.find(name, Kind.FUNC)
        if found is None:
            return False, "not in kernel BTF"
        btf, type_id, module = found
        where = "vmlinux" if module is None else module.name
        if prog_type is None:
            if _marks_kfuncs(btf) and not _is_marked(btf, type_id):
                return False, "a kernel function, and no kfunc"
            return True, where
        if prog_types.row(prog_type).btf_context and prog_type != ProgType.TRACING:
            return None, _DEPENDS
        # the first slot is vmlinux, by an offset of 0
        fds = () if module is None else (0, module.fd.fileno())
        call = struct.pack(
            "=BBhi", 0x85, regs(0, _PSEUDO_KFUNC), 0 if module is None else 1, type_id
        )
        supported, reason = _call(call + EXIT, prog_type, _NO_KFUNC, fds)
    except KernelBtfError as error:
        return None, str(error)
    finally:
        types.close()
    return supported, where if supported else reason


def _marks_kfuncs(btf: KernelBtf) -> bool:
    """Return whether the kernel was built with a pahole that marks its kfuncs."""
    return btf.find("bpf_kfunc", Kind.DECL_TAG) is not None


def _is_marked(btf: KernelBtf, type_id: int) -> bool:
    return any(
        btf.ref(tag) == type_id for tag in btf.find_all("bpf_kfunc", Kind.DECL_TAG)
    )


def marked_kfuncs() -> list[str]:
    """Return the kfuncs that kernel BTF marks, by name; none before pahole 1.26.

    Of vmlinux and of every module. Raises :class:`KernelBtfError`.
    """
    types = KernelTypes()
    try:
        found: set[str] = set()
        for btf in (types.vmlinux, *(module.btf for module in types.modules())):
            tags = btf.find_all("bpf_kfunc", Kind.DECL_TAG)
            found |= {btf.name(btf.ref(tag)) for tag in tags}
        return sorted(found)
    finally:
        types.close()
