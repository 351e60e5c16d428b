"""What an EPERM is explained with."""

import errno
from pathlib import Path

import pytest

from skelgen.model.enums import MapType, ProgType
from skelgen.runtime.errors import os_error
from skelgen.runtime.kernel import features, memlock
from skelgen.runtime.syscalls import rights

ALL = (1 << 41) - 1
NET_ADMIN, SYS_ADMIN, PERFMON, BPF = (1 << bit for bit in (12, 21, 38, 39))


class Files:
    """Files of ``/proc`` and ``/sys``, as a process reads them of itself."""

    def __init__(self) -> None:
        self.texts = {
            "/proc/self/status": f"Name:\tx\nCapEff:\t{ALL:016x}\nSeccomp:\t0\n",
            "/proc/self/uid_map": "         0          0 4294967295\n",
            "/proc/sys/kernel/unprivileged_bpf_disabled": "2\n",
            "/proc/sys/kernel/perf_event_paranoid": "2\n",
            "/proc/self/limits": (
                "Limit                     Soft Limit  Hard Limit  Units\n"
                "Max locked memory         65536       65536       bytes\n"
            ),
        }

    def capabilities(self, mask: int, seccomp: int = 0) -> None:
        self.texts["/proc/self/status"] = (
            f"Name:\tx\nCapEff:\t{mask:016x}\nSeccomp:\t{seccomp}\n"
        )

    def read(self, path: str) -> str:
        return self.texts.get(path, "")


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Files:
    files = Files()
    monkeypatch.setattr(rights, "read_text", files.read)
    features.MEMCG_ACCOUNT.assume(True)
    return files


@pytest.mark.parametrize(
    ("mask", "command", "kind", "missing"),
    [
        (0, "BPF_MAP_CREATE", None, "CAP_BPF"),
        (0, "BPF_MAP_CREATE", MapType.HASH, "CAP_BPF"),
        (BPF, "BPF_MAP_CREATE", MapType.XSKMAP, "CAP_NET_ADMIN"),
        (0, "BPF_MAP_CREATE", MapType.SOCKHASH, "CAP_BPF and CAP_NET_ADMIN"),
        (0, "BPF_PROG_LOAD", ProgType.SOCKET_FILTER, "CAP_BPF"),
        (0, "BPF_PROG_LOAD", ProgType.KPROBE, "CAP_BPF and CAP_PERFMON"),
        (BPF, "BPF_PROG_LOAD", ProgType.KPROBE, "CAP_PERFMON"),
        (SYS_ADMIN, "BPF_PROG_LOAD", ProgType.XDP, "CAP_NET_ADMIN"),
        (BPF | NET_ADMIN, "BPF_PROG_LOAD", ProgType.EXT, "CAP_PERFMON"),
        (BPF | PERFMON, "BPF_PROG_GET_NEXT_ID", None, "CAP_SYS_ADMIN"),
        (BPF, "perf_event_open", None, "CAP_PERFMON"),
        (BPF, "fsopen", None, "CAP_SYS_ADMIN"),
    ],
)
def test_the_missing_capability_is_named(
    files: Files, mask: int, command: str, kind: int | None, missing: str
) -> None:
    files.capabilities(mask)
    hints = rights.explain(command, kind)
    assert hints[0] == f"this process lacks {missing}: run as root or grant it"


def test_sysctls_are_named_where_they_matter(files: Files) -> None:
    files.capabilities(0)
    disabled = "sysctl kernel.unprivileged_bpf_disabled is 2"
    assert disabled in rights.explain("BPF_MAP_CREATE")
    assert disabled not in rights.explain("BPF_PROG_QUERY")
    assert "sysctl kernel.perf_event_paranoid is 2" in (
        rights.explain("perf_event_open")
    )
    files.texts["/proc/sys/kernel/unprivileged_bpf_disabled"] = "0\n"
    assert disabled not in rights.explain("BPF_MAP_CREATE")


def test_lockdown_user_namespaces_and_seccomp_are_named(files: Files) -> None:
    files.texts["/sys/kernel/security/lockdown"] = "none integrity [confidentiality]\n"
    (hint,) = rights.explain("BPF_PROG_LOAD", ProgType.KPROBE)
    assert hint.startswith("the kernel is locked down (confidentiality, see ")
    files.texts["/sys/kernel/security/lockdown"] = "[none] integrity\n"
    files.texts["/proc/self/uid_map"] = "0 1000 1\n"
    (hint,) = rights.explain("BPF_PROG_LOAD", ProgType.KPROBE)
    assert hint.startswith("this process is in a user namespace of its own")
    files.texts["/proc/self/uid_map"] = "0 0 4294967295\n"
    files.capabilities(ALL, seccomp=2)
    (hint,) = rights.explain("BPF_PROG_LOAD", ProgType.KPROBE)
    assert "seccomp filter" in hint
    assert "may refuse bpf(2)" in hint
    (hint,) = rights.explain("perf_event_open")
    assert "may refuse perf_event_open" in hint
    files.capabilities(ALL)
    (hint,) = rights.explain("BPF_PROG_LOAD", ProgType.KPROBE)
    assert hint.startswith("this process has the capabilities for it")


def test_memlock_is_blamed_where_it_counts_alone(files: Files) -> None:
    features.MEMCG_ACCOUNT.assume(False)
    try:
        error = os_error(errno.EPERM, command="BPF_MAP_CREATE")
        memlock.blame(error, MapType.HASH)
        (hint,) = error.__notes__
        assert "RLIMIT_MEMLOCK, which is 65536 bytes" in hint
        assert "seccomp" not in hint
        assert "RLIMIT" not in rights.explain("BPF_LINK_CREATE")[0]
        files.texts["/proc/self/limits"] = "Max locked memory unlimited unlimited\n"
        assert memlock.hints() == []
    finally:
        features.MEMCG_ACCOUNT.forget()


def test_nothing_readable_blames_nothing(files: Files) -> None:
    files.texts.clear()
    process = rights.read_process()
    assert process == (None, False, False, None, None, None)
    assert len(rights.explain("BPF_MAP_CREATE")) == 1


def test_this_process_can_be_read() -> None:
    process = rights.read_process()
    assert process.capabilities is not None
    assert process.lockdown in {None, "none", "integrity", "confidentiality"}


def test_each_call_needs_its_capabilities() -> None:
    assert rights.needed("BPF_PROG_LOAD", ProgType.TRACING) == (
        "CAP_BPF",
        "CAP_PERFMON",
    )
    assert rights.needed("BPF_MAP_FREEZE") == ()


def test_it_is_told_why_a_pin_failed(tmp_path: Path, files: Files) -> None:
    assert rights.is_bpffs(str(tmp_path)) is False
    assert rights.is_bpffs("/nonexistent") is None
    missing = rights.explain_pin(str(tmp_path / "a/b"), errno.ENOENT)
    assert missing == [f"there is no directory '{tmp_path}/a'"]
    wrong = rights.explain_pin(str(tmp_path / "b"), errno.EPERM)
    assert wrong == [
        f"'{tmp_path}' is not on a bpffs; mount one: mount -t bpf bpf /sys/fs/bpf"
    ]
    assert rights.explain_pin(str(tmp_path / "b"), errno.EEXIST) == []
