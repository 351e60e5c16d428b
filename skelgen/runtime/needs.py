"""The needs of an object, and whether this kernel meets them, without loading it.

For a look before deployment. Types, helpers and kfuncs are tried one by one, names
are looked up; only a load can tell whether the verifier takes the programs.
"""

from __future__ import annotations

from functools import partial

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model import attach
from skelgen.model.constants import name_of
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.helpers import helper_name
from skelgen.model.linked import Linker
from skelgen.model.spec import ExternKind, ExternLoad, KfuncCall
from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.insns.bytecode import CALL, Bytecode
from skelgen.runtime.insns.core import relocate_core
from skelgen.runtime.kernel import config as kconfig
from skelgen.runtime.kernel import features, symbols
from skelgen.runtime.kernel.features import Answer
from skelgen.runtime.kernel.tracefs import Tracefs
from skelgen.runtime.load.externs import resolve
from skelgen.runtime.load.targets import find_target
from skelgen.runtime.load.types import LoadTypes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final

    from skelgen.model.spec import ExternSpec, MapSpec
    from skelgen.runtime.object.object import Object
    from skelgen.runtime.programs.base import Program


class Need(Record):
    """One thing that an object asks for."""

    kind: str
    """``map type``, ``program type``, ``attach type``, ``helper``, ``kernel function``,
    ``kernel symbol``, ``configuration``, ``kernel type``, ``target`` or ``feature``."""
    name: str
    """The kernel's name of it, e.g. ``bpf_ringbuf_output``."""
    users: tuple[str, ...]
    """Maps and programs that ask for it; none for the whole object."""
    answer: Answer
    without: str = ""
    """The fallback on a kernel that lacks it; empty when the object does not load."""

    @property
    def missing(self) -> bool:
        """Whether the object cannot be loaded or attached for the lack of it."""
        return self.answer.supported is False and not self.without


_IF_REACHED: Final = "refused only if the program can reach it"
_FALLBACKS: Final[dict[AttachType, str]] = {
    AttachType.XDP: "attached through netlink",
    AttachType.TCX_INGRESS: "attached as a filter of clsact",
    AttachType.TCX_EGRESS: "attached as a filter of clsact",
}
_PROBE_READ: Final = range(112, 116)


def needs(obj: Object) -> list[Need]:
    """Return what an opened object asks for: programs that autoload, and all maps."""
    types = LoadTypes(obj.spec, obj.parts.options.btf)
    try:
        merged: dict[Need, list[str]] = {}
        for need in _Needs(obj, types).all():
            merged.setdefault(need._replace(users=()), []).extend(need.users)
        return [need._replace(users=tuple(users)) for need, users in merged.items()]
    finally:
        types.close()


