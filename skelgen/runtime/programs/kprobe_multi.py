"""Programs on many kernel functions at once."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.model.attach import KprobeMulti
from skelgen.model.enums import AttachType
from skelgen.model.flags import BPF_F_KPROBE_MULTI_RETURN
from skelgen.runtime import syscalls
from skelgen.runtime.errors import AttachError, BpfError, BpfOSError
from skelgen.runtime.kernel import symbols
from skelgen.runtime.kernel.tracefs import Tracefs
from skelgen.runtime.links.base import Link
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.glob import compile_glob, has_wildcard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_MOST: Final = 5


class KprobeMultiProgram(Program):
    """``SEC("kprobe.multi/<pattern>")`` and its siblings: type ``KPROBE``, 5.18."""

    __slots__ = ()
    _call = "attach(pattern)"

    @property
    def auto_attachable(self) -> bool:
        """Whether ``SEC()`` has a pattern."""
        target = self.spec.attach
        return isinstance(target, KprobeMulti) and target.pattern is not None

    def attach(
        self,
        pattern: str | None = None,
        *,
        functions: Sequence[str] = (),
        addresses: Sequence[int] = (),
        cookies: Sequence[int] = (),
        retprobe: bool | None = None,
    ) -> Link:
        """Attach to all functions that match, by default ``SEC()``'s pattern.

        ``*`` and ``?`` are wild. ``functions`` or ``addresses`` name them one by
        one; then ``cookies`` may have one for each. A session is what ``SEC()`` says.
        """
        prog_fd = self.fd()
        target = self.spec.attach
        session = self.attach_type == AttachType.TRACE_KPROBE_SESSION
        if isinstance(target, KprobeMulti):
            if pattern is None and not functions and not addresses:
                pattern = target.pattern
            retprobe = target.retprobe if retprobe is None else retprobe
        if pattern is not None:
            functions, addresses = self._resolve(pattern)
        if not functions and not addresses:
            raise self.no_target()
        count = len(functions) or len(addresses)
        if cookies and len(cookies) != count:
            raise ValueError(f"{self.what}: {len(cookies)} cookies, {count} functions")
        hook = _hook(session)
        try:
            fd = syscalls.link_create_kprobe_multi(
                prog_fd,
                symbols=functions,
                addresses=addresses,
                cookies=cookies,
                flags=BPF_F_KPROBE_MULTI_RETURN if retprobe and not session else 0,
                attach_type=hook,
                what=f"{self.what} on {_number(count)}",
            )
        except BpfOSError as error:
            from skelgen.runtime.kernel.features.unknown_types import raise_if_unknown

            raise_if_unknown(hook, error)
            if error.errno in {errno.ESRCH, errno.ENOENT} and functions:
                raise self._no_function(functions) from error
            raise
        return Link(fd, self)

    def _no_function(self, functions: Sequence[str]) -> AttachError:
        """Return the error about functions of which one is not there."""
        absent = symbols.missing(functions)
        if not absent:  # they are there, and one may not be probed
            names = [f"'{name}'" for name in functions[:_MOST]]
            more = " ..." if len(functions) > _MOST else ""
            word = "one of kernel functions" if len(names) > 1 else "kernel function"
            return self.attach_error(
                f"{word} {', '.join(names)}{more} cannot be traced"
            )
        some = ", ".join(f"'{name}'" for name in absent[:_MOST])
        more = f" and {len(absent) - _MOST} others" if len(absent) > _MOST else ""
        error = self.attach_error(f"no kernel function {some}{more} to probe")
        hint = symbols.near(absent[0])
        if hint:
            error.add_note(hint)
        return error

    def _resolve(self, pattern: str) -> tuple[Sequence[str], Sequence[int]]:
        if not has_wildcard(pattern):
            return (pattern,), ()
        try:
            names, addresses = traceable(pattern)
        except (BpfError, OSError) as error:
            raise self.attach_error(
                f"cannot look up '{pattern}' in the list of traceable functions: "
                f"{error}"
            ) from error
        if not names and not addresses:
            raise self.attach_error(f"no traceable kernel function matches '{pattern}'")
        return names, addresses


def _number(count: int) -> str:
    return "1 kernel function" if count == 1 else f"{count} kernel functions"


def _hook(session: bool) -> AttachType:  # noqa: FBT001 (one of two)
    if session:
        return AttachType.TRACE_KPROBE_SESSION
    return AttachType.TRACE_KPROBE_MULTI


def traceable(pattern: str) -> tuple[list[str], list[int]]:
    """Return the traceable functions that match, by address if the kernel says it.

    ``available_filter_functions_addrs`` of tracefs (Linux 6.5); before, the names in
    ``available_filter_functions`` that ``/proc/kallsyms`` has once.
    """
    match = compile_glob(pattern)
    with Tracefs() as fs:
        try:
            lines = fs.read("available_filter_functions_addrs").splitlines()
        except FileNotFoundError:
            lines = fs.read("available_filter_functions").splitlines()
        else:
            found = [line.split(None, 2) for line in lines]
            return [], [int(fields[0], 16) for fields in found if match(fields[1])]
    names = {name for name in (line.split(None, 1)[0] for line in lines) if match(name)}
    return sorted(name.decode() for name in names & _unique_symbols()), []


def _unique_symbols() -> set[bytes]:
    """Return the functions of which the kernel has one: others it would refuse."""
    once: set[bytes] = set()
    again: set[bytes] = set()
    for name in symbols.functions():
        (again if name in once else once).add(name)
    return once - again
