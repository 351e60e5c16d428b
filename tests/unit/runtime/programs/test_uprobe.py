"""Uprobes: places in files, by name and offset, one and many at a time."""

import errno
import os
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest

from skelgen.runtime import UprobeMultiProgram, UprobeProgram
from skelgen.runtime.errors import AttachError, NotSupportedError, TargetNotFoundError
from skelgen.runtime.kernel import features
from tests.harness.elf_files import CODE, CODE_OFFSET, IFUNC, Builder, Sym
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.programs import loaded


@pytest.mark.usefixtures("pmu", "perf_link")
@pytest.mark.parametrize(
    ("pid", "cpu"), [(-1, 0), (0, -1), (42, -1)], ids=["all", "self", "one"]
)
def test_a_uprobe_names_file_and_offset(kernel: FakeKernel, pid: int, cpu: int) -> None:
    seen: list[str] = []
    kernel.then("perf_event_open", lambda call: seen.append(call.text("uprobe_path")))
    program = loaded("uretprobe", UprobeProgram)
    program.attach("/bin/true", offset=0x40, pid=pid, ref_ctr_offset=0x99)
    (event,) = kernel.named("perf_event_open")
    assert event.attr.type == 9
    assert event.attr.config == 0x99 << 32 | 1 << 1
    assert event.attr.probe_offset == 0x40
    assert event.args[1:3] == (pid, cpu)
    assert seen == ["/bin/true"]


@pytest.mark.usefixtures("no_pmu", "perf_link")
def test_uprobes_of_old_kernels_are_made_in_tracefs(
    kernel: FakeKernel, events: list[str]
) -> None:
    program = loaded("uprobe", UprobeProgram)
    with program.attach("/bin/true", offset=0x40, ref_ctr_offset=0x99):
        assert events[0].endswith(" /bin/true:0x40(0x99)")
    assert events[1].startswith("-:skelgen/")
    program.close()
    assert not kernel.open


def test_what_uprobes_cannot_find_is_told(kernel: FakeKernel) -> None:
    program = loaded("uprobe//bin/true:no_such_function", UprobeProgram)
    with pytest.raises(AttachError, match="no function 'no_such_function'"):
        program.attach()
    with pytest.raises(AttachError, match=r"no library 'nowhere\.so\.1'"):
        program.attach("nowhere.so.1", "main")
    with pytest.raises(AttachError, match="not an ELF file"):
        program.attach("/etc/passwd", "main")
    with pytest.raises(TargetNotFoundError, match="no file '/nonexistent/file'"):
        program.attach("/nonexistent/file", "main")
    with pytest.raises(TargetNotFoundError, match="no file '/etc/passwd/x'"):
        program.attach("/etc/passwd/x", offset=0)
    bare = loaded("uprobe", UprobeProgram)
    with pytest.raises(AttachError, match=r"call attach\(path, function\)"):
        bare.attach()
    with pytest.raises(AttachError, match="'/bin/true' needs a function"):
        bare.attach("/bin/true")
    assert not kernel.named("perf_event_open")


def test_a_missing_file_is_told_as_python_tells_it(kernel: FakeKernel) -> None:
    program = loaded("uprobe", UprobeProgram)
    for path, text in (
        ("/nonexistent/file", "no file '/nonexistent/file'"),
        ("nowhere.so.1", "no library 'nowhere.so.1' in LD_LIBRARY_PATH or the usual"),
        ("nowhere", "no program 'nowhere' in PATH or the usual directories; "),
    ):
        with pytest.raises(AttachError) as caught:
            program.attach(path, offset=0)
        assert str(caught.value).startswith(f"program 'prog': {text}")
        assert isinstance(caught.value, FileNotFoundError)
        assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, path)
        again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - made here
        assert (str(again), again.filename) == (str(caught.value), path)
    assert not kernel.named("perf_event_open")


