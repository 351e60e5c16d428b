"""``__arg_ctx`` on kernels that do not know the tag (before 6.8).

A global function is verified by its prototype alone, and older kernels take a pointer
for the context only if it points to a struct with the name that the context of the
program's type has. So tagged functions get a prototype of that kind, one for each type
of program that calls them: a copy, because programs of other types may call them too.
"""

from __future__ import annotations

import os
from struct import iter_unpack, pack

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.edit import BtfEditor
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import skip_mods, skip_mods_and_typedefs
from skelgen.btf.types import DeclTag, Func, FuncProto, Int, Ptr, Struct, Typedef
from skelgen.model import prog_types
from skelgen.model.enums import ProgType
from skelgen.runtime.log import debug

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

TAG: Final = "arg:ctx"
_GLOBAL: Final = 1
_VOID: Final = 0

_REGISTERS: Final = {
    "aarch64": "user_pt_regs",
    "s390x": "user_pt_regs",
    "riscv64": "user_regs_struct",
}
"""The type behind ``bpf_user_pt_regs_t``; ``pt_regs`` elsewhere."""


_RAW: Final = frozenset({ProgType.RAW_TRACEPOINT, ProgType.RAW_TRACEPOINT_WRITABLE})
"""Types whose context is declared as ``__u64 *`` too."""


def _registers(prog_type: int) -> str | None:
    """Return the struct that C code calls the context of a type, beside its name."""
    if prog_type == ProgType.KPROBE:
        return "pt_regs"
    if prog_type == ProgType.PERF_EVENT:
        return _REGISTERS.get(os.uname().machine, "pt_regs")
    return None


def _context(prog_type: int) -> str:
    """Return the type that the verifier knows a context by; empty where it has none."""
    if prog_type == ProgType.KPROBE:
        return "bpf_user_pt_regs_t"
    return prog_types.row(prog_type).context


class CtxArgs:
    """Adds prototypes to an object's BTF, and points programs at them."""

    def __init__(self, data: memoryview) -> None:
        self._btf = Btf(data)
        self._editor = BtfEditor(data)
        self._tags = list(self._find_tags())
        self._pointers: dict[str, int] = {}

    @property
    def data(self) -> bytes:
        """The BTF, with what was added."""
        return self._editor.bytes()

    def _find_tags(self) -> Iterable[tuple[Func, FuncProto, int]]:
        """Yield global functions, their prototypes and indices of tagged arguments."""
        for type_id in self._btf.ids():
            tag = self._btf.type(type_id)
            if not isinstance(tag, DeclTag) or tag.name != TAG:
                continue
            function = self._btf.type(tag.type_id)
            if not isinstance(function, Func) or function.linkage != _GLOBAL:
                continue
            proto = self._btf.type(function.type_id)
            if isinstance(proto, FuncProto) and (
                0 <= tag.component_index < len(proto.params)
            ):
                yield function, proto, tag.component_index

    def apply(self, program: str, prog_type: int, func_info: bytes) -> bytes:
        """Return a program's ``struct bpf_func_info`` records, with new functions."""
        context = _context(prog_type)
        if not context:
            return func_info
        records = list(iter_unpack("=II", func_info))
        called = {type_id for _, type_id in records}
        wanted: dict[int, tuple[Func, FuncProto, list[int]]] = {}
        for function, proto, index in self._tags:
            if function.id not in called:
                continue
            if self._is_fit(proto.params[index].type_id, prog_type):
                wanted.setdefault(function.id, (function, proto, []))[2].append(index)
            else:
                debug(
                    "program '%s': argument %d of '%s' is left as it is",
                    program,
                    index,
                    function.name,
                )
        copies = {key: self._copy(*parts, context) for key, parts in wanted.items()}
        return b"".join(
            pack("=II", insn, copies.get(type_id, type_id)) for insn, type_id in records
        )

    def _is_fit(self, type_id: int, prog_type: int) -> bool:
        """Whether an argument is to become a pointer to the context's struct.

        Not one that is no pointer, or that is right already, or that says something
        else on purpose.
        """
        btf = self._btf
        pointer = btf.type(skip_mods_and_typedefs(btf, type_id))
        if not isinstance(pointer, Ptr):
            return False
        named = btf.type(skip_mods(btf, pointer.type_id))
        if isinstance(named, Typedef) and named.name == "bpf_user_pt_regs_t":
            return False  # the verifier knows it by that name
        target_id = skip_mods_and_typedefs(btf, pointer.type_id)
        if target_id == _VOID:
            return True
        target = btf.type(target_id)
        if isinstance(target, Struct):
            return target.name == _registers(prog_type)
        return prog_type in _RAW and isinstance(target, Int) and target.size == 8

    def _copy(
        self, function: Func, proto: FuncProto, indices: list[int], context: str
    ) -> int:
        """Add a function whose tagged arguments point to the context."""
        pointer = self._pointers.get(context)
        if pointer is None:
            struct = self._editor.add_struct(context, 0)
            pointer = self._pointers[context] = self._editor.add_ptr(struct)
        params = [
            (param.name, pointer if index in indices else param.type_id)
            for index, param in enumerate(proto.params)
        ]
        copy = self._editor.add_func(
            function.name, self._editor.add_func_proto(proto.type_id, params), _GLOBAL
        )
        for index in indices:
            self._editor.add_decl_tag(TAG, copy, index)
        return copy
