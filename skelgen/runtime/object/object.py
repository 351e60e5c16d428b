"""A BPF object: opened, changed, loaded, attached, destroyed."""

from __future__ import annotations

# pyright: reportPrivateUsage=false
# sections and handles have methods for the object alone
import os
from _thread import get_ident
from _warnings import warn  # of warnings, likewise
from enum import Enum

from skelgen._typing import TYPE_CHECKING, TypeVar, overload
from skelgen.arguments import checks_arguments, sequence
from skelgen.plain import plain
from skelgen.runtime.entry import Entry
from skelgen.runtime.errors import ClosedError, StateError
from skelgen.runtime.listing import Live
from skelgen.runtime.load.parts import (
    LazyMapping,
    Options,
    Parts,
    arena_section,
    data_maps,
    map_handles,
    not_there,
)
from skelgen.runtime.log import step
from skelgen.runtime.process.forks import Lock, register
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.families import program_class
from skelgen.runtime.undo import Undo, raise_first

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping
    from types import TracebackType
    from typing import Final, Self

    from skelgen.model.spec import ObjectSpec
    from skelgen.runtime.links.base import Link
    from skelgen.runtime.load.report import LoadReport
    from skelgen.runtime.load.results import Prepared
    from skelgen.runtime.maps.base import Map
    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.maps.shadow import Shadow
    from skelgen.runtime.maps.struct_ops import StructOpsMap
    from skelgen.runtime.memory.section import Section
    from skelgen.runtime.object.attach_report import AttachReport

P = TypeVar("P", bound=Program)
T = TypeVar("T")
S = TypeVar("S", bound="Shadow")


class State(Enum):
    """Where an object is in its life."""

    OPENED = "opened"
    PREPARED = "prepared"
    LOADED = "loaded"
    DESTROYED = "destroyed"


