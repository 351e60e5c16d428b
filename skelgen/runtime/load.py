"""Loading an object into the kernel: all of it, or nothing.

The order is libbpf's: what this kernel provides (externs, types for CO-RE and
struct_ops), then BTF, maps, programs. Nothing belongs to the object before the last
step; whatever fails before is taken back.
"""

# pyright: reportPrivateUsage=false
# sections and handles have methods for the loader alone

import os
import sys
from typing import TYPE_CHECKING

from skelgen.btf.errors import BtfParseError
from skelgen.model.enums import MapType, ProgType
from skelgen.model.spec import DataKind, ExternKind
from skelgen.runtime import syscalls
from skelgen.runtime.btf_load import LoadedBtf, load_btf
from skelgen.runtime.errors import BpfError, BpfOSError, StateError
from skelgen.runtime.load_maps import MapMaker
from skelgen.runtime.load_programs import Loaded, ProgramLoader, check_type
from skelgen.runtime.load_types import LoadTypes
from skelgen.runtime.relocate import MapPlace, Places
from skelgen.runtime.undo import Undo

if TYPE_CHECKING:
    from skelgen.runtime.attach_btf import AttachTarget
    from skelgen.runtime.externs import Symbol
    from skelgen.runtime.parts import Parts
    from skelgen.runtime.programs.base import Program
    from skelgen.runtime.struct_ops import Callback, KernelValue


def load(parts: "Parts") -> None:
    """Load an object. Raises :class:`BpfError`; then nothing is left behind."""
    try:
        _Load(parts).run()
    except BpfOSError as error:
        if not isinstance(error, PermissionError) or not _lift_memlock():
            raise
        _Load(parts).run()


def _lift_memlock() -> bool:
    """Lift the limit of kernels before 5.11; return whether it was worth it."""
    import resource  # noqa: PLC0415 - when something failed

    from skelgen.runtime import features  # noqa: PLC0415 - likewise

    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    features.bump_memlock()
    return resource.getrlimit(resource.RLIMIT_MEMLOCK) != before


