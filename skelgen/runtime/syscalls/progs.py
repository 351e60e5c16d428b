"""``bpf(2)`` commands on programs. Layouts: ``union bpf_attr``, ``linux/bpf.h``."""

from __future__ import annotations

import errno
import struct

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import (
    ROOM,
    name_bytes,
    number,
    numbers,
    readable,
    writable,
)
from skelgen.model.enums import Command
from skelgen.model.flags import BPF_F_TOKEN_FD
from skelgen.plain import plain
from skelgen.runtime.syscalls.buffers import Buffer, Memory
from skelgen.runtime.syscalls.call import bpf, check
from skelgen.runtime.syscalls.fd import check_fd
from skelgen.runtime.syscalls.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

_LOAD: Final = Layout(
    "=IIQQIIQII16sIIIIQIIQIIIIQQIIiIQIi",
    "type insns insns license log_level log_buf log_buf kern_version flags"
    " name ifindex attach_type prog_btf_fd func_info func_info func_info"
    " line_info line_info line_info attach_btf_id attach_prog_fd"
    " core_relo_cnt fd_array core_relos core_relo_rec_size log_true_size"
    " token_fd fd_array_cnt signature signature_size keyring_id",
)
_LOG_TRUE_SIZE: Final = 140  # offset of log_true_size
_ATTACH: Final = Layout(
    "=IIIIIIQ",
    "target prog_fd attach_type flags replace_fd relative_fd" " expected_revision",
)
_TEST: Final = Layout(
    "=IIIIQQIIIIQQIII4x",
    "fd retval data data_size_out data data_out repeat duration ctx"
    " ctx_size_out ctx ctx_out flags cpu batch_size",
)
_QUERY: Final = Layout(
    "=IIIIQIxxxxQQQQ",
    "target attach_type flags attach_flags prog_ids prog_cnt"
    " prog_attach_flags link_ids link_attach_flags revision",
)
_RAW_TRACEPOINT: Final = Layout(
    "=QIxxxxQ",
    "name prog_fd cookie",
)
_STREAM: Final = Layout(
    "=QIII",
    "out out stream prog_fd",
)

_BIND: Final = Layout("=III", "prog_fd map_fd flags")
_FD: Final = (-1 << 31, (1 << 31) - 1)
_U32: Final = (0, (1 << 32) - 1)
_LOAD_ATTEMPTS: Final = 5


def prog_load(
    *,
    type: int,
    insns: Buffer,
    license: str,
    name: str = "",
    attach_type: int = 0,
    flags: int = 0,
    kern_version: int = 0,
    log_level: int = 0,
    log_buf: bytearray | memoryview | None = None,
    prog_btf_fd: int = 0,
    func_info: Buffer = b"",
    line_info: Buffer = b"",
    attach_btf_id: int = 0,
    attach_prog_fd: int = 0,
    attach_btf_obj_fd: int = 0,
    fd_array: Sequence[int] = (),
    fd_array_cnt: int = 0,
    ifindex: int = 0,
    token_fd: int = 0,
    true_size: list[int] | None = None,
    what: str = "",
) -> int:
    """Verify and load a program and return its fd: ``BPF_PROG_LOAD``, Linux 3.18.

    ``type`` is a :class:`ProgType`, ``attach_type`` the expected
    :class:`AttachType` (Linux 4.17), ``func_info`` holds records of 8 bytes,
    ``line_info`` of 16 (both Linux 5.0). With ``log_level`` 1 or more the verifier
    writes its log to ``log_buf``, NUL-terminated; the bytes that the whole of it
    takes are appended to ``true_size`` (Linux 6.4). The kernel keeps 15 bytes of the
    name (Linux 4.15). Tried up to five times when the kernel says ``EAGAIN``, which
    it does when a signal interrupts the verifier; signals wait for the last try.
    """
    memory = Memory()
    what = what or f"program '{plain(str(name))}'"
    for data, word in ((insns, "insns"), (func_info, "func_info")):
        readable(data, word, what)
    readable(line_info, "line_info", what)
    number(attach_btf_obj_fd, "attach_btf_obj_fd", _U32, what)
    if token_fd:
        flags = number(flags, "flags", _U32, what) | BPF_F_TOKEN_FD
    array = numbers(fd_array, "fd_array", _FD, what)
    fds = struct.pack(f"={len(array)}i", *array)
    attr = bytearray(
        _LOAD.pack(
            what,
            type,
            len(insns) // 8,
            memory.read(insns, "insns", what),
            memory.text(license, "license", what),
            log_level,
            len(log_buf or b"") if log_level else 0,
            memory.write(log_buf, "log_buf", what) if log_level else 0,
            kern_version,
            flags,
            name_bytes(name, "name", what),
            ifindex,
            attach_type,
            prog_btf_fd,
            8 if func_info else 0,
            memory.read(func_info, "func_info", what),
            len(func_info) // 8,
            16 if line_info else 0,
            memory.read(line_info, "line_info", what),
            len(line_info) // 16,
            attach_btf_id,
            attach_prog_fd or attach_btf_obj_fd,
            0,
            memory.read(fds),
            0,
            0,
            0,
            token_fd,
            fd_array_cnt,
            0,
            0,
            0,
        )
    )
    # the kernel writes to what it is shown of the attr alone
    size = None if true_size is None or token_fd or fd_array_cnt else _LOG_TRUE_SIZE + 4
    result = bpf(Command.PROG_LOAD, attr, size)
    for _ in range(_LOAD_ATTEMPTS - 2):
        if result[1] != errno.EAGAIN:
            break
        result = bpf(Command.PROG_LOAD, attr, size)
    if result[1] == errno.EAGAIN:
        result = _load_undisturbed(attr, size)
    if isinstance(true_size, list):
        true_size += struct.unpack_from("=I", attr, _LOG_TRUE_SIZE)
    return check_fd(Command.PROG_LOAD, result, what, kind=type)


