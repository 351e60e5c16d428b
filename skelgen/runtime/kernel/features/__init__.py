"""What this kernel can do, found out by trying, once, when someone asks.

Versions say little, because distributions port features back. The first kernel of a
feature is written down for error messages only. An answer is ``True``, ``False``, or
``None`` when the trial failed for another reason, such as lacking rights.
"""

from __future__ import annotations

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import checks_arguments
from skelgen.runtime import log
from skelgen.runtime.errors import NotSupportedError
from skelgen.runtime.kernel.features import btf as btf_probes
from skelgen.runtime.kernel.features import programs as probes
from skelgen.runtime.process.once import Once

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from skelgen.model.enums import AttachType, MapType, ProgType


class Answer(Record):
    """Whether this kernel has something. True only for a yes."""

    supported: bool | None
    """``None`` when it cannot be told."""
    reason: str = ""
    """What the kernel said instead of a yes, e.g. ``operation not permitted
    (EPERM)``; for a kfunc that is there, the BTF it is in."""
    since: str = ""
    """First mainline kernel that has it, e.g. ``5.8``; empty when that is newer than
    this skelgen."""

    def __bool__(self) -> bool:
        return self.supported is True

    def __str__(self) -> str:
        return _WORDS[self.supported]


_WORDS: Final = {True: "yes", False: "no", None: "could not tell"}


class Feature:
    """One thing that some kernels can do and others cannot."""

    __slots__ = ("_once", "_probe", "name", "since")

    def __init__(
        self, name: str, since: str, probe: Callable[[int], bool | None]
    ) -> None:
        self.name: Final = name
        """In words, for messages."""
        self.since: Final = since
        """First mainline kernel that has it, e.g. ``5.15``."""
        self._probe: Final = probe
        # a probe that failed asks why, which may ask for this very feature
        self._once: Final = Once(self._find_out, lambda: (None, ""))

    def supported(self, token_fd: int = 0) -> bool | None:
        """Return whether this kernel has it, ``None`` when it cannot be told.

        Tried once in a process. With the fd of a BPF token what the token allows is
        tried, every time.
        """
        if token_fd:
            return self._try(token_fd)[0]
        return self._once()[0]

    def _find_out(self) -> tuple[bool | None, str]:
        found = self._try(0)
        log.debug("feature %s: %s", self.name, found[0])
        return found

    def _try(self, token_fd: int) -> tuple[bool | None, str]:
        try:
            return self._probe(token_fd), ""
        except probes.Unclear as unclear:
            return None, str(unclear)

    def answer(self) -> Answer:
        """Return the same with its reason and the kernel that had it first."""
        supported, reason = self._once()
        return Answer(supported, reason, self.since)

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
        self._once.set((answer, ""))

    def forget(self) -> None:
        """Try again when asked the next time."""
        self._once.forget()

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

BTF: Final = Feature("BTF", "4.18", btf_probes.btf)
BTF_FUNC: Final = Feature("BTF of functions", "5.0", btf_probes.btf_func)
BTF_GLOBAL_FUNC: Final = Feature(
    "BTF of global functions", "5.6", btf_probes.btf_global_func
)
BTF_DATASEC: Final = Feature("BTF of data sections", "5.2", btf_probes.btf_datasec)
BTF_FLOAT: Final = Feature("BTF floats", "5.13", btf_probes.btf_float)
BTF_DECL_TAG: Final = Feature("BTF declaration tags", "5.16", btf_probes.btf_decl_tag)
BTF_TYPE_TAG: Final = Feature("BTF type tags", "5.17", btf_probes.btf_type_tag)
BTF_ENUM64: Final = Feature("BTF 64-bit enumerations", "6.0", btf_probes.btf_enum64)
BTF_QMARK_DATASEC: Final = Feature(
    "BTF data sections named with '?'", "6.9", btf_probes.btf_qmark_datasec
)
MODULE_BTF: Final = Feature("BTF of kernel modules", "5.11", btf_probes.module_btf)

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

