"""The kernels after 6.18: what they brought, and what they say otherwise."""

import errno
import platform
import struct

import pytest

from skelgen.model.enums import MapType
from skelgen.model.flags import BPF_F_NO_PREALLOC
from skelgen.runtime import RawTracepointProgram, TracepointProgram, syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.version import kernel_version
from skelgen.runtime.maps import create
from skelgen.runtime.maps.request import MapRequest
from skelgen.runtime.programs.base import Program
from tests.harness import privilege
from tests.harness.programs import LoadProgram

NUMBERS = (MapType.RHASH, 4, 8, 16)


def test_a_resizable_hash() -> None:
    """It is made with its flag, and said to want it without."""
    privilege.require("RHASH", features.map_type("rhash"))
    fd = syscalls.Fd(create.create(MapRequest(*NUMBERS, BPF_F_NO_PREALLOC, "m"), "m"))
    with fd:
        key, value = struct.pack("=I", 7), struct.pack("=Q", 8)
        syscalls.map_update(fd.fileno(), key, value)
        out = bytearray(8)
        syscalls.map_lookup(fd.fileno(), key, out)
        assert out == value
    with pytest.raises(BpfOSError, match="RHASH wants map_flags BPF_F_NO_PREALLOC"):
        create.create(MapRequest(*NUMBERS, 0, "m"), "m")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="of x86-64 alone")
def test_fast_uprobes() -> None:
    """From 6.18 on, whichever way the system call refuses to be called by hand."""
    expected = kernel_version() >= 6 << 16 | 18 << 8
    assert features.UPROBE_SYSCALL.supported() is expected


@pytest.mark.parametrize(
    ("section", "kind", "target"),
    [
        ("tp.s/sched/sched_switch", TracepointProgram, "tracepoint 'sched/"),
        ("raw_tp.s/sched_switch", RawTracepointProgram, "raw tracepoint 'sched_"),
    ],
)
def test_a_tracepoint_where_a_program_may_not_sleep(
    load: LoadProgram, section: str, kind: type[Program], target: str
) -> None:
    try:
        program = load(section, kind)
    except BpfOSError as error:
        # the first release is not known; 7.3 has them
        if error.errno != errno.EINVAL or privilege.kernel_at_least(7, 3):
            raise
        pytest.skip("this kernel has no sleepable programs on tracepoints; 7.3 has")
    with pytest.raises(BpfOSError, match=f"on {target}.*EINVAL") as caught:
        program.attach()
    assert "the program may sleep" in caught.value.__notes__[-1]
