"""Typed Python skeletons for BPF objects, and the loader under them.

Generated modules import this package too, so it imports nothing else before it is asked.
"""

from skelgen._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from skelgen.model.spec import ObjectSpec
    from skelgen.runtime.object.object import Object

__all__ = ("__version__", "generate", "open_object", "read_object")


def generate(
    source: "str | os.PathLike[str] | bytes",
    *,
    name: str | None = None,
    types: "Sequence[str]" = (),
    records: "Sequence[tuple[str, str]]" = (),
    renames: "Sequence[tuple[str, str]]" = (),
    source_name: str | None = None,
) -> str:
    """Return the typed Python module of a compiled BPF object.

    ``source`` is the path of the object, or its bytes. ``name`` replaces the name
    that the file gives to the object and the skeleton. ``types`` are C types to emit
    beside those in use (``"event"``, ``"struct event"``), ``records`` pairs of ring
    buffer and C type of its records; both are looked up in BTF, then in DWARF.
    ``renames`` are pairs of a name that the module has (``"Stats_2"``,
    ``"maps.class_"``) and what it is to be instead; see docs/names.md.
    ``source_name`` is the file name that the module mentions.

    Raises :class:`skelgen.errors.SkelgenError`.
    """
    from skelgen.build.generate import Image, generate_images
    from skelgen.build.options import Options

    data, base, path = _read(source, source_name)
    options = Options.of(name, types, records, renames)
    made = generate_images((Image(data),), base, path, options)
    _warn(made.warnings.splitlines())
    return made.text


def read_object(
    source: "str | os.PathLike[str] | bytes",
    *,
    name: str | None = None,
    source_name: str | None = None,
) -> "ObjectSpec":
    """Return the blueprint of a compiled BPF object: maps, programs, data, externs.

    Arguments as of :func:`generate`. Raises :class:`skelgen.errors.ObjectError`.
    """
    from skelgen.build.generate import read
    from skelgen.build.options import Options

    data, base, path = _read(source, source_name)
    spec, warnings = read(data, base, path, Options.of(name).name)
    _warn([f"{path}: warning: {text}" for text in warnings])
    return spec


def open_object(
    source: "str | os.PathLike[str] | bytes",
    *,
    name: str | None = None,
    source_name: str | None = None,
    btf: "str | os.PathLike[str] | bytes | None" = None,
    pin_root: "str | os.PathLike[str]" = "/sys/fs/bpf",
    kconfig: str | None = None,
    token: "str | os.PathLike[str] | None" = None,
    log_level: int = 0,
) -> "Object":
    """Return a compiled BPF object, opened and ready to be changed and loaded.

    libbpf's ``bpf_object__open_file``: the same object as a skeleton has, for those
    who have no generated module. ``source``, ``name`` and ``source_name`` as of
    :func:`generate`, the other options those of :class:`skelgen.runtime.Object`.
    Raises :class:`skelgen.errors.ObjectError`.
    """
    from skelgen.runtime.object.object import Object

    return Object(
        read_object(source, name=name, source_name=source_name),
        btf=btf,
        pin_root=pin_root,
        kconfig=kconfig,
        token=token,
        log_level=log_level,
    )


def _warn(lines: "Sequence[str]") -> None:
    """Say what is odd about an object, to whoever called a function of this module."""
    if not lines:
        return
    import sys
    import warnings

    from skelgen.errors import ObjectWarning

    level = 1
    while sys._getframe(level).f_globals is globals():  # noqa: SLF001 - as warnings do
        level += 1
    for line in lines:
        warnings.warn(line, ObjectWarning, stacklevel=level + 1)


def _read(
    source: "str | os.PathLike[str] | bytes", source_name: str | None
) -> tuple[bytes, str, str]:
    """Return bytes, base name and path of an object."""
    if isinstance(source, bytes):
        base = source_name or "object.bpf.o"
        return source, base, base
    from pathlib import Path

    from skelgen.arguments import encoded
    from skelgen.build.files import read_source

    encoded(source, "source")
    path = Path(source)
    return read_source(path), source_name or path.name, str(path)
