"""The running kernel, answering as an older one: it refuses what that did not know.

Takes the place of ``syscalls.call.raw`` and passes calls on to the kernel, unless they use
something newer. Then it refuses as the older kernel did: ``EINVAL`` for commands,
types, flags and fields, ``E2BIG`` for fields beyond the end of its ``union bpf_attr``,
with the verifier's words where the verifier said them. Nothing is taken out of a call
and nothing is made up, so what works here works through the loader's fallbacks alone.
"""

import ctypes
import errno
import os
import re
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from skelgen.btf.parse import Btf
from skelgen.btf.types import Kind
from skelgen.model import attach_types, map_types, prog_types
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.helpers import HELPERS, helper_name, helper_since
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.kernel import features, memlock
from skelgen.runtime.kernel.features import answers
from skelgen.runtime.process.once import Once
from skelgen.runtime.syscalls import call, numbers
from tests.harness.attempt import (
    BTF_LOAD,
    LINK_CREATE,
    MAP_CREATE,
    PROG_LOAD,
    Attempt,
    Refusal,
    write_log,
)
from tests.harness.bpf_attr import Attr
from tests.harness.commands import Command

_identifier = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,126}").fullmatch
Rule = Callable[[Attempt], Refusal | None]
INVALID = Refusal(errno.EINVAL)
TOO_BIG = Refusal(errno.E2BIG)


def command(*commands: Command) -> Rule:
    return lambda call: INVALID if call.command in commands else None


def fields(which: Command, *names: str, refusal: Refusal = INVALID) -> Rule:
    """Refuse fields of a command; beyond the union it was ``E2BIG``."""

    def rule(call: Attempt) -> Refusal | None:
        if call.command is which and any(call.attr[name] for name in names):
            return refusal
        return None

    return rule


_FLAGS = {
    MAP_CREATE: "map_flags",
    PROG_LOAD: "prog_flags",
    BTF_LOAD: "btf_flags",
}


def flag(which: Command, bit: int) -> Rule:
    def rule(call: Attempt) -> Refusal | None:
        there = call.command is which and call.attr[_FLAGS[which]] >> bit & 1
        return INVALID if there else None

    return rule


def any_of(*rules: Rule) -> Rule:
    def rule(call: Attempt) -> Refusal | None:
        return next((found for each in rules if (found := each(call))), None)

    return rule


def map_type(number: int) -> Rule:
    return lambda call: (
        INVALID if call.command is MAP_CREATE and call.attr.map_type == number else None
    )


def prog_type(number: int) -> Rule:
    return lambda call: (
        INVALID if call.command is PROG_LOAD and call.attr.prog_type == number else None
    )


def helpers(lacking: set[int]) -> Rule:
    """Refuse calls of some helpers, in one walk over the instructions."""

    def rule(call: Attempt) -> Refusal | None:
        if call.command is not PROG_LOAD or not lacking:
            return None
        for code, source, number in call.insns():
            if code == _CALL and source == 0 and number in lacking:
                return Refusal(errno.EINVAL, f"invalid func unknown#{number}\n")
        return None

    return rule


def insn(code: int, source: int, log: str) -> Rule:
    """Refuse a kind of instruction, by its code and source register."""

    def rule(call: Attempt) -> Refusal | None:
        if call.command is not PROG_LOAD:
            return None
        for found, register, _ in call.insns():
            if (found, register) == (code, source):
                return Refusal(errno.EINVAL, log)
        return None

    return rule


def insn_class(number: int, log: str) -> Rule:
    """Refuse a class of instructions: the low three bits of the code."""

    def rule(call: Attempt) -> Refusal | None:
        if call.command is PROG_LOAD and any(
            code & 7 == number for code, _, _ in call.insns()
        ):
            return Refusal(errno.EINVAL, log)
        return None

    return rule


def btf_kinds(*kinds: Kind) -> Rule:
    def wrong(btf: Btf, type_id: int) -> bool:
        return btf.kind(type_id) in kinds

    return _btf(wrong, "Invalid kind")


def _btf(wrong: Callable[[Btf, int], bool], words: str) -> Rule:
    def rule(call: Attempt) -> Refusal | None:
        if call.command is not BTF_LOAD:
            return None
        btf = Btf(call.memory("btf", call.attr.btf_size))
        for type_id in btf.ids():
            if wrong(btf, type_id):
                return Refusal(errno.EINVAL, f"[{type_id}] {words}\n")
        return None

    return rule


