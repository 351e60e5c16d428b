"""Compile one BPF C file as skelgen's build hooks do: ``compile_bpf.py IN.c OUT.o``."""

import sys
from pathlib import Path

from skelgen import clang
from skelgen.errors import CompileError


def main() -> int:
    """Compile, print clang's warnings, and return the exit status."""
    source, output = map(Path, sys.argv[1:])
    try:
        sys.stderr.write(clang.compile_object(source, output))
    except CompileError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
