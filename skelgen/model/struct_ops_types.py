"""Facts about structs of operations that programs can stand for, one row a struct.

For messages alone: that a kernel has one is seen in its BTF.
"""

from __future__ import annotations

from skelgen._record import Record
from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final


class StructOpsRow(Record):
    """A struct of operations."""

    since: str
    """First mainline kernel that takes programs for it."""
    option: str
    """Without which a kernel has none."""


STRUCT_OPS: Final[Mapping[str, StructOpsRow]] = {
    "tcp_congestion_ops": StructOpsRow("5.6", "CONFIG_BPF_JIT"),
    "hid_bpf_ops": StructOpsRow("6.11", "CONFIG_HID_BPF"),
    "sched_ext_ops": StructOpsRow("6.12", "CONFIG_SCHED_CLASS_EXT"),
    "Qdisc_ops": StructOpsRow("6.16", "CONFIG_NET_SCH_BPF"),
}
