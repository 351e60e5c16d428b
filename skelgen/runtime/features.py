"""What this kernel can do, found out by trying, once, when someone asks.

Versions say little, because distributions port features back. The first kernel of a
feature is written down for error messages only. An answer is ``True``, ``False``, or
``None`` when the trial failed for another reason, such as lacking rights.
"""

from collections.abc import Callable
from typing import Final

from skelgen.runtime import feature_probes as probes
from skelgen.runtime import log
from skelgen.runtime.errors import NotSupportedError


class Feature:
    """One thing that some kernels can do and others cannot."""

    __slots__ = ("_answer", "_known", "_probe", "_running", "name", "since")

    def __init__(
        self, name: str, since: str, probe: Callable[[int], bool | None]
    ) -> None:
        self.name: Final = name
        """In words, for messages."""
        self.since: Final = since
        """First mainline kernel that has it, e.g. ``5.15``."""
        self._probe: Final = probe
        self._answer: bool | None = None
        self._known = False
        self._running = False

    def supported(self, token_fd: int = 0) -> bool | None:
        """Return whether this kernel has it, ``None`` when it cannot be told.

        Tried once in a process. With the fd of a BPF token what the token allows is
        tried, every time.
        """
        if token_fd:
            return self._probe(token_fd)
        if self._known:
            return self._answer
        if self._running:  # a probe that failed asks why, which asks here again
            return None
        self._running = True
        try:
            self._answer = self._probe(0)
        finally:
            self._running = False
        self._known = True
        log.debug("feature %s: %s", self.name, self._answer)
        return self._answer

    def require(self, what: str) -> None:
        """Raise :class:`NotSupportedError` about ``what`` if the kernel lacks it."""
        if self.supported() is False:
            raise NotSupportedError(
                f"this kernel has no {self.name}",
                feature=self.name,
                since=self.since,
                what=what,
            )

    def assume(self, answer: bool | None) -> None:  # noqa: FBT001 (it is the answer)
        """Take an answer as found out, e.g. in a test of a fallback."""
        self._answer = answer
        self._known = True

    def forget(self) -> None:
        """Try again when asked the next time."""
        self._known = False

    def __repr__(self) -> str:
        return f"<Feature {self.name!r}>"


PROG_NAME: Final = Feature("names of programs and maps", "4.15", probes.prog_name)
GLOBAL_DATA: Final = Feature("global data", "5.2", probes.global_data)
ARRAY_MMAP: Final = Feature("mmap of array maps", "5.5", probes.array_mmap)
EXPECTED_ATTACH_TYPE: Final = Feature(
    "expected attach type at load", "4.17", probes.expected_attach_type
)
PROBE_READ_KERNEL: Final = Feature(
    "helper bpf_probe_read_kernel", "5.5", probes.probe_read_kernel
)
PROG_BIND_MAP: Final = Feature("BPF_PROG_BIND_MAP", "5.10", probes.prog_bind_map)
MEMCG_ACCOUNT: Final = Feature(
    "accounting of BPF memory by control group", "5.11", probes.memcg_account
)

BTF: Final = Feature("BTF", "4.18", probes.btf)
BTF_FUNC: Final = Feature("BTF of functions", "5.0", probes.btf_func)
BTF_GLOBAL_FUNC: Final = Feature(
    "BTF of global functions", "5.6", probes.btf_global_func
)
BTF_DATASEC: Final = Feature("BTF of data sections", "5.2", probes.btf_datasec)
BTF_FLOAT: Final = Feature("BTF floats", "5.13", probes.btf_float)
BTF_DECL_TAG: Final = Feature("BTF declaration tags", "5.16", probes.btf_decl_tag)
BTF_TYPE_TAG: Final = Feature("BTF type tags", "5.17", probes.btf_type_tag)
BTF_ENUM64: Final = Feature("BTF 64-bit enumerations", "6.0", probes.btf_enum64)
BTF_QMARK_DATASEC: Final = Feature(
    "BTF data sections named with '?'", "6.9", probes.btf_qmark_datasec
)
MODULE_BTF: Final = Feature("BTF of kernel modules", "5.11", probes.module_btf)

LINK_CREATE: Final = Feature("BPF links", "5.7", probes.link_create)
TCX: Final = Feature("tcx links", "6.6", probes.tcx)
PERF_LINK: Final = Feature("BPF link for perf events", "5.15", probes.perf_link)
BPF_COOKIE: Final = Feature("attach cookie", "5.15", probes.bpf_cookie)
KPROBE_PMU: Final = Feature(
    "kprobes through perf_event_open", "4.17", probes.kprobe_pmu
)
UPROBE_PMU: Final = Feature(
    "uprobes through perf_event_open", "4.17", probes.uprobe_pmu
)
UPROBE_MULTI_LINK: Final = Feature(
    "BPF link for many uprobes", "6.6", probes.uprobe_multi_link
)
SYSCALL_WRAPPER: Final = Feature(
    "wrappers around system calls", "4.17", probes.syscall_wrapper
)

_memlock_done = False


def bump_memlock() -> None:
    """Lift RLIMIT_MEMLOCK on kernels that count BPF memory against it (before 5.11).

    Once in a process. Where it may not be lifted, loading will tell.
    """
    global _memlock_done  # noqa: PLW0603 (once in a process)
    if _memlock_done:
        return
    _memlock_done = True
    if MEMCG_ACCOUNT.supported() is not False:
        return
    import resource  # noqa: PLC0415 (old kernels only)

    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, unlimited)
    except (OSError, ValueError) as error:
        log.debug("cannot lift RLIMIT_MEMLOCK: %s", error)
