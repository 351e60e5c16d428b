"""BTF of the running kernel: vmlinux once a process, modules when they are needed.

Reading the names of 100,000 types takes longer than loading a program, so the index
is kept on disk for the next process, see :mod:`skelgen.runtime.kernel.btf_cache`.
"""

from __future__ import annotations

import errno
import mmap
import os

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.elf import elf_section
from skelgen.btf.errors import BtfParseError
from skelgen.btf.index import KernelBtf
from skelgen.runtime.errors import BpfOSError, KernelBtfError
from skelgen.runtime.kernel import btf_cache
from skelgen.runtime.log import debug
from skelgen.runtime.process.once import Once

if TYPE_CHECKING:
    from typing import Final

    from skelgen.btf.parse import Btf
    from skelgen.btf.types import Kind
    from skelgen.runtime.syscalls import Fd

VMLINUX: Final = "/sys/kernel/btf/vmlinux"

_NO_MODULES: Final = {errno.EPERM, errno.EINVAL}
"""Errnos of kernels that cannot list BTF, or not to this process."""

# where distributions put the uncompressed kernel, for kernels before 5.4
_ELF_PATHS: Final = (
    "/boot/vmlinux-{0}",
    "/lib/modules/{0}/vmlinux-{0}",
    "/lib/modules/{0}/build/vmlinux",
    "/usr/lib/modules/{0}/kernel/vmlinux",
    "/usr/lib/debug/boot/vmlinux-{0}",
    "/usr/lib/debug/boot/vmlinux-{0}.debug",
    "/usr/lib/debug/lib/modules/{0}/vmlinux",
)

_module_btf: Final[dict[tuple[int, str], KernelBtf]] = {}


def _read_vmlinux() -> KernelBtf:
    try:
        try:
            return btf_cache.indexed(_map_or_read(VMLINUX))
        except OSError as error:
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                raise  # it may well be there
            debug("kernel BTF: %s", error)
            reason = error.strerror
        release = os.uname().release
        for pattern in _ELF_PATHS:
            path = pattern.format(release)
            try:
                with open(path, "rb") as file:
                    return btf_cache.indexed(elf_section(file.read(), ".BTF"))
            except OSError:
                continue
    except BtfParseError as error:
        raise KernelBtfError(f"kernel BTF: {error}") from error
    raise KernelBtfError(
        f"kernel BTF: cannot read '{VMLINUX}': {reason}; this kernel was built"
        " without CONFIG_DEBUG_INFO_BTF, or /sys is not mounted"
    )


_vmlinux: Final = Once(_read_vmlinux)


def vmlinux() -> KernelBtf:
    """Return BTF of the running kernel, read once a process.

    Raises :class:`KernelBtfError` for a kernel without (``CONFIG_DEBUG_INFO_BTF``).
    """
    return _vmlinux()


def _map_or_read(path: str) -> bytes | mmap.mmap:
    with open(path, "rb") as file:
        try:  # Linux 6.16 maps it: a fraction of 5 MB is ever looked at
            return _map(file.fileno(), os.fstat(file.fileno()).st_size)
        except (BpfOSError, ValueError) as error:
            debug("kernel BTF: %s; reading it", error)
            return file.read()


def _map(fd: int, size: int) -> mmap.mmap:
    """Map a file read-only, without the fd that Python's own mapping would keep."""
    import ctypes

    from skelgen.runtime import syscalls

    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    address = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    read, private = syscalls.PROT_READ, syscalls.MAP_PRIVATE
    syscalls.map_over(address, size, read, private, fd, what="kernel BTF")
    return pages


