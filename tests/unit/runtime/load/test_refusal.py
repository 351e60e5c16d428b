"""Refused without a word: what the kernel says to parts of the program."""

import errno
from types import SimpleNamespace
from typing import Any, cast

import pytest

from skelgen.btf.kinds import Kind
from skelgen.model.enums import AttachType, ProgType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import os_error
from skelgen.runtime.kernel import features
from skelgen.runtime.load import refusal
from skelgen.runtime.load.types import LoadTypes
from skelgen.runtime.programs.request import ProgramRequest
from skelgen.runtime.syscalls import rights

USUAL = 77
NOTHING = refusal._NOTHING


def request(**changes: Any) -> ProgramRequest:
    return ProgramRequest(
        type=ProgType.TRACING,
        insns=b"\x85" + bytes(7) + NOTHING,
        license="GPL",
        name="p",
        attach_type=AttachType.TRACE_ITER,
        log_level=1,
        prog_btf_fd=5,
        func_info=b"12345678",
        attach_btf_id=9,
        attach_btf_obj_fd=3,
        fd_array=[4],
        what="program 'p'",
    )._replace(**changes)


def types(target: int | None = USUAL) -> LoadTypes:
    def find(name: str, kind: Kind) -> int | None:
        assert (name, kind) == ("bpf_iter_task", Kind.FUNC)
        return target

    vmlinux = SimpleNamespace(find=find)
    return cast("LoadTypes", SimpleNamespace(kernel=SimpleNamespace(vmlinux=vmlinux)))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a test say which programs are accepted; every one of them is closed."""
    given = SimpleNamespace(accepts=lambda _asked: False, open=0, asked=[])

    def prog_load(**asked: Any) -> int:
        given.asked.append(asked)
        assert not asked["log_level"]
        if not given.accepts(asked):
            raise os_error(errno.EPERM, command="BPF_PROG_LOAD", what="p")
        given.open += 1
        return 99

    def close(fd: int) -> None:
        assert fd == 99
        given.open -= 1

    monkeypatch.setattr(syscalls, "prog_load", prog_load)
    monkeypatch.setattr(syscalls, "close", close)
    yield given
    assert not given.open


CODE = "a program that does nothing is accepted in its place: it is the code"
NOT_CODE = (
    "a program that does nothing is refused in its place, too: it is not the code"
)


def test_the_code_is_the_cause_if_another_is_accepted(kernel: Any) -> None:
    kernel.accepts = lambda asked: asked["insns"] == NOTHING
    assert refusal.causes(request(), types()) == [CODE]


def test_its_btf_is_the_cause_if_it_is_accepted_without(kernel: Any) -> None:
    kernel.accepts = lambda asked: not asked["prog_btf_fd"]
    assert refusal.causes(request(), types()) == [
        "without its BTF (functions and lines) it is accepted"
    ]


def test_the_target_is_the_cause_if_another_is_accepted(kernel: Any) -> None:
    kernel.accepts = lambda asked: asked["attach_btf_id"] == USUAL
    assert refusal.causes(request(), types()) == [
        NOT_CODE,
        "on 'bpf_iter_task' one is accepted: this kernel withholds the target",
    ]
    assert kernel.asked[-1]["attach_btf_obj_fd"] == 0


def test_the_way_to_attach_is_the_cause_if_no_target_is_accepted(kernel: Any) -> None:
    assert refusal.causes(request(), types()) == [
        NOT_CODE,
        (
            "and so is one on 'bpf_iter_task': this kernel withholds programs that attach with"
            " BPF_TRACE_ITER"
        ),
    ]
    assert kernel.asked


def test_sleepable_is_the_cause_if_it_is_accepted_without(kernel: Any) -> None:
    kernel.accepts = lambda asked: not asked["flags"] and asked["insns"] == NOTHING
    assert refusal.causes(request(flags=1 << 4), types()) == [
        NOT_CODE,
        "one that is not sleepable is accepted",
    ]


def test_a_flag_that_the_kernel_lacks_is_named(kernel: Any) -> None:
    kernel.accepts = lambda asked: asked["flags"] == 1
    wanted = request(type=ProgType.XDP, attach_type=AttachType.XDP, flags=1 << 5 | 1)
    assert refusal.causes(wanted, types()) == [
        NOT_CODE,
        "without BPF_F_XDP_HAS_FRAGS (Linux 5.18 has it) one is accepted",
    ]


def test_with_nothing_to_compare_with_only_the_code_is_told_of(kernel: Any) -> None:
    assert kernel.asked == []
    assert refusal.causes(request(), types(None)) == [NOT_CODE]
    assert refusal.causes(request(), types(9)) == [NOT_CODE]
    assert refusal.causes(request(attach_prog_fd=3), types()) == [NOT_CODE]
    assert refusal.causes(request(attach_btf_id=0), types()) == [NOT_CODE]
    assert refusal.causes(request(attach_type=AttachType.XDP), types()) == [NOT_CODE]


# -- helpers ---------------------------------------------------------------------


def answering(
    monkeypatch: pytest.MonkeyPatch, *kinds: ProgType, told: bool = True
) -> None:
    def helper(number: int, kind: ProgType) -> features.Answer:
        assert number == 36
        if kind == ProgType.LSM or not told:
            return features.Answer(None, "it depends")
        return features.Answer(kind in kinds)

    monkeypatch.setattr(features, "helper", helper)


def process(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    whole = rights.Process(
        capabilities=(1 << 41) - 1,
        seccomp=False,
        user_namespace=False,
        lockdown=None,
        unprivileged_bpf_disabled=2,
        perf_event_paranoid=2,
    )._replace(**changes)
    monkeypatch.setattr(rights, "read_process", lambda: whole)


def test_types_that_may_call_a_helper_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, ProgType.XDP, ProgType.KPROBE)
    assert refusal.helper("bpf_x", 36) == (("kprobe", "xdp"), "")
    answering(monkeypatch, told=False)
    assert refusal.helper("bpf_x", 36) is None


WRITE = "bpf_probe_write_user"


@pytest.mark.parametrize(
    ("name", "changes", "why"),
    [
        (WRITE, {"lockdown": "integrity"}, "locked down (integrity"),
        (WRITE, {"lockdown": "confidentiality"}, "locked down (confidentiality"),
        (WRITE, {"lockdown": "none"}, "it is not lockdown; a security module may"),
        (WRITE, {"lockdown": None}, "lockdown (integrity) or a security module may"),
        (WRITE, {"capabilities": 1 << 39}, "this process lacks CAP_PERFMON"),
        ("bpf_probe_read", {"lockdown": "integrity"}, "it is not lockdown"),
        ("bpf_probe_read", {"lockdown": "confidentiality"}, "locked down (confid"),
        ("bpf_x", {"lockdown": "integrity"}, "the kernel's configuration may lack"),
    ],
)
def test_it_says_why_no_program_may_call_a_helper(
    monkeypatch: pytest.MonkeyPatch, name: str, changes: dict[str, Any], why: str
) -> None:
    answering(monkeypatch)
    process(monkeypatch, **changes)
    answer = refusal.helper(name, 36)
    assert answer is not None
    assert answer[0] == ()
    assert why in answer[1]
