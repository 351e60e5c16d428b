"""Programs attached without a BPF link, for as long as nobody detaches them."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import log, syscalls
from skelgen.runtime.errors import BpfError
from skelgen.runtime.links.base import NoBpfLink, detach_at_last
from skelgen.runtime.undo import last_step

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from skelgen.runtime.links.base import AttachedProgram


class StayingLink(NoBpfLink):
    """A program that stays attached until someone detaches it.

    Unlike a BPF link it survives the process, if nobody destroys this object before
    the end. Its fd is the one that it is detached through; this owns it.
    """

    __slots__ = ("_prog",)

    def __init__(
        self, fd: int, program: AttachedProgram, attach: Callable[[], object]
    ) -> None:
        super().__init__(fd, program)
        self._prog = self._fd  # until there is another to close
        began = False
        try:
            # its own, to detach with also when the object is destroyed first
            self._prog = syscalls.Fd(syscalls.dup(program.fd(), what=program.what))
            began = True
            attach()  # last: everything that detaching needs exists by now
        except BaseException as error:
            # an interrupt in the middle of a system call is raised when that is done
            self._roll_back(interrupted=began and not isinstance(error, Exception))
            self._close()
            raise

    def _roll_back(self, *, interrupted: bool) -> None:
        """Undo an attach that failed or was interrupted."""
        if interrupted:
            try:
                self._detach()
            except BpfError as error:
                log.debug("%s: cannot take it off: %s", self.what, error)

    def _detach(self) -> None:
        """Detach the program, with both fds still open."""
        raise NotImplementedError

    def detach(self) -> None:
        """Detach the program; where that fails, it can be tried again."""
        if not self._fd.closed:
            self._detach()
            self._close()

    def destroy(self) -> None:
        """Detach the program, once; in a forked child only forget it."""
        try:
            if self._mine():
                detach_at_last(self.detach)
        finally:
            self._close()

    def _close(self) -> None:
        self._fd.close()
        self._prog.close()

    def __del__(self) -> None:
        if not hasattr(self, "_prog"):  # the constructor did not come that far
            return
        last_step(self.destroy)


class AttachedLink(StayingLink):
    """A program attached with ``BPF_PROG_ATTACH`` to a cgroup, map or namespace.

    Its fd is the target's.
    """

    __slots__ = ("_alone", "_attach_type")

    def __init__(
        self,
        target_fd: int,
        program: AttachedProgram,
        attach_type: int,
        attach: Callable[[], object],
        *,
        alone: bool = False,
    ) -> None:
        self._alone: Final = alone
        """Whether the kernel detaches what is there, whichever program is given."""
        self._attach_type: Final = attach_type
        super().__init__(syscalls.dup(target_fd, what=program.what), program, attach)

    def _detach(self) -> None:
        if self._alone and not self._is_there():
            log.debug("%s: no longer there", self.what)
            return
        try:
            syscalls.prog_detach(
                self._prog.fileno(),
                self._fd.fileno(),
                self._attach_type,
                what=self.what,
            )
        except FileNotFoundError as error:
            log.debug("%s: no longer there: %s", self.what, error)

    def _is_there(self) -> bool:
        """Return whether the program is the one in place."""
        ours = syscalls.prog_info(self._prog.fileno(), what=self.what).id
        target, hook = self._fd.fileno(), self._attach_type
        return ours in syscalls.prog_query(target, hook, what=self.what).prog_ids
