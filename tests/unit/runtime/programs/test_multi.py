"""Kprobes and uprobes of many functions in one link."""

import ctypes
import errno
import os
import struct
from pathlib import Path

import pytest

from skelgen.model.enums import AttachType
from skelgen.runtime import KprobeMultiProgram, UprobeMultiProgram
from skelgen.runtime.errors import AttachError, NotSupportedError
from skelgen.runtime.kernel import symbols, tracefs
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.programs import loaded


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "events").mkdir()
    (tmp_path / "available_filter_functions").write_text(
        "vfs_read\nvfs_write\nvfs_readv\ntwice\next4_read [ext4]\n", "ascii"
    )
    monkeypatch.setattr(tracefs, "PLACES", (str(tmp_path),))
    return tmp_path


def test_kprobe_multi_takes_functions_by_address(
    kernel: FakeKernel, functions: Path
) -> None:
    (functions / "available_filter_functions_addrs").write_text(
        "ffffffff81000010 vfs_read\nffffffff81000020 vfs_write\n"
        "ffffffffc0000030 ext4_read [ext4]\n",
        "ascii",
    )
    seen: list[object] = []
    kernel.then(
        "LINK_CREATE",
        lambda call: seen.append(
            struct.unpack("=2Q", call.memory("kprobe_multi.addrs", 16))
        ),
    )
    program = loaded("kretprobe.multi/*_read", KprobeMultiProgram)
    assert program.auto_attachable
    program.attach()
    (call,) = kernel.named("LINK_CREATE")
    assert (
        call.attr.kprobe_multi.flags,
        call.attr.kprobe_multi.cnt,
        call.attr.kprobe_multi.syms,
    ) == (1, 2, 0)
    assert seen == [(0xFFFFFFFF81000010, 0xFFFFFFFFC0000030)]


