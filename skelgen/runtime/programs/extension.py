"""Programs that replace a function of another program."""

import errno

from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel.loaded_btf import function_of_program
from skelgen.runtime.links.base import Link
from skelgen.runtime.programs.target import HasFd, fd_of
from skelgen.runtime.programs.tracing import TracingProgram


class ExtensionProgram(TracingProgram):
    """``SEC("freplace/<function>")``: type ``EXT``, Linux 5.6."""

    __slots__ = ()
    _call = "attach(program, function)"

    @property
    def auto_attachable(self) -> bool:
        """Whether :meth:`set_attach_target` named the program to extend."""
        return self.target_program is not None

    def attach(
        self,
        program: HasFd | int | None = None,
        function: str | None = None,
        *,
        cookie: int = 0,
    ) -> Link:
        """Replace the function that it was loaded for, or another of the same form.

        ``program`` (or its fd) and ``function`` name the other one (Linux 5.10). Once
        it was detached it can be attached again; before 5.10 it has to be loaded
        again.
        """
        prog_fd = self.fd()
        if program is None and function is None:
            try:
                return super().attach(cookie=cookie)
            except BpfOSError as error:
                # the kernel forgets the target that it was loaded for once it was
                # attached, and wants to be told of it again (before 5.13 by ENOENT)
                asked_for = error.errno in {errno.EINVAL, errno.ENOENT}
                if not asked_for or self.target_program is None:
                    raise
            program, function = self.target_program, self.attach_target
        name = function or self.attach_target
        if program is None or name is None:
            raise self.attach_error(
                "it takes a program and a function; call attach(program, function)"
            )
        target_fd = fd_of(program, f"{self.what}: program", "program")
        fd = syscalls.link_create_tracing(
            prog_fd,
            0,
            target_fd=target_fd,
            target_btf_id=function_of_program(target_fd, name, self.name),
            cookie=cookie,
            what=f"{self.what} on function '{name}'",
        )
        return Link(fd, self)
