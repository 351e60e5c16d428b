"""BTF type by type, in bpftool's words: JSON for programs, lines for people."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.btf import flat
from skelgen.btf.c_layout import members
from skelgen.btf.dump_c import enumerator_words
from skelgen.btf.flat import FlatTypes
from skelgen.btf.kinds import ROWS, Kind
from skelgen.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Final, TypeAlias

    from skelgen.btf.parse import Btf

Items: TypeAlias = list[dict[str, object]]
Described: TypeAlias = dict[str, object]

_KINDS: Final = [kind.name for kind in ROWS]
_ENCODINGS: Final = {0: "(none)", 1: "SIGNED", 2: "CHAR", 4: "BOOL"}
_LINKAGES: Final = {0: "static", 1: "global", 2: "extern"}


def json_dump(btf: Btf, roots: Iterable[int] | None = None) -> str:
    """Return the types stored in a BTF as ``bpftool -j btf dump`` does.

    One object, ``{"types": [{"id": 1, "kind": "INT", "name": "int", ...}, ...]}``; a
    type without a name is called ``(anon)``. Unsigned constants of 32 bits are so here,
    where bpftool sign-extends them. ``roots`` limits it to some types and all that
    they refer to. Raises :class:`BtfParseError` for broken BTF.
    """
    import json

    encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    return f'{{"types":[{",".join(map(encode, _described(btf, roots)))}]}}\n'


def raw_dump(btf: Btf, roots: Iterable[int] | None = None) -> str:
    """Return the types stored in a BTF as ``bpftool btf dump`` does, a line each.

    Members, constants, ... have lines of their own, behind a tab. See
    :func:`json_dump`.
    """
    return "".join(f"{_line(found)}\n" for found in _described(btf, roots))


def _described(btf: Btf, roots: Iterable[int] | None) -> Iterator[Described]:
    types = FlatTypes(btf)
    describer = _Describer(types)
    try:
        ids = btf.ids() if roots is None else sorted(_reached(types, roots))
        for type_id in ids:
            yield describer.describe(type_id)
    except (IndexError, RecursionError) as error:
        raise types.broken(error) from None


def _reached(types: FlatTypes, roots: Iterable[int]) -> set[int]:
    """Return some types, and all that these refer to."""
    seen = {0}
    waiting = list(roots)
    while waiting:
        type_id = waiting.pop()
        if type_id not in seen:
            seen.add(type_id)
            waiting += types.references(type_id)
    return seen - {0}


class _Describer:
    """Finds what there is to say about each type."""

    __slots__ = ("_details", "_names", "_types")

    def __init__(self, types: FlatTypes) -> None:
        self._types = types
        self._names: dict[int, str] = {0: "(anon)"}
        self._details: dict[int, Callable[[int], Described]] = {
            flat.INT: self._int,
            flat.ARRAY: self._array,
            flat.STRUCT: self._composite,
            flat.UNION: self._composite,
            flat.ENUM: self._enum,
            flat.ENUM64: self._enum,
            flat.FWD: self._fwd,
            flat.FUNC: self._func,
            flat.FUNC_PROTO: self._func_proto,
            flat.VAR: self._var,
            flat.DATASEC: self._datasec,
            flat.DECL_TAG: self._decl_tag,
        }

    def describe(self, type_id: int) -> Described:
        types = self._types
        kind = types.kind(type_id)
        known = kind < len(_KINDS)
        found: Described = {
            "id": type_id,
            "kind": _KINDS[kind] if known else "UNKNOWN",
            "name": self._name(types.words[types.at[type_id]]),
        }
        if known:
            found |= self._details.get(kind, self._third)(type_id)
        return found

    def _name(self, offset: int) -> str:
        name = self._names.get(offset)
        if name is None:
            name = self._names[offset] = self._types.btf.string(offset)
        return name

    def _third(self, type_id: int) -> Described:
        """Describe a kind of which there is no more to say than its row does."""
        third = ROWS[Kind(self._types.kind(type_id))].third
        name = "type_id" if third == "type" else "size"
        return {name: self._types.ref(type_id)}

    def _int(self, type_id: int) -> Described:
        position = self._types.at[type_id]
        encoding = self._types.words[position + 3]
        return {
            "size": self._types.ref(type_id),
            "bits_offset": encoding >> 16 & 0xFF,
            "nr_bits": encoding & 0xFF,
            "encoding": _ENCODINGS.get(encoding >> 24 & 0xF, "UNKN"),
        }

    def _array(self, type_id: int) -> Described:
        position = self._types.at[type_id] + 3
        element, index, count = self._types.words[position : position + 3]
        return {"type_id": element, "index_type_id": index, "nr_elems": count}

    def _composite(self, type_id: int) -> Described:
        name = self._name
        listed: Items = []
        for name_offset, member, offset, width in members(self._types, type_id):
            item: Described = {
                "name": name(name_offset),
                "type_id": member,
                "bits_offset": offset,
            }
            if width:
                item["bitfield_size"] = width
            listed.append(item)
        size = self._types.ref(type_id)
        return {"size": size, "vlen": len(listed), "members": listed}

    def _enum(self, type_id: int) -> Described:
        names, values = enumerator_words(self._types, type_id)
        return {
            "encoding": "SIGNED" if self._types.flag(type_id) else "UNSIGNED",
            "size": self._types.ref(type_id),
            "vlen": len(values),
            "values": [
                {"name": self._name(name), "val": value}
                for name, value in zip(names, values, strict=True)
            ],
        }

    def _fwd(self, type_id: int) -> Described:
        return {"fwd_kind": "union" if self._types.flag(type_id) else "struct"}

    def _func(self, type_id: int) -> Described:
        linkage = _LINKAGES.get(self._types.vlen(type_id), "(unknown)")
        return {"type_id": self._types.ref(type_id), "linkage": linkage}

    def _func_proto(self, type_id: int) -> Described:
        words = iter(self._types.payload(type_id, 2))
        params: Items = [
            {"name": self._name(name), "type_id": param}
            for name, param in zip(words, words, strict=True)
        ]
        result = self._types.ref(type_id)
        return {"ret_type_id": result, "vlen": len(params), "params": params}

    def _var(self, type_id: int) -> Described:
        linkage = self._types.words[self._types.at[type_id] + 3]
        return {
            "type_id": self._types.ref(type_id),
            "linkage": _LINKAGES.get(linkage, "(unknown)"),
        }

    def _datasec(self, type_id: int) -> Described:
        words = iter(self._types.payload(type_id, 3))
        listed: Items = [
            {"type_id": var, "offset": offset, "size": size}
            for var, offset, size in zip(words, words, words, strict=True)
        ]
        size = self._types.ref(type_id)
        return {"size": size, "vlen": len(listed), "vars": listed}

    def _decl_tag(self, type_id: int) -> Described:
        index = self._types.words[self._types.at[type_id] + 3]
        return {
            "type_id": self._types.ref(type_id),
            "component_idx": index - (index >> 31 << 32),
        }


def _line(found: Described) -> str:
    text = f"[{found.pop('id')}] {found.pop('kind')}"
    items: Items = []
    name = found.pop("name")
    for key in ("members", "values", "params", "vars"):
        items = found.pop(key, items)  # type: ignore[assignment]
    return "\n\t".join(
        (f"{text} {_fields({'name': name} | found)}", *map(_fields, items))
    )


def _fields(item: Described) -> str:
    """Return ``'name' key=value key=value``."""
    return " ".join(
        f"'{plain(str(value))}'" if key == "name" else f"{key}={value}"
        for key, value in item.items()
    )
