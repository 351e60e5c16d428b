"""Refused programs are loaded in another way, or the error says what the kernel lacks."""

import errno
import struct

import pytest

from skelgen.model.enums import AttachType, ProgType
from skelgen.runtime.errors import (
    BpfOSError,
    NotSupportedError,
    StateError,
    VerifierError,
)
from skelgen.runtime.kernel import features, memlock
from skelgen.runtime.object.object import Object
from skelgen.runtime.process.once import Once
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.one_program import HASH, kfunc_btf, one_program, refuse
from tests.harness.specs import RETURN_0, insn


def test_a_type_that_nobody_knows_has_to_be_set(kernel: FakeKernel) -> None:
    with Object(one_program(kind=ProgType.UNSPEC)) as obj:
        with pytest.raises(
            StateError, match=r"does not tell its type; .* set program\.type"
        ):
            obj.load()
        obj.programs["prog"].type = ProgType.XDP
        obj.load()
    assert kernel.named("PROG_LOAD")[0].attr.prog_type == ProgType.XDP


@pytest.mark.parametrize(
    ("section", "known"),
    [
        ("xdp/pass", "xdp"),
        ("?xdp_prog", "xdp"),
        ("cgroup/skb/in", "cgroup/skb"),
        ("tc-filter", "tc"),
        ("xdpfoo", None),
        ("mine", None),
    ],
)
def test_a_section_with_more_than_it_may_have_offers_the_known_part(
    section: str, known: str | None
) -> None:
    spec = one_program(kind=ProgType.UNSPEC, section=section)
    with Object(spec) as obj, pytest.raises(StateError, match="its type") as caught:
        obj.load()
    notes = getattr(caught.value, "__notes__", [])
    wanted = [f'SEC("{known}") would; no more may follow it'] if known else []
    assert notes == wanted


def test_refused_without_a_word_is_no_verifier_error(kernel: FakeKernel) -> None:

    def refuse(call: Call) -> int | None:
        """Refuse the program by its name, not one that tries whether its type is."""
        return -error if call.attr.prog_name else None

    for error, note in (
        (errno.EPERM, ""),
        (errno.EINVAL, "may not know programs of type SOCKET_FILTER"),
    ):
        kernel.always("PROG_LOAD", refuse)
        with Object(one_program()) as obj, pytest.raises(BpfOSError) as caught:
            obj.load()
        assert not isinstance(caught.value, VerifierError)
        assert caught.value.errno == error
        assert caught.value.command == "BPF_PROG_LOAD"
        assert note in "".join(caught.value.__notes__)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ProgType.SK_LOOKUP, "SK_LOOKUP; Linux has them since 5.9"),
        (ProgType.LIRC_MODE2, "LIRC_MODE2; Linux has them since 4.18, if it was built"),
    ],
)
def test_a_type_that_the_kernel_has_not_is_told_with_its_kernel(
    kernel: FakeKernel, kind: ProgType, text: str
) -> None:
    kernel.always("PROG_LOAD", -errno.EINVAL)
    with Object(one_program(kind=kind)) as obj:
        with pytest.raises(NotSupportedError) as caught:
            obj.load()
        assert str(caught.value).startswith(
            f"program 'prog': BPF_PROG_LOAD: this kernel has no programs of type {text}"
        )


def test_a_load_is_tried_again_when_interrupted(kernel: FakeKernel) -> None:
    kernel.then("PROG_LOAD", *[-errno.EAGAIN] * 4)
    with Object(one_program()) as obj:
        obj.load()
    assert len(kernel.named("PROG_LOAD")) == 5


def test_an_attach_type_that_is_unknown_is_left_out_where_optional(
    kernel: FakeKernel,
) -> None:
    def old(call: Call) -> int | None:
        return -errno.EINVAL if call.attr.expected_attach_type else None

    kernel.always("PROG_LOAD", old)
    features.EXPECTED_ATTACH_TYPE.assume(False)
    spec = one_program(kind=ProgType.XDP, attach_type=AttachType.XDP, optional=True)
    with Object(spec) as obj:
        obj.load()
    with (
        Object(
            spec._replace(
                programs=(spec.programs[0]._replace(attach_type_optional=False),)
            )
        ) as obj,
        pytest.raises(NotSupportedError, match="has no attach type XDP"),
    ):
        obj.load()


def test_helpers_that_an_old_kernel_does_not_know_are_replaced(
    kernel: FakeKernel,
) -> None:
    seen: list[list[int]] = []

    def old(call: Call) -> int | None:
        code = call.memory("insns", call.attr.insn_cnt * 8)
        calls = [
            imm for op, _, _, imm in struct.iter_unpack("<BBhi", code) if op == 0x85
        ]
        seen.append(calls)
        return -errno.EINVAL if 113 in calls else None

    kernel.always("PROG_LOAD", old)
    features.PROBE_READ_KERNEL.assume(False)
    code = b"".join(insn(0x85, imm=n) for n in (112, 113, 114, 115, 6))
    hidden = insn(0x18, imm=112) + insn(0x85, imm=112)  # a constant, not a call
    with Object(one_program(code + hidden + RETURN_0)) as obj:
        obj.load()
    assert seen[-1] == [4, 4, 45, 45, 6, 112]


def test_functions_that_an_old_kernel_does_not_know_are_left_out(
    kernel: FakeKernel,
) -> None:
    def old(call: Call) -> int | None:
        return -errno.EINVAL if call.attr.prog_btf_fd else None

    features.BTF_FUNC.assume(False)
    kernel.always("PROG_LOAD", old)
    with Object(one_program(btf=kfunc_btf(), lines=bytes(16))) as obj:
        obj.load()
    first, *_, second = kernel.named("PROG_LOAD")
    assert first.attr.func_info_cnt == 1
    assert second.values("prog_btf_fd", "func_info_cnt", "line_info_cnt") == [0, 0, 0]


def test_btf_that_the_kernel_does_not_take_is_left_out_and_noted(
    kernel: FakeKernel,
) -> None:
    for feature in vars(features).values():
        if isinstance(feature, features.Feature):
            feature.assume(True)

    def btf(call: Call) -> int:
        if call.attr.btf_log_level:
            data = b"magic\nunknown kind\n\0"
            call.fill("btf_log_buf", data)
        return -errno.EINVAL

    kernel.always("BTF_LOAD", btf)
    kernel.always("PROG_LOAD", refuse("no"))
    with (
        Object(one_program(btf=kfunc_btf())) as obj,
        pytest.raises(VerifierError) as caught,
    ):
        obj.load()
    assert caught.value.__notes__ == [
        "the kernel did not take the object's BTF: unknown kind"
    ]
    assert not any(c.attr.prog_btf_fd for c in kernel.named("PROG_LOAD"))


def test_memlock_is_lifted_once(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kernels before 5.11 count BPF memory against a limit."""
    import resource

    limits = [(65536, 65536)]
    monkeypatch.setattr(memlock, "_lifted", Once(memlock._lift))
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.append(new))
    features.MEMCG_ACCOUNT.assume(False)
    kernel.then("MAP_CREATE", -errno.EPERM)
    with Object(one_program(maps=(HASH,))) as obj:
        obj.load()
    assert limits[1:] == [(resource.RLIM_INFINITY, resource.RLIM_INFINITY)]
