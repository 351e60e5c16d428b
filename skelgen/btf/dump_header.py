"""A whole BTF, or what some of its types need, as one C header: ``vmlinux.h``.

C wants every name declared before it is used, and a type complete before another
contains it. So each type is asked for in one of two ways: to be *complete*, as a
member or an element of an array has to be, or to be *named*, as behind a pointer.
What is asked for is written after what it asks for itself; and since the text only
grows, no type need be asked twice in the same way. Only a struct or union with a name
may be declared first and defined later, which is what ends every circle that C has.
"""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.dump_c import TAGS, CWriter, numbered
from skelgen.btf.errors import BtfParseError
from skelgen.btf.flat import (
    ARRAY,
    COMPOSITES,
    DECL_TAG,
    ENUMS,
    FUNC,
    FUNC_PROTO,
    FWD,
    INT,
    MODIFIERS,
    PTR,
    TYPEDEF,
    VAR,
    FlatTypes,
)
from skelgen.btf.kinds import KIND_SHIFT, MAX_KIND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

    from skelgen.btf.parse import Btf

_HEAD: Final = """\
#ifndef __VMLINUX_H__
#define __VMLINUX_H__
"""
_PUSH: Final = """\
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
#endif
"""
_POP: Final = """\
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif
"""
_TAIL: Final = """\
#endif /* __VMLINUX_H__ */
"""
_KFUNCS: Final = """\
#ifndef BPF_NO_KFUNC_PROTOTYPES
#ifndef __ksym
#define __ksym __attribute__((section(".ksyms")))
#endif
#ifndef __weak
#define __weak __attribute__((weak))
#endif
#ifndef __bpf_fastcall
#if __has_attribute(bpf_fastcall)
#define __bpf_fastcall __attribute__((bpf_fastcall))
#else
#define __bpf_fastcall
#endif
#endif
"""
_DEFINED: Final = frozenset({*TAGS, TYPEDEF, FWD})
# what can be asked for in two ways; all else is the same either way
_TWOFOLD: Final = COMPOSITES | MODIFIERS | {TYPEDEF}

# Integers that C has no name for: the vectors of Arm's compilers, other languages'.
_C_WORDS: Final = {
    *("_Bool", "char", "short", "int", "long", "__int128", "signed", "unsigned"),
    *("float", "double"),
}
_SIZED: Final = {1: "char", 2: "short", 4: "int", 8: "long long", 16: "__int128"}
# Names that the compiler defines; its va_list for BPF is another one than the kernel's.
_BUILTIN: Final = "__builtin_va_list"

# How a type was asked for; shifted, that this is not answered yet.
_NAMED: Final = 1
_COMPLETE: Final = 2
_OPEN: Final = 2

_WHOLE: Final = 0xFFFFFFFF  # index of a tag that is no parameter's


def header(btf: Btf, roots: Iterable[int] | None = None) -> str:
    """Return the types of a BTF, base included, as a header for BPF programs.

    ``roots`` limits it to some types, and what they need. Where several types have
    one name, all but the first are numbered, ``name___2``, as bpftool does. Raises
    :class:`BtfParseError` for what C cannot express: a type that consists of itself,
    a name that is no identifier.
    """
    types = FlatTypes(btf)
    try:
        return _Header(types).text(None if roots is None else list(roots))
    except (IndexError, RecursionError) as error:
        raise types.broken(error) from None


