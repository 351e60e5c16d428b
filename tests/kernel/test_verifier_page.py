"""The page of verifier errors in the docs is what is printed.

Renewed with ``python tools/gen_verifier_page.py``. On another kernel, or with another
compiler or libbpf, words differ: there only its form is checked.
"""

import shutil
from pathlib import Path

import pytest

from tests.harness import rejected, verifier_page

pytestmark = pytest.mark.any_kernel


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None or not Path("/usr/include/bpf/libbpf.h").exists():
        pytest.skip("needs cc and libbpf's headers (Debian package libbpf-dev)")
    return verifier_page.build_oracle(tmp_path_factory.mktemp("oracle"))


@pytest.mark.parametrize("name", verifier_page.EXAMPLES)
def test_each_example_of_the_page_is_what_is_printed(name: str, oracle: Path) -> None:
    here, there = verifier_page.this(oracle), verifier_page.made_with()
    if here != there:
        pytest.skip(f"the page was {there[:1].lower()}{there[1:-1]}, not on this")
    assert verifier_page.example(oracle, name) in verifier_page.PAGE.read_text("utf-8")


def test_the_page_has_every_example_in_order_with_its_program() -> None:
    """Every example is there with its program, in the order of the list."""
    introduction, *parts = verifier_page.PAGE.read_text("utf-8").split("\n## ")
    titles = [part.partition("\n")[0] for part in parts]
    assert titles == list(verifier_page.EXAMPLES.values())
    for name, part in zip(verifier_page.EXAMPLES, parts, strict=True):
        assert f"```c\n{verifier_page.program(name)}```" in part
        libbpf, skelgen = (
            block.split("```")[0] for block in part.split("```text\n")[1:]
        )
        assert "libbpf: " in libbpf
        assert "why: " in skelgen
        assert "0xffff888100000000" not in skelgen
    assert f"Made on Linux {rejected.MADE_ON} " in introduction
