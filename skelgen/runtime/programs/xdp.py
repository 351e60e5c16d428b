"""Programs that see packets first: XDP."""

from __future__ import annotations

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.model.enums import AttachType
from skelgen.model.flags import (
    BPF_F_XDP_HAS_FRAGS,
    XDP_FLAGS_DRV_MODE,
    XDP_FLAGS_HW_MODE,
    XDP_FLAGS_SKB_MODE,
)
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel import features
from skelgen.runtime.links.base import Link
from skelgen.runtime.programs.base import Program
from skelgen.runtime.programs.target import interface_index

if TYPE_CHECKING:
    from typing import Final, Literal

_MODES: Final = {
    "generic": XDP_FLAGS_SKB_MODE,
    "native": XDP_FLAGS_DRV_MODE,
    "offload": XDP_FLAGS_HW_MODE,
}
# libbpf's and xdp-tools' words, and those of ip(8)
_OTHER_WORDS: Final = {
    "skb": "generic",
    "drv": "native",
    "hw": "offload",
    "xdpgeneric": "generic",
    "xdpdrv": "native",
    "xdpoffload": "offload",
}

_OF_MAPS: Final = frozenset((AttachType.XDP_DEVMAP, AttachType.XDP_CPUMAP))


class XdpProgram(Program):
    """``SEC("xdp")``: type ``XDP``, Linux 4.8."""

    __slots__ = ()
    _call = "attach(interface)"

    @property
    def by_hand(self) -> str:
        """Why the object's ``attach()`` passes it over, and what to do for it."""
        if self.attach_type in _OF_MAPS:
            return (
                f'SEC("{self.spec.section}") is for programs that a devmap or cpumap '
                "runs; put its fd into an element"
            )
        return super().by_hand

    def attach(
        self,
        interface: str | int,
        *,
        mode: Literal["generic", "native", "offload"] | None = None,
        link: bool | None = None,
    ) -> Link:
        """Attach to an interface, by name or index.

        ``mode``: ``native`` in the driver, ``generic`` after it, ``offload`` on the
        card; ``None`` for native where the driver can, else generic. Through a BPF
        link (Linux 5.9); on older kernels, or with ``link=False``, through netlink,
        where it stays after the process unless the link is destroyed. Raises
        ``EBUSY`` when another program is there; notes of the error name it, and say
        what to do where the driver refuses.
        """
        what = f"{self.what} on interface '{interface}'"
        prog_fd = self.fd()
        if self.attach_type in _OF_MAPS:
            raise self.attach_error(self.by_hand)
        index = interface_index(self, interface)
        flags = self._mode_flags(mode)
        try:
            return self._attach(prog_fd, index, flags, what, link=link)
        except BpfOSError as error:
            from skelgen.runtime.links.network_hints import Asked, explain_xdp

            frags = bool(self.flags & BPF_F_XDP_HAS_FRAGS)
            asked = Asked(mode, frags, offloaded=bool(self.ifindex))
            explain_xdp(error, self.what, index, asked)
            raise

    def _attach(
        self, prog_fd: int, index: int, flags: int, what: str, *, link: bool | None
    ) -> Link:
        if link is not False:
            try:
                fd = syscalls.link_create(
                    prog_fd, index, AttachType.XDP, flags=flags, what=what
                )
                return Link(fd, self)
            except BpfOSError as error:
                if link or error.errno != errno.EINVAL or _has_links():
                    raise
        from skelgen.runtime.links.netlink import XdpNetlinkLink

        return XdpNetlinkLink(self, index, flags, what)

    def _mode_flags(self, mode: str | None) -> int:
        if mode is None:
            return 0
        if not isinstance(mode, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(
                f"{self.what}: mode must be a str or None, got {type(mode).__name__}"
            )
        if mode not in _MODES:
            meant = _OTHER_WORDS.get(mode)
            hint = "" if meant is None else f"; '{mode}' is '{meant}' here"
            raise ValueError(
                f"{self.what}: mode must be 'generic', 'native', 'offload' or None, "
                f"got {mode!r}{hint}"
            )
        return _MODES[mode]


def _has_links() -> bool:
    return features.attach_type(AttachType.XDP).supported is not False
