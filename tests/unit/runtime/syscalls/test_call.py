"""Errors, interruptions and file descriptors of the low-level API."""

import errno
import gc
import os
import pickle
import signal
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen.model.enums import MapType, ProgType
from skelgen.model.flags import BPF_F_ALL_CPUS, BPF_F_CPU
from skelgen.runtime import syscalls
from skelgen.runtime.errors import (
    BpfError,
    BpfFileExistsError,
    BpfFileNotFoundError,
    BpfOSError,
    BpfPermissionError,
    ClosedError,
    MapFullError,
    NotSupportedError,
    StateError,
    VerifierError,
    os_error,
)
from skelgen.runtime.syscalls import rights
from skelgen.runtime.syscalls.sizes import possible_cpus
from tests.harness.commands import Command
from tests.harness.fake_kernel import FIRST_FD, Call, FakeKernel, map_info

RETURN_0 = bytes.fromhex("b7000000000000009500000000000000")


def make_map() -> int:
    return syscalls.map_create(
        type=MapType.ARRAY, key_size=4, value_size=4, max_entries=1, name="counts"
    )


def load(log: bytearray | None = None) -> int:
    return syscalls.prog_load(
        type=ProgType.XDP,
        insns=RETURN_0,
        license="GPL",
        name="prog",
        log_level=1 if log else 0,
        log_buf=log,
    )


# -- errors --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "cls", "builtin"),
    [
        (errno.EPERM, BpfPermissionError, PermissionError),
        (errno.EACCES, BpfPermissionError, PermissionError),
        (errno.ENOENT, BpfFileNotFoundError, FileNotFoundError),
        (errno.EEXIST, BpfFileExistsError, FileExistsError),
        (errno.EINVAL, BpfOSError, OSError),
    ],
)
def test_a_failure_is_also_the_builtin_error(
    kernel: FakeKernel,
    number: int,
    cls: type[BpfOSError],
    builtin: type[OSError],
) -> None:
    kernel.then("MAP_CREATE", -number)
    with pytest.raises(builtin) as caught:
        make_map()
    error = caught.value
    assert type(error) is cls
    assert isinstance(error, BpfError)
    assert (error.errno, error.command, error.what) == (
        number,
        "BPF_MAP_CREATE",
        "map 'counts'",
    )


def test_the_text_says_what_was_done_to_what(kernel: FakeKernel) -> None:
    kernel.then("MAP_CREATE", -errno.EINVAL)
    with pytest.raises(BpfOSError) as caught:
        make_map()
    assert str(caught.value) == (
        "map 'counts': BPF_MAP_CREATE: invalid argument (EINVAL)"
    )


def test_every_error_survives_pickling() -> None:
    errors: list[BpfOSError] = [
        os_error(errno.EPERM, command="BPF_PROG_LOAD", what="program 'x'"),
        MapFullError(errno.E2BIG, "the map is full", what="map 'm'"),
        NotSupportedError("no such thing", feature="a thing", since="5.15"),
        VerifierError(errno.EACCES, "R0 !read_ok", program="p", log="log"),
    ]
    for error in errors:
        error.add_note("hint")
        again = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own)
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.__dict__ == error.__dict__
        assert again.errno == error.errno


def test_texts_of_special_errors_name_the_program() -> None:
    missing = NotSupportedError("this kernel has no x", since="6.6", what="program 'p'")
    assert str(missing) == "program 'p': this kernel has no x (Linux 6.6 has it)"
    assert missing.errno == errno.EOPNOTSUPP
    refused = VerifierError(errno.EINVAL, "R0 !read_ok", program="p")
    assert str(refused) == "program 'p': R0 !read_ok"


