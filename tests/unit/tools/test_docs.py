"""Files that the docs for contributors name are there."""

import re

import pytest

from tests.harness.sources import ROOT

_FOLDERS = (
    "",
    "skelgen",
    "skelgen/runtime",
    "skelgen/codegen",
    "skelgen/runtime/links",
)
"""Where a name in the docs may start."""


@pytest.mark.parametrize(
    "page", ["CONTRIBUTING.md", "RELEASE.md", "SECURITY.md", "docs/architecture.md"]
)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    named = set(re.findall(r"`([\w./*]+(?:/|\.(?:py|pyi|md|toml|j2|yaml)))`", text))
    linked = set(re.findall(r"\]\(([^):]+)\)", text))
    assert named
    assert not [
        name
        for name in named
        if not any(any((ROOT / folder).glob(name)) for folder in _FOLDERS)
    ]
    assert not [
        name for name in linked if not (ROOT / page).parent.joinpath(name).exists()
    ]
