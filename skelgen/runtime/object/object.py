"""A BPF object: opened, changed, loaded, attached, destroyed."""

from __future__ import annotations

import os
from _warnings import warn  # of warnings, without importing it

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.arguments import checks_arguments, sequence
from skelgen.plain import plain
from skelgen.runtime.entry import Entry
from skelgen.runtime.errors import StateError
from skelgen.runtime.load.parts import Options
from skelgen.runtime.log import step
from skelgen.runtime.object.life import State
from skelgen.runtime.object.opened import Opened
from skelgen.runtime.programs.base import Program
from skelgen.runtime.undo import Undo, raise_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Self

    from skelgen.model.spec import ObjectSpec, ProgramSpec
    from skelgen.runtime.links.base import Link
    from skelgen.runtime.load.report import LoadReport
    from skelgen.runtime.load.results import Prepared
    from skelgen.runtime.object.attach_report import AttachReport
    from skelgen.runtime.object.life import Life

P = TypeVar("P", bound=Program)
T = TypeVar("T")


class Object(Opened):
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

    __slots__ = ("__weakref__", "_clones", "_links", "_prepared")
    _internal = frozenset(
        ("clone_program", "forget_clone", "life", "maps_made", "parts")
    )

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
        if kconfig is not None:
            from skelgen.runtime.kernel import config as given

            given.check(kconfig, spec.externs)
        options = Options(
            btf,
            os.fspath(pin_root),
            kconfig,
            None if token is None else os.fspath(token),
            log_level,
        )
        super().__init__(spec, spec.name if name is None else name, options)
        self._links: dict[str, Link] = {}
        self._prepared: Prepared | None = None
        self._clones: dict[Program, None] = {}

    def _new_program(self, cls: type[P], spec: ProgramSpec) -> P:
        return cls(self, spec)

    def __repr__(self) -> str:
        return f"<object '{plain(self.name)}': {self.life}>"

    @property
    def state(self) -> State:
        """Where it is in its life."""
        return self._life.state

    @property
    def life(self) -> str:
        """The state in a word, ``attached`` too: for people."""
        if self._life.state is State.LOADED and any(
            not link.destroyed for link in tuple(self._links.values())
        ):
            return "attached"
        return self._life.state.value

    @property
    def maps_made(self) -> bool:
        """Whether the maps are there: prepared or loaded, and not destroyed."""
        return self._life.made

    # -- life ------------------------------------------------------------------

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
                self._life.check_alive("prepare()")
                if self._life.state is State.PREPARED:
                    raise StateError(
                        f"object '{self.name}': prepared already; call load() for the rest"
                    )
                if self._life.state is State.LOADED:
                    raise StateError(
                        f"object '{self.name}': prepare() comes before load(), which did it"
                    )
                prepared = prepare(self.parts, strict=strict)
                self._prepared = prepared
                self._life.reach(State.PREPARED)
                this.done("prepared")
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
                if self._life.state is State.LOADED:
                    raise StateError(
                        f"object '{self.name}': loaded already; open another to load again"
                    )
                self._life.check_alive("load()")
                if self._prepared is None:
                    report = load_object(self.parts, strict=strict)
                else:
                    report = load_prepared(self._prepared, strict=strict)
                self._life.reach(State.LOADED)
                this.done("loaded")
                return report

            return self._alone("load()", run)

    def clone_program(
        self, program: P, name: str | None, settings: Mapping[str, object]
    ) -> P:
        """Return a clone of a program; see :meth:`.Program.clone`."""
        with self._whole() as this:
            from skelgen.runtime.load.pipeline import load_clone

            def run() -> P:
                self._life.check_alive("clone()")
                if self._prepared is None:
                    late = self._life.state is State.LOADED
                    when = "has to come before load()" if late else "comes first"
                    raise StateError(
                        f"{program.what}: clone() needs prepare(), which {when}"
                    )
                clone = program.like(name, settings)
                load_clone(self._prepared, clone)
                self._clones[clone] = None
                this.done("cloned program '%s'", program.name)
                return clone

            return self._alone("clone()", run)

    def forget_clone(self, clone: Program) -> None:
        """Let go of a clone that is closed."""
        with self._life.lock:
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
                self._life.check_loaded("attach()")
                report = attach_all(self.parts, {*self.links, *taken}, strict=strict)
                self._links.update(report.attached)
                count = len(report.attached)
                this.done("attached, %d link%s", count, "s"[: count != 1])
                return report

            return self._alone("attach()", run)

    @property
    def links(self) -> dict[str, Link]:
        """The links that :meth:`attach` made and that are not detached, by name."""
        with self._life.lock:
            return {n: link for n, link in self._links.items() if not link.destroyed}

    def detach(self) -> None:
        """Destroy the links of :meth:`attach`, the last one first.

        Every link is destroyed, also where one fails; the first failure is raised.
        The object may be attached again.
        """
        with self._life.lock:
            self._life.check_loaded("detach()")
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

            self._life.check_loaded("pin()")
            pin_all(self.parts, directory)
            this.done("pinned")

    @checks_arguments
    def unpin(self, directory: str | os.PathLike[str]) -> None:
        """Remove the pins of :meth:`pin`, and the directory if nothing else is there.

        Removes what is there, then raises FileNotFoundError where one was missing.
        """
        from skelgen.runtime.object.pins import unpin_all

        with self._life.lock:
            self._life.check_loaded("unpin()")
            unpin_all(self.parts, directory)

    def destroy(self) -> None:
        """Detach, and close all file descriptors. Idempotent.

        Every step is taken, also where one fails; the first failure is raised. Views
        of globals stay valid. What is pinned stays in the kernel.
        """
        self._life.end(self._add_all)

    def _add_all(self, undo: Undo) -> None:
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            undo.add(prepared.close)
        for data in self.parts.data.values():
            undo.add(data.section.close)
        if self.parts.arena is not None:
            undo.add(self.parts.arena.close)
        for handle in self.parts.handles().values():
            undo.add(handle.close)
        for program in (*self._programs.values(), *self._clones):
            undo.add(program.close)
        self._add_links(undo)  # the last in, the first to go

    def __del__(
        self,
        warn: Callable[..., object] = warn,
        pid: Callable[[], int] = os.getpid,
    ) -> None:
        # the arguments are kept for the end of the interpreter
        life: Life | None = getattr(self, "_life", None)
        if life is not None and life.made and life.pid == pid():
            warn(
                f"object '{plain(self.name)}': never destroyed; call destroy(), or use 'with'",
                ResourceWarning,
                source=self,
            )

    def __enter__(self) -> Self:
        self._life.check_alive("with")
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

    def _alone(self, call: str, run: Callable[[], T]) -> T:
        return self._life.alone(call, run, self.destroy)
