"""The kernel's answers to smaller programs that resemble a refused one.

Called where a program was refused and the reason may not be in it: the kernel said
nothing, or withholds a helper. Each question is a program of a few instructions that is
loaded, and closed at once where it is accepted; nothing is attached.
"""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.kinds import Kind
from skelgen.model.enums import AttachType, ProgType
from skelgen.model.flags import BPF_F_SLEEPABLE, PROG_FLAGS
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.features.trial import EXIT
from skelgen.runtime.load.fallbacks import without_btf
from skelgen.runtime.syscalls import rights

if TYPE_CHECKING:
    from typing import Final

    from skelgen.runtime.load.types import LoadTypes
    from skelgen.runtime.programs.request import ProgramRequest

_NOTHING: Final = b"\xb7\0\0\0\0\0\0\0" + EXIT  # r0 = 0; exit

# a target of each way to attach that kernels with that way have, and its kind in BTF
_USUAL: Final[dict[int, tuple[str, Kind]]] = {
    AttachType.TRACE_RAW_TP: ("btf_trace_sched_switch", Kind.TYPEDEF),
    AttachType.TRACE_FENTRY: ("bpf_fentry_test1", Kind.FUNC),
    AttachType.TRACE_FEXIT: ("bpf_fentry_test1", Kind.FUNC),
    AttachType.MODIFY_RETURN: ("bpf_modify_return_test", Kind.FUNC),
    AttachType.TRACE_ITER: ("bpf_iter_task", Kind.FUNC),
    AttachType.LSM_MAC: ("bpf_lsm_file_open", Kind.FUNC),
}

# helpers that lockdown withholds, and from which level on
_LOCKED_DOWN: Final[dict[str, str]] = {
    "bpf_probe_write_user": "integrity",
    "bpf_probe_read": "confidentiality",
    "bpf_probe_read_str": "confidentiality",
    "bpf_probe_read_kernel": "confidentiality",
    "bpf_probe_read_kernel_str": "confidentiality",
}


def causes(request: ProgramRequest, types: LoadTypes) -> list[str]:
    """Return what parts of a program the kernel does not refuse, a sentence each.

    ``request`` was refused with an empty log.
    """
    whole = request._replace(log_level=0)
    bare = without_btf(whole)._replace(insns=_NOTHING, fd_array=())
    if _accepted(bare):
        found = ["a program that does nothing is accepted in its place: it is the code"]
        if request.prog_btf_fd and _accepted(without_btf(whole)):
            found = ["without its BTF (functions and lines) it is accepted"]
        return found
    found = [
        "a program that does nothing is refused in its place, too: it is not the code"
    ]
    if request.flags & BPF_F_SLEEPABLE and _accepted(
        bare._replace(flags=request.flags & ~BPF_F_SLEEPABLE)
    ):
        return [*found, "one that is not sleepable is accepted"]
    for flag, (name, since) in PROG_FLAGS.items():
        fewer = request.flags & ~flag
        if fewer != request.flags and _accepted(bare._replace(flags=fewer)):
            found.append(f"without {name} (Linux {since} has it) one is accepted")
    usual = _USUAL.get(request.attach_type)
    if not request.attach_btf_id or request.attach_prog_fd or usual is None:
        return found
    name, kind = usual
    target = types.kernel.vmlinux.find(name, kind)
    if target is None or target == request.attach_btf_id:
        return found
    shown = name.removeprefix("btf_trace_")
    if _accepted(bare._replace(attach_btf_id=target, attach_btf_obj_fd=0)):
        return [
            *found,
            f"on '{shown}' one is accepted: this kernel withholds the target",
        ]
    return [
        *found,
        (
            f"and so is one on '{shown}': this kernel withholds programs that attach with"
            f" BPF_{AttachType(request.attach_type).name}"
        ),
    ]


def _accepted(request: ProgramRequest) -> bool:
    try:
        fd = request.load()
    except BpfOSError:
        return False
    syscalls.close(fd)
    return True


def helper(name: str, number: int) -> tuple[tuple[str, ...], str] | None:
    """Return which program types may call a helper on this kernel, by name.

    None where nothing can be told. Types whose helpers depend on what a program
    attaches to (``LSM``, ``EXT``, ``STRUCT_OPS``) are left out. Where there are none, the
    text says what the kernel may withhold it for.
    """
    found: list[str] = []
    told = False
    for kind in ProgType:
        if kind == ProgType.UNSPEC:
            continue
        try:
            answer = features.helper(number, kind)
        except (BpfError, ValueError, LookupError):
            continue
        told |= answer.supported is not None
        if answer:
            found.append(kind.name.lower())
    if not told:
        return None
    return tuple(found), "" if found else _withheld(name)


def _withheld(name: str) -> str:
    """Return why a kernel lets no program call a helper that it knows."""
    process = rights.read_process()
    level = _LOCKED_DOWN.get(name)
    if level is not None and process.lockdown in {level, "confidentiality"}:
        return (
            f"the kernel is locked down ({process.lockdown}, see"
            " /sys/kernel/security/lockdown), and so withholds it"
        )
    missing = rights.missing("BPF_PROG_LOAD", ProgType.KPROBE)
    if missing:
        return f"this process lacks {' and '.join(missing)}, which many helpers need"
    if level is None:
        return "the kernel's configuration may lack what it is for"
    if process.lockdown is not None:
        return "it is not lockdown; a security module may withhold it"
    return (
        f"lockdown ({level}) or a security module may withhold it; this system has no"
        " /sys/kernel/security/lockdown that tells"
    )
