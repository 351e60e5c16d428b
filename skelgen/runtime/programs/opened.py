"""A program before it is loaded: its settings, and the calls of the loader."""

# ruff: noqa: ANN401 (the object knows the class of its programs)

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING, Protocol
from skelgen.model.attach import Tracing
from skelgen.plain import plain
from skelgen.runtime.errors import BpfError, ClosedError, StateError
from skelgen.runtime.kernel.names import kernel_name
from skelgen.runtime.listing import Live
from skelgen.runtime.programs.settings import AutoAttach, LogSize, Name, Setting
from skelgen.runtime.syscalls.used_fd import UsedFd
from skelgen.runtime.values.codec import BOOL, U32

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final, Self

    from skelgen.model.attach import Attach
    from skelgen.model.spec import ProgramSpec
    from skelgen.runtime import syscalls
    from skelgen.runtime.programs.request import ProgramRequest

_COPIED: Final = (
    "_type",
    "_attach_type",
    "_flags",
    "_ifindex",
    "_attach_target",
    "_target_module",
    "_target_program",
    "_log_level",
    "_log_size",
)
"""Where the settings are that a clone has of its program."""


class Owner(Protocol):
    """The object of a program, as the program knows it."""

    @property
    def maps_made(self) -> bool:
        """Return whether the maps are there: prepared or loaded, not destroyed."""
        ...

    def clone_program(
        self, program: Any, name: str | None, settings: Mapping[str, object]
    ) -> Any:
        """Return a clone of a program; see :meth:`.Program.clone`."""
        ...

    def forget_clone(self, clone: Any) -> None:
        """Let go of a clone that is closed."""
        ...


