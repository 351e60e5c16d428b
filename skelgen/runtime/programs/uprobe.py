"""Programs on functions of programs and libraries: uprobe, uretprobe."""

from __future__ import annotations

import os

from skelgen.model.attach import Uprobe, UprobeMulti, Usdt
from skelgen.model.enums import AttachType
from skelgen.runtime import syscalls
from skelgen.runtime.elf_symbols import ElfError, open_symbols
from skelgen.runtime.links.base import Link
from skelgen.runtime.links.perf_event import attach_perf_event
from skelgen.runtime.links.probe import Place, open_probe
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.glob import compile_glob, has_wildcard
from skelgen.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_F_RETURN: Final = 1  # BPF_F_UPROBE_MULTI_RETURN
_LIBRARIES: Final = (
    "/usr/lib64:/usr/lib:/lib64:/lib"
    f":/usr/lib/{os.uname().machine}-linux-gnu:/lib/{os.uname().machine}-linux-gnu"
)
_PROGRAMS: Final = "/usr/bin:/usr/sbin"


def find_binary(name: str) -> str | None:
    """Return the path of a program or library, ``None`` when it is nowhere.

    A name without ``/`` is looked for as the shell and the loader do: libraries in
    ``LD_LIBRARY_PATH`` and the usual directories, others in ``PATH``.
    """
    if "/" in name:
        return name
    if ".so" in name:
        paths = (os.environ.get("LD_LIBRARY_PATH", ""), _LIBRARIES)
    else:
        paths = (os.environ.get("PATH", ""), _PROGRAMS)
    for directory in ":".join(paths).split(":"):
        path = os.path.join(directory, name)
        if directory and os.path.isfile(path):
            return path
    return None


class _FileProgram(Program):
    """What uprobes have in common."""

    __slots__ = ()

    def _binary(self, path: str) -> str:
        found = find_binary(path)
        if found is None:
            raise self.attach_error(f"no program or library '{path}' on this machine")
        return found

    def _offset(self, path: str, function: str) -> int:
        try:
            return open_symbols(path).find(function).offset
        except (ElfError, OSError) as error:
            raise self.attach_error(
                f"cannot find function '{function}': {error}"
            ) from error


class UprobeProgram(_FileProgram):
    """``SEC("uprobe/<path>:<function>")`` and ``uretprobe``: type ``KPROBE``, 4.3."""

    __slots__ = ()
    _call = "attach(path, function)"

    @property
    def auto_attachable(self) -> bool:
        """Whether ``SEC()`` names the file and the function."""
        target = self.spec.attach
        return isinstance(target, Uprobe) and target.path is not None

    def attach(
        self,
        path: str | os.PathLike[str] | None = None,
        function: str | None = None,
        *,
        offset: int | None = None,
        pid: int = -1,
        retprobe: bool | None = None,
        ref_ctr_offset: int = 0,
        cookie: int = 0,
    ) -> Link:
        """Attach to a function in a file, by default as ``SEC()`` says.

        A path without ``/`` is looked for in the usual places. ``offset`` is in
        bytes from the function's start, or without a function in the file. ``pid``
        is -1 for every process, 0 for this one. ``ref_ctr_offset`` is the file
        offset of a USDT semaphore (Linux 4.20).
        """
        self.fd()  # not loaded is the first thing to say
        target = self.spec.attach
        if isinstance(target, Uprobe):
            if path is None and function is None and target.function is not None:
                path, function = target.path, target.function
                offset = target.offset if offset is None else offset
            retprobe = target.retprobe if retprobe is None else retprobe
        if path is None or (function is None and offset is None):
            raise self.no_target()
        binary = self._binary(os.fspath(path))
        start = 0 if function is None else self._offset(binary, function)
        place = Place(
            "uprobe",
            binary,
            start + (offset or 0),
            retprobe=bool(retprobe),
            pid=pid,
            ref_ctr_offset=ref_ctr_offset,
        )
        what = f"{self.what} on {place}"
        event = open_probe(place, what)
        return attach_perf_event(
            self, event.fd, cookie=cookie, what=what, undo=event.undo
        )


