"""A whole object pinned: names as bpftool gives them, all or nothing, and taken back."""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import skelgen
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError, StateError
from tests.harness.faults import faults
from tests.harness.places import BpfFileSystem

Compile = Callable[[str], Path]

pytestmark = pytest.mark.any_kernel


def names(folder: Path) -> set[str]:
    found = {path.name for path in folder.iterdir()}
    return found - {"maps.debug", "progs.debug"}  # the kernel's own


@pytest.mark.skipif(shutil.which("bpftool") is None, reason="needs bpftool")
@pytest.mark.parametrize("name", ["ringbuf", "globals_live", "maps_nested"])
def test_names_are_bpftools(
    name: str, compile_bpf: Compile, bpffs: BpfFileSystem
) -> None:
    path = compile_bpf(name)
    theirs = bpffs.path / "theirs"
    theirs.mkdir()
    words = ["bpftool", "prog", "loadall", path, theirs / "p", "pinmaps", theirs / "m"]
    subprocess.run(words, check=True, pass_fds=[bpffs.fd], capture_output=True)
    with skelgen.open_object(path) as obj:
        obj.load()
        obj.pin(bpffs.path / "ours")
        assert names(bpffs.path / "ours") == names(theirs / "p") | names(theirs / "m")
        for program in obj.programs.values():
            fd = syscalls.Fd(syscalls.obj_get(str(bpffs.path / "ours" / program.name)))
            with fd:
                assert syscalls.prog_info(fd.fileno()).tag == program.info().tag
    assert names(bpffs.path / "ours")  # they stay
    with skelgen.open_object(path) as obj:
        with pytest.raises(StateError, match=r"pin\(\) comes after load\(\)"):
            obj.pin(bpffs.path / "ours")
        obj.load()
        with pytest.raises(FileExistsError) as caught:
            obj.pin(bpffs.path / "ours")
        assert "something is pinned there" in caught.value.__notes__[0]
        obj.unpin(bpffs.path / "ours")
        assert names(bpffs.path) == {"theirs"}


def test_all_is_pinned_or_nothing(compile_bpf: Compile, bpffs: BpfFileSystem) -> None:
    with skelgen.open_object(compile_bpf("globals_live")) as obj:
        obj.load()
        count = 0
        while True:
            error = None
            with faults(count, errno.ENOSPC, names=("OBJ_PIN", "mkdir")) as fault:
                try:
                    obj.pin(bpffs.path / "tool")
                except BpfOSError as caught:
                    error = caught.errno
            if fault.failed is None:
                break
            assert error == errno.ENOSPC
            assert names(bpffs.path) == set()
            count += 1
        assert count == 1 + len(names(bpffs.path / "tool"))  # with the directory
        missing = next((bpffs.path / "tool").iterdir())
        missing.unlink()
        with pytest.raises(FileNotFoundError):
            obj.unpin(bpffs.path / "tool")
        assert names(bpffs.path) == set()
        with pytest.raises(
            BpfError, match="object 'globals_live': BPF_OBJ_PIN: cannot be pinned at"
        ):
            obj.pin(bpffs.path / "no" / "such")


def test_what_else_is_there_stays(compile_bpf: Compile, bpffs: BpfFileSystem) -> None:
    with skelgen.open_object(compile_bpf("globals_live")) as obj:
        obj.load()
        other = bpffs.path / "tool" / "other"
        other.parent.mkdir()
        obj.maps[".bss"].pin(other)
        obj.pin(os.fspath(other.parent))
        obj.unpin(other.parent)
        assert names(other.parent) == {"other"}
        other.unlink()
