"""The programs of one load: fitted, relocated, verified, explained when refused."""

from __future__ import annotations

import errno
from functools import partial

from skelgen._typing import TYPE_CHECKING
from skelgen.model.attach import Tracing, TracingMulti, Usdt
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.spec import DataKind, JumpTable, MapValue
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.insns.relocate import maps_of
from skelgen.runtime.load.program import Refused, load_program
from skelgen.runtime.load.results import LoadedProgram
from skelgen.runtime.log import debug, step
from skelgen.runtime.syscalls.sizes import sizes_of
from skelgen.runtime.undo import Undo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skelgen.model.spec import ObjectSpec
    from skelgen.runtime.load.functions import Code, Functions
    from skelgen.runtime.load.report import Failures
    from skelgen.runtime.load.results import Context, Operations, Prepared
    from skelgen.runtime.load.targets import AttachTarget
    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.programs.base import Program
    from skelgen.runtime.programs.request import ProgramRequest


def fit_programs(
    context: Context, functions: Functions, operations: Operations, failures: Failures
) -> dict[str, Code]:
    """Fit the programs that are to be loaded by what is set now."""
    fitted: dict[str, Code] = {}
    for program in context.programs:
        if failures.error("program", program.name) is not None:
            continue
        with failures.guard("program", program.name):
            wanted = program.autoload
            if program.type == ProgType.STRUCT_OPS:
                wanted = operations.wants(program, failures)
            if wanted:
                fitted[program.name] = functions.fit_program(program)
    return fitted


def load_programs(
    prepared: Prepared, fitted: Mapping[str, Code], failures: Failures, undo: Undo
) -> dict[str, LoadedProgram]:
    """Load the programs that fit, and fill the slots that they go to."""
    context = prepared.context
    loaded: dict[str, LoadedProgram] = {}
    for program in context.programs:
        code = fitted.get(program.name)
        if code is not None:
            with failures.guard("program", program.name):
                loaded[program.name] = load_fitted(
                    prepared, program, code, failures, undo
                )
    for name, handle in context.parts.maps.items():
        if handle.spec.values and handle.type == MapType.PROG_ARRAY:
            with step("map '%s'", name) as this:
                _fill_slots(name, handle, prepared, loaded, failures, undo)
                this.done("programs put in")
    return loaded


def load_fitted(
    prepared: Prepared, program: Program, code: Code, failures: Failures, undo: Undo
) -> LoadedProgram:
    """Load a program that was fitted. Raises :class:`VerifierError` and its like."""
    try:
        done = _load(prepared, program, code)
    except BpfError as error:
        for name in maps_of(code.linked.relocs):
            reason = failures.error("map", name)
            if reason is not None:
                error.add_note(f"map '{name}' was not made: {reason}")
        raise
    undo.add(done.fd.close)
    _bind_rodata(prepared, program, done.fd.fileno())
    return done


def hand_over_programs(
    prepared: Prepared, loaded: Mapping[str, LoadedProgram], failures: Failures
) -> None:
    """Make the object the owner of what was loaded."""
    if prepared.operations.values:
        from skelgen.runtime.load.struct_ops import finish_struct_ops

        finish_struct_ops(prepared, loaded, failures)
    for program in prepared.context.programs:
        done = loaded.get(program.name)
        if done is None:
            program.skip(failures.error("program", program.name))
        else:
            program.adopt(done.fd, done.log)


# -- one program ---------------------------------------------------------------


