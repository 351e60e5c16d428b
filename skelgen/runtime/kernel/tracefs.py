"""The trace file system: ids of tracepoints, traceable functions, probes of old.

Where nobody has mounted it, a mount of our own is used that no path leads to and
that is in nobody's mount table: it goes with its file descriptor.
"""

from __future__ import annotations

import errno
import os

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import log, syscalls
from skelgen.runtime.errors import BpfError, BpfOSError

if TYPE_CHECKING:
    from typing import Final, Self

PLACES: Final = ("/sys/kernel/tracing", "/sys/kernel/debug/tracing")
"""Where tracefs is mounted by convention."""
FAULTABLE: Final = (
    "the program may sleep, and few tracepoints are hit where that is allowed:"
    " sys_enter and sys_exit of raw_syscalls and all of syscalls; drop the"
    " .s of its section for others"
)
"""For the error ``EINVAL`` of a sleepable program."""


class TracefsError(BpfError):
    """tracefs cannot be reached."""


class Tracefs:
    """The trace file system, open for a while; a context manager."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: Final = _open_root()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._root.close()

    def read(self, path: str) -> bytes:
        """Return a file's contents; raises :class:`OSError`."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._root.fileno())
        with syscalls.Fd(fd), open(fd, "rb", closefd=False) as file:
            return file.read()

    def append(self, path: str, line: str) -> None:
        """Write one line to a control file; raises :class:`OSError`."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        fd = os.open(path, flags, dir_fd=self._root.fileno())
        try:
            os.write(fd, line.encode())
        finally:
            os.close(fd)

    def event_id(self, category: str, event: str) -> int:
        """Return the id of a tracepoint or probe, for ``perf_event_open``.

        Raises :class:`FileNotFoundError` when there is no such event.
        """
        return int(self.read(f"events/{category}/{event}/id"))

    def events(self, category: str) -> list[str]:
        """Return the names of a category's events; empty when there is none."""
        try:
            fd = os.open(
                f"events/{category}",
                os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC,
                dir_fd=self._root.fileno(),
            )
        except OSError:
            return []
        with syscalls.Fd(fd):
            return os.listdir(fd)


def _open_root() -> syscalls.Fd:
    refused = None
    for place in PLACES:
        try:
            # the mount points exist also when nothing is mounted there
            os.stat(f"{place}/events")
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
            return syscalls.Fd(os.open(place, flags))
        except PermissionError:
            refused = place
        except OSError:
            continue
    try:
        return _private_mount()
    except BpfOSError as error:
        raise _unreachable(refused, error) from error


def _private_mount() -> syscalls.Fd:
    log.debug("tracefs is not mounted: taking a private mount")
    with syscalls.Fd(syscalls.fsopen("tracefs")) as context:
        syscalls.fsconfig(context.fileno(), syscalls.FSCONFIG_CMD_CREATE)
        return syscalls.Fd(syscalls.fsmount(context.fileno()))


def _unreachable(refused: str | None, error: BpfOSError) -> TracefsError:
    if refused is not None:
        return TracefsError(
            f"tracefs: '{refused}' is there, but this process may not enter it "
            "(it belongs to root)"
        )
    if error.errno == errno.ENODEV:
        return TracefsError("tracefs: this kernel has none (CONFIG_TRACING)")
    result = TracefsError(
        f"tracefs: not mounted, and no private mount was to be had: {error}"
    )
    result.add_note(f"mount it: mount -t tracefs tracefs {PLACES[0]}")
    return result


def similar_events(category: str, event: str) -> str | None:
    """Return a hint about an event that is not there, ``None`` for no idea."""
    from skelgen.near_names import did_you_mean

    try:
        with Tracefs() as tracefs:
            names = tracefs.events(category)
            others = _available(tracefs)
    except (BpfError, OSError):
        return None
    there = sorted(f"'{home}/{name}'" for home, name in others if name == event)
    if there:
        return f"there is {' and '.join(there)}"
    if names:
        return did_you_mean(event, names) or None
    near = did_you_mean(category, {home for home, _ in others})
    return f"there is no category '{category}'{near and f'; {near}'}"


def similar_raw(event: str) -> str | None:
    """Return a hint about a raw tracepoint, which has no category."""
    from skelgen.near_names import did_you_mean

    try:
        with Tracefs() as tracefs:
            names = {name for _, name in _available(tracefs)}
    except (BpfError, OSError):
        return None
    home, slash, name = event.rpartition("/")
    if slash and name in names:
        return f"raw tracepoints are without a category: '{name}', not '{home}/{name}'"
    return did_you_mean(event, names) or None


def _available(tracefs: Tracefs) -> list[tuple[str, str]]:
    """Return categories and names of all events."""
    lines = tracefs.read("available_events").decode(errors="replace").split()
    return [(home, name) for home, _, name in (line.partition(":") for line in lines)]