def _global(btf: Btf, type_id: int) -> bool:
    return btf.kind(type_id) is Kind.FUNC and _info(btf, type_id) & 0xFFFF != 0


def _info(btf: Btf, type_id: int) -> int:
    return btf.words[btf.record(type_id)[0] + 1]


def _signed_enum(btf: Btf, type_id: int) -> bool:
    return btf.kind(type_id) is Kind.ENUM and bool(_info(btf, type_id) >> 31)


def _question(btf: Btf, type_id: int) -> bool:
    return btf.kind(type_id) is Kind.DATASEC and btf.name(type_id).startswith("?")


def _is_identifier(btf: Btf, offset: int) -> bool:
    """``btf_name_valid_identifier()``: C's, and below ``KSYM_NAME_LEN``."""
    return _identifier(btf.string(offset)) is not None


def wrong_name(btf: Btf, type_id: int) -> bool:
    """Whether the verifier of BTF says ``Invalid name``, of a type or of its parts."""
    position, end = btf.record(type_id)
    name, payload = btf.words[position], btf.words[position + 3 : end]
    match btf.kind(type_id):
        case Kind.PTR | Kind.ARRAY | Kind.VOLATILE | Kind.CONST | Kind.RESTRICT:
            return name != 0
        case Kind.FUNC_PROTO:
            return name != 0 or any(
                part and not _is_identifier(btf, part) for part in payload[::2]
            )
        case Kind.TYPEDEF | Kind.FWD | Kind.FUNC:
            return not _is_identifier(btf, name)
        case Kind.STRUCT | Kind.UNION:
            return any(
                part and not _is_identifier(btf, part) for part in (name, *payload[::3])
            )
        case Kind.ENUM:
            return (name and not _is_identifier(btf, name)) or not all(
                _is_identifier(btf, part) for part in payload[::2]
            )
    return False


def link(*kinds: AttachType) -> Rule:
    return lambda call: (
        INVALID
        if call.command is LINK_CREATE and call.attr.attach_type in kinds
        else None
    )


def _uprobe_by_fd(call: Attempt) -> Refusal | None:
    if call.command is not LINK_CREATE:
        return None
    if call.attr.attach_type not in {
        AttachType.TRACE_UPROBE_MULTI,
        AttachType.TRACE_UPROBE_SESSION,
    }:
        return None
    return INVALID if call.attr.uprobe_multi.flags & 2 else None


def attach_type(number: int) -> Rule:
    """Refuse a hook wherever it is named without a link."""
    commands = {Command.PROG_ATTACH, Command.PROG_DETACH, Command.PROG_QUERY}

    def rule(call: Attempt) -> Refusal | None:
        there = call.command in commands and call.attr.attach_type == number
        return INVALID if there else None

    return rule


def _memlock(call: Attempt) -> Refusal | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    limited = soft != resource.RLIM_INFINITY and soft < 1 << 20
    if call.command in {MAP_CREATE, PROG_LOAD} and limited:
        # a page or two were left for the smallest
        small = call.command is PROG_LOAD and call.attr.insn_cnt <= 4
        return None if small else Refusal(errno.EPERM)
    return None


def _btf_name(call: Attempt) -> Refusal | None:
    if call.command is not Command.OBJ_GET_INFO_BY_FD:
        return None
    if "btf" not in os.readlink(f"/proc/self/fd/{call.attr.bpf_fd}"):  # noqa: PTH115
        return None
    info = call.memory("info", call.attr.info_len)
    return TOO_BIG if any(info[16:]) else None


def _array_batch(call: Attempt) -> Refusal | None:
    batch = range(Command.MAP_LOOKUP_BATCH, Command.MAP_DELETE_BATCH + 1)
    return INVALID if call.command in batch else None


_TRACING_LINKS = (
    AttachType.TRACE_RAW_TP,
    AttachType.TRACE_FENTRY,
    AttachType.TRACE_FEXIT,
    AttachType.MODIFY_RETURN,
    AttachType.LSM_MAC,
)


_JMP32, _ATOMIC, _LD_IMM64, _CALL = 6, 0xDB, 0x18, 0x85


