"""The command as a process: exit statuses, pipes, terminals, folders."""

import os
import pty
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import skelgen
from tests.harness.command import process, run
from tests.harness.sources import ROOT

CompileBpf = Callable[..., Path]


def test_exit_statuses_are_0_1_for_stale_and_2_for_errors(folder: Path) -> None:
    statuses = [
        process(*arguments, cwd=folder).returncode
        for arguments in (
            ("--check", "ringbuf.bpf.o"),
            ("ringbuf.bpf.o",),
            ("--check", "ringbuf.bpf.o"),
            ("bad.o",),
            ("--nonsense",),
            ("--version",),
        )
    ]
    assert statuses == [1, 0, 0, 2, 2, 0]


def test_as_a_module_it_has_the_same_name(folder: Path) -> None:
    done = process("--help", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("--help").output
    assert done.stdout.startswith("Usage: skelgen [OPTIONS]")
    wrong = process("inspect", cwd=folder)
    assert wrong.stderr.startswith("Usage: skelgen inspect [OPTIONS] OBJ.o\n")


def test_a_process_prints_the_same_module(folder: Path) -> None:
    done = process("ringbuf.bpf.o", "-o", "-", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == skelgen.generate("ringbuf.bpf.o")


def test_a_closed_pipe_gives_no_traceback(folder: Path) -> None:
    command = f"'{sys.executable}' -m skelgen ringbuf.bpf.o -o - | head -1"
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("# @generated")
    assert "Traceback" not in done.stderr


def test_progress_on_a_terminal_is_rewritten_in_place(folder: Path) -> None:
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "skelgen", "ringbuf.bpf.o", "maps_plain.bpf.o"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=theirs,
        check=True,
    )
    os.close(theirs)
    text = os.read(ours, 65536).decode()
    os.close(ours)
    assert "[1/2] ringbuf.bpf.o\r" in text
    assert "\r\x1b[K[2/2] maps_plain.bpf.o\r" in text
    assert text.endswith("2 modules: 2 written, 0 up to date\r\n")


def test_a_read_only_folder_says_so(folder: Path) -> None:
    if os.geteuid() == 0:
        target = Path("/proc/skel.py")
        message = "cannot write it: No such file or directory"
    else:
        folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
        target = folder / "skel.py"
        message = "cannot write it: Permission denied"
    done = process("ringbuf.bpf.o", "-o", str(target), cwd=folder)
    folder.chmod(stat.S_IRWXU)
    assert done.returncode == 2
    assert done.stderr == f"skelgen: error: {target}: {message}\n"