@pytest.mark.usefixtures("kernel")
def test_a_library_that_is_called_by_another_name_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = loaded("uprobe", UprobeProgram)
    (tmp_path / "libzealous.so.6").touch()
    (tmp_path / "libzealous.so").touch()  # a script of the linker's
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{tmp_path}:{tmp_path / 'none'}")
    for name in ("zealous", "libzealous"):  # as BCC has it
        with pytest.raises(AttachError, match=r"; the library is 'libzealous\.so\.6'$"):
            program.attach(name, "main")
    with pytest.raises(AttachError, match=r"did you mean 'libzealous\.so\.6'"):
        program.attach("libzealuos.so.6", "main")


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Return a program with functions ``f``, ``g`` and the resolver ``choose``."""
    builder = Builder()
    builder.symtab([Sym("f"), Sym("g", CODE + 0x40), Sym("choose", CODE + 0x80, IFUNC)])
    path = tmp_path / "victim"
    path.write_bytes(builder.build())
    return path


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"offset": -1}, ValueError, "offset -1 is negative"),
        ({"function": "f", "offset": -4}, ValueError, "offset -4 is negative"),
        (
            {"offset": 2**63},
            ValueError,
            "offset 0x8000000000000000 is past the end of",
        ),
        ({"function": "f", "offset": 1 << 20}, ValueError, "offset 0x100000 is past"),
        ({"offset": 2**64}, OverflowError, "offset must be int"),
        ({"offset": "8"}, TypeError, "offset must be int or None, got str"),
        ({"offset": 8.0}, TypeError, "offset must be int or None, got float"),
        ({"offset": True}, TypeError, "offset: a whole number is wanted, not bool"),
        ({"offset": 8, "pid": -2}, ValueError, "-2 is no process id"),
        ({"offset": 8, "pid": 1 << 40}, ValueError, "is no process id"),
        ({"offset": 8, "pid": "1"}, TypeError, "pid must be int or None, got str"),
        ({"offset": 8, "ref_ctr_offset": -1}, ValueError, "ref_ctr_offset -1 is no"),
        ({"offset": 8, "ref_ctr_offset": 1 << 32}, ValueError, "is no file offset"),
    ],
)
def test_what_is_no_place_in_a_file_is_refused(
    kernel: FakeKernel,
    victim: Path,
    options: dict[str, Any],
    error: type[Exception],
    text: str,
) -> None:
    program = loaded("uprobe", UprobeProgram)
    with pytest.raises(error, match=text) as caught:
        program.attach(victim, **options)
    assert str(caught.value).startswith("program 'prog': ")
    assert not kernel.named("perf_event_open")


def test_what_is_no_place_of_many_is_refused(kernel: FakeKernel, victim: Path) -> None:
    program = loaded("uprobe.multi", UprobeMultiProgram)
    with pytest.raises(ValueError, match="offset -1 is negative"):
        program.attach(victim, offsets=[8, -1])
    with pytest.raises(ValueError, match="is past the end"):
        program.attach(victim, offsets=[1 << 40])
    with pytest.raises(ValueError, match="only one of pattern, functions and offsets"):
        program.attach(victim, "f*", offsets=[8])
    with pytest.raises(ValueError, match="3 cookies for 2 places"):
        program.attach(victim, functions=["f", "g"], cookies=[1, 2, 3])
    with pytest.raises(AttachError, match="victim': no function 'h'"):
        program.attach(victim, functions=["f", "h"])
    assert not kernel.named("LINK_CREATE")


def test_functions_have_their_cookies_in_order(
    kernel: FakeKernel, victim: Path
) -> None:
    seen: list[tuple[int, ...]] = []

    def look(call: Call) -> None:
        # link_create.uprobe_multi.offsets follows path
        seen.append(struct.unpack("=2Q", call.memory("uprobe_multi.offsets", 16)))

    features.UPROBE_MULTI_PATH_FD.assume(False)
    kernel.then("LINK_CREATE", look)
    program = loaded("uprobe.multi", UprobeMultiProgram)
    program.attach(victim, functions=["g", "f"], cookies=[1, 2])
    assert seen == [(CODE_OFFSET + 0x40, CODE_OFFSET)]


@pytest.mark.parametrize("known", [True, False])
def test_the_file_that_was_read_is_the_one_attached_to(
    kernel: FakeKernel,
    victim: Path,
    known: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    inode = victim.stat().st_ino
    seen: list[object] = []

    def look(call: Call) -> None:
        multi = call.attr.uprobe_multi
        opened = os.fstat(multi.path_fd).st_ino if multi.flags & 2 else None
        path = call.text("uprobe_multi.path") if multi.path else None
        seen.append((opened, path, multi.flags))

    features.UPROBE_MULTI_PATH_FD.assume(known)
    kernel.always("LINK_CREATE", look)
    multi = loaded("uretprobe.multi", UprobeMultiProgram)
    multi.attach(victim, functions=["f"])
    multi.attach(victim, "f*")
    multi.attach(victim, offsets=[CODE_OFFSET])  # nothing was read
    session = loaded("uprobe.session", UprobeMultiProgram)
    session.attach(victim, functions=["g"])
    by_fd, path = (inode, None), (None, str(victim))
    where = by_fd if known else path
    flag = 2 if known else 0
    assert seen == [(*where, flag | 1), (*where, flag | 1), (*path, 1), (*where, flag)]


@pytest.mark.usefixtures("kernel", "pmu", "perf_link")
def test_a_function_that_only_chooses_is_told(victim: Path) -> None:
    program = loaded("uprobe", UprobeProgram)
    with pytest.warns(RuntimeWarning, match=r"'choose' only chooses the function"):
        program.attach(victim, "choose")
    multi = loaded("uprobe.multi", UprobeMultiProgram)
    with pytest.warns(RuntimeWarning, match=r"'choose' only chooses") as caught:
        multi.attach(victim, "*")
    assert caught[0].filename == __file__


def test_code_of_another_machine_is_refused(kernel: FakeKernel, tmp_path: Path) -> None:
    builder = Builder()
    builder.machine = 0xF7F7
    builder.symtab([Sym("f")])
    path = tmp_path / "other"
    path.write_bytes(builder.build())
    program = loaded("uprobe", UprobeProgram)
    with pytest.raises(
        AttachError, match=r"is for another machine \(ELF's number 63479"
    ):
        program.attach(path, "f")


@pytest.mark.usefixtures("no_pmu")
@pytest.mark.parametrize(
    ("section", "kind", "code", "text"),
    [
        (
            "uprobe.multi",
            "TRACE_UPROBE_MULTI",
            errno.EINVAL,
            r"no uprobe\.multi .*6\.6 ",
        ),
        ("uprobe.session", "TRACE_UPROBE_SESSION", errno.EINVAL, r"session .*6\.13"),
        (
            "uprobe.multi",
            "TRACE_UPROBE_MULTI",
            errno.EOPNOTSUPP,
            "without CONFIG_UPROBES",
        ),
    ],
)
def test_an_attach_type_that_the_kernel_has_not_is_not_supported(
    kernel: FakeKernel, victim: Path, section: str, kind: str, code: int, text: str
) -> None:
    program = loaded(section, UprobeMultiProgram)
    kernel.always("LINK_CREATE", -code)
    with pytest.raises(NotSupportedError, match=text) as caught:
        program.attach(victim, "f")
    assert caught.value.feature == section
    assert str(caught.value).startswith("program 'prog' on 1 place in '")
    assert caught.value.errno == code
