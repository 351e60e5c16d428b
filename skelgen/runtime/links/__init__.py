"""BPF links, one file a family."""

from skelgen.runtime.links.base import Link

__all__ = ("Link",)
