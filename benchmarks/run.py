"""Every benchmark, or those named: ``python benchmarks/run.py [cli load start ...]``.

Prints tables of skelgen's figures beside those of what a user would pick instead,
measured in the same run, with their ratio and what we aim at. Wants bpftool, cc and
libbpf-dev, as ``make test`` installs them; where BCC for Python is installed too, and
has headers of the kernel (or of another, in ``$BCC_KERNEL_SOURCE``), it is compared.
"""

import os
import sys
import tempfile
from pathlib import Path

import cli
import data
import dump
import imports
import latency
import load
import project
import start

from skelgen.compiler import clang

ROOT = Path(__file__).resolve().parents[1]


def main(names: list[str]) -> None:
    """Compile the examples and fixtures, then run what was asked for."""
    # As at a user's: modules are compiled once, not in every process.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # The compiler that the tests have; one that is older refuses some fixtures.
    os.environ["SKELGEN_CLANG"] = "ziglang"
    with tempfile.TemporaryDirectory() as folder:
        sources = [*ROOT.glob("examples/*/*.bpf.c"), *ROOT.glob("tests/data/*.bpf.c")]
        objects = [_compile(source, folder) for source in sorted(sources)]
        examples = [path for path in objects if _is_example(path)]
        bootstrap = next(path for path in examples if path.name == "bootstrap.bpf.o")
        if not names or "cli" in names:
            cli.main(objects)
        if not names or "build" in names:
            project.main()
        if not names or "dump" in names:
            dump.main()
        if not names or "imports" in names:
            imports.main(bootstrap)
        if not names or "load" in names:
            load.main(examples)
        if not names or "start" in names:
            start.main(bootstrap)
        if not names or "data" in names:
            data.main()
        if not names or "latency" in names:
            latency.main()


def _compile(source: Path, folder: str) -> Path:
    output = Path(folder, source.name.removesuffix(".c") + ".o")
    # the clang that pip installs, as the tests do: old ones fail on some fixtures
    clang.compile_object(source, output, compiler=clang.find_compiler({"PATH": ""}))
    return output


def _is_example(path: Path) -> bool:
    name = path.name.removesuffix(".bpf.o")
    return (ROOT / "examples" / name).is_dir()


if __name__ == "__main__":
    main(sys.argv[1:])
