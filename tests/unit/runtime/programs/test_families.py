"""Names, settings and pins of programs of all classes."""

from pathlib import Path

import pytest

from skelgen.model.enums import AttachType
from skelgen.runtime import (
    Program,
    StructOpsProgram,
    TracingProgram,
    UsdtProgram,
    XdpProgram,
    syscalls,
)
from skelgen.runtime.errors import AttachError, ClosedError, StateError
from tests.harness.fake_kernel import FakeKernel
from tests.harness.programs import loaded, opened


def test_what_comes_later_says_so(kernel: FakeKernel) -> None:
    with pytest.raises(AttachError, match="cannot attach to USDT probes"):
        loaded("usdt/a:b:c", UsdtProgram).attach()
    with pytest.raises(AttachError, match="struct_ops variable that names it"):
        loaded("struct_ops/a", StructOpsProgram).attach()
    with pytest.raises(AttachError, match="cannot attach to many functions by BTF"):
        loaded("fentry.multi/vfs_*", Program).attach()
    assert kernel.names() == ["PROG_LOAD"] * 3


# -- settings ------------------------------------------------------------------


def test_settings_end_with_load(kernel: FakeKernel) -> None:
    program = opened("?xdp.frags", XdpProgram)
    assert (program.autoload, program.flags, program.autoattach) == (False, 32, True)
    program.autoload = True
    program.flags = 0
    program.log_level = 2
    program.attach_type = AttachType.XDP_CPUMAP
    assert (program.autoload, program.flags, program.log_level) == (True, 0, 2)
    assert program.attach_type == AttachType.XDP_CPUMAP
    program = loaded("xdp", XdpProgram)
    assert program.loaded
    with pytest.raises(StateError) as caught:
        program.autoload = False
    assert str(caught.value) == (
        "program 'prog': loaded already; set autoload between open() and load()"
    )
    program.close()
    assert not program.loaded
    with pytest.raises(ClosedError, match="destroyed already"):
        program.flags = 1
    assert not kernel.open


def test_a_program_can_be_pinned_and_unpinned(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    program = loaded("xdp", XdpProgram)
    first, second = tmp_path / "made/first", tmp_path / "second"
    program.pin(first)
    program.pin(str(second))
    assert [call.attr.bpf_fd for call in kernel.named("OBJ_PIN")] == [program.fd()] * 2
    first.touch()
    second.touch()
    program.unpin(second)
    assert not second.exists()
    program.unpin()
    assert not first.exists()
    program.unpin()


def test_names_of_programs_and_links_tell_their_state(kernel: FakeKernel) -> None:
    program = loaded("xdp", XdpProgram)
    assert repr(program) == "<XdpProgram 'prog' SEC(\"xdp\"): loaded>"
    link = program.attach(7)
    assert repr(link) == "<Link of program 'prog': attached>"
    link.destroy()
    assert repr(link).endswith(": destroyed>")
    assert (
        syscalls.Fd(kernel.named("LINK_CREATE")[0].attr.prog_fd).detach()
        == program.fd()
    )


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("type", -1, OverflowError, "type must be int in 0..4294967295 (u32), got -1"),
        ("flags", 1 << 32, OverflowError, "flags must be int in 0..4294967295"),
        ("attach_type", "x", TypeError, "attach_type must be int"),
        ("ifindex", -1, OverflowError, "ifindex must be int"),
        ("log_level", None, TypeError, "log_level must be int"),
        ("log_size", 5, OverflowError, "log_size must be 0 or 128..1073741823, got 5"),
        ("log_size", 1 << 30, OverflowError, "log_size must be 0 or 128..1073741823"),
        ("attach_target", 5, TypeError, "attach_target must be a str or None, got int"),
        ("attach_target", "", ValueError, "attach_target must be a name, got ''"),
        ("target_module", "a\0b", ValueError, "target_module must be a name"),
    ],
)
def test_settings_are_checked(
    name: str, value: object, error: type[Exception], text: str
) -> None:
    program = opened("fentry", TracingProgram)
    before = getattr(program, name)
    with pytest.raises(error) as caught:
        setattr(program, name, value)
    assert text in str(caught.value)
    assert str(caught.value).startswith(f"program 'prog': {name} ")
    assert getattr(program, name) == before
