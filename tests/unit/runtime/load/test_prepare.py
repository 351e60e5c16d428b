"""Loading in two steps, and programs that are loaded once more."""

import errno
import gc
import itertools
import os
import sys
import threading
from pathlib import Path

import pytest

from skelgen.model.attach import Tracing
from skelgen.model.enums import MapType, ProgType
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import MapSpec, ObjectSpec, ProgramSpec
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, BpfOSError, ClosedError, StateError
from skelgen.runtime.kernel import features
from skelgen.runtime.object.life import State
from skelgen.runtime.object.object import Object
from skelgen.runtime.programs.extension import ExtensionProgram
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.faults import ERRORS, Failure, Faults, faults
from tests.harness.specs import RETURN_0, plain_object, rich_object


def with_pins(kernel: FakeKernel) -> None:
    """Let pins be files that can be seen."""

    def pin(call: Call) -> None:
        os.mknod(call.text("pathname"))

    kernel.always("OBJ_GET", -errno.ENOENT)
    kernel.always("OBJ_PIN", pin)


def open_rich(folder: Path) -> Object:
    return Object(rich_object(), pin_root=folder, kconfig="CONFIG_X=-7")


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


def test_what_is_there_after_prepare(kernel: FakeKernel, tmp_path: Path) -> None:
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


def test_calls_at_the_wrong_time(kernel: FakeKernel) -> None:
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


def test_load_fails_and_is_tried_again(kernel: FakeKernel, tmp_path: Path) -> None:
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


def test_prepare_fails_and_is_tried_again(kernel: FakeKernel, tmp_path: Path) -> None:
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


def test_destroyed_when_prepared(kernel: FakeKernel) -> None:
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


def test_dropped_when_prepared(kernel: FakeKernel) -> None:
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