class Object(Live):
    """A BPF object, from a generated module or a file: all that loading needs.

    ``name`` prefixes the kernel's names of data maps in place of the object's own.
    ``btf`` is a file (or bytes) with the types that CO-RE fits programs to, in place
    of the running kernel's, as ``skelgen btf min`` makes them for kernels without BTF:
    raw, or an ELF file with ``.BTF``. All else (fentry, iterators, kfuncs, ...) goes
    by the kernel's own. Maps pinned by name are under ``pin_root``. ``kconfig``
    is lines that go before the kernel's configuration (``CONFIG_X=y``). ``token``
    is the path of a bpffs that delegates rights (Linux 6.9), by default that of
    ``LIBBPF_BPF_TOKEN_PATH``, else, in a user namespace, ``/sys/fs/bpf`` if it does;
    ``""`` is none. ``log_level`` asks for the verifier's log of programs that are
    accepted: 1, 2 (more), 4 (statistics).

    Every method can be called from any thread, and from a signal handler: there
    :meth:`destroy` comes at the end of what it interrupted, which raises
    :class:`ClosedError`, and to load or attach in the middle of that is a
    :class:`StateError`. In a forked child the object is the child's own, fds and all;
    destroying it there leaves the parent's as it is. A context manager: leaving it
    destroys the object.
    """

    __slots__ = (
        "__weakref__",
        "_clones",
        "_doomed",
        "_ending",
        "_families",
        "_links",
        "_lock",
        "_parts",
        "_pid",
        "_prepared",
        "_programs",
        "_runner",
        "_running",
        "_specs",
        "_state",
        "maps",
        "name",
        "programs",
        "sections",
        "spec",
        "struct_ops",
    )
    _internal = frozenset(("clone_program", "forget_clone", "life", "maps_made"))

    @checks_arguments
    def __init__(
        self,
        spec: ObjectSpec,
        *,
        name: str | None = None,
        btf: str | os.PathLike[str] | bytes | None = None,
        pin_root: str | os.PathLike[str] = "/sys/fs/bpf",
        kconfig: str | None = None,
        token: str | os.PathLike[str] | None = None,
        log_level: int = 0,
    ) -> None:
        self.spec: Final = spec
        """The blueprint."""
        self.name: Final = spec.name if name is None else name
        """What errors and the kernel's data maps are called after."""
        self._lock: Final = Lock()
        self._state = State.OPENED
        # the call that may not be come between, its thread, and whether to destroy then
        self._running = ""
        self._runner = 0
        self._doomed = False
        self._ending: Final = Undo()
        self._pid = 0  # of the process that made its maps
        register(self)
        self._links: dict[str, Link] = {}
        self._families: dict[str, tuple[tuple[int, ...], Map]] = {}
        self._prepared: Prepared | None = None
        self._programs: dict[str, Program] = {}
        self._clones: dict[Program, None] = {}
        self._specs: Final = {program.name: program for program in spec.programs}
        programs = tuple(self._specs)
        self.programs: Final[Mapping[str, Program]] = LazyMapping(
            "program", programs, self.program
        )
        """Programs by the name of their C function."""
        if kconfig is not None:
            from skelgen.runtime.kernel import config as given

            given.check(kconfig, spec.externs)
        root = os.fspath(pin_root)
        self._parts: Final = Parts(
            spec,
            Options(
                btf,
                root,
                kconfig,
                None if token is None else os.fspath(token),
                log_level,
            ),
            map_handles(spec, root),
            data_maps(spec, self.name),
            arena_section(spec),
            self._open_struct_ops(),
            self.programs,
        )
        self.struct_ops: Final[Mapping[str, StructOpsMap]] = self._parts.struct_ops
        """struct_ops variables by name."""
        self.maps: Final[Mapping[str, Map]] = LazyMapping(
            "map", tuple(self._parts.handles()), self._family
        )
        """Maps by name, data sections by the section's (``.bss``), struct_ops
        variables by theirs; keys and values are bytes."""
        arena = self._parts.arena
        sections = (*self._parts.data, *(() if arena is None else (arena.name,)))
        self.sections: Final[Mapping[str, Section]] = LazyMapping(
            "section", sections, self.section
        )
        """Data sections by ELF name, as bytes."""

    def _open_struct_ops(self) -> dict[str, StructOpsMap]:
        if not self.spec.struct_ops:
            return {}
        from skelgen.runtime.maps.struct_ops import StructOpsMap

        return {
            ops.name: StructOpsMap(ops, self.spec.view(ops.image), self.programs)
            for ops in self.spec.struct_ops
        }

    def __repr__(self) -> str:
        return f"<object '{plain(self.name)}': {self.life}>"

    @property
    def state(self) -> State:
        """Where it is in its life."""
        return self._state

    @property
    def life(self) -> str:
        """The state in a word, ``attached`` too: for people."""
        if self._state is State.LOADED and any(
            not link.destroyed for link in tuple(self._links.values())
        ):
            return "attached"
        return self._state.value

    @property
    def maps_made(self) -> bool:
        """Whether the maps are there: prepared or loaded, and not destroyed."""
        return self._state in {State.PREPARED, State.LOADED}

    # -- parts -----------------------------------------------------------------

    @checks_arguments
    def map(self, name: str) -> MapHandle:
        """Return a map without a family, for one to be put over it."""
        data = self._parts.data.get(name)
        if data is not None:
            return data.handle
        ops = self._parts.struct_ops.get(name)
        if ops is not None:
            return ops.handle
        found = self._parts.maps.get(name)
        if found is None:
            raise not_there("map", name, self.maps)
        return found

    def _family(self, name: str) -> Map:
        """Return a map as what its type is, with bytes for keys and values."""
        ops = self._parts.struct_ops.get(name)
        if ops is not None:
            return ops
        from skelgen.runtime.maps.families import family

        handle = self.map(name)
        shape = (int(handle.type), handle.key_size, handle.value_size)
        with self._lock:
            known = self._families.get(name)
            if known is None or known[0] != shape:
                known = self._families[name] = shape, family(handle)
            return known[1]

    @overload
    def program(self, name: str) -> Program: ...
    @overload
    def program(self, name: str, cls: type[P]) -> P: ...
    @checks_arguments
    def program(self, name: str, cls: type[Program] = Program) -> Program:
        """Return a program; ``cls`` is the class that the caller knows it has."""
        with self._lock:
            program = self._programs.get(name)
            if program is None:
                spec = self._specs.get(name)
                if spec is None:
                    raise not_there("program", name, self._specs)
                found = program_class(spec) if cls is Program else cls
                program = self._programs[name] = found(self, spec)
                if self._state is State.DESTROYED:
                    program.close()
        if not isinstance(program, cls):
            raise TypeError(
                f"{program.what}: is a {type(program).__name__}, not a {cls.__name__}"
            )
        return program

    @checks_arguments
    def shadow(self, name: str, cls: type[S]) -> S:
        """Return a struct_ops variable as a generated class, whose members it has."""
        found = self._parts.struct_ops.get(name)
        if found is None:
            raise not_there("struct_ops variable", name, self._parts.struct_ops)
        return found.shadow(cls)

    @checks_arguments
    def section(self, name: str) -> Section:
        """Return a data section by its ELF name."""
        arena = self._parts.arena
        if arena is not None and name == arena.name:
            return arena
        found = self._parts.data.get(name)
        if found is None:
            raise not_there("section", name, self.sections)
        return found.section

    # -- life ------------------------------------------------------------------

    def _alone(self, call: str, run: Callable[[], T]) -> T:
        """Do what other threads wait for, and signal handlers cannot come between."""
        with self._lock:
            if self._running:
                raise StateError(
                    f"object '{self.name}': {call} by a signal handler that interrupted"
                    f" {self._running}; call it when that is done"
                )
            done = False
            try:
                self._runner = get_ident()
                self._running = call
                result = run()
                done = True
            finally:
                self._running = ""
                self._runner = 0
                if self._doomed:
                    self._doomed = False
                    self.destroy()
            if done and self._state is State.DESTROYED:
                raise ClosedError(
                    f"object '{self.name}': destroyed by a signal handler that"
                    f" interrupted {call}"
                )
            return result

    def _after_fork(self) -> None:
        """Forget a call of a thread that a forked child has not.

        What it did not come to, of destroy(), the child's own call does.
        """
        if self._runner != get_ident():
            self._running = ""
            self._runner = 0
            self._doomed = False

    def prepare(self, *, strict: bool = True) -> LoadReport:
        """Do all of :meth:`load` but the programs: ``bpf_object__prepare``.

        After it maps are made, filled, frozen and pinned, can be read and written, and
        globals are their memory; programs come with :meth:`load`. What maps and
        globals start with cannot be set any more, nor the type of a program; its other
        settings can until then. Maps can be filled so before a program runs for the
        first time, also those that the verifier reads, and programs cloned
        (:meth:`.Program.clone`). What these are loaded with (fds of the object's BTF,
        of kernel modules, of the token) stays open until :meth:`destroy`.

        Raises what :meth:`load` raises for its part; a failure leaves nothing behind,
        and the object is opened as before. ``strict`` is as there, of what is done
        here; what is left out is in the report of :meth:`load` too.
        """
        with self._whole() as this:
            with step("loader") as part:
                from skelgen.runtime.load.pipeline import prepare

                part.done("imported")

            def run() -> LoadReport:
                self._check_alive("prepare()")
                if self._state is State.PREPARED:
                    raise StateError(
                        f"object '{self.name}': prepared already; call load() for the rest"
                    )
                if self._state is State.LOADED:
                    raise StateError(
                        f"object '{self.name}': prepare() comes before load(), which did it"
                    )
                prepared = prepare(self._parts, strict=strict)
                self._prepared, self._state = prepared, State.PREPARED
                this.done("prepared")
                self._pid = os.getpid()
                return prepared.context.failures.report()

            return self._alone("prepare()", run)

    def load(self, *, strict: bool = True) -> LoadReport:
        """Create the maps and load the programs whose autoload is on.

        Raises :class:`VerifierError` where the kernel refuses a program,
        :class:`CoreRelocationError` and :class:`ExternError` for what this kernel
        does not have, :class:`BpfOSError` where a system call fails, and
        :class:`StateError` when it is loaded already. A failed load leaves nothing
        behind, and may be tried again. After :meth:`prepare` only the programs are
        missing, and if that fails, all is as before: the maps stay.

        With ``strict=False`` a map or program that fails is left out and named in the
        report, which is false then; the object is loaded. What fails is as if its
        autoload or autocreate were off: ``attach()`` passes it over, and using it
        raises :class:`StateError` with the reason.
        """
        with self._whole() as this:
            with step("loader") as part:
                from skelgen.runtime.load.pipeline import load_object, load_prepared

                part.done("imported")

            def run() -> LoadReport:
                if self._state is State.LOADED:
                    raise StateError(
                        f"object '{self.name}': loaded already; open another to load again"
                    )
                self._check_alive("load()")
                if self._prepared is None:
                    report = load_object(self._parts, strict=strict)
                else:
                    report = load_prepared(self._prepared, strict=strict)
                self._state = State.LOADED
                this.done("loaded")
                self._pid = os.getpid()
                return report

            return self._alone("load()", run)

    def clone_program(
        self, program: P, name: str | None, settings: Mapping[str, object]
    ) -> P:
        """Return a clone of a program; see :meth:`.Program.clone`."""
        with self._whole() as this:
            from skelgen.runtime.load.pipeline import load_clone

            def run() -> P:
                self._check_alive("clone()")
                if self._prepared is None:
                    late = self._state is State.LOADED
                    when = "has to come before load()" if late else "comes first"
                    raise StateError(
                        f"{program.what}: clone() needs prepare(), which {when}"
                    )
                like = program._like  # noqa: SLF001 - the object's part
                clone = like(name, settings)
                load_clone(self._prepared, clone)
                self._clones[clone] = None
                this.done("cloned program '%s'", program.name)
                return clone

            return self._alone("clone()", run)

    def forget_clone(self, clone: Program) -> None:
        """Let go of a clone that is closed."""
        with self._lock:
            self._clones.pop(clone, None)

    def attach(self, *, skip: Iterable[str] = (), strict: bool = True) -> AttachReport:
        """Attach every program and struct_ops variable whose ``SEC()`` says where.

        The report has the new links by name, which the object keeps too, and why all
        else is passed over: what names no target or not all of one (``SEC("xdp")``),
        what was not loaded, what has its autoattach off, what is attached already,
        for which ``skip`` speaks too. What names its target and cannot be attached is
        an error, after which nothing is attached that was not before. With
        ``strict=False`` it is in the report, which is false then, and the others stay
        attached.
        """
        with self._whole() as this:
            from skelgen.runtime.object.attach import attach_all

            taken = sequence(skip, "skip")

            def run() -> AttachReport:
                self._check_loaded("attach()")
                report = attach_all(self._parts, {*self.links, *taken}, strict=strict)
                self._links.update(report.attached)
                count = len(report.attached)
                this.done("attached, %d link%s", count, "s"[: count != 1])
                return report

            return self._alone("attach()", run)

    @property
    def links(self) -> dict[str, Link]:
        """What :meth:`attach` attached and is not detached since, by name."""
        with self._lock:
            return {n: link for n, link in self._links.items() if not link.destroyed}

    def detach(self) -> None:
        """Destroy the links of :meth:`attach`, the last one first.

        Every link is destroyed, also where one fails; the first failure is raised.
        The object may be attached again.
        """
        with self._lock:
            self._check_loaded("detach()")
            undo = Undo()
            self._add_links(undo)
            raise_first(undo.run())

    def _add_links(self, undo: Undo) -> None:
        for link in self._links.values():
            undo.add(link.destroy)
        self._links.clear()

    @checks_arguments
    def pin(self, directory: str | os.PathLike[str]) -> None:
        """Keep all maps and programs in the kernel, under a directory of a bpffs.

        Each by its name, dots as ``_`` (``tool_bss``); the last directory is made if
        it is missing. All of them or none: BpfOSError, FileExistsError for a path that
        is taken. Linux 4.4.
        """
        with self._whole() as this:
            from skelgen.runtime.object.pins import pin_all

            self._check_loaded("pin()")
            pin_all(self._parts, directory)
            this.done("pinned")

    @checks_arguments
    def unpin(self, directory: str | os.PathLike[str]) -> None:
        """Remove the pins of :meth:`pin`, and the directory if nothing else is there.

        Removes what is there, then raises FileNotFoundError where one was missing.
        """
        from skelgen.runtime.object.pins import unpin_all

        with self._lock:
            self._check_loaded("unpin()")
            unpin_all(self._parts, directory)

    def destroy(self) -> None:
        """Detach, and close all file descriptors. Idempotent.

        Every step is taken, also where one fails; the first failure is raised. Views
        of globals stay valid. What is pinned stays in the kernel.
        """
        with self._lock:
            if self._running:  # by this thread, which a signal handler interrupted
                self._doomed = True
                return
            if self._state is not State.DESTROYED:
                # in this order: a child forked in between begins anew
                self._add_all(self._ending)
                self._state = State.DESTROYED
            elif self._runner:  # another call, which a signal handler may be in
                return
            self._runner = get_ident()
        # without the lock: a reader may have to end first, whose signal handler wants it
        try:
            raise_first(self._ending.run())
        finally:
            self._runner = 0

    def _add_all(self, undo: Undo) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            undo.add(prepared.close)
        for data in self._parts.data.values():
            undo.add(data.section.close)
        if self._parts.arena is not None:
            undo.add(self._parts.arena.close)
        for handle in self._parts.handles().values():
            undo.add(handle.close)
        for program in (*self._programs.values(), *self._clones):
            undo.add(program.close)
        self._add_links(undo)  # the last in, the first to go

    def __del__(
        self,
        warn: Callable[..., object] = warn,
        live: Container[State | None] = (State.PREPARED, State.LOADED),
        pid: Callable[[], int] = os.getpid,
    ) -> None:
        # the arguments are kept for the end of the interpreter
        if getattr(self, "_state", None) in live and self._pid == pid():
            warn(
                f"object '{plain(self.name)}': never destroyed; call destroy(), or use 'with'",
                ResourceWarning,
                source=self,
            )

    def __enter__(self) -> Self:
        self._check_alive("with")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.destroy()

    def _whole(self) -> Entry:
        return Entry(f"object '{plain(self.name)}'", total=True)

    def _check_alive(self, call: str) -> None:
        if self._state is State.DESTROYED:
            raise ClosedError(
                f"object '{self.name}': {call} after destroy(); open it again"
            )

    def _check_loaded(self, call: str) -> None:
        self._check_alive(call)
        if self._state is not State.LOADED:
            raise StateError(f"object '{self.name}': {call} comes after load()")
