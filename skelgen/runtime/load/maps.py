"""The maps of one load: made or found, filled, frozen, pinned."""

import errno
import os

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_MMAPABLE
from skelgen.runtime import pins, syscalls
from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.load.functions import places_of
from skelgen.runtime.load.results import MadeMap, MadeMaps
from skelgen.runtime.log import Step, debug, step
from skelgen.runtime.maps import create, reuse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from skelgen.runtime.load.functions import Code
    from skelgen.runtime.load.parts import DataMap
    from skelgen.runtime.load.results import (
        Context,
        Externals,
        KernelValue,
        ObjectBtf,
        Operations,
    )
    from skelgen.runtime.maps.handle import MapHandle
    from skelgen.runtime.maps.request import MapRequest
    from skelgen.runtime.memory.arena import Arena

_KEY = bytes(4)


def make_maps(
    context: "Context",
    externals: "Externals",
    operations: "Operations",
    code: "Mapping[str, Code]",
    btf: "ObjectBtf",
) -> MadeMaps:
    """Make the maps, in libbpf's order, put maps into maps, and map the arenas.

    ``code`` is that of the programs that are loaded.
    """
    maker = _Maker(context, externals, code, btf)
    parts, failures = context.parts, context.failures
    for name, handle in parts.maps.items():
        if handle.autocreate:
            with maker.guard(name), step("map '%s'", name) as this:
                maker.make_declared(name, handle)
                maker.tell(this, name)
    for name, data in parts.data.items():
        if data.handle.autocreate and failures.error("map", name) is None:
            with maker.guard(name), step("map '%s'", name) as this:
                maker.make_data(name, data)
                maker.tell(this, name)
    for name, value in operations.values.items():
        with maker.guard(name), step("map '%s'", name) as this:
            maker.make_struct_ops(name, value)
            maker.tell(this, name)
    for name, handle in parts.maps.items():
        made = maker.made.get(name)
        if made is not None and handle.spec.values:
            with maker.guard(name):
                maker.fill_slots(name, handle, made)
    return MadeMaps(maker.made, maker.map_arenas(), externals.kconfig)


