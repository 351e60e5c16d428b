"""The programs of one load: relocated, verified, explained when refused."""

from __future__ import annotations

import errno
import sys
from struct import Struct

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model.attach import Tracing, TracingMulti, Usdt
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.linked import Linked, Linker
from skelgen.model.spec import JumpTable, MapValue
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError, NotSupportedError, StateError
from skelgen.runtime.insns.bytecode import Bytecode
from skelgen.runtime.insns.relocate import Places, relocate
from skelgen.runtime.kernel.names import kernel_name
from skelgen.runtime.load import program as prog_load
from skelgen.runtime.log import step
from skelgen.runtime.syscalls.sizes import CopySizes
from skelgen.runtime.undo import Undo

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

    from skelgen.btf.core.reloc import CoreRelo
    from skelgen.model.spec import Reloc, Span
    from skelgen.runtime.load.btf import LoadedBtf
    from skelgen.runtime.load.parts import Parts
    from skelgen.runtime.load.targets import AttachTarget
    from skelgen.runtime.load.types import LoadTypes
    from skelgen.runtime.programs.base import Program

_ARG_CTX = b"\0arg:ctx\0"
"""The tag among the strings of BTF."""
_INSN_ARRAY_VALUE = Struct("=IIQ")
"""``struct bpf_insn_array_value``: instruction, what the kernel made of it."""


class Loaded(Record):
    """A program of this load, before its :class:`Program` owns it."""

    fd: syscalls.Fd
    log: str
    """The verifier's, where one was asked for."""


class _Body(Record):
    """Instructions of a function, fitted to the target's types."""

    code: bytes | bytearray | memoryview
    poisoned: dict[int, CoreRelo]
    """CO-RE relocations that had no answer, by instruction."""