class OpenedProgram(Live):
    """A program that was opened: settings that can change until it is loaded."""

    __slots__ = (
        "__weakref__",
        "_attach_target",
        "_attach_type",
        "_autoattach",
        "_autoload",
        "_cloned",
        "_closed",
        "_fd",
        "_flags",
        "_ifindex",
        "_load_error",
        "_log",
        "_log_level",
        "_log_size",
        "_pins",
        "_skipped",
        "_target_module",
        "_target_program",
        "_type",
        "name",
        "obj",
        "spec",
    )
    _internal = frozenset(
        (
            *("adopt", "like", "request", "skip", "check_not_loaded"),
            "check_not_prepared",
            *("attach_error", "check_attachable", "misnamed", "no_target", "what"),
        )
    )

    type = Setting[int](U32, early=True)
    """``prog_type``, a :class:`ProgType`; fixed by ``prepare()``."""
    attach_type = Setting[int](U32)
    """``expected_attach_type``, an :class:`AttachType` (Linux 4.17)."""
    flags = Setting[int](U32)
    """``prog_flags``, ``BPF_F_*`` of ``BPF_PROG_LOAD``, e.g. ``BPF_F_SLEEPABLE``."""
    ifindex = Setting[int](U32)
    """``prog_ifindex``: network interface to offload it to (Linux 4.15); 0 for none."""
    attach_target = Name()
    """Name of what a tracing, LSM, iterator or ``freplace`` program attaches to, as
    ``SEC()`` says; without the prefix that it has in BTF. Becomes ``attach_btf_id``
    (Linux 5.5)."""
    target_module = Name()
    """Kernel module of the target; None for vmlinux first, then all modules. Becomes
    ``attach_btf_obj_fd`` (Linux 5.12)."""
    autoload = Setting[bool](BOOL)
    """Whether load loads it; False for ``SEC("?...")``. ``prepare()`` finds out what a
    program lacks that has it on by then, load for the others."""
    autoattach = AutoAttach(BOOL)
    """Whether the object's ``attach()`` attaches it; on at first, and settable as long
    as ``attach()`` may be called."""
    log_level = Setting[int](U32)
    """Verifier log from the first try: 0 none, 1, 2 (more), 4 (statistics)."""
    log_size = LogSize()
    """Bytes of the first buffer for that log, 0 for 16 MiB; a log that is longer gets
    a larger one."""

    def __init__(self, obj: Owner, spec: ProgramSpec, name: str | None = None) -> None:
        self.obj: Final = obj
        """The object that it belongs to."""
        self.spec: Final = spec
        """Its part of the blueprint."""
        self.name: Final = name or spec.name
        """Name of its C function, or that of a clone; the kernel keeps 15 bytes."""
        self._type: int = spec.type
        self._attach_type: int = spec.attach_type
        self._flags: int = spec.flags
        self._autoload: bool = spec.autoload
        self._autoattach = True
        self._ifindex = 0
        self._log_level = 0
        self._log_size = 0
        self._log = ""
        self._attach_target, self._target_module = _named_target(spec.attach)
        self._target_program: object = None
        self._fd: UsedFd | None = None
        self._closed = False
        self._cloned = name is not None
        self._skipped = False
        self._load_error: BpfError | None = None
        self._pins: list[str] = []

    @property
    def what(self) -> str:
        """How errors call it."""
        return f"program '{plain(self.name)}'"

    # -- for load/ -------------------------------------------------------------

    def request(self, insns: bytearray) -> ProgramRequest:
        """Return what to ask the kernel for, without what depends on the object."""
        from skelgen.runtime.programs.request import ProgramRequest

        spare = self._attach_type if self.spec.attach_type_optional else 0
        return ProgramRequest(
            type=self._type,
            insns=insns,
            name=kernel_name(self.name),
            attach_type=self._attach_type,
            flags=self._flags,
            log_level=self._log_level,
            ifindex=self._ifindex,
            what=self.what,
            spare_attach_type=spare,
            log_size=self._log_size,
        )

    def adopt(self, fd: syscalls.Fd, log: str = "") -> None:
        """Own the fd of the loaded program from now on."""
        self._fd = UsedFd(fd.detach(), self.what)
        self._log = log
        self._autoload = True  # of struct_ops, whatever it was before: a variable asks

    def skip(self, reason: BpfError | None = None) -> None:
        """Note that the object was loaded without it, and why if it failed."""
        self._skipped = True
        self._load_error = reason
        if reason is None:
            self._autoload = False

    def close(self) -> None:
        """Close the fd, for good; the object's ``destroy()`` does so too. Idempotent.

        The program stays in the kernel as long as something there uses it.
        """
        self._closed = True
        if self._cloned:
            self.obj.forget_clone(self)
        if self._fd is not None:
            self._fd.close()

    def check_not_loaded(self, thing: str) -> None:
        """Raise :class:`StateError` when it is too late to set something."""
        if self._closed:
            raise ClosedError(f"{self.what}: destroyed already")
        if self._fd is not None or self._skipped:
            how = "its object was loaded without it" if self._skipped else "loaded"
            raise StateError(
                f"{self.what}: {how} already; set {thing} between open() and load()"
            )

    def check_not_prepared(self, thing: str) -> None:
        """Raise :class:`StateError` for what ``prepare()`` went by."""
        if self.obj.maps_made:
            raise StateError(
                f"{self.what}: its object is prepared already; set {thing} between"
                " open() and prepare()"
            )

    def check_attachable(self, thing: str) -> None:
        """Raise :class:`StateError` for what the object's ``attach()`` never asks."""
        if self._closed:
            raise ClosedError(f"{self.what}: destroyed already")
        if self._skipped:
            raise StateError(
                f"{self.what}: its object was loaded without it; {thing} has no meaning"
            )
        if self._cloned:
            raise StateError(
                f"{self.what}: a clone, which attach() of its object leaves out;"
                f" {thing} has no meaning"
            )

    def like(self, name: str | None, settings: Mapping[str, object]) -> Self:
        """Return a program of the same settings but some, not loaded."""
        made = type(self)(self.obj, self.spec, name or self.name)
        for slot in _COPIED:
            setattr(made, slot, getattr(self, slot))
        for setting, value in settings.items():
            if f"_{setting}" not in _COPIED[1:]:
                raise TypeError(f"{self.what}: clone() takes no '{setting}'")
            setattr(made, setting, value)
        return made


def _named_target(attach: Attach) -> tuple[str | None, str | None]:
    """Return the target in BTF and its module that ``SEC()`` names."""
    if isinstance(attach, Tracing):
        return attach.target, attach.module
    return None, None
