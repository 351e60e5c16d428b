"""What a process imports until its program is loaded: each name costs every start."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import skelgen

pytestmark = pytest.mark.any_kernel
SCRIPT = """
import os  # as site does
import sys
sys.path[:0] = sys.argv[1:]
before = set(sys.modules)
from bootstrap_skel import Bootstrap
skel = Bootstrap.open()
skel.rodata.min_duration_ns = 5
skel.load()
print(*sorted(set(sys.modules) - before))
skel.destroy()
"""
STANDARD = {
    "__future__",
    *("_collections", "_functools", "_operator", "_weakref"),
    *(
        "collections",
        "collections.abc",
        "functools",
        "itertools",
        "keyword",
        "operator",
        "reprlib",
    ),
    *("_ctypes", "ctypes", "ctypes._endian"),
    *("_bisect", "_struct", "array", "binascii", "bisect", "errno", "mmap", "select"),
    *("enum", "struct", "types"),
}
"""Most of it comes with ``enum`` and ``ctypes``; ``typing``, ``re``, ``threading`` and
``contextlib`` took a fifth of the time."""
OWN = 117
"""How many modules of skelgen there may be: a file read and executed each.

With these, importing, opening and destroying ``bootstrap`` takes 148 million instructions,
28 of them Python's own (``valgrind --tool=cachegrind``, CPython 3.11.7, ``python -S -E``).
"""


def test_a_skeleton_imports_little_until_it_is_loaded(
    compile_bpf: Callable[[str], Path], tmp_path: Path
) -> None:
    path = compile_bpf("bootstrap")
    (tmp_path / "bootstrap_skel.py").write_text(skelgen.generate(path), "utf-8")
    root = str(Path(skelgen.__file__).parents[1])
    words = [sys.executable, "-I", "-S", "-c", SCRIPT, root, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split()) - {"bootstrap_skel"}
    own = {name for name in loaded if name.split(".")[0] == "skelgen"}
    assert loaded - own <= STANDARD
    assert len(own) <= OWN
    # for what fails, and for attaching
    rarely = {
        "skelgen.runtime.kernel.features",
        "skelgen.runtime.load.explain",
        "skelgen.runtime.needs",
    }
    assert all(map(importlib.util.find_spec, rarely))
    assert not own & rarely
