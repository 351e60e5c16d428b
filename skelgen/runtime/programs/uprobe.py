"""Programs on functions of programs and libraries: uprobe, uretprobe."""

from __future__ import annotations

import errno
import os

from skelgen._typing import TYPE_CHECKING
from skelgen.model.attach import Uprobe, Usdt
from skelgen.runtime.binaries.elf import ElfError, OpenedElf
from skelgen.runtime.binaries.symbols import ElfSymbols, Symbol
from skelgen.runtime.errors import (
    AttachError,
    BpfOSError,
    TargetNotFoundError,
    describe,
)
from skelgen.runtime.links.perf_event import attach_perf_event
from skelgen.runtime.links.probe import Place, open_probe
from skelgen.runtime.log import warn_caller
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.target import process, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Final

    from skelgen.runtime.links.base import Link

_LIBRARIES: Final = (
    "/usr/lib64:/usr/lib:/lib64:/lib"
    f":/usr/lib/{os.uname().machine}-linux-gnu:/lib/{os.uname().machine}-linux-gnu"
)
_PROGRAMS: Final = "/usr/bin:/usr/sbin"
_PLACES: Final = (("PATH", _PROGRAMS), ("LD_LIBRARY_PATH", _LIBRARIES))


def find_binary(name: str) -> str | None:
    """Return the path of a program or library, ``None`` when it is nowhere.

    A name without ``/`` is looked for as the shell and the loader do: libraries in
    ``LD_LIBRARY_PATH`` and the usual directories, others in ``PATH``.
    """
    if "/" in name:
        return name
    for directory in _folders(library=".so" in name):
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            return path
    return None


def _folders(*, library: bool) -> list[str]:
    """Return where libraries or programs are looked for."""
    variable, usual = _PLACES[library]
    paths = f"{os.environ.get(variable, '')}:{usual}"
    return [directory for directory in paths.split(":") if directory]


def _no_binary(name: str) -> str:
    """Return what to say of a name that no program or library has."""
    from skelgen.near_names import did_you_mean

    library = ".so" in name
    kind = "library" if library else "program"
    text = f"no {kind} '{name}' in {_PLACES[library][0]} or the usual directories"
    there = set(_names(_folders(library=True)))
    # users of BCC say "c" for libc.so.6
    meant = {f"{stem}.so" for stem in (name, f"lib{name}")} if not library else ()
    libraries = [other for other in there if other.startswith(tuple(meant))]
    if meant and libraries:
        best = max(libraries, key=lambda other: (".so." in other, -len(other), other))
        return f"{text}; the library is '{best}'"
    hint = did_you_mean(name, there if library else _names(_folders(library=False)))
    return f"{text}; {hint or 'give its path'}"


def _names(directories: list[str]) -> Iterator[str]:
    """Yield the files in directories; one that cannot be read has none."""
    for directory in directories:
        try:
            yield from os.listdir(directory)
        except OSError:
            continue


