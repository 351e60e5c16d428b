"""Loading an object into the kernel: all of it or nothing, or what can be loaded.

The order is libbpf's: what this kernel provides (externs, types for CO-RE and
struct_ops), then BTF, maps, programs. Nothing belongs to the object before the last
step; whatever fails before is taken back.
"""

# pyright: reportPrivateUsage=false
# sections and handles have methods for the loader alone

import sys

from skelgen.btf.errors import BtfParseError
from skelgen.model.enums import MapType, ProgType
from skelgen.model.spec import DataKind, ExternKind, ExternLoad, KfuncCall
from skelgen.runtime import syscalls
from skelgen.runtime.bpf_token import take_token
from skelgen.runtime.btf_load import LoadedBtf, load_btf
from skelgen.runtime.errors import (
    BpfError,
    BpfOSError,
    ExternError,
    KernelBtfError,
)
from skelgen.runtime.load_maps import MadeMap, MapMaker
from skelgen.runtime.load_programs import Loaded, ProgramLoader, check_type
from skelgen.runtime.load_report import Failures, LoadReport
from skelgen.runtime.load_struct_ops import Operations
from skelgen.runtime.load_types import LoadTypes
from skelgen.runtime.relocate import MapPlace, Places, maps_of
from skelgen.runtime.undo import Undo
from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from skelgen.model.spec import ExternSpec
    from skelgen.runtime.arena import Arena
    from skelgen.runtime.attach_btf import AttachTarget
    from skelgen.runtime.externs import Symbol
    from skelgen.runtime.parts import DataMap, Parts
    from skelgen.runtime.programs.base import Program


def load(parts: "Parts", *, strict: bool = True) -> LoadReport:
    """Load an object. Raises :class:`BpfError`; then nothing is left behind.

    Where it is not ``strict``, what fails for one map or program is in the report.
    """
    if not strict:
        from skelgen.runtime import features  # noqa: PLC0415 - rare

        features.bump_memlock()
        return _Load(parts, Failures(lenient=True)).run()
    try:
        return _Load(parts, Failures(lenient=False)).run()
    except BpfOSError as error:
        if not isinstance(error, PermissionError) or not _lift_memlock():
            raise
        return _Load(parts, Failures(lenient=False)).run()


def _lift_memlock() -> bool:
    """Lift the limit of kernels before 5.11; return whether it was worth it."""
    import resource  # noqa: PLC0415 - when something failed

    from skelgen.runtime import features  # noqa: PLC0415 - likewise

    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    features.bump_memlock()
    return resource.getrlimit(resource.RLIMIT_MEMLOCK) != before


def _failed_externs(
    error: ExternError | KernelBtfError, externs: "tuple[ExternSpec, ...]"
) -> set[str]:
    """Return what an error is about: one symbol, or all that have a type."""
    if isinstance(error, ExternError):
        return {e.name for e in externs if e.name == error.extern}
    typed = {ExternKind.KSYM_VAR, ExternKind.KFUNC}
    return {e.name for e in externs if e.kind in typed}