class UprobeMultiProgram(_FileProgram):
    """``SEC("uprobe.multi/<path>:<pattern>")`` and its siblings, Linux 6.6."""

    __slots__ = ()
    _call = "attach(path, pattern)"

    @property
    def auto_attachable(self) -> bool:
        """Whether ``SEC()`` names the file and a pattern."""
        target = self.spec.attach
        return isinstance(target, UprobeMulti) and target.path is not None

    def attach(
        self,
        path: str | os.PathLike[str] | None = None,
        pattern: str | None = None,
        *,
        functions: Sequence[str] = (),
        offsets: Sequence[int] = (),
        ref_ctr_offsets: Sequence[int] = (),
        cookies: Sequence[int] = (),
        pid: int = -1,
        retprobe: bool | None = None,
    ) -> Link:
        """Attach to all functions of a file that match, by default as ``SEC()`` says.

        ``*`` and ``?`` are wild. ``functions`` or ``offsets`` (in the file) name
        them one by one; then ``cookies`` and ``ref_ctr_offsets`` may have one for
        each. ``pid`` is -1 for every process, 0 for this one.
        """
        prog_fd = self.fd()
        target = self.spec.attach
        session = self.attach_type == AttachType.TRACE_UPROBE_SESSION
        if isinstance(target, UprobeMulti):
            if path is None:
                path = target.path
                if pattern is None and not functions and not offsets:
                    pattern = target.pattern
            retprobe = target.retprobe if retprobe is None else retprobe
        if path is None or (pattern is None and not functions and not offsets):
            raise self.no_target()
        binary = self._binary(os.fspath(path))
        if pattern is not None:
            offsets = self._matching(binary, pattern)
        elif functions:
            offsets = [self._offset(binary, function) for function in functions]
        for extra in (cookies, ref_ctr_offsets):
            if extra and len(extra) != len(offsets):
                raise ValueError(
                    f"{self.what}: {len(extra)} values for {len(offsets)} places"
                )
        hook = AttachType.TRACE_UPROBE_MULTI
        if session:
            hook = AttachType.TRACE_UPROBE_SESSION
        fd = syscalls.link_create_uprobe_multi(
            prog_fd,
            path=binary,
            offsets=offsets,
            ref_ctr_offsets=ref_ctr_offsets,
            cookies=cookies,
            # the kernel has 0 for every process
            pid={-1: 0, 0: os.getpid()}.get(pid, pid),
            flags=_F_RETURN if retprobe and not session else 0,
            attach_type=hook,
            what=f"{self.what} on {len(offsets)} places in '{binary}'",
        )
        return Link(fd, self)

    def _matching(self, path: str, pattern: str) -> list[int]:
        if not has_wildcard(pattern):
            return [self._offset(path, pattern)]
        match = compile_glob(pattern)
        try:
            offsets = [
                symbol.offset
                for symbol in open_symbols(path).functions()
                if match(symbol.name.encode())
            ]
        except (ElfError, OSError) as error:
            raise self.attach_error(f"cannot look up '{pattern}': {error}") from error
        if not offsets:
            raise self.attach_error(f"no function in '{path}' matches '{pattern}'")
        return offsets


class UsdtProgram(_FileProgram):
    """``SEC("usdt/<path>:<provider>:<name>")``: type ``KPROBE``."""

    __slots__ = ()

    @property
    def auto_attachable(self) -> bool:
        """Whether ``SEC()`` names the probe."""
        target = self.spec.attach
        return isinstance(target, Usdt) and target.name is not None

    @property
    def by_hand(self) -> str:
        """Why no call attaches it."""
        return _NO_USDT

    def attach(self) -> Link:
        """Raise :class:`AttachError`: this skelgen does not attach to USDT probes."""
        raise self.attach_error(_NO_USDT)


_NO_USDT: Final = (
    "this version of skelgen cannot attach to USDT probes; a uprobe at the probe's "
    "file offset can stand in for it"
)
