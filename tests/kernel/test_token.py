"""Loading without rights in the initial user namespace: a bpffs that delegates them.

A child has a user namespace of its own, in which it is root, and nothing more. Its bpffs
gets from us, who have the rights, what it may do: then it loads with a token.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen.runtime import syscalls
from tests.harness import privilege
from tests.harness.sources import ROOT

Compile = Callable[[str], Path]

CHILD = """
import ctypes, json, os, socket, sys
import skelgen
from skelgen.runtime import syscalls
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x20000
parent = socket.socket(fileno=int(sys.argv[1]))
assert ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0
parent.sendall(b"u")
assert parent.recv(1) == b"m"
context = syscalls.fsopen("bpf")
socket.send_fds(parent, [b"f"], [context])
assert parent.recv(1) == b"c"
mount = syscalls.fsmount(context)
path = f"/proc/self/fd/{mount}"
MOVE_MOUNT, EMPTY_PATH = 429, 4

def attempt(name, **options):
    try:
        with skelgen.open_object(name, **options) as obj:
            obj.load()
            return "loaded"
    except Exception as error:
        return "\\n".join([type(error).__name__, str(error), *getattr(error, "__notes__", [])])

found = {}
for name in sys.argv[2:]:
    os.environ.pop("LIBBPF_BPF_TOKEN_PATH", None)
    found[name] = [attempt(name, token=""), attempt(name, token=path)]
    os.environ["LIBBPF_BPF_TOKEN_PATH"] = path
    found[name].append(attempt(name))

# the place where it is looked for
del os.environ["LIBBPF_BPF_TOKEN_PATH"]
here = [ctypes.c_char_p(name) for name in (b"", b"/sys/fs/bpf")]
assert ctypes.CDLL(None).syscall(MOVE_MOUNT, mount, here[0], -100, here[1], EMPTY_PATH) == 0
for name in sys.argv[2:]:
    found[name].append(attempt(name))
print(json.dumps(found))
"""


def in_namespace(paths: list[Path], delegated: dict[str, str]) -> dict[str, list[str]]:
    """Return what a child says of each object.

    Without a token, with one, by the variable, and where bpffs is mounted by default.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        words = [sys.executable, "-c", CHILD, str(theirs.fileno()), *map(str, paths)]
        child = subprocess.Popen(
            words,
            pass_fds=[theirs.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        theirs.close()
        if ours.recv(1) == b"u":
            for name in ("uid_map", "gid_map"):
                Path(f"/proc/{child.pid}/{name}").write_text("0 0 1\n", "ascii")
            ours.sendall(b"m")
            _, fds, _, _ = socket.recv_fds(ours, 1, 1)
            for fd in fds:
                for what, value in delegated.items():
                    key = f"delegate_{what}"
                    syscalls.fsconfig(fd, syscalls.FSCONFIG_SET_STRING, key, value)
                syscalls.fsconfig(fd, syscalls.FSCONFIG_CMD_CREATE)
                os.close(fd)
            ours.sendall(b"c")
        output, errors = child.communicate(timeout=300)
    assert child.returncode == 0, errors
    found: dict[str, list[str]] = json.loads(output)
    return {Path(path).name.split(".")[0]: told for path, told in found.items()}


@pytest.fixture(autouse=True)
def _tokens() -> None:
    if not privilege.kernel_at_least(6, 9):
        pytest.skip("this kernel has no tokens, which are in Linux since 6.9")


ALL = dict.fromkeys(("cmds", "maps", "progs", "attachs"), "any")


def test_with_a_token_it_loads(compile_bpf: Compile) -> None:
    names = ("maps_plain", "globals_live", "ringbuf", "core_fields", "prog_xdp")
    found = in_namespace([compile_bpf(name) for name in names], ALL)
    for name in names:
        without, *with_token = found[name]
        assert without.startswith("BpfPermissionError\n"), (name, without)
        assert with_token == ["loaded"] * 3, name


def test_no_more_than_is_delegated_loads(compile_bpf: Compile) -> None:
    """Maps and programs of other types are refused, and the error is about rights."""
    names = ("globals_live", "prog_xdp")
    delegated = ALL | {"progs": "sched_cls"}
    found = in_namespace([compile_bpf(name) for name in names], delegated)
    assert found["globals_live"][1] == "loaded"
    assert found["prog_xdp"][1].startswith("BpfPermissionError\n")
