"""What is said where a cgroup, namespace, map or socket does not take a program."""

import errno
import os
import socket
from asyncio.trsock import TransportSocket
from pathlib import Path

import pytest

from skelgen.model.enums import AttachType, MapType
from skelgen.runtime import (
    CgroupProgram,
    NetnsProgram,
    SocketProgram,
    SockmapProgram,
    TcProgram,
    XdpProgram,
    syscalls,
)
from skelgen.runtime.errors import (
    AttachError,
    BpfError,
    BpfFileNotFoundError,
    BpfOSError,
    BpfPermissionError,
)
from skelgen.runtime.links.base import Link
from skelgen.runtime.programs.base import Program
from tests.harness import privilege
from tests.harness.places import BpfFileSystem, Cgroup, NetworkNamespace, cgroup2_mount
from tests.harness.programs import RETURN_0, RETURN_1, LoadProgram


def text_of(error: BaseException) -> str:
    return " | ".join([str(error), *getattr(error, "__notes__", ())])


# -- control groups ------------------------------------------------------------


@pytest.mark.parametrize("link", [True, False])
def test_what_is_no_cgroup_is_refused_with_the_mount_point(
    load: LoadProgram,
    tmp_path: Path,
    link: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    program = load("cgroup/connect4", CgroupProgram, insns=RETURN_1)
    mount = cgroup2_mount()
    # "the mount points are" where there are several, as in a virtual machine
    where = "the mount point" if mount else "none is mounted here"
    said = f"'{tmp_path}' is no control group of version 2; {where}"
    with pytest.raises(AttachError) as caught:
        program.attach(tmp_path, link=link)
    assert said in str(caught.value)
    assert str(mount or "mount -t cgroup2") in str(caught.value)
    fd = os.open(tmp_path, os.O_RDONLY)
    with syscalls.Fd(fd), pytest.raises(AttachError, match=f"fd {fd} is no control"):
        program.attach(fd, link=link)


def test_a_cgroup_of_version_1_is_refused(load: LoadProgram) -> None:
    lines = Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    mounts = [line.split()[4] for line in lines if " - cgroup " in line]
    if not mounts:
        pytest.skip("needs a cgroup file system of version 1, and none is mounted")
    program = load("cgroup/connect4", CgroupProgram, insns=RETURN_1)
    with pytest.raises(AttachError, match="is no control group of version 2"):
        program.attach(mounts[0])


def test_paths_that_are_not_there_are_refused_with_a_hint(
    load: LoadProgram, tmp_path: Path
) -> None:
    group = load("cgroup/connect4", CgroupProgram, insns=RETURN_1)
    lookup = load("sk_lookup", NetnsProgram, insns=RETURN_1)
    gone = str(tmp_path / "gone")
    for call in (lambda: group.attach(gone), lambda: lookup.attach(gone)):
        with pytest.raises(BpfFileNotFoundError) as caught:
            call()
        assert isinstance(caught.value, BpfError)
        assert gone in str(caught.value)
        assert caught.value.errno == errno.ENOENT
    mount = cgroup2_mount()
    if mount:
        with pytest.raises(BpfFileNotFoundError) as caught:
            group.attach("gone-" + tmp_path.name)  # not below the mount point
        (note,) = caught.value.__notes__
        assert "the mount point" in note
        assert f"{mount}" in note
    (tmp_path / "service").mkdir()
    with pytest.raises(BpfFileNotFoundError) as caught:
        group.attach(tmp_path / "servcie/")
    assert caught.value.__notes__[0].endswith("; did you mean 'service'?")
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(BpfOSError, match=r"file'.*ENOTDIR"):
        group.attach(file)
    for junk in (1.5, None, b"/x"):
        with pytest.raises(TypeError, match="cgroup must be str or a path"):
            group.attach(junk)
        with pytest.raises(TypeError, match="netns must be str or a path"):
            lookup.attach(junk)
    for name, call in (("cgroup", group.attach), ("netns", lookup.attach)):
        with pytest.raises(ValueError, match=f"{name} has a NUL in it"):
            call(f"{tmp_path}\0x")
        with pytest.raises(ValueError, match=f"{name} is empty"):
            call("")
        for number in (-1, 1 << 31):
            with pytest.raises(ValueError, match=f"{name} must be a file descriptor"):
                call(number)
        with pytest.raises(OverflowError, match=f"{name} must be int in"):
            call(1 << 64)
    with pytest.raises(OverflowError, match="flags must be"):
        group.attach(tmp_path, flags=1 << 32)


def test_a_program_that_wants_to_be_alone_keeps_others_out_and_is_named(
    cgroup: Cgroup, load: LoadProgram
) -> None:
    first = load("cgroup/connect4", CgroupProgram, insns=RETURN_1)
    second = load("cgroup/connect4", CgroupProgram, insns=RETURN_1)
    alone = first.attach(cgroup.path, link=False, flags=1)
    with pytest.raises(BpfPermissionError) as caught:
        second.attach(cgroup.path)
    text = text_of(caught.value)
    assert f"is attached to '{cgroup.path}' without BPF_F_ALLOW_MULTI" in text
    assert f"id {first.info().id}" in text
    assert "SELinux" not in text
    alone.destroy()
    second.attach(cgroup.path).destroy()


def test_what_took_its_place_stays(cgroup: Cgroup, load: LoadProgram) -> None:
    """With ``BPF_F_ALLOW_OVERRIDE`` the kernel detaches whichever is there."""
    first = load("cgroup/connect4", CgroupProgram, insns=RETURN_1)
    second = load("cgroup/connect4", CgroupProgram, insns=RETURN_1)
    mine = first.attach(cgroup.path, link=False, flags=1)
    other = second.attach(cgroup.path, link=False, flags=1)
    fd = os.open(cgroup.path, os.O_RDONLY | os.O_DIRECTORY)
    hook = AttachType.CGROUP_INET4_CONNECT
    with syscalls.Fd(fd):
        mine.destroy()
        assert syscalls.prog_query(fd, hook).prog_ids == (second.info().id,)
        other.destroy()
        assert not syscalls.prog_query(fd, hook).prog_ids


def test_a_link_whose_program_someone_took_off_can_be_destroyed(
    cgroup: Cgroup, load: LoadProgram
) -> None:
    program = load("cgroup/connect4", CgroupProgram, insns=RETURN_1)
    link = program.attach(cgroup.path, link=False)
    fd = os.open(cgroup.path, os.O_RDONLY | os.O_DIRECTORY)
    with syscalls.Fd(fd):
        syscalls.prog_detach(program.fd(), fd, AttachType.CGROUP_INET4_CONNECT)
    link.destroy()
    assert link.destroyed


@pytest.mark.parametrize("missing", ["nothing", "file", "file/below"])
def test_a_path_that_is_no_folder_is_an_error_that_says_where_they_are(
    load: LoadProgram, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / missing
    program = load("cgroup/connect4", CgroupProgram, insns=RETURN_1)
    with pytest.raises(BpfOSError, match="open: ") as caught:
        program.attach(path)
    assert "of version 2" in text_of(caught.value)
    if missing != "file":
        netns = load("sk_lookup", NetnsProgram, insns=RETURN_1)
        with pytest.raises(BpfOSError, match="open: ") as caught:
            netns.attach(path)
        assert "at /run/netns/NAME" in text_of(caught.value)


# -- revisions -----------------------------------------------------------------


def test_a_stale_revision_of_a_cgroup_is_refused(
    cgroup: Cgroup, load: LoadProgram
) -> None:
    hook = AttachType.CGROUP_INET_EGRESS
    first = load("cgroup_skb/egress", CgroupProgram, insns=RETURN_1)
    second = load("cgroup_skb/egress", CgroupProgram, insns=RETURN_1)
    fd = os.open(cgroup.path, os.O_RDONLY | os.O_DIRECTORY)
    with syscalls.Fd(fd), first.attach(cgroup.path):
        revision = syscalls.prog_query(fd, hook).revision
        if not revision:
            pytest.skip("needs revisions of cgroups, Linux 6.16")
        with second.attach(cgroup.path, expected_revision=revision):
            now = syscalls.prog_query(fd, hook).revision
            assert now > revision
        with pytest.raises(BpfOSError, match="ESTALE") as caught:
            second.attach(cgroup.path, expected_revision=revision)
        assert "has changed since expected_revision was read" in text_of(caught.value)


# -- network namespaces --------------------------------------------------------


def test_what_is_no_network_namespace_is_said_not_to_be_one(
    load: LoadProgram, tmp_path: Path
) -> None:
    program = load("sk_lookup", NetnsProgram, insns=RETURN_1)
    file = tmp_path / "file"
    file.touch()
    for path in (file, "/proc/self/ns/uts", tmp_path):
        with pytest.raises(BpfOSError) as caught:
            program.attach(path)
        assert "that is no network namespace" in text_of(caught.value)
        assert str(path) in str(caught.value)


def test_a_second_flow_dissector_is_refused(
    netns: NetworkNamespace, load: LoadProgram
) -> None:
    program = load("flow_dissector", NetnsProgram, insns=RETURN_0)
    with netns.call(program.attach), pytest.raises(BpfOSError) as caught:
        netns.call(program.attach)
    if caught.value.errno == errno.EEXIST:
        assert "attached already" in text_of(caught.value)


# -- maps and sockets ----------------------------------------------------------


def test_a_map_of_another_type_is_refused_with_the_types_that_fit(
    load: LoadProgram,
) -> None:
    program = load("sk_msg", SockmapProgram, insns=RETURN_1)
    fd = syscalls.map_create(
        type=MapType.ARRAY, key_size=4, value_size=4, max_entries=1
    )
    with syscalls.Fd(fd), pytest.raises(BpfOSError) as caught:
        program.attach(fd)
    assert "of type ARRAY; it takes SOCKMAP, SOCKHASH" in text_of(caught.value)
    with pytest.raises(BpfOSError) as caught:
        program.attach(program)
    assert "is no map" in text_of(caught.value)
    number = program.fd()
    with pytest.raises(ValueError, match=f"map: fd {number} is a program, not a map"):
        program.attach(number)
    with pytest.raises(TypeError, match="map must be HasFd or int"):
        program.attach("map")


def test_a_socket_given_as_something_else_is_refused(load: LoadProgram) -> None:
    program = load("socket", SocketProgram, insns=RETURN_1)
    with pytest.raises(TypeError, match=r"got int; of an fd make one: socket\.socket"):
        program.attach(7)
    with pytest.raises(TypeError, match=r"must be a socket\.socket, got str"):
        program.attach("7")
    closed = socket.socket()
    closed.close()
    with pytest.raises(BpfOSError, match="EBADF"):
        program.attach(closed)


def test_a_reuseport_program_wants_a_group(load: LoadProgram) -> None:
    program = load("sk_reuseport", SocketProgram, insns=RETURN_1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with pytest.raises(BpfOSError) as caught:
            program.attach(sock)
        assert "SO_REUSEPORT before it is bound" in text_of(caught.value)


def test_a_socket_of_another_class_takes_a_program_all_the_same(
    load: LoadProgram,
) -> None:
    """As asyncio hands them out: no weak references, and a program all the same."""
    drop = load("socket", SocketProgram, insns=RETURN_0)
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        receiver.settimeout(0.05)
        with drop.attach(TransportSocket(receiver)):
            sender.send(b"dropped")
            with pytest.raises(TimeoutError):
                receiver.recv(16)
        sender.send(b"comes")
        assert receiver.recv(16) == b"comes"


def test_the_filter_that_came_later_stays(load: LoadProgram) -> None:
    keep = load("socket", SocketProgram, insns=RETURN_1)
    drop = load("socket", SocketProgram, insns=RETURN_0)
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        receiver.settimeout(0.05)
        first = keep.attach(receiver)
        second = drop.attach(receiver)
        first.destroy()
        sender.send(b"dropped")
        with pytest.raises(TimeoutError):
            receiver.recv(16)
        second.destroy()
        sender.send(b"comes")
        assert receiver.recv(16) == b"comes"


# -- updates, pins, packets ----------------------------------------------------


def test_a_path_that_is_no_bpffs_is_refused_and_nothing_is_made(
    load: LoadProgram, tmp_path: Path
) -> None:
    program = load("xdp", XdpProgram)
    with pytest.raises(BpfPermissionError) as caught:
        program.pin(tmp_path / "new" / "x")
    assert f"'{tmp_path / 'new'}' is not on a bpffs" in text_of(caught.value)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(BpfPermissionError) as opened:
        Link.from_pin(tmp_path / "file")
    assert "is not on a bpffs" in text_of(opened.value)


def test_a_nul_pins_nothing(
    veth: NetworkNamespace, load: LoadProgram, bpffs: BpfFileSystem
) -> None:
    program = load("xdp", XdpProgram)
    with veth.call(program.attach, "veth1") as link:
        for pin in (program.pin, link.pin, program.unpin):
            with pytest.raises(ValueError, match="path has a NUL in it"):
                pin(bpffs.path / "a\0b")
        with pytest.raises(ValueError, match="NUL"):
            syscalls.obj_pin(program.fd(), bpffs.path / "a\0b")
        for pin in (program.pin, link.pin, program.unpin):
            with pytest.raises(TypeError, match="path must be str or a path"):
                pin(5)
        with pytest.raises(ValueError, match="path is empty"):
            link.pin("")
    assert {path.name for path in bpffs.path.iterdir()} <= {
        "maps.debug",
        "progs.debug",
    }
    with pytest.raises(BpfFileNotFoundError, match=r"program 'prog' at '.*/none'"):
        program.unpin(bpffs.path / "none")


def test_a_pin_of_something_else_is_refused_as_a_link(
    load: LoadProgram, bpffs: BpfFileSystem
) -> None:
    """The kernel would tell the program's information in the form of a link's."""
    program = load("xdp", XdpProgram)
    program.pin(bpffs.path / "program")
    with pytest.raises(BpfError, match=r"a program is pinned at '.*/program', and no"):
        Link.from_pin(bpffs.path / "program")


def test_an_fd_is_told_to_be_a_program_or_a_map_or_a_link(
    veth: NetworkNamespace, load: LoadProgram, bpffs: BpfFileSystem
) -> None:
    program = load("xdp", XdpProgram)
    assert syscalls.fd_kind(program.fd()) == "program"
    assert syscalls.fd_kind(bpffs.fd) is None
    assert syscalls.fd_kind(1 << 20) is None
    fd = syscalls.map_create(
        type=MapType.ARRAY, key_size=4, value_size=4, max_entries=1
    )
    with syscalls.Fd(fd):
        assert syscalls.fd_kind(fd) == "map"
    with veth.call(program.attach, "veth1") as link:
        assert syscalls.fd_kind(link.fd()) == "link"
        link.pin(bpffs.path / "link")
        with Link.from_pin(bpffs.path / "link") as again:
            assert syscalls.fd_kind(again.fd()) == "link"
            assert again.info().id == link.info().id


@pytest.mark.parametrize("family", [TcProgram, XdpProgram])
def test_a_packet_that_is_too_short_is_refused_with_the_length_it_needs(
    load: LoadProgram, family: type[Program]
) -> None:
    if family is XdpProgram and not privilege.kernel_at_least(5, 18):
        pytest.skip("XDP programs are run with any packet before Linux 5.18")
    program = load("xdp" if family is XdpProgram else "tc", family)
    for data in (None, b"", bytes(13)):
        with pytest.raises(BpfOSError) as caught:
            program.test_run(data)
        assert "a packet has 14 bytes or more" in text_of(caught.value)
        assert f"data has {len(data or b'')}" in text_of(caught.value)
    assert program.test_run(bytes(14)).retval == 0
