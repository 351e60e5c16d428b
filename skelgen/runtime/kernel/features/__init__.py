"""Features of the running kernel, each tried once, when someone asks.

Versions say little, because distributions port features back. The first kernel of a
feature is written down for error messages only. An answer is ``True``, ``False``, or
``None`` when the trial failed for another reason, such as lacking rights.

A feature stands beside its probe in the file of its subject; a line here makes it
public. Types, helpers and kfuncs are functions, in :mod:`.answers`.
"""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.kernel.features import btf, links, maps, programs, tracing
from skelgen.runtime.kernel.features.answers import (
    attach_type,
    helper,
    kfunc,
    map_type,
    program_type,
)
from skelgen.runtime.kernel.features.feature import Answer, Feature

if TYPE_CHECKING:
    from typing import Final

__all__ = (
    "Answer",
    "Feature",
    "attach_type",
    "helper",
    "kfunc",
    "map_type",
    "named",
    "program_type",
)

PROG_NAME: Final = programs.PROG_NAME
GLOBAL_DATA: Final = maps.GLOBAL_DATA
ARRAY_MMAP: Final = maps.ARRAY_MMAP
EXPECTED_ATTACH_TYPE: Final = programs.EXPECTED_ATTACH_TYPE
PROBE_READ_KERNEL: Final = programs.PROBE_READ_KERNEL
PROG_BIND_MAP: Final = maps.PROG_BIND_MAP
MEMCG_ACCOUNT: Final = programs.MEMCG_ACCOUNT

BTF: Final = btf.BTF
BTF_FUNC: Final = btf.BTF_FUNC
BTF_GLOBAL_FUNC: Final = btf.BTF_GLOBAL_FUNC
BTF_DATASEC: Final = btf.BTF_DATASEC
BTF_FLOAT: Final = btf.BTF_FLOAT
BTF_DECL_TAG: Final = btf.BTF_DECL_TAG
BTF_TYPE_TAG: Final = btf.BTF_TYPE_TAG
BTF_ENUM64: Final = btf.BTF_ENUM64
BTF_QMARK_DATASEC: Final = btf.BTF_QMARK_DATASEC
MODULE_BTF: Final = btf.MODULE_BTF

LINK_CREATE: Final = links.LINK_CREATE
TCX: Final = links.TCX
PERF_LINK: Final = links.PERF_LINK
BPF_COOKIE: Final = links.BPF_COOKIE
KPROBE_PMU: Final = tracing.KPROBE_PMU
UPROBE_PMU: Final = tracing.UPROBE_PMU
UPROBE_MULTI_LINK: Final = links.UPROBE_MULTI_LINK
SYSCALL_WRAPPER: Final = tracing.SYSCALL_WRAPPER

ARG_CTX_TAG: Final = btf.ARG_CTX_TAG
BTF_LAYOUT: Final = btf.BTF_LAYOUT
LDIMM64_FULL_RANGE: Final = maps.LDIMM64_FULL_RANGE
PERCPU_FLAGS: Final = maps.PERCPU_FLAGS
UPROBE_SYSCALL: Final = tracing.UPROBE_SYSCALL
COMMON_ATTRS: Final = programs.COMMON_ATTRS
UPROBE_MULTI_PATH_FD: Final = links.UPROBE_MULTI_PATH_FD


def named() -> dict[str, Feature]:
    """Return the features above by the names of their constants."""
    return {
        name: value for name, value in globals().items() if isinstance(value, Feature)
    }