FEATURES: dict[str, tuple[str, Rule]] = {
    "names": (
        "4.15",
        any_of(
            fields(PROG_LOAD, "prog_name", refusal=TOO_BIG),
            fields(MAP_CREATE, "map_name"),
        ),
    ),
    "expected_attach_type": (
        "4.17",
        fields(PROG_LOAD, "expected_attach_type", refusal=TOO_BIG),
    ),
    "btf": (
        "4.18",
        any_of(
            command(BTF_LOAD),
            fields(MAP_CREATE, "btf_fd", "btf_key_type_id", "btf_value_type_id"),
        ),
    ),
    "btf_func": (
        "5.0",
        any_of(
            fields(
                PROG_LOAD,
                *("prog_btf_fd", "func_info_rec_size", "func_info", "func_info_cnt"),
                *("line_info_rec_size", "line_info", "line_info_cnt"),
                refusal=TOO_BIG,
            ),
            btf_kinds(Kind.FUNC, Kind.FUNC_PROTO),
        ),
    ),
    "jmp32": ("5.1", insn_class(_JMP32, "unknown opcode 16\n")),
    "global_data": ("5.2", insn(_LD_IMM64, 2, "unrecognized bpf_ld_imm64 insn\n")),
    "btf_datasec": ("5.2", btf_kinds(Kind.DATASEC, Kind.VAR)),
    "map_freeze": ("5.2", command(Command.MAP_FREEZE)),
    "rdonly_prog": ("5.2", flag(MAP_CREATE, 7)),
    "array_mmap": ("5.5", flag(MAP_CREATE, 10)),
    "attach_btf_id": (
        "5.5",
        fields(PROG_LOAD, "attach_btf_id", "attach_prog_fd", refusal=TOO_BIG),
    ),
    "btf_global_func": ("5.6", _btf(_global, "vlen != 0")),
    "batches": ("5.6", _array_batch),
    "links": ("5.7", command(LINK_CREATE, Command.LINK_UPDATE)),
    "link_ids": (
        "5.8",
        command(Command.LINK_GET_FD_BY_ID, Command.LINK_GET_NEXT_ID),
    ),
    "iterators": (
        "5.8",
        any_of(command(Command.ITER_CREATE), link(AttachType.TRACE_ITER)),
    ),
    "netns_links": ("5.8", link(AttachType.FLOW_DISSECTOR, AttachType.SK_LOOKUP)),
    "ksyms": ("5.8", insn(_LD_IMM64, 3, "unrecognized bpf_ld_imm64 insn\n")),
    "xdp_links": ("5.9", link(AttachType.XDP)),
    "link_detach": ("5.9", command(Command.LINK_DETACH)),
    "bind_map": ("5.10", command(Command.PROG_BIND_MAP)),
    "sleepable": ("5.10", flag(PROG_LOAD, 4)),
    "memcg": ("5.11", _memlock),
    "module_btf": ("5.11", _btf_name),
    "btf_float": ("5.13", btf_kinds(Kind.FLOAT)),
    "kfuncs": ("5.13", insn(_CALL, 2, "unknown opcode 85\n")),
    "callbacks": ("5.13", insn(_LD_IMM64, 4, "unrecognized bpf_ld_imm64 insn\n")),
    "fd_array": ("5.14", fields(PROG_LOAD, "fd_array", refusal=TOO_BIG)),
    "perf_links": ("5.15", link(AttachType.PERF_EVENT)),
    "btf_decl_tag": ("5.16", btf_kinds(Kind.DECL_TAG)),
    "map_extra": ("5.16", fields(MAP_CREATE, "map_extra")),
    "btf_type_tag": ("5.17", btf_kinds(Kind.TYPE_TAG)),
    "xdp_frags": ("5.18", flag(PROG_LOAD, 5)),
    "kprobe_multi": ("5.18", link(AttachType.TRACE_KPROBE_MULTI)),
    "tracing_links": ("5.19", link(*_TRACING_LINKS)),
    "btf_enum64": (
        "6.0",
        any_of(
            btf_kinds(Kind.ENUM64), _btf(_signed_enum, "Invalid btf_info kind_flag")
        ),
    ),
    "netfilter": ("6.4", link(AttachType.NETFILTER)),
    "struct_ops_links": (
        "6.4",
        any_of(link(AttachType.STRUCT_OPS), flag(MAP_CREATE, 13)),
    ),
    "tcx": ("6.6", link(AttachType.TCX_INGRESS, AttachType.TCX_EGRESS)),
    "uprobe_multi": ("6.6", link(AttachType.TRACE_UPROBE_MULTI)),
    "uprobe_multi_path_fd": ("7.2", _uprobe_by_fd),
    "btf_qmark": ("6.9", _btf(_question, "Invalid name")),
    "tokens": (
        "6.9",
        any_of(
            command(Command.TOKEN_CREATE),
            flag(MAP_CREATE, 16),
            flag(PROG_LOAD, 16),
            flag(BTF_LOAD, 16),
        ),
    ),
}
"""What came when, and how a kernel without it refuses a call that uses it."""


