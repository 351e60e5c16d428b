"""Trials of kernel features, on kernels that answer as old and new ones do."""

import errno
from pathlib import Path

import pytest

from skelgen.model.enums import ProgType
from skelgen.runtime.errors import NotSupportedError
from skelgen.runtime.kernel import features, memlock, symbols
from skelgen.runtime.kernel.features import Feature, tracing
from skelgen.runtime.kernel.pmu import pmu_number
from skelgen.runtime.process.once import Once
from tests.harness.fake_kernel import Call, FakeKernel

ALL = [f for f in vars(features).values() if isinstance(f, Feature)]
BY_CALL = {
    "PROG_LOAD": (
        features.PROG_NAME,
        features.GLOBAL_DATA,
        features.EXPECTED_ATTACH_TYPE,
        features.PROBE_READ_KERNEL,
        features.MEMCG_ACCOUNT,
        features.BPF_COOKIE,
    ),
    "MAP_CREATE": (features.ARRAY_MMAP,),
    "BTF_LOAD": (
        features.BTF,
        features.BTF_FUNC,
        features.BTF_GLOBAL_FUNC,
        features.BTF_DATASEC,
        features.BTF_FLOAT,
        features.BTF_DECL_TAG,
        features.BTF_TYPE_TAG,
        features.BTF_ENUM64,
        features.BTF_QMARK_DATASEC,
        features.MODULE_BTF,
    ),
    "PROG_BIND_MAP": (features.PROG_BIND_MAP,),
}
CASES = [(call, feature) for call, some in BY_CALL.items() for feature in some]


@pytest.mark.parametrize(
    ("call", "feature"), CASES, ids=[feature.name for _, feature in CASES]
)
def test_a_feature_is_there_or_missing_or_cannot_be_told(
    kernel: FakeKernel, call: str, feature: Feature
) -> None:
    assert feature.supported() is True
    assert not kernel.open
    feature.forget()
    kernel.then(call, -errno.EINVAL)
    assert feature.supported() is False
    assert not kernel.open
    feature.forget()
    kernel.then(call, -errno.EPERM)
    assert feature.supported() is None
    assert not kernel.open


def test_it_is_tried_once(kernel: FakeKernel) -> None:
    for _ in range(3):
        assert features.PROG_NAME.supported() is True
    assert len(kernel.named("PROG_LOAD")) == 1
    # with a token every time, because tokens differ in what they allow
    for _ in range(2):
        assert features.PROG_NAME.supported(token_fd=9) is True
    assert [call.attr.prog_token_fd for call in kernel.named("PROG_LOAD")] == [0, 9, 9]


def test_links_are_told_by_what_the_kernel_looks_at_first(kernel: FakeKernel) -> None:
    kernel.always("LINK_CREATE", -errno.EBADF)
    assert features.LINK_CREATE.supported() is True
    assert features.PERF_LINK.supported() is True
    kernel.always("LINK_CREATE", -errno.EINVAL)
    for feature in (features.LINK_CREATE, features.PERF_LINK, features.TCX):
        feature.forget()
        assert feature.supported() is False
    kernel.always("LINK_CREATE", -errno.ENODEV)
    features.TCX.forget()
    assert features.TCX.supported() is True
    kernel.always("LINK_CREATE", -errno.EPERM)
    for feature in (features.LINK_CREATE, features.PERF_LINK, features.TCX):
        feature.forget()
        assert feature.supported() is None
    assert not kernel.open


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        (errno.EBADF, errno.EINVAL, True),
        (errno.EBADF, errno.EBADF, False),  # filtered by thread, until 6.10
        (errno.EINVAL, errno.EINVAL, False),
        (errno.EPERM, errno.EPERM, None),
    ],
)
def test_uprobe_multi_is_there_only_with_the_right_filter(
    kernel: FakeKernel, first: int, second: int, answer: bool | None  # noqa: FBT001
) -> None:
    kernel.then("LINK_CREATE", -first, -second)
    assert features.UPROBE_MULTI_LINK.supported() is answer
    pids = [call.attr.uprobe_multi.pid for call in kernel.named("LINK_CREATE")]
    assert pids == [0, 0xFFFFFFFF]
    assert not kernel.open


