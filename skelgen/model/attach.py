"""Where a program attaches, as its ``SEC()`` name says.

One class a family. Text that the section name leaves out is ``None`` (a bare
``SEC("kprobe")``); such a program is attached by hand, with the text given then.
"""

from __future__ import annotations

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias


class Manual(Record):
    """Attached by hand, where the user says: xdp, tc, cgroup, sockets, netns, ..."""


class Tracepoint(Record):
    """``tp/<category>/<event>``."""

    category: str | None = None
    event: str | None = None


class RawTracepoint(Record):
    """``raw_tp/<event>``, ``raw_tp.w/<event>``."""

    event: str | None = None


class Tracing(Record):
    """A target named in BTF.

    ``tp_btf``, ``fentry``, ``fexit``, ``fmod_ret``, ``fsession``, ``freplace``,
    ``lsm``, ``lsm_cgroup`` and ``iter``.
    """

    target: str | None = None
    """Tracepoint, function, hook or iterator, without the prefix it has in BTF."""
    module: str | None = None
    """Kernel module to look in; ``None`` for vmlinux first, then every module."""


class TracingMulti(Record):
    """``fentry.multi/[<module>:]<glob>`` and its siblings."""

    pattern: str | None = None
    module: str | None = None


class Kprobe(Record):
    """``kprobe/<function>[+<offset>]``, ``kretprobe/<function>``."""

    function: str | None = None
    offset: int = 0
    retprobe: bool = False


class KprobeMulti(Record):
    """``kprobe.multi/<glob>``, ``kretprobe.multi``, ``kprobe.session``."""

    pattern: str | None = None
    retprobe: bool = False
    session: bool = False


class Ksyscall(Record):
    """``ksyscall/<name>``, ``kretsyscall/<name>``."""

    name: str | None = None
    retprobe: bool = False


class Uprobe(Record):
    """``uprobe/<path>:<function>[+<offset>]``, ``uretprobe/...``.

    ``SEC("uprobe/text")``, as older sources have it, gives a path and no function.
    """

    path: str | None = None
    function: str | None = None
    offset: int = 0
    retprobe: bool = False


class UprobeMulti(Record):
    """``uprobe.multi/<path>:<glob>``, ``uretprobe.multi``, ``uprobe.session``."""

    path: str | None = None
    pattern: str | None = None
    retprobe: bool = False
    session: bool = False


class Usdt(Record):
    """``usdt/<path>:<provider>:<name>``."""

    path: str | None = None
    provider: str | None = None
    name: str | None = None


class StructOps(Record):
    """``struct_ops``: attached through the variable that names the program."""


Attach: TypeAlias = (
    Manual
    | Tracepoint
    | RawTracepoint
    | Tracing
    | TracingMulti
    | Kprobe
    | KprobeMulti
    | Ksyscall
    | Uprobe
    | UprobeMulti
    | Usdt
    | StructOps
)
