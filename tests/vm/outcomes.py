"""Outcome of each test on each kernel: written down in there, counted out here.

Inside the virtual machine this module is a plugin of pytest, which adds a line to the
file that ``SKELGEN_OUTCOMES`` names for each step of a test.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

VARIABLE = "SKELGEN_OUTCOMES"


class Outcome(NamedTuple):
    """The end of one step of a test."""

    test: str
    step: str
    """``setup``, ``call`` or ``teardown``."""
    outcome: str
    """``passed``, ``failed`` or ``skipped``."""
    seconds: float
    reason: str
    """Why it was skipped, or the end of how it failed."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Write one step of a test down at once: a kernel may panic in the next."""
    reason = ""
    if report.skipped and isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
    elif report.failed:
        reason = report.longreprtext[-2000:]
    line = Outcome(
        report.nodeid, report.when, report.outcome, round(report.duration, 2), reason
    )
    with Path(os.environ[VARIABLE]).open("a", encoding="utf-8") as file:
        print(json.dumps(line), file=file)


def read(path: Path) -> list[Outcome]:
    """Return what was written down."""
    if not path.exists():
        return []
    return [Outcome(*json.loads(line)) for line in path.read_text("utf-8").splitlines()]


# -- here ----------------------------------------------------------------------


def table(found: dict[str, list[Outcome]]) -> list[str]:
    """Return the lines of a table by kernel, and of the reasons for skips below it."""
    lines = ["kernel     passed    skipped     failed    seconds"]
    reasons: dict[str, Counter[str]] = {}
    for kernel, outcomes in found.items():
        of_tests: dict[str, set[str]] = {}
        for each in outcomes:
            of_tests.setdefault(each.test, set()).add(each.outcome)
        failed = sum("failed" in each for each in of_tests.values())
        skipped = sum("failed" not in e and "skipped" in e for e in of_tests.values())
        seconds = sum(each.seconds for each in outcomes)
        passed = len(of_tests) - failed - skipped
        lines.append(
            f"{kernel:6}{passed:11}{skipped:11}{failed:11}{seconds:11.0f}".rstrip()
        )
        for each in _skips(outcomes):
            reasons.setdefault(_first_line(each.reason), Counter())[kernel] += 1
    for reason, kernels in sorted(reasons.items(), key=_most_first):
        counts = ", ".join(f"{kernel}: {count}" for kernel, count in kernels.items())
        lines.append(f"skipped ({counts}): {reason}")
    return lines


def needless_skips(kernel: str, outcomes: list[Outcome]) -> list[str]:
    """Return the skips for want of what Linux has since this version or an older one.

    A reason names the kernel that has it, except where this one was built without.
    """
    running = _numbers(kernel)
    return [
        f"{each.test}: {_first_line(each.reason)}"
        for each in _skips(outcomes)
        if (since := _VERSION.findall(each.reason))
        and "CONFIG_" not in each.reason
        and max(map(_numbers, since)) <= running
    ]


_VERSION = re.compile(r"\b(?:Linux|Linux since|since) (\d+\.\d+)\b")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _skips(outcomes: list[Outcome]) -> Iterator[Outcome]:
    return (each for each in outcomes if each.outcome == "skipped")


def _first_line(reason: str) -> str:
    return reason.partition("\n")[0]


def _most_first(item: tuple[str, Counter[str]]) -> tuple[int, str]:
    return -item[1].total(), item[0]
