"""Kernel symbols that programs refer to: found once a load, in libbpf's order.

Variables declared without a type are addresses from ``/proc/kallsyms``; typed ones
and functions are found in kernel BTF, where their types have to agree. What is weak
may be missing: an address of 0, a call that the verifier removes as dead code.
"""

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.core.types import SpecError, types_compatible
from skelgen.btf.errors import BtfParseError
from skelgen.btf.names import essential_name
from skelgen.btf.resolve import skip_mods_and_typedefs
from skelgen.btf.types import Kind
from skelgen.model.spec import ExternKind, ExternSpec, ObjectSpec
from skelgen.runtime.errors import BpfError, ExternError, KernelBtfError
from skelgen.runtime.insns.relocate import Symbol
from skelgen.runtime.load.results import Externals
from skelgen.runtime.log import debug, step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skelgen.btf.parse import Btf
    from skelgen.runtime.kernel.btf import KernelTypes, ModuleBtf
    from skelgen.runtime.load.results import Context
    from skelgen.runtime.load.types import LoadTypes

_MAX_FD_INDEX = 0x7FFF
"""``off`` of an instruction, which holds the index, has 16 bits and a sign."""


class Symbols:
    """The kernel symbols of one object, resolved."""

    __slots__ = ("by_name", "fd_array")

    def __init__(self) -> None:
        self.by_name: dict[str, Symbol] = {}
        self.fd_array: list[int] = []
        """fds of modules for calls; index 0 is never used."""


def resolve_externals(context: "Context") -> Externals:
    """Find what an object has from the kernel: its configuration, and its symbols.

    A load that goes on without them is told in the result which are missing, and why.
    """
    kconfig = _kconfig(context)
    externs = context.parts.spec.externs
    missing: dict[str, BpfError] = {}
    while any(extern.kind is not ExternKind.KCONFIG for extern in externs):
        try:
            with step("externs") as this:
                spec = context.parts.spec._replace(externs=externs)
                found = resolve(spec, context.types)
                this.done("%d resolved", len(found.by_name))
        except (ExternError, KernelBtfError) as error:
            failed = _failed(error, externs)
            if not context.failures.lenient or not failed:
                raise
            missing.update(dict.fromkeys(failed, error))
            externs = tuple(e for e in externs if e.name not in failed)
        else:
            return Externals(kconfig, found.by_name, tuple(found.fd_array), missing)
    return Externals(kconfig, missing=missing)


def _kconfig(context: "Context") -> bytearray | None:
    """Return the contents of ``.kconfig``."""
    parts = context.parts
    for data in parts.data.values():
        if data.is_kconfig:
            from skelgen.runtime.kernel import config

            with (
                context.failures.guard("map", data.spec.section),
                step("kernel configuration") as this,
            ):
                given = parts.options.kconfig
                filled = config.fill(parts.spec.externs, given, bytes(data.spec.size))
                this.done("read")
                return filled
    return None


def _failed(
    error: ExternError | KernelBtfError, externs: tuple[ExternSpec, ...]
) -> set[str]:
    """Return what an error is about: one symbol, or all that have a type."""
    if isinstance(error, ExternError):
        return {e.name for e in externs if e.name == error.extern}
    typed = {ExternKind.KSYM_VAR, ExternKind.KFUNC}
    return {e.name for e in externs if e.kind in typed}


def resolve(spec: ObjectSpec, types: "LoadTypes") -> Symbols:
    """Find every kernel symbol of an object.

    Raises :class:`ExternError` for one that is missing and not weak, or of another
    type than declared.
    """
    symbols = Symbols()
    addresses = [ext for ext in spec.externs if ext.kind is ExternKind.KSYM]
    if addresses:
        for name, address in _addresses(addresses).items():
            symbols.by_name[name] = Symbol(address)
    for extern in spec.externs:
        if extern.kind in {ExternKind.KSYM_VAR, ExternKind.KFUNC}:
            if types.btf is None:
                raise ExternError(
                    f"extern '{extern.name}': the object has no BTF of it",
                    extern=extern.name,
                )
            symbols.by_name[extern.name] = _typed(
                extern, types.btf, types.kernel, symbols
            )
    return symbols


