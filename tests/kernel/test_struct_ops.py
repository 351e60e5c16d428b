"""TCP congestion controls from generated skeletons, with data that flows."""

import errno
import os
import shutil
import socket
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from skelgen.model.enums import Command
from skelgen.runtime.errors import BpfOSError, StateError
from tests.harness import privilege, sources
from tests.harness.faults import Interrupt, interrupt_after
from tests.harness.generating import loaded
from tests.harness.places import NetworkNamespace

AVAILABLE = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")
SIZE = 1 << 20


needs_links = privilege.needs_struct_ops_links


def generated(name: str) -> ModuleType:
    return loaded(sources.skeleton(name))


@pytest.fixture
def skel() -> Any:
    with generated("struct_ops_tcp").StructOpsTcp.open() as skeleton:
        yield skeleton


@pytest.fixture
def loopback(netns: NetworkNamespace) -> NetworkNamespace:
    if shutil.which("ip") is None:
        pytest.skip("needs the ip command (Debian package iproute2)")
    netns.run("ip link set lo up")
    return netns


def closed(skel: Any) -> int:
    """Return how many connections ended, after waiting for one."""
    end = time.monotonic() + 5
    while skel.bss.closed == 0 and time.monotonic() < end:
        time.sleep(0.01)
    count: int = skel.bss.closed
    return count


