"""Programs written with our headers, run by the kernel: the values that come out."""

import ctypes
import errno
import importlib.util
import os
import platform
import re
import struct
import sys

import pytest

import skelgen
from skelgen.btf import Kind
from skelgen.compiler import clang
from skelgen.model.enums import ProgType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import ClosedError
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.kernel import features
from tests.harness import privilege, sources

HEADERS = sources.DATA / "headers"

REG, DEREF, SIB, CONST = 1, 2, 3, 0
"""``enum __bpf_usdt_arg_type``"""

RDI, RSI, RDX = 112, 104, 96
"""Where ``struct pt_regs`` of x86-64 has the arguments of a function."""


def _compilers():
    """Return names of compilers: in a virtual machine none runs."""
    if os.environ.get("SKELGEN_VM") == "1":
        return ["pip"]
    from tests.harness.headers import COMPILERS

    return [*COMPILERS]


@pytest.fixture(scope="module", params=_compilers())
def module(tmp_path_factory, request):
    """Return the skeleton of run.bpf.c."""
    path = tmp_path_factory.mktemp("headers") / "headers_run_skel.py"
    path.write_text(_text(request.param, path.with_name("run.bpf.o")))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[path.stem]


def _text(compiler, output):
    if compiler == "pip":
        return sources.skeleton("headers/run")
    from tests.harness.headers import COMPILERS

    clang.compile_object(
        HEADERS / "run.bpf.c",
        output,
        options=clang.CompileOptions(cflags=(f"-I{HEADERS}",)),
        compiler=COMPILERS[compiler],
        cwd=sources.ROOT,
    )
    return skelgen.generate(output)


@pytest.fixture
def run(module):
    """Return a function that loads run.bpf.c with one of its programs alone."""
    opened = []

    def load(name, *, kfunc=None):
        if kfunc is not None and kernel_btf.vmlinux().find(kfunc, Kind.FUNC) is None:
            pytest.skip(f"this kernel has no {kfunc}()")
        skeleton = module.Run.open()
        opened.append(skeleton)
        if skeleton.object.programs[name].type is ProgType.SYSCALL:
            answer = features.program_type("syscall")
            privilege.require('SEC("syscall")', answer)
        for program in skeleton.object.programs.values():
            program.autoload = program.name == name
        skeleton.load()
        return skeleton

    yield load
    for skeleton in opened:
        skeleton.destroy()


def test_loops_run_as_often_as_they_say(run):
    skeleton = run("loops", kfunc="bpf_iter_num_new")
    assert skeleton.progs.loops.test_run().retval == 3  # left a loop by return
    assert skeleton.bss.sum == sum(range(0, 51, 2))
    assert skeleton.bss.repeats == 7
    assert skeleton.bss.each == sum(range(10, 15))


def test_loops_end_at_their_bound_or_when_the_kernel_ends_them(run):
    skeleton = run("enough", kfunc="bpf_arena_alloc_pages")  # of 6.9, like may_goto
    skeleton.progs.enough.test_run()
    assert skeleton.bss.early > 1000
    assert skeleton.bss.bounded == 1000


def test_bit_fields_are_read_and_written(run):
    skeleton = run("bits")
    skeleton.progs.bits.test_run()
    assert (skeleton.bss.ihl, skeleton.bss.version, skeleton.bss.tos) == (5, 4, 9)
    packet = skeleton.data.packet
    assert (packet.ihl, packet.version, packet.tos) == (15, 6, 9)
    assert packet.tot_len == 0x1234


def test_values_are_printed_and_put_in_network_byte_order(run):
    skeleton = run("print")
    skeleton.progs.print.test_run()
    text = b"-1 two 3 1099511627776 e"
    assert skeleton.bss.text == text
    assert skeleton.bss.printed == len(text) + 1
    assert skeleton.bss.network.to_bytes(4, sys.byteorder) == b"\1\2\3\4"


def test_streams_print_or_say_that_there_is_no_memory(run):
    skeleton = run("stream", kfunc="bpf_stream_vprintk_impl")
    skeleton.progs.stream.test_run()
    # The kernel allocates room for it without waiting, and may have none at hand.
    assert skeleton.bss.streamed in {0, -errno.ENOMEM}


def test_what_a_program_printed_is_read_once(run):
    skeleton = run("stream", kfunc="bpf_stream_vprintk_impl")
    program = skeleton.progs.stream
    out = program.stream("stdout")
    assert (out.read(), out.lines()) == (b"", [])
    printed = b"to stdout: 42" * times(3, program, skeleton)
    assert out.read(0) == b""
    assert out.read(5) + out.read(10) == printed[:15]
    assert out.read() == printed[15:]
    assert out.read() == b""
    assert program.stream("stderr").read() == b""
    many = times(3000, program, skeleton)  # more than is read at once
    assert "".join(out.lines()) == "to stdout: 42" * many
    with pytest.raises(ValueError, match="'stream': name must be stdout or stderr"):
        program.stream("stdin")
    with pytest.raises(ValueError, match="'stream': stdout: size must be 0 or more"):
        out.read(-1)
    skeleton.destroy()
    with pytest.raises(ClosedError, match="program 'stream': the object was destroyed"):
        out.read()


