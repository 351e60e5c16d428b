"""``union bpf_attr`` by name: the fields of each command of ``bpf(2)``.

Names are those of ``linux/bpf.h``. ``struct perf_event_attr`` is here too, for the tests
that look at ``perf_event_open()``. ``tests/unit/harness/test_bpf_attr.py`` compares the
places of all fields with BTF of the running kernel.
"""

import struct
from typing import Any, NamedTuple

_FORMATS = {"u32": "=I", "s32": "=i", "u64": "=Q", "char16": "=16s"}


class Field(NamedTuple):
    """A place in the attr of a command."""

    start: int
    end: int
    format: str

    @property
    def place(self) -> slice:
        return slice(self.start, self.end)


Layout = dict[str, Field]


def _fields(text: str, at: int = 0, part: str = "") -> Layout:
    """Return the fields that ``text`` names, one after another as C lays them out.

    A field is ``u32`` unless its type follows its name. ``a|b`` are two names of one
    place. Names of the members of a ``part`` begin with its name and a dot.
    """
    found: Layout = {}
    for word in text.split():
        names, _, kind = word.partition(":")
        form = _FORMATS[kind or "u32"]
        size = struct.calcsize(form)
        at += -at % (8 if kind == "u64" else 4)
        for name in names.split("|"):
            found[part + name] = Field(at, at + size, form)
        at += size
    return found


def _link_part(name: str, text: str) -> Layout:
    return _fields(text, 16, f"{name}.")


_ELEM = _fields("map_fd key:u64 value|next_key:u64 flags:u64")
_BATCH = _fields(
    "in_batch:u64 out_batch:u64 keys:u64 values:u64 count map_fd elem_flags:u64 flags:u64"
)
_OBJ = _fields("pathname:u64 bpf_fd file_flags path_fd:s32")
_ATTACH = _fields(
    "target_fd|target_ifindex attach_bpf_fd attach_type attach_flags replace_bpf_fd "
    "relative_fd|relative_id expected_revision:u64"
)
_ID = _fields(
    "start_id|prog_id|map_id|btf_id|link_id next_id open_flags fd_by_id_token_fd:s32"
)
_ORDERED = "relative_fd|relative_id expected_revision:u64"

