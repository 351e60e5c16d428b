"""Features of BTF, tried with a few types of which one is of the kind in question."""

from __future__ import annotations

import struct

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import ProgType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel.features.feature import Feature, refusal
from skelgen.runtime.kernel.features.trial import EXIT, call_insn, loads, regs
from skelgen.runtime.syscalls.buffers import Memory

if TYPE_CHECKING:
    from typing import Final

_STRINGS: Final = b"\0int\0x\0.data\0?.data\0arg:ctx\0"
_NAME_INT: Final = 1
_NAME_X: Final = 5
_NAME_DATA: Final = 7
_NAME_QMARK: Final = 13
_NAME_ARG_CTX: Final = 20
_INT: Final = (_NAME_INT, 1 << 24, 4, 1 << 24 | 32)  # [1] int, signed


_HEAD: Final = struct.Struct("=HBBIIIII")


def _info(kind: int, vlen: int = 0) -> int:
    return kind << 24 | vlen


def _is_taken(token_fd: int, *types: int) -> bool:
    try:
        fd = _load_btf(token_fd, *types)
    except BpfOSError as error:
        return refusal(error)
    syscalls.close(fd)
    return True


def _load_btf(token_fd: int, *types: int) -> int:
    body = _words(*types)
    head = _HEAD.pack(0xEB9F, 1, 0, 24, 0, len(body), len(body), len(_STRINGS))
    return syscalls.btf_load(head + body + _STRINGS, token_fd=token_fd)


def _words(*numbers: int) -> bytes:
    return struct.pack(f"={len(numbers)}I", *(n & 0xFFFFFFFF for n in numbers))


def _btf(token_fd: int) -> bool:
    """Commit 69b693f0aefa ("bpf: btf: Introduce BPF Type Format (BTF)")."""
    return _is_taken(token_fd, *_INT)


BTF: Final = Feature("BTF", "4.18", _btf)


def _func(token_fd: int, linkage: int) -> bool:
    proto = (0, _info(13, 1), 0, _NAME_X, 1)  # [2] void (*)(int x)
    return _is_taken(token_fd, *_INT, *proto, _NAME_X, _info(12, linkage), 2)


def _btf_func(token_fd: int) -> bool:
    """Commit 2667a2626f4d ("bpf: btf: Add BTF_KIND_FUNC ...")."""
    return _func(token_fd, 0)


BTF_FUNC: Final = Feature("BTF of functions", "5.0", _btf_func)


def _btf_global_func(token_fd: int) -> bool:
    """Commit 51c39bb1d5d1 ("bpf: Introduce function-by-function verification")."""
    return _func(token_fd, 1)


BTF_GLOBAL_FUNC: Final = Feature("BTF of global functions", "5.6", _btf_global_func)


def _datasec(token_fd: int, name: int) -> bool:
    variable = (_NAME_X, _info(14), 1, 0)  # [2] static int x
    return _is_taken(token_fd, *_INT, *variable, name, _info(15, 1), 4, 2, 0, 4)


def _btf_datasec(token_fd: int) -> bool:
    """Commit f063c889c9e4 ("bpf: kernel side support for BTF Var and DataSec")."""
    return _datasec(token_fd, _NAME_DATA)


BTF_DATASEC: Final = Feature("BTF of data sections", "5.2", _btf_datasec)


def _btf_qmark_datasec(token_fd: int) -> bool:
    """Commit bd70a8fb7ca4 ("bpf: Allow all printable characters in ... name")."""
    return _datasec(token_fd, _NAME_QMARK)


BTF_QMARK_DATASEC: Final = Feature(
    "BTF data sections named with '?'", "6.9", _btf_qmark_datasec
)


def _btf_float(token_fd: int) -> bool:
    """Commit b1828f0b0482 ("bpf: Add BTF_KIND_FLOAT support")."""
    return _is_taken(token_fd, _NAME_X, _info(16), 4)


BTF_FLOAT: Final = Feature("BTF floats", "5.13", _btf_float)


