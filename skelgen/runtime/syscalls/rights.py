"""Hints why the kernel said ``EPERM``: capabilities, sysctls, lockdown, seccomp.

What is here is read from ``/proc`` and ``/sys`` when something has failed already; a
file that cannot be read says nothing.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

_CAP_NET_ADMIN: Final = 12
_CAP_SYS_ADMIN: Final = 21
_CAP_PERFMON: Final = 38
_CAP_BPF: Final = 39
_NAMES: Final = {
    _CAP_NET_ADMIN: "CAP_NET_ADMIN",
    _CAP_SYS_ADMIN: "CAP_SYS_ADMIN",
    _CAP_PERFMON: "CAP_PERFMON",
    _CAP_BPF: "CAP_BPF",
}

# What a call needs. CAP_SYS_ADMIN stands in for CAP_BPF and CAP_PERFMON, which are
# capabilities of their own since Linux 5.8.
_NEEDS: Final[dict[str, tuple[int, ...]]] = {
    "BPF_MAP_CREATE": (_CAP_BPF,),
    "BPF_PROG_LOAD": (_CAP_BPF,),
    "BPF_BTF_LOAD": (_CAP_BPF,),
    "BPF_PROG_GET_NEXT_ID": (_CAP_SYS_ADMIN,),
    "BPF_MAP_GET_NEXT_ID": (_CAP_SYS_ADMIN,),
    "BPF_BTF_GET_NEXT_ID": (_CAP_SYS_ADMIN,),
    "BPF_LINK_GET_NEXT_ID": (_CAP_SYS_ADMIN,),
    "BPF_PROG_GET_FD_BY_ID": (_CAP_SYS_ADMIN,),
    "BPF_MAP_GET_FD_BY_ID": (_CAP_SYS_ADMIN,),
    "BPF_BTF_GET_FD_BY_ID": (_CAP_SYS_ADMIN,),
    "BPF_LINK_GET_FD_BY_ID": (_CAP_SYS_ADMIN,),
    "BPF_ENABLE_STATS": (_CAP_SYS_ADMIN,),
    "BPF_PROG_ATTACH": (_CAP_NET_ADMIN,),
    "BPF_PROG_DETACH": (_CAP_NET_ADMIN,),
    "BPF_PROG_QUERY": (_CAP_NET_ADMIN,),
    "RTM_SETLINK": (_CAP_NET_ADMIN,),
    "RTM_NEWQDISC": (_CAP_NET_ADMIN,),
    "RTM_DELQDISC": (_CAP_NET_ADMIN,),
    "RTM_NEWTFILTER": (_CAP_NET_ADMIN,),
    "RTM_DELTFILTER": (_CAP_NET_ADMIN,),
    "BPF_RAW_TRACEPOINT_OPEN": (_CAP_PERFMON,),
    "BPF_TASK_FD_QUERY": (_CAP_PERFMON,),
    "BPF_LINK_CREATE": (_CAP_BPF,),
    "BPF_PROG_TEST_RUN": (_CAP_BPF,),
    "perf_event_open": (_CAP_PERFMON,),
    "PERF_EVENT_IOC_SET_BPF": (_CAP_PERFMON,),
    "fsopen": (_CAP_SYS_ADMIN,),
    "fsconfig": (_CAP_SYS_ADMIN,),
    "fsmount": (_CAP_SYS_ADMIN,),
}

_UNPRIVILEGED: Final = frozenset(("BPF_MAP_CREATE", "BPF_PROG_LOAD", "BPF_BTF_LOAD"))
_WHOLE_RANGE: Final = ["0", "0", "4294967295"]


class Process(Record):
    """The facts that decide over this process's rights; ``None`` if one cannot be read."""

    capabilities: int | None
    """``CapEff``, a bit a capability."""
    seccomp: bool
    """Whether a filter looks at its system calls."""
    user_namespace: bool
    """Whether it is in a user namespace of its own, where capabilities are weak."""
    lockdown: str | None
    """``none``, ``integrity`` or ``confidentiality``."""
    unprivileged_bpf_disabled: int | None
    """The sysctl: 0 allowed, 1 disabled for good, 2 disabled."""
    perf_event_paranoid: int | None
    """The sysctl; 2 or more keeps kernel events from processes without rights."""


def read_process() -> Process:
    """Read what decides over this process's rights."""
    status = dict(
        line.split(":\t", 1)
        for line in read_text("/proc/self/status").splitlines()
        if ":\t" in line
    )
    capabilities = status.get("CapEff")
    lockdown = read_text("/sys/kernel/security/lockdown")
    return Process(
        capabilities=int(capabilities, 16) if capabilities else None,
        seccomp=status.get("Seccomp", "0").strip() == "2",
        user_namespace=read_text("/proc/self/uid_map").split()
        not in ([], _WHOLE_RANGE),
        lockdown=lockdown.partition("[")[2].partition("]")[0] or None,
        unprivileged_bpf_disabled=_number(
            read_text("/proc/sys/kernel/unprivileged_bpf_disabled")
        ),
        perf_event_paranoid=_number(read_text("/proc/sys/kernel/perf_event_paranoid")),
    )


