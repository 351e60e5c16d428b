"""struct_ops: variables of the object that become operations of the kernel.

The object declares ``struct tcp_congestion_ops`` as far as it needs it; the kernel
takes a ``struct bpf_struct_ops_tcp_congestion_ops`` with its own struct inside, where
members are found by name and functions are fds of programs.
"""

import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from skelgen.btf.names import essential_name
from skelgen.btf.resolve import size_of, skip_mods_and_typedefs
from skelgen.btf.types import FuncProto, Kind, Member, Ptr, Struct
from skelgen.model.enums import MapType
from skelgen.model.spec import MapSpec
from skelgen.runtime.attach_btf import AttachTarget
from skelgen.runtime.errors import BpfError, NotSupportedError, StateError
from skelgen.runtime.log import debug
from skelgen.runtime.maps.handle import MapHandle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skelgen.btf.parse import Btf
    from skelgen.model.spec import StructOpsSpec
    from skelgen.runtime.kernel_btf import KernelTypes
    from skelgen.runtime.links.struct_ops import StructOpsLink
    from skelgen.runtime.load_programs import Loaded

_PREFIX: Final = "bpf_struct_ops_"
BPF_F_LINK: Final = 1 << 13


class Callback(NamedTuple):
    """A program in a slot of a kernel struct."""

    program: str
    offset: int
    """Byte in the kernel's value where the program's fd goes."""
    member: int
    """Index of the member, which is the program's expected attach type."""


class KernelValue(NamedTuple):
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

    def with_fds(self, programs: "Mapping[str, Loaded]") -> bytes:
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

    def __init__(
        self, spec: "StructOpsSpec", btf: "Btf", kernel: "KernelTypes"
    ) -> None:
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

    def take(self, member: Member, image: bytearray, program: str | None) -> None:
        """Carry a member of the object's struct over."""
        size = size_of(self._btf, member.type_id)
        start = member.bit_offset // 8
        value = bytes(image[start : start + size])
        if member.name not in self._members:
            if any(value):
                raise self._error(f"this kernel has no member '{member.name}'")
            if program is not None:
                debug("%s: this kernel has no '%s'", self._what, member.name)
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


class StructOpsMap:
    """A struct_ops variable of an object, and the map that it becomes."""

    __slots__ = ("autoattach", "functions", "handle", "image", "spec", "value")

    def __init__(self, spec: "StructOpsSpec", image: memoryview) -> None:
        self.spec: Final = spec
        """The blueprint."""
        self.handle: Final = MapHandle(
            MapSpec(
                spec.name,
                MapType.STRUCT_OPS,
                key_size=4,
                max_entries=1,
                flags=BPF_F_LINK if spec.link else 0,
            ),
            autocreate=spec.autocreate,
        )
        self.image: Final = bytearray(image)
        """The variable's value, as the object declares it; settable before load."""
        self.functions: Final[dict[str, str | None]] = dict(spec.functions)
        """Program of each member, ``None`` for none; settable before load."""
        self.autoattach = True
        """Whether the object's ``attach()`` registers it."""
        self.value: bytes | None = None
        """What the kernel is given on attach; known after load."""

    def convert(self, btf: "Btf", kernel: "KernelTypes") -> KernelValue:
        """Return it as this kernel wants it.

        Raises :class:`BpfError` where the kernel has no such operations or others.
        """
        struct = btf.type(self.spec.type_id)
        if not isinstance(struct, Struct):
            raise BpfError(f"struct_ops '{self.spec.name}': its type is no struct")
        converter = _Converter(self.spec, btf, kernel)
        for member in struct.members:
            converter.take(member, self.image, self.functions.get(member.name))
        return KernelValue(
            bytes(converter.data),
            tuple(converter.callbacks),
            converter.type_id,
            converter.value_type_id,
            converter.module_fd,
        )

    def attach(self) -> "StructOpsLink":
        """Register the operations in the kernel.

        They stay registered as long as the link. Raises :class:`StateError` before
        load, :class:`BpfOSError` where the kernel refuses, e.g. a name twice.
        """
        from skelgen.runtime.links.struct_ops import (  # noqa: PLC0415 - rare
            attach_struct_ops,
        )

        fd = self.handle.fd()
        what = f"struct_ops '{self.spec.name}'"
        if self.value is None:
            raise StateError(f"{what}: not loaded; call load() first")
        return attach_struct_ops(fd, self.value, link=self.spec.link, what=what)