def _addresses(externs: list[ExternSpec]) -> dict[str, int]:
    """Look up symbols in ``/proc/kallsyms``."""
    from skelgen.runtime.kernel import symbols

    try:
        table = symbols.table()
    except OSError as error:
        table = b""
        reason = f"cannot read '/proc/kallsyms': {error.strerror}"
    else:
        reason = "not in '/proc/kallsyms'"
        if symbols.hides_addresses(table):
            table = b""
            reason = (
                "'/proc/kallsyms' hides addresses from this process:"
                " it needs CAP_SYSLOG, and kernel.kptr_restrict below 2"
            )
    result: dict[str, int] = {}
    for extern in externs:
        found = symbols.addresses(table, extern.name)
        if len(found) > 1:
            listed = " and ".join(f"{address:#x}" for address in sorted(found))
            raise ExternError(
                f"extern '{extern.name}': the kernel has several symbols of that"
                f" name, at {listed}",
                extern=extern.name,
            )
        if found:
            result[extern.name] = found.pop()
        elif extern.weak:
            debug("extern '%s': %s; 0 as it is weak", extern.name, reason)
            result[extern.name] = 0
        else:
            hint = "; declare it __weak to do without" if table else ""
            missing = ExternError(
                f"extern '{extern.name}': {reason}{hint}", extern=extern.name
            )
            _add_near(missing, extern.name, symbols.names(table))
            raise missing
    return result


def _add_near(error: ExternError, name: str, names: "Iterable[str]") -> None:
    """Note what a name that is not there may stand for."""
    from skelgen.near_names import did_you_mean

    hint = did_you_mean(name, names)
    if hint:
        error.add_note(hint)


def _typed(
    extern: ExternSpec, btf: "Btf", kernel: "KernelTypes", symbols: Symbols
) -> Symbol:
    """Find a variable or function in kernel BTF, and compare types."""
    is_function = extern.kind is ExternKind.KFUNC
    kind = Kind.FUNC if is_function else Kind.VAR
    name = essential_name(extern.name) if is_function else extern.name
    found = kernel.find(name, kind)
    if found is None:
        if extern.weak:
            debug("extern '%s': not in kernel BTF; weak", extern.name)
            return Symbol()
        what = "kernel function" if is_function else "kernel variable"
        error = ExternError(
            f"extern '{extern.name}': no {what} '{name}' in the BTF of this kernel or"
            " its modules; declare it __weak to do without",
            extern=extern.name,
        )
        _add_near(error, name, kernel.vmlinux.names(kind))
        raise error
    kernel_btf, type_id, module = found
    if not _same_type(extern, btf, kernel_btf, type_id):
        if extern.weak and is_function:
            debug("extern '%s': of another type in this kernel; weak", extern.name)
            return Symbol()
        where = f"module {module.name!r}" if module else "this kernel"
        raise _other_type(extern, btf, kernel_btf, type_id, where)
    if module is None:
        return Symbol(btf_id=type_id)
    fd = module.fd.fileno()
    index = _fd_index(extern, module, symbols) if is_function else 0
    return Symbol(btf_id=type_id, module_fd=fd, fd_index=index)


def _same_type(extern: ExternSpec, btf: "Btf", kernel_btf: "Btf", type_id: int) -> bool:
    """Whether a variable's type, or a function's prototype, is what was declared."""
    local_id, target_id = extern.type_id, kernel_btf.ref(type_id)
    if extern.kind is ExternKind.KFUNC:
        local_id = btf.ref(local_id)
    else:
        local_id = skip_mods_and_typedefs(btf, local_id)
        target_id = skip_mods_and_typedefs(kernel_btf, target_id)
    try:
        return types_compatible(btf, local_id, kernel_btf, target_id)
    except (SpecError, BtfParseError) as error:
        raise ExternError(
            f"extern '{extern.name}': {error}", extern=extern.name
        ) from error


def _other_type(
    extern: ExternSpec, btf: "Btf", kernel_btf: "Btf", type_id: int, where: str
) -> ExternError:
    """Return the error about types that differ, with both declarations."""
    from skelgen.btf.decl import declaration

    error = ExternError(
        f"extern '{extern.name}': declared of another type than it has in {where}",
        extern=extern.name,
    )
    local_id = extern.type_id
    if extern.kind is ExternKind.KFUNC:
        local_id = btf.ref(local_id)
    try:
        declared = declaration(btf, local_id, extern.name)
        kernels = declaration(kernel_btf, kernel_btf.ref(type_id), extern.name)
    except BtfParseError:  # it is about types already
        return error
    error.add_note(f"declared: {declared}")
    error.add_note(f"{where}: {kernels}")
    return error


def _fd_index(extern: ExternSpec, module: "ModuleBtf", symbols: Symbols) -> int:
    """Return the place of a module's fd in ``fd_array``, where 0 means vmlinux."""
    fd = module.fd.fileno()
    if fd in symbols.fd_array[1:]:
        return symbols.fd_array.index(fd, 1)
    if not symbols.fd_array:
        symbols.fd_array.append(0)
    if len(symbols.fd_array) > _MAX_FD_INDEX:
        raise ExternError(
            f"extern '{extern.name}': from more modules than a program can name",
            extern=extern.name,
        )
    symbols.fd_array.append(fd)
    return len(symbols.fd_array) - 1
