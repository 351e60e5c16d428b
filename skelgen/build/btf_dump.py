"""BTF as text: a C header, JSON or lines; large ones kept for the next time.

The modules that read 100,000 types are imported when there is something to read, so
that a dump from the cache comes in a moment.
"""

import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from skelgen import _cache
from skelgen._version import __version__
from skelgen.errors import BtfError

if TYPE_CHECKING:
    from collections.abc import Callable

    from skelgen.btf.parse import Btf

RUNNING_KERNEL = "/sys/kernel/btf/vmlinux"
"""BTF of the kernel that runs here (Linux 5.4, ``CONFIG_DEBUG_INFO_BTF``)."""

_LARGE = 1 << 20  # bytes; what is smaller is made faster than found


class Source(NamedTuple):
    """BTF to dump."""

    data: bytes
    """Raw."""
    name: str
    """Name in errors."""
    base: bytes | None = None
    """The BTF that split BTF continues: vmlinux for a module."""
    type_ids: tuple[int, ...] = ()
    """The types that matter; none for all."""


def read_kernel() -> Source:
    """Return BTF of the running kernel. Raises BtfError."""
    try:
        with open(RUNNING_KERNEL, "rb") as file:
            return Source(file.read(), RUNNING_KERNEL)
    except OSError as error:
        failed = BtfError(f"{RUNNING_KERNEL}: {error.strerror or error}")
        failed.add_note(
            "this kernel was built without CONFIG_DEBUG_INFO_BTF, or /sys is not mounted"
        )
        raise failed from error


def kernel_name() -> str:
    """Return what tells the running kernel from others."""
    uname = os.uname()
    return f"{uname.release} {uname.version} {uname.machine}"


def read_file(path: str) -> Source:
    """Return the BTF of a file, raw or an ELF file. Raises BtfError."""
    from skelgen.btf.elf import MAGIC, elf_section
    from skelgen.btf.errors import BtfParseError

    try:
        with open(path, "rb") as file:
            start = file.read(len(MAGIC))
            if start != MAGIC:
                return Source(start + file.read(), path)
            import mmap  # a kernel with debug information has gigabytes

            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return Source(elf_section(data, ".BTF"), path)
    except OSError as error:
        raise BtfError(f"{path}: cannot read it: {error.strerror or error}") from error
    except BtfParseError as error:
        raise BtfError(f"{path}: {error}") from error


def dump(
    source: Source, form: str = "c", roots: tuple[str, ...] = ()
) -> bytes | memoryview:
    """Return BTF as text, from the cache if it is there.

    ``form`` is ``c``, a header, or ``json`` or ``raw``: type by type, as bpftool has
    them. ``roots`` are names of types (``task_struct``, ``struct task_struct``) that the
    dump is limited to, with what they need. Raises BtfError.
    """
    if len(source.data) + len(source.base or b"") < _LARGE:
        return _make(source, form, roots)
    key = hashlib.sha256(_made_by())
    for part in (form, *roots, *map(str, source.type_ids)):
        key.update(f"{part}\0".encode())
    for data in (source.base or b"", source.data):
        key.update(b"%d\0" % len(data))
        key.update(data)
    name = f"btf-{key.hexdigest()[:32]}.{form}"
    return _cache.kept(name, lambda: _make(source, form, roots))


def _made_by() -> bytes:
    """Tell versions of the writer apart, also while someone works on it."""
    found = [__version__]
    package = os.path.dirname(_cache.__file__)
    with os.scandir(f"{package}/btf") as folder:
        for entry in folder:
            if entry.name.endswith(".py"):
                status = entry.stat()
                found.append(f"{entry.name}:{status.st_size}:{status.st_mtime_ns}")
    return "\0".join(sorted(found)).encode()


def _make(source: Source, form: str, roots: tuple[str, ...]) -> bytes:
    from skelgen.btf.errors import BtfParseError
    from skelgen.btf.parse import Btf

    try:
        base = None if source.base is None else Btf(source.base)
        btf = Btf(source.data, base=base)
        chosen = [*source.type_ids]
        for root in roots:
            chosen += _find(btf, root)
        limited = bool(source.type_ids or roots)
        return _WRITERS[form](btf, chosen if limited else None).encode()
    except (BtfParseError, BtfError) as error:
        raise BtfError(f"{source.name}: {error}") from error


def _c(btf: "Btf", roots: list[int] | None) -> str:
    from skelgen.btf.dump_header import header

    return header(btf, roots)


def _json(btf: "Btf", roots: list[int] | None) -> str:
    from skelgen.btf.dump_raw import json_dump

    return json_dump(btf, roots)


def _raw(btf: "Btf", roots: list[int] | None) -> str:
    from skelgen.btf.dump_raw import raw_dump

    return raw_dump(btf, roots)


_WRITERS: "dict[str, Callable[[Btf, list[int] | None], str]]" = {
    "c": _c,
    "json": _json,
    "raw": _raw,
}


def _find(btf: "Btf", root: str) -> list[int]:
    """Return the types of a name, which may have ``struct`` or the like before it."""
    from skelgen.btf.kinds import Kind

    kinds = {
        "struct": (Kind.STRUCT, Kind.FWD),
        "union": (Kind.UNION, Kind.FWD),
        "enum": (Kind.ENUM, Kind.ENUM64),
        "typedef": (Kind.TYPEDEF,),
        "func": (Kind.FUNC,),
        "var": (Kind.VAR,),
    }
    word, _, name = root.rpartition(" ")
    wanted = kinds.get(word) or [kind for some in kinds.values() for kind in some]
    found = btf.find_all(name, *wanted) if word in {"", *kinds} else []
    if not found:
        from skelgen.near_names import or_near

        known = {each for kind in wanted for each in btf.names(kind)}
        raise BtfError(or_near(f"no type '{root}'", name, known))
    return found
