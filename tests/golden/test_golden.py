"""Modules of committed objects, word for word.

``SKELGEN_UPDATE_GOLDENS=1 pytest tests/golden`` writes them anew; then read the diff.
"""

import os
from pathlib import Path

import pytest

import skelgen
from tests.harness import sources

HERE = Path(__file__).parent
OBJECTS = {
    "core_fields.clang14": (),
    "instructions.big": (),
    "maps_nested.clang14": (),
    "ringbuf.clang14": (("rb", "event"),),
    "ringbuf.linked": (),
    "struct_ops.clang14": (),
    "subprogs.clang14": (),
    "types_bitfields.clang14": (),
    "types_structs.big": (),
    "types_structs.clang14": (),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_modules_are_the_same_as_the_goldens(name: str) -> None:
    path = sources.DATA / "objects" / f"{name}.bpf.o"
    text = skelgen.generate(path, records=OBJECTS[name])
    # The version is in every module; a release need not touch the goldens.
    text = text.replace(f"skelgen {skelgen.__version__} from", "skelgen 0.0 from", 1)
    golden = HERE / f"{name.replace('.', '_')}_skel.py"
    if os.environ.get("SKELGEN_UPDATE_GOLDENS"):
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


def test_no_golden_is_left_over() -> None:
    wanted = {f"{name.replace('.', '_')}_skel.py" for name in OBJECTS}
    assert {path.name for path in HERE.glob("*_skel.py")} == wanted