def times(count, program, skeleton):
    """Run a program and return how many times there was memory to print with."""
    done = 0
    for _ in range(count):
        program.test_run()
        done += skeleton.bss.streamed == 0
    return done


def test_streams_that_nobody_reads_fill_up(run):
    skeleton = run("stream", kfunc="bpf_stream_vprintk_impl")
    program, results = skeleton.progs.stream, set()
    for _ in range(10_000):
        program.test_run()
        results.add(skeleton.bss.streamed)
        if -errno.ENOSPC in results:
            break
    text = program.stream("stdout").read()
    assert text == b"to stdout: 42" * (len(text) // 13)
    assert len(text) <= 100_000
    if results <= {0, -errno.ENOSPC}:  # there was memory all the time
        assert len(text) > 90_000
        assert -errno.ENOSPC in results


def test_a_stack_names_the_functions_that_were_called(run):
    skeleton = run("stack", kfunc="bpf_stream_print_stack")
    program = skeleton.progs.stack
    assert program.test_run().retval == 0
    lines = program.stream("stderr").lines()
    if skeleton.bss.streamed == 0:
        assert lines.pop(0) == "a line"
    if not lines:
        pytest.skip("the kernel has no memory at hand to print a stack with")
    assert re.fullmatch(r"CPU: \d+ UID: 0 PID: \d+ Comm: .*", lines[0])
    assert lines[1] == "Call trace:"
    # below a function that has BTF is its line of source, indented
    functions = [line.partition("+")[0] for line in lines[2:] if line[:1] != " "]
    sources_of = [line for line in lines[2:] if line[:1] == " "]
    (inner,) = (name for name in functions if name.endswith("_where"))
    assert re.fullmatch(r"bpf_prog_[0-9a-f]{16}_where", inner)
    outer = f"bpf_prog_{program.info().tag}_stack"
    caller = functions.index("bpf_prog_test_run_syscall")
    assert functions.index(inner) < functions.index(outer) < caller
    assert "return bpf_stream_print_stack(stream); @ run.bpf.c:" in sources_of[0]
    assert "return where(2); @ run.bpf.c:" in sources_of[1]
    assert program.stream("stderr").read() == b""


def test_a_stack_for_no_stream_is_refused(run):
    program = run("no_stream", kfunc="bpf_stream_print_stack").progs.no_stream
    assert program.test_run().retval == 2**32 - errno.ENOENT


def argument(kind, size, *, signed, register=0, value=0, index=0, scale=0):
    """Return a ``struct __bpf_usdt_arg_spec``."""
    word = kind | index << 8 | scale << 20
    return struct.pack("=QIh?b", value % 2**64, word, register, signed, 64 - 8 * size)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="registers of x86-64")
def test_usdt_arguments_of_every_kind_are_read(run):
    privilege.require("attach cookies", features.BPF_COOKIE.answer())
    skeleton = run("arguments")
    memory = struct.pack("=16sbbhi", b"-7", -1, -2, 0x1234, -3)
    arguments = [
        argument(REG, 8, signed=False, register=RDI),
        argument(REG, 4, signed=True, register=RDX),
        argument(DEREF, 1, signed=True, register=RDI, value=17),
        # base + index * 2 + constant: the base of the conversion is 10
        argument(SIB, 2, signed=False, register=RDI, value=-2, index=RDX, scale=1),
        argument(CONST, 8, signed=False, value=2**63),
        argument(SIB, 4, signed=True, register=RDI, index=RDX, scale=0, value=10),
    ]
    spec = b"".join(arguments).ljust(12 * 16, b"\0") + struct.pack("=Qh6x", 77, 6)
    handle = skeleton.object.map("__bpf_usdt_specs")
    assert handle.value_size == len(spec)
    syscalls.map_update(handle.fd(), struct.pack("=i", 3), spec)

    libc = ctypes.CDLL(None)
    buffer = ctypes.create_string_buffer(memory)
    with skeleton.progs.arguments.attach("libc.so.6", "strtol", pid=0, cookie=3):
        assert libc.strtol(buffer, None, 10) == -7
    bss = skeleton.bss
    assert bss.count == 6
    assert bss.cookie == 77
    assert list(bss.sizes) == [8, 4, 1, 0, 0, 4]
    assert bss.got[0] == ctypes.addressof(buffer)
    assert bss.got[1] == 10
    assert bss.got[2] == -2
    assert bss.got[3] == 0x1234
    assert bss.got[4] == -(2**63)
    assert bss.got[5] == -3
