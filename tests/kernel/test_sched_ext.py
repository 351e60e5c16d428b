"""The scheduler of the examples: takes all tasks of a virtual machine, and hands back."""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skelgen.runtime.errors import NotSupportedError
from tests.harness import sources
from tests.harness.generating import loaded

SYSFS = Path("/sys/kernel/sched_ext")
SCX_EXIT_UNREG = 64
SCX_EXIT_SYSRQ = 67

has_sched_ext = pytest.mark.skipif(
    not SYSFS.exists(),
    reason="needs sched_ext, which is in Linux since 6.12 with CONFIG_SCHED_CLASS_EXT",
)
# a scheduler is for every task, and a test touches its own alone
own_machine = pytest.mark.skipif(
    os.environ.get("SKELGEN_VM") != "1",
    reason="schedules the whole machine: in a virtual one alone",
)


def state() -> str:
    return (SYSFS / "state").read_text("ascii").strip()


@pytest.fixture
def skel() -> Iterator[Any]:
    with loaded(sources.skeleton("sched_weighted")).SchedWeighted.open() as skeleton:
        yield skeleton


@pytest.fixture
def busy() -> Iterator[None]:
    """More processes that never sleep than there are processors, of little weight."""
    words = [sys.executable, "-S", "-c", "import os; os.nice(10)\nwhile True: pass"]
    with_load = [subprocess.Popen(words) for _ in range((os.cpu_count() or 1) + 2)]
    yield
    for process in with_load:
        process.kill()
        process.wait()


@own_machine
@has_sched_ext
def test_tasks_of_a_busy_machine_wait_in_its_queue(busy: None, skel: Any) -> None:
    skel.load()
    assert state() == "disabled"
    skel.attach()
    assert state() == "enabled"
    assert (SYSFS / "root/ops").read_text("ascii").startswith("weighted")
    counted = []
    for _ in range(3):
        before = skel.bss.queued
        time.sleep(1)
        counted.append(skel.bss.queued - before)
    assert min(counted) > 10  # of 5 ms, many times a second
    assert skel.bss.exit_kind == 0
    skel.detach()
    assert state() == "disabled"
    assert skel.bss.exit_kind == SCX_EXIT_UNREG
    assert skel.bss.exit_reason.rstrip(b"\0") == b"unregistered from user space"


@own_machine
@has_sched_ext
def test_the_kernel_takes_tasks_back_and_says_why(skel: Any) -> None:
    skel.load()
    skel.attach()
    Path("/proc/sysrq-trigger").write_text("S", "ascii")
    end = time.monotonic() + 60
    while not skel.bss.exit_kind and time.monotonic() < end:
        time.sleep(0.1)
    assert skel.bss.exit_kind == SCX_EXIT_SYSRQ
    skel.detach()  # whose link is still there
    assert state() == "disabled"


@own_machine
@has_sched_ext
def test_the_example_runs_for_ten_seconds_under_load(
    busy: None, tmp_path: Path
) -> None:
    done = _example(tmp_path)
    assert done.stderr == ""
    header, *rows, last = done.stdout.splitlines()
    assert header.split() == ["SECOND", "AT", "ONCE", "QUEUED"]
    seconds, _, queued = zip(*(map(int, row.split()) for row in rows), strict=True)
    assert seconds == tuple(range(1, 11))
    assert all(later > earlier for earlier, later in itertools.pairwise(queued))
    assert last == "the kernel schedules again: unregistered from user space"


@pytest.mark.skipif(SYSFS.exists(), reason="this kernel has sched_ext")
def test_a_kernel_without_it_is_told_once(tmp_path: Path, skel: Any) -> None:
    with pytest.raises(NotSupportedError) as error:
        skel.load()
    done = _example(tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"sched_weighted: {error.value}\n"
    assert done.stderr.endswith(
        "struct_ops 'weighted': this kernel has no operations of type 'struct"
        " sched_ext_ops'; Linux has them since 6.12, if it was built with"
        " CONFIG_SCHED_CLASS_EXT\n"
    )


def _example(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    module = folder / "sched_weighted_skel.py"
    module.write_text(sources.skeleton("sched_weighted"), "utf-8")
    script = sources.EXAMPLES / "sched_weighted/main.py"
    paths = os.pathsep.join((str(folder), str(sources.ROOT)))
    return subprocess.run(
        [sys.executable, "-P", "-W", "error", script, *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
