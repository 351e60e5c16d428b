"""The SEC() table against libbpf's, and what each family reads from a name."""

import ctypes
import ctypes.util

import pytest

from skelgen.elf import section_fault
from skelgen.elf.section_names import (
    SECTIONS,
    Row,
    SectionMatch,
    match_section,
    near_sections,
)
from skelgen.model.attach import (
    Attach,
    Kprobe,
    KprobeMulti,
    Ksyscall,
    Manual,
    RawTracepoint,
    StructOps,
    Tracepoint,
    Tracing,
    TracingMulti,
    Uprobe,
    UprobeMulti,
    Usdt,
)
from skelgen.model.enums import AttachType, ProgType

# section_defs of libbpf 1.8 in its order, which decides what matches first.
LIBBPF_1_8 = """
socket sk_reuseport/migrate sk_reuseport kprobe+ uprobe+ uprobe.s+ kretprobe+
uretprobe+ uretprobe.s+ kprobe.multi+ kretprobe.multi+ kprobe.session+ uprobe.multi+
uretprobe.multi+ uprobe.session+ uprobe.multi.s+ uretprobe.multi.s+
uprobe.session.s+ ksyscall+ kretsyscall+ usdt+ usdt.s+ tc/ingress tc/egress
tcx/ingress tcx/egress tc classifier action netkit/primary netkit/peer tracepoint+
tp+ tracepoint.s+ tp.s+ raw_tracepoint+ raw_tp+ raw_tracepoint.s+ raw_tp.s+
raw_tracepoint.w+ raw_tp.w+ tp_btf+ tp_btf.s+ fentry+ fmod_ret+ fexit+ fentry.s+
fmod_ret.s+ fexit.s+ fsession+ fsession.s+ fsession.multi+ fsession.multi.s+
fentry.multi+ fexit.multi+ fentry.multi.s+ fexit.multi.s+ freplace+ lsm+ lsm.s+
lsm_cgroup+ iter+ iter.s+ syscall xdp.frags/devmap xdp/devmap xdp.frags/cpumap
xdp/cpumap xdp.frags xdp perf_event lwt_in lwt_out lwt_xmit lwt_seg6local sockops
sk_skb/stream_parser sk_skb/stream_verdict sk_skb/verdict sk_skb sk_msg lirc_mode2
flow_dissector cgroup_skb/ingress cgroup_skb/egress cgroup/skb cgroup/sock_create
cgroup/sock_release cgroup/sock cgroup/post_bind4 cgroup/post_bind6 cgroup/bind4
cgroup/bind6 cgroup/connect4 cgroup/connect6 cgroup/connect_unix cgroup/sendmsg4
cgroup/sendmsg6 cgroup/sendmsg_unix cgroup/recvmsg4 cgroup/recvmsg6
cgroup/recvmsg_unix cgroup/getpeername4 cgroup/getpeername6 cgroup/getpeername_unix
cgroup/getsockname4 cgroup/getsockname6 cgroup/getsockname_unix cgroup/sysctl
cgroup/getsockopt cgroup/setsockopt cgroup/dev struct_ops+ struct_ops.s+ sk_lookup
netfilter
"""
NEWER_THAN_1_1 = """
kprobe.session+ uprobe.multi+ uretprobe.multi+ uprobe.session+ uprobe.multi.s+
uretprobe.multi.s+ uprobe.session.s+ usdt.s+ tc/ingress tc/egress tcx/ingress
tcx/egress netkit/primary netkit/peer tracepoint.s+ tp.s+ raw_tracepoint.s+
raw_tp.s+ tp_btf.s+ fsession+ fsession.s+ fsession.multi+ fsession.multi.s+
fentry.multi+ fexit.multi+ fentry.multi.s+ fexit.multi.s+ sk_skb/verdict
cgroup/connect_unix cgroup/sendmsg_unix cgroup/recvmsg_unix cgroup/getpeername_unix
cgroup/getsockname_unix struct_ops.s+ netfilter
"""
SLEEPABLE, XDP_HAS_FRAGS = 1 << 4, 1 << 5


def test_every_entry_of_libbpf_is_in_the_table() -> None:
    assert [row.key for row in SECTIONS] == LIBBPF_1_8.split()
    assert len(SECTIONS) == 116


def test_types_are_those_of_the_installed_libbpf() -> None:
    """libbpf_prog_type_by_name() is the oracle; Debian's knows fewer names."""
    path = ctypes.util.find_library("bpf")
    if path is None:
        pytest.skip("needs libbpf (Debian package libbpf1)")
    libbpf = ctypes.CDLL(path)
    libbpf.libbpf_set_print(None)
    kind, attach_type = ctypes.c_int(), ctypes.c_int()
    compared = 0
    for row in SECTIONS:
        name = row.key.replace("+", "/x").encode()
        if libbpf.libbpf_prog_type_by_name(
            name, ctypes.byref(kind), ctypes.byref(attach_type)
        ):
            assert row.key in NEWER_THAN_1_1.split()
            continue
        assert (row.type, row.attach_type) == (kind.value, attach_type.value), row.key
        compared += 1
    assert compared >= len(SECTIONS) - len(NEWER_THAN_1_1.split())


