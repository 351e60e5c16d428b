"""The verifier's log is asked for when a load fails, in a buffer that is long enough."""

import errno

import pytest

from skelgen.runtime.errors import BpfOSError, VerifierError
from skelgen.runtime.kernel import features
from skelgen.runtime.load import explain
from skelgen.runtime.load import program as prog_load
from skelgen.runtime.object.object import Object
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.one_program import one_program, refuse, write_log
from tests.harness.specs import RETURN_0


def test_the_log_is_asked_for_after_a_failure(kernel: FakeKernel) -> None:
    kernel.always("PROG_LOAD", refuse("0: (95) exit\nR0 !read_ok\n", errno.EACCES))
    with Object(one_program()) as obj, pytest.raises(VerifierError) as caught:
        obj.load()
    first, *_, last = kernel.named("PROG_LOAD")
    assert first.values("log_level", "log_buf", "log_size") == [0, 0, 0]
    assert last.values("log_level", "log_size") == [1, 16 << 20]
    assert str(caught.value) == (
        "program 'prog': refused by the verifier: permission denied (EACCES)\n"
        "  instruction 0: exit\n"
        "      r0 is not written on this path\n"
        "  the verifier:\n"
        "      R0 !read_ok\n"
        "  why: the program or function ends without a return value\n"
        "  hint: return a value on every path"
    )
    assert caught.value.log == "0: (95) exit\nR0 !read_ok\n"


def test_the_buffer_grows(kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prog_load, "_FIRST_LOG", 4096)
    sizes: list[int] = []

    def answer(call: Call) -> int:
        if not call.attr.log_level:
            return -errno.EINVAL
        sizes.append(call.attr.log_size)
        write_log(call, "the end\n")
        return -errno.ENOSPC if len(sizes) < 4 else -errno.EINVAL

    kernel.always("PROG_LOAD", answer)
    features.PROBE_READ_KERNEL.assume(True)
    features.PROG_NAME.assume(True)
    with Object(one_program()) as obj, pytest.raises(VerifierError, match="the end"):
        obj.load()
    assert sizes == [4096, 8192, 16384, 32768]


def test_the_buffer_stops_growing(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prog_load, "_FIRST_LOG", 4096)
    monkeypatch.setattr(prog_load, "_MAX_LOG", 8192)
    kernel.always("PROG_LOAD", refuse("more", errno.ENOSPC))
    with Object(one_program()) as obj, pytest.raises(VerifierError, match="ENOSPC"):
        obj.load()


def test_a_kernel_that_says_how_long_the_log_is_gets_such_a_buffer(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux 6.4 writes it to the attr, as far as it is shown that far."""
    monkeypatch.setattr(prog_load, "_FIRST_LOG", 4096)
    sizes: list[int] = []

    def answer(call: Call) -> int:
        if not call.attr.log_level:
            return -errno.EINVAL
        sizes.append(call.attr.log_size)
        write_log(call, "the end\n")
        assert len(call.attr) >= 144
        call.answer("log_true_size", 1_000_001)
        return -errno.EINVAL if call.attr.log_size >= 1_000_001 else -errno.ENOSPC

    kernel.always("PROG_LOAD", answer)
    features.PROBE_READ_KERNEL.assume(True)
    features.PROG_NAME.assume(True)
    with Object(one_program()) as obj, pytest.raises(VerifierError, match="the end"):
        obj.load()
    assert sizes == [4096, 1_000_001]


def test_statistics_do_not_say_why(kernel: FakeKernel) -> None:
    def answer(call: Call) -> int:
        why = call.attr.log_level & 3
        write_log(call, "R0 !read_ok\n" if why else "processed 1 insns\n")
        return -errno.EACCES

    kernel.always("PROG_LOAD", answer)
    with (
        Object(one_program(), log_level=4) as obj,
        pytest.raises(VerifierError, match="R0 !read_ok"),
    ):
        obj.load()
    levels = [call.attr.log_level for call in kernel.named("PROG_LOAD")]
    assert [level for level in levels if level] == [4, 5]  # 0: probes


def test_a_fault_in_the_explanation_hides_nothing(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(explain, "_facts", broken)
    kernel.always("PROG_LOAD", refuse("0: (95) exit\nR0 !read_ok\n", errno.EACCES))
    with Object(one_program()) as obj, pytest.raises(VerifierError) as caught:
        obj.load()
    assert "R0 !read_ok" in str(caught.value)
    assert caught.value.log == "0: (95) exit\nR0 !read_ok\n"


@pytest.mark.parametrize("count", [4_000, 5_000])
def test_a_program_that_is_too_long_is_told_its_length(
    kernel: FakeKernel, count: int
) -> None:
    kernel.always("PROG_LOAD", -errno.E2BIG)
    with (
        Object(one_program(RETURN_0[:8] * count)) as obj,
        pytest.raises(BpfOSError) as caught,
    ):
        obj.load()
    notes = "\n".join(getattr(caught.value, "__notes__", ()))
    assert ("it has 5,000 instructions; the kernel takes 1,000,000" in notes) == (
        count == 5_000
    )


def test_a_log_is_kept_where_its_level_is_set(kernel: FakeKernel) -> None:
    kernel.always("PROG_LOAD", lambda call: write_log(call, "fine\n"))
    with Object(one_program(), log_level=2) as obj:
        obj.load()
        assert obj.programs["prog"].log == "fine\n"
        (load,) = kernel.named("PROG_LOAD")
        assert load.attr.log_level == 2
    with Object(one_program()) as obj:
        obj.programs["prog"].log_level = 4
        obj.load()
        assert kernel.named("PROG_LOAD")[-1].attr.log_level == 4
    with Object(one_program()) as obj:
        obj.load()
        assert obj.programs["prog"].log == ""