class Connection:
    """A TCP connection with itself, whose client has a congestion control."""

    def __init__(self, name: bytes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.client = socket.socket()
            try:
                option = socket.IPPROTO_TCP, socket.TCP_CONGESTION
                self.client.setsockopt(*option, name)
                self.client.connect(server.getsockname())
                self.name = self.client.getsockopt(*option, 16).rstrip(b"\0")
                self.peer, _ = server.accept()
            except BaseException:
                self.client.close()
                raise

    def send(self, data: bytes) -> bytes:
        """Send bytes, and return what arrives."""
        sender = threading.Thread(target=self.client.sendall, args=(data,))
        sender.start()
        arrived = bytearray()
        while len(arrived) < len(data):
            arrived += self.peer.recv(1 << 16)
        sender.join()
        return bytes(arrived)

    def close(self) -> None:
        self.client.close()
        self.peer.close()


def flow(name: bytes) -> bytes:
    """Send data through a new connection; return the congestion control it had."""
    connection = Connection(name)
    try:
        data = os.urandom(SIZE)
        assert connection.send(data) == data
    finally:
        connection.close()
    return connection.name


@needs_links
def test_data_flows(skel: Any, loopback: NetworkNamespace) -> None:
    one = skel.struct_ops.one
    assert (one.name, one.flags, one.cong_avoid) == (
        b"skelgen_one",
        0,
        skel.progs.count_first,
    )
    name = f"skelgen_{os.getpid()}".encode()
    one.name = name
    skel.load()
    with pytest.raises(FileNotFoundError):  # loaded, not registered
        loopback.call(flow, name)
    skel.attach()
    assert loopback.call(flow, name) == name
    assert (skel.bss.opened, closed(skel)) == (1, 1)
    assert skel.bss.first >= SIZE // 65536 // 2  # segments over lo have up to 64 KB
    assert skel.bss.second == 0
    assert name in AVAILABLE.read_bytes().split()
    assert b"skelgen_two" not in AVAILABLE.read_bytes().split()
    with pytest.raises(StateError, match="'one': read-only; assign before load"):
        one.name = b"again"
    skel.detach()
    assert name not in AVAILABLE.read_bytes().split()
    with pytest.raises(FileNotFoundError):
        loopback.call(flow, name)
    skel.attach()
    assert loopback.call(flow, name) == name
    assert skel.bss.opened == 2


@needs_links
def test_another_program_set_before_load_is_the_one_that_runs(
    skel: Any, loopback: NetworkNamespace
) -> None:
    one = skel.struct_ops.one
    one.cong_avoid = skel.progs.count_second
    one.init = None
    skel.load()
    skel.attach()
    assert loopback.call(flow, b"skelgen_one") == b"skelgen_one"
    assert (skel.bss.opened, closed(skel), skel.bss.first) == (0, 1, 0)
    assert skel.bss.second > 0
    # nothing uses them any more, so they are not in the kernel
    assert not skel.progs.on_init.loaded
    assert not skel.progs.count_first.loaded
    assert skel.progs.count_second.info().name == "count_second"


@needs_links
def test_flags_are_the_kernels(skel: Any, loopback: NetworkNamespace) -> None:
    """Without TCP_CONG_NON_RESTRICTED a process needs CAP_NET_ADMIN for it."""
    allowed = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
    skel.struct_ops.one.flags = 1  # TCP_CONG_NON_RESTRICTED
    skel.struct_ops.two.name = b"skelgen_closed"
    skel.maps.two.autocreate = True
    skel.load()
    skel.attach()
    names = loopback.call(allowed.read_bytes).split()
    assert b"skelgen_one" in names
    assert b"skelgen_closed" not in names
    assert loopback.call(flow, b"skelgen_closed") == b"skelgen_closed"


@needs_links
def test_one_is_put_in_place_of_another_and_its_programs_run(
    skel: Any, loopback: NetworkNamespace
) -> None:
    skel.maps.two.autocreate = True
    skel.maps.two.autoattach = False
    skel.struct_ops.two.name = skel.struct_ops.one.name  # the kernel wants that
    skel.load()
    skel.attach()
    link = skel.links.one
    assert loopback.call(flow, b"skelgen_one")
    before = skel.bss.first
    assert before > 0
    link.update_map(skel.maps.two, old=skel.maps.one)
    assert loopback.call(flow, b"skelgen_one") == b"skelgen_one"
    assert (skel.bss.first, skel.bss.opened) == (before, 1)
    assert skel.bss.second > 0
    with pytest.raises(BpfOSError) as caught:
        link.update_map(skel.maps.two, old=skel.maps.one)
    assert caught.value.errno == errno.EPERM
    (note,) = caught.value.__notes__  # and no word of rights
    assert note.startswith(f"what is in place has id {skel.maps.two.info().id}, and")


@needs_links
def test_value_sizes_are_the_objects_and_then_the_kernels(skel: Any) -> None:
    one = skel.maps.one
    for name in ("type", "key_size", "value_size", "max_entries"):
        with pytest.raises(TypeError, match=f"struct_ops 'one': its {name} is that of"):
            setattr(one, name, 2)
    declared = one.value_size
    assert declared == len(one.read()) > 0
    skel.load()
    assert one.value_size == one.info().value_size > declared
    assert len(one.loaded_value()) == one.value_size


@needs_links
def test_without_what_the_kernel_needs_attach_fails(skel: Any) -> None:
    skel.struct_ops.one.ssthresh = None
    skel.load()
    with pytest.raises(BpfOSError, match="struct_ops 'one'") as caught:
        skel.attach()
    assert caught.value.errno == errno.EINVAL
    assert skel.links.one is None


@privilege.needs_kfuncs
def test_without_a_link_it_is_registered_until_destroy(
    loopback: NetworkNamespace,
) -> None:
    """The example, in this process: registered by setting the map's value."""
    module = generated("tcp_congestion")
    with module.TcpCongestion.open() as skel:
        skel.rodata.limit = 4
        limited = skel.struct_ops.limited
        limited.name = b"skelgen_limited"
        limited.init = None
        skel.load()
        skel.attach()
        assert loopback.call(flow, b"skelgen_limited") == b"skelgen_limited"
        assert (skel.bss.connections, skel.bss.largest_window) == (0, 4)
        assert skel.bss.acknowledged > 0
        assert b"skelgen_limited" in AVAILABLE.read_bytes().split()
    assert b"skelgen_limited" not in AVAILABLE.read_bytes().split()


@privilege.needs_kfuncs
def test_an_interrupt_leaves_nothing_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is raised when the kernel has registered what would stay for good."""
    module = generated("tcp_congestion")
    with module.TcpCongestion.open() as skel:
        skel.struct_ops.limited.name = b"skelgen_stopped"
        skel.load()
        interrupt_after(monkeypatch, Command.MAP_UPDATE_ELEM)
        with pytest.raises(Interrupt):
            skel.attach()
        assert b"skelgen_stopped" not in AVAILABLE.read_bytes().split()
