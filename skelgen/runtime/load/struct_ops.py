"""struct_ops: variables of the object as operations of this kernel.

The object declares ``struct tcp_congestion_ops`` as far as it needs it; the kernel
takes a ``struct bpf_struct_ops_tcp_congestion_ops`` with its own struct inside, where
members are found by name and functions are fds of programs.
"""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.names import essential_name
from skelgen.btf.resolve import size_of, skip_mods_and_typedefs
from skelgen.btf.types import FuncProto, Kind, Member, Ptr, Struct
from skelgen.model.enums import ProgType
from skelgen.runtime.errors import BpfError, NotSupportedError
from skelgen.runtime.load.results import Callback, KernelValue, Operations
from skelgen.runtime.load.targets import AttachTarget
from skelgen.runtime.log import step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from skelgen.btf.parse import Btf
    from skelgen.model.spec import StructOpsSpec
    from skelgen.runtime.kernel.btf import KernelTypes
    from skelgen.runtime.load.report import Failures
    from skelgen.runtime.load.results import Context, LoadedProgram, Prepared
    from skelgen.runtime.maps.struct_ops import StructOpsMap

_PREFIX: Final = "bpf_struct_ops_"


def convert_struct_ops(context: Context) -> Operations:
    """Convert the variables whose autocreate is on, and say what programs are for."""
    values: dict[str, KernelValue] = {}
    targets: dict[str, tuple[int, AttachTarget]] = {}
    users: dict[str, str] = {}
    with step("struct_ops") as this:
        for name, ops in context.parts.struct_ops.items():
            programs = (*dict(ops.spec.functions).values(), *ops.functions.values())
            users.update((program, name) for program in programs if program is not None)
            if ops.handle.autocreate:
                with context.failures.guard("map", name):
                    value = _convert(context, name, ops)
                    targets.update(_targets(context, name, value, targets))
                    values[name] = value
        this.done("%d variables fitted", len(context.parts.struct_ops))
    return Operations(values, targets, users)


def _convert(context: Context, name: str, ops: StructOpsMap) -> KernelValue:
    types = context.types
    if types.btf is None:
        raise BpfError(f"struct_ops '{name}': the object has no BTF")
    return kernel_value(ops, types.btf, types.kernel)


def _targets(
    context: Context,
    name: str,
    value: KernelValue,
    known: Mapping[str, tuple[int, AttachTarget]],
) -> dict[str, tuple[int, AttachTarget]]:
    """Return what the programs of a variable are loaded for.

    Raises :class:`BpfError` for one that is ``known`` to be for something else.
    """
    found: dict[str, tuple[int, AttachTarget]] = {}
    for callback in value.callbacks:
        program = context.parts.programs.get(callback.program)
        if program is None or program.type != ProgType.STRUCT_OPS:
            raise BpfError(
                f"struct_ops '{name}': '{callback.program}' is no struct_ops"
                " program of the object"
            )
        wanted = callback.member, AttachTarget(value.type_id, value.module_fd)
        before = known.get(callback.program, wanted)
        if found.setdefault(callback.program, before) != wanted:
            raise BpfError(
                f"struct_ops '{name}': program '{callback.program}' is used for"
                " two different operations"
            )
    return found


def finish_struct_ops(
    prepared: Prepared, loaded: Mapping[str, LoadedProgram], failures: Failures
) -> None:
    """Put the programs into the values that the kernel is given on attach."""
    struct_ops = prepared.context.parts.struct_ops
    for name, value in prepared.operations.values.items():
        if failures.error("map", name) is not None:
            continue
        with failures.guard("map", name):
            for callback in value.callbacks:
                if callback.program not in loaded:
                    raise BpfError(
                        f"struct_ops '{name}': its program '{callback.program}' was"
                        " not loaded"
                    ) from failures.error("program", callback.program)
            struct_ops[name].value = value.with_fds(loaded)
            continue
        struct_ops[name].skip(failures.error("map", name))


