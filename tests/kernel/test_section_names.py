"""Each of libbpf's ``SEC()`` names on the running kernel: loaded, attached, fired.

A run writes its outcomes to the file that ``SKELGEN_SECTIONS`` names, in a virtual machine
to ``sections.json`` in the folder of its log. ``tools/gen_sections.py`` makes
``docs/sections.md`` from such files.
"""

import errno
import json
import os
from pathlib import Path

import pytest

from tests.harness import leaks, privilege
from tests.harness.section_cgroups import cgroups
from tests.harness.section_facts import FIRES, NOT_YET, ROWS, built_without, has, since
from tests.harness.section_network import network
from tests.harness.section_programs import (
    ATTACHED,
    FIRED,
    LEVELS,
    LOADS,
    REFUSED,
    Outcome,
)
from tests.harness.section_tracing import struct_ops, tracing

tried = pytest.mark.skipif(
    not privilege.kernel_at_least(6, 12), reason="not tried on kernels before 6.12"
)
pytestmark = [pytest.mark.outer_kernels, tried]


def in_vm() -> bool:
    """Whether the kernel is one of Debian's, with nothing of its own that refuses."""
    return os.environ.get("SKELGEN_VM") == "1"


@pytest.fixture(scope="module")
def outcomes(_privileged: None) -> dict[str, Outcome]:
    """Return the outcome of every row, by its name; nothing stays attached."""
    check = leaks.LeakCheck()
    found: dict[str, Outcome] = {}
    for group in (tracing, struct_ops, cgroups, network):
        found |= group()
    left = check.check()
    assert not left, f"left behind: {left}"
    beside_log = f"{os.environ['HOME']}/sections.json" if in_vm() else ""
    file = os.environ.get("SKELGEN_SECTIONS", beside_log)
    if file:
        rows = {key: found[key]._asdict() for key in ROWS}
        text = {"release": os.uname().release, "rows": rows}
        Path(file).write_text(json.dumps(text, indent=1), "utf-8")
    return found


def test_there_is_a_program_of_every_name(outcomes: dict[str, Outcome]) -> None:
    assert outcomes.keys() == ROWS.keys()
    assert len(ROWS) == 116


@pytest.mark.parametrize("key", ROWS)
def test_a_section_name(outcomes: dict[str, Outcome], key: str) -> None:
    outcome = outcomes[key]
    if outcome.level == FIRED:
        return
    first, option = since(key), built_without(key)
    if not has(first):
        pytest.skip(f'this kernel has no SEC("{key}"), which is in Linux since {first}')
    if option:
        assert outcome.level in {REFUSED, LOADS}
        pytest.skip(f'this kernel has no SEC("{key}"): it was built without {option}')
    if outcome.level == REFUSED and outcome.code == errno.EPERM and not in_vm():
        pytest.skip(f"this kernel refuses it: {outcome.how}")
    if key in NOT_YET:
        assert outcome.level == LOADS, outcome
        return
    least = FIRED if has(FIRES.get(key, first)) else ATTACHED
    assert LEVELS.index(outcome.level) >= LEVELS.index(least), outcome