@pytest.mark.usefixtures("functions")
def test_before_6_5_kprobe_multi_takes_functions_by_name(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skelgen.runtime.programs import kprobe_multi

    names = {b"vfs_read", b"vfs_write", b"vfs_readv", b"ext4_read"}
    monkeypatch.setattr(kprobe_multi, "_unique_symbols", lambda: names)
    assert kprobe_multi.traceable("vfs_*") == (
        ["vfs_read", "vfs_readv", "vfs_write"],
        [],
    )
    assert kprobe_multi.traceable("vfs_rea?") == (["vfs_read"], [])
    assert kprobe_multi.traceable("tw*") == ([], [])
    program = loaded("kprobe.multi/nothing*", KprobeMultiProgram)
    with pytest.raises(AttachError, match="no traceable kernel function matches"):
        program.attach()
    kernel.then("LINK_CREATE", -errno.ESRCH)
    with pytest.raises(AttachError, match="no kernel function 'vfs_reed' to probe"):
        program.attach("vfs_reed")
    with pytest.raises(ValueError, match="1 cookies, 2 functions"):
        program.attach(functions=["a", "b"], cookies=[1])


@pytest.fixture
def kallsyms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the kernel three functions and a variable."""
    path = tmp_path / "kallsyms"
    path.write_text(
        "0 T vfs_read\n0 t vfs_write\n0 D vfs_data\n0 t ext4_read\t[ext4]\n", "ascii"
    )
    monkeypatch.setattr(symbols, "KALLSYMS", str(path))
    return path


@pytest.mark.parametrize("names", [("vfs_read",), ("vfs_write", "ext4_read")])
def test_exact_names_are_the_kernels_to_find(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    """Neither ``kallsyms`` nor tracefs is read: 150 ms a function."""
    seen: list[list[str]] = []

    def look(call: Call) -> None:
        count = call.attr.kprobe_multi.cnt
        pointers = struct.unpack(
            f"={count}Q", call.memory("kprobe_multi.syms", 8 * count)
        )
        seen.append([ctypes.string_at(pointer).decode() for pointer in pointers])

    kernel.always("LINK_CREATE", look)
    monkeypatch.setattr(symbols, "KALLSYMS", "/nonexistent")
    monkeypatch.setattr(tracefs, "PLACES", ())
    program = loaded("kprobe.multi", KprobeMultiProgram)
    program.attach(functions=names)
    if len(names) == 1:
        program.attach(*names)
        loaded(f"kprobe.session/{names[0]}", KprobeMultiProgram).attach()
    assert seen == [list(names)] * len(seen)
    assert len(seen) == (3 if len(names) == 1 else 1)
    assert not kernel.named("fsopen")


@pytest.mark.usefixtures("kallsyms")
def test_it_is_told_which_of_many_functions_is_not_there(kernel: FakeKernel) -> None:
    program = loaded("kprobe.multi", KprobeMultiProgram)
    kernel.always("LINK_CREATE", -errno.ESRCH)
    for names, text in (
        (["vfs_reed"], "no kernel function 'vfs_reed' to probe"),
        (["vfs_read", "vfs_data", "ext4_reed"], "function 'vfs_data', 'ext4_reed' to"),
        ([f"x{n}" for n in range(9)], "'x0', 'x1', 'x2', 'x3', 'x4' and 4 others to"),
        (
            ["vfs_read", "vfs_write"],
            "one of kernel functions 'vfs_read', 'vfs_write' cannot",
        ),
    ):
        with pytest.raises(AttachError, match=text) as caught:
            program.attach(functions=names)
        notes = {"vfs_reed": ["did you mean 'vfs_read'?"]}
        assert getattr(caught.value, "__notes__", []) == notes.get(names[0], [])


@pytest.mark.usefixtures("kallsyms")
@pytest.mark.parametrize(
    ("section", "code", "text"),
    [
        (
            "kprobe.multi",
            errno.EOPNOTSUPP,
            r"no kprobe\.multi: it was built without CONF",
        ),
        ("kprobe.session", errno.EINVAL, r"no kprobe\.session \(Linux 6\.10 has it\)"),
        ("kprobe.multi", errno.EINVAL, r"no kprobe\.multi \(Linux 5\.18 has it\)"),
    ],
)
def test_what_the_kernel_lacks_of_kprobe_multi_is_told(
    kernel: FakeKernel, section: str, code: int, text: str
) -> None:
    program = loaded(section, KprobeMultiProgram)
    kernel.always("LINK_CREATE", -code)
    with pytest.raises(NotSupportedError, match=text) as caught:
        program.attach(functions=["vfs_read"])
    assert str(caught.value).startswith("program 'prog' on 1 kernel function: ")


@pytest.mark.usefixtures("kallsyms")
def test_functions_of_the_kernel_are_found_by_name() -> None:
    assert list(symbols.functions()) == [
        *(b"vfs_read", b"vfs_write", b"ext4_read"),
    ]
    assert symbols.has("ext4_read")
    assert not symbols.has("vfs_data")
    assert symbols.near("red", "vfs_") == "did you mean 'read'?"


def test_without_kallsyms_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbols, "KALLSYMS", "/nonexistent")
    assert symbols.missing(["x"]) == []
    assert not symbols.has("x")
    assert not symbols.near("x")


def test_a_kprobe_session_has_its_own_attach_type(kernel: FakeKernel) -> None:
    program = loaded("kprobe.session/vfs_read", KprobeMultiProgram)
    program.attach()
    (call,) = kernel.named("LINK_CREATE")
    assert call.attr.attach_type == AttachType.TRACE_KPROBE_SESSION
    assert call.attr.kprobe_multi.flags == 0


def test_uprobe_multi_takes_places_with_their_cookies(kernel: FakeKernel) -> None:
    program = loaded("uprobe.multi", UprobeMultiProgram)
    program.attach("/bin/true", offsets=[1, 2], cookies=[3, 4], pid=0)
    program.attach("/bin/true", offsets=[1])
    first, second = kernel.named("LINK_CREATE")
    assert first.values(
        "uprobe_multi.cnt", "uprobe_multi.flags", "uprobe_multi.pid"
    ) == [2, 0, os.getpid()]
    assert second.attr.uprobe_multi.pid == 0
    with pytest.raises(ValueError, match="1 cookies for 2 places"):
        program.attach("/bin/true", offsets=[1, 2], cookies=[3])
    with pytest.raises(AttachError, match="no function in '/bin/true' matches"):
        program.attach("/bin/true", "no_such_*")