@pytest.mark.parametrize("row", SECTIONS, ids=lambda row: row.key)
def test_flags_say_sleepable_and_frags_by_the_name(row: Row) -> None:
    key = row.key.removesuffix("+")
    flags = match_section(key).flags
    assert bool(flags & SLEEPABLE) == (key.endswith(".s") or key == "syscall")
    assert bool(flags & XDP_HAS_FRAGS) == key.startswith("xdp.frags")


OPTIONAL = """
xdp sockops sk_skb/stream_parser sk_skb/stream_verdict sk_skb/verdict sk_msg lirc_mode2
flow_dissector cgroup_skb/ingress cgroup_skb/egress cgroup/sock cgroup/dev
"""


@pytest.mark.parametrize("row", SECTIONS, ids=lambda row: row.key)
def test_attach_types_are_optional_where_libbpf_has_them_so(row: Row) -> None:
    key = row.key.removesuffix("+")
    assert match_section(key).attach_type_optional == (key in OPTIONAL.split())


TARGETS: dict[str, Attach] = {
    "xdp": Manual(),
    "tp/sched/sched_switch": Tracepoint("sched", "sched_switch"),
    "tracepoint.s/a/b/c": Tracepoint("a", "b/c"),
    "tp": Tracepoint(),
    "raw_tp/sys_enter": RawTracepoint("sys_enter"),
    "raw_tracepoint.w/x": RawTracepoint("x"),
    "raw_tp": RawTracepoint(),
    "tp_btf/sched_switch": Tracing("sched_switch"),
    "fentry/vfs_read": Tracing("vfs_read"),
    "fexit.s/nf_conntrack:nf_ct_delete": Tracing("nf_ct_delete", "nf_conntrack"),
    "fentry": Tracing(),
    "freplace/f": Tracing("f"),
    "lsm.s/bprm_check_security": Tracing("bprm_check_security"),
    "lsm_cgroup/socket_bind": Tracing("socket_bind"),
    "iter/task": Tracing("task"),
    "iter.s/bpf_map_elem": Tracing("bpf_map_elem"),
    "fentry.multi/tcp_*": TracingMulti("tcp_*"),
    "fsession.multi.s/mod:f?": TracingMulti("f?", "mod"),
    "fexit.multi": TracingMulti(),
    "kprobe": Kprobe(),
    "kprobe/do_unlinkat": Kprobe("do_unlinkat"),
    "kprobe/do_unlinkat+0x10": Kprobe("do_unlinkat", 16),
    "kprobe/x.isra.0+010": Kprobe("x.isra.0", 8),
    "kretprobe/vfs_read": Kprobe("vfs_read", retprobe=True),
    "kretprobe/vfs_read+0": Kprobe("vfs_read", retprobe=True),
    "kprobe.multi/tcp_*": KprobeMulti("tcp_*"),
    "kretprobe.multi/tcp_v?_rcv": KprobeMulti("tcp_v?_rcv", retprobe=True),
    "kprobe.session/tcp_*": KprobeMulti("tcp_*", session=True),
    "kprobe.multi": KprobeMulti(),
    "ksyscall/unlinkat": Ksyscall("unlinkat"),
    "kretsyscall/unlinkat": Ksyscall("unlinkat", retprobe=True),
    "ksyscall": Ksyscall(),
    "uprobe//bin/sh:main": Uprobe("/bin/sh", "main"),
    "uprobe/libc.so.6:malloc+0x4": Uprobe("libc.so.6", "malloc", 4),
    "uretprobe.s/libc:free": Uprobe("libc", "free", retprobe=True),
    "uprobe//a:operator+": Uprobe("/a", "operator+"),
    "uprobe//a:f@VER+8": Uprobe("/a", "f@VER", 8),
    "uprobe/any_text_as_of_old": Uprobe("any_text_as_of_old"),
    "uprobe": Uprobe(),
    "uprobe.multi//bin/sh:*exec*": UprobeMulti("/bin/sh", "*exec*"),
    "uretprobe.multi.s//a:f": UprobeMulti("/a", "f", retprobe=True),
    "uprobe.session.s//a:f": UprobeMulti("/a", "f", session=True),
    "uprobe.multi": UprobeMulti(),
    "usdt//usr/lib/libc.so.6:libc:setjmp": Usdt("/usr/lib/libc.so.6", "libc", "setjmp"),
    "usdt.s/a:b:c": Usdt("a", "b", "c"),
    "usdt": Usdt(),
    "struct_ops/cong_avoid": StructOps(),
    "struct_ops.s": StructOps(),
    "cgroup/connect4": Manual(),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_is_read_from_the_name(name: str) -> None:
    match = match_section(name)
    assert match.attach == TARGETS[name]
    assert match.type is not ProgType.UNSPEC
    assert match.autoload


def test_first_row_wins() -> None:
    assert match_section("xdp/devmap").attach_type == AttachType.XDP_DEVMAP
    assert match_section("sk_reuseport/migrate").attach_type == (
        AttachType.SK_REUSEPORT_SELECT_OR_MIGRATE
    )
    # Of old, "tc/ingress" was what "tcx/ingress" is now.
    assert match_section("tc/ingress").attach_type == AttachType.TCX_INGRESS
    assert match_section("tc").attach_type == 0


@pytest.mark.parametrize(
    "name", ["xdp_foo", "xdp/foo", "kprobe_x", "kprobes/f", "tpx/a/b", "", "foo", "?"]
)
def test_a_name_without_a_row_has_no_type(name: str) -> None:
    autoload = not name.startswith("?")
    assert match_section(name) == SectionMatch(
        ProgType.UNSPEC, 0, False, 0, Manual(), autoload
    )


def test_good_and_unknown_names_have_no_fault() -> None:
    for name in ("tp/sched/sched_switch", "tp", "uprobe/text", "xdp", "xdp/foo"):
        assert match_section(name).fault is None


def test_a_question_mark_turns_autoload_off() -> None:
    match = match_section("?fentry/f")
    assert not match.autoload
    assert match.attach == Tracing("f")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tp/sched", 'SEC("tp/sched"): does not read SEC("tp/<category>/<event>")'),
        ("tp/sched/", "does not read"),
        ("kprobe/", "does not read"),
        ("kprobe/-x", "does not read"),
        ("kprobe/f+", "does not read"),
        ("kprobe/f+x", "does not read"),
        ("kprobe/f+08", "does not read"),
        ("kprobe/f+-8", "offset -8 is out of range"),
        ("kprobe/f+0x8000000000000000", "is out of range"),
        ("kretprobe/f+8", "a return probe takes no offset"),
        ("uretprobe//a:f+8", "a return probe takes no offset"),
        ("kprobe.multi/a b", "does not read"),
        ("fentry.multi/a b", "does not read"),
        ("usdt/a:b", 'does not read SEC("usdt/<path>:<provider>:<name>")'),
        ("usdt/a:b:c:d", "does not read"),
        ("usdt/::", "does not read"),
    ],
)
def test_a_malformed_name_has_a_fault_and_its_type(name: str, message: str) -> None:
    """They load, as for libbpf, which says so when it attaches."""
    match = match_section(name)
    assert match.fault is not None
    assert match.fault.startswith(f'SEC("{name}"): ')
    assert message in match.fault
    bare = match_section(name.partition("/")[0])
    assert match == bare._replace(fault=match.fault)


