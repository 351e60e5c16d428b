"""struct_ops maps: variables whose members are programs."""

from __future__ import annotations

import ctypes
from types import MappingProxyType

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.arguments import checks_arguments, must_derive, shown
from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_LINK
from skelgen.model.spec import MapSpec
from skelgen.plain import plain
from skelgen.runtime.entry import attaching
from skelgen.runtime.errors import StateError
from skelgen.runtime.maps.base import Map
from skelgen.runtime.maps.handle import MapHandle
from skelgen.runtime.maps.shadow import Image, Shadow
from skelgen.runtime.values.codec import BOOL, checked

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from _typeshed import ReadableBuffer

    from skelgen.model.spec import StructOpsSpec
    from skelgen.runtime.errors import BpfError
    from skelgen.runtime.links.struct_ops import StructOpsLink
    from skelgen.runtime.programs.base import Program

S = TypeVar("S", bound=Shadow)


class StructOpsMap(Map):
    """A struct_ops variable of an object, and the map that it becomes: Linux 5.6.

    Its members are settable before load: through the shadow in a generated skeleton
    (``skel.struct_ops.x``), or with :meth:`write` and :meth:`set_program`.
    """

    __slots__ = (
        "_autoattach",
        "_functions",
        "_image",
        "_no_value",
        "_programs",
        "spec",
        "value",
    )
    _internal = frozenset(("frozen", "loaded_value", "skip", "what"))

    def __init__(
        self,
        spec: StructOpsSpec,
        image: memoryview,
        programs: Mapping[str, Program],
    ) -> None:
        super().__init__(
            MapHandle(
                MapSpec(
                    spec.name,
                    MapType.STRUCT_OPS,
                    key_size=4,
                    value_size=len(image),
                    max_entries=1,
                    flags=BPF_F_LINK if spec.link else 0,
                ),
                autocreate=spec.autocreate,
            )
        )
        self.spec: Final = spec
        """The blueprint."""
        self._image: Final = Image(self, image)
        self._programs: Final = programs
        self._functions: dict[str, str | None] = dict(spec.functions)
        self._autoattach = True
        self.value: bytes | None = None
        """The value that the kernel is given on attach; known after load."""
        self._no_value: BpfError | None = None

    def _serves(self, type_: int) -> bool:
        return type_ == MapType.STRUCT_OPS

    @property
    def what(self) -> str:
        """How errors call it."""
        return f"struct_ops '{plain(self.name)}'"

    @property
    def frozen(self) -> bool:
        """Whether the kernel has been given its value."""
        return self.handle.state is not None

    @property
    def autoattach(self) -> bool:
        """Whether the object's ``attach()`` registers it; settable as long as it can."""
        return self._autoattach

    @autoattach.setter
    def autoattach(self, value: bool) -> None:
        if self.handle.state is not None:
            self.handle.fd()  # or say why it is not there
        self._autoattach = checked(BOOL, value, f"{self.what}: autoattach")

    def check_setting(self, name: str, value: object) -> None:
        """Refuse what the kernel's struct decides: TypeError."""
        fixed = {"type", "key_size", "value_size", "max_entries"}
        if name in fixed and value != self._handle.setting(name):
            raise TypeError(
                f"{self.what}: its {name} is that of the kernel's struct, and not set"
            )

    # -- members ---------------------------------------------------------------

    @checks_arguments
    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """Return bytes of the variable as the object declares it, by default all.

        Function pointers are 0 in it; see :attr:`functions`.
        """
        end = len(self._image) if size is None else offset + size
        self._check_range(offset, end)
        return bytes(self._image[offset:end])

    @checks_arguments
    def write(self, data: ReadableBuffer, offset: int = 0) -> None:
        """Write bytes into the variable. Raises :class:`StateError` after load."""
        self._check_open()
        data = bytes(data)
        self._check_range(offset, offset + len(data))
        self._image[offset : offset + len(data)] = data

    @property
    def functions(self) -> Mapping[str, str | None]:
        """Program of each member that is a function, None for one that was cleared."""
        return MappingProxyType(self._functions)

    @checks_arguments
    def program(self, member: str) -> Program | None:
        """Return the program that a member is set to, None for none."""
        name = self._functions.get(member)
        return None if name is None else self._programs[name]

    def set_program(self, member: str, program: Program | None) -> None:
        """Set a function, or clear it with None. Raises :class:`StateError` after load.

        Load looks whether there is such a member. A program that no variable uses in
        the end is not loaded.
        """
        self._check_open()
        self._functions[member] = (
            None if program is None else self._own(member, program)
        )

    def _own(self, member: str, program: Program) -> str:
        """Return the name of a program of this object, or raise."""
        from skelgen.runtime.programs.struct_ops import StructOpsProgram

        text = f"{self.what}: member '{plain(str(member))}' must be"
        if not isinstance(program, StructOpsProgram):
            name = getattr(program, "what", shown(program))
            raise TypeError(
                f'{text} a program in SEC("struct_ops") or None, got'
                f" {type(program).__name__} {name}"
            )
        if self._programs.get(program.name) is not program:
            raise ValueError(f"{text} a program of the same object")
        return program.name

    def shadow(self, cls: type[S]) -> S:
        """Return the variable as a generated class, whose members are its own."""
        must_derive(ctypes.Structure, cls, "cls", "a class of a struct", self.what)
        size = ctypes.sizeof(cls)
        if size != len(self._image):
            raise TypeError(
                f"{self.what}: {len(self._image)} bytes, but {cls.__name__} has {size}"
            )
        view = cls.from_buffer(self._image)
        object.__setattr__(view, "__owner__", self._image)
        return view

    def _check_open(self) -> None:
        if self._image.frozen:
            raise StateError(
                f"{self.what}: read-only; assign before load() or prepare()"
            )

    def _check_range(self, start: int, end: int) -> None:
        if not 0 <= start <= end <= len(self._image):
            raise IndexError(f"{self.what}: bytes {start}..{end} of {len(self._image)}")

    # -- in the kernel ---------------------------------------------------------

    def skip(self, reason: BpfError | None) -> None:
        """Note that the object was loaded without its value (the loader's part)."""
        self._no_value = reason

    @property
    def load_error(self) -> BpfError | None:
        """Why ``load(strict=False)`` did without it; ``None`` if it did not fail."""
        return self._no_value or self.handle.load_error

    @attaching
    def attach(self) -> StructOpsLink:
        """Register the operations in the kernel.

        They stay registered as long as the link. Raises :class:`StateError` before
        load, :class:`BpfOSError` where the kernel refuses, e.g. a name twice.
        """
        from skelgen.runtime.links.struct_ops import attach_struct_ops

        fd = self.fd()
        return attach_struct_ops(
            fd, self.loaded_value(), link=self.spec.link, what=self.what
        )

    def loaded_value(self) -> bytes:
        """Return :attr:`value`, or raise :class:`StateError`."""
        if self.value is None:
            reason = self.load_error
            if reason is not None:
                raise StateError(
                    f"{self.what}: load() did without it: {reason}"
                ) from reason
            raise StateError(f"{self.what}: not loaded; call load() first")
        return self.value
