"""Types, helpers and kfuncs of kernels that answer as old and new ones do."""

import errno
from collections.abc import Iterator

import pytest

from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.features import Answer, Feature, answers, tracing
from tests.harness.fake_kernel import Call, FakeKernel, map_info


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    answers.forget()
    yield
    answers.forget()


def refuse(error: int, log: str) -> object:
    """Answer a load with an errno and a log."""

    def answer(call: Call) -> int:
        text = log.encode() + b"\0"
        if call.attr.log_size > len(text):
            call.fill("log_buf", text)
        return -error

    return answer


def test_an_answer_is_true_only_for_a_yes() -> None:
    assert Answer(True)
    assert not Answer(False)
    assert not Answer(None)
    assert [str(Answer(a)) for a in (True, False, None)] == [
        "yes",
        "no",
        "could not tell",
    ]


def test_a_named_feature_says_why_it_cannot_tell(kernel: FakeKernel) -> None:
    kernel.always("PROG_LOAD", -errno.EPERM)
    answer = features.GLOBAL_DATA.answer()
    assert answer == (None, "operation not permitted (EPERM)", "5.2")
    kernel.always("MAP_CREATE", -errno.EPERM)
    features.GLOBAL_DATA.forget()
    assert "BPF_MAP_CREATE" in features.GLOBAL_DATA.answer().reason
    assert features.named()["GLOBAL_DATA"] is features.GLOBAL_DATA
    assert all(isinstance(f, Feature) for f in features.named().values())


@pytest.mark.parametrize("which", ["ringbuf", "BPF_MAP_TYPE_RINGBUF", 27])
def test_map_types_are_asked_for_by_name_or_number(
    kernel: FakeKernel, which: int | str
) -> None:
    assert features.map_type(which) == (True, "", "5.8")
    (call,) = kernel.named("MAP_CREATE")
    assert call.values("map_type", "key_size", "value_size") == [MapType.RINGBUF, 0, 0]
    assert not kernel.open


def test_every_map_type_is_asked_for_as_itself(kernel: FakeKernel) -> None:
    for number in MapType:
        kernel.calls.clear()
        assert features.map_type(number), number
        assert kernel.named("MAP_CREATE")[-1].attr.map_type == number
    assert not kernel.open
    answers.forget()
    kernel.always("MAP_CREATE", -errno.EINVAL)
    assert not any(map(features.map_type, MapType))


def test_map_types_are_supported_where_an_errno_says_so(kernel: FakeKernel) -> None:
    kernel.always("MAP_CREATE", -524)
    assert features.map_type("struct_ops").supported is True
    assert features.map_type("hash").supported is False
    kernel.always("MAP_CREATE", -errno.EBADF)
    assert features.map_type("task_storage").supported is True
    assert features.map_type("array").supported is False


def test_what_could_not_be_told_is_tried_again(kernel: FakeKernel) -> None:
    kernel.then("MAP_CREATE", -errno.EPERM)
    first = features.map_type("array")
    assert first == (None, "operation not permitted (EPERM)", "3.19")
    assert features.map_type("array").supported is True
    features.map_type("array")
    assert len(kernel.named("MAP_CREATE")) == 2