class FileProgram(Program):
    """The base of programs on places in a file."""

    __slots__ = ()

    def _binary(self, path: str | os.PathLike[str]) -> tuple[str, int]:
        """Return where a program or library is, and its size in bytes."""
        name = os.fspath(path)
        found = find_binary(name)
        if found is None:
            raise TargetNotFoundError(
                f"{self.what}: {_no_binary(name)}", program=self.name, filename=name
            )
        try:
            return found, os.stat(found).st_size
        except OSError as error:
            raise self._unreadable(found, error) from error

    def _unreadable(self, path: str, error: OSError | ElfError) -> AttachError:
        if isinstance(error, ElfError):
            return self.attach_error(str(error))
        if error.errno in {errno.ENOENT, errno.ENOTDIR}:
            text = f"{self.what}: no file '{path}'"
            return TargetNotFoundError(text, program=self.name, filename=path)
        return self.attach_error(f"'{path}': {describe(error.errno or 0)}")

    def _open(self, path: str) -> OpenedElf:
        """Open a program or library."""
        try:
            return OpenedElf(path)
        except (ElfError, OSError) as error:
            raise self._unreadable(path, error) from error

    def _read(
        self, file: OpenedElf, look: Callable[[ElfSymbols], list[Symbol]]
    ) -> list[int]:
        """Return the file offsets of functions that ``look`` finds, each once."""
        path = file.path
        if not file.runs_here():
            raise self.attach_error(
                f"'{path}' is for another machine (ELF's number {file.machine}); its"
                " code never runs here"
            )
        try:
            found = look(ElfSymbols(file))
        except (ElfError, OSError) as error:
            raise self._unreadable(path, error) from error
        resolvers = sorted({symbol.name for symbol in found if symbol.resolver})
        if resolvers:
            some = ", ".join(f"'{name}'" for name in resolvers[:3])
            more = f" and {len(resolvers) - 3} others" if len(resolvers) > 3 else ""
            warn_caller(
                f"{self.what}: in '{path}', {some}{more} only chooses the function"
                " that runs, once in a process (IFUNC): the probe does not see calls"
            )
        return list(dict.fromkeys(symbol.offset for symbol in found))

    def _offsets(self, file: OpenedElf, functions: Sequence[str]) -> list[int]:
        """Return the file offset of each function."""

        def look(symbols: ElfSymbols) -> list[Symbol]:
            found.extend(symbols.find_all(functions))
            return found

        found: list[Symbol] = []
        self._read(file, look)
        return [symbol.offset for symbol in found]

    def _checked_offset(self, offset: object, path: str, size: int) -> int:
        """Return an offset in a file, as it has to be."""
        number = whole(offset, f"{self.what}: offset")
        if number < 0:
            raise ValueError(f"{self.what}: offset {number} is negative")
        if number >= size:
            raise ValueError(
                f"{self.what}: offset {number:#x} is past the end of '{path}', which has"
                f" {size} bytes"
            )
        return number


class UprobeProgram(FileProgram):
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
        pid: int | None = -1,
        retprobe: bool | None = None,
        ref_ctr_offset: int = 0,
        cookie: int = 0,
    ) -> Link:
        """Attach to a function in a file, by default as ``SEC()`` says.

        A path without ``/`` is looked for in the usual places. A function may have a
        version: ``memcpy@GLIBC_2.2.5``; without, it is the default one. ``offset`` is
        in bytes from the function's start, or without a function in the file. ``pid``
        is -1 or ``None`` for every process, 0 for this one. ``ref_ctr_offset`` is the
        file offset of a USDT semaphore (Linux 4.20). Raises AttachError for what the
        file has not, TargetNotFoundError where the file is not, ValueError for an
        offset that is not in it.
        """
        self.fd()  # not loaded is the first thing to say
        target = self.spec.attach
        if isinstance(target, Uprobe):
            if path is None and function is None and target.function is not None:
                path, function = target.path, target.function
                offset = target.offset if offset is None else offset
            retprobe = target.retprobe if retprobe is None else retprobe
        if path is None:
            raise self.no_target()
        if function is None and offset is None:
            raise self.attach_error(
                f"'{os.fspath(path)}' needs a function, or an offset in the file; call"
                " attach(path, function)"
            )
        pid = process(pid, self.what)
        binary, size = self._binary(path)
        at = 0 if offset is None else self._checked_offset(offset, binary, size)
        if function is not None:
            with self._open(binary) as file:
                (start,) = self._offsets(file, (function,))
            at = self._checked_offset(start + at, binary, size)
        semaphore = whole(ref_ctr_offset, f"{self.what}: ref_ctr_offset")
        if not 0 <= semaphore < 1 << 32:
            raise ValueError(
                f"{self.what}: ref_ctr_offset {semaphore} is no file offset"
            )
        place = Place(
            "uprobe",
            binary,
            at,
            retprobe=bool(retprobe),
            pid=pid,
            ref_ctr_offset=semaphore,
        )
        what = f"{self.what} on {place}"
        try:
            event = open_probe(place, what)
        except BpfOSError as error:
            if error.errno == errno.ESRCH:
                error.add_note(f"there is no process {pid}")
            raise
        return attach_perf_event(
            self, event.fd, cookie=cookie, what=what, undo=event.undo
        )


class UsdtProgram(FileProgram):
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