class _Converter:
    """Makes the kernel's value of one variable."""

    def __init__(self, spec: StructOpsSpec, btf: Btf, kernel: KernelTypes) -> None:
        self._what = f"struct_ops '{spec.name}'"
        self._btf = btf
        name = essential_name(spec.type_name)
        found = kernel.find(_PREFIX + name, Kind.STRUCT)
        if found is None:
            raise _missing(name, self._what)
        self._kernel_btf, self.value_type_id, module = found
        self.module_fd = module.fd.fileno() if module is not None else 0
        wrapper = self._kernel_btf.type(self.value_type_id)
        type_id = self._kernel_btf.find(name, Kind.STRUCT)
        inner = self._kernel_btf.type(type_id or 0)
        if not isinstance(wrapper, Struct) or not isinstance(inner, Struct):
            raise self._error(f"this kernel does not describe 'struct {name}'")
        self.type_id = inner.id
        base = [m.bit_offset // 8 for m in wrapper.members if m.type_id == inner.id]
        if not base:
            raise self._error(f"'{wrapper.name}' does not contain 'struct {name}'")
        self._base = base[0]
        self._members = {
            member.name: (index, member) for index, member in enumerate(inner.members)
        }
        self.data = bytearray(wrapper.size)
        self.callbacks: list[Callback] = []

    def _error(self, message: str) -> BpfError:
        return BpfError(f"{self._what}: {message}")

    def take(self, member: Member, image: bytes, program: str | None) -> None:
        """Carry a member of the object's struct over."""
        size = size_of(self._btf, member.type_id)
        start = member.bit_offset // 8
        value = image[start : start + size]
        if member.name not in self._members:
            if any(value) or program is not None:
                none = "0" if program is None else "None"
                raise self._error(
                    f"this kernel has no member '{member.name}'; set it to {none}"
                    " before load() to do without"
                )
            return
        index, there = self._members[member.name]
        if member.bitfield_size or there.bitfield_size:
            raise self._error(f"member '{member.name}' is a bit-field")
        ours = self._btf.type(skip_mods_and_typedefs(self._btf, member.type_id))
        kernel_id = skip_mods_and_typedefs(self._kernel_btf, there.type_id)
        theirs = self._kernel_btf.type(kernel_id)
        if type(ours) is not type(theirs):
            raise self._error(
                f"member '{member.name}' is of another kind of type in this kernel"
            )
        offset = self._base + there.bit_offset // 8
        if program is not None and not isinstance(theirs, Ptr):
            raise self._error(f"member '{member.name}' is no function")
        if isinstance(theirs, Ptr):
            self._take_function(member.name, theirs, program, offset, index)
            return
        kernel_size = size_of(self._kernel_btf, kernel_id)
        if size != kernel_size:
            raise self._error(
                f"member '{member.name}' has {size} bytes, in this kernel {kernel_size}"
            )
        self.data[offset : offset + size] = value

    def _take_function(
        self, name: str, pointer: Ptr, program: str | None, offset: int, index: int
    ) -> None:
        if program is None:
            return
        target = skip_mods_and_typedefs(self._kernel_btf, pointer.type_id)
        if not isinstance(self._kernel_btf.type(target), FuncProto):
            raise self._error(f"member '{name}' is no function in this kernel")
        self.callbacks.append(Callback(program, offset, index))


def _missing(name: str, what: str) -> NotSupportedError:
    """Return the error of operations that the kernel does not have."""
    from skelgen.model.struct_ops_types import STRUCT_OPS

    row = STRUCT_OPS.get(name)
    known = (
        f"; Linux has them since {row.since}, if it was built with {row.option}"
        if row
        else ""
    )
    return NotSupportedError(
        f"this kernel has no operations of type 'struct {name}'{known}",
        feature=f"struct_ops of type '{name}'",
        what=what,
    )


def kernel_value(ops: StructOpsMap, btf: Btf, kernel: KernelTypes) -> KernelValue:
    """Return a struct_ops variable as this kernel wants it.

    Raises :class:`BpfError` where the kernel has no such operations or others, or
    something was set that the variable does not have.
    """
    spec = ops.spec
    struct = btf.type(spec.type_id)
    if not isinstance(struct, Struct):
        raise BpfError(f"{ops.what}: its type is no struct")
    converter = _Converter(spec, btf, kernel)
    image = ops.read()
    functions = dict(ops.functions)
    for member in struct.members:
        converter.take(member, image, functions.pop(member.name, None))
    for name, program in functions.items():
        if program is not None:
            raise BpfError(f"{ops.what}: no member '{name}' to set a program to")
    return KernelValue(
        bytes(converter.data),
        tuple(converter.callbacks),
        converter.type_id,
        converter.value_type_id,
        converter.module_fd,
    )