class _Header:
    """The text as it grows."""

    __slots__ = ("_declared", "_defined", "_parts", "_state", "_types", "_writer")

    def __init__(self, types: FlatTypes) -> None:
        self._types = types
        self._writer = CWriter(types)
        self._parts: list[str] = []
        self._state = bytearray(len(types))
        self._declared: dict[str, int] = {}  # "struct x" to where that is said
        self._defined = 0  # parts up to the latest definition

    def text(self, roots: list[int] | None) -> str:
        tags = self._name_types()
        for type_id in tags if roots is None else roots:
            is_code = self._types.kind(type_id) in {FUNC, VAR}
            self._ask(self._types.ref(type_id) if is_code else type_id, _COMPLETE)
        kfuncs = dict(self._kfuncs(roots))
        for type_id in kfuncs:
            self._ask(self._types.ref(type_id), _NAMED)
        self._loose_constants(range(len(self._types)) if roots is None else roots)
        alone = self._take_declared()
        parts = list(_spaced(part for part in self._parts if part))
        if self._writer.records:
            parts = [_PUSH, *parts, _POP]
        if alone:
            parts.insert(0, alone)
        if kfuncs:
            parts.append(f"{_KFUNCS}\n{self._prototypes(kfuncs)}#endif\n")
        return "\n".join((_HEAD, *parts, _TAIL))

    # Names

    def _name_types(self) -> list[int]:
        """Give names, and return the types to write, sorted."""
        types, names = self._types, self._writer.names
        idents: dict[str, int] = self._writer.taken
        idents[_BUILTIN] = 1
        tags: dict[str, int] = {}
        heads: dict[str, str] = {}
        mentions: list[int] = []
        again: list[int] = []
        found: list[tuple[int, str, int]] = []
        words = types.words
        for type_id, position in enumerate(types.at):
            kind = words[position + 1] >> KIND_SHIFT & MAX_KIND
            if kind not in _DEFINED or not words[position]:
                continue
            name = types.identifier(words[position])
            taken = idents if kind == TYPEDEF else tags
            if kind == FWD or (kind in ENUMS and not types.vlen(type_id)):
                mentions.append(type_id)
            elif name in taken:
                again.append(type_id)
            else:
                taken[name] = 1
                if kind != TYPEDEF:
                    heads[name] = self._writer.head(type_id)
            rank = 0 if kind in ENUMS else 1 if kind == TYPEDEF else 2
            found.append((rank, name, type_id))
        for type_id in mentions:
            # what is declared here is mostly the one that is defined elsewhere
            head = self._writer.head(type_id)
            if heads.setdefault(types.name(type_id), head) != head:
                again.append(type_id)
        for type_id in again:
            taken = idents if types.kind(type_id) == TYPEDEF else tags
            names[type_id] = numbered(types.name(type_id), taken)
        return [type_id for _, _, type_id in sorted(found)]

    # Order

    def _ask(self, type_id: int, how: int) -> None:
        """Write what has to stand before a type is used."""
        state = self._state
        if state[type_id] & how:
            return
        types = self._types
        position = types.at[type_id]
        kind = types.words[position + 1] >> KIND_SHIFT & MAX_KIND
        named = types.words[position] != 0
        if kind not in _TWOFOLD:
            how = _COMPLETE
        elif how == _NAMED and named and kind in COMPOSITES:
            self._declare(type_id)
            state[type_id] |= _NAMED
            return
        if state[type_id] & how << _OPEN:
            raise BtfParseError(f"btf: type {type_id} consists of itself")
        state[type_id] |= how << _OPEN
        self._ask_parts(type_id, kind, how)
        if named:
            self._define(type_id, kind)
        state[type_id] |= how | _NAMED

    def _ask_parts(self, type_id: int, kind: int, how: int) -> None:
        types, ask = self._types, self._ask
        if kind == PTR:
            ask(types.ref(type_id), _NAMED)
        elif kind in MODIFIERS or kind == TYPEDEF:
            ask(types.ref(type_id), how)
        elif kind == ARRAY:
            ask(types.words[types.at[type_id] + 3], _COMPLETE)
        elif kind in COMPOSITES:
            for member in types.payload(type_id, 3)[1::3]:
                ask(member, _COMPLETE)
        elif kind == FUNC_PROTO:
            ask(types.ref(type_id), _NAMED)
            for param in types.payload(type_id, 2)[1::2]:
                ask(param, _NAMED)

    # Text

    def _declare(self, type_id: int) -> None:
        head = self._writer.head(type_id)
        if head not in self._declared:
            self._declared[head] = len(self._parts)
            self._parts.append(f"{head};\n")

    def _define(self, type_id: int, kind: int) -> None:
        writer, types = self._writer, self._types
        if kind == INT:
            self._alias(type_id)
        elif kind == FWD or (kind in ENUMS and not types.vlen(type_id)):
            self._declare(type_id)
        elif kind in TAGS:
            said = self._declared.get(writer.head(type_id), -1)
            if said >= self._defined:
                self._parts[said] = ""  # needless, right before the definition
            self._append(f"{writer.composite(type_id)};\n")
            self._declared[writer.head(type_id)] = -1
        elif kind == TYPEDEF and not self._state[type_id] & _NAMED:
            text = writer.declare(types.ref(type_id), writer.name(type_id))
            self._append(f"typedef {text};\n")

    def _take_declared(self) -> str:
        """Take out what is declared and never defined.

        It goes before the attribute of the kernel's types: a program may define a
        type of its own under such a name, which would inherit it.
        """
        alone = [(head, at) for head, at in self._declared.items() if at >= 0]
        for _, at in alone:
            self._parts[at] = ""
        return "".join(f"{head};\n" for head, _ in sorted(alone))

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._defined = len(self._parts)

    def _alias(self, type_id: int) -> None:
        """Define an integer whose name the compiler does not know."""
        name = self._types.name(type_id)
        if _C_WORDS.issuperset(name.split()):
            return
        position = self._types.at[type_id]
        flags = self._types.words[position + 3] >> 24
        size = self._types.words[position + 2]
        if name in self._writer.taken or size not in _SIZED:
            return  # a typedef has it
        self._writer.taken[name] = 1
        sign = (
            "_Bool"
            if flags & 4
            else f"{'' if flags & 1 else 'un'}signed {_SIZED[size]}"
        )
        self._append(f"typedef {sign} {name};\n")

    def _loose_constants(self, type_ids: Iterable[int]) -> None:
        """Write enumerations without a name that are part of nothing here."""
        types, inlined = self._types, set(self._writer.inlined)
        for type_id in type_ids:
            position = types.at[type_id]
            if (
                types.words[position + 1] >> KIND_SHIFT & MAX_KIND in ENUMS
                and not types.words[position]
                and type_id not in inlined
                and types.vlen(type_id)
            ):
                self._append(f"{self._writer.composite(type_id)};\n")
                inlined.add(type_id)

    # Functions

    def _kfuncs(self, roots: list[int] | None) -> Iterator[tuple[int, bool]]:
        """Yield the functions that programs may call, and whether ``bpf_fastcall``."""
        types = self._types
        tagged: dict[int, set[str]] = {}
        for type_id, position in enumerate(types.at):
            if types.words[position + 1] >> KIND_SHIFT & MAX_KIND != DECL_TAG:
                continue
            func, component = types.words[position + 2 : position + 4]
            if component == _WHOLE and types.kind(func) == FUNC:
                tagged.setdefault(func, set()).add(types.btf.name(type_id))
        for func, tags in tagged.items():
            if "bpf_kfunc" in tags and (roots is None or func in roots):
                yield func, "bpf_fastcall" in tags

    def _prototypes(self, kfuncs: dict[int, bool]) -> str:
        types = self._types
        lines: dict[str, str] = {}
        for type_id, fast in kfuncs.items():
            name = types.name(type_id)
            text = self._writer.declare(types.ref(type_id), name)
            before = "__bpf_fastcall " if fast else ""
            lines[name] = f"extern {before}{text} __weak __ksym;\n"
        return "".join(line for _, line in sorted(lines.items()))


def _spaced(parts: Iterator[str]) -> Iterator[str]:
    """Set definitions of several lines apart, and leave the others together."""
    run: list[str] = []
    for part in parts:
        if part.count("\n", 0, -1):
            if run:
                yield "".join(run)
                run.clear()
            yield part
        else:
            run.append(part)
    if run:
        yield "".join(run)
