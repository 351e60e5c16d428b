"""Programs that user space calls."""

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import wrong
from skelgen.runtime.programs.base import Program

if TYPE_CHECKING:
    from skelgen.runtime.values.struct import Struct, Union


class SyscallProgram(Program):
    """``SEC("syscall")``: runs when it is called, and may sleep; Linux 5.14."""

    __slots__ = ()

    def run(
        self, ctx: "Struct | Union | bytes | bytearray | memoryview | None" = None
    ) -> int:
        """Run it once and return what it returns, as C's ``int``.

        ``ctx`` is its argument, at most 65535 bytes: a struct of the module, or
        bytes. It comes back as the program left it, unless it is read-only. Raises
        BpfOSError.
        """
        try:
            view = None if ctx is None else memoryview(ctx).cast("B")
        except TypeError:
            raise wrong("ctx", "a struct or bytes", ctx, self.what) from None
        done = self.test_run(ctx=view)
        if view is not None and not view.readonly:
            view[:] = done.ctx_out
        return done.retval - (done.retval >> 31 << 32)
