"""Compiling with our BPF-side headers, and with libbpf's, by each clang there is."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen.compiler import clang
from skelgen.compiler.targets import Target, this_machine
from tests.harness import relocations, sources

LIBBPF = Path("/usr/include/bpf")
HEADERS = sources.DATA / "headers"

Build = Callable[..., relocations.Facts]

needs_libbpf = pytest.mark.skipif(
    not LIBBPF.is_dir(), reason="needs libbpf's headers (Debian package libbpf-dev)"
)


def _compilers() -> dict[str, clang.Compiler]:
    found = {"pip": sources.compiler()}
    for number in range(14, 30):
        path = shutil.which(f"clang-{number}")
        if path is not None:
            found[f"clang-{number}"] = clang.Compiler((path,), "PATH")
    return found


COMPILERS = _compilers()
"""The clang that pip installed, and each clang 14 or newer on PATH, by name."""

every_compiler = pytest.mark.parametrize(
    "compiler", COMPILERS.values(), ids=COMPILERS.keys()
)


def build(
    source: Path | str,
    folder: Path,
    *cflags: str,
    include: Path | None = None,
    arch: str = "x86",
    byteorder: str = "little",
    compiler: clang.Compiler | None = None,
) -> relocations.Facts:
    """Compile C, a file or a text, within ``folder``, and read the object.

    ``include`` comes before our own headers.
    """
    if isinstance(source, str):
        path = folder / "program.bpf.c"
        path.write_text(source, "utf-8")
        source = path
    else:
        cflags = (*sources.read_source(source).cflags, *cflags)
    output = folder / "program.bpf.o"
    clang.compile_object(
        source,
        output,
        options=clang.CompileOptions(
            target=Target("test", byteorder, arch or this_machine().arch),
            includes=() if include is None else (str(include),),
            cflags=(f"-I{HEADERS}", *cflags),
        ),
        compiler=compiler or sources.compiler(),
        cwd=sources.ROOT,
    )
    return relocations.read(output)