def _load(prepared: Prepared, program: Program, code: Code) -> LoadedProgram:
    """Relocate a program, and have the kernel verify it."""
    tables = Undo()
    with step("program '%s'", program.name) as this:
        try:
            made = _jump_tables(prepared, program, code, tables)
            insns = code.relocated(program.name, prepared.places, made).data
            request = _request(prepared, program, code, insns)
            try:
                fd, log = load_program(request)
            except Refused as refused:
                error = _explained(prepared, program, code, refused)
                raise error from error.__cause__
        finally:
            tables.run()
        this.done("loaded, fd %d, %d instructions", fd, len(insns) // 8)
    return LoadedProgram(syscalls.Fd(fd), log)


def _jump_tables(
    prepared: Prepared, program: Program, code: Code, made: Undo
) -> dict[tuple[int, ...], int]:
    relocs = code.linked.relocs
    if not any(isinstance(reloc, JumpTable) for reloc in relocs):
        return {}
    from skelgen.runtime.load.jump_tables import make_jump_tables

    token_fd = prepared.context.token_fd
    return make_jump_tables(program.name, relocs, made, token_fd)


def _request(
    prepared: Prepared, program: Program, code: Code, insns: bytearray
) -> ProgramRequest:
    """Return what to ask the kernel for."""
    context, btf, linked = prepared.context, prepared.btf, code.linked
    target = _target(prepared, program)  # which may change the attach type
    asked = program.request(insns)
    request = asked._replace(
        license=context.parts.spec.license,
        kern_version=_kern_version(context.parts.spec, asked.type),
        log_level=asked.log_level or context.parts.options.log_level,
        fd_array=prepared.externals.fd_array,
        token_fd=context.token_fd,
    )
    if target is not None:
        request = request._replace(
            attach_btf_id=target.btf_id,
            attach_prog_fd=target.prog_fd,
            attach_btf_obj_fd=target.btf_obj_fd,
        )
    if btf.fd and btf.functions:
        request = request._replace(
            prog_btf_fd=btf.fd,
            func_info=btf.func_info.get(program.spec.name, linked.func_info),
            line_info=linked.line_info,
        )
    return request


def _target(prepared: Prepared, program: Program) -> AttachTarget | None:
    """Return what a program is loaded for, and set an attach type that depends on it."""
    operation = prepared.operations.targets.get(program.spec.name)
    if operation is not None:
        program.attach_type, target = operation
        return target
    attach = program.spec.attach
    if isinstance(attach, Usdt):
        from skelgen.runtime.kernel import features

        if features.UPROBE_MULTI_LINK.supported():
            program.attach_type = AttachType.TRACE_UPROBE_MULTI
    if isinstance(attach, Tracing | TracingMulti) or program.attach_target is not None:
        from skelgen.runtime.load.targets import find_target

        return find_target(program, prepared.context.types)
    return None


def _kern_version(spec: ObjectSpec, program_type: int) -> int:
    """Return the version that kernels before 5.0 want of kprobes to match."""
    if spec.kern_version or program_type != ProgType.KPROBE:
        return spec.kern_version or 0
    from skelgen.runtime.kernel.version import kernel_version

    return kernel_version()


def _explained(
    prepared: Prepared, program: Program, code: Code, refused: Refused
) -> BpfError:
    """Return the error about a refused program."""
    uses_globals = any(isinstance(reloc, MapValue) for reloc in code.linked.relocs)
    if refused.error.errno == errno.EINVAL and uses_globals:
        from skelgen.runtime.kernel import features

        features.GLOBAL_DATA.require(program.what)
    from skelgen.runtime.load.explain import explain

    context = prepared.context
    error = explain(context.parts, context.types, program, code, refused)
    if refused.hint:
        error.add_note(refused.hint)
    prepared.btf.note_refusal(error)
    return error


def _bind_rodata(prepared: Prepared, program: Program, fd: int) -> None:
    """Keep read-only data alive and listed with a program, as libbpf does."""
    for name, data in prepared.context.parts.data.items():
        map_fd = prepared.places.maps[name].fd
        if data.spec.kind is DataKind.RODATA and map_fd is not None:
            try:
                syscalls.prog_bind_map(fd, map_fd, what=program.what)
            except BpfOSError as error:  # needs Linux 5.10; loading works without
                debug("%s", error)
                return


# -- slots ---------------------------------------------------------------------


def _fill_slots(
    name: str,
    handle: MapHandle,
    prepared: Prepared,
    loaded: Mapping[str, LoadedProgram],
    failures: Failures,
    undo: Undo,
) -> None:
    """Put programs into an array of programs whose declaration names them.

    A slot of a program that was not loaded stays empty, where libbpf fails: a tail
    call there falls through. Who turns a program off, or loads in part, has said
    that it does without.
    """
    from skelgen.runtime.load.slots import fill_slot

    fd = prepared.places.maps[name].fd
    sizes = sizes_of(handle.request(name))
    for index, program in handle.spec.values:
        if program not in loaded:
            debug("map '%s': slot %d: '%s' was not loaded", name, index, program)
        elif fd is not None:
            with failures.guard("map", name):
                value, what = loaded[program].fd.fileno(), f"program '{program}'"
                key = fill_slot(name, sizes, fd, index, value, what)
                undo.add(partial(syscalls.map_delete, fd, key, sizes=sizes))
