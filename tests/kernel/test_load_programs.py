"""Programs of special kinds on the running kernel, and their settings."""

import errno
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import skelgen
from skelgen import runtime as rt
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.version import kernel_version
from tests.harness import privilege
from tests.harness.generating import loaded

Compile = Callable[[str], Path]
Make = Callable[[str], ModuleType]
PACKET = bytes(64)
XDP_DROP, XDP_PASS = 1, 2


def load_or_skip(skel: Any) -> None:
    try:
        skel.load()
    except rt.BpfOSError as error:
        # this kernel's policy: no fentry, fexit, freplace, whoever asks
        if error.errno == errno.EPERM:
            pytest.skip(f"this kernel refuses tracing programs: {error}")
        raise


# -- programs on programs --------------------------------------------------------


@pytest.fixture
def pair(make_skeleton: Make) -> Iterator[tuple[Any, Any]]:
    """Yield the target, loaded, and the same object again, opened without it."""
    skeleton = make_skeleton("prog_on_programs").ProgOnPrograms
    with skeleton.open_and_load() as target, skeleton.open() as other:
        other.progs.target.autoload = False
        yield target, other


def test_a_function_is_replaced(pair: tuple[Any, Any]) -> None:
    target, other = pair
    assert target.progs.target.test_run(PACKET).retval == XDP_PASS
    other.progs.drop.autoload = True
    other.progs.drop.target_program = target.progs.target
    load_or_skip(other)
    other.attach()
    assert target.progs.target.test_run(PACKET).retval == XDP_DROP
    other.detach()
    assert target.progs.target.test_run(PACKET).retval == XDP_PASS
    # the kernel has forgotten by now what it was loaded for
    assert other.attach()
    assert target.progs.target.test_run(PACKET).retval == XDP_DROP
    other.detach()
    assert target.progs.target.test_run(PACKET).retval == XDP_PASS


def test_a_program_is_traced(pair: tuple[Any, Any]) -> None:
    target, other = pair
    other.progs.enter.autoload = other.progs.leave.autoload = True
    other.progs.enter.target_program = target.progs.target
    other.progs.leave.set_attach_target("target", program=target.progs.target.fd())
    load_or_skip(other)
    info = other.progs.enter.info()
    assert bool(info.attach_btf_id) == privilege.kernel_at_least(5, 18)
    other.attach()
    target.progs.target.test_run(PACKET)
    target.progs.target.test_run(PACKET)
    assert (other.bss.entered, other.bss.left) == (2, 2 * XDP_PASS)


def test_a_function_that_the_program_has_not_is_refused(pair: tuple[Any, Any]) -> None:
    target, other = pair
    other.progs.drop.autoload = True
    other.progs.drop.set_attach_target("nothing", program=target.progs.target)
    with pytest.raises(rt.AttachError, match="has no function 'nothing'"):
        other.load()
    other.progs.drop.set_attach_target("verdict")
    with pytest.raises(rt.StateError, match="which program it replaces 'verdict' in"):
        other.load()


# -- functions -------------------------------------------------------------------


def test_global_functions_are_verified_one_by_one(compile_bpf: Compile) -> None:
    with skelgen.open_object(compile_bpf("subprogs"), log_level=2) as obj:
        obj.load()
        log = obj.programs["first"].log
        for name in ("global_one", "weak_one"):
            assert f"Validating {name}()" in log
        # static ones are looked at where they are called
        assert "Validating middle()" not in log
        assert "Validating leaf()" not in log


def needs_exceptions() -> None:
    if kernel_version() < 6 << 16 | 7 << 8:
        pytest.skip("exceptions came with Linux 6.7")


def test_an_exception_callback_gives_the_result_of_a_throw(
    compile_bpf: Compile,
) -> None:
    needs_exceptions()
    with skelgen.open_object(compile_bpf("subprogs_exception")) as obj:
        obj.load()
        program = obj.programs["guarded"]
        assert program.test_run(bytes(64)).retval == 64
        assert program.test_run(bytes(200)).retval == 201  # handler(200)