class _Load:
    """One attempt."""

    def __init__(self, parts: "Parts", failures: Failures) -> None:
        self._parts = parts
        self._failures = failures
        self._undo = Undo()
        self._temporary = Undo()
        self._types = LoadTypes(parts)
        self._temporary.add(self._types.close)
        self._token_fd = 0
        self._operations = Operations(parts, self._types, failures)
        self._arenas: dict[str, Arena] = {}
        self._missing: dict[str, BpfError] = {}

    def run(self) -> LoadReport:
        """Do it, or take back what was done."""
        name = self._parts.spec.name
        try:
            self._load()
            self._undo.keep()
        except BtfParseError as error:
            raise BpfError(f"object '{name}': {error}") from error
        finally:
            try:
                self._undo.run()
            finally:
                self._temporary.run()
        return self._failures.report()

    def _load(self) -> None:
        parts, spec = self._parts, self._parts.spec
        if spec.byteorder != sys.byteorder:
            raise BpfError(
                f"object '{spec.name}': compiled for {spec.byteorder}-endian machines,"
                f" and this one is {sys.byteorder}-endian"
            )
        token = take_token(self._parts.options.token)
        if token is not None:
            self._temporary.add(token.close)
            self._token_fd = token.fileno()
        config = self._kconfig()
        symbols, fd_array = self._symbols()
        self._operations.prepare()
        loader = ProgramLoader(parts, self._undo, self._temporary, self._types)
        programs: list[Program] = []
        for program in self._programs():
            with self._failures.of("program", program.name):
                loader.relocate_core(program)
                programs.append(program)
        btf = self._load_btf(loader, programs)
        maker = MapMaker(
            parts,
            self._undo,
            self._failures,
            btf=btf,
            token_fd=self._token_fd,
            hash_of=lambda name, what: loader.hash(
                name, self._places_to_be(symbols), what
            ),
        )
        maker.make_all(config, self._operations.values)
        self._map_arenas(maker)
        places = self._places(maker, symbols)
        loaded: dict[str, Loaded] = {}
        for program in programs:
            target = self._operations.target(program)
            with self._failures.of("program", program.name):
                done = self._load_program(
                    loader, program, places, btf, fd_array, target
                )
                loaded[program.name] = done
                maker.bind_rodata(program.name, done.fd.fileno())
        maker.fill_program_slots(loaded)
        self._hand_over(maker, loaded, config)

    def _load_program(
        self,
        loader: ProgramLoader,
        program: "Program",
        places: Places,
        btf: LoadedBtf,
        fd_array: list[int],
        target: "AttachTarget | None",
    ) -> Loaded:
        try:
            return loader.load(program, places, btf, fd_array, target, self._token_fd)
        except BpfError as error:
            for name in maps_of(program.spec):
                reason = self._failures.error("map", name)
                if reason is not None:
                    error.add_note(f"map '{name}' was not made: {reason}")
            raise

    # -- before the kernel is asked for anything -------------------------------

    def _kconfig(self) -> bytearray | None:
        """Return the contents of ``.kconfig``."""
        for data in self._parts.data.values():
            if data.is_kconfig:
                from skelgen.runtime import kconfig  # noqa: PLC0415 - not for all

                externs = self._parts.spec.externs
                text = self._parts.options.kconfig
                with self._failures.of("map", data.spec.section):
                    return kconfig.fill(externs, text, bytes(data.spec.size))
        return None

    def _symbols(self) -> "tuple[dict[str, Symbol], list[int]]":
        """Return the kernel symbols by name, and fds of the modules they are in."""
        externs = self._parts.spec.externs
        if all(e.kind is ExternKind.KCONFIG for e in externs):
            return {}, []
        from skelgen.runtime.externs import resolve  # noqa: PLC0415 - not for all

        while True:
            try:
                spec = self._parts.spec._replace(externs=externs)
                found = resolve(spec, self._types)
            except (ExternError, KernelBtfError) as error:
                failed = _failed_externs(error, externs)
                if not self._failures.lenient or not failed:
                    raise
                self._missing.update(dict.fromkeys(failed, error))
                externs = tuple(e for e in externs if e.name not in failed)
            else:
                return found.by_name, found.fd_array

    def _check_externs(self, program: "Program") -> None:
        """Raise what :meth:`_symbols` found out about a symbol that a program uses."""
        if self._missing:
            for reloc in program.spec.relocs:
                if isinstance(reloc, ExternLoad | KfuncCall):
                    error = self._missing.get(reloc.extern)
                    if error is not None:
                        raise error

    def _programs(self) -> "list[Program]":
        """Return the programs to load."""
        result: list[Program] = []
        for program in self._parts.programs.values():
            with self._failures.of("program", program.name):
                wanted = program.autoload
                if program.type == ProgType.STRUCT_OPS:
                    wanted = self._operations.wants(program)
                if wanted:
                    check_type(program)
                    self._check_externs(program)
                    result.append(program)
        return result

    # -- in the kernel ---------------------------------------------------------

    def _load_btf(self, loader: ProgramLoader, programs: "list[Program]") -> LoadedBtf:
        spec = self._parts.spec
        if spec.btf is None:
            return LoadedBtf()
        data = self._resized(spec.view(spec.btf))
        btf = load_btf(
            loader.fit_arguments(data, programs, self._token_fd),
            f"BTF of object '{spec.name}'",
            required=bool(self._operations.values) and not self._failures.lenient,
            token_fd=self._token_fd,
        )
        if btf.fd:
            self._temporary.add(syscalls.Fd(btf.fd).close)
        return btf

    def _resized(self, data: memoryview) -> memoryview:
        """Return the object's BTF with the sizes that data sections have now."""
        sections = {
            part.spec.type_id: part.section.resized
            for part in self._parts.data.values()
        }
        changed = {key: found for key, found in sections.items() if found is not None}
        if not changed:
            return data
        from skelgen.runtime.resize import resized  # noqa: PLC0415 - rare

        return memoryview(resized(data, changed))

    def _map_arenas(self, maker: MapMaker) -> None:
        """Map arenas, which gives them an address and their initial contents."""
        for name, made in list(maker.made.items()):
            if made.request.type == MapType.ARENA:
                from skelgen.runtime.arena import map_arena  # noqa: PLC0415 - rare

                with maker.attempt(name):
                    arena = map_arena(
                        made.fd.fileno(),
                        made.request,
                        self._parts.arena,
                        reused=made.reused,
                    )
                    if arena is not None:
                        self._undo.add(arena.unmap)
                        self._arenas[name] = arena

    def _places(self, maker: MapMaker, symbols: "dict[str, Symbol]") -> Places:
        """Return where everything is that relocations name."""
        fds = {name: made.fd.fileno() for name, made in maker.made.items()}
        return self._places_of(fds, symbols)

    def _places_to_be(self, symbols: "dict[str, Symbol]") -> Places:
        """Return the same before maps are made: their fds are 0."""
        handles = self._parts.handles().items()
        fds = {name: 0 for name, handle in handles if handle.autocreate}
        return self._places_of(fds, symbols)

    def _places_of(self, fds: dict[str, int], symbols: "dict[str, Symbol]") -> Places:
        spec = self._parts.spec
        maps = {
            name: MapPlace(fds.get(name), index)
            for index, name in enumerate(self._parts.handles())
        }
        sections = {name: maps[name] for name in self._parts.data}
        for data in spec.data:
            if data.kind is DataKind.ARENA:
                arenas = [m.name for m in spec.maps if m.type == MapType.ARENA]
                sections[data.section] = maps[arenas[0]]
        externs = tuple(extern.name for extern in spec.externs)
        return Places(maps, sections, symbols, externs)

    def _hand_over(
        self,
        maker: MapMaker,
        loaded: dict[str, Loaded],
        config: bytearray | None,
    ) -> None:
        """Make the object the owner of all that was made."""
        parts = self._parts
        for name, data in parts.data.items():
            if name in maker.made:
                self._hand_over_section(data, maker.made[name], config)
        self._hand_over_arenas()
        self._operations.finish(loaded)
        for name, handle in parts.handles().items():
            made = maker.made.get(name)
            if made is None:
                reason = self._failures.error("map", name)
                handle._skip(reason)  # noqa: SLF001 - the loader's part of it
                continue
            handle._define(  # noqa: SLF001 - likewise
                max_entries=made.request.max_entries,
                value_size=made.request.value_size,
                flags=made.request.flags,
            )
            fd = made.fd.detach()
            handle._adopt(fd, pinned=made.pinned)  # noqa: SLF001 - likewise
        for program in parts.programs.values():
            if program.name in loaded:
                done = loaded[program.name]
                program.adopt(done.fd, done.log)
            else:
                program.skip(self._failures.error("program", program.name))

    def _hand_over_section(
        self, data: "DataMap", made: MadeMap, config: bytearray | None
    ) -> None:
        section, fd = data.section, made.fd.fileno()
        contents = config if data.is_kconfig else None
        if made.reused and data.spec.readonly:
            contents = bytearray(section.size)
            syscalls.map_lookup(fd, bytes(4), contents, what=f"map '{section.name}'")
        if contents is not None:
            section._fill(contents)  # noqa: SLF001 - the loader's part of it
        self._undo.add(section._disown)  # noqa: SLF001 - likewise
        section._adopt(fd, mmapable=made.mmapable)  # noqa: SLF001 - likewise

    def _hand_over_arenas(self) -> None:
        section = self._parts.arena
        for name, arena in self._arenas.items():
            if section is not None:
                memory = arena.memory(0, section.size, f"section '{section.name}'")
                self._undo.add(section._move(memory))  # noqa: SLF001 - as above
            self._parts.maps[name].arena = arena
