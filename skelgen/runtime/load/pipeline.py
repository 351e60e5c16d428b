"""Loading an object into the kernel: all of it or nothing, or what can be loaded.

The order is libbpf's, in two halves. :class:`Prepared` is the first: what this kernel
provides (externs, types for CO-RE and struct_ops), then BTF and maps. The programs are
the second, and may come later. Nothing belongs to the object before the end of a load,
or of its first half if that is asked for alone; whatever fails before is taken back.
"""

# pyright: reportPrivateUsage=false
# handles have methods for the loader alone

import sys

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.btf.errors import BtfParseError
from skelgen.model.enums import MapType, ProgType
from skelgen.model.spec import DataKind, ExternKind, ExternLoad, KfuncCall
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError, ExternError, KernelBtfError
from skelgen.runtime.insns.relocate import MapPlace, Places, maps_of
from skelgen.runtime.load.btf import LoadedBtf, load_btf
from skelgen.runtime.load.maps import MapMaker, fill_slot
from skelgen.runtime.load.programs import Loaded, ProgramLoader, check_type
from skelgen.runtime.load.report import Failures, LoadReport
from skelgen.runtime.load.struct_ops_load import Operations
from skelgen.runtime.load.token import take_token
from skelgen.runtime.load.types import LoadTypes
from skelgen.runtime.log import debug, step
from skelgen.runtime.syscalls.sizes import sizes_of
from skelgen.runtime.undo import Attempt, Undo, raise_first

if TYPE_CHECKING:
    from collections.abc import Callable

    from skelgen.model.spec import ExternSpec
    from skelgen.runtime.insns.relocate import Symbol
    from skelgen.runtime.load.parts import Parts
    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.programs.base import Program

T = TypeVar("T")


def load(parts: "Parts", *, strict: bool = True) -> LoadReport:
    """Load an object. Raises :class:`BpfError`; then nothing is left behind.

    Where it is not ``strict``, what fails for one map or program is in the report.
    """

    def attempt() -> LoadReport:
        failures = Failures(lenient=not strict)
        with Attempt() as this:
            prepared = Prepared(parts, failures, this.undo)
            this.at_last.add(prepared.close)
            prepared.make()
            programs = _Programs(prepared, failures, this.undo)
            programs.load()
            prepared.hand_over()
            programs.hand_over()
        return failures.report()

    return _tried(parts, attempt, strict=strict)


def prepare(parts: "Parts", *, strict: bool = True) -> "Prepared":
    """Make the maps of an object, and all that its programs are loaded with.

    The caller closes that. Raises :class:`BpfError`; then nothing is left behind.
    """

    def attempt() -> Prepared:
        with Attempt() as this:
            prepared = Prepared(parts, Failures(lenient=not strict), this.undo)
            this.undo.add(prepared.close)
            prepared.make()
            prepared.hand_over()
        return prepared

    return _tried(parts, attempt, strict=strict)


def load_prepared(prepared: "Prepared", *, strict: bool = True) -> LoadReport:
    """Load the programs of a prepared object, all of them or none."""

    def attempt() -> LoadReport:
        failures = prepared.failures.further(lenient=not strict)
        with Attempt() as this:
            programs = _Programs(prepared, failures, this.undo)
            programs.load()
            programs.hand_over()
        return failures.report()

    return _tried(prepared.parts, attempt, strict=strict)


def load_clone(prepared: "Prepared", program: "Program") -> None:
    """Load one program more: another's instructions with settings of its own."""

    def attempt() -> None:
        with Attempt() as this:
            prepared.fit(program)
            done = prepared.load(program, prepared.failures, this.undo)
        program.adopt(done.fd, done.log)

    _tried(prepared.parts, attempt, strict=True)


def _tried(parts: "Parts", attempt: "Callable[[], T]", *, strict: bool) -> T:
    """Make an attempt; on kernels before 5.11 another with RLIMIT_MEMLOCK lifted."""
    try:
        if not strict:  # which does not tell whether that was missing
            from skelgen.runtime.kernel.memlock import lift_memlock

            lift_memlock()
            return attempt()
        try:
            return attempt()
        except BpfOSError as error:
            from skelgen.runtime.kernel.memlock import lift_memlock

            # lifted by another thread meanwhile is as good
            if not isinstance(error, PermissionError) or not lift_memlock():
                raise
        return attempt()
    except BtfParseError as error:
        raise BpfError(f"object '{parts.spec.name}': {error}") from error


def _failed_externs(
    error: ExternError | KernelBtfError, externs: "tuple[ExternSpec, ...]"
) -> set[str]:
    """Return what an error is about: one symbol, or all that have a type."""
    if isinstance(error, ExternError):
        return {e.name for e in externs if e.name == error.extern}
    typed = {ExternKind.KSYM_VAR, ExternKind.KFUNC}
    return {e.name for e in externs if e.kind in typed}


