"""A process that may open few files: one clear error wherever it runs out of them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import skelgen

pytestmark = pytest.mark.any_kernel

SCRIPT = """
import errno, importlib.util, os, resource, sys, traceback

spec = importlib.util.spec_from_file_location("tried_skel", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from skelgen import runtime as rt

def fds():
    return sorted(os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
                  if os.path.exists(f"/proc/self/fd/{n}"))

def tried(limit):
    '''Open, load and attach with so many files; return how far it came.'''
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    error, how, skel = None, "open", None
    try:
        skel = getattr(module, sys.argv[2]).open()
        how = "load"
        skel.load()
        how = "attach"
        skel.attach()
        how = "done"
    except BaseException as caught:
        error = caught
    if how == "load":
        repr(skel)
    if skel is not None:
        skel.destroy()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    left = len(os.listdir("/proc/self/fd")) - before
    assert left == 0, (limit, how, left, fds())
    if error is not None:
        if type(error) is not rt.BpfOSError or error.errno != errno.EMFILE:
            raise error
        text = "".join(traceback.format_exception_only(error))
        assert f"may have {limit} files open" in text, text
        assert "RLIMIT_NOFILE" in text and "too many open files" in text, text
        assert not error.strerror.startswith("[Errno"), text
        # and with more files it works, in the same process
        with getattr(module, sys.argv[2]).open_and_load() as again:
            again.attach()
    return how

came = []
first = max(map(int, os.listdir("/proc/self/fd"))) + 1
for limit in range(first, first + 60):
    # a process each, since what was imported by one that failed is there for the next
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.dup2(writer, 2000)
        os.close(writer)
        try:
            os.write(2000, tried(limit).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writer)
    how = os.read(reader, 100).decode()
    os.close(reader)
    _, status = os.waitpid(child, 0)
    assert status == 0, limit
    came.append(how)
    if came[-3:] == ["done"] * 3:
        break
print(*came)
"""


@pytest.mark.parametrize(
    ("name", "cls"), [("life", "Life"), ("bootstrap", "Bootstrap")]
)
def test_too_few_files_are_one_clear_error_wherever_they_run_out(
    make_skeleton: Any, tmp_path: Path, name: str, cls: str
) -> None:
    source = Path(make_skeleton(name).__file__)
    root = str(Path(skelgen.__file__).parents[1])
    words = [sys.executable, "-c", SCRIPT, str(source), cls]
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    came = done.stdout.split()
    assert came[-3:] == ["done"] * 3
    assert {"load", "attach"} <= set(came)
    assert "load" not in came[came.index("attach") :]  # it comes further each time
