"""What generated modules ask of the runtime, and the names that it offers."""

import subprocess
import sys

import pytest

from skelgen import runtime as rt
from skelgen.runtime.abi import ABI, decode, require_abi
from skelgen.runtime.errors import AbiError


def test_older_skeletons_are_taken() -> None:
    for number in range(1, ABI + 1):
        require_abi(number)


def test_a_newer_skeleton_says_what_to_upgrade() -> None:
    with pytest.raises(AbiError) as caught:
        require_abi(ABI + 1)
    assert isinstance(caught.value, ImportError)
    assert str(caught.value) == (
        f"skeleton: generated for runtime interface {ABI + 1}, and the skelgen that is"
        f" installed has {ABI}; upgrade it: pip install --upgrade bpf-skelgen"
    )


def test_an_image_is_decoded() -> None:
    assert decode("AAEC", size=3) == b"\0\1\2"
    assert decode("", size=0) == b""


@pytest.mark.parametrize(
    ("text", "message"),
    [("AAEC", "has 3 bytes and should have 5"), ("A", "is no base64")],
)
def test_an_image_that_was_changed_is_refused(text: str, message: str) -> None:
    with pytest.raises(ImportError, match=message):
        decode(text, size=5)


def test_every_name_is_there() -> None:
    for name in rt.__all__:
        assert getattr(rt, name) is not None
        assert name in dir(rt)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        rt.nothing  # noqa: B018 - the attribute is what is tested


@pytest.mark.parametrize(
    "first", ["skelgen.runtime.values.member", "skelgen.runtime.values.array"]
)
def test_names_win_over_modules_of_the_same_name(first: str) -> None:
    """``rt.struct`` and ``rt.array`` are functions, whatever is imported first."""
    code = (
        f"import {first}\n"
        "from skelgen import runtime as rt\n"
        "import skelgen.runtime.values.struct, skelgen.runtime.memory.variables, skelgen.runtime.object.object\n"
        "assert callable(rt.struct) and callable(rt.array)\n"
        "assert isinstance(rt.Global, type) and isinstance(rt.Object, type)\n"
        "assert rt.Struct.__name__ == 'Struct'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_runtime_needs_the_standard_library_alone() -> None:
    code = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'elftools', 'jinja2', 'click', 'black'}:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "from skelgen import runtime as rt\n"
        "for name in rt.__all__:\n"
        "    getattr(rt, name)\n"
        "import skelgen.runtime.load.pipeline, skelgen.runtime.load.explain, skelgen.runtime.load.externs\n"
        "heavy = {'dataclasses', 'inspect', 'logging', 'pathlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-S", "-c", code], check=True, cwd=".")
