"""Enumerations of the kernel's BPF UAPI (``linux/bpf.h``), a module each.

An enumeration is imported when it is first used: each of its constants costs 15 us,
and a program needs few of them before it is loaded.
"""

from skelgen._names import public_names

__getattr__, __dir__, __all__ = public_names(
    __name__,
    {
        "skelgen.model.enums.attach_type": "AttachType",
        "skelgen.model.enums.command": "Command",
        "skelgen.model.enums.link_type": "LinkType",
        "skelgen.model.enums.map_type": "MapType",
        "skelgen.model.enums.prog_type": "ProgType",
    },
)