CHECKS: dict[str, tuple[str, Rule]] = {
    # of 5.0, and in the stable releases of 4.19 which distributions have
    "btf_names": ("4.19", _btf(wrong_name, "Invalid name")),
}
"""What a kernel looks at from a version on, and refuses if it is wrong."""


def number(kernel: str) -> tuple[int, ...]:
    """Return a version to compare; one that is not known is newer than all."""
    return tuple(map(int, kernel.split("."))) if kernel else (999,)


def _of_enums() -> Iterator[tuple[str, str, Rule]]:
    """Yield types: name, first kernel, rule."""
    for number, row in map_types.ROWS.items():
        yield f"map {MapType(number).name}", row.since, map_type(number)
    for number, row in prog_types.ROWS.items():
        yield f"program {ProgType(number).name}", row.since, prog_type(number)
    for number, row in attach_types.ROWS.items():
        yield f"attach {AttachType(number).name}", row.since, attach_type(number)


class MaskedKernel:
    """What stands in for ``syscalls.call.raw``."""

    def __init__(self, rules: dict[str, Rule]) -> None:
        self.rules = rules
        self.refused: dict[str, int] = {}
        """How often a call was refused for the lack of what."""
        self._real = call.raw

    def __call__(
        self, nr: int, a: int = 0, b: int = 0, c: int = 0, *rest: int
    ) -> tuple[int, int]:
        if nr == numbers.NR_BPF:
            refusal = self._refusal(a, b, c)
            if refusal is not None:
                return -1, refusal.errno
        return self._real(nr, a, b, c, *rest)

    def _refusal(self, number: int, address: int, size: int) -> Refusal | None:
        if number >= len(Command):
            return INVALID
        attr = Attr(Command(number).name, ctypes.string_at(address, size))
        call = Attempt(Command(number), attr)
        for name, rule in self.rules.items():
            found = rule(call)
            if found is not None:
                self.refused[name] = self.refused.get(name, 0) + 1
                write_log(call, found.log)
                return found
        return None


def _rules(before: str | None, without: tuple[str, ...]) -> dict[str, Rule]:
    """Return the rules of a kernel; the first to match refuses."""
    every = [(name, since, rule) for name, (since, rule) in FEATURES.items()]
    every += _of_enums()
    numbered = {helper_name(n): n for n in range(1, len(HELPERS))}
    unknown = set(without) - {name for name, _, _ in every} - numbered.keys()
    unknown -= CHECKS.keys()
    assert unknown <= {"kernel_btf"}, unknown
    rules = {
        name: rule
        for name, since, rule in every
        if name in without or (before and number(since) > number(before))
    }
    rules |= {
        name: rule
        for name, (since, rule) in CHECKS.items()
        if name in without or (before and number(since) <= number(before))
    }
    rules["helpers"] = helpers(
        {
            index
            for name, index in numbered.items()
            if name in without
            or (before and number(helper_since(index)) > number(before))
        }
    )
    return rules


@contextmanager
def masked(*without: str, kernel: str | None = None) -> Iterator[MaskedKernel]:
    """Be a kernel ``without`` some things, or one of a version: ``kernel="5.4"``.

    Feature answers are forgotten before and after.
    """
    fake = MaskedKernel(_rules(kernel, without))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(call, "raw", fake)
        patch.setattr(memlock, "_lifted", Once(memlock._lift))
        if "kernel_btf" in without or (kernel and number(kernel) < (5, 4)):
            patch.setattr(kernel_btf, "VMLINUX", "/sys/kernel/btf/no_vmlinux")
            patch.setattr(kernel_btf, "_ELF_PATHS", ())
            patch.setattr(kernel_btf, "_vmlinux", Once(kernel_btf._read_vmlinux))
        _forget()
        try:
            yield fake
        finally:
            _forget()


def _forget() -> None:
    answers.forget()
    for feature in features.named().values():
        feature.forget()