LAYOUTS: dict[str, Layout] = {
    "MAP_CREATE": _fields(
        "map_type key_size value_size max_entries map_flags inner_map_fd numa_node "
        "map_name:char16 map_ifindex btf_fd btf_key_type_id btf_value_type_id "
        "btf_vmlinux_value_type_id map_extra:u64 value_type_btf_obj_fd:s32 "
        "map_token_fd:s32 excl_prog_hash:u64 excl_prog_hash_size"
    ),
    "MAP_LOOKUP_ELEM": _ELEM,
    "MAP_UPDATE_ELEM": _ELEM,
    "MAP_DELETE_ELEM": _ELEM,
    "MAP_GET_NEXT_KEY": _ELEM,
    "MAP_LOOKUP_AND_DELETE_ELEM": _ELEM,
    "MAP_FREEZE": _ELEM,
    "MAP_LOOKUP_BATCH": _BATCH,
    "MAP_LOOKUP_AND_DELETE_BATCH": _BATCH,
    "MAP_UPDATE_BATCH": _BATCH,
    "MAP_DELETE_BATCH": _BATCH,
    "PROG_LOAD": _fields(
        "prog_type insn_cnt insns:u64 license:u64 log_level log_size log_buf:u64 "
        "kern_version prog_flags prog_name:char16 prog_ifindex expected_attach_type "
        "prog_btf_fd func_info_rec_size func_info:u64 func_info_cnt line_info_rec_size "
        "line_info:u64 line_info_cnt attach_btf_id attach_prog_fd|attach_btf_obj_fd "
        "core_relo_cnt fd_array:u64 core_relos:u64 core_relo_rec_size log_true_size "
        "prog_token_fd:s32 fd_array_cnt signature:u64 signature_size keyring_id:s32"
    ),
    "OBJ_PIN": _OBJ,
    "OBJ_GET": _OBJ,
    "PROG_ATTACH": _ATTACH,
    "PROG_DETACH": _ATTACH,
    "PROG_TEST_RUN": _fields(
        "prog_fd retval data_size_in data_size_out data_in:u64 data_out:u64 repeat "
        "duration ctx_size_in ctx_size_out ctx_in:u64 ctx_out:u64 flags cpu batch_size"
    ),
    "PROG_GET_NEXT_ID": _ID,
    "MAP_GET_NEXT_ID": _ID,
    "BTF_GET_NEXT_ID": _ID,
    "LINK_GET_NEXT_ID": _ID,
    "PROG_GET_FD_BY_ID": _ID,
    "MAP_GET_FD_BY_ID": _ID,
    "BTF_GET_FD_BY_ID": _ID,
    "LINK_GET_FD_BY_ID": _ID,
    "OBJ_GET_INFO_BY_FD": _fields("bpf_fd info_len info:u64"),
    "PROG_QUERY": _fields(
        "target_fd|target_ifindex attach_type query_flags attach_flags prog_ids:u64 "
        "prog_cnt|count prog_attach_flags:u64 link_ids:u64 link_attach_flags:u64 "
        "revision:u64"
    ),
    "RAW_TRACEPOINT_OPEN": _fields("name:u64 prog_fd cookie:u64"),
    "BTF_LOAD": _fields(
        "btf:u64 btf_log_buf:u64 btf_size btf_log_size btf_log_level btf_log_true_size "
        "btf_flags btf_token_fd:s32"
    ),
    "TASK_FD_QUERY": _fields(
        "pid fd flags buf_len buf:u64 prog_id fd_type probe_offset:u64 probe_addr:u64"
    ),
    "LINK_CREATE": {
        **_fields("prog_fd|map_fd target_fd|target_ifindex attach_type flags"),
        **_fields("target_btf_id", 16),
        **_fields("iter_info:u64 iter_info_len", 16),
        **_link_part("perf_event", "bpf_cookie:u64"),
        **_link_part("kprobe_multi", "flags cnt syms:u64 addrs:u64 cookies:u64"),
        **_link_part("tracing", "target_btf_id cookie:u64"),
        **_link_part("netfilter", "pf hooknum priority:s32 flags"),
        **_link_part(
            "uprobe_multi",
            "path:u64 offsets:u64 ref_ctr_offsets:u64 cookies:u64 cnt flags pid path_fd",
        ),
        **_link_part("tcx", _ORDERED),
        **_link_part("netkit", _ORDERED),
        **_link_part("cgroup", _ORDERED),
    },
    "LINK_UPDATE": _fields(
        "link_fd new_prog_fd|new_map_fd flags old_prog_fd|old_map_fd"
    ),
    "LINK_DETACH": _fields("link_fd"),
    "ENABLE_STATS": _fields("type"),
    "ITER_CREATE": _fields("link_fd flags"),
    "PROG_BIND_MAP": _fields("prog_fd map_fd flags"),
    "TOKEN_CREATE": _fields("flags bpffs_fd"),
    "PROG_STREAM_READ_BY_FD": _fields(
        "stream_buf:u64 stream_buf_len stream_id prog_fd"
    ),
    "perf_event_open": _fields(
        "type size config:u64 sample_period|sample_freq:u64 sample_type:u64 "
        "read_format:u64 bits:u64 wakeup_events bp_type "
        "kprobe_func|uprobe_path|config1:u64 kprobe_addr|probe_offset|config2:u64"
    ),
}


class Attr:
    """What one system call was shown of its attr: ``attr.prog_fd``, ``attr.tcx.relative_fd``.

    Beyond the end of what was shown a field is 0, as the kernel takes it. A name is a
    string, all other fields are numbers. ``bytes(attr)`` is all of it.
    """

    def __init__(self, command: str, data: bytes, part: str = "") -> None:
        self._command = command
        self._data = data
        self._part = part

    def __getattr__(self, name: str) -> Any:
        return self[name]

    def __getitem__(self, name: str) -> Any:
        """Return a field by its name; that of a part's member has a dot."""
        layout = LAYOUTS.get(self._command, {})
        name = self._part + name
        field = layout.get(name)
        if field is not None:
            size = field.end - field.start
            data = self._data[field.place].ljust(size, b"\0")
            (value,) = struct.unpack(field.format, data)
            return value.rstrip(b"\0").decode() if isinstance(value, bytes) else value
        if any(key.startswith(f"{name}.") for key in layout):
            return Attr(self._command, self._data, f"{name}.")
        raise AttributeError(f"{self._command} has no {name}")

    def __bytes__(self) -> bytes:
        return self._data

    def __len__(self) -> int:
        return len(self._data)
