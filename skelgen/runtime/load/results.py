"""Results of the steps of a load: one step makes each record, later ones read it."""

from __future__ import annotations

import sys

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model.flags import BPF_F_MMAPABLE
from skelgen.runtime.errors import BpfError, StateError
from skelgen.runtime.syscalls.sizes import CopySizes, sizes_of
from skelgen.runtime.undo import raise_first

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from skelgen.runtime.insns.relocate import Places, Symbol
    from skelgen.runtime.load.functions import Functions
    from skelgen.runtime.load.parts import Parts
    from skelgen.runtime.load.report import Failures
    from skelgen.runtime.load.targets import AttachTarget
    from skelgen.runtime.load.types import LoadTypes
    from skelgen.runtime.maps.request import MapRequest
    from skelgen.runtime.memory.arena import Arena
    from skelgen.runtime.programs.base import Program
    from skelgen.runtime.syscalls.fd import Fd
    from skelgen.runtime.undo import Undo


class Context(Record):
    """The object of a load, and where steps note what was made or failed."""

    parts: Parts
    programs: tuple[Program, ...]
    """All of the object."""
    types: LoadTypes
    token_fd: int
    """0 without a token."""
    failures: Failures
    undo: Undo
    """Takes back what is made, until the object owns it."""
    kept: Undo
    """Closes what programs are loaded with: fds of BTF, of modules, of the token."""


class Externals(Record):
    """Values and symbols that the kernel provides to an object."""

    kconfig: bytearray | None = None
    """The contents of ``.kconfig``."""
    symbols: Mapping[str, Symbol] = {}
    fd_array: tuple[int, ...] = ()
    """fds of the modules that have functions; the first is never used."""
    missing: Mapping[str, BpfError] = {}
    """Why symbols are not there that the load goes on without."""


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

    def with_fds(self, programs: Mapping[str, LoadedProgram]) -> bytes:
        """Return the value with programs' fds in their slots."""
        value = bytearray(self.data)
        for callback in self.callbacks:
            fd = programs[callback.program].fd.fileno().to_bytes(8, sys.byteorder)
            value[callback.offset : callback.offset + 8] = fd
        return bytes(value)


class Operations(Record):
    """The struct_ops variables of an object, and the programs that they are made of."""

    values: Mapping[str, KernelValue] = {}
    """By variable."""
    targets: Mapping[str, tuple[int, AttachTarget]] = {}
    """By program, its expected attach type and what it is loaded for."""
    users: Mapping[str, str] = {}
    """By program, the variable that names it, also where that is not made."""

    def wants(self, program: Program, failures: Failures) -> bool:
        """Whether a struct_ops program is to be loaded: if some variable uses it.

        What the C file uses and user space took out is left out without a word.
        Raises :class:`StateError` for what nothing uses.
        """
        if program.name in self.targets:
            return True
        user = self.users.get(program.name)
        if user is None and program.autoload:
            raise StateError(
                f"program '{program.name}': no struct_ops variable uses it;"
                " set its autoload to False to do without"
            )
        reason = None if user is None else failures.error("map", user)
        if reason is not None:
            raise BpfError(
                f"program '{program.name}': of no use without struct_ops '{user}'"
            ) from reason
        return False


class ObjectBtf(Record):
    """An object's BTF in the kernel, or why it is not there."""

    fd: int = 0
    """0 where there is none."""
    functions: bool = True
    """Whether it still describes functions, so that func_info makes sense."""
    refusal: str = ""
    """The kernel's complaint about BTF that it did not take."""
    func_info: Mapping[str, bytes] = {}
    """Records of programs that need others than the blueprint's, by name."""

    def note_refusal(self, error: BpfError) -> None:
        """Tell of BTF that the kernel did not take, in an error that may follow from it."""
        if self.refusal:
            error.add_note(f"the kernel did not take the object's BTF: {self.refusal}")


class MadeMap:
    """A map of this load, before its handle owns it."""

    __slots__ = ("fd", "mmapable", "pinned", "request", "reused", "unpin")

    def __init__(self, fd: Fd, wanted: MapRequest) -> None:
        self.fd = fd
        self.request = wanted
        """Its definition, as the kernel has it."""
        self.pinned: str | None = None
        """Path that keeps it."""
        self.unpin: Callable[[], None] | None = None
        """Removes the pin, if it was made for this load."""
        self.reused = False
        """Whether it was found there."""
        self.mmapable = bool(wanted.flags & BPF_F_MMAPABLE)

    @property
    def sizes(self) -> CopySizes:
        """Bytes that the kernel copies for an element."""
        return sizes_of(self.request)


class MadeMaps(Record):
    """The maps of a load, with their contents, before their handles own them."""

    by_name: dict[str, MadeMap]
    """A data section's by the section's name. Those with autocreate off are missing."""
    arenas: dict[str, Arena]
    """Those that are mapped."""
    kconfig: bytearray | None
    """The contents of ``.kconfig``."""

    def fds(self) -> dict[str, int]:
        """Return the fds by name."""
        return {name: made.fd.fileno() for name, made in self.by_name.items()}


class Prepared(Record):
    """All of a load but its programs, and what these are loaded with."""

    context: Context
    externals: Externals
    operations: Operations
    functions: Functions
    btf: ObjectBtf
    places: Places
    """Where the maps, sections and symbols are."""

    def close(self) -> None:
        """Close the fds, and raise the first failure after the last. Idempotent."""
        raise_first(self.context.kept.run())


class LoadedProgram(Record):
    """A program of this load, before its :class:`Program` owns it."""

    fd: Fd
    log: str
    """The verifier's, where one was asked for."""