@pytest.mark.parametrize(
    ("section", "near"),
    [
        ("kprobes/f", ["kprobe/f"]),
        ("?kprobes/f", ["kprobe/f"]),
        ("kprobe_multi/f*", ["kprobe.multi/f*"]),
        ("tracepoints/sched/x", ["tracepoint/sched/x"]),
        ("tp_bft/x", ["tp_btf/x"]),
        ("rawtp/x", ["raw_tp/x"]),
        ("perf_events", ["perf_event"]),
        ("classifer", ["classifier"]),
        ("xdp/f", ["xdp"]),
        ("xdp_prog", ["xdp"]),
        ("tc/", ["tc"]),
        ("cgroup_skb/ingres", ["cgroup_skb/ingress", "cgroup_skb/egress"]),
        ("1/0x1010", []),
        ("from-netdev", []),
        ("mine/f", []),
    ],
)
def test_an_unknown_name_offers_what_it_may_stand_for(
    section: str, near: list[str]
) -> None:
    assert match_section(section).type == ProgType.UNSPEC
    found = near_sections(section)
    assert found[: len(near) or None] == near
    for name in found:
        assert match_section(name).type != ProgType.UNSPEC


def test_an_unknown_name_is_told_with_what_helps() -> None:
    assert section_fault("kprobes/f") == (
        'SEC("kprobes/f") does not say what type of program it is; did you mean'
        ' SEC("kprobe/f")? Else load() wants program.type set'
    )
    assert section_fault("mine/f") == (
        'SEC("mine/f") does not say what type of program it is; load() wants'
        " program.type set"
    )
    assert section_fault("kprobe/f") is None
    fault = section_fault("tp/unused")
    assert fault is not None
    assert fault.endswith("; attach() refuses it")