def test_the_report_of_load_has_both(kernel: FakeKernel, tmp_path: Path) -> None:
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
def test_every_call_of_either_step_fails_once(
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


# -- clones --------------------------------------------------------------------


def request(call: Call) -> tuple[str, int, int, int]:
    """Return name, flags, log level and attach type that a program is loaded with."""
    attr = call.attr
    return attr.prog_name, attr.prog_flags, attr.log_level, attr.expected_attach_type


def test_clone(kernel: FakeKernel) -> None:
    with Object(plain_object()) as obj:
        obj.prepare()
        first = obj.programs["first"]
        first.flags = 0x8
        clone = first.clone()
        assert type(clone) is type(first)
        assert clone.loaded
        assert not first.loaded
        other = first.clone("another_one", flags=0x10, log_level=1, attach_type=9)
        assert (other.name, other.flags, first.flags) == ("another_one", 0x10, 0x8)
        assert clone not in obj.programs.values()
        obj.load()
        calls = kernel.named("PROG_LOAD")
        assert [request(call) for call in calls] == [
            ("first", 0x8, 0, 0),
            ("another_one", 0x10, 1, 9),
            ("first", 0x8, 0, 0),
            ("second", 0, 0, 0),
        ]
        late = obj.programs["second"].clone()  # also now
        fds = {p.fd() for p in (clone, other, late, *obj.programs.values())}
        assert len(fds) == 5
        assert fds <= kernel.open
        with pytest.raises(StateError, match="loaded already"):
            clone.flags = 1
    assert not kernel.open
    with pytest.raises(ClosedError):
        clone.fd()
    clone.close()


def test_a_clone_is_closed_by_whoever_made_it(kernel: FakeKernel) -> None:
    with Object(plain_object()) as obj:
        obj.prepare()
        before = set(kernel.open)
        with obj.programs["first"].clone() as clone:
            assert clone.fd() in kernel.open
        assert kernel.open == before
        assert not obj._clones
        obj.programs["first"].clone().close()
        assert kernel.open == before


def test_clones_come_after_prepare(kernel: FakeKernel) -> None:
    obj = Object(plain_object())
    first = obj.programs["first"]
    with pytest.raises(
        StateError, match=r"'first': clone\(\) needs prepare\(\), which"
    ):
        first.clone()
    obj.load()
    with pytest.raises(StateError, match=r"has to come before load\(\)"):
        first.clone()
    obj.destroy()
    with pytest.raises(ClosedError, match=r"clone\(\) after destroy"):
        first.clone()
    assert len(kernel.named("PROG_LOAD")) == 2


def test_what_a_clone_cannot_have(kernel: FakeKernel) -> None:
    with Object(plain_object()) as obj:
        obj.prepare()
        first = obj.programs["first"]
        before = set(kernel.open)
        for name in ("", "a b", "ä", "a/b"):
            with pytest.raises(ValueError, match="is no name for a program"):
                first.clone(name)
        with pytest.raises(OverflowError, match="flags"):
            first.clone(flags=-1)
        for setting in ("type", "autoload", "nothing"):
            with pytest.raises(TypeError, match=rf"clone\(\) takes no '{setting}'"):
                first.clone(**{setting: 1})  # type: ignore[arg-type]
        kernel.always("PROG_LOAD", -errno.EPERM)
        with pytest.raises(PermissionError):
            first.clone()
        assert kernel.open == before
        assert not obj._clones


def test_a_clone_of_what_is_not_loaded(kernel: FakeKernel) -> None:
    """One whose own autoload is off is fitted to the kernel when it is cloned."""
    loads: list[bytes] = []
    kernel.always(
        "PROG_LOAD",
        lambda call: loads.append(call.memory("insns", call.attr.insn_cnt * 8)),
    )
    with Object(plain_object()) as obj:
        first = obj.programs["first"]
        first.autoload = False
        obj.prepare()
        obj.load()
        assert not first.loaded
        assert len(loads) == 1
        assert first.clone().loaded
        insns = loads[-1]
        fds = {obj.map(".bss").fd(), obj.map("counts").fd()}
        used = {int.from_bytes(insns[at + 4 : at + 8], sys.byteorder) for at in (0, 16)}
        assert used == fds


def freplace() -> ObjectSpec:
    """Return an object with a program for a function of another."""
    image = ImageBuilder()
    return ObjectSpec(
        name="extend",
        source="extend.bpf.o",
        byteorder=sys.byteorder,
        license="GPL",
        maps=(MapSpec("counts", MapType.ARRAY, 4, 8, 1),),
        programs=(
            ProgramSpec(
                "extend",
                "?freplace/act",
                ProgType.EXT,
                Tracing("act"),
                insns=image.add(RETURN_0),
                autoload=False,
            ),
        ),
        image=image.bytes(),
    )


def test_one_program_for_many_targets(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skelgen.runtime.load import targets

    def function(fd: int, name: str, program: str) -> int:
        asked.append((program, fd, name))
        return 1000 + fd

    asked: list[tuple[str, int, str]] = []
    monkeypatch.setattr(targets, "function_of_program", function)
    with Object(freplace()) as obj:
        program = obj.program("extend", ExtensionProgram)
        obj.prepare()
        obj.load()
        one = program.clone(target_program=71)
        two = program.clone("on_two", target_program=72, attach_target="decide")
        assert asked == [("extend", 71, "act"), ("on_two", 72, "decide")]
        loads = kernel.named("PROG_LOAD")
        assert [(c.attr.attach_btf_id, c.attr.attach_prog_fd) for c in loads] == [
            (1071, 71),
            (1072, 72),
        ]
        assert (one.target_program, two.attach_target) == (71, "decide")
        assert program.target_program is None
        assert one.auto_attachable
        link = two.attach()
        assert link.fd() in kernel.open
        link.destroy()
        with pytest.raises(StateError, match="which program it replaces"):
            program.clone()


def test_modules_are_listed_again_after_a_failure(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed half-way is not what the kernel has: a prepared object may ask again."""
    from skelgen.runtime.kernel import btf as kernel_btf

    types = kernel_btf.KernelTypes()
    monkeypatch.setattr(kernel_btf, "_vmlinux", object)
    numbers = iter([1, 2, 1, 2, None])
    monkeypatch.setattr(syscalls, "get_next_id", lambda *_: next(numbers))
    infos = iter([("one", 0), (None, errno.ENOMEM), ("one", 0), ("two", 0)])

    class Info:
        kernel = True

        def __init__(self, name: str) -> None:
            self.name = name

    def info(_: int) -> Info:
        name, error = next(infos)
        if name is None:
            raise BpfOSError(error, "out of memory")
        return Info(name)

    monkeypatch.setattr(syscalls, "btf_info", info)
    with pytest.raises(BpfOSError):
        types.modules()
    assert not kernel.open
    assert [module.name for module in types.modules()] == ["one", "two"]
    types.close()
    assert not kernel.open
