"""A load in two steps makes the calls of one, and each step can be tried again."""

import errno
import gc
import itertools
import os
import sys
import threading
from pathlib import Path

import pytest

from skelgen.model.enums import ProgType
from skelgen.runtime.errors import BpfError, BpfOSError, ClosedError, StateError
from skelgen.runtime.kernel import features
from skelgen.runtime.object.life import State
from skelgen.runtime.object.object import Object
from tests.harness.fake_kernel import FakeKernel
from tests.harness.faults import ERRORS, Failure, Faults, faults
from tests.harness.rich_object import open_rich, with_pins
from tests.harness.specs import plain_object


def split(obj: Object, kernel: FakeKernel) -> tuple[list[str], list[str]]:
    """Return the names of the calls of prepare(), and of load() after it."""
    obj.prepare()
    number = len(kernel.names())
    obj.load()
    return kernel.names()[:number], kernel.names()[number:]


def test_the_calls_of_two_steps_are_those_of_one(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with_pins(kernel)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    with open_rich(tmp_path / "one") as obj:
        obj.load()
        whole = kernel.names()
    kernel.calls.clear()
    with open_rich(tmp_path / "two") as obj:
        first, second = split(obj, kernel)
    assert first + second == whole
    assert not {"PROG_LOAD", "PROG_BIND_MAP"} & set(first)
    assert set(second) == {"PROG_LOAD", "PROG_BIND_MAP", "MAP_UPDATE_ELEM"}
    assert not kernel.open


def test_maps_are_there_after_prepare_and_programs_are_not(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with_pins(kernel)
    with open_rich(tmp_path) as obj:
        assert obj.prepare()
        assert obj.state is State.PREPARED
        assert repr(obj) == "<object 'plain': prepared>"
        assert {handle.fd() for handle in map(obj.map, obj.maps)} <= kernel.open
        assert obj.maps["events"].max_entries == 8192
        assert obj.sections[".kconfig"].read() == (-7 & 0xFFFFFFFF).to_bytes(
            4, sys.byteorder
        )
        assert (tmp_path / "kept").exists()
        assert not any(program.loaded for program in obj.programs.values())
        with pytest.raises(StateError, match=r"not loaded; call load\(\) first"):
            obj.programs["first"].fd()
        assert obj.load()
        assert obj.state is State.LOADED
        assert all(program.loaded for program in obj.programs.values())
    assert not kernel.open
    assert (tmp_path / "kept").exists()


def test_calls_at_the_wrong_time_are_refused(kernel: FakeKernel) -> None:
    with Object(plain_object()) as obj:
        obj.prepare()
        with pytest.raises(StateError, match=r"prepared already; call load\(\)"):
            obj.prepare()
        with pytest.raises(StateError, match=r"attach\(\) comes after load\(\)"):
            obj.attach()
        with pytest.raises(StateError, match=r"detach\(\) comes after load\(\)"):
            obj.detach()
        obj.load()
        with pytest.raises(StateError, match="loaded already; open another"):
            obj.load()
        with pytest.raises(StateError, match=r"prepare\(\) comes before load\(\)"):
            obj.prepare()
    with pytest.raises(ClosedError, match=r"prepare\(\) after destroy\(\)"):
        obj.prepare()
    assert not kernel.open


def test_what_prepare_used_is_fixed(kernel: FakeKernel) -> None:
    with Object(plain_object()) as obj:
        obj.prepare()
        number = len(kernel.calls)
        for call, text in (
            (lambda: setattr(obj.maps["counts"], "max_entries", 1), "cannot change"),
            (lambda: obj.sections[".rodata"].write(b"x"), "read-only after load"),
            (lambda: obj.maps["counts"].reuse(3), "comes before load"),
            (lambda: obj.sections[".bss"].resize(8), "size cannot change"),
            (
                lambda: setattr(obj.programs["first"], "type", ProgType.XDP),
                r"prepared already; set type between open\(\) and prepare\(\)",
            ),
        ):
            with pytest.raises(StateError, match=text):
                call()
        assert len(kernel.calls) == number


def test_what_load_uses_can_be_set_still(kernel: FakeKernel) -> None:
    with Object(plain_object()) as obj:
        obj.programs["second"].autoload = False
        obj.prepare()
        first, second = obj.programs["first"], obj.programs["second"]
        first.autoload, second.autoload = False, True
        second.flags, second.log_level = 0x10, 2
        second.attach_type, second.ifindex = 7, 3
        obj.load()
        assert (first.loaded, second.loaded) == (False, True)
        (call,) = kernel.named("PROG_LOAD")
        assert call.attr.prog_flags == 0x10
        assert call.attr.log_level == 2
        assert call.attr.expected_attach_type == 7
        assert call.attr.prog_ifindex == 3
        assert call.attr.prog_name == "second"


def test_a_load_that_fails_can_be_tried_again(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    """Maps, their contents and pins stay, programs go, slots are empty again."""
    with_pins(kernel)
    kernel.then("MAP_UPDATE_ELEM", *[None] * 4, -errno.EIO)
    with open_rich(tmp_path) as obj:
        obj.prepare()
        before, fd = set(kernel.open), obj.map("counts").fd()
        with pytest.raises(BpfOSError, match="slot 2 for program 'first'"):
            obj.load()
        assert obj.state is State.PREPARED
        assert kernel.open == before
        (deleted,) = kernel.named("MAP_DELETE_ELEM")
        assert deleted.attr.map_fd == obj.map("calls").fd()
        assert (tmp_path / "kept").exists()
        obj.load()
        assert obj.map("counts").fd() == fd
    assert not kernel.open


def test_a_prepare_that_fails_can_be_tried_again(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with_pins(kernel)
    kernel.then("MAP_UPDATE_ELEM", None, None, -errno.EIO)
    with open_rich(tmp_path) as obj:
        with pytest.raises(BpfOSError):
            obj.prepare()
        assert obj.state is State.OPENED
        assert not kernel.open
        assert os.listdir(tmp_path) == []  # noqa: PTH208 - no pin
        obj.maps["counts"].max_entries = 7
        obj.prepare()
        obj.load()
    assert not kernel.open


def test_destroying_a_prepared_object_closes_all(kernel: FakeKernel) -> None:
    token = "/"  # noqa: S105 - a path
    obj = Object(plain_object(), token=token)
    obj.prepare()
    assert len(kernel.open) == 3 + 2  # maps, BTF and the token
    obj.load()
    assert len(kernel.open) == 3 + 2 + 2
    obj.destroy()
    assert not kernel.open
    obj = Object(plain_object(), token=token)
    obj.prepare()
    obj.destroy()
    assert not kernel.open
    assert obj.state is State.DESTROYED


def drop(kept: list[Object]) -> None:
    kept.clear()
    gc.collect()


def test_dropping_a_prepared_object_warns_and_closes_all(kernel: FakeKernel) -> None:
    kept = [Object(plain_object())]
    kept[0].prepare()
    with pytest.warns(ResourceWarning, match="object 'plain': never destroyed"):
        drop(kept)
    assert not kernel.open


def test_two_threads_prepare_once(kernel: FakeKernel) -> None:
    results: list[str] = []
    with Object(plain_object()) as obj:

        def prepare() -> None:
            try:
                obj.prepare()
                results.append("prepared")
            except StateError:
                results.append("too late")

        threads = [threading.Thread(target=prepare) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["prepared"] + ["too late"] * 7
        assert len(kernel.named("MAP_CREATE")) == 3


# -- as far as it goes ---------------------------------------------------------


def test_the_report_of_load_has_failures_of_both_steps(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with_pins(kernel)
    features.GLOBAL_DATA.assume(True)
    kernel.then("MAP_CREATE", -errno.ENOMEM)
    with open_rich(tmp_path) as obj:
        report = obj.prepare(strict=False)
        assert list(report.maps) == ["counts"]
        assert not report.programs
        kernel.always(
            "PROG_LOAD",
            lambda call: -errno.EIO if call.attr.prog_name == "second" else None,
        )
        with pytest.raises(BpfOSError):  # it is strict about what it does itself
            obj.load()
        assert obj.state is State.PREPARED
        report = obj.load(strict=False)
        assert list(report.maps) == ["counts"]
        assert list(report.programs) == ["second"]
        assert obj.programs["first"].loaded
        with pytest.raises(StateError, match=r"load\(\) did without it"):
            obj.map("counts").fd()


# -- every call fails ----------------------------------------------------------


def check_error(error: BaseException, failure: Failure, fault: Faults) -> None:
    assert fault.failed is not None
    if isinstance(failure, int):
        assert isinstance(error, BpfOSError)
        assert error.errno == failure
        assert error.what
    else:
        assert type(error) is failure


@pytest.mark.parametrize(
    "failure", [*ERRORS, errno.EMFILE, KeyboardInterrupt, MemoryError]
)
def test_either_step_can_be_tried_again_whatever_call_fails(
    kernel: FakeKernel, tmp_path: Path, failure: Failure
) -> None:
    with_pins(kernel)
    for feature in (features.GLOBAL_DATA, features.ARRAY_MMAP, features.PROG_NAME):
        feature.assume(True)
    for prepared in (False, True):
        failed = set()
        for number in itertools.count():
            folder = tmp_path / f"{prepared} {number}"
            folder.mkdir()
            with open_rich(folder) as obj:
                if prepared:
                    obj.prepare()
                step = obj.load if prepared else obj.prepare
                state, before = obj.state, set(kernel.open)
                pins = os.listdir(folder)  # noqa: PTH208 - names
                try:
                    # for good where a program is tried again
                    with faults(number, failure, lasting=prepared) as fault:
                        step()
                except (BpfError, KeyboardInterrupt, MemoryError) as error:
                    check_error(error, failure, fault)
                    assert obj.state is state
                    assert kernel.open == before
                    assert os.listdir(folder) == pins  # noqa: PTH208 - names
                    failed.add(fault.failed)
                    step()
                if not prepared:
                    obj.load()
            assert not kernel.open
            if fault.failed is None:
                break
        assert ("PROG_LOAD" if prepared else "MAP_CREATE") in failed
