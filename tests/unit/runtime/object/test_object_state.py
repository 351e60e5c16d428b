"""The life of an object, on a kernel that does as it is told."""

import errno
import gc
import threading
from collections.abc import Callable, Iterator

import pytest

from skelgen.model.enums import MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import (
    AttachError,
    BpfError,
    BpfOSError,
    ClosedError,
    StateError,
)
from skelgen.runtime.links.base import Link
from skelgen.runtime.object.life import State
from skelgen.runtime.object.object import Object
from skelgen.runtime.programs.raw_tracepoint import RawTracepointProgram
from skelgen.runtime.programs.tracepoint import TracepointProgram
from tests.harness.fake_kernel import FakeKernel
from tests.harness.specs import plain_object


@pytest.fixture
def obj(kernel: FakeKernel) -> Iterator[Object]:
    made = Object(plain_object())
    yield made
    made.destroy()
    gc.collect()
    assert not kernel.open


def linked(obj: Object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the tracepoint program attach without tracefs."""
    monkeypatch.setattr(
        TracepointProgram,
        "attach",
        lambda self: Link(syscalls.link_create_perf_event(self.fd(), 7), self),
    )
    del obj


def test_parts_are_found_by_their_name(obj: Object) -> None:
    assert list(obj.maps) == ["counts", ".rodata", ".bss"]
    assert list(obj.programs) == ["first", "second"]
    assert list(obj.sections) == [".rodata", ".bss"]
    assert len(obj.maps) == 3
    assert "counts" in obj.maps
    assert ".data" not in obj.maps
    assert isinstance(obj.programs["first"], TracepointProgram)
    assert obj.programs["first"] is obj.program("first", TracepointProgram)
    assert obj.maps["counts"].handle is obj.map("counts")
    assert obj.section(".bss").size == 4
    assert obj.sections[".rodata"].read() == bytes(range(1, 9))


@pytest.mark.parametrize("kind", ["map", "program", "section"])
def test_names_that_are_not_there_are_key_errors(obj: Object, kind: str) -> None:
    with pytest.raises(KeyError, match=f"{kind} 'nothing': not one of"):
        getattr(obj, kind + "s")["nothing"]
    with pytest.raises(KeyError, match="nothing"):
        getattr(obj, kind)("nothing")


def test_a_near_name_is_offered(obj: Object) -> None:
    with pytest.raises(
        KeyError, match=r"map 'count': not one of .*; did you mean 'coun"
    ):
        obj.maps["count"]
    with pytest.raises(KeyError, match=r"program 'frist': .*; did you mean 'first'"):
        obj.programs["frist"]


def test_a_program_is_not_of_another_class(obj: Object) -> None:
    obj.program("first", TracepointProgram)
    with pytest.raises(TypeError, match="is a TracepointProgram, not a RawTrace"):
        obj.program("first", RawTracepointProgram)


def test_before_load_nothing_can_be_attached_or_used(obj: Object) -> None:
    assert obj.state is State.OPENED
    assert repr(obj) == "<object 'plain': opened>"
    with pytest.raises(StateError, match=r"attach\(\) comes after load\(\)"):
        obj.attach()
    with pytest.raises(StateError, match=r"detach\(\) comes after load\(\)"):
        obj.detach()
    with pytest.raises(StateError, match=r"load\(\)"):
        obj.map("counts").fd()
    with pytest.raises(StateError, match="not loaded"):
        obj.programs["first"].fd()


def test_load_makes_maps_and_programs_and_closes_btf(
    kernel: FakeKernel, obj: Object
) -> None:
    obj.maps["counts"].max_entries = 32
    obj.sections[".rodata"].write(b"\xff")
    obj.load()
    assert obj.state is State.LOADED
    assert kernel.names() == [
        "BTF_LOAD",
        "MAP_CREATE",  # counts
        "MAP_CREATE",  # .rodata
        "MAP_UPDATE_ELEM",
        "MAP_FREEZE",
        "MAP_CREATE",  # .bss, all zero
        "PROG_LOAD",
        "PROG_BIND_MAP",
        "PROG_LOAD",
        "PROG_BIND_MAP",
    ]
    counts, rodata, bss = kernel.named("MAP_CREATE")
    assert counts.values("map_type", "max_entries") == [MapType.HASH, 32]
    assert counts.attr.map_name == "counts"
    assert rodata.attr.map_name == "plain.rodata"
    assert bss.attr.map_name == "plain.bss"
    assert (rodata.attr.map_flags, bss.attr.map_flags) == (0x80, 0x400)
    assert obj.map("counts").fd() in kernel.open
    assert obj.programs["second"].fd() in kernel.open
    # the two maps of the fds' programs and no more: BTF is closed again
    assert len(kernel.open) == 5


def test_loading_twice_is_refused(obj: Object) -> None:
    obj.load()
    with pytest.raises(StateError, match="loaded already; open another"):
        obj.load()
    with pytest.raises(StateError, match="max_entries cannot change after load"):
        obj.maps["counts"].max_entries = 1
    with pytest.raises(StateError, match="set autoload between open"):
        obj.programs["first"].autoload = False
    with pytest.raises(StateError, match="read-only after load"):
        obj.sections[".rodata"].write(b"x")


def test_what_is_off_is_left_out(kernel: FakeKernel, obj: Object) -> None:
    obj.programs["first"].autoload = False
    obj.maps["counts"].autocreate = False
    obj.load()
    assert len(kernel.named("PROG_LOAD")) == 1
    assert len(kernel.named("MAP_CREATE")) == 2
    with pytest.raises(StateError, match="its autoload is off"):
        obj.programs["first"].fd()
    with pytest.raises(StateError, match="was loaded without it already; set autoload"):
        obj.programs["first"].autoload = True
    assert not obj.programs["first"].autoload
    with pytest.raises(StateError, match="its autocreate is off"):
        obj.map("counts").fd()


def test_a_failed_load_may_be_tried_again(kernel: FakeKernel, obj: Object) -> None:
    kernel.then("MAP_CREATE", None, None, -errno.ENOMEM, None)
    with pytest.raises(BpfOSError, match=r"map '.bss'.*ENOMEM") as caught:
        obj.load()
    assert caught.value.errno == errno.ENOMEM
    assert obj.state is State.OPENED
    assert not kernel.open
    obj.maps["counts"].max_entries = 5
    obj.load()
    assert repr(obj) == "<object 'plain': loaded>"


def test_after_destroy_everything_is_closed(kernel: FakeKernel, obj: Object) -> None:
    obj.load()
    section = obj.sections[".bss"]
    obj.destroy()
    assert obj.state is State.DESTROYED
    assert not kernel.open
    obj.destroy()
    for call in (obj.load, obj.attach, obj.detach, obj.__enter__):
        with pytest.raises(ClosedError, match=r"after destroy\(\); open it again"):
            call()
    with pytest.raises(ClosedError):
        obj.map("counts").fd()
    with pytest.raises(ClosedError):
        obj.programs["first"].fd()
    with pytest.raises(ClosedError):
        section.read()
    assert obj.links == {}


def test_a_program_asked_for_after_destroy_is_closed(kernel: FakeKernel) -> None:
    obj = Object(plain_object())
    obj.destroy()
    with pytest.raises(ClosedError):
        obj.programs["second"].fd()
    assert not kernel.calls


def test_a_context_manager_destroys_the_object(kernel: FakeKernel) -> None:
    with Object(plain_object()) as obj:
        obj.load()
        assert kernel.open
    assert obj.state is State.DESTROYED
    assert not kernel.open


def drop(kept: list[Object]) -> None:
    kept.clear()
    gc.collect()


def test_dropping_an_object_closes_it(kernel: FakeKernel) -> None:
    obj = Object(plain_object())
    obj.load()
    kept = [obj]
    del obj
    with pytest.warns(ResourceWarning, match="object 'plain': never destroyed; call"):
        drop(kept)
    assert not kernel.open
    kept = [Object(plain_object())]
    drop(kept)  # nothing to be said


def test_destroy_goes_on_where_a_step_fails(kernel: FakeKernel) -> None:
    obj = Object(plain_object())
    obj.load()
    broken = obj.map("counts").fd()
    lost = obj.programs["second"].fd()

    def close(fd: int) -> Callable[[object], int | None]:
        def answer(_: object) -> int | None:
            kernel.open.discard(fd)
            return -errno.EIO

        return answer

    for _ in range(2):
        kernel.then("close", close(broken), close(lost))
    with pytest.raises(BpfOSError, match="EIO") as caught:
        obj.destroy()
    assert any(note.startswith("and: ") for note in caught.value.__notes__)
    assert obj.state is State.DESTROYED
    obj.destroy()


# -- attaching -----------------------------------------------------------------


def test_attach_makes_links_and_detach_takes_them_back(
    kernel: FakeKernel, obj: Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(obj, monkeypatch)
    obj.load()
    report = obj.attach()
    links = report.attached
    assert list(links) == ["first", "second"]
    assert report
    assert obj.links == links
    assert str(report) == "attached: 'first', 'second'"
    assert repr(report) == "<attach report: 2 attached>"
    report = obj.attach()
    assert report
    assert not report.attached  # nothing new
    there = "it is attached already"
    assert report.passed_over == {"first": there, "second": there}
    links["first"].destroy()
    assert list(obj.links) == ["second"]
    assert list(obj.attach().attached) == ["first"]
    before = set(kernel.open)
    obj.detach()
    assert obj.links == {}
    assert len(before - kernel.open) == 2
    assert list(obj.attach(skip={"second"}).attached) == ["first"]


def test_what_is_not_to_be_attached_is_passed_over(
    obj: Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(obj, monkeypatch)
    obj.programs["first"].autoattach = False
    obj.programs["second"].autoload = False
    obj.load()
    report = obj.attach()
    assert report  # the user's own wish
    assert not report.attached
    assert str(report) == (
        "passed over:\n"
        "  'first': its autoattach is off\n"
        "  'second': its autoload is off"
    )
    assert repr(report) == "<attach report: 2 passed over>"


def test_attach_is_all_or_nothing(
    kernel: FakeKernel, obj: Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(obj, monkeypatch)
    obj.load()
    before = set(kernel.open)
    kernel.then("RAW_TRACEPOINT_OPEN", -errno.ENOENT)
    with pytest.raises(BpfError):
        obj.attach()
    assert kernel.open == before
    assert obj.links == {}
    assert list(obj.attach().attached) == ["first", "second"]


def test_attach_that_is_not_strict_attaches_what_it_can(
    kernel: FakeKernel, obj: Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(obj, monkeypatch)
    obj.load()
    kernel.then("RAW_TRACEPOINT_OPEN", -errno.ENOENT)
    report = obj.attach(strict=False)
    assert not report
    assert list(report.attached) == ["first"]
    assert obj.links == report.attached
    error = report.failed["second"]
    assert isinstance(error, AttachError)
    assert error.__traceback__ is None
    assert str(report) == (
        "attached: 'first'\n"
        "not attached:\n"
        "  program 'second': no raw tracepoint 'sys_enter' in this kernel"
    )
    assert repr(report) == "<attach report: 1 attached, 1 failed>"
    # what failed may be tried again
    assert list(obj.attach().attached) == ["second"]


def test_a_mistake_is_no_failure_of_the_kernel(
    kernel: FakeKernel, obj: Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(obj, monkeypatch)
    obj.load()
    before = set(kernel.open)

    def attach(self: RawTracepointProgram) -> Link:
        raise TypeError(f"{self.what}: nonsense")

    monkeypatch.setattr(RawTracepointProgram, "attach", attach)
    with pytest.raises(TypeError, match="'second': nonsense"):
        obj.attach(strict=False)
    assert kernel.open == before


def test_detach_goes_on_where_a_link_fails(
    obj: Object, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked(obj, monkeypatch)
    obj.load()
    links = obj.attach().attached
    destroyed = []

    def destroy(self: Link) -> None:
        destroyed.append(self)
        self._fd.close()
        if self is links["second"]:
            raise BpfError("stuck")

    monkeypatch.setattr(Link, "destroy", destroy)
    with pytest.raises(BpfError, match="stuck"):
        obj.detach()
    assert destroyed == [links["second"], links["first"]]


def test_two_threads_load_once(kernel: FakeKernel, obj: Object) -> None:
    results: list[str] = []

    def load() -> None:
        try:
            obj.load()
            results.append("loaded")
        except StateError:
            results.append("too late")

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["loaded"] + ["too late"] * 7
    assert len(kernel.named("PROG_LOAD")) == 2


def test_all_threads_get_one_program(obj: Object) -> None:
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(obj.programs["first"]))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1


def test_a_family_follows_the_definition(obj: Object) -> None:
    before = obj.maps["counts"]
    assert obj.maps["counts"] is before
    obj.map("counts").value_size = 16
    assert obj.maps["counts"] is not before


def test_a_data_section_keeps_its_size(obj: Object, kernel: FakeKernel) -> None:
    """Unless it ends in an array: see test_resize."""
    with pytest.raises(TypeError, match="last variable 'counter' is no array"):
        obj.map(".bss").value_size = 8
    obj.load()
    assert kernel.named("MAP_CREATE")[-1].attr.value_size == 4
