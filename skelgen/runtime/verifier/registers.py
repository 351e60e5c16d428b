"""The verifier's knowledge of a register, in words."""

import re
from collections.abc import Callable

_VALUE = re.compile(r"([^(]*)(?:\((.*)\))?$")
_FIELD = re.compile(r"(\w+)=((?:\w+=)*)((?:\([^)]*\))|[^,]*)")
_STACK = re.compile(r"fp(-\d+)?$")
_KERNEL = re.compile(
    r"(?P<trust>(?:trusted_|untrusted_|rcu_|percpu_|user_|rdonly_|alloc_|non_own_ref_)*)"
    r"ptr_(?P<null>or_null_)?(?P<type>\w*)$"
)
_ALL_64 = {"umax": (1 << 64) - 1, "smin": -(1 << 63), "smax": (1 << 63) - 1}
_LARGE = 1 << 20

_NAMED = {
    "pkt": "a pointer into the packet",
    "pkt_meta": "a pointer into the packet's metadata",
    "pkt_end": "the end of the packet",
    "map_key": "a pointer to a map key",
    "mem": "a pointer to memory",
    "rdonly_mem": "a pointer to read-only memory",
    "alloc_mem": "a pointer to a ring buffer record",
    "ringbuf_mem": "a pointer to a ring buffer record",
    "buf": "a pointer to a buffer",
    "rdonly_buf": "a pointer to a read-only buffer",
    "rdwr_buf": "a pointer to a buffer",
    "sock": "a pointer to a socket (struct bpf_sock)",
    "sock_common": "a pointer to a socket (struct bpf_sock)",
    "tcp_sock": "a pointer to a TCP socket (struct bpf_tcp_sock)",
    "xdp_sock": "a pointer to an XDP socket",
    "flow_keys": "a pointer to the flow keys",
    "tp_buffer": "a pointer to a writable tracepoint's buffer",
    "func": "a pointer to a function",
    "arena": "a pointer into the arena",
    "dynptr_ptr": "a pointer to a dynptr",
    "insn": "an address of code",
}


def fields(text: str) -> dict[str, str]:
    """Return ``{"ks": "4", "vs": "8"}`` of what stands between the parentheses."""
    found: dict[str, str] = {}
    for name, others, value in _FIELD.findall(text):
        for key in (name, *others.split("=")):  # smin=umin=4
            if key:
                found[key] = value
    return found


def number(text: str | None) -> int | None:
    """Return a decimal or hexadecimal number; ``None`` for what is none."""
    try:
        return None if text is None else int(text, 0)
    except ValueError:
        return None


def plain(value: int) -> str:
    """Return a number as one reads it: hexadecimal where it is large."""
    return str(value) if abs(value) < _LARGE else f"{value:#x}"


def describe(
    state: str,
    context: str,
    map_name: Callable[[str], str],
    known_map: str | None = None,
) -> str:
    """Return what ``scalar(umax=255)`` and its like mean.

    ``context`` is the struct of the program's context, ``map_name`` finds the whole
    name of a map from the 15 characters of it that the kernel knows; ``known_map`` is
    the map where the kernel does not say (before Linux 6.8).
    """
    match = _VALUE.match(state)
    if match is None:
        return state
    kind, inside = match[1].removeprefix("P"), fields(match[2] or "")
    if known_map is not None and kind.startswith("map_"):
        inside.setdefault("map", known_map)
    value = number(kind.removeprefix("inv").removeprefix("P"))
    if value is not None:
        return f"the number {plain(value)}"
    if kind in {"scalar", "inv"}:
        return span(inside)
    text: str | None
    if kind == "ctx":
        text = f"the context (struct {context})" if context else "the context"
    elif kind == "fp0":
        text = "the frame pointer"
    elif (stack := _STACK.match(kind)) is not None:
        at = int(stack[1] or inside.get("off") or 0)
        text = f"an address on the stack, {_signed('fp', at)}{_variable(inside)}"
    else:
        text = _pointer(kind.removesuffix("_or_null"), inside, map_name)
    if text is None:
        return state
    return f"NULL, or {text}" if "or_null" in kind else text


def _pointer(
    kind: str, inside: dict[str, str], map_name: Callable[[str], str]
) -> str | None:
    name = f" '{map_name(inside['map'])}'" if "map" in inside else ""
    if kind == "map_ptr":
        return f"the map{name}" if name else "a map"
    if kind == "map_value":
        of = f"map{name}" if name else "a map"
        text = f"a pointer to a value of {of} ({inside.get('vs', '?')} bytes)"
        return text + _offset(inside) + _variable(inside)
    kernel = _KERNEL.match(kind)
    if kernel is not None:
        trust = kernel["trust"].replace("_", " ").strip()
        of = f"struct {kernel['type']}" if kernel["type"] else "a kernel struct"
        text = f"a pointer to {of}" + (f" ({trust})" if trust else "")
        return text + _offset(inside)
    text = _NAMED.get(kind, "")
    if not text:
        return None
    if kind.startswith("pkt") and kind != "pkt_end":
        text += _offset(inside)
        if (reach := number(inside.get("r"))) is not None:
            text += f"; {reach} bytes of it are known to be there"
        return text + _variable(inside)
    size = inside.get("sz") or inside.get("mem_size")
    return text + (f" ({size} bytes)" if size else "") + _offset(inside)


def _signed(base: str, offset: int) -> str:
    return f"{base}{offset:+d}" if offset else base


def _offset(inside: dict[str, str]) -> str:
    off = (number(inside.get("off")) or 0) + (number(inside.get("imm")) or 0)
    return f" at offset {off}" if off else ""


def _variable(inside: dict[str, str]) -> str:
    """Return what is added to a pointer that is not known exactly."""
    if "var_off" not in inside and not inside.keys() & {"umax", "umin", "smin", "smax"}:
        return ""
    return f", plus {span(inside)}"


def span(inside: dict[str, str]) -> str:
    """Return between what a number is, from its bounds."""
    low, high = bounds(inside)
    if low is None and high is None:
        return "any number"
    if low is None:
        return f"a number up to {plain(high or 0)}"
    if high is None:
        return f"a number from {plain(low)} up"
    if (low, high) == (0, 0xFFFFFFFF):
        return "any 32-bit number"
    if low == high:
        return f"the number {plain(low)}"
    return f"a number from {plain(low)} to {plain(high)}"


def _signed_64(value: int | None) -> int | None:
    """Return a number that may be written as 0xffffffff80000000."""
    return value if value is None or value < 1 << 63 else value - (1 << 64)


def bounds(inside: dict[str, str]) -> tuple[int | None, int | None]:
    """Return the lowest and the highest value that a number may have, where known."""
    names = ("umin_value", "umax_value", "smin_value", "smax_value")
    for long in names:  # before Linux 5.18
        if long in inside:
            inside.setdefault(long.removesuffix("_value"), inside[long])
    smin, smax = (_signed_64(number(inside.get(name))) for name in ("smin", "smax"))
    umin, umax = number(inside.get("umin")), number(inside.get("umax"))
    if smin == _ALL_64["smin"]:
        smin = None
    if smax == _ALL_64["smax"]:
        smax = None
    if umax == _ALL_64["umax"]:
        umax = None
    if smin is not None and smin < 0:
        return smin, smax
    high = umax if umax is not None else smax
    low = umin if umin is not None else smin
    if low is None and umax is not None:
        low = 0
    return low, high
