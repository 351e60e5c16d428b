"""The programs of one load: relocated, verified, explained when refused."""

import errno
import sys
from struct import Struct, iter_unpack
from typing import TYPE_CHECKING, Any, NamedTuple

from skelgen.btf.errors import BtfParseError
from skelgen.model.attach import Usdt
from skelgen.model.enums import AttachType, ProgType
from skelgen.model.spec import JumpTable, ProgramSpec
from skelgen.runtime import attach_btf, core_patch, prog_load, syscalls, verifier
from skelgen.runtime.attach_btf import AttachTarget
from skelgen.runtime.bytecode import Bytecode
from skelgen.runtime.core_reloc import CoreRelo, CoreRelocator
from skelgen.runtime.core_types import SpecError
from skelgen.runtime.errors import (
    BpfError,
    BpfOSError,
    CoreRelocationError,
    NotSupportedError,
    StateError,
)
from skelgen.runtime.kconfig import kernel_version
from skelgen.runtime.log import debug
from skelgen.runtime.relocate import Places, relocate

if TYPE_CHECKING:
    from skelgen.btf.parse import Btf
    from skelgen.model.spec import Span
    from skelgen.runtime.btf_load import LoadedBtf
    from skelgen.runtime.kernel_btf import KernelTypes
    from skelgen.runtime.parts import Parts
    from skelgen.runtime.programs.base import Program
    from skelgen.runtime.undo import Undo

_INSN_ARRAY = 34  # MapType.INSN_ARRAY of Linux 6.19
_INSN_ARRAY_VALUE = Struct("=IIQ")
"""``struct bpf_insn_array_value``: instruction, what the kernel made of it."""


class Loaded(NamedTuple):
    """A program of this load, before its :class:`Program` owns it."""

    fd: syscalls.Fd
    log: str
    """The verifier's, where one was asked for."""


