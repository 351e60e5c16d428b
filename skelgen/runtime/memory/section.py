"""The memory of a data section, and what happens to it when the object is loaded.

Before load (or prepare) it is private memory of this process. Then the section's map
is mapped over the same addresses, so whoever holds a view of a global then looks at
the kernel's memory. Sections that programs cannot write (``.rodata``, ``.kconfig``)
stay private and are frozen instead: the kernel's copy cannot change any more, and a
write can be refused where a store to a read-only mapping would kill the process.
"""

from __future__ import annotations

import ctypes
import mmap

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import checks_arguments
from skelgen.model.spec import DataKind, DataSpec
from skelgen.plain import plain
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, ClosedError, StateError, os_error
from skelgen.runtime.listing import Live
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from _typeshed import ReadableBuffer

    from skelgen.btf.parse import Btf
    from skelgen.runtime.memory.resize import Tail
    from skelgen.runtime.values.codec import Slot

_KEY: Final = bytes(4)


class SectionMemory(mmap.mmap):
    """Pages of a section; views of globals keep them.

    Python unmaps them when the last view is gone, whatever is mapped there by then.
    Views know their pages by identity, and load changes how these are shared: so pages
    stay the object that they are, and become of another class.
    """

    what = ""
    """How errors call it."""
    frozen = False
    """Whether writing is over."""
    live = True
    """Whether bytes that are read are up to date without :meth:`pull`."""

    def pull(self) -> None:
        """Bring the pages up to date before they are read or changed in part."""

    def push(self) -> None:
        """Hand the changed pages on to the kernel."""

    def disown(self) -> None:
        """Be pages of this process alone again, with the contents that they have."""


class PrivatePages(SectionMemory):
    """Pages of this process alone, which load freezes where programs cannot write."""

    def disown(self) -> None:
        """Let them be written again."""
        self.frozen = False

    def map_over(self, fd: int, used: int) -> None:
        """Map a BPF map over them (Linux 5.5), or have it read and written by calls."""
        what = self.what
        try:
            syscalls.map_over(
                _address(self),
                len(self),
                syscalls.PROT_READ | syscalls.PROT_WRITE,
                syscalls.MAP_SHARED,
                fd,
                contents=bytes(self),
                what=what,
            )
        except BpfOSError as error:
            debug("%s: cannot be mapped, read and written with calls: %s", what, error)
            self.call(fd, used)
        else:
            _become(self, MappedPages)

    def call(self, fd: int, used: int) -> None:
        """Read and write a BPF map by calls; its value has ``used`` bytes."""
        called: Any = self
        called.fd, called.used = fd, used
        _become(self, CalledPages)


class MappedPages(SectionMemory):
    """Pages of a map, which programs and this process share."""

    def disown(self) -> None:
        """Map private pages here again."""
        syscalls.map_private(_address(self), bytes(self), len(self), what=self.what)
        _become(self, PrivatePages)


class CalledPages(SectionMemory):
    """Pages that are read from a map and written to it by calls: it cannot be mapped."""

    live = False
    fd: int
    """Of the map, which stays the map's."""
    used: int
    """Bytes of the map's value; the pages have more."""

    def pull(self) -> None:
        """Read the map."""
        value = bytearray(self.used)
        syscalls.map_lookup(self.fd, _KEY, value, what=self.what)
        self[: self.used] = bytes(value)

    def push(self) -> None:
        """Write the map."""
        syscalls.map_update(self.fd, _KEY, self[: self.used], what=self.what)

    def disown(self) -> None:
        """Leave the map alone."""
        _become(self, PrivatePages)


def _become(pages: SectionMemory, cls: type[SectionMemory]) -> None:
    pages.__class__ = cls