def _load_undisturbed(attr: bytearray, size: int | None) -> tuple[int, int]:
    """Load a program while signals of this thread wait."""
    import signal

    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        return bpf(Command.PROG_LOAD, attr, size)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class TestRun(Record):
    """The result of one ``BPF_PROG_TEST_RUN``."""

    retval: int
    """Return value of the program, as the kernel holds it: unsigned, 32 bits."""
    duration_ns: int
    """Average of one run in nanoseconds."""
    data_out: bytes
    """Packet after the program, as far as it fits ``data_size_out``."""
    ctx_out: bytes
    """Context after the program, as far as the kernel hands it back."""


def prog_test_run(
    fd: int,
    *,
    data: Buffer | None = None,
    ctx: Buffer | None = None,
    repeat: int = 0,
    flags: int = 0,
    cpu: int = 0,
    batch_size: int = 0,
    data_size_out: int = 0,
    ctx_size_out: int = 0,
    what: str = "",
) -> TestRun:
    """Run a program on made-up input: ``BPF_PROG_TEST_RUN``, Linux 4.12.

    ``ctx`` since Linux 5.2; ``cpu`` (with flag 1, ``BPF_F_TEST_RUN_ON_CPU``) since
    5.10; live XDP frames (flag 2) with ``batch_size`` since 5.18. Which program
    types can be run, and on what, is the kernel's choice. Not tried again when a
    signal interrupts it (``EINTR``), because the program has run.
    """
    memory = Memory()
    if data is not None:
        readable(data, "data", what)
    # programs of type SYSCALL get it back in place, and no ctx_out
    ctx_in = bytearray(b"" if ctx is None else readable(ctx, "ctx", what))
    data_out = bytearray(number(data_size_out, "data_size_out", ROOM, what))
    ctx_out = bytearray(number(ctx_size_out, "ctx_size_out", ROOM, what))
    attr = bytearray(
        _TEST.pack(
            what,
            fd,
            0,
            len(data or b""),
            data_size_out,
            memory.read(data, "data", what),
            memory.write(data_out),
            repeat,
            0,
            len(ctx_in),
            ctx_size_out,
            memory.write(ctx_in),
            memory.write(ctx_out),
            flags,
            cpu,
            batch_size,
        )
    )
    command = Command.PROG_TEST_RUN
    result = bpf(command, attr, again=False)
    check(command, result, what or f"program fd {fd}")
    out = _TEST.unpack(attr)
    return TestRun(
        retval=out[1],
        duration_ns=out[7],
        data_out=bytes(data_out[: out[3]]),
        ctx_out=bytes(ctx_out[: out[9]] if ctx_size_out else ctx_in),
    )


def prog_attach(
    prog_fd: int,
    target: int,
    attach_type: int,
    *,
    flags: int = 0,
    replace_fd: int = 0,
    relative_fd: int = 0,
    relative_id: int = 0,
    expected_revision: int = 0,
    what: str = "",
) -> None:
    """Attach a program without a link: ``BPF_PROG_ATTACH``, Linux 4.10.

    ``target`` is the fd of a cgroup or map, or the index of an interface. ``flags``:
    ``BPF_F_ALLOW_MULTI`` and its siblings, ``BPF_F_REPLACE`` with ``replace_fd``
    (Linux 5.6), and ``BPF_F_BEFORE``, ``BPF_F_AFTER``, ``BPF_F_ID`` with
    ``relative_fd`` or ``relative_id`` (tcx since 6.6, cgroups since 6.16).
    """
    number(relative_id, "relative_id", _U32, what)
    attr = bytearray(
        _ATTACH.pack(
            what,
            target,
            prog_fd,
            attach_type,
            flags,
            replace_fd,
            relative_fd or relative_id,
            expected_revision,
        )
    )
    command = Command.PROG_ATTACH
    check(command, bpf(command, attr), what or f"program fd {prog_fd}")


