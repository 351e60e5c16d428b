"""Programs that are loaded once more, with other settings and other targets."""

import errno
import sys

import pytest

from skelgen.model.attach import Tracing
from skelgen.model.enums import MapType, ProgType
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import MapSpec, ObjectSpec, ProgramSpec
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError, ClosedError, StateError
from skelgen.runtime.object.object import Object
from skelgen.runtime.programs.extension import ExtensionProgram
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.specs import RETURN_0, plain_object


def request(call: Call) -> tuple[str, int, int, int]:
    """Return name, flags, log level and attach type that a program is loaded with."""
    attr = call.attr
    return attr.prog_name, attr.prog_flags, attr.log_level, attr.expected_attach_type


def test_a_clone_is_loaded_with_settings_of_its_own(kernel: FakeKernel) -> None:
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


def test_what_a_clone_cannot_have_is_refused(kernel: FakeKernel) -> None:
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


def test_a_clone_of_what_is_not_loaded_is_fitted_to_the_kernel(
    kernel: FakeKernel,
) -> None:
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


def test_one_program_is_cloned_for_many_targets(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skelgen.runtime.load import targets

    def function(fd: int, name: str, attached: str) -> int:
        asked.append((attached, fd, name))
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