class Section(Live):
    """A data section of an object: ``.data``, ``.rodata``, ``.bss``, ``.kconfig``."""

    __slots__ = ("_btf", "_loaded", "_memory", "_size", "_tail", "slots", "spec")
    _internal = frozenset(
        (
            *("memory", "readable", "resized", "slots", "tail", "what", "writable"),
            *("adopt", "close", "disown", "fill", "image", "move"),
        )
    )

    def __init__(
        self,
        spec: DataSpec,
        image: ReadableBuffer | None = None,
        btf: Callable[[], Btf] | None = None,
    ) -> None:
        self.spec: Final = spec
        """Its blueprint."""
        self._btf: Final = btf
        self._size = spec.size
        self._tail: Tail | None = None
        self._memory: SectionMemory | None = _private(spec.section, spec.size)
        if image is not None:
            self._memory[: spec.size] = bytes(image)
        self._loaded = False
        self.slots: Final[dict[object, Slot[Any]]] = {}
        """Slots of globals that are in use; emptied whenever they have to change."""

    @property
    def name(self) -> str:
        """Name of the ELF section."""
        return self.spec.section

    @property
    def what(self) -> str:
        """How errors call it."""
        return f"section '{plain(self.name)}'"

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    @property
    def readonly(self) -> bool:
        """Whether writing is refused now."""
        return self.memory().frozen or self.spec.kind is DataKind.KCONFIG

    def __repr__(self) -> str:
        state = "destroyed" if self._memory is None else f"{self.size} bytes"
        return f"<{self.what}: {state}>"

    # -- size ------------------------------------------------------------------

    @checks_arguments
    def resize(self, size: int) -> None:
        """Give the section another size in bytes: ``bpf_map__set_value_size``.

        Before load. Its last variable has to be an array, which becomes longer or
        shorter by whole elements; new ones are zero. Views of globals from before
        stay with the memory from before. Raises StateError when it is too late,
        TypeError where the last variable is no array, ValueError for part of an
        element, OverflowError for no element at all and for more than 2 GiB.
        """
        memory = self.memory()
        what = self.what
        if self._loaded:
            raise StateError(
                f"{what}: its size cannot change after load() or prepare()"
            )
        from skelgen.runtime.memory import resize

        tail = self.tail()
        if not tail.size(1) <= size <= resize.MAX_SIZE:
            raise OverflowError(
                f"{what}: must have {tail.size(1)}..{resize.MAX_SIZE} bytes, got {size}"
            )
        if (size - tail.offset) % tail.element:
            raise ValueError(
                f"{what}: {size} bytes are not a whole number of elements of"
                f" '{plain(tail.name)}': {tail.offset} and a multiple of {tail.element}"
            )
        kept = memory[: min(size, self._size)]
        self._memory = _private(self.name, size)
        self._memory[: len(kept)] = kept
        self._size = size
        self._tail = tail
        self.slots.clear()

    def tail(self) -> Tail:
        """Return the array that ends the section, as the object declares it.

        Raises TypeError where something else does, or where nothing tells.
        """
        if self.spec.kind is DataKind.KCONFIG:
            raise TypeError(f"{self.what}: the kernel's configuration")
        if self._btf is None or not self.spec.type_id:
            raise TypeError(
                f"{self.what}: the object has no BTF of its variables, so its"
                " size cannot change"
            )
        from skelgen.runtime.memory import resize

        return resize.find_tail(self._btf(), self.name, self.spec.type_id)

    @property
    def resized(self) -> tuple[Tail, int] | None:
        """The array that has another length than declared, and that length."""
        tail = self._tail
        if tail is None or self._size == self.spec.size:
            return None
        return tail, (self._size - tail.offset) // tail.element

    # -- contents --------------------------------------------------------------

    @checks_arguments
    def read(self, offset: int = 0, size: int | None = None) -> bytes:
        """Return bytes of the section, all of them by default.

        Raises StateError for ``.kconfig`` before load, ClosedError after destroy.
        """
        memory = self.readable(self.what)
        end = self.size if size is None else offset + size
        if not 0 <= offset <= end <= self.size:
            raise IndexError(f"{self.what}: bytes {offset}..{end} of {self.size}")
        return memory[offset:end]

    @checks_arguments
    def write(self, data: ReadableBuffer, offset: int = 0) -> None:
        """Write bytes into the section.

        Raises StateError once it is read-only, ClosedError after destroy.
        """
        memory = self.writable(self.what)
        data = bytes(data)
        if not 0 <= offset <= offset + len(data) <= self.size:
            raise IndexError(
                f"{self.what}: bytes {offset}..{offset + len(data)} " f"of {self.size}"
            )
        memory.pull()
        memory[offset : offset + len(data)] = data
        memory.push()

    def memory(self, whose: str = "") -> SectionMemory:
        """Return the pages, or raise ClosedError."""
        if self._memory is None:
            whose = whose or self.what
            raise ClosedError(f"{whose}: the object was destroyed")
        return self._memory

    def readable(self, whose: str) -> SectionMemory:
        """Return the pages for reading, up to date; StateError when it is too early."""
        memory = self.memory(whose)
        if self.spec.kind is DataKind.KCONFIG and not self._loaded:
            raise StateError(
                f"{whose}: known after load() or prepare() only, which reads it"
            )
        memory.pull()
        return memory

    def writable(self, whose: str) -> SectionMemory:
        """Return the pages for writing; StateError when that is over."""
        memory = self.memory(whose)
        if self.spec.kind is DataKind.KCONFIG:
            raise StateError(
                f"{whose}: read-only, load() fills it in; open(kconfig=...) overrides"
            )
        if memory.frozen:
            raise StateError(
                f"{whose}: '{plain(self.name)}' is read-only after load() or prepare(); "
                "assign before"
            )
        return memory

    # -- for load/ -------------------------------------------------------------

    def image(self) -> bytes:
        """Return the contents, to create the map with."""
        return self.memory()[: self.size]

    def fill(self, data: ReadableBuffer, offset: int = 0) -> None:
        """Write before load, also what users may not: values of ``.kconfig``."""
        data = bytes(data)
        self.memory()[offset : offset + len(data)] = data

    def adopt(self, fd: int, *, mmapable: bool | None = None) -> None:
        """Become the contents of the map ``fd``, which has the same by now.

        ``mmapable``: whether it was made with ``BPF_F_MMAPABLE`` (default: as the
        blueprint says). The fd stays the map's.
        """
        pages = self.memory()
        assert isinstance(pages, PrivatePages)  # before load
        self._loaded = True
        if self.spec.readonly:
            pages.frozen = True
        elif not (self.spec.mmapable if mmapable is None else mmapable):
            pages.call(fd, self._size)
        else:
            pages.map_over(fd, self._size)
        self.slots.clear()

    def disown(self) -> None:
        """Undo :meth:`adopt`, of a load that failed after it."""
        self._loaded = False
        self.memory().disown()
        self.slots.clear()

    def move(self, memory: Any) -> Callable[[], None]:  # noqa: ANN401 (ctypes)
        """Switch to an ``ArenaMemory``; return a function that switches back.

        Views from before stay what they were, and can no more be written.
        """
        old, what = self.memory(), self.what
        old.frozen = self._loaded = True
        old.what = f"{what} as it was before load()"
        self._memory = memory
        self.slots.clear()

        def stay() -> None:
            old.frozen = self._loaded = False
            old.what = what
            self._memory = old
            self.slots.clear()

        return stay

    def close(self) -> None:
        """Give the pages up; views of globals keep theirs. Idempotent."""
        self.slots.clear()
        memory, self._memory = self._memory, None
        if memory is not None:
            if isinstance(memory, CalledPages):
                memory.disown()
            try:
                memory.close()
            except BufferError:
                debug("section '%s': views keep its memory", self.name)


def _private(name: str, size: int) -> PrivatePages:
    """Return pages of zeros, of this process alone."""
    what = f"section '{plain(name)}'"
    try:
        pages = PrivatePages(
            -1,
            max(size, 1),
            flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
            prot=mmap.PROT_READ | mmap.PROT_WRITE,
        )
    except OSError as error:
        raise os_error(error.errno or 0, command="mmap", what=what) from error
    pages.what = what
    return pages


def _address(pages: SectionMemory) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(pages))
