"""The blueprint of a BPF object: everything that depends on the file alone.

``ObjectSpec`` is where the two halves of skelgen meet. The ELF reader makes one
from a compiled object, a generated module spells one out as Python, and the
runtime loads one into the kernel. Nothing in it depends on the running kernel.

The classes are named tuples because a generated module pays for them in every
process: twenty-five frozen dataclasses cost 21 ms to define, as many named
tuples 3 ms.

Bytes (instructions, data images, BTF) live in one image, ``ObjectSpec.image``;
the other fields point into it with a :class:`Span`.
"""

from __future__ import annotations

from enum import Enum, IntEnum

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    from skelgen.model.attach import Attach
    from skelgen.model.enums import MapType, ProgType


class Span(Record):
    """A run of bytes in ``ObjectSpec.image``."""

    offset: int
    """First byte."""
    size: int
    """Length in bytes."""


class Pinning(IntEnum):
    """``enum libbpf_pin_type``: whether a map is shared under a bpffs path."""

    NONE = 0
    BY_NAME = 1


class DataKind(Enum):
    """The contents of a data section, which decide how its map is made."""

    DATA = "data"
    RODATA = "rodata"
    BSS = "bss"
    KCONFIG = "kconfig"
    ARENA = "arena"


class ExternKind(Enum):
    """How an extern is resolved when the object is loaded."""

    KCONFIG = "kconfig"
    """``__kconfig`` variable: a slot in the ``.kconfig`` map."""
    KSYM = "ksym"
    """``extern const void x __ksym``: an address from ``/proc/kallsyms``."""
    KSYM_VAR = "ksym_var"
    """``extern const T x __ksym``: a kernel variable, found in kernel BTF."""
    KFUNC = "kfunc"
    """A kernel function, found in kernel BTF."""


class KconfigType(Enum):
    """C type of a ``__kconfig`` variable, which decides how a value is read."""

    BOOL = "bool"
    TRISTATE = "tristate"
    CHAR = "char"
    INT = "int"
    STRING = "string"


class MapFd(Record):
    """``BPF_PSEUDO_MAP_FD``: a 64-bit load of a map's address."""

    insn: int
    """Index of the instruction in its function."""
    map: str
    """Name of a ``.maps`` or struct_ops map."""


class MapValue(Record):
    """``BPF_PSEUDO_MAP_VALUE``: a 64-bit load of an address in a data section."""

    insn: int
    section: str
    """ELF name of the data section, e.g. ``.rodata``; see ``DataSpec.section``."""
    offset: int
    """Byte offset in the section."""


class ExternLoad(Record):
    """A 64-bit load of the address of a ksym (``ExternKind.KSYM``, ``KSYM_VAR``)."""

    insn: int
    extern: str


class KfuncCall(Record):
    """``BPF_PSEUDO_KFUNC_CALL``, or a 64-bit load of a kfunc's address."""

    insn: int
    extern: str


class JumpTable(Record):
    """A 64-bit load of a jump table (``BPF_MAP_TYPE_INSN_ARRAY``, Linux 6.19)."""

    insn: int
    targets: tuple[int, ...]
    """Instruction indices in its function, one an entry of the table."""


class SubprogramRef(Record):
    """``BPF_PSEUDO_CALL`` or ``BPF_PSEUDO_FUNC``: a call or the address of a subprogram."""

    insn: int
    subprogram: str
    """Name of the :class:`SubprogramSpec`."""


Reloc: TypeAlias = MapFd | MapValue | ExternLoad | KfuncCall | JumpTable | SubprogramRef


class MapSpec(Record):
    """A map declared in ``.maps``; sizes in bytes."""

    name: str
    type: MapType | int
    """An ``int`` is a type newer than this skelgen."""
    key_size: int = 0
    value_size: int = 0
    max_entries: int = 0
    """As written in C: ring buffers are rounded up, and a perf event array of 0
    sized by the number of CPUs, when the object is loaded."""
    flags: int = 0
    """``map_flags``, ``BPF_F_*``."""
    numa_node: int | None = None
    map_extra: int = 0
    pinning: Pinning = Pinning.NONE
    key_type_id: int = 0
    """BTF type of the key; 0 when only the size is known."""
    value_type_id: int = 0
    inner: MapSpec | None = None
    """Template of the inner map of a map-in-map."""
    values: tuple[tuple[int, str], ...] = ()
    """Initial slots ``(index, map or program name)`` of ``__array(values, ...)``."""


