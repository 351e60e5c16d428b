"""The kernel versions of the tables in ``model``, beside what the running kernel has.

In both directions: what the tables give this kernel is there, and what they give a later
one is not. Where a kernel was built without something, or had it ported back, that is
written down here by name.
"""

import errno
import mmap
import re
from pathlib import Path

import pytest

from skelgen.model import attach_types, flags, map_types, prog_types
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.helpers import HELPERS, helper_since
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.features import Answer, answers
from skelgen.runtime.kernel.features.trial import RETURN_0, Trial, call_insn, make_map
from skelgen.runtime.kernel.version import kernel_version
from tests.harness import privilege

VERSION = kernel_version() >> 16, kernel_version() >> 8 & 0xFF

OPTIONS = {
    "netkit_primary": "CONFIG_NETKIT",
    "netkit_peer": "CONFIG_NETKIT",
    "KPROBE_PMU": "CONFIG_KPROBE_EVENTS",
    "UPROBE_PMU": "CONFIG_UPROBE_EVENTS",
    "MODULE_BTF": "CONFIG_DEBUG_INFO_BTF_MODULES",
}
"""Options of the kernel that the tables do not name."""


@pytest.fixture(autouse=True, scope="module")
def _asked_anew() -> None:
    """Forget what other tests learned of a kernel that was made to refuse things."""
    answers.forget()
    for feature in features.named().values():
        feature.forget()


def has(since: str) -> bool:
    """Whether the running kernel is of that version or later."""
    major, minor = since.split(".")
    return (int(major), int(minor)) <= VERSION


def contradiction(name: str, answer: Answer, option: str = "") -> str | None:
    """Return what is wrong where the kernel and the table disagree."""
    if answer.supported is None or not answer.since:
        return None
    if answer.supported == has(answer.since):
        return None
    option = OPTIONS.get(name, option)
    if not answer and option and privilege.kernel_config(option) is None:
        return None  # built without it
    said = f"yes on {VERSION}" if answer else f"no on {VERSION} ({answer.reason})"
    return f"{name}: since {answer.since} by the table, {said}"


def test_map_types() -> None:
    found = [
        contradiction(kind.name, features.map_type(kind)) for kind in map_types.ROWS
    ]
    assert not [*filter(None, found)]


def test_program_types() -> None:
    found = [
        contradiction(kind.name, features.program_type(kind), row.option)
        for kind, row in prog_types.ROWS.items()
    ]
    assert not [*filter(None, found)]


def test_attach_types() -> None:
    found = [
        contradiction(
            kind.name.lower(),
            features.attach_type(kind),
            row.option or prog_types.row(row.program).option,
        )
        for kind, row in attach_types.ROWS.items()
    ]
    assert not [*filter(None, found)]


def test_named_features() -> None:
    found = [
        contradiction(name, feature.answer())
        for name, feature in features.named().items()
    ]
    assert not [*filter(None, found)]


def test_every_type_of_the_enumerations_has_its_kernel() -> None:
    assert map_types.ROWS.keys() == {*MapType} - {MapType.UNSPEC}
    assert prog_types.ROWS.keys() == {*ProgType} - {ProgType.UNSPEC}
    assert attach_types.ROWS.keys() == {*AttachType}


def test_helpers() -> None:
    """The verifier says of a number whether it is beyond the last helper it knows."""
    found = []
    for number in range(1, len(HELPERS)):
        log = Trial(ProgType.SOCKET_FILTER, call_insn(number) + RETURN_0).log
        assert log
        answer = Answer("invalid func " not in log, log, helper_since(number))
        found.append(contradiction(HELPERS[number], answer))
    assert not [*filter(None, found)]


_WITH = {
    "BPF_F_NO_PREALLOC": MapType.HASH,
    "BPF_F_RDONLY": MapType.ARRAY,
    "BPF_F_STACK_BUILD_ID": MapType.STACK_TRACE,
    "BPF_F_ZERO_SEED": MapType.HASH,
    "BPF_F_RDONLY_PROG": MapType.ARRAY,
    "BPF_F_MMAPABLE": MapType.ARRAY,
    "BPF_F_PRESERVE_ELEMS": MapType.PERF_EVENT_ARRAY,
    "BPF_F_INNER_MAP": MapType.ARRAY,
    "BPF_F_NO_USER_CONV": MapType.ARENA,
    "BPF_F_RB_OVERWRITE": MapType.RINGBUF,
    "BPF_F_TEST_RND_HI32": ProgType.SOCKET_FILTER,
    "BPF_F_TEST_STATE_FREQ": ProgType.SOCKET_FILTER,
    "BPF_F_XDP_HAS_FRAGS": ProgType.XDP,
    "BPF_F_TEST_REG_INVARIANTS": ProgType.SOCKET_FILTER,
}
"""Flags that the simplest map or program of a type takes."""


def test_flags() -> None:
    """Their kernels stand in brackets behind the flags' docstrings."""
    text = Path(flags.__file__).read_text("utf-8")
    line = r'^(BPF_F_\w+): Final = .*\n""".*\(Linux (\d+\.\d+)\)'
    since = dict(re.findall(line, text, re.MULTILINE))
    assert _WITH.keys() <= since.keys()
    found = [
        contradiction(name, Answer(*_takes(getattr(flags, name), kind), since[name]))
        for name, kind in _WITH.items()
    ]
    assert not [*filter(None, found)]


def _takes(flag: int, kind: MapType | ProgType) -> tuple[bool | None, str]:
    try:
        if isinstance(kind, ProgType):
            fd = syscalls.prog_load(
                type=kind, insns=RETURN_0, license="GPL", flags=flag
            )
        else:
            row = map_types.row(kind)
            size = mmap.PAGESIZE if row.unit == "byte" else 1
            fd = make_map(
                kind,
                _first(row.key),
                _first(row.value, flag),
                size,
                flags=row.flags | flag,
            )
    except BpfOSError as error:
        if error.errno == errno.EINVAL:
            return False, str(error.strerror)
        return None, str(error.strerror)
    syscalls.close(fd)
    return True, ""


def _first(sizes: map_types.Sizes, flag: int = 0) -> int:
    if flag == flags.BPF_F_STACK_BUILD_ID:
        return 32  # of struct bpf_stack_build_id
    return 8 if isinstance(sizes, range) else sizes[0]