def prog_detach(
    prog_fd: int,
    target: int,
    attach_type: int,
    *,
    flags: int = 0,
    relative_fd: int = 0,
    relative_id: int = 0,
    expected_revision: int = 0,
    what: str = "",
) -> None:
    """Undo :func:`prog_attach`: ``BPF_PROG_DETACH``, Linux 4.10.

    ``prog_fd`` may be 0 where only one program can be attached.
    """
    number(relative_id, "relative_id", _U32, what)
    attr = bytearray(
        _ATTACH.pack(
            what,
            target,
            prog_fd,
            attach_type,
            flags,
            0,
            relative_fd or relative_id,
            expected_revision,
        )
    )
    command = Command.PROG_DETACH
    check(command, bpf(command, attr), what or f"program fd {prog_fd}")


class ProgQuery(Record):
    """The programs that are attached at a hook."""

    prog_ids: tuple[int, ...]
    """Programs in the order they run."""
    link_ids: tuple[int, ...]
    """Links, one a program, 0 for none; empty where the kernel does not tell."""
    attach_flags: int
    """Flags of the hook."""
    revision: int
    """Counts the changes at the hook (Linux 6.6); for ``expected_revision``."""


def prog_query(
    target: int, attach_type: int, *, flags: int = 0, what: str = ""
) -> ProgQuery:
    """List the programs at a hook: ``BPF_PROG_QUERY``, Linux 4.15.

    ``target`` as for :func:`prog_attach`, or the fd of a network namespace;
    ``flags``: ``BPF_F_QUERY_EFFECTIVE`` (1). Links since Linux 6.6.
    """
    command = Command.PROG_QUERY
    attach_type = number(attach_type, "attach_type", _U32, what)
    count = 16
    while True:
        memory = Memory()
        prog_ids = bytearray(4 * count)
        link_ids = bytearray(4 * count)
        with_links = attach_type in _QUERY_TELLS_LINKS
        attr = bytearray(
            _QUERY.pack(
                what,
                target,
                attach_type,
                flags,
                0,
                memory.write(prog_ids),
                count,
                0,
                memory.write(link_ids) if with_links else 0,
                0,
                0,
            )
        )
        result = bpf(command, attr)
        out = _QUERY.unpack(attr)
        if result[1] == errno.ENOSPC:
            count = max(2 * count, out[5])
            continue
        check(command, result, what or f"target {target}")
        form = f"={out[5]}I"
        return ProgQuery(
            struct.unpack_from(form, prog_ids),
            struct.unpack_from(form, link_ids) if with_links else (),
            out[3],
            out[9],
        )


# TCX_INGRESS, TCX_EGRESS, NETKIT_PRIMARY, NETKIT_PEER: the others refuse the field
_QUERY_TELLS_LINKS: Final = frozenset((46, 47, 54, 55))


def raw_tracepoint_open(
    name: str | None, prog_fd: int, cookie: int = 0, *, what: str = ""
) -> int:
    """Attach to a raw tracepoint and return the link: ``BPF_RAW_TRACEPOINT_OPEN``.

    Linux 4.17. Without a name: where the program's BTF target says (``tp_btf``,
    ``fentry``, ``lsm``, ...; Linux 5.3 and later). ``cookie`` since Linux 6.10.
    """
    memory = Memory()
    address = 0 if name is None else memory.text(name, "name", what)
    attr = bytearray(_RAW_TRACEPOINT.pack(what, address, prog_fd, cookie))
    command = Command.RAW_TRACEPOINT_OPEN
    return check_fd(command, bpf(command, attr), what or f"program fd {prog_fd}")


def prog_bind_map(prog_fd: int, map_fd: int, *, what: str = "") -> None:
    """Keep a map alive as long as a program: ``BPF_PROG_BIND_MAP``, Linux 5.10."""
    attr = bytearray(_BIND.pack(what, prog_fd, map_fd, 0))
    command = Command.PROG_BIND_MAP
    check(command, bpf(command, attr), what or f"program fd {prog_fd}")


def prog_stream_read(
    prog_fd: int, stream: int, out: bytearray | memoryview, *, what: str = ""
) -> int:
    """Read what a program printed: ``BPF_PROG_STREAM_READ_BY_FD``, Linux 6.17.

    ``stream`` is 1 for its standard output, 2 for its errors. Returns the number of
    bytes written to ``out``.
    """
    memory = Memory()
    attr = bytearray(
        _STREAM.pack(
            what, memory.write(writable(out, "out", what)), len(out), stream, prog_fd
        )
    )
    command = Command.PROG_STREAM_READ_BY_FD
    return check(command, bpf(command, attr), what or f"program fd {prog_fd}")
