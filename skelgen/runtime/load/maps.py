"""The maps of one load: made or found, filled, frozen, pinned."""

import errno
import os
import sys

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_MMAPABLE
from skelgen.runtime import pins, syscalls
from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.log import Step, debug, step
from skelgen.runtime.maps import create, reuse
from skelgen.runtime.syscalls.sizes import CopySizes, sizes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from skelgen.runtime.load.btf import LoadedBtf
    from skelgen.runtime.load.parts import DataMap, Parts
    from skelgen.runtime.load.report import Failures
    from skelgen.runtime.load.struct_ops import KernelValue
    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.maps.request import MapRequest
    from skelgen.runtime.memory.arena import Arena
    from skelgen.runtime.undo import Undo

_KEY = bytes(4)


class MadeMap:
    """A map of this load, before its handle owns it."""

    __slots__ = ("fd", "mmapable", "pinned", "request", "reused", "unpin")

    def __init__(self, fd: syscalls.Fd, wanted: "MapRequest") -> None:
        self.fd = fd
        self.request = wanted
        """Its definition, as the kernel has it."""
        self.pinned: str | None = None
        """Path that keeps it."""
        self.unpin: Callable[[], None] | None = None
        """Removes the pin, if it was made for this load."""
        self.reused = False
        """Whether it was found there."""
        self.mmapable = bool(wanted.flags & BPF_F_MMAPABLE)

    @property
    def sizes(self) -> CopySizes:
        """What the kernel copies for an element."""
        return sizes_of(self.request)


