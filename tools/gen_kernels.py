"""Write the table of features by kernel in ``docs/kernels.md``.

Usage: python tools/gen_kernels.py

It stands between two markers and is made from ``tests/vm/answers.json``, which
``python -m tests.vm.answers`` writes.
"""

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.vm.answers import DATA, ROOT, TABLES

PAGE = ROOT / "docs" / "kernels.md"
START = "<!-- tools/gen_kernels.py writes from here -->"
END = "<!-- to here -->"
_WORDS = {True: "yes", False: "no", None: "?"}


def table(found: dict[str, Any]) -> str:
    """Return what stands between the markers.

    What all of these kernels have is listed below the table, not in it.
    """
    kernels = list(found)
    lines = [f"| | {' | '.join(kernels)} |", "|---" * (len(kernels) + 1) + "|"]
    everywhere = []
    for title in TABLES:
        rows = {
            name: [found[k][title].get(name) for k in kernels]
            for name in _names(found, title)
        }
        words = title.replace("_", " ").removesuffix("s")
        everywhere += [
            f"{len([*filter(all, rows.values())])} {title.replace('_', ' ')}"
        ]
        for name, answers in rows.items():
            if all(answers):
                continue
            what = name if title == "features" else f"{words} `{name}`"
            lines.append(f"| {what} | {' | '.join(_WORDS[a] for a in answers)} |")
    releases = [
        (
            f"* {kernel}: {each['release']}, built without {', '.join(each['without'])}"
            if each["without"]
            else f"* {kernel}: {each['release']}"
        )
        for kernel, each in found.items()
    ]
    below = f"All of them have {', '.join(everywhere[:-1])} and {everywhere[-1]} more."
    return "\n".join([*lines, "", below, "", *releases])


def _names(found: dict[str, Any], title: str) -> list[str]:
    names = {name: None for each in found.values() for name in each[title]}
    return [*names]


def page() -> str:
    """Return the whole page, with the table made anew."""
    found = json.loads(DATA.read_text("utf-8"))
    before, rest = PAGE.read_text("utf-8").split(START)
    return f"{before}{START}\n{table(found)}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