def read_text(path: str) -> str:
    """Return what is in a file, nothing for one that cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def needed(command: str, kind: int | None = None) -> tuple[str, ...]:
    """Return the names of the capabilities that a call needs.

    ``kind`` is the type of the program to load, or of the map to make.
    """
    return tuple(_NAMES[cap] for cap in _needed(command, kind))


def missing(command: str, kind: int | None = None) -> tuple[str, ...]:
    """Return the names of those capabilities that this process lacks."""
    held = read_process().capabilities
    if held is None:
        return ()
    return tuple(_NAMES[cap] for cap in _needed(command, kind) if not _has(held, cap))


def _needed(command: str, kind: int | None) -> list[int]:
    caps = list(_NEEDS.get(command, ()))
    if command == "BPF_PROG_LOAD" and kind is not None:
        from skelgen.model import prog_types

        program = prog_types.row(kind)
        if program.perfmon:
            caps.append(_CAP_PERFMON)
        if program.net_admin:
            caps.append(_CAP_NET_ADMIN)
    if command == "BPF_MAP_CREATE" and kind is not None:
        from skelgen.model import map_types

        if map_types.row(kind).net_admin:
            caps.append(_CAP_NET_ADMIN)
    return caps


def _has(capabilities: int, cap: int) -> bool:
    if capabilities >> cap & 1:
        return True
    # CAP_BPF and CAP_PERFMON were split from it; CAP_NET_ADMIN was not
    return cap in {_CAP_BPF, _CAP_PERFMON} and bool(capabilities >> _CAP_SYS_ADMIN & 1)


def explain(
    command: str, kind: int | None = None, known: Iterable[str] = ()
) -> list[str]:
    """Return what stands in the way of a call, a line each, the best guess first.

    Looks at this process now; ``command`` is named as in :class:`BpfOSError`. Where
    nothing is found, ``known`` hints included, the last line is a guess.
    """
    process = read_process()
    hints = [
        *_capability_hints(process, command, kind),
        *_lockdown_hints(process),
        *known,
    ]
    if not hints and process.seccomp:
        hints.append(
            f"a seccomp filter looks at this process's system calls and may refuse "
            f"{_call_of(command)} (containers have one: allow it there)"
        )
    if not hints:
        hints.append(
            "this process has the capabilities for it: the kernel's configuration "
            "or a security module (SELinux, AppArmor) refuses it"
        )
    return hints


def _call_of(command: str) -> str:
    return "bpf(2)" if command.startswith("BPF_") else command


def _capability_hints(process: Process, command: str, kind: int | None) -> list[str]:
    if process.capabilities is None:
        return []
    needs = _needed(command, kind)
    missing = [cap for cap in needs if not _has(process.capabilities, cap)]
    if missing:
        names = " and ".join(_NAMES[cap] for cap in missing)
        hints = [f"this process lacks {names}: run as root or grant it"]
        disabled = process.unprivileged_bpf_disabled
        if command in _UNPRIVILEGED and disabled:
            hints.append(f"sysctl kernel.unprivileged_bpf_disabled is {disabled}")
        paranoid = process.perf_event_paranoid
        if command == "perf_event_open" and paranoid is not None and paranoid > 1:
            hints.append(f"sysctl kernel.perf_event_paranoid is {paranoid}")
        return hints
    if process.user_namespace:
        hint = (
            "this process is in a user namespace of its own, where capabilities do "
            "not count for BPF: run in the initial one, or use a BPF token"
        )
        return [hint]
    return []


def _lockdown_hints(process: Process) -> list[str]:
    if process.lockdown in {None, "none"}:
        return []
    hint = (
        f"the kernel is locked down ({process.lockdown}, see "
        "/sys/kernel/security/lockdown), which limits tracing and BPF"
    )
    return [hint]


# -- pins ----------------------------------------------------------------------

_BPF_FS_MAGIC: Final = 0xCAFE4A11
_MOUNT_POINT: Final = 4  # field of /proc/self/mountinfo


def is_bpffs(path: str) -> bool | None:
    """Return whether a path is on a bpffs, ``None`` when it cannot be told."""
    number = file_system(path)
    return None if number is None else number == _BPF_FS_MAGIC


def file_system(path: str) -> int | None:
    """Return the kind of file system that a path is on, ``*_MAGIC`` of ``statfs(2)``.

    ``None`` when it cannot be told.
    """
    buffer = ctypes.create_string_buffer(256)
    if ctypes.CDLL(None)["statfs"](os.fsencode(path), buffer) != 0:
        return None
    # the type comes first: 4 bytes on s390x, a long elsewhere
    size = 4 if os.uname().machine == "s390x" else ctypes.sizeof(ctypes.c_long)
    return int.from_bytes(buffer.raw[:size], sys.byteorder)


def no_bpffs(path: str) -> str:
    """Return what to say of a path that is not on a bpffs."""
    there = mounts("bpf")
    if there:
        return f"'{path}' is not on a bpffs, which is mounted at {' and '.join(there)}"
    return f"'{path}' is not on a bpffs; mount one: mount -t bpf bpf /sys/fs/bpf"


def mounts(kind: str) -> list[str]:
    """Return where file systems of a kind are mounted, as ``mountinfo`` calls it."""
    found: list[str] = []
    for line in read_text("/proc/self/mountinfo").splitlines():
        fields, _, source = line.partition(" - ")
        words = fields.split()
        if source.split(" ", 1)[0] == kind and len(words) > _MOUNT_POINT:
            found.append(words[_MOUNT_POINT].replace(r"\040", " "))
    return found


def explain_pin(path: str, error: int) -> list[str]:
    """Return why something could not be pinned at a path."""
    parent = os.path.dirname(path) or "."
    if error == errno.ENOENT and not os.path.isdir(parent):
        return [f"there is no directory '{parent}'"]
    if error in {errno.EPERM, errno.ENOENT, errno.EINVAL} and not is_bpffs(parent):
        return [no_bpffs(parent)]
    return explain("BPF_OBJ_PIN") if error == errno.EPERM else []