class ProgramLoader:
    """Loads an object's programs, one after another."""

    def __init__(
        self,
        parts: "Parts",
        undo: "Undo",
        temporary: "Undo",
        kernel: "KernelTypes",
        btf: "Btf | None",
        relocator: CoreRelocator | None,
    ) -> None:
        self._parts = parts
        self._undo = undo
        self._temporary = temporary
        self._kernel = kernel
        self._btf = btf
        self._relocator = relocator
        self._codes: dict[str, Bytecode] = {}
        self._poisoned: dict[str, dict[int, CoreRelo]] = {}
        self._kern_version = 0

    def _bytes(self, span: "Span | None") -> bytes:
        return b"" if span is None else bytes(self._parts.spec.view(span))

    # -- CO-RE -----------------------------------------------------------------

    def relocate_core(self, program: "Program") -> None:
        """Copy a program's instructions and fit them to the target's types.

        Raises :class:`CoreRelocationError`.
        """
        spec = program.spec
        code = Bytecode(self._parts.spec.view(spec.insns), sys.byteorder)
        self._codes[program.name] = code
        poisoned = self._poisoned[program.name] = {}
        for relo in self._core_relos(spec):
            relocator = self._relocator
            if relocator is None:
                raise BpfError(
                    f"program '{program.name}': has CO-RE relocations, and the object"
                    " no BTF"
                )
            try:
                if core_patch.patch(code, relo.insn, relocator.value(relo)):
                    poisoned[relo.insn] = relo
            except SpecError as error:
                access = relocator.access(relo)
                raise CoreRelocationError(
                    f"{program.name} insn {relo.insn}: {access}: {error}",
                    program=program.name,
                    insn=relo.insn,
                    access=access,
                ) from error

    def _core_relos(self, spec: ProgramSpec) -> list[CoreRelo]:
        btf = self._btf
        relos: list[CoreRelo] = []
        try:
            for insn, type_id, access, kind in iter_unpack(
                "=4I", self._bytes(spec.core_relos)
            ):
                text = "" if btf is None else btf.string(access)
                relos.append(CoreRelo(insn, type_id, text, kind))
        except BtfParseError as error:
            raise BpfError(f"program '{spec.name}': CO-RE records: {error}") from error
        return relos

    # -- loading ---------------------------------------------------------------

    def load(
        self,
        program: "Program",
        places: Places,
        btf: "LoadedBtf",
        fd_array: list[int],
        target: AttachTarget | None,
        token_fd: int,
    ) -> Loaded:
        """Load one program. Raises :class:`VerifierError` and its like."""
        spec = program.spec
        code = self._codes[program.name]
        relocate(
            program.name,
            code,
            spec.relocs,
            places,
            self._jump_tables(spec, token_fd),
        )
        if target is None:
            target = self._target(program)
        request: dict[str, Any] = {
            "type": program.type,
            "insns": code.data,
            "license": self._parts.spec.license,
            "name": program.name,
            "attach_type": program.attach_type,
            "flags": program.flags,
            "kern_version": self._version(),
            "log_level": program.log_level or self._parts.options.log_level,
            "prog_btf_fd": 0,
            "func_info": b"",
            "line_info": b"",
            "attach_btf_id": target.btf_id,
            "attach_prog_fd": target.prog_fd,
            "attach_btf_obj_fd": target.btf_obj_fd,
            "fd_array": fd_array,
            "token_fd": token_fd,
            "what": program.what,
        }
        if btf.fd and btf.functions:
            request.update(
                prog_btf_fd=btf.fd,
                func_info=self._bytes(spec.func_info),
                line_info=self._bytes(spec.line_info),
            )
        try:
            fd, log = prog_load.load(
                request, optional_attach_type=spec.attach_type_optional
            )
        except prog_load.Refused as refused:
            error = self._explain(program, refused)
            if btf.refusal:
                error.add_note(
                    f"the kernel did not take the object's BTF: {btf.refusal}"
                )
            raise error from error.__cause__
        loaded = Loaded(syscalls.Fd(fd), log)
        self._undo.add(loaded.fd.close)
        debug("program '%s': loaded, fd %d", program.name, fd)
        return loaded

    def _version(self) -> int:
        if not self._kern_version:
            self._kern_version = self._parts.spec.kern_version or kernel_version()
        return self._kern_version

    def _target(self, program: "Program") -> AttachTarget:
        if isinstance(program.spec.attach, Usdt):
            from skelgen.runtime import features  # noqa: PLC0415 - USDT alone

            if features.UPROBE_MULTI_LINK.supported():
                program.attach_type = AttachType.TRACE_UPROBE_MULTI
        if attach_btf.has_target(program):
            return attach_btf.find_target(program, self._kernel)
        return AttachTarget()

    def _jump_tables(
        self, spec: ProgramSpec, token_fd: int
    ) -> dict[tuple[int, ...], int]:
        """Make the maps of a program's jump tables; return their fds by contents."""
        tables: dict[tuple[int, ...], int] = {}
        for reloc in spec.relocs:
            if isinstance(reloc, JumpTable) and reloc.targets not in tables:
                tables[reloc.targets] = self._jump_table(
                    reloc.targets, f"program '{spec.name}': jump table", token_fd
                )
        return tables

    def _jump_table(self, targets: tuple[int, ...], what: str, token_fd: int) -> int:
        """Make a map of instructions, which the program keeps once it is loaded."""
        try:
            fd = syscalls.map_create(
                type=_INSN_ARRAY,
                key_size=4,
                value_size=_INSN_ARRAY_VALUE.size,
                max_entries=len(targets),
                name=".jumptables",
                token_fd=token_fd,
                what=what,
            )
        except BpfOSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise NotSupportedError(
                "this kernel has no jump tables; compile with -fno-jump-tables",
                feature="BPF_MAP_TYPE_INSN_ARRAY",
                since="6.19",
                what=what,
            ) from error
        self._temporary.add(syscalls.Fd(fd).close)
        for index, insn in enumerate(targets):
            value = _INSN_ARRAY_VALUE.pack(insn, 0, 0)
            syscalls.map_update(fd, index.to_bytes(4, sys.byteorder), value, what=what)
        syscalls.map_freeze(fd, what=what)
        return fd

    # -- explaining ------------------------------------------------------------

    def _explain(self, program: "Program", refused: prog_load.Refused) -> BpfError:
        """Return the error that says most about a refused program."""
        error, log = refused.error, refused.log
        if not log.strip():
            return prog_load.without_log(error, program.what, program.type)
        marker = verifier.find_marker(log)
        reason = None if marker is None else self._reason(program, marker)
        insn = verifier.failing_insn(log)
        source = None
        if insn is not None and self._btf is not None:
            info = self._bytes(program.spec.line_info)
            source = verifier.source_line(info, self._btf, insn)
        verdict = verifier.verifier_error(
            error.errno or 0, program.name, log, source, reason
        )
        if marker is not None and verifier.is_poison(marker.number):
            relo = self._poisoned[program.name].get(marker.insn)
            if relo is not None and self._relocator is not None:
                access = self._relocator.access(relo)
                missing = CoreRelocationError(
                    f"{program.name} insn {relo.insn}: {reason}",
                    program=program.name,
                    insn=relo.insn,
                    access=access,
                )
                if source is not None:
                    missing.add_note(f"at {source}")
                missing.__cause__ = verdict
                return missing
        return verdict

    def _reason(self, program: "Program", marker: verifier.Marker) -> str | None:
        """Return what a helper that does not exist stands for."""
        if verifier.is_poison(marker.number):
            relo = self._poisoned[program.name].get(marker.insn)
            if relo is None or self._relocator is None:
                return "a CO-RE relocation has no answer in the target's BTF"
            access = self._relocator.access(relo)
            where = "the BTF file" if self._parts.options.btf else "kernel BTF"
            return f"{access} not in {where}"
        number = verifier.missing_extern(marker.number)
        externs = self._parts.spec.externs
        if number is not None and number < len(externs):
            return (
                f"kernel function '{externs[number].name}' is called, and this kernel"
                " does not have it"
            )
        number = verifier.missing_map(marker.number)
        names = list(self._parts.handles())
        if number is not None and number < len(names):
            return f"map '{names[number]}' is used, and was not made"
        return None


def check_type(program: "Program") -> None:
    """Raise :class:`StateError` for a program whose type nobody knows."""
    if program.type == ProgType.UNSPEC:
        raise StateError(
            f"program '{program.name}': SEC(\"{program.spec.section}\") does not tell its"
            " type; set program.type before load()"
        )
