"""The table of features by kernel, and what the tables of ``model`` say about it."""

import importlib.util
import json
from types import ModuleType
from typing import Any

import pytest

from skelgen.model import attach_types, map_types, prog_types
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.runtime.kernel import features
from tests.vm.answers import DATA, ROOT

ANSWERS: dict[str, Any] = json.loads(DATA.read_text("utf-8"))


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "gen_kernels", ROOT / "tools/gen_kernels.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_made_from_the_answers(tool: ModuleType) -> None:
    assert tool.PAGE.read_text("utf-8") == tool.page(), "run tools/gen_kernels.py"


def test_a_row_for_what_some_have(tool: ModuleType) -> None:
    one = {"release": "6.1.0", "without": [], "features": {"a": True, "b": False}}
    two = {
        "release": "7.3.4",
        "without": ["CONFIG_X"],
        "features": {"a": True, "b": True},
    }
    none: dict[str, Any] = {"map_types": {}, "program_types": {}, "attach_types": {}}
    text = tool.table({"6.1": one | none, "7.3": two | none})
    assert "| b | no | yes |" in text
    assert "| a |" not in text
    assert "* 7.3: 7.3.4, built without CONFIG_X" in text


@pytest.mark.parametrize("kernel", ANSWERS)
def test_newer_features_are_in_newer_kernels(kernel: str) -> None:
    """Nothing that the tables give to a later kernel is in this one."""
    running = [*map(int, kernel.split("."))]
    found = ANSWERS[kernel]
    first = {f.name: f.since for f in features.named().values()}
    first |= {MapType(k).name.lower(): row.since for k, row in map_types.ROWS.items()}
    first |= {ProgType(k).name.lower(): row.since for k, row in prog_types.ROWS.items()}
    attach = {
        AttachType(k).name.lower(): row.since for k, row in attach_types.ROWS.items()
    }
    for table in ("features", "map_types", "program_types", "attach_types"):
        since = attach if table == "attach_types" else first
        early = [
            name
            for name, answer in found[table].items()
            if answer and [*map(int, since[name].split("."))] > running
        ]
        assert not early