class ProgramLoader:
    """Loads an object's programs, one after another."""

    def __init__(
        self,
        parts: Parts,
        types: LoadTypes,
    ) -> None:
        self._parts = parts
        self._types = types
        self._linker = Linker(parts.spec)
        self._linked: dict[str, Linked] = {}
        self._bodies: dict[tuple[Span, Span | None], _Body] = {}
        """Each function once, by its instructions and their CO-RE relocations."""
        self._func_info: dict[str, bytes] = {}

    def linked(self, program: Program) -> Linked:
        """Return a program with the subprograms that it reaches."""
        linked = self._linked.get(program.spec.name)
        if linked is None:
            linked = self._linked[program.spec.name] = self._linker.link(program.spec)
        return linked

    def relocate_core(self, program: Program) -> None:
        """Fit the functions of a program to the target's types, each of them once.

        Raises :class:`CoreRelocationError`.
        """
        for start, function in self.linked(program).functions:
            key = function.insns, function.core_relos
            if key not in self._bodies:
                self._bodies[key] = self._fit(program.name, start, *key)

    def _fit(self, program: str, start: int, insns: Span, relos: Span | None) -> _Body:
        view = self._parts.spec.view
        if relos is None:
            return _Body(view(insns), {})
        with step("program '%s'", program) as this:
            from skelgen.runtime.insns.core import relocate_core

            code = Bytecode(view(insns), sys.byteorder)
            poisoned = relocate_core(
                program, view(relos), code, self._types.relocator, start
            )
            this.done("%d CO-RE relocations", relos.size // 16)
            return _Body(code.data, poisoned)

    def _joined(self, name: str) -> bytearray:
        linked = self._linked[name]
        return linked.join(
            [
                self._bodies[function.insns, function.core_relos].code
                for _, function in linked.functions
            ]
        )

    def _poisoned(self, name: str) -> dict[int, CoreRelo]:
        """Return the relocations that had no answer, by instruction of the program."""
        found: dict[int, CoreRelo] = {}
        for start, function in self._linked[name].functions:
            body = self._bodies[function.insns, function.core_relos]
            for insn, relo in body.poisoned.items():
                found[start + insn] = relo._replace(insn=start + insn)
        return found

    def hash(self, name: str, places: Places, what: str) -> bytes:
        """Return the hash by which the kernel will know a program.

        ``what`` wants to know it, after :meth:`relocate_core`. Raises BpfError for a
        program that is not loaded.
        """
        from skelgen.runtime.insns.hash import program_hash

        if name not in self._linked:
            if name in self._parts.programs:
                raise BpfError(
                    f"{what}: exclusive_program: no program '{name}' is loaded; set its"
                    " autoload"
                )
            from skelgen.near_names import or_near

            text = f"{what}: exclusive_program: the object has no program '{name}'"
            raise BpfError(or_near(text, name, self._parts.programs))
        code = Bytecode(self._joined(name), sys.byteorder)
        relocs = self._linked[name].relocs
        tables = {reloc.targets: 0 for reloc in relocs if isinstance(reloc, JumpTable)}
        relocate(name, code, relocs, places, tables)
        return program_hash(code)

    def fit_arguments(self, data: memoryview, token_fd: int) -> memoryview:
        """Return the object's BTF as this kernel finds contexts in arguments."""
        if _ARG_CTX not in bytes(data):  # in hardly any object
            return data
        from skelgen.runtime.kernel import features

        if features.ARG_CTX_TAG.supported(token_fd) is not False:
            return data
        from skelgen.runtime.load.context_args import CtxArgs

        arguments = CtxArgs(data)
        for program in self._parts.programs.values():
            func_info = self.linked(program).func_info
            if func_info:
                self._func_info[program.name] = arguments.apply(
                    program.name, program.type, func_info
                )
        return memoryview(arguments.data)

    # -- loading ---------------------------------------------------------------

    def load(
        self,
        program: Program,
        places: Places,
        btf: LoadedBtf,
        fd_array: list[int],
        target: AttachTarget | None,
        token_fd: int,
    ) -> Loaded:
        """Load one program. Raises :class:`VerifierError` and its like."""
        tables = Undo()
        with step("program '%s'", program.name) as this:
            try:
                relocs = self._linked[program.spec.name].relocs
                code = Bytecode(self._joined(program.spec.name), sys.byteorder)
                made = self._jump_tables(program.name, relocs, tables, token_fd)
                relocate(program.name, code, relocs, places, made)
                done = self._load(program, code, btf, fd_array, target, token_fd)
            finally:
                tables.run()
            size = len(code.data) // 8
            this.done("loaded, fd %d, %d instructions", done.fd.fileno(), size)
        return done

    def _load(
        self,
        program: Program,
        code: Bytecode,
        btf: LoadedBtf,
        fd_array: list[int],
        target: AttachTarget | None,
        token_fd: int,
    ) -> Loaded:
        spec = program.spec
        linked = self._linked[spec.name]
        if target is None:
            target = self._target(program)
        request: dict[str, Any] = {
            "type": program.type,
            "insns": code.data,
            "license": self._parts.spec.license,
            "name": kernel_name(program.name),
            "attach_type": program.attach_type,
            "flags": program.flags,
            "kern_version": self._kern_version(program),
            "log_level": program.log_level or self._parts.options.log_level,
            "ifindex": program.ifindex,
            "prog_btf_fd": 0,
            "func_info": b"",
            "line_info": b"",
            "attach_btf_id": target.btf_id if target else 0,
            "attach_prog_fd": target.prog_fd if target else 0,
            "attach_btf_obj_fd": target.btf_obj_fd if target else 0,
            "fd_array": fd_array,
            "token_fd": token_fd,
            "what": program.what,
        }
        if btf.fd and btf.functions:
            request.update(
                prog_btf_fd=btf.fd,
                func_info=self._func_info.get(spec.name, linked.func_info),
                line_info=linked.line_info,
            )
        try:
            fd, log = prog_load.load(
                request,
                optional_attach_type=spec.attach_type_optional,
                log_size=program.log_size,
            )
        except prog_load.Refused as refused:
            if refused.error.errno == errno.EINVAL and any(
                isinstance(reloc, MapValue) for reloc in linked.relocs
            ):
                from skelgen.runtime.kernel import features

                features.GLOBAL_DATA.require(program.what)
            from skelgen.runtime.load.explain import explain

            poisoned = self._poisoned(spec.name)
            error = explain(
                self._parts, self._types, program, linked, refused, poisoned, request
            )
            if refused.hint:
                error.add_note(refused.hint)
            if btf.refusal:
                error.add_note(
                    f"the kernel did not take the object's BTF: {btf.refusal}"
                )
            raise error from error.__cause__
        return Loaded(syscalls.Fd(fd), log)

    def _kern_version(self, program: Program) -> int:
        """Return the version that kernels before 5.0 want of kprobes to match."""
        written = self._parts.spec.kern_version
        if written or program.type != ProgType.KPROBE:
            return written or 0
        from skelgen.runtime.kernel.version import kernel_version

        return kernel_version()

    def _target(self, program: Program) -> AttachTarget | None:
        if isinstance(program.spec.attach, Usdt):
            from skelgen.runtime.kernel import features

            if features.UPROBE_MULTI_LINK.supported():
                program.attach_type = AttachType.TRACE_UPROBE_MULTI
        if (
            isinstance(program.spec.attach, Tracing | TracingMulti)
            or program.attach_target is not None
        ):
            from skelgen.runtime.load.targets import find_target

            return find_target(program, self._types)
        return None

    def _jump_tables(
        self, program: str, relocs: Iterable[Reloc], made: Undo, token_fd: int
    ) -> dict[tuple[int, ...], int]:
        """Make the maps of a program's jump tables; return their fds by contents.

        ``made`` gets what closes them: the program keeps them.
        """
        tables: dict[tuple[int, ...], int] = {}
        for reloc in relocs:
            if isinstance(reloc, JumpTable) and reloc.targets not in tables:
                what = f"program '{program}': jump table"
                fd = self._jump_table(reloc.targets, made, what, token_fd)
                tables[reloc.targets] = fd
        return tables

    def _jump_table(
        self, targets: tuple[int, ...], made: Undo, what: str, token_fd: int
    ) -> int:
        """Make a map of instructions, which the program keeps once it is loaded."""
        try:
            fd = syscalls.map_create(
                type=MapType.INSN_ARRAY,
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
        made.add(syscalls.Fd(fd).close)
        sizes = CopySizes(MapType.INSN_ARRAY, 4, _INSN_ARRAY_VALUE.size)
        for index, insn in enumerate(targets):
            key = index.to_bytes(4, sys.byteorder)
            value = _INSN_ARRAY_VALUE.pack(insn, 0, 0)
            syscalls.map_update(fd, key, value, what=what, sizes=sizes)
        syscalls.map_freeze(fd, what=what)
        return fd


# Sections after which old sources have a name or text, which libbpf 1.0 stopped taking.
_WHOLE_SECTIONS: Final = (
    *("xdp", "tc", "classifier", "action", "socket", "sockops", "sk_msg", "sk_lookup"),
    *("sk_reuseport", "sk_skb", "cgroup/skb", "cgroup/sock", "cgroup/dev"),
    *("perf_event", "flow_dissector", "lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local"),
    *("lirc_mode2", "netfilter", "syscall"),
)


def check_type(program: Program) -> None:
    """Raise :class:`StateError` for a program whose type nobody knows."""
    if program.type == ProgType.UNSPEC:
        section = program.spec.section.removeprefix("?")
        error = StateError(
            f"program '{program.name}': SEC(\"{program.spec.section}\") does not tell its"
            " type; name one in C, or set program.type before load()"
        )
        for known in _WHOLE_SECTIONS:
            more = section.removeprefix(known)
            if more and more != section and not more[0].isalnum():
                error.add_note(f'SEC("{known}") would; no more may follow it')
                break
        raise error
