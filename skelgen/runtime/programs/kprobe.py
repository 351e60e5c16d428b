"""Programs on kernel functions, through probes: kprobe, kretprobe, ksyscall."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.model.attach import Kprobe, Ksyscall
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel import features, symbols
from skelgen.runtime.links.perf_event import attach_perf_event
from skelgen.runtime.links.probe import Place, open_probe
from skelgen.runtime.programs.base import Program

if TYPE_CHECKING:
    from typing import Final

    from skelgen.runtime.links.base import Link

# what the kernel says of a function that it lacks, or that may not be probed
_NO_FUNCTION: Final = frozenset((errno.ENOENT, errno.EINVAL, errno.EADDRNOTAVAIL))


class _KernelProbe(Program):
    """The common base of probes of kernel functions."""

    __slots__ = ()

    def _attach_probe(self, place: Place, cookie: int) -> Link:
        what = f"{self.what} on {place}"
        try:
            event = open_probe(place, what)
        except BpfOSError as error:
            if error.errno in _NO_FUNCTION and place.name is not None:
                raise self._no_function(place, error) from error
            raise
        return attach_perf_event(
            self, event.fd, cookie=cookie, what=what, undo=event.undo
        )

    def _no_function(self, place: Place, error: BpfOSError) -> Exception:
        if error.errno == errno.ENOENT:
            result = self.attach_error(f"no kernel function '{place.name}' to probe")
            hint = symbols.near(place.name or "")
            if hint:
                result.add_note(hint)
            return result
        result = self.attach_error(
            f"kernel function '{place.name}' cannot be probed at offset "
            f"{place.offset:#x}: {error.strerror}"
        )
        result.add_note(
            "it is inlined, on the list of what may not be probed "
            "(/sys/kernel/debug/kprobes/blacklist), or there are several of that name"
        )
        return result


class KprobeProgram(_KernelProbe):
    """``SEC("kprobe/<function>")`` and ``kretprobe``: type ``KPROBE``, Linux 4.1."""

    __slots__ = ()
    _call = "attach(function)"

    @property
    def auto_attachable(self) -> bool:
        """Whether ``SEC()`` names the function."""
        target = self.spec.attach
        return isinstance(target, Kprobe) and target.function is not None

    def attach(
        self,
        function: str | None = None,
        *,
        offset: int | None = None,
        address: int | None = None,
        retprobe: bool | None = None,
        cookie: int = 0,
    ) -> Link:
        """Attach to a kernel function, by default as ``SEC()`` says.

        ``offset`` is in bytes from its start; ``address`` takes the place of both.
        Through the kprobe PMU (Linux 4.17), else through tracefs. ``cookie`` is what
        ``bpf_get_attach_cookie()`` gives it (5.15).
        """
        self.fd()  # not loaded is the first thing to say
        target = self.spec.attach
        if isinstance(target, Kprobe):
            if function is None and address is None:
                function = target.function
                offset = target.offset if offset is None else offset
            retprobe = target.retprobe if retprobe is None else retprobe
        if function is None and address is None:
            raise self.no_target()
        place = Place(
            "kprobe",
            function if address is None else None,
            offset or 0 if address is None else address,
            retprobe=bool(retprobe),
        )
        return self._attach_probe(place, cookie)


class KsyscallProgram(_KernelProbe):
    """``SEC("ksyscall/<name>")`` and ``kretsyscall``: a system call's function."""

    __slots__ = ()
    _call = "attach(name)"

    @property
    def auto_attachable(self) -> bool:
        """Whether ``SEC()`` names the system call."""
        target = self.spec.attach
        return isinstance(target, Ksyscall) and target.name is not None

    def attach(
        self,
        name: str | None = None,
        *,
        retprobe: bool | None = None,
        cookie: int = 0,
    ) -> Link:
        """Attach to a system call such as ``unlinkat``, by default ``SEC()``'s.

        To ``__x64_sys_<name>`` (or the architecture's) where the kernel wraps its
        system calls, else to ``__se_sys_<name>``.
        """
        self.fd()
        target = self.spec.attach
        if isinstance(target, Ksyscall):
            name = target.name if name is None else name
            retprobe = target.retprobe if retprobe is None else retprobe
        if name is None:
            raise self.no_target()
        prefix = "se"
        if symbols.SYSCALL_PREFIX is not None and features.SYSCALL_WRAPPER.supported():
            prefix = symbols.SYSCALL_PREFIX
        function = f"__{prefix}_sys_{name}"
        return self._attach_probe(
            Place("kprobe", function, 0, retprobe=bool(retprobe)), cookie
        )