def _btf_decl_tag(token_fd: int) -> bool:
    """Commit b5ea834dde6b ("bpf: Support for new btf kind BTF_KIND_TAG")."""
    variable = (_NAME_X, _info(14), 1, 0)
    return _is_taken(token_fd, *_INT, *variable, _NAME_X, _info(17), 2, -1)


BTF_DECL_TAG: Final = Feature("BTF declaration tags", "5.16", _btf_decl_tag)


def _btf_type_tag(token_fd: int) -> bool:
    """Commit 8c42d2fa4eeb ("bpf: Support BTF_KIND_TYPE_TAG ...")."""
    return _is_taken(token_fd, *_INT, _NAME_X, _info(18), 1, 0, _info(2), 2)


BTF_TYPE_TAG: Final = Feature("BTF type tags", "5.17", _btf_type_tag)


def _btf_enum64(token_fd: int) -> bool:
    """Commit 6089fb325cf7 ("bpf: Add btf enum64 support")."""
    return _is_taken(token_fd, _NAME_X, _info(19), 8)


BTF_ENUM64: Final = Feature("BTF 64-bit enumerations", "6.0", _btf_enum64)


def _btf_layout(token_fd: int) -> bool:
    """Give it a header of 32 bytes, and a section that describes kinds."""
    body = _words(*_INT)
    layout = struct.pack("=BBHBBH", 0, 0, 0, 4, 0, 0)  # of kind 0, and of kind INT
    strings = len(body) + len(layout)
    head = _HEAD.pack(0xEB9F, 1, 0, 32, 0, len(body), strings, len(_STRINGS))
    place = _words(len(body), len(layout))
    try:
        fd = syscalls.btf_load(
            head + place + body + layout + _STRINGS, token_fd=token_fd
        )
    except BpfOSError as error:
        return refusal(error)
    syscalls.close(fd)
    return True


BTF_LAYOUT: Final = Feature("BTF that describes its kinds", "7.1", _btf_layout)
"""The loader gives no kernel that section unless the object has it already."""


def _arg_ctx_tag(token_fd: int) -> bool:
    """Commit 94e1c70a3452 ("bpf: support 'arg:xxx' btf_decl_tag-based hints ...").

    A global function whose ``void *`` is a context by its tag alone, and is given to
    a helper that takes nothing else.
    """
    types = (
        *_INT,
        *(0, _info(2), 0),  # [2] void *
        *(0, _info(13, 1), 1, _NAME_X, 2),  # [3] int (*)(void *x)
        *(_NAME_INT, _info(12, 1), 3),  # [4] the program
        *(_NAME_X, _info(12, 1), 3),  # [5] the function
        *(_NAME_ARG_CTX, _info(17), 5, 0),  # [6] arg:ctx of its argument
    )
    try:
        fd = _load_btf(token_fd, *types)
    except BpfOSError as error:
        return refusal(error)
    call_next = struct.pack("=BBhi", 0x85, regs(0, 1), 0, 1)
    insns = call_next + EXIT + call_insn(173) + EXIT  # bpf_get_func_ip(ctx)
    with syscalls.Fd(fd):
        return loads(
            insns,
            token_fd,
            ProgType.KPROBE,
            prog_btf_fd=fd,
            func_info=_words(0, 4, 2, 5),
        )


ARG_CTX_TAG: Final = Feature("tag arg:ctx of arguments", "6.8", _arg_ctx_tag)
"""Where it is missing, the argument's type in BTF has to say that it is a context."""


def _module_btf(token_fd: int) -> bool:
    """Commit 5329722057d4 ("bpf: Assign ID to vmlinux BTF and return extra")."""
    memory = Memory()
    name = bytearray(64)
    wanted = struct.pack("=QIIQII", 0, 0, 0, memory.write(name), len(name), 0)
    try:
        with syscalls.Fd(_load_btf(token_fd, *_INT)) as fd:
            syscalls.obj_get_info(fd.fileno(), len(wanted), preset=wanted)
    except BpfOSError as error:
        return refusal(error)
    return True


MODULE_BTF: Final = Feature("BTF of kernel modules", "5.11", _module_btf)