class _Load:
    """One attempt."""

    def __init__(self, parts: "Parts") -> None:
        self._parts = parts
        self._undo = Undo()
        self._temporary = Undo()
        self._types = LoadTypes(parts)
        self._temporary.add(self._types.close)
        self._token_fd = 0
        self._operations: dict[str, KernelValue] = {}
        self._callbacks: dict[str, tuple[Callback, AttachTarget]] = {}

    def run(self) -> None:
        """Do it, or take back what was done."""
        name = self._parts.spec.name
        try:
            self._load()
            self._undo.keep()
        except BtfParseError as error:
            raise BpfError(f"object '{name}': {error}") from error
        finally:
            self._undo.run()
            self._temporary.run()

    def _load(self) -> None:
        parts, spec = self._parts, self._parts.spec
        if spec.byteorder != sys.byteorder:
            raise BpfError(
                f"object '{spec.name}': compiled for {spec.byteorder}-endian machines,"
                f" and this one is {sys.byteorder}-endian"
            )
        self._take_token()
        config = self._kconfig()
        symbols, fd_array = self._symbols()
        self._prepare_struct_ops()
        programs = self._programs()
        loader = ProgramLoader(parts, self._undo, self._temporary, self._types)
        for program in programs:
            loader.relocate_core(program)
        btf = self._load_btf()
        maker = MapMaker(parts, self._undo, btf_fd=btf.fd, token_fd=self._token_fd)
        maker.make_all(config, self._operations)
        self._map_arenas(maker)
        places = self._places(maker, symbols)
        loaded: dict[str, Loaded] = {}
        for program in programs:
            target = None
            if program.name in self._callbacks:
                callback, target = self._callbacks[program.name]
                program.attach_type = callback.member
            loaded[program.name] = loader.load(
                program, places, btf, fd_array, target, self._token_fd
            )
            maker.bind_rodata(program.name, loaded[program.name].fd.fileno())
        maker.fill_program_slots(loaded)
        self._hand_over(maker, loaded, config)

    # -- before the kernel is asked for anything -------------------------------

    def _take_token(self) -> None:
        """Get the token that a container's bpffs delegates rights with."""
        path = self._parts.options.token
        if path is None:
            return
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            what = f"token of '{path}'"
            token = syscalls.Fd(syscalls.token_create(folder, what=what))
        finally:
            os.close(folder)
        self._temporary.add(token.close)
        self._token_fd = token.fileno()

    def _kconfig(self) -> bytearray | None:
        """Return the contents of ``.kconfig``."""
        for data in self._parts.data.values():
            if data.is_kconfig:
                from skelgen.runtime import kconfig  # noqa: PLC0415 - not for all

                externs = self._parts.spec.externs
                text = self._parts.options.kconfig
                return kconfig.fill(externs, text, bytes(data.spec.size))
        return None

    def _symbols(self) -> "tuple[dict[str, Symbol], list[int]]":
        """Return the kernel symbols by name, and fds of the modules they are in."""
        if all(e.kind is ExternKind.KCONFIG for e in self._parts.spec.externs):
            return {}, []
        from skelgen.runtime.externs import resolve  # noqa: PLC0415 - not for all

        found = resolve(self._parts.spec, self._types)
        return found.by_name, found.fd_array

    def _prepare_struct_ops(self) -> None:
        """Convert struct_ops variables to the kernel's types."""
        for name, ops in self._parts.struct_ops.items():
            if not ops.handle.autocreate:
                continue
            if self._types.btf is None:
                raise BpfError(f"struct_ops '{name}': the object has no BTF")
            from skelgen.runtime.struct_ops import (  # noqa: PLC0415 - rare
                kernel_value,
            )

            value = kernel_value(ops, self._types.btf, self._types.kernel)
            self._operations[name] = value
            for callback in value.callbacks:
                program = self._parts.programs.get(callback.program)
                if program is None or program.type != ProgType.STRUCT_OPS:
                    raise BpfError(
                        f"struct_ops '{name}': '{callback.program}' is no struct_ops"
                        " program of the object"
                    )
                wanted = callback, value.target()
                known = self._callbacks.setdefault(callback.program, wanted)
                if known[1] != wanted[1] or known[0].member != callback.member:
                    raise BpfError(
                        f"struct_ops '{name}': program '{callback.program}' is used for"
                        " two different operations"
                    )

    def _programs(self) -> "list[Program]":
        """Return the programs to load; those of struct_ops if something uses them.

        What the C file uses and user space took out is left out without a word.
        """
        referenced = {
            program
            for ops in self._parts.struct_ops.values()
            for program in (*dict(ops.spec.functions).values(), *ops.functions.values())
        }
        result: list[Program] = []
        for program in self._parts.programs.values():
            if program.type == ProgType.STRUCT_OPS:
                wanted = program.name in self._callbacks
                if program.autoload and program.name not in referenced:
                    raise StateError(
                        f"program '{program.name}': no struct_ops variable uses it;"
                        " set its autoload to False to do without"
                    )
            else:
                wanted = program.autoload
            if wanted:
                check_type(program)
                result.append(program)
        return result

    # -- in the kernel ---------------------------------------------------------

    def _load_btf(self) -> LoadedBtf:
        spec = self._parts.spec
        if spec.btf is None:
            return LoadedBtf()
        btf = load_btf(
            spec.view(spec.btf),
            f"BTF of object '{spec.name}'",
            required=bool(self._operations),
            token_fd=self._token_fd,
        )
        if btf.fd:
            self._temporary.add(syscalls.Fd(btf.fd).close)
        return btf

    def _map_arenas(self, maker: MapMaker) -> None:
        """Map arenas, which gives them an address and their initial contents."""
        for made in maker.made.values():
            if made.request.type == MapType.ARENA:
                from skelgen.runtime.arena import map_arena  # noqa: PLC0415 - rare

                spec = self._parts.spec
                images = [
                    spec.view(data.image)
                    for data in spec.data
                    if data.kind is DataKind.ARENA and data.image is not None
                ]
                self._temporary.add(map_arena(made.fd.fileno(), made.request, images))

    def _places(self, maker: MapMaker, symbols: "dict[str, Symbol]") -> Places:
        """Return where everything is that relocations name."""
        spec = self._parts.spec
        maps: dict[str, MapPlace] = {}
        for index, name in enumerate(self._parts.handles()):
            made = maker.made.get(name)
            maps[name] = MapPlace(None if made is None else made.fd.fileno(), index)
        sections = {name: maps[name] for name in self._parts.data}
        for data in spec.data:
            if data.kind is DataKind.ARENA:
                arenas = [m.name for m in spec.maps if m.type == MapType.ARENA]
                sections[data.section] = maps[arenas[0]]
        externs = tuple(extern.name for extern in spec.externs)
        return Places(maps, sections, symbols, externs)

    def _hand_over(
        self,
        maker: MapMaker,
        loaded: dict[str, Loaded],
        config: bytearray | None,
    ) -> None:
        """Make the object the owner of all that was made."""
        parts = self._parts
        for name, data in parts.data.items():
            made, section = maker.made.get(name), data.section
            if made is None:
                continue
            if config is not None and data.is_kconfig:
                section._fill(config)  # noqa: SLF001 - the loader's part of it
            self._undo.add(section._disown)  # noqa: SLF001 - likewise
            fd = made.fd.fileno()
            if made.reused and data.spec.readonly:
                contents = bytearray(section.size)
                syscalls.map_lookup(fd, bytes(4), contents, what=f"map '{name}'")
                section._fill(contents)  # noqa: SLF001 - likewise
            section._adopt(fd, mmapable=made.mmapable)  # noqa: SLF001 - likewise
        for name, value in self._operations.items():
            parts.struct_ops[name].value = value.with_fds(loaded)
        for name, handle in parts.handles().items():
            made = maker.made.get(name)
            if made is None:
                handle._skip()  # noqa: SLF001 - the loader's part of it
                continue
            handle._define(  # noqa: SLF001 - likewise
                max_entries=made.request.max_entries,
                value_size=made.request.value_size,
                flags=made.request.flags,
            )
            fd = made.fd.detach()
            handle._adopt(fd, pinned=made.pinned)  # noqa: SLF001 - likewise
        for program in parts.programs.values():
            if program.name in loaded:
                done = loaded[program.name]
                program.adopt(done.fd, done.log)
            else:
                program.skip()
