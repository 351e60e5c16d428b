"""``tools/rooms.py``: levels, arrows and circles of a small package."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[3] / "tools" / "rooms.py"


def rooms(folder: Path, *options: str) -> tuple[int, str]:
    words = [sys.executable, TOOL, folder, *options]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "house"
    (folder / "hall").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "roof.py": "from house.hall import door\n",
        "hall/__init__.py": "",
        "hall/door.py": "def f():\n    from house import floor\n",
        "floor.py": "import os\n",
    }.items():
        (folder / name).write_text(text, "ascii")
    return folder


def test_levels_and_arrows_are_printed_and_checked(package: Path) -> None:
    status, printed = rooms(package, "--check", "3")
    assert printed.splitlines() == [
        "  3  roof",
        "  2  hall",
        "  1  __init__  floor",
        "house: 4 rooms on 3 levels, 2 arrows",
        "house: 5 modules, 0 circles",
    ]
    assert status == 0
    assert rooms(package, "--check", "2")[0] == 1


def test_an_import_for_type_checkers_closes_a_circle(package: Path) -> None:
    text = "if TYPE_CHECKING:\n    from house.roof import Roof\n"
    (package / "floor.py").write_text(text, "ascii")
    status, printed = rooms(package, "--check", "3")
    assert "circle of 3: house.floor, house.roof, house.hall.door" in printed
    assert status == 1
