"""What ``features`` says of the running kernel, beside what bpftool says of it."""

import errno
import functools
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import skelgen
from skelgen.cli import main
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.helpers import HELPERS
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel import machine as system
from skelgen.runtime.kernel.features import answers
from skelgen.runtime.needs import needs
from tests.harness import privilege

# Debian's bpftool 7.1 answers no, for reasons of its own
DIFFERENT = {
    "tracing": "bpftool tries fentry, which a kernel may refuse (EPERM) while it has"
    " raw tracepoints by BTF; tried with those here",
    "ext": "refused with EPERM, which is no answer here",
    "lsm": "refused with EPERM, which is no answer here",
    "lirc_mode2": "",
}


IN_VM = os.environ.get("SKELGEN_VM") == "1"

SAYS_NO = (
    "program of this type cannot use helper",  # Linux 6.8, "unknown func" before
    "helper call is not allowed in probe",
)


@functools.cache
def bpftool() -> dict[str, dict[str, object]]:
    if shutil.which("bpftool") is None:
        pytest.skip("needs bpftool")
    done = subprocess.run(
        ["bpftool", "feature", "probe", "full", "-j"],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, dict[str, object]] = json.loads(done.stdout)
    return found


def test_map_types_are_as_bpftool_says() -> None:
    theirs = {
        key.removeprefix("have_").removesuffix("_map_type"): value
        for key, value in bpftool()["map_types"].items()
    }
    assert len(theirs) >= 31
    ours = {name: features.map_type(name).supported for name in theirs}
    assert ours == theirs


def test_program_types_are_as_bpftool_says() -> None:
    theirs = {
        key.removeprefix("have_").removesuffix("_prog_type"): value
        for key, value in bpftool()["program_types"].items()
    }
    assert len(theirs) >= 31
    different = {}
    for name, answer in theirs.items():
        ours = features.program_type(name)
        if ours.supported != answer:
            different[name] = ours
    assert different.keys() <= DIFFERENT.keys()
    for name in ("ext", "lsm"):
        if name in different:
            assert different[name].supported is None
            assert "EPERM" in different[name].reason


def test_helpers_are_as_bpftool_says() -> None:
    """Every helper in every program type that both know.

    libbpf 1.1 does not know how the verifier says no since Linux 6.8, and so bpftool
    7.1 takes that for a yes.
    """
    lists = bpftool()["helpers"]
    known = {str(name) for names in lists.values() for name in _names(names)}
    said_no = yes = 0
    for key, names in lists.items():
        kind = key.removesuffix("_available_helpers")
        if IN_VM and kind not in {"kprobe", "xdp", "sched_cls", "cgroup_sock"}:
            continue  # 200 programs of each type take minutes there
        if kind in DIFFERENT or kind == "struct_ops":
            continue  # bpftool says no to all of them
        theirs = _names(names)
        for name in known:
            ours = features.helper(name, kind)
            assert ours.supported is not None, (kind, name, ours)
            if ours:
                assert name in theirs, (kind, name)
                yes += 1
            elif name in theirs:
                assert any(text in ours.reason for text in SAYS_NO), ours
                said_no += 1
    assert yes > (200 if IN_VM else 1000)
    assert known <= {f"bpf_{name}" for name in HELPERS}
    if said_no:
        assert not features.helper("bpf_xdp_adjust_head", "socket_filter")


def _names(names: object) -> set[str]:
    assert isinstance(names, list)
    return set(names)


def test_every_type_of_this_kernel_can_be_told() -> None:
    """No answer is a guess: what is ``None`` was refused for lack of rights."""
    for answer in (
        *map(features.map_type, MapType),
        *map(features.program_type, ProgType),
        *map(features.attach_type, AttachType),
    ):
        if answer.supported is None:
            assert "EPERM" in answer.reason
        elif not answer:
            assert answer.reason


def test_kfuncs_are_told_by_what_may_call_them() -> None:
    acquire = features.kfunc("bpf_task_acquire")
    privilege.require("bpf_task_acquire()", acquire._replace(since="6.2"))
    if acquire.supported is None:
        pytest.skip(acquire.reason)
    assert (acquire.supported, acquire.reason) == (True, "vmlinux")
    assert features.kfunc("bpf_task_acquire", ProgType.TRACING)
    assert not features.kfunc("bpf_task_acquire", "socket_filter")
    function = features.kfunc("schedule", "tracing")  # of the kernel, and no kfunc
    assert function.supported is False
    assert "schedule" in function.reason
    assert features.kfunc("no_such_function").supported is False
    assert features.kfunc("bpf_task_acquire", "struct_ops").supported is None


def test_trials_leave_nothing_attached() -> None:
    """The fixture looks for leaks; here: a trial of XDP attaches nothing to lo."""
    answers.forget()
    assert features.attach_type("xdp")
    with pytest.raises(BpfOSError) as caught:
        syscalls.prog_query(1, AttachType.XDP)
    assert caught.value.errno == errno.EINVAL  # XDP has no such query
    done = subprocess.run(
        ["ip", "link", "show", "lo"], check=True, capture_output=True, text=True
    )
    assert "xdp" not in done.stdout


# -- skelgen features ----------------------------------------------------------


def test_the_system_is_read_as_bpftool_reads_it() -> None:
    theirs = bpftool()["system_config"]
    ours = system.read()
    assert ours.unprivileged_bpf_disabled == theirs["unprivileged_bpf_disabled"]
    assert ours.jit == theirs["bpf_jit_enable"]
    assert ours.jit_harden == theirs["bpf_jit_harden"]
    assert ours.config is not None
    both = ours.config.keys() & theirs.keys()
    assert len(both) > 10
    assert {name: ours.config[name] for name in both} == {
        name: theirs[name] for name in both
    }


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("ringbuf", 0),
        ("core_fields", 0),
        ("maps_net", 0),
        ("externs_kfuncs", 0),
        # looks through 100,000 names for what was meant
        pytest.param("externs_missing", 1, marks=pytest.mark.any_kernel),
    ],
)
def test_what_is_said_of_an_object_is_what_its_load_says(
    compile_bpf: Callable[[str], Path], name: str, status: int
) -> None:
    """What is said without loading is what a load says."""
    if name == "externs_kfuncs":
        answer = features.kfunc("bpf_task_from_pid")
        privilege.require("bpf_task_from_pid()", answer._replace(since="6.2"))
    for options in ((), ("--load",)):
        result = CliRunner().invoke(
            main, ["features", str(compile_bpf(name)), *options], prog_name="skelgen"
        )
        assert result.exit_code == status, result.output
    if status:
        assert "kernel function" in result.output


def test_needs_of_an_object_are_told_by_kind(
    compile_bpf: Callable[[str], Path],
) -> None:
    with skelgen.open_object(compile_bpf("prog_tracepoint")) as obj:
        found = needs(obj)
    kinds = {need.kind for need in found}
    assert {"program type", "target"} <= kinds
    with skelgen.open_object(compile_bpf("core_poisoned")) as obj:
        found = needs(obj)
    lacking = [n for n in found if n.kind == "kernel type"]
    assert lacking
    assert not any(need.missing for need in lacking)  # only if they are reached
