"""Every system call of attaching and detaching fails: all links or none."""

import contextlib
import errno
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from skelgen.model.enums import ProgType
from skelgen.runtime import (
    CgroupProgram,
    NetfilterProgram,
    NetnsProgram,
    PerfEventProgram,
    Program,
    TcProgram,
    XdpProgram,
)
from skelgen.runtime.errors import BpfError, BpfOSError
from skelgen.runtime.links.base import Link
from skelgen.runtime.object.object import Object
from tests.harness import leaks
from tests.harness.fault_checks import INTERRUPTS, Opener, Traces, check_error, failures
from tests.harness.faults import ERRORS, GIVES_BACK, Failure, faults
from tests.harness.masked_kernel import masked
from tests.harness.places import Cgroup, NetworkNamespace
from tests.harness.programs import RETURN_1, loaded

pytestmark = pytest.mark.any_kernel
TRACING = ("bootstrap", "prog_raw_tracepoint", "prog_tracepoint")
OPERATIONS = ("struct_ops", "struct_ops_link", "struct_ops_shadow", "struct_ops_tcp")
ATTACHED = (
    *((name, "") for name in (*TRACING, *OPERATIONS, "prog_iter")),
    ("bootstrap", "perf_links"),
    ("prog_tracepoint", "perf_links"),
)


def two_programs(obj: Object) -> None:
    """Leave out more tracing programs than two, as each takes its time to detach."""
    tracing = [p for p in obj.programs.values() if p.type != ProgType.STRUCT_OPS]
    for program in tracing[2:]:
        program.autoload = False


@pytest.mark.parametrize(("name", "lacking"), ATTACHED)
def test_an_attach_that_fails_leaves_no_link(
    fixture: Opener, pins: Path, name: str, lacking: str
) -> None:
    """All links of an object or none."""
    open_fixture = fixture(name)
    before = Traces(pins)
    with masked(*((lacking,) if lacking else ())):
        for number in itertools.count():
            fired = False
            for failure in (ERRORS[number % len(ERRORS)], INTERRUPTS[number % 2]):
                # of its own, as a struct_ops map without a link is registered once
                with open_fixture() as obj:
                    two_programs(obj)
                    obj.load()
                    traces = Traces(pins)
                    try:
                        with faults(number, failure) as fault:
                            obj.attach()
                    except (BpfError, KeyboardInterrupt, MemoryError) as error:
                        check_error(error, failure, fault)
                        assert not obj.links
                    else:
                        obj.detach()
                    fired |= fault.failed is not None
                    traces.check()
            if not fired:
                break
    before.check_kernel()


@pytest.mark.parametrize(("name", "lacking"), ATTACHED)
@pytest.mark.parametrize("failure", [errno.ENOMEM, KeyboardInterrupt])
def test_a_detach_that_fails_still_destroys_every_link(
    fixture: Opener, pins: Path, name: str, lacking: str, failure: Failure
) -> None:
    """Every link is destroyed, also where one says that it cannot be."""
    open_fixture = fixture(name)
    before = Traces(pins)
    names = tuple(GIVES_BACK - {"close", "munmap"})
    with masked(*((lacking,) if lacking else ())):
        for call in ("detach", "destroy"):
            with open_fixture() as obj:
                two_programs(obj)
                obj.load()
                obj.attach()
                links = obj.links.values()
                with (
                    faults(0, failure, names=names) as fault,
                    contextlib.suppress(BpfError, KeyboardInterrupt),
                ):
                    getattr(obj, call)()
                assert fault.failed or lacking != "perf_links"
                assert all(link.destroyed for link in links)
            before.check()
    before.check_kernel()


class Places(NamedTuple):
    """Where to attach to."""

    netns: NetworkNamespace
    cgroup: Cgroup


WAYS: dict[str, tuple[str, type[Program], Callable[[Any, Places], Link]]] = {
    "xdp": ("xdp", XdpProgram, lambda p, at: at.netns.call(p.attach, "veth0")),
    "xdp netlink": (
        "xdp",
        XdpProgram,
        lambda p, at: at.netns.call(p.attach, "veth0", link=False),
    ),
    "tcx": ("tcx/ingress", TcProgram, lambda p, at: at.netns.call(p.attach, "veth0")),
    "tc filter": (
        "tc",
        TcProgram,
        lambda p, at: at.netns.call(p.attach, "veth0", direction="ingress", link=False),
    ),
    "cgroup": (
        "cgroup_skb/egress",
        CgroupProgram,
        lambda p, at: p.attach(at.cgroup.path),
    ),
    "cgroup no link": (
        "cgroup_skb/egress",
        CgroupProgram,
        lambda p, at: p.attach(at.cgroup.path, link=False),
    ),
    "netns": ("sk_lookup", NetnsProgram, lambda p, at: p.attach(at.netns.fd)),
    "netfilter": (
        "netfilter",
        NetfilterProgram,
        lambda p, at: at.netns.call(p.attach, "ipv4", "output"),
    ),
    "perf event": ("perf_event", PerfEventProgram, lambda p, _: p.attach(frequency=1)),
}


def take_off(veth: NetworkNamespace, error: str) -> None:
    """Take off what skelgen cannot, as it cannot ask either whether it is there."""
    if "RTM_SETLINK" in error:
        veth.run("ip link set dev veth0 xdp off")
    elif "RTM_NEWTFILTER" in error:
        veth.run("tc filter del dev veth0 ingress")


def load_attachable(way: str, places: Places) -> Program:
    """Return a program that this kernel attaches so, loaded."""
    section, cls, attach = WAYS[way]
    program = None
    try:
        program = loaded(section, cls, insns=RETURN_1)
        attach(program, places).destroy()
    except BpfOSError as error:
        if program is not None:
            program.close()
        if error.errno in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOENT}:
            pytest.skip(f"this kernel cannot: {error}")
        raise
    return program


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.replace(" ", "-"))
def test_one_attach_that_fails_leaves_nothing_in_the_way(
    veth: NetworkNamespace, cgroup: Cgroup, pins: Path, way: str
) -> None:
    attach = WAYS[way][2]
    places = Places(veth, cgroup)
    whole = leaks.LeakCheck()
    program = load_attachable(way, places)
    traces = Traces(pins)
    for number in itertools.count():
        fired = False
        for failure, lasting in failures(number):
            try:
                with faults(number, failure, lasting=lasting) as fault:
                    link = attach(program, places)
            except (BpfError, OSError, KeyboardInterrupt, MemoryError) as error:
                if fault.failed != "open":  # which raises OSError as everywhere
                    check_error(error, failure, fault)
                if lasting and fault.failed == "read":
                    take_off(veth, str(error))
                traces.check()
            else:
                link.destroy()
            fired |= fault.failed is not None
            traces.check()
        if not fired:
            break
    attach(program, places).destroy()  # nothing is in the way
    program.close()
    assert not whole.check()
