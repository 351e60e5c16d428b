"""Which kernels have which ``SEC()`` name.

That comes from the tables of ``skelgen/model`` and from the options of the kernel, and from
the facts below, which no table has.
"""

from skelgen.elf.section_names import SECTIONS, match_section
from skelgen.model import attach_types, prog_types
from skelgen.model.flags import BPF_F_SLEEPABLE, BPF_F_XDP_HAS_FRAGS
from skelgen.runtime.kernel.version import kernel_version
from tests.harness import privilege

NOT_YET = frozenset(
    (
        *("usdt", "usdt.s", "action", "lirc_mode2"),
        *("fentry.multi", "fexit.multi", "fsession.multi"),
        *("fentry.multi.s", "fexit.multi.s", "fsession.multi.s"),
    )
)
"""Rows that skelgen loads, and has no way to attach."""

SLEEPABLE = {
    "uprobe.s": "6.0",
    "uretprobe.s": "6.0",
    "usdt.s": "6.0",
    "iter.s": "5.18",
    "tracepoint.s": "7.2",
    "tp.s": "7.2",
    "raw_tracepoint.s": "7.2",
    "raw_tp.s": "7.2",
    "tp_btf.s": "7.2",
    # bpf_fentry_test1(), and without CONFIG_FUNCTION_ERROR_INJECTION nothing before it
    "fentry.s": "6.3",
    "fexit.s": "6.3",
    "fmod_ret.s": "6.3",
    # bpf_dummy_ops.test_sleepable
    "struct_ops.s": "6.3",
    "lsm.s": "5.11",
}
"""When the programs of a type, or those on the function at hand, may sleep."""

OTHERS = {
    "struct_ops": "5.16",  # bpf_dummy_ops
    "sk_skb/verdict": "5.13",
    "freplace": "5.10",  # as a link to another function than it was loaded for
}
"""When what the program is attached to came."""

FIRES: dict[str, str] = dict.fromkeys(
    ("xdp/devmap", "xdp/cpumap", "xdp.frags/devmap", "xdp.frags/cpumap"), "5.15"
)
"""When programs in maps run for generic XDP as well; before, only a driver's."""

OPTIONS = {
    "kprobe": "CONFIG_KPROBE_EVENTS",
    "kretprobe": "CONFIG_KPROBE_EVENTS",
    "ksyscall": "CONFIG_KPROBE_EVENTS",
    "kretsyscall": "CONFIG_KPROBE_EVENTS",
    "netkit/primary": "CONFIG_NETKIT",
    "netkit/peer": "CONFIG_NETKIT",
    "lwt_seg6local": "CONFIG_IPV6_SEG6_BPF",
}
"""Options of the kernel that the tables do not name."""

ROWS = {row.key.removesuffix("+"): row for row in SECTIONS}
"""The table by its names."""


def number(version: str) -> tuple[int, ...]:
    """Return a version to compare."""
    return tuple(map(int, version.split(".")))


def has(version: str) -> bool:
    """Whether the running kernel is of that version or later."""
    return number(version) <= (kernel_version() >> 16, kernel_version() >> 8 & 0xFF)


def since(key: str) -> str:
    """Return the first kernel that takes and attaches a program of the section."""
    row = ROWS[key]
    kernels = [prog_types.row(row.type).since]
    if row.attach_type and not match_section(key).attach_type_optional:
        kernels.append(attach_types.row(row.attach_type).since)
    flags = match_section(key).flags
    if flags & BPF_F_SLEEPABLE:
        kernels.append(SLEEPABLE.get(key, "5.10"))
    if flags & BPF_F_XDP_HAS_FRAGS:
        kernels.append("5.18")
    if key in OTHERS:
        kernels.append(OTHERS[key])
    return max(kernels, key=number)


def built_without(key: str) -> str | None:
    """Return an option that the section needs and this kernel was built without."""
    row = ROWS[key]
    options = (
        prog_types.row(row.type).option,
        attach_types.row(row.attach_type).option,
        OPTIONS.get(key, ""),
    )
    if privilege.kernel_config("CONFIG_BPF") is None:
        return None  # it does not say what it was built with
    return next((o for o in options if o and not privilege.kernel_config(o)), None)
