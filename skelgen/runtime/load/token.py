"""BPF tokens: rights that a bpffs delegates to a user namespace (Linux 6.9)."""

from __future__ import annotations

import os

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, os_error
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from typing import Final

_BPFFS: Final = "/sys/fs/bpf"
_INITIAL_USER_NAMESPACE: Final = 0xEFFFFFFD  # PROC_USER_INIT_INO
_VARIABLE: Final = "LIBBPF_BPF_TOKEN_PATH"


def take_token(path: str | None) -> syscalls.Fd | None:
    """Return a token of the bpffs at ``path``, for an object to load with.

    Without a path it is that of ``LIBBPF_BPF_TOKEN_PATH``; without that, in a user
    namespace of its own, ``/sys/fs/bpf`` if that delegates anything. ``""`` is none.
    Raises BpfOSError for a path that was named and gives no token.
    """
    if path is None:
        path = os.environ.get(_VARIABLE)
    if path is None:
        return _default_token()
    return _token(path) if path else None


def _default_token() -> syscalls.Fd | None:
    # the initial namespace has no tokens, so it need not be asked
    try:
        if os.stat("/proc/self/ns/user").st_ino == _INITIAL_USER_NAMESPACE:
            return None
        return _token(_BPFFS)
    except (OSError, BpfError) as error:
        debug("loading without a token: %s", error)
        return None


def _token(path: str) -> syscalls.Fd:
    what = f"token of '{path}'"
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise os_error(error.errno or 0, command="open", what=what) from error
    try:
        return syscalls.Fd(syscalls.token_create(folder, what=what))
    finally:
        os.close(folder)
