"""A BPF program: loaded, run, pinned and attached."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import checks_arguments, shown
from skelgen.model.attach import TracingMulti
from skelgen.model.enums import ProgType
from skelgen.plain import plain
from skelgen.runtime import syscalls
from skelgen.runtime.entry import attaching
from skelgen.runtime.errors import (
    AttachError,
    BpfError,
    BpfOSError,
    ClosedError,
    StateError,
)
from skelgen.runtime.programs.opened import OpenedProgram
from skelgen.runtime.programs.settings import Setting

if TYPE_CHECKING:
    import os
    from contextlib import AbstractContextManager
    from typing import Any, Final, Self, TypedDict, Unpack

    from skelgen.runtime.links.base import Link
    from skelgen.runtime.programs.target import HasFd
    from skelgen.runtime.streams.program import ProgramStream
    from skelgen.runtime.syscalls import ProgInfo, TestRun

    class Settings(TypedDict, total=False):
        """Settings that a clone can have of its own, see :meth:`Program.clone`."""

        attach_type: int
        flags: int
        ifindex: int
        attach_target: str | None
        target_module: str | None
        target_program: Program | int | None
        log_level: int
        log_size: int


_IN_NAMES: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_."
_LEAST_PACKET: Final = 14
"""Bytes of the shortest packet that a program can be run on."""
_PACKET_HEADROOM: Final = 256  # XDP_PACKET_HEADROOM: how far a packet can grow


class Program(OpenedProgram):
    """A BPF program of an object, before and after it is loaded.

    Before load it can be changed; then assigning to its settings raises StateError.
    A clone is a program of its own, which :meth:`close` or ``with`` closes.
    """

    __slots__ = ()

    target_program = Setting["Program | int | None"]()
    """Program (loaded) that has the target as a function, or its fd; None for the
    kernel. Becomes ``attach_prog_fd`` (Linux 5.5)."""

    def __init_subclass__(cls) -> None:
        own = cls.__dict__.get("attach")
        if own is not None:
            cls.attach = attaching(own)  # type: ignore[method-assign] # the same, told

    # -- clones ----------------------------------------------------------------

    @checks_arguments
    def clone(self, name: str | None = None, **settings: Unpack[Settings]) -> Self:
        """Load it once more with other settings: ``bpf_program__clone``.

        For one program on many targets: ``clone(attach_target="f")`` of an ``fentry``
        program, ``clone(target_program=other.progs.main)`` of ``freplace``, another
        ``attach_type`` of a cgroup program. What is not given is as this program has
        it: ``attach_type``, ``attach_target``, ``target_module``, ``target_program``,
        ``flags``, ``ifindex``, ``log_level``, ``log_size``, ``name``. Maps and globals
        are the same. Its autoload may be off, if only the clones are wanted.

        Once the object is prepared with ``prepare()``, also after load. The clone is
        not in the object's ``programs``, so ``attach()`` of the object leaves it out;
        ``close()``, ``with`` and the object's ``destroy()`` close it. Raises what load
        raises for a program, StateError without ``prepare()``, TypeError and
        OverflowError for settings that do not fit, ValueError for a name that the
        kernel does not take.
        """
        if name is not None and not all(c in _IN_NAMES for c in name or " "):
            raise ValueError(f"{self.what}: clone: {name!r} is no name for a program")
        clone: Self = self.obj.clone_program(self, name, settings)
        return clone

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- target in BTF ---------------------------------------------------------

    @checks_arguments
    def set_attach_target(
        self,
        target: str | None,
        *,
        module: str | None = None,
        program: Program | int | None = None,
    ) -> None:
        """Set :attr:`attach_target`, :attr:`target_module`, :attr:`target_program`.

        Before load, in place of what ``SEC()`` says: ``set_attach_target("main",
        program=other.progs.main)`` for a function of a loaded program,
        ``set_attach_target("nf_hook", module="nf_tables")`` for one of a module.
        """
        self.attach_target = target
        self.target_module = module
        self.target_program = program

    # -- loaded ----------------------------------------------------------------

    @property
    def loaded(self) -> bool:
        """Whether it is in the kernel, through this object."""
        return self._fd is not None and not self._closed

    def fd(self) -> int:
        """Return the file descriptor, which stays the program's."""
        if self._closed:
            raise ClosedError(f"{self.what}: destroyed already")
        if self._fd is None:
            if self._load_error is not None:
                raise StateError(
                    f"{self.what}: load() did without it: {self._load_error}"
                ) from self._load_error
            hint = "call load() first" if self._autoload else "its autoload is off"
            raise StateError(f"{self.what}: not loaded; {hint}")
        return self._fd.fileno()

    fileno = fd

    def _use(self) -> AbstractContextManager[int]:
        """Return a context manager that gives the fd and keeps it open meanwhile."""
        fd = self._fd
        if fd is None:
            self.fd()  # says why there is none
            raise ClosedError(f"{self.what}: destroyed already")
        return fd.use()

    @property
    def load_error(self) -> BpfError | None:
        """Why ``load(strict=False)`` did without it; ``None`` if it did not fail."""
        return self._load_error

    @property
    def log(self) -> str:
        """The verifier's log of the load; empty without a log level."""
        return self._log

    def info(self) -> ProgInfo:
        """Return what the kernel tells about it: id, tag, sizes, run times, ..."""
        with self._use() as fd:
            return syscalls.prog_info(fd, what=self.what)

    @checks_arguments
    def test_run(
        self,
        data: bytes | bytearray | memoryview | None = None,
        *,
        ctx: bytes | bytearray | memoryview | None = None,
        repeat: int = 0,
        flags: int = 0,
        cpu: int = 0,
        batch_size: int = 0,
        data_size_out: int | None = None,
        ctx_size_out: int = 0,
    ) -> TestRun:
        """Run it on made-up input: ``BPF_PROG_TEST_RUN``, Linux 4.12.

        ``data`` is a packet, ``ctx`` the context; which of them a program takes
        depends on its type. Makes room for a packet 256 bytes longer when
        ``data_size_out`` does not say otherwise.
        """
        if data_size_out is None:
            data_size_out = len(data) + _PACKET_HEADROOM if data else 0
        try:
            with self._use() as fd:
                return syscalls.prog_test_run(
                    fd,
                    data=data,
                    ctx=ctx,
                    repeat=repeat,
                    flags=flags,
                    cpu=cpu,
                    batch_size=batch_size,
                    data_size_out=data_size_out,
                    ctx_size_out=ctx_size_out,
                    what=self.what,
                )
        except BpfOSError as error:
            from skelgen.model import prog_types

            size = 0 if data is None else memoryview(data).nbytes
            short = size < _LEAST_PACKET and prog_types.row(self._type).packet
            if error.errno == errno.EINVAL and short:
                error.add_note(
                    f"a packet has {_LEAST_PACKET} bytes or more, its Ethernet header among"
                    f" them; data has {size}"
                )
            raise

    @checks_arguments
    def stream(self, name: str) -> ProgramStream:
        """Return a stream that it prints to: ``"stdout"`` or ``"stderr"``, Linux 6.17.

        ``bpf_stream_printk(1, ...)`` writes to ``stdout``, and ``stderr`` (2) has what the
        kernel reports of the program too: loops that took too long, bad accesses to an
        arena. :meth:`.ProgramStream.read` and :meth:`.ProgramStream.lines` take it out.
        """
        from skelgen.runtime.streams.program import NUMBERS, ProgramStream

        if name not in NUMBERS:
            raise ValueError(
                f"{self.what}: name must be {' or '.join(NUMBERS)}, not {shown(name)}"
            )
        return ProgramStream(self._use, NUMBERS[name], f"{self.what}: {name}")

    def assoc_struct_ops(self, ops: HasFd | int) -> None:
        """Tie it to a struct_ops map: ``BPF_PROG_ASSOC_STRUCT_OPS``, Linux 6.19.

        Kernel functions that a program calls, which is no operation of the map itself
        (a timer's, a tracing program), so know for which operations it calls: ``ops``
        is ``skel.maps.x``, loaded, or an fd. It cannot be undone or changed: EBUSY for a
        second map. Raises BpfError for a program of ``SEC("struct_ops")``, ValueError
        for a map of another type, NotSupportedError on kernels before.
        """
        from skelgen.runtime.programs.assoc import assoc_struct_ops
        from skelgen.runtime.programs.target import fd_of

        if self._type == ProgType.STRUCT_OPS:
            raise BpfError(f"{self.what}: belongs to the struct_ops maps that name it")
        with self._use() as fd:
            assoc_struct_ops(fd, fd_of(ops, f"{self.what}: ops", "map"), self.what)

    @checks_arguments
    def pin(self, path: str | os.PathLike[str]) -> None:
        """Keep it in the kernel under a path of a bpffs, Linux 4.4.

        The last directory of the path is made if it is missing.
        """
        from skelgen.runtime import pins

        fd = self.fd()
        place = pins.checked_path(path, f"{self.what}: path")
        pins.pin(fd, place, self.what)
        self._pins.append(place)

    @checks_arguments
    def unpin(self, path: str | os.PathLike[str] | None = None) -> None:
        """Remove the pin at a path, or all that :meth:`pin` made."""
        from skelgen.runtime import pins

        if path is None:
            while self._pins:
                pins.remove(self._pins[-1], self.what)
                self._pins.pop()
            return
        place = pins.checked_path(path, f"{self.what}: path")
        pins.remove(place, self.what)
        if place in self._pins:
            self._pins.remove(place)

    # -- attaching -------------------------------------------------------------

    _call = ""
    """The call that attaches it where ``SEC()`` does not say where to."""

    @property
    def auto_attachable(self) -> bool:
        """Whether ``SEC()`` says all that :meth:`attach` asks for.

        The object's ``attach()`` attaches such programs, and says of the others why not.
        """
        target = self.spec.attach
        return isinstance(target, TracingMulti) and target.pattern is not None

    @property
    def by_hand(self) -> str:
        """Why the object's ``attach()`` passes it over, and what to call for it."""
        if self._call:
            where = f'SEC("{self.spec.section}") does not say where to attach'
            return f"{where}; call {self._call}"
        if isinstance(self.spec.attach, TracingMulti):
            return _NO_MULTI
        hint = _OTHER_WAYS.get(self._type, "")
        from skelgen.model.constants import name_of

        name = name_of(self._type, ProgType)
        return f"programs of type {name} are not attached by a call of attach(){hint}"

    @property
    def misnamed(self) -> bool:
        """Whether ``SEC()`` has something to attach to that cannot be read as such.

        ``SEC("tp/unused")`` is so; :meth:`attach` without arguments says so.
        """
        _, _, extra = self.spec.section.partition("/")
        attach = self.spec.attach
        names_none = not any(isinstance(part, str) for part in attach)
        return bool(extra) and len(attach) > 0 and names_none

    def attach(self, *args: Any, **kwargs: Any) -> Link:  # noqa: ANN401 (by family)
        """Attach it and return the link; each family of programs has its own way.

        This class is for types that attach through something else: a route, a map
        element, another program's call.
        """
        del args, kwargs
        raise self.attach_error(self.by_hand)

    def attach_error(self, message: str) -> AttachError:
        """Return an error about attaching this program."""
        return AttachError(f"{self.what}: {message}", program=self.name)

    def no_target(self) -> AttachError:
        """Return the error about a section name that names no target."""
        return self.attach_error(self.by_hand)

    def __repr__(self) -> str:
        section = plain(self.spec.section)
        return f"<{type(self).__name__} '{plain(self.name)}' SEC(\"{section}\"): {self._life()}>"

    def _life(self) -> str:
        """Return where it is in its life, in a word or two."""
        if self._closed:
            return "destroyed"
        if self._fd is not None:
            return "loaded"
        return "not loaded" if self._skipped else "opened"


_NO_MULTI: Final = (
    "this version of skelgen cannot attach to many functions by BTF; kprobe.multi can "
    "stand in for it"
)
_OTHER_WAYS: Final[dict[int, str]] = {
    ProgType.SYSCALL: "; call run()",
    ProgType.LWT_IN: "; give it to a route: ip route add ... encap bpf in pinned PATH",
    ProgType.LWT_OUT: "; give it to a route: ip route add ... encap bpf out ...",
    ProgType.LWT_XMIT: "; give it to a route: ip route add ... encap bpf xmit ...",
    ProgType.LWT_SEG6LOCAL: "; give it to a route: ip -6 route add ... encap seg6local",
    ProgType.STRUCT_OPS: "; they are attached through the struct_ops map",
    ProgType.UNSPEC: ": set program.type before load",
}
