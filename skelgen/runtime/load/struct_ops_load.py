"""The struct_ops variables of one load, and the programs that they are made of."""

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import ProgType
from skelgen.runtime.errors import BpfError, StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skelgen.runtime.load.parts import Parts
    from skelgen.runtime.load.programs import Loaded
    from skelgen.runtime.load.report import Failures
    from skelgen.runtime.load.struct_ops import Callback, KernelValue
    from skelgen.runtime.load.targets import AttachTarget
    from skelgen.runtime.load.types import LoadTypes
    from skelgen.runtime.maps.struct_ops import StructOpsMap
    from skelgen.runtime.programs.base import Program


class Operations:
    """Converts the variables to the kernel's types, and says what programs are for."""

    def __init__(
        self, parts: "Parts", types: "LoadTypes", failures: "Failures"
    ) -> None:
        self._parts = parts
        self._types = types
        self._failures = failures
        self.values: dict[str, KernelValue] = {}
        """By variable, as this kernel wants it."""
        self._callbacks: dict[str, tuple[Callback, AttachTarget]] = {}
        self._users: dict[str, str] = {}

    def prepare(self) -> None:
        """Convert the variables whose autocreate is on."""
        for name, ops in self._parts.struct_ops.items():
            programs = (*dict(ops.spec.functions).values(), *ops.functions.values())
            self._users.update(
                (program, name) for program in programs if program is not None
            )
            if ops.handle.autocreate:
                with self._failures.of("map", name):
                    self._convert(name, ops)

    def _convert(self, name: str, ops: "StructOpsMap") -> None:
        if self._types.btf is None:
            raise BpfError(f"struct_ops '{name}': the object has no BTF")
        from skelgen.runtime.load.struct_ops import kernel_value

        value = kernel_value(ops, self._types.btf, self._types.kernel)
        callbacks: dict[str, tuple[Callback, AttachTarget]] = {}
        for callback in value.callbacks:
            program = self._parts.programs.get(callback.program)
            if program is None or program.type != ProgType.STRUCT_OPS:
                raise BpfError(
                    f"struct_ops '{name}': '{callback.program}' is no struct_ops"
                    " program of the object"
                )
            wanted = callback, value.target()
            known = self._callbacks.get(callback.program, wanted)
            known = callbacks.setdefault(callback.program, known)
            if known[1] != wanted[1] or known[0].member != callback.member:
                raise BpfError(
                    f"struct_ops '{name}': program '{callback.program}' is used for"
                    " two different operations"
                )
        self.values[name] = value
        self._callbacks.update(callbacks)

    def wants(self, program: "Program") -> bool:
        """Whether a struct_ops program is to be loaded: if some variable uses it.

        What the C file uses and user space took out is left out without a word.
        Raises :class:`StateError` for what nothing uses.
        """
        if program.name in self._callbacks:
            return True
        user = self._users.get(program.name)
        if user is None and program.autoload:
            raise StateError(
                f"program '{program.name}': no struct_ops variable uses it;"
                " set its autoload to False to do without"
            )
        reason = None if user is None else self._failures.error("map", user)
        if reason is not None:
            raise BpfError(
                f"program '{program.name}': of no use without struct_ops '{user}'"
            ) from reason
        return False

    def target(self, program: "Program") -> "AttachTarget | None":
        """Return what a program is loaded for, and set its expected attach type."""
        found = self._callbacks.get(program.spec.name)
        if found is None:
            return None
        callback, target = found
        program.attach_type = callback.member
        return target

    def finish(self, loaded: "Mapping[str, Loaded]", failures: "Failures") -> None:
        """Put the programs into the values that the kernel is given on attach."""
        for name, value in self.values.items():
            if failures.error("map", name) is not None:
                continue
            with failures.of("map", name):
                for callback in value.callbacks:
                    if callback.program not in loaded:
                        raise BpfError(
                            f"struct_ops '{name}': its program '{callback.program}' was"
                            " not loaded"
                        ) from failures.error("program", callback.program)
                self._parts.struct_ops[name].value = value.with_fds(loaded)
                continue
            self._parts.struct_ops[name].skip(failures.error("map", name))