@pytest.mark.parametrize(
    ("code", "answer"),
    [(errno.EBADF, True), (errno.EINVAL, False), (errno.EPERM, None)],
)
def test_uprobe_multi_by_open_file_looks_for_the_file(
    kernel: FakeKernel, code: int, answer: bool | None  # noqa: FBT001
) -> None:
    kernel.then("LINK_CREATE", -code)
    assert features.UPROBE_MULTI_PATH_FD.supported() is answer
    (call,) = kernel.named("LINK_CREATE")
    assert call.values(
        "uprobe_multi.path", "uprobe_multi.cnt", "uprobe_multi.flags"
    ) == [0, 1, 2]
    assert call.attr.uprobe_multi.path_fd == 0xFFFFFFFF
    assert not kernel.open


def test_the_syscall_wrapper_is_a_symbol(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {"kallsyms": b"", "vmlinux": b""}
    monkeypatch.setattr(symbols, "table", lambda: files["kallsyms"])
    monkeypatch.setattr(tracing, "_vmlinux_btf", lambda: files["vmlinux"])
    monkeypatch.setattr(symbols, "SYSCALL_PREFIX", "x64")
    answer = tracing._syscall_wrapper
    assert answer(0) is None
    files["kallsyms"] = b"0 T __se_sys_bpf\n0 T __x64_sys_bpf_x\n"
    assert answer(0) is False
    files["kallsyms"] += b"0 T __x64_sys_bpf\n"
    assert answer(0) is True
    files["kallsyms"] = b""
    files["vmlinux"] = b"\0a\0__x64_sys_bpf\0"
    assert answer(0) is True
    monkeypatch.setattr(symbols, "SYSCALL_PREFIX", None)
    assert answer(0) is False


def test_the_number_of_a_pmu_is_none_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pmu_number("no_such_pmu", "type") is None
    number = pmu_number("software", "type")
    assert number in {None, 1}  # None where sysfs is not mounted


def test_a_missing_feature_is_an_error_that_says_since_when() -> None:
    feature = Feature("flying maps", "9.9", lambda _token: False)
    with pytest.raises(NotSupportedError) as caught:
        feature.require("map 'm'")
    assert str(caught.value) == (
        "map 'm': this kernel has no flying maps (Linux 9.9 has it)"
    )
    Feature("anything", "9.9", lambda _token: None).require("map 'm'")


def test_asking_why_a_trial_failed_does_not_try_for_ever(kernel: FakeKernel) -> None:
    kernel.always("PROG_LOAD", -errno.EPERM)
    assert features.MEMCG_ACCOUNT.supported() is None
    assert len(kernel.named("PROG_LOAD")) == 1


def test_memlock_is_lifted_on_old_kernels_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import resource

    set_to: list[object] = []

    def setrlimit(what: int, limits: tuple[int, int]) -> None:
        set_to.append((what, limits))
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    monkeypatch.setattr(memlock, "_lifted", Once(memlock._lift))
    features.MEMCG_ACCOUNT.assume(False)
    try:
        memlock.lift_memlock()
        memlock.lift_memlock()
    finally:
        features.MEMCG_ACCOUNT.forget()
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    wanted = [(resource.RLIMIT_MEMLOCK, unlimited)]
    wanted += [(resource.RLIMIT_MEMLOCK, (hard, hard))]  # as the first is refused
    assert set_to == wanted
    monkeypatch.setattr(memlock, "_lifted", Once(memlock._lift))
    features.MEMCG_ACCOUNT.assume(True)
    memlock.lift_memlock()
    features.MEMCG_ACCOUNT.forget()
    assert len(set_to) == 2


def test_trials_load_what_they_mean_to(kernel: FakeKernel) -> None:
    seen: dict[str, list[int]] = {}

    def look(call: Call) -> None:
        insns = call.memory("insns", call.attr.insn_cnt * 8)
        seen.setdefault(ProgType(call.attr.prog_type).name, []).extend(
            int.from_bytes(insns[i + 4 : i + 8], "little")
            for i in range(0, len(insns), 8)
            if insns[i] == 0x85
        )

    kernel.always("PROG_LOAD", look)
    kernel.always("LINK_CREATE", -errno.EBADF)
    for feature in ALL:
        feature.supported()
    # helpers: get_attach_cookie and probe_read_kernel, ktime_get_coarse_ns
    assert sorted(seen["TRACEPOINT"]) == [113, 174]
    assert seen["SOCKET_FILTER"] == [160]
    assert not kernel.open