class MapMaker:
    """Makes all maps of an object, then hands them over; everything can be undone."""

    def __init__(
        self,
        parts: "Parts",
        undo: "Undo",
        failures: "Failures",
        *,
        btf: "LoadedBtf",
        token_fd: int,
        hash_of: "Callable[[str, str], bytes]",
    ) -> None:
        self._parts = parts
        self._undo = undo
        self._failures = failures
        self._btf = btf
        self._token_fd = token_fd
        self._hash_of = hash_of
        self._kconfig: bytearray | None = None
        self._arenas: dict[str, Arena] = {}
        self.made: dict[str, MadeMap] = {}
        """By name; a data section's by the section's. Those with autocreate off are
        missing."""

    def make_all(
        self, kconfig: "bytearray | None", operations: "Mapping[str, KernelValue]"
    ) -> None:
        """Make the maps, in libbpf's order, and put maps into maps."""
        self._kconfig = kconfig
        for name, handle in self._parts.maps.items():
            if handle.autocreate:
                with self.attempt(name), step("map '%s'", name) as this:
                    self._make_declared(name, handle)
                    self._tell(this, name)
        for data in self._parts.data.values():
            failed = self._failures.error("map", data.spec.section)
            if data.handle.autocreate and failed is None:
                name = data.spec.section
                with self.attempt(name), step("map '%s'", name) as this:
                    self._make_data(data)
                    self._tell(this, name)
        for name, value in operations.items():
            with self.attempt(name), step("map '%s'", name) as this:
                self._make_struct_ops(name, value)
                self._tell(this, name)
        for name, handle in self._parts.maps.items():
            if handle.type != MapType.PROG_ARRAY and name in self.made:
                with self.attempt(name):
                    self._fill_slots(name, handle)

    def _tell(self, this: Step, name: str) -> None:
        """Say for the log what became of a map."""
        made = self.made.get(name)
        if made is None:
            this.done("not made")
            return
        how = "made" if made.pinned is None else f"made and pinned at '{made.pinned}'"
        if made.reused:
            how = "reused" if made.pinned is None else f"found at '{made.pinned}'"
        this.done("%s, fd %d", how, made.fd.fileno())

    def attempt(self, name: str) -> "AbstractContextManager[None, bool]":
        """Return a context manager for what a map needs; a map that fails is gone."""

        def drop() -> None:
            made = self.made.pop(name, None)
            if made is not None:
                made.fd.close()
                if made.unpin is not None:
                    made.unpin()

        return self._failures.of("map", name, drop)

    # -- maps of .maps ---------------------------------------------------------

    def _make_declared(self, name: str, handle: "MapHandle") -> None:
        wanted = self._request(handle, name)
        what = f"map '{name}'"
        if not self._find(name, handle, wanted, what):
            self._add(name, self._create(wanted, what), wanted)
            self._pin(name, handle, wanted, what)

    def _request(self, handle: "MapHandle", name: str) -> "MapRequest":
        wanted = handle.request(name)
        program = handle.exclusive_program
        if program is None:
            return wanted
        what = f"map '{handle.name}'"
        if not isinstance(program, str):
            if self._parts.programs.get(program.name) is not program:
                raise BpfError(
                    f"{what}: exclusive_program: {program.what} is a clone, or of another"
                    " object"
                )
            program = program.name
        return wanted._replace(program_hash=self._hash_of(program, what))

    def _create(self, wanted: "MapRequest", what: str) -> int:
        try:
            return create.create(
                wanted, what, btf_fd=self._btf.fd, token_fd=self._token_fd
            )
        except BpfOSError as error:
            if self._btf.refusal:
                error.add_note(
                    f"the kernel did not take the object's BTF: {self._btf.refusal}"
                )
            raise

    def _add(self, name: str, fd: int, wanted: "MapRequest") -> MadeMap:
        made = self.made[name] = MadeMap(syscalls.Fd(fd), wanted)
        self._undo.add(made.fd.close)
        return made

    # -- maps that exist -------------------------------------------------------

    def _find(
        self, name: str, handle: "MapHandle", wanted: "MapRequest", what: str
    ) -> bool:
        """Take a map that exists already; return whether there was one."""
        fd = handle.reused_fd()
        path = None
        if fd is not None:
            fd = syscalls.dup(fd, what=what)
            try:
                reuse.check_identity(fd, handle.reused_id(), what)
            except BaseException:
                syscalls.close(fd)
                raise
        elif handle.pin_path is not None:
            path = os.fspath(handle.pin_path)
            fd = reuse.open_pinned(path, wanted, what)
        if fd is None:
            return False
        made = self._add(name, fd, wanted)
        made.pinned, made.reused = path, True
        return True

    def _pin(
        self, name: str, handle: "MapHandle", wanted: "MapRequest", what: str
    ) -> None:
        """Pin a new map where its definition says, or take the one that is there."""
        if handle.pin_path is None:
            return
        path, made = os.fspath(handle.pin_path), self.made[name]
        try:
            directory = pins.pin(made.fd.fileno(), path, what)
        except FileExistsError:  # another process was faster
            if not self._find(name, handle, wanted, what):
                raise
            made.fd.close()
            return
        made.pinned = path
        made.unpin = lambda: pins.unpin(path, directory=directory)
        self._undo.add(made.unpin)

    # -- data sections ---------------------------------------------------------

    def _make_data(self, data: "DataMap") -> None:
        section = data.section
        what = f"map '{section.name}'"
        wanted = self._request(data.handle, data.kernel_name)
        if self._find(section.name, data.handle, wanted, what):
            return
        fd = self._create_data(wanted, what)
        if fd is None:
            return
        made = self._add(section.name, fd[0], fd[1])
        image: bytes | bytearray = section.image()
        if self._kconfig is not None and data.is_kconfig:
            image = self._kconfig
        if any(image):
            syscalls.map_update(
                made.fd.fileno(), _KEY, bytes(image), what=what, sizes=made.sizes
            )
        if section.spec.readonly:
            syscalls.map_freeze(made.fd.fileno(), what=what)
        self._pin(section.name, data.handle, fd[1], what)

    def _create_data(
        self, wanted: "MapRequest", what: str
    ) -> "tuple[int, MapRequest] | None":
        """Make the map of a data section as far as this kernel has such maps."""
        try:
            return self._create(wanted, what), wanted
        except BpfOSError as error:
            if error.errno != errno.EINVAL:
                raise
            first = error.with_traceback(None)
        from skelgen.runtime.kernel import features

        if features.GLOBAL_DATA.supported() is False:
            # programs that do not use it can still be loaded
            debug("%s: this kernel has no global data", what)
            return None
        if wanted.flags & BPF_F_MMAPABLE and features.ARRAY_MMAP.supported() is False:
            flags = wanted.flags & ~BPF_F_MMAPABLE
            wanted = wanted._replace(flags=flags)
            return self._create(wanted, what), wanted
        raise first

    # -- struct_ops ------------------------------------------------------------

    def _make_struct_ops(self, name: str, value: "KernelValue") -> None:
        handle = self._parts.struct_ops[name].handle
        wanted = handle.request(name)._replace(
            value_size=len(value.data),
            kernel_type_id=value.value_type_id,
            module_fd=value.module_fd,
        )
        self._add(name, self._create(wanted, f"struct_ops '{name}'"), wanted)

    # -- initial slots ---------------------------------------------------------

    def _fill_slots(self, name: str, handle: "MapHandle") -> None:
        """Put the maps into a map of maps that its declaration names."""
        made = self.made[name]
        if made.reused:
            return
        for index, inner in handle.spec.values:
            if inner not in self.made:
                debug("map '%s': slot %d: '%s' was not made", name, index, inner)
                continue
            fd, value = made.fd.fileno(), self.made[inner].fd.fileno()
            fill_slot(handle, fd, index, value, f"map '{inner}'")

    # -- arenas ----------------------------------------------------------------

    def map_arenas(self) -> None:
        """Map arenas, which gives them an address and their initial contents."""
        for name, made in list(self.made.items()):
            if made.request.type == MapType.ARENA:
                from skelgen.runtime.memory.arena import map_arena

                with self.attempt(name), step("map '%s'", name) as this:
                    section = self._parts.arena
                    arena = map_arena(
                        made.fd.fileno(),
                        made.request,
                        None if section is None else section.read(),
                        reused=made.reused,
                    )
                    if arena is not None:
                        self._undo.add(arena.unmap)
                        self._arenas[name] = arena
                        this.done("mapped at %#x", arena.address)

    # -- in the end ------------------------------------------------------------

    def hand_over(self) -> None:
        """Make the handles the owners of their maps, and sections their contents."""
        parts = self._parts
        for name, data in parts.data.items():
            if name in self.made:
                self._hand_over_section(data, self.made[name])
        self._hand_over_arenas()
        for name, handle in parts.handles().items():
            made = self.made.get(name)
            if made is None:
                reason = self._failures.error("map", name)
                handle.skip(reason)
                continue
            handle.adopt(
                made.fd.detach(),
                pinned=made.pinned,
                max_entries=made.request.max_entries,
                value_size=made.request.value_size,
                flags=made.request.flags,
            )

    def _hand_over_section(self, data: "DataMap", made: MadeMap) -> None:
        section, fd = data.section, made.fd.fileno()
        contents = self._kconfig if data.is_kconfig else None
        if made.reused and data.spec.readonly:
            contents = bytearray(section.size)
            what = f"map '{section.name}'"
            syscalls.map_lookup(fd, _KEY, contents, what=what, sizes=made.sizes)
        if contents is not None:
            section.fill(contents)
        self._undo.add(section.disown)
        section.adopt(fd, mmapable=made.mmapable)

    def _hand_over_arenas(self) -> None:
        section = self._parts.arena
        for name, arena in self._arenas.items():
            if section is not None:
                memory = arena.memory(0, section.size, f"section '{section.name}'")
                self._undo.add(section.move(memory))
            self._parts.maps[name].arena = arena


def fill_slot(
    handle: "MapHandle", fd: int, index: int, value: int, thing: str
) -> bytes:
    """Put the fd of a map or program into a slot of the map ``fd``; return its key."""
    key = index.to_bytes(handle.key_size, sys.byteorder)
    syscalls.map_update(
        fd,
        key,
        value.to_bytes(4, sys.byteorder),
        what=f"map '{handle.name}': slot {index} for {thing}",
        sizes=sizes_of(handle),
    )
    return key
