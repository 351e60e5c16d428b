"""The BPF C files under ``tests/data``, compiled once a content.

The first line of each says what it is for. ``// cflags: ...`` adds compiler flags,
``// error: ...`` is part of the text that a file under ``bad/`` must be refused with.
"""

import contextlib
import functools
import hashlib
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

from skelgen.compiler import clang
from skelgen.compiler.targets import this_machine

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
EXAMPLES = ROOT / "examples"
CACHE = ROOT / ".cache" / "objects"
CPU = os.environ.get("SKELGEN_TEST_CPU", "v3")
"""BPF instruction set of the fixtures: kernels before 5.12 do not run all of v3."""


class Source(NamedTuple):
    """One BPF C file."""

    name: str
    """File name without ``.bpf.c``, and the name of the object."""
    path: Path
    summary: str
    cflags: tuple[str, ...]
    error: str | None


def read_source(path: Path) -> Source:
    """Return a file and what its head says about it."""
    directives = {"cflags": "", "error": ""}
    lines = path.read_text("utf-8").splitlines()
    for line in lines[1:4]:
        key, colon, value = line.removeprefix("// ").partition(": ")
        if line.startswith("// ") and colon and key in directives:
            directives[key] = value
    return Source(
        path.name.removesuffix(".bpf.c"),
        path,
        lines[0].removeprefix("// "),
        tuple(directives["cflags"].split()),
        directives["error"] or None,
    )


@functools.cache
def sources() -> dict[str, Source]:
    """Return the good fixtures by name, in alphabetical order."""
    return _read(sorted(DATA.glob("*.bpf.c")))


@functools.cache
def bad_sources() -> dict[str, Source]:
    """Return the fixtures that compile and that skelgen has to refuse."""
    return _read(sorted((DATA / "bad").glob("*.bpf.c")))


@functools.cache
def rejected_sources() -> dict[str, Source]:
    """Return the fixtures that load nowhere, because the verifier rejects them."""
    return _read(sorted((DATA / "rejected").glob("*.bpf.c")))


@functools.cache
def example_sources() -> dict[str, Source]:
    """Return the programs of the examples."""
    return _read(sorted(EXAMPLES.glob("*/*.bpf.c")))


def _read(paths: list[Path]) -> dict[str, Source]:
    found = [read_source(path) for path in paths]
    return {source.name: source for source in found}


def find(name: str) -> Source:
    """Return a fixture or example by name; ``bad/x``, ``rejected/x``, ... are such."""
    if name.startswith("rejected/"):
        return rejected_sources()[name.removeprefix("rejected/")]
    if name.startswith("withheld/"):
        return read_source(DATA / f"{name}.bpf.c")
    if name.startswith("headers/"):
        source = read_source(DATA / f"{name}.bpf.c")
        return source._replace(cflags=(f"-I{DATA / 'headers'}",))
    if name.startswith("bad/"):
        return bad_sources()[name.removeprefix("bad/")]
    source = sources().get(name) or example_sources().get(name)
    if source is None:
        raise KeyError(name)
    return source


def records_of(name: str) -> dict[str, str]:
    """Return ``--record MAP=TYPE`` of the fixtures whose records DWARF alone names."""
    return {"rb": "event"} if name in {"bootstrap", "life", "ringbuf"} else {}


@functools.cache
def compiler() -> clang.Compiler:
    """Return the clang that pip installed, whatever else is on the machine."""
    return clang.find_compiler({"PATH": ""})


TOOLS = "SKELGEN_TEST_TOOLS"
"""Variable with what ``tools()`` returns: in a virtual machine it takes half a minute to
read all that it depends on, and to start the compiler."""


@functools.cache
def tools() -> tuple[str, str]:
    """Return digests of what makes objects, beside their sources, and of what makes modules."""
    known = os.environ.get(TOOLS, "").split()
    if known:
        return known[0], known[1]
    objects = hashlib.sha256(repr(compiler()).encode())
    objects.update((compiler().root or ROOT).stat().st_mtime_ns.to_bytes(8, "little"))
    for header in sorted(clang.INCLUDE.rglob("*.h")):
        objects.update(header.read_bytes())
    modules = hashlib.sha256()
    for folder, pattern in (("skelgen", "*.py"), ("templates", "*.j2")):
        for path in sorted((ROOT / folder).rglob(pattern)):
            if "runtime" not in path.parts:
                modules.update(path.read_bytes())
    return objects.hexdigest(), modules.hexdigest()


def compiled(source: Source, byteorder: str = "little", cpu: str = CPU) -> Path:
    """Compile a fixture, unless it is in ``.cache/objects``; return the object.

    Several processes may ask for the same object at once.
    """
    target = this_machine()._replace(byteorder=byteorder)
    options = clang.CompileOptions(target=target, cpu=cpu, cflags=source.cflags)
    digest = hashlib.sha256(tools()[0].encode())
    digest.update(repr(options).encode() + source.path.read_bytes())
    for header in sorted(source.path.parent.glob("*.h")):
        digest.update(header.read_bytes())
    folder = CACHE / digest.hexdigest()[:20]
    output = folder / f"{source.name}.bpf.o"
    if output.exists():
        return output
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        fresh = Path(scratch) / output.name
        clang.compile_object(
            source.path, fresh, options=options, compiler=compiler(), cwd=ROOT
        )
        os.replace(fresh, output)  # noqa: PTH105 (atomic, as Path.replace; says so)
    return output


def skeleton(name: str, cpu: str = CPU) -> str:
    """Return the module of a fixture, generated unless it lies beside its object."""
    import skelgen

    source = find(name)
    output = compiled(source, cpu=cpu)
    kept = output.with_name(f"{source.name}_{tools()[1][:20]}_skel.py")
    if kept.exists():
        return kept.read_text("utf-8")
    text = skelgen.generate(output, records=tuple(records_of(source.name).items()))
    with contextlib.suppress(OSError):  # a virtual machine writes nothing here
        fresh = kept.with_name(f"{kept.name}.{os.getpid()}")
        fresh.write_text(text, "utf-8")
        fresh.replace(kept)
    return text
