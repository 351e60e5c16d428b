"""Every public callable with junk: it is refused in words, and the process survives."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import skelgen

pytestmark = pytest.mark.any_kernel

WORDS = (sys.executable, "-X", "faulthandler", "-m", "tests.kernel.junk")
FIXTURES = (
    *("life", "maps_special", "maps_prog_array", "maps_arena", "prog_xdp", "prog_tc"),
    *("prog_cgroup", "prog_uprobe", "prog_iter", "prog_misc", "prog_net"),
    *("prog_netfilter", "prog_raw_tracepoint", "prog_kprobe", "types_structs"),
)
"""Maps and programs of every family."""


@pytest.mark.parametrize(
    ("group", "least"), [("modules", 5_000), ("skeletons", 50_000), ("command", 400)]
)
def test_junk_is_refused_in_words_and_the_process_survives(
    make_skeleton: Any, tmp_path: Path, group: str, least: int
) -> None:
    if group == "skeletons":
        for name in FIXTURES:
            source = Path(make_skeleton(name).__file__)
            (tmp_path / source.name).write_bytes(source.read_bytes())
    root = str(Path(skelgen.__file__).parents[1])
    done = subprocess.run(
        [*WORDS, str(tmp_path), group],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root, "PYTHONMALLOC": "debug"},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    *faults, last = done.stdout.splitlines()
    assert not faults, "\n".join(faults)
    assert int(last.split()[0]) >= least, last
    print(last)  # noqa: T201 (shown with -s: the figures)
