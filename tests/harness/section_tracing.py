"""Programs of every ``SEC()`` name that traces, on what this process does itself."""

import contextlib
import ctypes
import os
import struct
import time
from pathlib import Path

from skelgen.runtime import Program
from skelgen.runtime.errors import BpfError
from skelgen.runtime.links.iter import IterLink
from skelgen.runtime.object.object import Object
from tests.harness.section_programs import Outcome, Stage

_SAMPLED_SECONDS = 10.0


def tracing() -> dict[str, Outcome]:
    """Return the outcomes of all programs of ``sections_tracing``."""
    # a program of another object has a function to replace, and is run by hand
    other = Stage("network", prepare=_xdp_alone)
    target = other.programs["xdp"]

    def aim(obj: Object) -> None:
        obj.programs["on_freplace"].set_attach_target("replaced", program=target)

    stage = Stage("tracing", prepare=aim)
    try:
        stage.attach_all()
        for key in ("usdt", "usdt.s"):
            stage.attach(key, "", lambda program: program.attach())
        for word in ("fentry", "fexit", "fsession"):
            for key in (f"{word}.multi", f"{word}.multi.s"):
                stage.attach(key, "", lambda program: program.attach())
        _act(stage, target)
        for key in ("iter", "iter.s"):
            link = stage.links.get(key)
            if isinstance(link, IterLink):
                link.read()
        stage.attach("syscall", "run()", _run)
        stage.attach(
            "perf_event",
            "attach(frequency=...)",
            lambda program: program.attach(frequency=1000, pid=0, cpu=-1),
        )
        until = time.monotonic() + _SAMPLED_SECONDS
        while not stage.hits("perf_event") and time.monotonic() < until:
            pass
        return stage.outcomes()
    finally:
        stage.close()
        other.close()


def _xdp_alone(obj: Object) -> None:
    for program in obj.programs.values():
        program.autoload = program.name == "on_xdp"


def _act(stage: Stage, target: Program) -> None:
    """Do what the programs trace."""
    os.getsid(os.getpid())
    os.getppid()
    Path("/dev/null").read_bytes()
    target.test_run(bytes(64))
    # which calls bpf_fentry_test1()
    for key in ("fentry.s", "fentry"):
        if stage.programs[key].loaded:
            with contextlib.suppress(BpfError):
                stage.programs[key].test_run()
            break


def _run(program: Program) -> None:
    program.test_run()


def struct_ops() -> dict[str, Outcome]:
    """Return the outcomes of all programs of ``sections_struct_ops``.

    The kernel calls these operations for whoever runs one of their programs by hand, and
    lets nobody attach them.
    """
    stage = Stage("struct_ops")
    try:
        for key in ("struct_ops", "struct_ops.s"):
            stage.attach(key, "run by hand, in a struct_ops variable", _run_operation)
        return stage.outcomes()
    finally:
        stage.close()


def _run_operation(program: Program) -> None:
    state = ctypes.c_int()  # struct bpf_dummy_ops_state
    program.test_run(ctx=struct.pack("=Q", ctypes.addressof(state)))