class Prepared:
    """All of a load but its programs, and what these are loaded with.

    ``undo`` gets what takes back the maps, until :meth:`hand_over`. The rest is here
    until :meth:`close`: fds of the object's BTF, of kernel modules and of a token.
    """

    def __init__(self, parts: "Parts", failures: Failures, undo: Undo) -> None:
        self.parts = parts
        self.failures = failures
        """What it does without."""
        self.types = LoadTypes(parts.spec, parts.options.btf)
        self.operations = Operations(parts, self.types, failures)
        self._undo = undo
        self._kept = Undo()
        self._kept.add(self.types.close)
        self._token_fd = 0
        self._btf = LoadedBtf()
        self._fd_array: list[int] = []
        self._loader = ProgramLoader(parts, self.types)
        self._missing: dict[str, BpfError] = {}

    def close(self) -> None:
        """Close the fds; raise the first failure in the end. Idempotent."""
        raise_first(self._kept.run())

    def make(self) -> None:
        """Make the maps, with their contents; they are not the object's yet."""
        parts, spec = self.parts, self.parts.spec
        if spec.byteorder != sys.byteorder:
            raise BpfError(
                f"object '{spec.name}': compiled for {spec.byteorder}-endian machines,"
                f" and this one is {sys.byteorder}-endian"
            )
        token = take_token(parts.options.token)
        if token is not None:
            self._kept.add(token.close)
            self._token_fd = token.fileno()
        config = self._kconfig()
        symbols, self._fd_array = self._symbols()
        if parts.struct_ops:
            with step("struct_ops") as this:
                self.operations.prepare()
                this.done("%d variables fitted", len(parts.struct_ops))
        self.wanted(self.failures)  # which fits them, before anything is made
        self._load_btf()
        maker = self._maker = MapMaker(
            parts,
            self._undo,
            self.failures,
            btf=self._btf,
            token_fd=self._token_fd,
            hash_of=lambda name, what: self._loader.hash(
                name, self._places_to_be(symbols), what
            ),
        )
        maker.make_all(config, self.operations.values)
        maker.map_arenas()
        fds = {name: made.fd.fileno() for name, made in maker.made.items()}
        self.places = self._places(fds, symbols)

    def hand_over(self) -> None:
        """Make the object the owner of the maps, and their contents its memory."""
        with step("data sections", silent=not self.parts.data) as this:
            self._maker.hand_over()
            if self.parts.data:
                this.done("%d mapped", len(self.parts.data))
        del self._maker

    # -- before the kernel is asked for anything -------------------------------

    def _kconfig(self) -> bytearray | None:
        """Return the contents of ``.kconfig``."""
        for data in self.parts.data.values():
            if data.is_kconfig:
                from skelgen.runtime.kernel import config as kconfig

                externs = self.parts.spec.externs
                text = self.parts.options.kconfig
                with (
                    self.failures.of("map", data.spec.section),
                    step("kernel configuration") as this,
                ):
                    filled = kconfig.fill(externs, text, bytes(data.spec.size))
                    this.done("read")
                    return filled
        return None

    def _symbols(self) -> "tuple[dict[str, Symbol], list[int]]":
        """Return the kernel symbols by name, and fds of the modules they are in."""
        externs = self.parts.spec.externs
        if all(e.kind is ExternKind.KCONFIG for e in externs):
            return {}, []
        from skelgen.runtime.load.externs import resolve

        while True:
            try:
                spec = self.parts.spec._replace(externs=externs)
                with step("externs") as this:
                    found = resolve(spec, self.types)
                    this.done("%d resolved", len(found.by_name))
            except (ExternError, KernelBtfError) as error:
                failed = _failed_externs(error, externs)
                if not self.failures.lenient or not failed:
                    raise
                self._missing.update(dict.fromkeys(failed, error))
                externs = tuple(e for e in externs if e.name not in failed)
            else:
                return found.by_name, found.fd_array

    def wanted(self, failures: Failures) -> "list[Program]":
        """Return the programs to load by what is set now, all of which :meth:`fit`."""
        result: list[Program] = []
        for program in self.parts.programs.values():
            if failures.error("program", program.name) is not None:
                continue
            with failures.of("program", program.name):
                wanted = program.autoload
                if program.type == ProgType.STRUCT_OPS:
                    wanted = self.operations.wants(program)
                if wanted:
                    self.fit(program)
                    result.append(program)
        return result

    def fit(self, program: "Program") -> None:
        """Check what a program needs of this kernel, and fit it to its types: once."""
        check_type(program)
        if self._missing:
            for reloc in self._loader.linked(program).relocs:
                if isinstance(reloc, ExternLoad | KfuncCall):
                    error = self._missing.get(reloc.extern)
                    if error is not None:
                        raise error
        self._loader.relocate_core(program)

    # -- in the kernel ---------------------------------------------------------

    def _load_btf(self) -> None:
        spec = self.parts.spec
        if spec.btf is None:
            return
        what = f"BTF of object '{spec.name}'"
        with step("%s", what) as this:
            data = self._resized(spec.view(spec.btf))
            self._btf = load_btf(
                self._loader.fit_arguments(data, self._token_fd),
                what,
                required=bool(self.operations.values) and not self.failures.lenient,
                token_fd=self._token_fd,
            )
            how = "loaded" if self._btf.fd else "not taken"
            this.done("%s, fd %d, %d bytes", how, self._btf.fd, len(data))
        if self._btf.fd:
            self._kept.add(syscalls.Fd(self._btf.fd).close)

    def _resized(self, data: memoryview) -> memoryview:
        """Return the object's BTF with the sizes that data sections have now."""
        sections = {
            part.spec.type_id: part.section.resized for part in self.parts.data.values()
        }
        changed = {key: found for key, found in sections.items() if found is not None}
        if not changed:
            return data
        from skelgen.runtime.memory.resize import resized

        return memoryview(resized(data, changed))

    def _places_to_be(self, symbols: "dict[str, Symbol]") -> Places:
        """Return the same before maps are made: their fds are 0."""
        handles = self.parts.handles().items()
        fds = {name: 0 for name, handle in handles if handle.autocreate}
        return self._places(fds, symbols)

    def _places(self, fds: dict[str, int], symbols: "dict[str, Symbol]") -> Places:
        spec = self.parts.spec
        maps = {
            name: MapPlace(fds.get(name), index)
            for index, name in enumerate(self.parts.handles())
        }
        sections = {name: maps[name] for name in self.parts.data}
        for data in spec.data:
            if data.kind is DataKind.ARENA:
                arenas = [m.name for m in spec.maps if m.type == MapType.ARENA]
                sections[data.section] = maps[arenas[0]]
        externs = tuple(extern.name for extern in spec.externs)
        return Places(maps, sections, symbols, externs)

    def load(self, program: "Program", failures: Failures, undo: Undo) -> Loaded:
        """Load a program that :meth:`fit` has seen."""
        target = self.operations.target(program)
        try:
            done = self._loader.load(
                program,
                self.places,
                self._btf,
                self._fd_array,
                target,
                self._token_fd,
            )
        except BpfError as error:
            for name in maps_of(self._loader.linked(program).relocs):
                reason = failures.error("map", name)
                if reason is not None:
                    error.add_note(f"map '{name}' was not made: {reason}")
            raise
        undo.add(done.fd.close)
        self._bind_rodata(program, done.fd.fileno())
        return done

    def _bind_rodata(self, program: "Program", fd: int) -> None:
        """Keep read-only data alive and listed with a program, as libbpf does."""
        for name, data in self.parts.data.items():
            map_fd = self.places.maps[name].fd
            if data.spec.kind is DataKind.RODATA and map_fd is not None:
                try:
                    syscalls.prog_bind_map(fd, map_fd, what=program.what)
                except BpfOSError as error:  # Linux 5.10 has it, nobody depends on it
                    debug("%s", error)
                    return