class _Maker:
    """Makes the maps of an object; everything can be undone."""

    def __init__(
        self,
        context: "Context",
        externals: "Externals",
        code: "Mapping[str, Code]",
        btf: "ObjectBtf",
    ) -> None:
        self._parts = context.parts
        self._failures = context.failures
        self._undo = context.undo
        self._token_fd = context.token_fd
        self._externals = externals
        self._code = code
        self._btf = btf
        self.made: dict[str, MadeMap] = {}

    def tell(self, this: Step, name: str) -> None:
        """Say for the log what became of a map."""
        made = self.made.get(name)
        if made is None:
            this.done("not made")
            return
        how = "made" if made.pinned is None else f"made and pinned at '{made.pinned}'"
        if made.reused:
            how = "reused" if made.pinned is None else f"found at '{made.pinned}'"
        this.done("%s, fd %d", how, made.fd.fileno())

    def guard(self, name: str) -> "AbstractContextManager[None, bool]":
        """Return a context manager for what a map needs; a map that fails is gone."""

        def drop() -> None:
            made = self.made.pop(name, None)
            if made is not None:
                made.fd.close()
                if made.unpin is not None:
                    made.unpin()

        return self._failures.guard("map", name, drop)

    # -- maps of .maps ---------------------------------------------------------

    def make_declared(self, name: str, handle: "MapHandle") -> None:
        """Make or find a map, and pin it."""
        wanted, path = self._request(handle, name), handle.pin_path
        what = f"map '{name}'"
        if not self._find(name, handle, wanted, path, what):
            self._add(name, self._create(wanted, what), wanted)
            if path is not None:
                self._pin(name, handle, wanted, path, what)

    def _request(self, handle: "MapHandle", name: str) -> "MapRequest":
        """Return what to ask the kernel for; ``name`` is the kernel's."""
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

    def _hash_of(self, program: str, what: str) -> bytes:
        """Return the hash by which the kernel will know a program.

        ``what`` wants to know it. Raises BpfError for a program that is not loaded.
        """
        code = self._code.get(program)
        if code is not None:
            handles = self._parts.handles().items()
            fds = {name: 0 for name, handle in handles if handle.autocreate}
            places = places_of(self._parts, fds, {}, self._externals.symbols)
            return code.hash(program, places)
        if program in self._parts.programs:
            raise BpfError(
                f"{what}: exclusive_program: no program '{program}' is loaded; set its"
                " autoload"
            )
        from skelgen.near_names import or_near

        text = f"{what}: exclusive_program: the object has no program '{program}'"
        raise BpfError(or_near(text, program, self._parts.programs))

    def _create(self, wanted: "MapRequest", what: str) -> int:
        try:
            return create.create(
                wanted, what, btf_fd=self._btf.fd, token_fd=self._token_fd
            )
        except BpfOSError as error:
            self._btf.note_refusal(error)
            raise

    def _add(self, name: str, fd: int, wanted: "MapRequest") -> MadeMap:
        made = self.made[name] = MadeMap(syscalls.Fd(fd), wanted)
        self._undo.add(made.fd.close)
        return made

    # -- maps that exist -------------------------------------------------------

    def _find(
        self,
        name: str,
        handle: "MapHandle",
        wanted: "MapRequest",
        path: "str | os.PathLike[str] | None",
        what: str,
    ) -> bool:
        """Take a map that exists already; return whether there was one."""
        fd = handle.reused_fd()
        if fd is not None:
            path = None
            fd = syscalls.dup(fd, what=what)
            try:
                reuse.check_identity(fd, handle.reused_id(), what)
            except BaseException:
                syscalls.close(fd)
                raise
        elif path is not None:
            path = os.fspath(path)
            fd = reuse.open_pinned(path, wanted, what)
        if fd is None:
            return False
        made = self._add(name, fd, wanted)
        made.pinned, made.reused = path, True
        return True

    def _pin(
        self,
        name: str,
        handle: "MapHandle",
        wanted: "MapRequest",
        path: "str | os.PathLike[str]",
        what: str,
    ) -> None:
        """Pin a new map where its definition says, or take the one that is there."""
        path, made = os.fspath(path), self.made[name]
        try:
            directory = pins.pin(made.fd.fileno(), path, what)
        except FileExistsError:  # another process was faster
            if not self._find(name, handle, wanted, path, what):
                raise
            made.fd.close()
            return
        made.pinned = path
        made.unpin = lambda: pins.unpin(path, directory=directory)
        self._undo.add(made.unpin)

    # -- data sections ---------------------------------------------------------

    def make_data(self, name: str, data: "DataMap") -> None:
        """Make or find the map of a data section, with its contents, and pin it."""
        what = f"map '{name}'"
        wanted, path = (
            self._request(data.handle, data.kernel_name),
            data.handle.pin_path,
        )
        if self._find(name, data.handle, wanted, path, what):
            return
        fd = self._create_data(wanted, what)
        if fd is None:
            return
        made = self._add(name, *fd)
        image: bytes | bytearray = data.section.image()
        if self._externals.kconfig is not None and data.is_kconfig:
            image = self._externals.kconfig
        if any(image):
            syscalls.map_update(
                made.fd.fileno(), _KEY, bytes(image), what=what, sizes=made.sizes
            )
        if data.spec.readonly:
            syscalls.map_freeze(made.fd.fileno(), what=what)
        if path is not None:
            self._pin(name, data.handle, made.request, path, what)

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

    def make_struct_ops(self, name: str, value: "KernelValue") -> None:
        """Make the map of a struct_ops variable."""
        handle = self._parts.struct_ops[name].handle
        wanted = handle.request(name)._replace(
            value_size=len(value.data),
            kernel_type_id=value.value_type_id,
            module_fd=value.module_fd,
        )
        self._add(name, self._create(wanted, f"struct_ops '{name}'"), wanted)

    # -- contents --------------------------------------------------------------

    def fill_slots(self, name: str, handle: "MapHandle", made: MadeMap) -> None:
        """Put the maps into a map of maps that its declaration names."""
        if made.reused or made.request.type == MapType.PROG_ARRAY:
            return
        from skelgen.runtime.load.slots import fill_slot

        for index, inner in handle.spec.values:
            if inner not in self.made:
                debug("map '%s': slot %d: '%s' was not made", name, index, inner)
                continue
            value = self.made[inner].fd.fileno()
            fd, what = made.fd.fileno(), f"map '{inner}'"
            fill_slot(handle.name, made.sizes, fd, index, value, what)

    def map_arenas(self) -> "dict[str, Arena]":
        """Map arenas, which gives them an address and their initial contents."""
        arenas: dict[str, Arena] = {}
        section = self._parts.arena
        for name, made in list(self.made.items()):
            if made.request.type == MapType.ARENA:
                from skelgen.runtime.memory.arena import map_arena

                with self.guard(name), step("map '%s'", name) as this:
                    image = None if section is None else section.read()
                    fd = made.fd.fileno()
                    arena = map_arena(
                        fd,
                        made.request,
                        image,
                        reused=made.reused,
                        token_fd=self._token_fd,
                    )
                    if arena is not None:
                        self._undo.add(arena.unmap)
                        arenas[name] = arena
                        this.done("mapped at %#x", arena.address)
        return arenas


def hand_over_maps(context: "Context", maps: MadeMaps) -> None:
    """Make the handles the owners of their maps, and sections their contents."""
    parts = context.parts
    with step("data sections", silent=not parts.data) as this:
        for name, data in parts.data.items():
            if name in maps.by_name:
                _hand_over_section(context, data, maps.by_name[name], maps.kconfig)
        _hand_over_arenas(context, maps)
        for name, handle in parts.handles().items():
            made = maps.by_name.get(name)
            if made is None:
                handle.skip(context.failures.error("map", name))
                continue
            handle.adopt(
                made.fd.detach(),
                pinned=made.pinned,
                max_entries=made.request.max_entries,
                value_size=made.request.value_size,
                flags=made.request.flags,
            )
        if parts.data:
            this.done("%d mapped", len(parts.data))


def _hand_over_section(
    context: "Context", data: "DataMap", made: MadeMap, kconfig: bytearray | None
) -> None:
    section, fd = data.section, made.fd.fileno()
    contents = kconfig if data.is_kconfig else None
    if made.reused and data.spec.readonly:
        contents = bytearray(section.size)
        what = f"map '{section.name}'"
        syscalls.map_lookup(fd, _KEY, contents, what=what, sizes=made.sizes)
    if contents is not None:
        section.fill(contents)
    context.undo.add(section.disown)
    section.adopt(fd, mmapable=made.mmapable)


def _hand_over_arenas(context: "Context", maps: MadeMaps) -> None:
    section = context.parts.arena
    for name, arena in maps.arenas.items():
        if section is not None:
            what = f"section '{section.name}'"
            memory = arena.memory(arena.variables, section.size, what)
            context.undo.add(section.move(memory))
        context.parts.maps[name].arena = arena
