"""struct_ops: variables of the object as operations of this kernel.

The object declares ``struct tcp_congestion_ops`` as far as it needs it; the kernel
takes a ``struct bpf_struct_ops_tcp_congestion_ops`` with its own struct inside, where
members are found by name and functions are fds of programs.
"""

from __future__ import annotations

import sys

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.btf.names import essential_name
from skelgen.btf.resolve import size_of, skip_mods_and_typedefs
from skelgen.btf.types import FuncProto, Kind, Member, Ptr, Struct
from skelgen.runtime.errors import BpfError, NotSupportedError
from skelgen.runtime.load.targets import AttachTarget

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from skelgen.btf.parse import Btf
    from skelgen.model.spec import StructOpsSpec
    from skelgen.runtime.kernel.btf import KernelTypes
    from skelgen.runtime.load.programs import Loaded
    from skelgen.runtime.maps.struct_ops import StructOpsMap

_PREFIX: Final = "bpf_struct_ops_"


class Callback(Record):
    """A program in a slot of a kernel struct."""

    program: str
    offset: int
    """Byte in the kernel's value where the program's fd goes."""
    member: int
    """Index of the member, which is the program's expected attach type."""


class KernelValue(Record):
    """A struct_ops variable as this kernel wants it."""

    data: bytes
    """The kernel's struct around its own, without fds."""
    callbacks: tuple[Callback, ...]
    type_id: int
    """Kernel BTF id of the struct in it, which programs are loaded for."""
    value_type_id: int
    """Kernel BTF id of the whole."""
    module_fd: int
    """BTF of the module that has them; 0 for vmlinux."""

    def with_fds(self, programs: Mapping[str, Loaded]) -> bytes:
        """Return the value with programs' fds in their slots."""
        value = bytearray(self.data)
        for callback in self.callbacks:
            fd = programs[callback.program].fd.fileno().to_bytes(8, sys.byteorder)
            value[callback.offset : callback.offset + 8] = fd
        return bytes(value)

    def target(self) -> AttachTarget:
        """Return what its programs are loaded for."""
        return AttachTarget(self.type_id, self.module_fd)


class _Converter:
    """Makes the kernel's value of one variable."""

    def __init__(self, spec: StructOpsSpec, btf: Btf, kernel: KernelTypes) -> None:
        self._what = f"struct_ops '{spec.name}'"
        self._btf = btf
        name = essential_name(spec.type_name)
        found = kernel.find(_PREFIX + name, Kind.STRUCT)
        if found is None:
            raise NotSupportedError(
                f"this kernel has no operations of type 'struct {name}'",
                feature=f"struct_ops of type '{name}'",
                what=self._what,
            )
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