class _Programs:
    """The second half of a load: the programs of an object that is prepared."""

    def __init__(self, prepared: Prepared, failures: Failures, undo: Undo) -> None:
        self._prepared = prepared
        self._parts = prepared.parts
        self._failures = failures
        self._undo = undo
        self._loaded: dict[str, Loaded] = {}

    def load(self) -> None:
        """Load them, and fill the slots that they go to."""
        for program in self._prepared.wanted(self._failures):
            with self._failures.of("program", program.name):
                done = self._prepared.load(program, self._failures, self._undo)
                self._loaded[program.name] = done
        for name, handle in self._parts.maps.items():
            if handle.type == MapType.PROG_ARRAY:
                with step("map '%s'", name, silent=not handle.spec.values) as this:
                    self._fill_slots(name, handle)
                    if handle.spec.values:
                        this.done("programs put in")

    def _fill_slots(self, name: str, handle: "MapHandle") -> None:
        """Put programs into an array of programs whose declaration names them.

        A slot of a program that was not loaded stays empty, where libbpf fails: a tail
        call there falls through. Who turns a program off, or loads in part, has said
        that it does without.
        """
        fd = self._prepared.places.maps[name].fd
        for index, program in handle.spec.values:
            if program not in self._loaded:
                debug("map '%s': slot %d: '%s' was not loaded", name, index, program)
            elif fd is not None:
                with self._failures.of("map", name):
                    self._fill_slot(handle, fd, index, program)

    def _fill_slot(
        self, handle: "MapHandle", fd: int, index: int, program: str
    ) -> None:
        loaded = self._loaded[program].fd.fileno()
        key = fill_slot(handle, fd, index, loaded, f"program '{program}'")
        sizes = sizes_of(handle)
        self._undo.add(lambda: syscalls.map_delete(fd, key, sizes=sizes))

    def hand_over(self) -> None:
        """Make the object the owner of what was loaded."""
        self._prepared.operations.finish(self._loaded, self._failures)
        for program in self._parts.programs.values():
            done = self._loaded.get(program.name)
            if done is None:
                program.skip(self._failures.error("program", program.name))
            else:
                program.adopt(done.fd, done.log)
