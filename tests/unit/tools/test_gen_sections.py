"""The table of ``SEC()`` names in ``docs/sections.md``, and what it is made from."""

import importlib.util
import json
from types import ModuleType
from typing import Any

import pytest

from tests.harness.section_facts import NOT_YET, ROWS, number, since
from tests.harness.sources import ROOT

FOUND: dict[str, Any] = json.loads(
    (ROOT / "tests/data/sections.json").read_text("utf-8")
)


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "gen_sections", ROOT / "tools/gen_sections.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_from_the_outcomes(tool: ModuleType) -> None:
    assert tool.PAGE.read_text("utf-8") == tool.page(), "run tools/gen_sections.py"


def test_a_row_says_what_became_of_its_program(tool: ModuleType) -> None:
    def rows(**levels: str) -> dict[str, str]:
        others = {key.replace(".", "_"): level for key, level in levels.items()}
        return {key: others.get(key.replace(".", "_"), "loads") for key in ROWS}

    old = {"release": "6.1.0", "how": {}, "rows": rows(fsession="refused")}
    new = {
        "release": "7.3.4",
        "how": {"fsession": "attach() of the skeleton"},
        "rows": rows(fsession="fired"),
    }
    lines = tool.table({"6.1": old, "7.3": new}).splitlines()
    assert (
        "| `fsession+` | TRACING | 7.0 | attach() of the skeleton | - | fired |"
        in lines
    )
    assert "| `usdt+` | KPROBE | 4.1 |  | not yet | not yet |" in lines
    assert lines[-1].startswith("* 7.3: 7.3.4, ")


@pytest.mark.parametrize("kernel", FOUND)
def test_newer_names_fired_on_no_older_kernel(kernel: str) -> None:
    """But for what has another way there (tcx), or was let through unseen (tp_btf.s)."""
    early = {
        key
        for key, level in FOUND[kernel]["rows"].items()
        if level == "fired" and number(since(key)) > number(kernel)
    }
    assert early <= {"tc/ingress", "tc/egress", "tcx/ingress", "tcx/egress", "tp_btf.s"}


@pytest.mark.parametrize("kernel", FOUND)
def test_what_is_attached_is_not_said_to_come(kernel: str) -> None:
    levels = FOUND[kernel]["rows"]
    assert not [key for key in NOT_YET if levels.get(key) in {"attached", "fired"}]
    assert levels.keys() <= ROWS.keys()