def test_eperm_asks_why_and_others_do_not(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def explain(command: str, prog_type: int | None = None) -> list[str]:
        asked.append((command, prog_type))
        return ["because"]

    monkeypatch.setattr(rights, "explain", explain)
    kernel.then("PROG_LOAD", -errno.EPERM, -errno.EACCES)
    with pytest.raises(PermissionError) as caught:
        load()
    assert caught.value.__notes__ == ["because"]
    with pytest.raises(PermissionError) as caught:
        load()
    assert not hasattr(caught.value, "__notes__")
    assert asked == [("BPF_PROG_LOAD", ProgType.XDP)]


# -- interruptions -------------------------------------------------------------


def test_an_interrupted_call_is_made_again(kernel: FakeKernel) -> None:
    kernel.then("MAP_CREATE", -errno.EINTR, -errno.EINTR)
    assert make_map() > FIRST_FD
    assert len(kernel.named("MAP_CREATE")) == 3


def test_a_program_is_loaded_up_to_five_times_on_eagain(kernel: FakeKernel) -> None:
    kernel.then("PROG_LOAD", *[-errno.EAGAIN] * 4)
    assert load() > FIRST_FD
    assert len(kernel.named("PROG_LOAD")) == 5
    kernel.then("PROG_LOAD", *[-errno.EAGAIN] * 9)
    with pytest.raises(BpfOSError, match="EAGAIN"):
        load()
    assert len(kernel.named("PROG_LOAD")) == 10


def test_signals_wait_for_the_last_try_of_a_load(kernel: FakeKernel) -> None:
    blocked: list[int] = []

    def refuse(_: Call) -> int:
        blocked.append(len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))
        return -errno.EAGAIN

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    kernel.always("PROG_LOAD", refuse)
    with pytest.raises(BpfOSError, match="EAGAIN"):
        load()
    assert blocked[:4] == [len(before)] * 4
    assert blocked[4] > 20
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_the_log_is_written_into_the_buffer(kernel: FakeKernel) -> None:
    def refuse(call: Call) -> int:
        call.fill("log_buf", b"R0 !read_ok\0")
        return -errno.EINVAL

    log = bytearray(64)
    kernel.then("PROG_LOAD", refuse)
    with pytest.raises(BpfOSError):
        load(log)
    assert log.rstrip(b"\0") == b"R0 !read_ok"


# -- file descriptors ----------------------------------------------------------


def test_fds_of_the_standard_streams_are_not_used(kernel: FakeKernel) -> None:
    kernel.then("MAP_CREATE", 1)
    kernel.then("close", 0)
    fd = make_map()
    (moved,) = kernel.named("fcntl")
    assert moved.args[:3] == (1, 1030, 3)  # F_DUPFD_CLOEXEC, from 3 on
    assert fd > FIRST_FD
    assert kernel.named("close")[0].args[0] == 1


def test_moving_an_fd_can_fail_and_loses_nothing(kernel: FakeKernel) -> None:
    kernel.then("MAP_CREATE", 0)
    kernel.then("fcntl", -errno.EMFILE)
    kernel.then("close", 0)
    with pytest.raises(BpfOSError, match="EMFILE"):
        make_map()
    assert kernel.named("close")[0].args[0] == 0


def test_closing_twice_is_an_error_of_the_caller(kernel: FakeKernel) -> None:
    fd = make_map()
    syscalls.close(fd)
    with pytest.raises(BpfOSError, match=rf"fd {fd}: close: .*EBADF"):
        syscalls.close(fd)


def test_an_interrupted_close_is_done(kernel: FakeKernel) -> None:
    kernel.then("close", -errno.EINTR)
    syscalls.close(make_map())
    assert len(kernel.named("close")) == 1


def test_an_owner_closes_once(kernel: FakeKernel) -> None:
    number = make_map()
    fd = syscalls.Fd(number)
    assert fd.fileno() == number
    fd.close()
    fd.close()
    assert fd.closed
    assert not kernel.open
    with pytest.raises(ClosedError, match="closed already"):
        fd.fileno()
    assert issubclass(ClosedError, StateError)


def test_an_owner_that_is_dropped_closes(kernel: FakeKernel) -> None:
    fd = syscalls.Fd(make_map())
    assert kernel.open
    del fd
    gc.collect()
    assert not kernel.open


def test_an_owner_can_give_away(kernel: FakeKernel) -> None:
    with syscalls.Fd(make_map()) as fd:
        number = fd.detach()
    assert kernel.open == {number}


def test_the_real_seam_moves_fds_and_reports_errno() -> None:
    assert syscalls.raw(10**6) == (-1, errno.ENOSYS)
    with Path(os.devnull).open("rb") as null:
        fd = syscalls.dup(null.fileno())
        assert fd > 2
        assert not os.get_inheritable(fd)
        syscalls.close(fd)


