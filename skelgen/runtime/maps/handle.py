"""One map of an object: its definition before load, its file descriptor after."""

from __future__ import annotations

import os

from skelgen._typing import TYPE_CHECKING, Protocol
from skelgen.arguments import checks_arguments
from skelgen.model.enums import MapType
from skelgen.plain import plain
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, ClosedError, StateError
from skelgen.runtime.maps.settings import (
    Defined,
    InnerMap,
    InnerSetting,
    OrNone,
    Path,
    ProgramName,
    Setting,
)
from skelgen.runtime.maps.target import fd_of
from skelgen.runtime.process.forks import Lock
from skelgen.runtime.syscalls.used_fd import UsedFd
from skelgen.runtime.values.codec import BOOL, U32, U64

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Any, Final

    from skelgen.model.spec import MapSpec
    from skelgen.runtime.maps.request import MapRequest
    from skelgen.runtime.maps.target import SupportsFd, SupportsFileno
    from skelgen.runtime.memory.arena import Arena
    from skelgen.runtime.programs.base import Program
    from skelgen.runtime.syscalls import MapInfo


class _Closes(Protocol):
    """A user of the fd, closed before it: it would hit another map."""

    def close(self) -> None: ...


class MapHandle(Defined):
    """A map: what it will be like, then the file descriptor that owns it."""

    __slots__ = (
        "__weakref__",
        "_accesses",
        "_fd",
        "_pinned",
        "_reused",
        "_reused_id",
        "alone",
        "arena",
        "definition",
        "load_error",
        "lock",
        "name",
        "spec",
        "state",
    )
    _internal = frozenset(
        (
            *("adopt", "arena", "close", "definition", "lock", "request"),
            *("reused_fd", "reused_id", "set", "setting", "skip", "track", "use"),
            *("value_type_id", "what"),
        )
    )

    type: Setting[MapType | int] = Setting(U32)
    """``map_type``."""
    key_size: Setting[int] = Setting(U32)
    """Bytes."""
    value_size: Setting[int] = Setting(U32)
    """Bytes, of one CPU for the per-CPU types."""
    max_entries: Setting[int] = Setting(U32)
    """Elements; bytes for ring buffers, a power of two of pages."""
    flags: Setting[int] = Setting(U32)
    """``map_flags``, ``BPF_F_*``."""
    map_extra: Setting[int] = Setting(U64)
    """Hash functions of a bloom filter, address of an arena (Linux 5.16)."""
    numa_node: OrNone[int | None] = OrNone(U32)
    """NUMA node of the memory, None for any."""
    ifindex: Setting[int] = Setting(U32)
    """Network interface to offload the map to, 0 for none."""
    inner = InnerSetting()
    """Template of the inner maps of a map-in-map; None for other types."""
    pin_path: Path[str | os.PathLike[str] | None] = Path()
    """Where load looks for the map, and pins it when it is not there."""
    exclusive_program: ProgramName[Program | str | None] = ProgramName()
    """The one program that may use it; None for any (Linux 6.18)."""
    autocreate: Setting[bool] = Setting(BOOL)
    """Whether load makes the map; programs that use one that is not there fail."""

    def __init__(
        self,
        spec: MapSpec,
        *,
        pin_path: str | os.PathLike[str] | None = None,
        autocreate: bool = True,
    ) -> None:
        self.spec: Final = spec
        """The blueprint."""
        self.name: Final = spec.name
        """Name in C; the kernel keeps 15 bytes of it."""
        self.definition: Final[dict[str, Any]] = {
            "type": spec.type,
            "key_size": spec.key_size,
            "value_size": spec.value_size,
            "max_entries": spec.max_entries,
            "flags": spec.flags,
            "map_extra": spec.map_extra,
            "numa_node": spec.numa_node,
            "ifindex": 0,
            "inner": None,
            "pin_path": pin_path,
            "exclusive_program": None,
            "autocreate": autocreate,
        }
        if spec.inner is not None:
            self.definition["inner"] = InnerMap(spec.inner, self)
        self.state: str | None = None
        """Why the definition is fixed: ``"loaded"``, ``"destroyed"``; None before."""
        self.load_error: BpfError | None = None
        """Why ``load(strict=False)`` did without it; None if it did not fail."""
        self.lock: Final = Lock()
        """Held for a moment by what changes in families that several threads use."""
        self._fd: UsedFd | None = None
        self.alone = False
        """Whether it is no part of an object, so that who has it closes it."""
        self.arena: Arena | None = None
        """The memory of an arena, while it is loaded."""
        self._accesses: list[_Closes] = []
        self._pinned: list[str] = []
        self._reused: syscalls.Fd | None = None
        self._reused_id = 0

    @property
    def handle(self) -> MapHandle:
        """The map itself."""
        return self

    def __repr__(self) -> str:
        return f"<{self.what}: {self.life}>"

    @property
    def what(self) -> str:
        """How errors call it."""
        return f"map '{plain(self.name)}'"

    @property
    def life(self) -> str:
        """Where the map is in its life, in a word or two: for people."""
        if self.state == "loaded" and self._fd is None:
            return "not made"
        return self.state or "opened"

    def setting(self, name: str) -> Any:  # noqa: ANN401 (of any type)
        """Return a part of the definition."""
        return self.definition[name]

    def set(self, name: str, value: object) -> None:
        """Change a part of the definition, which was checked."""
        self.definition[name] = value

    def value_type_id(self) -> int:
        """Return the BTF type of a value; 0 once its size is another."""
        spec = self.spec
        return (
            spec.value_type_id
            if self.definition["value_size"] == spec.value_size
            else 0
        )

    @checks_arguments
    def reuse(
        self, other: SupportsFd | SupportsFileno | int | str | os.PathLike[str] | None
    ) -> None:
        """Have load use a map that exists in place of making one.

        ``other`` is a map of another object, an fd, or the path of a pin; the object
        keeps an fd of its own, so the other may be closed. The map has to be of this
        definition (type, sizes, number of entries, flags, ``map_extra``), or
        BpfError says what differs: set that before. The contents stay, also those of
        a data section. ``None`` takes it back. Raises StateError after load.
        """
        from skelgen.runtime.maps import reuse as map_reuse

        what = self.what
        if self.state is not None:
            raise StateError(f"{what}: reuse() comes before load() or prepare()")
        if self.type == MapType.STRUCT_OPS:
            raise StateError(f"{what}: struct_ops maps cannot be reused")
        fd = None
        if isinstance(other, (str, os.PathLike)):
            path = os.fspath(other)
            fd = syscalls.Fd(syscalls.obj_get(path, what=f"{what} at '{path}'"))
        elif other is not None:
            fd = syscalls.Fd(syscalls.dup(fd_of(other), what=what))
        if fd is not None:
            wanted = self.request(self.name)
            try:
                self._reused_id = map_reuse.check_same(fd.fileno(), wanted, what)
            except BaseException:
                fd.close()
                raise
        before, self._reused = self._reused, fd
        if before is not None:
            before.close()

    def request(self, name: str) -> MapRequest:
        """Return what to ask the kernel for, with sizes that depend on the machine."""
        from skelgen.model.flags import BPF_F_NUMA_NODE
        from skelgen.runtime.kernel.names import kernel_name
        from skelgen.runtime.maps import request

        spec = self.spec
        now = self.definition
        numa_node = now["numa_node"]
        if numa_node == spec.numa_node and not now["flags"] & BPF_F_NUMA_NODE:
            numa_node = None  # the file names a node without the flag that it counts
        inner: InnerMap | None = now["inner"]
        return request.finished(
            request.MapRequest(
                now["type"],
                now["key_size"],
                self.setting("value_size"),  # a data section has its own
                now["max_entries"],
                now["flags"],
                kernel_name(name),
                self.name,
                numa_node,
                now["map_extra"],
                now["ifindex"],
                spec.key_type_id if now["key_size"] == spec.key_size else 0,
                self.value_type_id(),
                None if inner is None else request.inner_request(inner, name),
            )
        )

    # -- the map in the kernel -------------------------------------------------

    def fd(self) -> int:
        """Return the file descriptor, which stays the handle's.

        Raises StateError before load or prepare (and for a map that was not made),
        ClosedError after destroy.
        """
        if self._fd is None:
            if self.state == "destroyed":
                raise ClosedError(f"{self.what}: the object was destroyed")
            if self.load_error is not None:
                raise StateError(
                    f"{self.what}: load() did without it: {self.load_error}"
                ) from self.load_error
            if self.state == "loaded":
                raise StateError(f"{self.what}: not made, its autocreate is off")
            raise StateError(
                f"{self.what}: made by load() or prepare(), which comes first"
            )
        return self._fd.fileno()

    @property
    def made(self) -> bool:
        """Whether it is in the kernel, through this object."""
        return self._fd is not None

    def info(self) -> MapInfo:
        """Return what the kernel tells about the map, Linux 4.13."""
        with self.use() as fd:
            return syscalls.map_info(fd, what=self.what)

    def freeze(self) -> None:
        """Make the map read-only for system calls: ``BPF_MAP_FREEZE``, Linux 5.2."""
        with self.use() as fd:
            syscalls.map_freeze(fd, what=self.what)

    @checks_arguments
    def pin(self, path: str | os.PathLike[str] | None = None) -> None:
        """Keep the map under a path of a bpffs (by default ``pin_path``), Linux 4.4.

        Makes the last directory when it is missing. Raises FileExistsError when
        something is there.
        """
        from skelgen.runtime import pins

        fd = self.fd()
        where = self._path(path)
        pins.pin(fd, where, self.what)
        self._pinned.append(where)

    @checks_arguments
    def unpin(self, path: str | os.PathLike[str] | None = None) -> None:
        """Remove a path that keeps the map: by default all that it has.

        Those are the paths it was pinned under here, and ``pin_path`` if load found
        or made it there.
        """
        from skelgen.runtime import pins

        paths = list(self._pinned)
        if path is not None:
            paths = [pins.checked_path(path, f"{self.what}: path")]
        if not paths:
            raise StateError(f"{self.what}: not pinned")
        for pinned in paths:
            pins.remove(pinned, self.what)
            if pinned in self._pinned:
                self._pinned.remove(pinned)

    @property
    def pinned(self) -> tuple[str, ...]:
        """Paths that keep the map, as far as this process knows."""
        return tuple(self._pinned)

    def _path(self, path: str | os.PathLike[str] | None) -> str:
        if path is None:
            path = self.pin_path
        if path is None:
            raise StateError(f"{self.what}: no path to pin it to, and no pin_path")
        from skelgen.runtime import pins

        return pins.checked_path(path, f"{self.what}: path")

    # -- for load/ -------------------------------------------------------------

    def reused_fd(self) -> int | None:
        """Return the fd of the map to use in place of a new one."""
        return None if self._reused is None else self._reused.fileno()

    def reused_id(self) -> int:
        """Return the id of the map to use in place of a new one."""
        return self._reused_id

    def _drop_reused(self) -> None:
        reused, self._reused = self._reused, None
        if reused is not None:
            reused.close()

    def adopt(self, fd: int, *, pinned: str | None = None, **settings: object) -> None:
        """Own the map's fd from now on.

        ``pinned`` is the path it was found or pinned under; ``settings`` are what the
        kernel was asked for in place of the definition, e.g. the size of a ring buffer.
        """
        self.definition.update(settings)
        self._fd = UsedFd(fd, self.what)
        self.state = "loaded"
        self._drop_reused()
        if pinned is not None:
            self._pinned.append(pinned)

    def skip(self, reason: BpfError | None = None) -> None:
        """Note that load did not make the map, and why if it failed."""
        self.load_error = reason
        self.state = "loaded"
        self._drop_reused()

    def close(self) -> None:
        """Close the fd. Idempotent."""
        self.state = "destroyed"
        self.arena = None  # views keep it mapped
        self._drop_reused()
        fd, self._fd = self._fd, None
        accesses, self._accesses = self._accesses, []
        for access in accesses:
            access.close()
        if fd is not None:
            fd.close()

    # -- for families ----------------------------------------------------------

    def use(self) -> AbstractContextManager[int]:
        """Return a context manager that gives the fd and keeps it open meanwhile."""
        fd = self._fd
        if fd is None:
            self.fd()  # says why there is none
            raise ClosedError(f"{self.what}: the object was destroyed")
        return fd.use()

    def track(self, access: _Closes) -> None:
        """Close what works with the fd before it is closed itself."""
        self._accesses.append(access)
        if self.state == "destroyed":  # it came too late to be closed with the others
            access.close()
            self.fd()  # raises