class _Needs:
    def __init__(self, obj: Object, types: LoadTypes) -> None:
        self._obj = obj
        self._spec = obj.spec
        self._types = types
        self._symbols: bytes | None = None
        self._programs = [p for p in obj.programs.values() if p.autoload]
        linker = Linker(self._spec)
        self._linked = {p.name: linker.link(p.spec) for p in self._programs}

    def all(self) -> Iterator[Need]:
        yield from self._maps()
        yield from self._types_of_programs()
        yield from self._helpers()
        yield from self._targets()
        yield from self._externs()
        for program in self._programs:
            yield from self._kernel_types(program)

    # -- maps ------------------------------------------------------------------

    def _maps(self) -> Iterator[Need]:
        users: dict[int, list[str]] = {}
        for map_ in self._spec.maps:
            inner: MapSpec | None = map_
            while inner is not None:
                users.setdefault(int(inner.type), []).append(map_.name)
                inner = inner.inner
        if self._spec.struct_ops:
            names = [ops.name for ops in self._spec.struct_ops]
            users[MapType.STRUCT_OPS] = names
        for number, names in users.items():
            answer = features.map_type(number)
            yield Need(
                "map type", name_of(number, MapType).lower(), tuple(names), answer
            )
        if self._spec.data:
            sections = tuple(data.section for data in self._spec.data)
            yield _feature(features.GLOBAL_DATA, sections)

    # -- programs --------------------------------------------------------------

    def _types_of_programs(self) -> Iterator[Need]:
        by_type: dict[int, list[str]] = {}
        by_hook: dict[int, list[str]] = {}
        for program in self._programs:
            by_type.setdefault(program.type, []).append(program.name)
            if program.attach_type and program.type != ProgType.STRUCT_OPS:
                by_hook.setdefault(program.attach_type, []).append(program.name)
        for number, names in by_type.items():
            answer = features.program_type(number)
            yield Need(
                "program type", name_of(number, ProgType).lower(), tuple(names), answer
            )
        for number, names in by_hook.items():
            answer = features.attach_type(number)
            without = _FALLBACKS.get(AttachType(number), "")
            name = name_of(number, AttachType).lower()
            yield Need("attach type", name, tuple(names), answer, without)

    def _helpers(self) -> Iterator[Need]:
        calls: dict[tuple[int, int], list[str]] = {}
        for program in self._programs:
            code = Bytecode(self._linked[program.name].code(), self._spec.byteorder)
            for number in sorted(_called(code)):
                calls.setdefault((number, program.type), []).append(program.name)
        for (number, prog_type), names in sorted(calls.items()):
            answer = features.helper(number, prog_type)
            without = _IF_REACHED
            if number in _PROBE_READ and not features.PROBE_READ_KERNEL.supported():
                without = "bpf_probe_read is called in its place"
            yield Need("helper", helper_name(number), tuple(names), answer, without)

    def _targets(self) -> Iterator[Need]:
        for program in self._programs:
            target, users = program.spec.attach, (program.name,)
            if isinstance(target, attach.Tracing) and program.attach_target:
                yield Need(
                    "target",
                    program.attach_target,
                    users,
                    _raises(partial(find_target, program, self._types)),
                )
            elif isinstance(target, attach.Tracepoint) and target.event:
                name = f"{target.category}/{target.event}"
                yield Need("target", name, users, _tracepoint(target))
            elif isinstance(target, attach.Kprobe) and target.function:
                yield Need("target", target.function, users, self._kprobe(target))

    def _kprobe(self, target: attach.Kprobe) -> Answer:
        if not features.KPROBE_PMU.supported() and not _has_kprobe_events():
            return Answer(False, "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)")
        if self._symbols is None:
            self._symbols = _symbols()
        if not self._symbols:
            return Answer(None, "cannot read '/proc/kallsyms'")
        if target.function and symbols.lists(self._symbols, target.function):
            return Answer(True)
        return Answer(False, "no such kernel function")

    # -- externs and CO-RE -----------------------------------------------------

    def _externs(self) -> Iterator[Need]:
        users_of = self._users_of_externs()
        for extern in self._spec.externs:
            is_called_by = users_of.get(extern.name, {})
            users = tuple(is_called_by)
            without = "it is weak" if extern.weak else ""
            if extern.kind is ExternKind.KCONFIG:
                answer = self._config(extern)
                yield Need("configuration", extern.name, users, answer, without)
                continue
            answer = self._symbol(extern)
            if extern.kind is not ExternKind.KFUNC:
                yield Need("kernel symbol", extern.name, users, answer, without)
                continue
            if answer:
                answer = self._callable(extern.name, is_called_by) or answer
            yield Need("kernel function", extern.name, users, answer, without)

    def _users_of_externs(self) -> dict[str, dict[str, bool]]:
        """Return by extern which programs refer to it, and whether they call it."""
        users: dict[str, dict[str, bool]] = {}
        for program in self._programs:
            for placed in self._linked[program.name].functions:
                for reloc in placed.function.relocs:
                    if isinstance(reloc, KfuncCall):
                        users.setdefault(reloc.extern, {})[program.name] = True
                    elif isinstance(reloc, ExternLoad):
                        of_it = users.setdefault(reloc.extern, {})
                        of_it.setdefault(program.name, False)
        return users

    def _config(self, extern: ExternSpec) -> Answer:
        given = self._obj.parts.options.kconfig
        image = bytes(extern.offset + extern.size)
        return _raises(partial(kconfig.fill, (extern,), given, image))

    def _symbol(self, extern: ExternSpec) -> Answer:
        alone = self._spec._replace(externs=(extern._replace(weak=False),))
        return _raises(partial(resolve, alone, self._types))

    def _callable(self, name: str, is_called_by: dict[str, bool]) -> Answer | None:
        """Return the first no of the programs that call a kfunc."""
        bare = name.partition("___")[0]
        for program in self._programs:
            if is_called_by.get(program.name):
                answer = features.kfunc(bare, program.type)
                if answer.supported is False:
                    return answer
        return None

    def _kernel_types(self, program: Program) -> Iterator[Need]:
        """Work out CO-RE and tell what of it has no answer, each once."""
        linked = self._linked[program.name]
        records = linked.core_relos
        if not records:
            return
        code = Bytecode(linked.code(), self._spec.byteorder)
        try:
            poisoned = relocate_core(program.name, records, code, self._types.relocator)
        except BpfError as error:
            yield Need("kernel type", "", (program.name,), Answer(False, str(error)))
            return
        relocator = self._types.relocator
        if relocator is None:
            return
        names = dict.fromkeys(relocator.access(relo) for relo in poisoned.values())
        for name in names:
            answer = Answer(False, "not in kernel BTF")
            yield Need("kernel type", name, (program.name,), answer, _IF_REACHED)


def _feature(feature: features.Feature, users: tuple[str, ...]) -> Need:
    return Need("feature", feature.name, users, feature.answer())


def _called(code: Bytecode) -> set[int]:
    """Return the numbers of the helpers that instructions call."""
    found: set[int] = set()
    index = 0
    while index < len(code):
        insn = code[index]
        if insn.code == CALL and insn.src == 0 and insn.imm > 0:
            found.add(insn.imm)
        index += 2 if code.is_ldimm64(index) else 1
    return found


def _raises(trial: Callable[[], object]) -> Answer:
    """Return no when a trial raises, and why; lack of rights is no answer."""
    try:
        trial()
    except BpfOSError as error:
        unclear = isinstance(error, PermissionError)
        return Answer(None if unclear else False, str(error))
    except BpfError as error:
        return Answer(False, str(error))
    return Answer(True)


def _tracepoint(target: attach.Tracepoint) -> Answer:
    try:
        with Tracefs() as fs:
            fs.event_id(target.category or "", target.event or "")
    except FileNotFoundError:
        return Answer(False, "no such tracepoint")
    except (BpfError, OSError) as error:
        return Answer(None, str(error))
    return Answer(True)


def _has_kprobe_events() -> bool:
    try:
        with Tracefs() as fs:
            fs.read("kprobe_events")
    except (BpfError, OSError):
        return False
    return True


def _symbols() -> bytes:
    try:
        return symbols.table()
    except OSError:
        return b""
