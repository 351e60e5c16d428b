"""What this process may do with the kernel; a test says what it needs.

With ``SKELGEN_REQUIRE_KERNEL=1``, as in CI, a missing privilege is a failure: a
green run there has run everything. A missing kernel feature is a skip always.
"""

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from skelgen.runtime import syscalls
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.features import Answer
from skelgen.runtime.kernel.version import kernel_version

CAPABILITIES = {
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_ADMIN": 21,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}


def effective_capabilities() -> set[str]:
    """Return which of ``CAPABILITIES`` this thread has."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("CapEff:"):
            mask = int(line.split()[1], 16)
            return {name for name, bit in CAPABILITIES.items() if mask >> bit & 1}
    return set()


def missing_privilege() -> str | None:
    """Return what stands between this process and bpf(2); ``None`` for nothing."""
    missing = sorted(CAPABILITIES.keys() - effective_capabilities())
    if missing:
        return f"needs {', '.join(missing)}: run as root"
    try:
        os.close(syscalls.map_create(type=2, key_size=4, value_size=4, max_entries=1))
    except OSError as error:
        return f"bpf(2) is refused: {errno.errorcode[error.errno or 0]}"
    return None


def require_privilege() -> None:
    """Skip the test, or fail it where CI asks for the kernel, without privilege."""
    missing = missing_privilege()
    if missing is not None:
        without(missing)


def without(missing: str) -> NoReturn:
    """Skip the test, or fail it where CI asks for the kernel; the text is ``needs ...``."""
    if os.environ.get("SKELGEN_REQUIRE_KERNEL") == "1":
        pytest.fail(f"SKELGEN_REQUIRE_KERNEL=1, but this {missing}")
    pytest.skip(missing)


def require(what: str, answer: Answer, option: str = "") -> None:
    """Skip the test where the kernel has not got a feature, saying since when it is.

    ``option`` is what a kernel that has it must have been built with.
    """
    if answer.supported is False:
        since = f", which is in Linux since {answer.since}" if answer.since else ""
        if option and kernel_config(option) is None:
            since = f": it was built without {option}"
        pytest.skip(f"this kernel has no {what}{since}")


def require_kfunc(name: str, since: str) -> None:
    """Skip the test where the kernel has no such function for programs."""
    require(f"{name}()", features.kfunc(name)._replace(since=since))


def kernel_config(option: str) -> str | None:
    """Return the value of a ``CONFIG_...``, ``None`` when unset or unknown."""
    return _config().get(option)


def _config() -> dict[str, str]:
    import gzip

    packed = Path("/proc/config.gz")
    plain = Path(f"/boot/config-{os.uname().release}")
    text = ""
    if packed.exists():
        text = gzip.decompress(packed.read_bytes()).decode()
    elif plain.exists():
        text = plain.read_text("utf-8")
    pairs = (line.split("=", 1) for line in text.splitlines() if line[:1] == "C")
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def kernel_at_least(major: int, minor: int) -> bool:
    """Whether the running kernel is of this version or a later one."""
    return kernel_version() >= major << 16 | minor << 8


needs_struct_ops_links = pytest.mark.skipif(
    not kernel_at_least(6, 4), reason="needs links of struct_ops, Linux 6.4"
)
"""For tests of objects with a ``.struct_ops.link``."""

needs_kfuncs = pytest.mark.skipif(
    not kernel_at_least(5, 13), reason="needs kernel functions for programs, Linux 5.13"
)
"""For tests of congestion controls that call those of the kernel."""