@pytest.mark.parametrize("ask", [features.map_type, features.program_type])
def test_a_name_of_no_type_is_refused(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(ValueError, match="'ringbuff' is no"):
        ask("ringbuff")


def test_program_types_with_a_target_are_told_by_the_refusal(
    kernel: FakeKernel,
) -> None:
    kernel.always("PROG_LOAD", refuse(errno.EINVAL, "attach_btf_id 1 is not a typedef"))
    assert features.program_type("tracing").supported is True
    assert features.program_type("lsm").supported is True
    assert features.program_type("xdp").supported is False
    kernel.always(
        "PROG_LOAD", refuse(errno.EINVAL, "Cannot replace kernel functions\n")
    )
    assert features.program_type("ext").supported is True
    answers.forget()
    kernel.always("PROG_LOAD", -errno.EINVAL)
    assert features.program_type("tracing").supported is False
    kernel.always("PROG_LOAD", -524)
    assert features.program_type("struct_ops").supported is True


@pytest.mark.parametrize(
    ("log", "answer"),
    [
        ("invalid func unknown#211\n", False),
        ("unknown func bpf_ringbuf_output#130\n", False),
        ("0: (85) call\nprogram of this type cannot use helper bpf_x#1\n", False),
        ("R1 type=ctx expected=map_ptr\n", True),
        ("", None),
    ],
)
def test_a_helper_is_told_by_what_the_verifier_says(
    kernel: FakeKernel, log: str, answer: bool | None  # noqa: FBT001
) -> None:
    kernel.always("PROG_LOAD", refuse(errno.EACCES if log else errno.EPERM, log))
    got = features.helper("bpf_ringbuf_output", ProgType.XDP)
    assert got.supported is answer
    assert got.since == "5.8"
    if answer is False:
        assert "func" in got.reason or "helper" in got.reason
    assert features.helper(130, "struct_ops").supported is None


def test_attach_types_are_told_by_what_the_kernel_looks_for(kernel: FakeKernel) -> None:
    kernel.always("PROG_QUERY", -errno.EBADF)
    assert features.attach_type("cgroup_inet4_connect").supported is True
    kernel.always("PROG_QUERY", -errno.ENODEV)
    assert features.attach_type("tcx_ingress") == (True, "", "6.6")
    kernel.always("PROG_QUERY", -errno.EINVAL)
    assert features.attach_type("tcx_egress").supported is False
    kernel.always("PROG_QUERY", -errno.EPERM)
    assert features.attach_type("sk_lookup").supported is None
    kernel.always("LINK_CREATE", -errno.EOPNOTSUPP)
    assert features.attach_type("xdp").supported is True
    kernel.always("LINK_CREATE", -errno.EINVAL)
    for name in ("netfilter", "perf_event", "trace_kprobe_multi"):
        assert features.attach_type(name).supported is False
    kernel.always("MAP_CREATE", -errno.EINVAL)
    assert features.attach_type("struct_ops").supported is False
    answers.forget()
    kernel.always("MAP_CREATE", -524)
    assert features.attach_type("struct_ops").supported is True
    kernel.always("PROG_ATTACH", -errno.EBADF)
    assert features.attach_type("sk_msg_verdict").supported is True
    assert not kernel.open


def test_every_attach_type_asks_the_kernel(kernel: FakeKernel) -> None:
    for number in AttachType:
        kernel.calls.clear()
        features.attach_type(number)
        assert kernel.names(), number
    assert not kernel.open


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("BTF_LAYOUT", 0, errno.EINVAL),
        ("ARG_CTX_TAG", 0, errno.EACCES),
    ],
)
def test_newest_features_are_there_or_missing_or_cannot_be_told(
    kernel: FakeKernel, name: str, yes: int, no: int
) -> None:
    feature = features.named()[name]
    del yes
    assert feature.supported() is True
    call = "BTF_LOAD" if name == "BTF_LAYOUT" else "PROG_LOAD"
    feature.forget()
    kernel.then(call, -no)
    assert feature.supported() is False
    feature.forget()
    kernel.then(call, -errno.EPERM)
    assert feature.supported() is None
    assert not kernel.open


def test_an_offset_of_any_size_is_told_by_the_log(kernel: FakeKernel) -> None:
    feature = features.LDIMM64_FULL_RANGE
    far = "invalid access to map value pointer, value_size=32 off=1073741824\n"
    for log, answer in (
        (far, True),
        ("direct value offset of 1073741824 is not allowed\n", False),
        ("unrecognized bpf_ld_imm64 insn\n", False),
    ):
        feature.forget()
        kernel.then("PROG_LOAD", refuse(errno.EINVAL, log))
        assert feature.supported() is answer
    assert not kernel.open


def test_flags_of_per_cpu_maps_are_looked_for(kernel: FakeKernel) -> None:
    feature = features.PERCPU_FLAGS
    kernel.always("OBJ_GET_INFO_BY_FD", map_info(MapType.PERCPU_ARRAY, 4, 4))
    for call, error, answer in (
        ("MAP_UPDATE_ELEM", 0, True),
        ("MAP_UPDATE_ELEM", errno.EINVAL, False),
        ("MAP_CREATE", errno.EINVAL, None),
        ("MAP_UPDATE_ELEM", errno.EPERM, None),
    ):
        feature.forget()
        kernel.then(call, -error if error else None)
        assert feature.supported() is answer
    assert not kernel.open


def test_common_attributes_are_looked_for(kernel: FakeKernel) -> None:
    feature = features.COMMON_ATTRS
    for error, answer in ((errno.EFAULT, True), (errno.EINVAL, False)):
        feature.forget()
        kernel.then("command 65541", -error)
        assert feature.supported() is answer
    feature.forget()
    kernel.then("command 65541", -errno.EPERM)
    assert feature.answer().reason == "operation not permitted (EPERM)"


def test_a_uprobe_system_call_is_looked_for_on_its_architecture(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    feature = features.UPROBE_SYSCALL
    monkeypatch.setattr(tracing, "MACHINE", "x86_64")
    for error, answer in (
        (errno.ENXIO, True),
        (errno.EPROTO, True),
        (errno.ENOSYS, False),
    ):
        feature.forget()
        kernel.then("syscall 336", -error)
        assert feature.supported() is answer
    monkeypatch.setattr(tracing, "MACHINE", "aarch64")
    feature.forget()
    assert feature.supported() is False