ARG_CTX_TAG: Final = Feature("tag arg:ctx of arguments", "6.8", btf_probes.arg_ctx_tag)
"""Where it is missing, the argument's type in BTF has to say that it is a context."""
BTF_LAYOUT: Final = Feature(
    "BTF that describes its kinds", "7.1", btf_probes.btf_layout
)
"""The loader gives no kernel that section unless the object has it already."""
LDIMM64_FULL_RANGE: Final = Feature(
    "addresses at any offset of a map", "7.0", probes.ldimm64_full_range
)
"""libbpf puts the globals of an arena at its end with it; here they are at its start,
which every kernel takes."""
UPROBE_SYSCALL: Final = Feature("fast uprobes", "6.18", probes.uprobe_syscall)
"""The kernel makes a uprobe on a ``nop`` of 5 bytes cheap by itself."""
COMMON_ATTRS: Final = Feature("logs of all BPF commands", "7.2", probes.common_attrs)


def _lift_memlock() -> bool:
    if MEMCG_ACCOUNT.supported():
        return False
    import resource

    unlimited = resource.RLIM_INFINITY
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    # without CAP_SYS_RESOURCE as far as it goes
    for limit in (unlimited, before[1]):
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
        except (OSError, ValueError) as error:
            log.debug("cannot lift RLIMIT_MEMLOCK to %d: %s", limit, error)
        else:
            return before != (limit, limit)
    return False


_memlock: Final = Once(_lift_memlock)


def bump_memlock() -> bool:
    """Lift RLIMIT_MEMLOCK on kernels that count BPF memory against it (before 5.11).

    Once in a process; returns whether the limit is another since. Where it may not be
    lifted, loading will tell.
    """
    return _memlock()


# -- types, helpers, kfuncs ----------------------------------------------------


def named() -> dict[str, Feature]:
    """Return the features above by the names of their constants."""
    return {
        name: value for name, value in globals().items() if isinstance(value, Feature)
    }


@checks_arguments
def map_type(which: MapType | int | str) -> Answer:
    """Return whether the kernel has a type of map: ``MapType.RINGBUF``, ``"ringbuf"``.

    Makes one. Raises :class:`ValueError` for a name that is no type.
    """
    from skelgen.runtime.kernel.features import listing as kernel_features

    return kernel_features.map_type(which)


@checks_arguments
def program_type(which: ProgType | int | str) -> Answer:
    """Return whether the kernel has a type of program: ``"xdp"``; loads one.

    Raises :class:`ValueError` for a name that is no type.
    """
    from skelgen.runtime.kernel.features import listing as kernel_features

    return kernel_features.program_type(which)


@checks_arguments
def attach_type(which: AttachType | int | str) -> Answer:
    """Return whether programs can be attached so: ``"tcx_ingress"``.

    To cgroups, network namespaces, interfaces and socket maps by any way, else by a
    BPF link. Raises :class:`ValueError` for a name that is no type.
    """
    from skelgen.runtime.kernel.features import listing as kernel_features

    return kernel_features.attach_type(which)


@checks_arguments
def helper(which: int | str, program: ProgType | int | str) -> Answer:
    """Return whether programs of a type may call a helper: ``"bpf_ringbuf_output"``.

    Loads a program that calls it. It cannot be told for types ``LSM``, ``EXT`` and
    ``STRUCT_OPS``, where it depends on the target; for ``TRACING`` it is told of raw
    tracepoints. Raises :class:`ValueError` for a name that is none.
    """
    from skelgen.runtime.kernel.features import listing as kernel_features

    return kernel_features.helper(which, program)


@checks_arguments
def kfunc(name: str, program: ProgType | int | str | None = None) -> Answer:
    """Return whether there is a kernel function for BPF programs, in any module.

    With the type of a program, whether that may call it, as for :func:`helper`.
    Without, whether kernel BTF has a function of that name, which it marks as a
    kfunc where it marks any (Linux 6.10 built with pahole 1.26).
    """
    from skelgen.runtime.kernel.features import listing as kernel_features

    return kernel_features.kfunc(name, program)