def test_arguments_with_tags_load_where_the_kernel_knows_them(
    compile_bpf: Compile,
) -> None:
    with skelgen.open_object(compile_bpf("subprogs_ctx")) as obj:
        if features.ARG_CTX_TAG.supported():
            obj.load()
            return
        # a tracepoint's context has no name that older kernels would know it by
        with pytest.raises(rt.VerifierError):
            obj.load()


def test_one_function_takes_contexts_of_several_types(compile_bpf: Compile) -> None:
    """One tagged function; before Linux 6.8 each program gets a prototype of its own."""
    with skelgen.open_object(compile_bpf("subprogs_ctx_types")) as obj:
        obj.load()
        for program in obj.programs.values():
            assert program.test_run(PACKET).retval == 1
        assert obj.sections[".bss"].read() == (111).to_bytes(4, sys.byteorder)


def test_sleepable_programs_are_loaded(compile_bpf: Compile) -> None:
    with skelgen.open_object(compile_bpf("prog_iter")) as obj:
        sleepable = [p for p in obj.programs.values() if p.flags & 1 << 4]
        assert sleepable
        obj.load()
        assert all(program.loaded for program in sleepable)


# -- called by user space --------------------------------------------------------


def test_a_syscall_program_runs_and_writes_its_arguments(compile_bpf: Compile) -> None:
    privilege.require('SEC("syscall")', features.program_type("syscall"))
    module = loaded(skelgen.generate(compile_bpf("prog_misc"), types=("args",)))
    with module.ProgMisc.open() as skel:
        skel.progs.sample.autoload = False
        skel.load()
        assert isinstance(skel.progs.add, rt.SyscallProgram)
        args = module.Args(in_=41)
        assert skel.progs.add.run(args) == 42
        assert args.out == 42
        raw = bytearray(16)
        skel.progs.add.run(raw)
        assert raw[8] == 1
        with pytest.raises(rt.BpfOSError):
            skel.progs.add.run(bytearray(1 << 16))


# -- settings --------------------------------------------------------------------


def test_settings_reach_the_kernel(compile_bpf: Compile) -> None:
    """Type and attach type are what is asked for, whatever the section says."""
    with skelgen.open_object(compile_bpf("prog_unknown")) as obj:
        program, *others = obj.programs.values()
        for other in others:
            other.autoload = False
        program.type = rt.ProgType.XDP
        program.attach_type = rt.AttachType.XDP
        program.flags = 1 << 3  # BPF_F_TEST_STATE_FREQ
        program.log_level = 4
        program.log_size = 128
        obj.load()
        assert program.info().type == rt.ProgType.XDP
        assert "processed" in program.log
        for name in ("type", "attach_type", "flags", "log_level", "ifindex"):
            with pytest.raises(rt.StateError, match=f"set {name} between"):
                setattr(program, name, 0)


@pytest.mark.parametrize(
    ("setting", "value"), [("flags", 1 << 31), ("ifindex", 9999), ("type", 9999)]
)
def test_what_the_kernel_refuses_fails_the_load_until_it_is_put_right(
    compile_bpf: Compile, setting: str, value: int
) -> None:
    with skelgen.open_object(compile_bpf("prog_xdp")) as obj:
        for program in obj.programs.values():
            program.autoload = False
        program = next(iter(obj.programs.values()))
        program.autoload = True
        setattr(program, setting, value)
        with pytest.raises(rt.BpfOSError) as caught:
            obj.load()
        assert caught.value.errno == errno.EINVAL
        setattr(program, setting, getattr(program.spec, setting, 0))
        obj.load()


def test_a_short_first_log_grows(compile_bpf: Compile) -> None:
    with skelgen.open_object(compile_bpf("long_program"), log_level=2) as obj:
        (program,) = obj.programs.values()
        program.log_size = 4096
        obj.load()
        assert len(program.log) > 4096
