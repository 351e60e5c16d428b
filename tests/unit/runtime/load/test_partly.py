"""load(strict=False): what fails is left out and reported, whatever it is."""

import errno
import gc
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen.model.enums import MapType, ProgType
from skelgen.model.spec import ExternKind, ExternSpec, KfuncCall, ObjectSpec
from skelgen.runtime.errors import BpfError, BpfOSError, StateError, VerifierError
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.kernel import features
from skelgen.runtime.load.report import LoadFailure, LoadReport
from skelgen.runtime.object.life import State
from skelgen.runtime.object.object import Object
from skelgen.runtime.process.once import Once
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.specs import rich_object


@pytest.fixture(autouse=True)
def no_old_kernel() -> None:
    """What is refused is refused for its own sake."""
    for feature in vars(features).values():
        if isinstance(feature, features.Feature):
            feature.assume(answer=True)


def refuse(field: str, name: str, error: int) -> Callable[[Call], int | None]:
    """Refuse what has a name, every time."""

    def answer(call: Call) -> int | None:
        return -error if call.attr[field] == name else None

    return answer


def opened(
    kernel: FakeKernel,
    folder: Path,
    spec: ObjectSpec | None = None,
    kconfig: str | None = "CONFIG_X=1",
) -> Object:
    kernel.always("OBJ_GET", -errno.ENOENT)
    kernel.always("OBJ_PIN", lambda call: Path(call.text("pathname")).touch())
    return Object(spec or rich_object(), pin_root=folder, kconfig=kconfig)


