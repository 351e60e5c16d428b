"""The functions of an object, fitted to the target's types, and the programs made of them."""

from __future__ import annotations

import sys

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import MapType, ProgType
from skelgen.model.linked import Linked, Linker
from skelgen.model.spec import DataKind, ExternLoad, JumpTable, KfuncCall
from skelgen.runtime.errors import BpfError, StateError
from skelgen.runtime.insns.bytecode import Bytecode
from skelgen.runtime.insns.relocate import MapPlace, Places, relocate
from skelgen.runtime.log import step

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from skelgen.btf.core.reloc import CoreRelo
    from skelgen.model.spec import ObjectSpec, Span
    from skelgen.runtime.insns.relocate import Symbol
    from skelgen.runtime.load.parts import Parts
    from skelgen.runtime.load.types import LoadTypes
    from skelgen.runtime.memory.arena import Arena
    from skelgen.runtime.programs.base import Program


class Body(Record):
    """Instructions of a function, fitted to the target's types."""

    code: bytes | bytearray | memoryview
    poisoned: Mapping[int, CoreRelo] = {}
    """CO-RE relocations that had no answer, by instruction."""


class Code(Record):
    """A program with its subprograms, fitted to the target's types but not relocated."""

    linked: Linked
    bodies: tuple[Body, ...]
    """Of the functions of ``linked``."""

    def relocated(
        self, program: str, places: Places, tables: dict[tuple[int, ...], int]
    ) -> Bytecode:
        """Return its instructions with what this kernel decides put in.

        ``program`` is its name for messages; ``tables`` has the fds of its jump tables.
        """
        joined = self.linked.join([body.code for body in self.bodies])
        code = Bytecode(joined, sys.byteorder)
        relocate(program, code, self.linked.relocs, places, tables)
        return code

    def hash(self, program: str, places: Places) -> bytes:
        """Return the hash by which the kernel will know the program."""
        from skelgen.runtime.insns.hash import program_hash

        relocs = self.linked.relocs
        tables = {reloc.targets: 0 for reloc in relocs if isinstance(reloc, JumpTable)}
        return program_hash(self.relocated(program, places, tables))

    def poisoned(self) -> dict[int, CoreRelo]:
        """Return the relocations that had no answer, by instruction of the program."""
        return {
            start + insn: relo._replace(insn=start + insn)
            for (start, _), body in zip(self.linked.functions, self.bodies, strict=True)
            for insn, relo in body.poisoned.items()
        }


class Functions:
    """Fits the functions of an object to the target's types, each of them once."""

    __slots__ = (
        "_bodies",
        "_code",
        "_linked",
        "_linker",
        "_missing",
        "_spec",
        "_types",
    )

    def __init__(
        self, spec: ObjectSpec, types: LoadTypes, missing: Mapping[str, BpfError]
    ) -> None:
        self._spec = spec
        self._types = types
        self._missing = missing
        self._linker = Linker(spec)
        self._linked: dict[str, Linked] = {}
        self._code: dict[str, Code] = {}
        self._bodies: dict[tuple[Span, Span | None], Body] = {}
        """By a function's instructions and their CO-RE relocations."""

    def linked(self, program: Program) -> Linked:
        """Return a program with the subprograms that it reaches."""
        linked = self._linked.get(program.spec.name)
        if linked is None:
            linked = self._linked[program.spec.name] = self._linker.link(program.spec)
        return linked

    def fit_program(self, program: Program) -> Code:
        """Check what a program needs of this kernel, and fit it to its types.

        Raises :class:`CoreRelocationError`, and the reason why a symbol is missing.
        """
        check_type(program)
        code = self._code.get(program.spec.name)
        if code is None:
            linked = self.linked(program)
            if self._missing:
                for reloc in linked.relocs:
                    if isinstance(reloc, ExternLoad | KfuncCall):
                        error = self._missing.get(reloc.extern)
                        if error is not None:
                            raise error
            bodies = [
                self._body(program.name, start, function.insns, function.core_relos)
                for start, function in linked.functions
            ]
            code = self._code[program.spec.name] = Code(linked, tuple(bodies))
        return code

    def _body(self, program: str, start: int, insns: Span, relos: Span | None) -> Body:
        key = insns, relos
        body = self._bodies.get(key)
        if body is None:
            body = self._bodies[key] = self._fit(program, start, insns, relos)
        return body

    def _fit(self, program: str, start: int, insns: Span, relos: Span | None) -> Body:
        view = self._spec.view
        if relos is None:
            return Body(view(insns))
        with step("program '%s'", program) as this:
            from skelgen.runtime.insns.core import relocate_core

            code = Bytecode(view(insns), sys.byteorder)
            relocator = self._types.relocator
            poisoned = relocate_core(program, view(relos), code, relocator, start)
            this.done("%d CO-RE relocations", relos.size // 16)
            return Body(code.data, poisoned)


def places_of(
    parts: Parts,
    fds: Mapping[str, int],
    arenas: Mapping[str, Arena],
    symbols: Mapping[str, Symbol],
) -> Places:
    """Return all that relocations can name, with maps and arenas that are made."""
    spec = parts.spec
    maps = {
        name: MapPlace(fds.get(name), index)
        for index, name in enumerate(parts.handles())
    }
    sections = {name: maps[name] for name in parts.data}
    for data in spec.data:
        if data.kind is DataKind.ARENA:
            name = next(m.name for m in spec.maps if m.type == MapType.ARENA)
            base = arenas[name].variables if name in arenas else 0
            sections[data.section] = maps[name]._replace(base=base)
    externs = tuple(extern.name for extern in spec.externs)
    return Places(maps, sections, symbols, externs)


# Section names that take no suffix. Old sources write SEC("xdp/foo"); libbpf 1.0
# refuses it.
_WHOLE_SECTIONS: Final = (
    *("xdp", "tc", "classifier", "action", "socket", "sockops", "sk_msg", "sk_lookup"),
    *("sk_reuseport", "sk_skb", "cgroup/skb", "cgroup/sock", "cgroup/dev"),
    *("perf_event", "flow_dissector", "lwt_in", "lwt_out", "lwt_xmit", "lwt_seg6local"),
    *("lirc_mode2", "netfilter", "syscall"),
)


def check_type(program: Program) -> None:
    """Raise :class:`StateError` for a program whose type nobody knows."""
    if program.type != ProgType.UNSPEC:
        return
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
