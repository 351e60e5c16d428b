"""The BTF id of what a tracing, LSM, iterator or ``freplace`` program attaches to.

The verifier has to know it when the program is loaded. The kernel has a type of its
own for what is no plain function: ``tp_btf/x`` is typedef ``btf_trace_x``, ``lsm/x``
function ``bpf_lsm_x``, ``iter/x`` function ``bpf_iter_x``.
"""

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.btf.types import Kind
from skelgen.model.attach import TracingMulti
from skelgen.model.enums import AttachType, ProgType
from skelgen.runtime.errors import AttachError, StateError
from skelgen.runtime.kernel.loaded_btf import function_of_program

if TYPE_CHECKING:
    from skelgen.runtime.kernel.btf import KernelTypes
    from skelgen.runtime.load.types import LoadTypes
    from skelgen.runtime.programs.base import Program

_PREFIXES = {
    AttachType.TRACE_RAW_TP: ("btf_trace_", Kind.TYPEDEF),
    AttachType.LSM_MAC: ("bpf_lsm_", Kind.FUNC),
    AttachType.LSM_CGROUP: ("bpf_lsm_", Kind.FUNC),
    AttachType.TRACE_ITER: ("bpf_iter_", Kind.FUNC),
}
_WORDS = {
    AttachType.TRACE_RAW_TP: "tracepoint",
    AttachType.LSM_MAC: "LSM hook",
    AttachType.LSM_CGROUP: "LSM hook",
    AttachType.TRACE_ITER: "iterator",
}


class AttachTarget(Record):
    """The target as ``BPF_PROG_LOAD`` takes it."""

    btf_id: int = 0
    btf_obj_fd: int = 0
    """BTF of the module that has it; 0 for vmlinux."""
    prog_fd: int = 0
    """Program that has it."""


def find_target(program: "Program", types: "LoadTypes") -> AttachTarget:
    """Return the target of a program.

    Raises :class:`AttachError` where the kernel has none of that name and
    :class:`StateError` where nobody said which.
    """
    name, module = program.attach_target, program.target_module
    spec = program.spec.attach
    if isinstance(spec, TracingMulti):  # its functions are named by the link
        return _module_of(program, module or spec.module, types)
    if name is None:
        raise StateError(
            f"program '{program.name}': SEC(\"{program.spec.section}\") names no"
            " target; call set_attach_target() before load()"
        )
    target_program = program.target_program
    if target_program is not None:
        fd = target_program if isinstance(target_program, int) else target_program.fd()
        return AttachTarget(function_of_program(fd, name, program.name), prog_fd=fd)
    if program.type == ProgType.EXT:
        raise StateError(
            f"program '{program.name}': which program it replaces '{name}' in is not"
            " known; call set_attach_target(target, program=...) before load()"
        )
    return _in_kernel(program, name, module, types.kernel)


def _in_kernel(
    program: "Program", name: str, module: str | None, kernel: "KernelTypes"
) -> AttachTarget:
    kind = program.attach_type
    prefix, btf_kind = ("", Kind.FUNC)
    word = "kernel function"
    if kind in _PREFIXES:
        prefix, btf_kind = _PREFIXES[AttachType(kind)]
        word = _WORDS[AttachType(kind)]
    found = kernel.find(prefix + name, btf_kind, module)
    if found is None:
        where = f"in module '{module}'" if module else "in this kernel or its modules"
        error = AttachError(
            f"program '{program.name}': no {word} '{name}' {where}"
            f" (BTF has no '{prefix}{name}')",
            program=program.name,
        )
        hint = _near(name, prefix, btf_kind, module, kernel)
        if hint:
            error.add_note(hint)
        raise error
    _, btf_id, owner = found
    return AttachTarget(btf_id, owner.fd.fileno() if owner is not None else 0)


def _near(
    name: str, prefix: str, kind: Kind, module: str | None, kernel: "KernelTypes"
) -> str:
    """Return what a name may stand for, in vmlinux and the module that was given."""
    # late: for a name that is not there
    from skelgen.near_names import did_you_mean
    from skelgen.runtime.kernel import symbols

    places = [kernel.vmlinux]
    if module not in {None, "vmlinux"}:
        places = [found.btf for found in kernel.modules() if found.name == module]
        if not places:
            return f"no module '{module}' with BTF is loaded"
    if kind is Kind.FUNC and not prefix and symbols.has(name):
        return (
            "the kernel has a function of that name, but no BTF for it: the compiler"
            " changed it, or there are several; kprobe/ can do without BTF"
        )
    names = {found for btf in places for found in btf.names(kind, prefix)}
    return did_you_mean(name, (found.removeprefix(prefix) for found in names))


def _module_of(
    program: "Program", module: str | None, types: "LoadTypes"
) -> AttachTarget:
    if module is None:
        return AttachTarget()
    for candidate in types.kernel.modules():
        if candidate.name == module:
            return AttachTarget(btf_obj_fd=candidate.fd.fileno())
    from skelgen.near_names import or_near

    raise AttachError(
        or_near(
            f"program '{program.name}': no module '{module}' with BTF in this kernel",
            module,
            (candidate.name for candidate in types.kernel.modules()),
        ),
        program=program.name,
    )