def test_where_all_is_loaded_the_report_is_empty(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with opened(kernel, tmp_path) as obj:
        report = obj.load(strict=False)
        assert report
        assert list(report) == []
        assert (str(report), repr(report)) == (
            "all loaded",
            "<load report: all loaded>",
        )
        assert obj.state is State.LOADED
    with opened(kernel, tmp_path / "again") as obj:
        assert obj.load()
    assert not kernel.open


def test_a_program_that_is_refused_is_left_out_and_reported(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    """The others are loaded; its slot in a program array stays empty."""
    answer = refuse("prog_name", "first", errno.EACCES)
    kernel.always("PROG_LOAD", answer)
    with opened(kernel, tmp_path) as obj:
        report = obj.load(strict=False)
        assert not report
        (failure,) = report
        assert (failure.kind, failure.name) == ("program", "first")
        assert isinstance(failure.error, BpfOSError)
        assert failure.error.errno == errno.EACCES
        assert failure.error.__traceback__ is None
        assert report.programs == {"first": failure.error}
        assert report.maps == {}
        assert repr(report) == "<load report: without program 'first'>"
        first, second = obj.programs["first"], obj.programs["second"]
        assert second.loaded
        assert not first.loaded
        assert first.load_error is failure.error
        assert second.load_error is None
        with pytest.raises(StateError, match=r"'first': load\(\) did without it") as e:
            first.fd()
        assert e.value.__cause__ is failure.error
        with pytest.raises(StateError):
            first.autoload = False
        assert len(kernel.named("MAP_UPDATE_ELEM")) == 4
        report = obj.attach()
        assert list(report.attached) == ["second"]
        assert report.failed == {"first": first.load_error}
        assert not report
    assert not kernel.open


def test_strict_is_all_or_nothing(kernel: FakeKernel, tmp_path: Path) -> None:
    kernel.always("PROG_LOAD", refuse("prog_name", "first", errno.EACCES))
    with opened(kernel, tmp_path) as obj:
        with pytest.raises(BpfOSError):
            obj.load()
        assert obj.state is State.OPENED
        assert not obj.load(strict=False)
    assert not kernel.open


def test_a_map_that_is_refused_is_left_out_and_reported(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    """Programs that refer to it get poison; what the kernel says of them counts."""
    kernel.always("MAP_CREATE", refuse("map_name", "counts", errno.EINVAL))
    with opened(kernel, tmp_path) as obj:
        report = obj.load(strict=False)
        assert list(report.maps) == ["counts"]
        assert report.programs == {}  # this kernel takes poison
        with pytest.raises(StateError, match=r"map 'counts': load\(\) did without it"):
            obj.map("counts").fd()
        assert obj.map("counts").load_error is report.maps["counts"]
    assert not kernel.open


def test_a_program_says_which_map_it_lacks(kernel: FakeKernel, tmp_path: Path) -> None:
    kernel.always("MAP_CREATE", refuse("map_name", "counts", errno.EINVAL))
    kernel.always("PROG_LOAD", refuse("prog_name", "first", errno.EINVAL))
    with opened(kernel, tmp_path) as obj:
        report = obj.load(strict=False)
        assert list(report.programs) == ["first"]
        notes = report.programs["first"].__notes__
        assert any(
            "map 'counts' was not made: map 'counts': BPF_MAP" in n for n in notes
        )
        assert str(report).splitlines()[0] == (
            "not loaded: map 'counts', program 'first'"
        )


def test_a_map_that_cannot_be_filled_is_reported_and_unpinned(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    """It is closed, and its pin goes."""
    made: dict[int, str] = {}

    def create(call: Call) -> None:
        made[kernel._next + 1] = call.attr.map_name

    def update(call: Call) -> int | None:
        return -errno.EIO if made.get(call.attr.map_fd) in {"outer", "calls"} else None

    kernel.always("MAP_CREATE", create)
    kernel.always("MAP_UPDATE_ELEM", update)
    with opened(kernel, tmp_path) as obj:
        obj.maps["outer"].pin_path = tmp_path / "outer"
        report = obj.load(strict=False)
        assert set(report.maps) == {"outer", "calls"}
        assert not (tmp_path / "outer").exists()
        with pytest.raises(StateError):
            obj.map("outer").fd()
        assert obj.map("calls").fd()  # programs use it already
    assert not kernel.open


def test_a_data_section_that_cannot_be_frozen_is_reported(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    kernel.always("MAP_FREEZE", -errno.EIO)
    with opened(kernel, tmp_path) as obj:
        report = obj.load(strict=False)
        assert set(report.maps) == {".rodata", ".kconfig"}
    assert not kernel.open


def test_configuration_that_is_not_there_leaves_its_section_out(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    spec = rich_object()
    wrong = spec._replace(externs=(spec.externs[0]._replace(name="CONFIG_SKELGEN_NO"),))
    with opened(kernel, tmp_path, wrong, kconfig=None) as obj:
        report = obj.load(strict=False)
        assert list(report.maps) == [".kconfig"]
        assert "CONFIG_SKELGEN_NO" in str(report)
        assert not [
            call
            for call in kernel.named("MAP_CREATE")
            if call.attr.map_name.startswith("plain.kconfig")
        ]


def with_kfunc() -> ObjectSpec:
    """Return an object whose first program calls a function that no kernel has."""
    spec = rich_object()
    first, second = spec.programs
    extern = ExternSpec("no_such_kfunc", ExternKind.KFUNC, type_id=1)
    return spec._replace(
        externs=(*spec.externs, extern),
        programs=(first, second._replace(relocs=(KfuncCall(0, extern.name),))),
    )


@pytest.mark.parametrize("path", ["", "/nowhere"])
def test_symbols_that_are_not_there_leave_their_programs_out(
    kernel: FakeKernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The programs that use them are left out; also on a kernel without BTF."""
    if path:
        monkeypatch.setattr(kernel_btf, "_vmlinux", Once(kernel_btf._read_vmlinux))
        monkeypatch.setattr(kernel_btf, "VMLINUX", path)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        kernel.always("BTF_GET_NEXT_ID", -errno.ENOENT)
    elif not Path("/sys/kernel/btf/vmlinux").exists():
        pytest.skip("this kernel has no BTF")
    kernel.always("BTF_GET_NEXT_ID", -errno.ENOENT)
    with opened(kernel, tmp_path, with_kfunc()) as obj:
        report = obj.load(strict=False)
        assert list(report.programs) == ["second"]
        assert obj.programs["first"].loaded
        with pytest.raises(StateError, match="'second'"):
            obj.programs["second"].fd()


def test_a_type_that_nobody_knows_is_reported(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with opened(kernel, tmp_path) as obj:
        obj.programs["second"].type = ProgType.UNSPEC
        report = obj.load(strict=False)
        assert "does not tell its type" in str(report.programs["second"])


def test_an_object_of_which_nothing_loads_is_loaded_and_empty(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    """The object is loaded all the same, and empty."""
    kernel.always("PROG_LOAD", -errno.EPERM)
    kernel.always("MAP_CREATE", -errno.EPERM)
    with opened(kernel, tmp_path) as obj:
        report = obj.load(strict=False)
        assert len(report.failures) == len(obj.maps) + len(obj.programs)
        attached = obj.attach()
        assert not attached.attached
        assert set(attached.failed) == set(obj.programs)
        assert obj.state is State.LOADED
        assert not kernel.open
        del report
        gc.collect()


def test_without_rights_for_anything_it_raises(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    kernel.always("BTF_LOAD", -errno.EPERM)
    with opened(kernel, tmp_path) as obj:
        with pytest.raises(PermissionError, match="BPF_BTF_LOAD"):
            obj.load(strict=False)
        assert obj.state is State.OPENED
        assert not kernel.open


def test_what_is_about_the_whole_object_raises(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    other = "big" if sys.byteorder == "little" else "little"
    with (
        opened(kernel, tmp_path, rich_object()._replace(byteorder=other)) as obj,
        pytest.raises(BpfError, match="-endian machines"),
    ):
        obj.load(strict=False)
    assert obj.state is State.DESTROYED


def test_an_interrupt_raises_and_leaves_nothing_open(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    def interrupt(_: Call) -> None:
        raise KeyboardInterrupt

    kernel.always("PROG_LOAD", interrupt)
    with opened(kernel, tmp_path) as obj:
        with pytest.raises(KeyboardInterrupt):
            obj.load(strict=False)
        assert obj.state is State.OPENED
        assert not kernel.open


def test_the_report_tells_each_failure_in_order() -> None:
    refused = VerifierError(errno.EACCES, "refused:\n  why", program="a")
    report = LoadReport(
        (
            LoadFailure("map", "m", BpfOSError(errno.ENOMEM, what="map 'm'")),
            LoadFailure("program", "a", refused),
            LoadFailure("program", "b", BpfError("extern 'x': not there")),
        )
    )
    assert not report
    assert str(report) == (
        "not loaded: map 'm', program 'a', program 'b'\n"
        "  map 'm': cannot allocate memory (ENOMEM)\n"
        "  program 'a': refused:\n"
        "    why\n"
        "  program 'b': extern 'x': not there"
    )
    assert [failure.name for failure in report] == ["m", "a", "b"]
    assert list(report.maps) == ["m"]
    assert list(report.programs) == ["a", "b"]
    assert MapType.HASH not in report.maps
