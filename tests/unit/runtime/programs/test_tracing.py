"""Tracing programs and extensions: links, what stands in for them, other targets."""

import errno

import pytest

from skelgen.model.enums import AttachType
from skelgen.runtime import (
    ExtensionProgram,
    LsmProgram,
    TracingProgram,
    XdpProgram,
    syscalls,
)
from skelgen.runtime.errors import AttachError, BpfOSError, StateError
from tests.harness.fake_kernel import FIRST_FD, Call, FakeKernel
from tests.harness.programs import loaded, opened


@pytest.mark.parametrize(
    ("section", "hook", "cls"),
    [
        ("tp_btf/sched_switch", AttachType.TRACE_RAW_TP, TracingProgram),
        ("fentry/vfs_read", AttachType.TRACE_FENTRY, TracingProgram),
        ("fexit/vfs_read", AttachType.TRACE_FEXIT, TracingProgram),
        ("fmod_ret/vfs_read", AttachType.MODIFY_RETURN, TracingProgram),
        ("lsm/file_open", AttachType.LSM_MAC, LsmProgram),
    ],
)
def test_tracing_programs_get_a_link_or_an_old_one(
    kernel: FakeKernel, section: str, hook: AttachType, cls: type[TracingProgram]
) -> None:
    program = loaded(section, cls)
    assert program.auto_attachable
    program.attach(cookie=9).destroy()
    (create,) = kernel.named("LINK_CREATE")
    assert create.values(
        "prog_fd", "target_fd", "attach_type", "tracing.target_btf_id"
    ) == [program.fd(), 0, hook, 0]
    assert create.attr.tracing.cookie == 9
    # before 5.19: EINVAL, then the call that has been there since 5.3
    kernel.then("LINK_CREATE", -errno.EINVAL)
    with program.attach() as link:
        (old,) = kernel.named("RAW_TRACEPOINT_OPEN")
        assert old.values("name", "prog_fd") == [0, program.fd()]
        assert link.fd() in kernel.open
    # not when there is a cookie, which that one does not know
    kernel.then("LINK_CREATE", -errno.EINVAL)
    with pytest.raises(BpfOSError, match=r"program 'prog' on '\w+': BPF_LINK_CREATE"):
        program.attach(cookie=9)
    program.close()
    assert not kernel.open


def test_before_5_13_a_second_attach_says_why_it_fails(kernel: FakeKernel) -> None:
    program = loaded("fentry/vfs_read", TracingProgram)
    kernel.always("LINK_CREATE", -errno.EINVAL)
    kernel.always("RAW_TRACEPOINT_OPEN", -errno.ENOENT)
    with pytest.raises(BpfOSError, match="ENOENT") as caught:
        program.attach()
    assert caught.value.__notes__ == [
        (
            "before Linux 5.13 a program is attached once in its life; open and load the"
            " object again"
        )
    ]


def test_fsession_has_no_older_way(kernel: FakeKernel) -> None:
    program = loaded("fsession/vfs_read", TracingProgram)
    kernel.then("LINK_CREATE", -errno.EINVAL)
    with pytest.raises(BpfOSError, match="EINVAL"):
        program.attach()
    assert not kernel.named("RAW_TRACEPOINT_OPEN")


def test_a_target_can_be_set_until_load(kernel: FakeKernel) -> None:
    program = opened("fentry", TracingProgram)
    assert not program.auto_attachable
    program.set_attach_target("vfs_read", module="ext4")
    assert (program.attach_target, program.target_module) == ("vfs_read", "ext4")
    assert program.auto_attachable
    program = loaded("fentry/mod:func", TracingProgram)
    assert (program.attach_target, program.target_module) == ("func", "mod")
    with pytest.raises(StateError, match=r"set attach_target between open"):
        program.set_attach_target("vfs_read")
    assert kernel.names() == ["PROG_LOAD"]


def test_an_extension_replaces_a_function(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from skelgen.runtime.programs import extension

    asked: list[object] = []

    def function_of_program(fd: int, name: str, attached: str) -> int:
        asked.append((attached, fd, name))
        return 42

    monkeypatch.setattr(extension, "function_of_program", function_of_program)
    target = loaded("xdp", XdpProgram, name="target")
    program = opened("freplace/handle", ExtensionProgram)
    assert not program.auto_attachable
    program.set_attach_target("handle", program=target)
    assert program.auto_attachable
    program = loaded("freplace/handle", ExtensionProgram)
    program.attach()
    program.attach(target, "other")
    program.attach(target)
    with pytest.raises(AttachError, match=r"call attach\(program, function\)"):
        program.attach(function="other")
    first, second, third = kernel.named("LINK_CREATE")
    assert first.values("target_fd", "attach_type", "tracing.target_btf_id") == [
        0,
        0,
        0,
    ]
    assert second.values("target_fd", "attach_type", "tracing.target_btf_id") == [
        target.fd(),
        0,
        42,
    ]
    assert third.values("target_fd", "attach_type", "tracing.target_btf_id") == [
        target.fd(),
        0,
        42,
    ]
    assert asked == [("prog", target.fd(), "other"), ("prog", target.fd(), "handle")]


@pytest.mark.parametrize("answer", [errno.EINVAL, errno.ENOENT])
def test_an_extension_is_attached_again(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch, answer: int
) -> None:
    """The kernel forgets its target once it was attached (``bpf_tracing_prog_attach``)."""
    from skelgen.runtime.programs import extension

    monkeypatch.setattr(extension, "function_of_program", lambda *_: 42)
    target = loaded("xdp", XdpProgram, name="target")
    program = opened("freplace/handle", ExtensionProgram)
    program.set_attach_target("handle", program=target)
    program.adopt(syscalls.Fd(FIRST_FD + 500))
    kernel.open.add(FIRST_FD + 500)
    program.attach().detach()

    def forgotten(call: Call) -> int | None:
        return None if call.attr.target_fd else -answer

    kernel.always("LINK_CREATE", forgotten)
    kernel.always("RAW_TRACEPOINT_OPEN", -answer)
    link = program.attach()
    last = kernel.named("LINK_CREATE")[-1]
    assert last.values(
        "prog_fd", "target_fd", "attach_type", "tracing.target_btf_id"
    ) == [
        program.fd(),
        target.fd(),
        0,
        42,
    ]
    link.destroy()
    # one whose target is not known says what the kernel says
    other = loaded("freplace/handle", ExtensionProgram)
    with pytest.raises(BpfOSError, match=errno.errorcode[answer]):
        other.attach()


def test_each_setting_of_a_target_can_be_set_until_load(kernel: FakeKernel) -> None:
    program = opened("fentry", TracingProgram)
    program.attach_target = "vfs_read"
    program.target_module = "ext4"
    program.target_program = 7
    program.log_size = 4096
    assert (program.attach_target, program.target_module) == ("vfs_read", "ext4")
    assert (program.target_program, program.log_size) == (7, 4096)
    program = loaded("fentry/func", TracingProgram)
    for name in ("attach_target", "target_module", "target_program", "ifindex"):
        with pytest.raises(StateError, match=f"set {name} between open"):
            setattr(program, name, None)
    program.autoattach = False  # until it is attached
    program.close()