# -- single commands -----------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("MAP_LOOKUP_ELEM", lambda: syscalls.map_lookup(5, b"k", bytearray(4))),
        ("MAP_DELETE_ELEM", lambda: syscalls.map_delete(5, b"k")),
        ("MAP_GET_NEXT_KEY", lambda: syscalls.map_next_key(5, None, bytearray(4))),
        (
            "MAP_LOOKUP_AND_DELETE_ELEM",
            lambda: syscalls.map_lookup_and_delete(5, b"k", bytearray(4)),
        ),
    ],
)
def test_what_is_not_in_a_map_is_false(
    kernel: FakeKernel, name: str, action: object
) -> None:
    assert callable(action)
    kernel.then(name, -errno.ENOENT, -errno.EFAULT)
    assert action() is False
    with pytest.raises(BpfOSError, match=f"BPF_{name}: bad address"):
        action()
    assert action() is True


def test_ids_end_and_objects_vanish(kernel: FakeKernel) -> None:
    def following(call: Call) -> int:
        call.answer("next_id", call.attr.start_id + 1)
        return 0

    kernel.then("PROG_GET_NEXT_ID", following, -errno.ENOENT)
    assert syscalls.get_next_id("prog", 41) == 42
    assert syscalls.get_next_id("prog", 42) is None
    kernel.then("BTF_GET_FD_BY_ID", -errno.ENOENT)
    with pytest.raises(FileNotFoundError, match="btf id 7"):
        syscalls.get_fd_by_id("btf", 7)


def test_a_batch_that_fails_says_how_far_it_came(kernel: FakeKernel) -> None:
    def full(call: Call) -> int:
        call.answer("count", 3)
        return -errno.E2BIG

    kernel.then("MAP_UPDATE_BATCH", full)
    with pytest.raises(BpfOSError) as caught:
        syscalls.map_update_batch(5, bytes(40), bytes(40), 10, what="map 'm'")
    assert caught.value.__notes__ == ["3 of 10 elements were done before it"]


def test_a_batch_lookup_ends_with_enoent(kernel: FakeKernel) -> None:
    def some(call: Call) -> int:
        call.answer("count", 2)
        call.fill("keys", struct.pack("=2I", 8, 9))
        return -errno.ENOENT

    keys, values, position = bytearray(8), bytearray(8), bytearray(4)
    kernel.then("MAP_LOOKUP_BATCH", some)
    found = syscalls.map_lookup_batch(5, None, position, keys, values, 2)
    assert found == (2, True)
    assert struct.unpack("=2I", keys) == (8, 9)


_SHORT = bytearray(3)
_LONG = bytearray(64)


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (lambda: syscalls.map_lookup(5, _SHORT, _LONG), "key has 3 bytes.* copies 4"),
        (lambda: syscalls.map_lookup(5, _LONG, _SHORT), "value has 3 bytes.* copies 8"),
        (lambda: syscalls.map_update(5, _SHORT, _LONG), "key has 3"),
        (lambda: syscalls.map_update(5, None, _SHORT), "value has 3"),
        (lambda: syscalls.map_delete(5, _SHORT), "key has 3"),
        (lambda: syscalls.map_next_key(5, _SHORT, _LONG), "key has 3"),
        (lambda: syscalls.map_next_key(5, None, _SHORT), "the next key has 3"),
        (lambda: syscalls.map_lookup_and_delete(5, _SHORT, _LONG), "key has 3"),
        (lambda: syscalls.map_lookup_and_delete(5, None, _SHORT), "value has 3"),
        (
            lambda: syscalls.map_lookup_batch(5, None, _LONG, _LONG, _LONG, 9),
            "the buffer of 9 values has 64 bytes, and the kernel copies 72",
        ),
        (
            lambda: syscalls.map_lookup_batch(5, None, _LONG, _SHORT, _LONG, 1),
            "the buffer of 1 keys has 3",
        ),
        (
            lambda: syscalls.map_lookup_batch(5, None, _SHORT, _LONG, _LONG, 1),
            "the next position has 3",
        ),
        (
            lambda: syscalls.map_lookup_batch(5, _SHORT, _LONG, _LONG, _LONG, 1),
            "the position has 3",
        ),
        (
            lambda: syscalls.map_update_batch(5, _LONG, _SHORT, 1),
            "the buffer of 1 values has 3",
        ),
        (
            lambda: syscalls.map_update_batch(5, _SHORT, _LONG, 1),
            "the buffer of 1 keys has 3",
        ),
        (
            lambda: syscalls.map_delete_batch(5, _LONG, 17),
            "the buffer of 17 keys has 64 .* 68",
        ),
    ],
)
def test_no_buffer_is_shorter_than_what_the_kernel_copies(
    kernel: FakeKernel, action: Callable[[], object], text: str
) -> None:
    kernel.always("OBJ_GET_INFO_BY_FD", map_info(MapType.HASH, 4, 8))
    with pytest.raises(ValueError, match=f"map fd 5: {text}"):
        action()
    assert kernel.names() == ["OBJ_GET_INFO_BY_FD"]


