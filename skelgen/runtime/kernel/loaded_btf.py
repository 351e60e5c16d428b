"""BTF of what is loaded in the kernel: of modules, maps and programs."""

import errno

from skelgen._record import Record
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.runtime import syscalls
from skelgen.runtime.errors import AttachError, BpfError, BpfOSError


class LoadedBtf(Record):
    """Raw BTF out of the kernel."""

    data: bytes
    type_ids: tuple[int, ...] = ()
    """The types that matter: key and value of a map; none for all."""


def module_btf(name: str) -> bytes:
    """Return the BTF of a kernel module, which continues that of vmlinux.

    Linux 5.11; asks for ``CAP_SYS_ADMIN``. Raises :class:`BpfError` when no module of
    that name is loaded, or it has no BTF (``CONFIG_DEBUG_INFO_BTF_MODULES``).
    """
    btf_id = 0
    while (next_id := syscalls.get_next_id("btf", btf_id)) is not None:
        btf_id = next_id
        try:
            found = syscalls.Fd(syscalls.get_fd_by_id("btf", btf_id))
        except BpfOSError as error:
            if error.errno == errno.ENOENT:
                continue  # gone since
            raise
        with found as fd:
            info = syscalls.btf_info(fd.fileno())
            if info.kernel and info.name == name != "vmlinux":
                return syscalls.btf_data(fd.fileno(), what=f"BTF of module '{name}'")
    raise BpfError(f"module '{name}': not loaded, or built without BTF")


def map_btf(map_id: int) -> LoadedBtf:
    """Return the BTF of a map, and the types of its keys and values. Linux 4.18.

    Raises :class:`BpfError` when there is no such map, or it has no BTF.
    """
    what = f"map {map_id}"
    with syscalls.Fd(syscalls.get_fd_by_id("map", map_id)) as fd:
        info = syscalls.map_info(fd.fileno(), what=what)
    types = (info.btf_key_type_id, info.btf_value_type_id)
    data = _data(info.btf_id, f"{what} '{info.name}'")
    return LoadedBtf(data, tuple(type_id for type_id in types if type_id))


def program_btf(prog_id: int) -> LoadedBtf:
    """Return the BTF of a program. Linux 5.0.

    Raises :class:`BpfError` when there is no such program, or it has no BTF.
    """
    what = f"program {prog_id}"
    with syscalls.Fd(syscalls.get_fd_by_id("prog", prog_id)) as fd:
        info = syscalls.prog_info(fd.fileno(), what=what)
    return LoadedBtf(_data(info.btf_id, f"{what} '{info.name}'"))


def function_of_program(fd: int, name: str, attached: str) -> int:
    """Return the BTF id of a function of a loaded program.

    ``attached`` names the program that is to be attached to it. Raises AttachError
    where the loaded program has no BTF or no such function.
    """
    what = f"program '{attached}': target program"
    btf_kernel_id = syscalls.prog_info(fd, what=what).btf_id
    if not btf_kernel_id:
        raise AttachError(
            f"program '{attached}': the program it attaches to has no BTF",
            program=attached,
        )
    with syscalls.Fd(syscalls.get_fd_by_id("btf", btf_kernel_id)) as btf_fd:
        data = syscalls.btf_data(btf_fd.fileno(), what=what)
    try:
        btf = Btf(data)
        btf_id = btf.find(name, Kind.FUNC)
        names = [] if btf_id is not None else list(btf.names(Kind.FUNC))
    except BtfParseError as error:
        raise AttachError(f"{what}: {error}", program=attached) from error
    if btf_id is None:
        from skelgen.near_names import or_near

        raise AttachError(
            or_near(
                f"program '{attached}': the program it attaches to has no function"
                f" '{name}'",
                name,
                names,
            ),
            program=attached,
        )
    return btf_id


def _data(btf_id: int, what: str) -> bytes:
    if not btf_id:
        raise BpfError(f"{what}: was loaded without BTF")
    with syscalls.Fd(syscalls.get_fd_by_id("btf", btf_id)) as fd:
        return syscalls.btf_data(fd.fileno(), what=f"BTF of {what}")
