"""BTF of modules, maps and programs, out of a kernel that does what the test says."""

import ctypes
import errno
import struct
from collections.abc import Callable

import pytest

from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.kernel import loaded_btf
from tests.harness.fake_kernel import Call, FakeKernel

MODULES = {1: "vmlinux", 2: "gone", 3: "veth", 4: "nf_tables"}


def next_id(call: Call) -> int:
    later = [number for number in MODULES if number > call.attr.start_id]
    if not later:
        return -errno.ENOENT
    call.answer("next_id", later[0])
    return 0


def btf_info(data: bytes) -> Callable[[Call], int]:
    """Return an answer about the BTF whose fd was asked for last."""

    def answer(call: Call) -> int:
        at = call.attr.info
        buffer, size, _, name_at = struct.unpack("=QIIQ", ctypes.string_at(at, 24))
        if size:
            ctypes.memmove(buffer, data, min(size, len(data)))
        ctypes.memmove(at + 8, struct.pack("=I", len(data)), 4)
        if name_at:
            name = MODULES[answer.number].encode() + b"\0"  # type: ignore[attr-defined]
            ctypes.memmove(name_at, name, len(name))
        ctypes.memmove(at + 28, struct.pack("=I", 1), 4)
        return 0

    return answer


def tell_modules(kernel: FakeKernel, data: bytes) -> None:
    info = btf_info(data)

    def fd_by_id(call: Call) -> int | None:
        info.number = call.attr.btf_id  # type: ignore[attr-defined]
        return -errno.ENOENT if MODULES[call.attr.btf_id] == "gone" else None

    kernel.always("BTF_GET_NEXT_ID", next_id)
    kernel.always("BTF_GET_FD_BY_ID", fd_by_id)
    kernel.always("OBJ_GET_INFO_BY_FD", info)


def test_btf_of_a_module_is_read_by_its_name(kernel: FakeKernel) -> None:
    tell_modules(kernel, b"types of nf_tables")
    assert loaded_btf.module_btf("nf_tables") == b"types of nf_tables"
    assert not kernel.open


@pytest.mark.parametrize("name", ["absent", "gone", "vmlinux"])
def test_a_module_that_is_not_there_is_an_error(kernel: FakeKernel, name: str) -> None:
    tell_modules(kernel, b"")
    with pytest.raises(BpfError, match=f"module '{name}': not loaded, or built with"):
        loaded_btf.module_btf(name)
    assert not kernel.open


def test_modules_that_are_not_told_are_an_error(kernel: FakeKernel) -> None:
    kernel.always("BTF_GET_NEXT_ID", -errno.EPERM)
    with pytest.raises(BpfOSError, match="EPERM"):
        loaded_btf.module_btf("veth")


def test_what_was_loaded_without_btf_says_so(kernel: FakeKernel) -> None:
    with pytest.raises(BpfError, match="map 3 '': was loaded without BTF"):
        loaded_btf.map_btf(3)
    with pytest.raises(BpfError, match="program 4 '': was loaded without BTF"):
        loaded_btf.program_btf(4)
    assert not kernel.open


def test_a_map_that_is_not_there_is_an_error(kernel: FakeKernel) -> None:
    kernel.always("MAP_GET_FD_BY_ID", -errno.ENOENT)
    with pytest.raises(BpfOSError, match="map id 3: BPF_MAP_GET_FD_BY_ID"):
        loaded_btf.map_btf(3)