@pytest.mark.parametrize("flags", [BPF_F_CPU | 1 << 32, BPF_F_ALL_CPUS])
def test_a_value_of_one_cpu_has_its_own_size(kernel: FakeKernel, flags: int) -> None:
    """The written value is padded: kernels before 7.0 copy all before they refuse it."""
    kernel.always("OBJ_GET_INFO_BY_FD", map_info(MapType.PERCPU_HASH, 4, 5))
    key, short, out, one = bytes(4), bytearray(4), bytearray(16), bytearray(5)
    whole = 8 * possible_cpus()
    for action in (
        lambda: syscalls.map_update(5, key, short, flags),
        lambda: syscalls.map_lookup(5, key, short, flags),
        lambda: syscalls.map_lookup_and_delete(5, key, one, flags),
        lambda: syscalls.map_update_batch(5, key * 2, out[:9], 2, elem_flags=flags),
        lambda: syscalls.map_lookup_batch(
            5, None, out, out, out[:9], 2, elem_flags=flags
        ),
        lambda: syscalls.map_lookup_batch(
            5, None, out, out, out[:10], 2, elem_flags=flags, delete=True
        ),
    ):
        with pytest.raises(ValueError, match="and the kernel copies"):
            action()
    seen: list[bytes] = []

    def update(call: Call) -> int:
        seen.append(call.memory("value", whole))
        return 0

    kernel.then("MAP_UPDATE_ELEM", update)
    syscalls.map_update(5, key, b"12345", flags)
    assert seen == [b"12345".ljust(whole, b"\0")]
    syscalls.map_lookup(5, key, one, flags)
    syscalls.map_update_batch(5, key * 2, out[:10], 2, elem_flags=flags)
    syscalls.map_lookup_batch(5, None, out, out, out[:10], 2, elem_flags=flags)
    with pytest.raises(TypeError, match="map fd 5: flags must be int, got str"):
        syscalls.map_lookup(5, key, one, "8")  # type: ignore[arg-type] # on purpose


def test_every_command_of_the_kernel_has_a_function(kernel: FakeKernel) -> None:
    out = bytearray(8)
    syscalls.map_lookup_batch(5, None, out, out, out, 1)
    syscalls.map_lookup_batch(5, None, out, out, out, 1, delete=True)
    syscalls.map_update_batch(5, b"k", b"v", 1)
    syscalls.map_delete_batch(5, b"k", 1)
    syscalls.map_lookup(5, b"k", out)
    syscalls.map_update(5, b"k", b"v")
    syscalls.map_delete(5, b"k")
    syscalls.map_next_key(5, b"k", out)
    syscalls.map_lookup_and_delete(5, b"k", out)
    syscalls.map_freeze(5)
    make_map()
    load()
    syscalls.btf_load(b"btf")
    syscalls.obj_pin(5, "/x")
    syscalls.obj_get("/x")
    syscalls.prog_attach(5, 6, 7)
    syscalls.prog_detach(5, 6, 7)
    syscalls.prog_query(5, 6)
    syscalls.prog_test_run(5)
    syscalls.prog_bind_map(5, 6)
    syscalls.prog_stream_read(5, 1, out)
    syscalls.prog_assoc_struct_ops(5, 6)
    syscalls.raw_tracepoint_open("x", 5)
    for kind in ("prog", "map", "btf", "link"):
        syscalls.get_next_id(kind, 0)
        syscalls.get_fd_by_id(kind, 1)
    syscalls.obj_get_info(5, 8)
    syscalls.task_fd_query(1, 5)
    syscalls.enable_stats()
    syscalls.token_create(5)
    syscalls.link_create(5, 6, 7)
    syscalls.link_update(5, 6)
    syscalls.link_detach(5)
    syscalls.iter_create(5)
    done = {call.args[0] for call in kernel.calls if call.name != "close"}
    assert {int(command) for command in Command} <= done
    assert 38 in done  # BPF_PROG_ASSOC_STRUCT_OPS, Linux 6.19
