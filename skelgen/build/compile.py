"""From a C file to the bytes of its object."""

import dataclasses
import tempfile
from pathlib import Path
from typing import NamedTuple

from skelgen.build import btf_dump
from skelgen.build.advice import Failure, advise
from skelgen.compiler import clang
from skelgen.errors import CompileError, ObjectError


class Compiled(NamedTuple):
    """An object that was compiled."""

    data: bytes
    inputs: tuple[Path, ...]
    """The files that went in: the source and its headers."""
    warnings: str
    """Warnings of clang, as it prints them."""
    command: tuple[str, ...]
    """Command that was run."""
    started: int
    """When, in the file system's nanoseconds: a younger input may have been missed."""


def compile_c(
    source: Path,
    options: clang.CompileOptions,
    *,
    root: Path,
    color: bool = False,
) -> Compiled:
    """Compile one C file for one target.

    ``source``, include folders and file names in debug information are relative to
    ``root``: the object does not depend on where skelgen was called.

    Raises ObjectError where there is no such file, CompileError otherwise; both, like
    warnings, name files as they are seen from the current folder.
    """
    if not (root / source).is_file():
        raise ObjectError("no such file", path=str(root / source))
    # clang has to run in ``root``, or else it does not find the lines of C for BTF.
    flags = ["-fdiagnostics-absolute-paths"]
    flags += ["-fcolor-diagnostics"] if color else []
    options = dataclasses.replace(options, cflags=(*flags, *options.cflags))
    with tempfile.TemporaryDirectory(prefix="skelgen-") as folder:
        started = Path(folder).stat().st_mtime_ns
        output, depfile = Path(folder, "object.o"), Path(folder, "object.d")
        vmlinux = clang.VMLINUX
        if options.vmlinux == "kernel":
            vmlinux = Path(folder)
            types = btf_dump.dump(btf_dump.read_kernel())
            Path(vmlinux, "vmlinux.h").write_bytes(types)
        compiler = clang.find_compiler()
        words = clang.command(
            compiler,
            source,
            output,
            options=options,
            depfile=depfile,
            cwd=root,
            vmlinux=vmlinux,
        )
        try:
            warnings = clang.run(words, root / source, root, compiler=compiler)
        except CompileError as error:
            advise(Failure(error, root / source, compiler, options, root))
            error.output = _from_here(error.output)
            raise
        named = clang.read_depfile(depfile.read_text(encoding="utf-8"))
        # what was made for this alone is told by the kernel, see fingerprint.made_by()
        inputs = tuple(root / name for name in named if not name.startswith(folder))
        return Compiled(
            output.read_bytes(), inputs, _from_here(warnings), words, started
        )


def _from_here(text: str) -> str:
    """Name files in the current folder relative to it."""
    return text.replace(f"{Path.cwd()}/", "")
