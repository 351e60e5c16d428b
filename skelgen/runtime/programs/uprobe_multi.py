"""Programs on many places of one program or library at once."""

from __future__ import annotations

import os

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.model.attach import UprobeMulti
from skelgen.model.enums import AttachType
from skelgen.model.flags import BPF_F_UPROBE_MULTI_RETURN
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.links.base import Link
from skelgen.runtime.programs.glob import compile_glob, has_wildcard
from skelgen.runtime.programs.target import process
from skelgen.runtime.programs.uprobe import FileProgram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skelgen.runtime.binaries.elf import OpenedElf
    from skelgen.runtime.binaries.symbols import ElfSymbols, Symbol


class _Wish(Record):
    """The request for a link, without its places."""

    path: str
    size: int
    """Bytes of the file."""
    ref_ctr_offsets: Sequence[int]
    cookies: Sequence[int]
    pid: int
    retprobe: bool


class UprobeMultiProgram(FileProgram):
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
        pid: int | None = -1,
        retprobe: bool | None = None,
    ) -> Link:
        """Attach to all functions of a file that match, by default as ``SEC()`` says.

        ``*`` and ``?`` are wild; a pattern with ``@`` goes by name and version.
        ``functions`` (also with versions) or ``offsets`` (in the file) name them one
        by one; then ``cookies`` and ``ref_ctr_offsets`` may have one for each. ``pid``
        is -1 or ``None`` for every process, 0 for this one. Raises what
        :meth:`UprobeProgram.attach` raises, and NotSupportedError before Linux 6.6
        (6.13 for a session).

        Where functions are looked up, the kernel is given the file that was read
        (Linux 7.2). Before, it opens what is at the path by then, as for ``offsets``.
        """
        self.fd()  # not loaded is the first thing to say
        target = self.spec.attach
        if isinstance(target, UprobeMulti):
            if path is None:
                path = target.path
                if pattern is None and not functions and not offsets:
                    pattern = target.pattern
            retprobe = target.retprobe if retprobe is None else retprobe
        if path is None or (pattern is None and not functions and not offsets):
            raise self.no_target()
        pid = process(pid, self.what)
        if sum((pattern is not None, bool(functions), bool(offsets))) > 1:
            raise ValueError(f"{self.what}: only one of pattern, functions and offsets")
        binary, size = self._binary(path)
        wish = _Wish(binary, size, ref_ctr_offsets, cookies, pid, bool(retprobe))
        if offsets:
            return self._create(wish, offsets)
        with self._open(binary) as file:
            if pattern is not None:
                found = self._matching(file, pattern)
            else:
                found = self._offsets(file, functions)
            return self._create(wish, found, file)

    def _matching(self, file: OpenedElf, pattern: str) -> list[int]:
        if not has_wildcard(pattern):
            return self._offsets(file, (pattern,))
        match = compile_glob(pattern.replace("@@", "@"))
        versions = "@" in pattern

        def look(symbols: ElfSymbols) -> list[Symbol]:
            return [
                symbol
                for symbol in symbols.functions()
                if match(
                    os.fsencode(
                        f"{symbol.name}@{symbol.version}" if versions else symbol.name
                    )
                )
            ]

        offsets = self._read(file, look)
        if not offsets:
            raise self.attach_error(f"no function in '{file.path}' matches '{pattern}'")
        return offsets

    def _create(
        self, wish: _Wish, offsets: Sequence[int], file: OpenedElf | None = None
    ) -> Link:
        """Attach to places of the file that is open, or of the one at the path."""
        from skelgen.runtime.kernel import features

        offsets = [self._checked_offset(at, wish.path, wish.size) for at in offsets]
        count = len(offsets)
        for name in ("cookies", "ref_ctr_offsets"):
            extra = getattr(wish, name)
            if extra and len(extra) != count:
                raise ValueError(f"{self.what}: {len(extra)} {name} for {count} places")
        hook, retprobe = AttachType.TRACE_UPROBE_MULTI, wish.retprobe
        if self.attach_type == AttachType.TRACE_UPROBE_SESSION:
            hook, retprobe = AttachType.TRACE_UPROBE_SESSION, False
        path_fd = None
        if file is not None and features.UPROBE_MULTI_PATH_FD.supported():
            path_fd = file.fileno()
        places = "1 place" if count == 1 else f"{count} places"
        try:
            fd = syscalls.link_create_uprobe_multi(
                self.fd(),
                path=wish.path,
                path_fd=path_fd,
                offsets=offsets,
                ref_ctr_offsets=wish.ref_ctr_offsets,
                cookies=wish.cookies,
                # the kernel has 0 for every process
                pid={-1: 0, 0: os.getpid()}.get(wish.pid, wish.pid),
                flags=BPF_F_UPROBE_MULTI_RETURN if retprobe else 0,
                attach_type=hook,
                what=f"{self.what} on {places} in '{wish.path}'",
            )
        except BpfOSError as error:
            from skelgen.runtime.kernel.features.unknown_types import raise_if_unknown

            raise_if_unknown(hook, error)
            raise
        return Link(fd, self)
