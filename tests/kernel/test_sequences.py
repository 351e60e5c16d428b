"""No sequence of calls crashes the interpreter, or does what the model does not."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.harness import privilege
from tests.harness.places import Cgroup
from tests.harness.sources import ROOT

pytestmark = [pytest.mark.any_kernel, privilege.needs_struct_ops_links]


EXAMPLES = 40
SHOWN = 60


def test_calls_in_any_order_crash_nothing_and_follow_the_model(
    make_skeleton: Callable[[str], ModuleType], cgroup: Cgroup, tmp_path: Path
) -> None:
    """In a process of its own, so that a signal that kills it is a failure here."""
    log = tmp_path / "steps"
    done = subprocess.run(
        [
            sys.executable,
            *("-X", "faulthandler", "-W", "error"),
            *("-m", "tests.kernel.life_machine"),
            str(make_skeleton("life").__file__),
            str(cgroup.path),
            str(log),
            os.environ.get("SKELGEN_SEQUENCES", str(EXAMPLES)),
        ],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    steps = log.read_text("utf-8") if log.exists() else ""
    last = steps.rpartition("----")[2].splitlines()[-SHOWN:]
    assert done.returncode == 0, "\n".join(
        [f"status {done.returncode}", *last, done.stderr[-6000:], done.stdout[-3000:]]
    )
    assert steps.count("----") >= EXAMPLES
    for step in (
        "prepare  # opened",
        "load  # prepared",
        "load  # opened",
        "attach  # loaded",
        "bss.numbers  # destroyed",
    ):
        assert step in steps
