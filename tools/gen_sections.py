"""Write the table of ``SEC()`` names in ``docs/sections.md``.

Usage: python tools/gen_sections.py [FILE ...]

It stands between two markers and is made from ``tests/data/sections.json``: what became of
a program of each name on some kernels. A file is what ``tests/kernel/test_section_names.py``
wrote on one kernel; it takes that kernel's place.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from skelgen.model.enums import ProgType
from tests.harness.section_facts import NOT_YET, ROWS, number, since
from tests.harness.sources import ROOT

DATA = ROOT / "tests" / "data" / "sections.json"
PAGE = ROOT / "docs" / "sections.md"
START = "<!-- tools/gen_sections.py writes from here -->"
END = "<!-- to here -->"


def keep(found: dict[str, Any]) -> None:
    """Put the outcomes on one kernel beside those on others."""
    known = json.loads(DATA.read_text("utf-8")) if DATA.exists() else {}
    series = ".".join(found["release"].split(".")[:2])
    known[series] = {
        "release": found["release"],
        "rows": {key: row["level"] for key, row in found["rows"].items()},
        "how": {
            key: row["how"]
            for key, row in found["rows"].items()
            if row["level"] in {"fired", "attached"}
        },
    }
    in_order = sorted(known, key=number)
    text = json.dumps({kernel: known[kernel] for kernel in in_order}, indent=1)
    DATA.write_text(f"{text}\n", "utf-8")


def table(found: dict[str, Any]) -> str:
    """Return what stands between the markers."""
    kernels = list(found)
    lines = [
        f"| `SEC()` | program type | since | attached by | {' | '.join(kernels)} |",
        "|---" * (4 + len(kernels)) + "|",
    ]
    ways = {key: way for each in found.values() for key, way in each["how"].items()}
    for key, row in ROWS.items():
        outcomes = [
            _word(key, kernel, found[kernel]["rows"].get(key, "")) for kernel in kernels
        ]
        way = ways.get(key, "")
        shown = f"`{way}`" if way.endswith((")", "PATH")) else way
        cells = [f"`{row.key}`", ProgType(row.type).name, since(key), shown, *outcomes]
        lines.append(f"| {' | '.join(cells)} |")
    counts = [
        f"* {kernel}: {each['release']}, {_counted(each['rows'], kernel)}"
        for kernel, each in found.items()
    ]
    return "\n".join([*lines, "", *counts])


def _word(key: str, kernel: str, level: str) -> str:
    """Return the word of the table for an outcome."""
    if level in {"fired", "attached"}:
        return level
    if not level:
        return "?"
    if number(kernel) < number(since(key)):
        return "-"
    if level == "loads" and key in NOT_YET:
        return "not yet"
    return "not there"


def _counted(rows: dict[str, str], kernel: str) -> str:
    words = [_word(key, kernel, level) for key, level in rows.items()]
    return ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))


def page() -> str:
    """Return the whole page, with the table made anew."""
    found = json.loads(DATA.read_text("utf-8"))
    before, rest = PAGE.read_text("utf-8").split(START)
    return f"{before}{START}\n\n{table(found)}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    for file in sys.argv[1:]:
        keep(json.loads(Path(file).read_text("utf-8")))
    PAGE.write_text(page(), "utf-8")