class DataSpec(Record):
    """A data section, which becomes an array map of one element."""

    section: str
    """Whole ELF name, e.g. ``.data.foo``."""
    kind: DataKind
    size: int
    """Bytes in use."""
    image: Span | None = None
    """Initial contents; ``None`` for all zeros."""
    mmapable: bool = False
    """``BPF_F_MMAPABLE``: some variable is not static."""
    type_id: int = 0
    """BTF ``DATASEC``; 0 when the object has no BTF for the section."""

    @property
    def readonly(self) -> bool:
        """Whether programs cannot write it and user space only before load."""
        return self.kind in {DataKind.RODATA, DataKind.KCONFIG}


class ExternSpec(Record):
    """A symbol that the running kernel has to provide."""

    name: str
    kind: ExternKind
    weak: bool = False
    type_id: int = 0
    """BTF type of the variable, or the ``FUNC`` of a kfunc."""
    kconfig: KconfigType | None = None
    offset: int = 0
    """Byte offset in ``.kconfig``."""
    size: int = 0
    """Bytes in ``.kconfig``."""
    signed: bool = False


class StructOpsSpec(Record):
    """A struct_ops variable, which becomes a ``BPF_MAP_TYPE_STRUCT_OPS`` map."""

    name: str
    """Name of the C variable, and of the map."""
    section: str
    """``.struct_ops`` or ``.struct_ops.link``, with a ``?`` before it or not."""
    type_id: int
    """BTF struct, as the object declares it."""
    type_name: str
    """Its name, with a ``___flavor`` or not."""
    image: Span
    """Initial value."""
    functions: tuple[tuple[str, str], ...] = ()
    """Pairs of member and program, as the initializer sets them."""
    link: bool = False
    """``BPF_F_LINK``: attached through a link (Linux 6.4)."""
    autocreate: bool = True


class SubprogramSpec(Record):
    """A function that programs call; each gets a copy of it when it is loaded."""

    name: str
    """As in C, with a number behind it where another static function is called so."""
    insns: Span
    """8 bytes an instruction, in the object's byte order."""
    relocs: tuple[Reloc, ...] = ()
    """Sorted by instruction; they and the records count from the first instruction."""
    func_info: Span | None = None
    """``struct bpf_func_info`` records, 8 bytes each."""
    line_info: Span | None = None
    """``struct bpf_line_info`` records, 16 bytes each."""
    core_relos: Span | None = None
    """``struct bpf_core_relo`` records, 16 bytes each; ``insn_off`` counts
    instructions, as in the other two."""


class ProgramSpec(Record):
    """A program without its subprograms; :mod:`skelgen.model.linked` appends them."""

    name: str
    section: str
    """As written in ``SEC()``, e.g. ``tp/sched/sched_process_exec``."""
    type: ProgType | int
    """``UNSPEC`` when the section name says nothing."""
    attach: Attach
    """Where the section name says that the program attaches."""
    insns: Span
    """8 bytes an instruction, in the object's byte order."""
    attach_type: int = 0
    """``expected_attach_type``, an ``AttachType``."""
    attach_type_optional: bool = False
    """Whether 0 will do on kernels that do not know ``expected_attach_type``."""
    flags: int = 0
    """``prog_flags``: ``BPF_F_SLEEPABLE``, ``BPF_F_XDP_HAS_FRAGS``."""
    autoload: bool = True
    """False for ``SEC("?...")``."""
    relocs: tuple[Reloc, ...] = ()
    """As those of :class:`SubprogramSpec`, and so the next three."""
    func_info: Span | None = None
    line_info: Span | None = None
    core_relos: Span | None = None
    exception_callback: str = ""
    """Subprogram that ``bpf_throw()`` calls, if the program names one."""


class ObjectSpec(Record):
    """Everything that goes to the kernel, as far as the file decides it."""

    name: str
    """C identifier; its first characters prefix the kernel's names of data maps."""
    source: str
    """Base name of the object file, for messages."""
    byteorder: str
    """``"little"`` or ``"big"``, as in ``sys.byteorder``."""
    license: str
    kern_version: int | None = None
    """From a ``version`` section; ``None`` for the running kernel's."""
    maps: tuple[MapSpec, ...] = ()
    data: tuple[DataSpec, ...] = ()
    """In the order of ELF sections, ``.kconfig`` last."""
    struct_ops: tuple[StructOpsSpec, ...] = ()
    programs: tuple[ProgramSpec, ...] = ()
    """In the order of ELF sections and offsets."""
    subprograms: tuple[SubprogramSpec, ...] = ()
    """Those that a program reaches, in the order of offsets in ``.text``."""
    externs: tuple[ExternSpec, ...] = ()
    btf: Span | None = None
    """The object's own BTF, fixed up: sizes and offsets of ``DATASEC`` filled in,
    ``.ksyms`` in the form that the kernel accepts."""
    image: bytes = b""
    """The bytes that every span points into."""

    def view(self, span: Span) -> memoryview:
        """Return the bytes of a span, read-only and without a copy."""
        return memoryview(self.image)[span.offset : span.offset + span.size]