class ModuleBtf:
    """BTF of a kernel module, with an fd that programs refer to it by."""

    __slots__ = ("_base", "_btf", "_raw", "fd", "id", "name")

    def __init__(self, btf_id: int, name: str, fd: Fd, base: KernelBtf) -> None:
        self.id = btf_id
        """Kernel id."""
        self.name = name
        """Name of the module."""
        self.fd = fd
        self._base = base
        self._raw: bytes | None = None
        self._btf = _module_btf.get((btf_id, name))

    def may_have(self, name: str) -> bool:
        """Return whether a type of this name can be here; False is certain."""
        raw = name.encode()
        return raw in self._data() or raw in self._base.string_bytes

    def _data(self) -> bytes:
        if self._raw is None:
            from skelgen.runtime.syscalls import btf_data

            self._raw = btf_data(self.fd.fileno(), what=f"BTF of module '{self.name}'")
        return self._raw

    @property
    def btf(self) -> KernelBtf:
        """The types, which continue vmlinux."""
        if self._btf is None:
            try:
                made = KernelBtf(self._data(), base=self._base)
            except BtfParseError as error:
                raise KernelBtfError(
                    f"kernel BTF of module '{self.name}': {error}"
                ) from error
            # another load may have read it meanwhile
            self._btf = _module_btf.setdefault((self.id, self.name), made)
        return self._btf


class KernelTypes:
    """Types of the running kernel as one load of an object sees them.

    Modules are listed when first one is needed; :meth:`close` gives their fds back.
    """

    __slots__ = ("_modules",)

    def __init__(self) -> None:
        self._modules: list[ModuleBtf] | None = None

    @property
    def vmlinux(self) -> KernelBtf:
        """Types of the kernel proper. Raises :class:`KernelBtfError`."""
        return vmlinux()

    def modules(self) -> list[ModuleBtf]:
        """Return the modules with BTF, none where the kernel does not tell them.

        Linux 5.11; asks for ``CAP_SYS_ADMIN``.
        """
        if self._modules is None:
            modules: list[ModuleBtf] = []
            try:
                self._list_modules(modules)
            except BaseException as error:
                if not isinstance(error, BpfOSError) or error.errno not in _NO_MODULES:
                    for module in modules:
                        module.fd.close()
                    raise
                debug("kernel BTF: no modules: %s", error)
            self._modules = modules
        return self._modules

    def _list_modules(self, modules: list[ModuleBtf]) -> None:
        from skelgen.runtime import syscalls

        base = self.vmlinux
        btf_id = 0
        while (next_id := syscalls.get_next_id("btf", btf_id)) is not None:
            if next_id <= btf_id:
                break  # no kernel does that, and it would never end
            btf_id = next_id
            try:
                fd = syscalls.Fd(syscalls.get_fd_by_id("btf", btf_id))
            except BpfOSError as error:
                if error.errno == errno.ENOENT:
                    continue  # gone since
                raise
            try:
                info = syscalls.btf_info(fd.fileno())
            except BaseException:
                fd.close()
                raise
            if info.kernel and info.name not in {"", "vmlinux"}:
                modules.append(ModuleBtf(btf_id, info.name, fd, base))
            else:
                fd.close()

    def candidates(self, name: str, kind: Kind) -> list[tuple[Btf, int]]:
        """Return what CO-RE compares with a local type.

        vmlinux, or else, when it has none, all modules: libbpf's order.
        """
        found: list[tuple[Btf, int]] = [
            (self.vmlinux, type_id) for type_id in self.vmlinux.candidates(name, kind)
        ]
        if not found:
            for module in self.modules():
                if module.may_have(name):
                    btf = module.btf
                    found += [(btf, id_) for id_ in btf.candidates(name, kind)]
        return found

    def find(
        self, name: str, kind: Kind, module: str | None = None
    ) -> tuple[KernelBtf, int, ModuleBtf | None] | None:
        """Return a type by its whole name: vmlinux first, then every module.

        ``module`` limits the search to one, ``"vmlinux"`` to vmlinux.
        """
        if module in {None, "vmlinux"}:
            type_id = self.vmlinux.find(name, kind)
            if type_id is not None:
                return self.vmlinux, type_id, None
        if module == "vmlinux":
            return None
        for candidate in self.modules():
            if module in {None, candidate.name} and candidate.may_have(name):
                own = [
                    id_
                    for id_ in candidate.btf.find_all(name, kind)
                    if id_ >= candidate.btf.start_id
                ]
                if own:
                    return candidate.btf, own[0], candidate
        return None

    def close(self) -> None:
        """Close the fds of modules; idempotent."""
        modules, self._modules = self._modules, None
        for module in modules or ():
            module.fd.close()
