"""From a class body with members to a class of ctypes.

The body says size and offsets, which are BTF's, and leaves nothing for ctypes to
decide: ``_pack_`` keeps it from aligning members, and *hidden* fields fill every gap
and the tail. Their name is their byte range, which no C name can be: ``"4:8"``.

* A member that ctypes reads as its codec does becomes a field of ctypes, which reads
  it in C. Any other stays a descriptor over hidden bytes.
* Members may overlap. ctypes allows that in unions alone, but shows the members of an
  anonymous union as the outer struct's. So members that overlap are spread over layers:
  structs, each without an overlap, in one anonymous union.
"""

from __future__ import annotations

# ruff: noqa: ANN401 (types of ctypes have no common name)
import ctypes

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import number
from skelgen.runtime.values.member import PLACE, Descriptor, Member

if TYPE_CHECKING:
    # ctypes' classes have a __getattr__ for type checkers, to which a misspelt member
    # then is no error; their base has none
    from _ctypes import _CData  # pyright: ignore[reportPrivateUsage]
    from collections.abc import Callable, Sequence
    from typing import Any, Self, TypeAlias

    from _typeshed import ReadableBuffer, WriteableBuffer

    from skelgen.runtime.values.codec import Codec

    Members: TypeAlias = Sequence[Member]
    Field: TypeAlias = tuple[str, Any]
    Body: TypeAlias = dict[str, Any]
    """The attributes that a class is made of."""

    class _Memory(_CData):  # pyright: ignore[reportGeneralTypeIssues]
        def __init_subclass__(cls, *, size: int = 0) -> None: ...
        @classmethod
        def from_buffer(cls, source: WriteableBuffer, offset: int = 0) -> Self: ...
        @classmethod
        def from_buffer_copy(cls, source: ReadableBuffer, offset: int = 0) -> Self: ...
        def __bytes__(self) -> bytes: ...

    # with a metaclass of its own for a class mypy checks no size=
    StructMeta: TypeAlias = type
    UnionMeta: TypeAlias = type

    class Structure(_Memory):
        """A struct of ctypes."""

    class Union(_Memory):
        """A union of ctypes."""

else:
    Structure, Union = ctypes.Structure, ctypes.Union


def _layer(members: Members, size: int) -> tuple[list[Field], Members]:
    """Return fields that fill a struct, and the members for which it has no room."""
    fields: list[Field] = []
    left: list[Member] = []
    end = 0
    for member in members:
        start = member.offset
        if start < end:
            left.append(member)
            continue
        if start > end:
            fields.append(_hidden(end, start))
        fields.append((member.name, member.codec.ctype))
        end = member.end
    if end < size:
        fields.append(_hidden(end, size))
    return fields, left


def _hidden(start: int, end: int) -> Field:
    return f"{start}:{end}", ctypes.c_uint8 * (end - start)


def _packed(fields: Sequence[Field], anonymous: Sequence[str] = ()) -> Body:
    # Python 3.14 wants the name of a layout beside a packing
    body: Body = {"_pack_": 1, "_layout_": "ms", "_fields_": fields}
    if anonymous:
        body["_anonymous_"] = anonymous
    return body


def _made(name: str, base: Any, body: Body) -> Any:
    return type(base)(name, (base,), body)


def _struct(members: Members, size: int) -> Body:
    """Return what makes a class of ctypes the struct of these members."""
    fields, left = _layer(members, size)
    if not left:
        return _packed(fields)
    layers = _made("layers", ctypes.Union, _union(members, size))
    return _packed([("#", layers)], ["#"])


def _union(members: Members, size: int) -> Body:
    """Return what makes a class of ctypes the union of these members."""
    fields = [_hidden(0, size)]
    fields += [(one.name, one.codec.ctype) for one in members if not one.offset]
    left: Members = [one for one in members if one.offset]
    layers: list[str] = []
    while left:
        layer, left = _layer(left, size)
        name = f"#{len(layers)}"
        layers.append(name)
        fields.append((name, _made("layer", ctypes.Structure, _packed(layer))))
    return _packed(fields, layers)


def _laid_out(
    name: str, body: Body, size: int, lay_out: Callable[[Members, int], Body]
) -> Body:
    """Return the body of a class with fields of ctypes in place of members."""
    made = body.copy()
    members: dict[str, Codec[Any] | None] = {}
    fields: list[Member] = []
    for key, one in body.items():
        if isinstance(one, Descriptor):
            if not 0 <= one.offset <= one.end <= size:
                raise TypeError(
                    f"{name}.{key} is outside of its class of {size} bytes: it is at"
                    f" {one.offset}:{one.end}"
                )
            codec = None
            if isinstance(one, Member) and one.codec.by_ctypes:
                codec = one.codec
                one.name = key
                fields.append(one)
                del made[key]
            members[key] = codec
    made["__members__"] = members
    made.update(lay_out(fields, size))
    return made


def _compare(cls: Any, body: Body, size: int) -> None:
    """Refuse a class that ctypes has laid out in another way than its body says."""
    whole = ctypes.sizeof(cls)
    if whole != size:
        raise TypeError(f"{cls.__name__}: this Python makes it {whole} bytes, C {size}")
    for name, codec in cls.__members__.items():
        if codec is not None and getattr(cls, name).offset != body[name].offset:
            raise TypeError(
                f"{cls.__name__}.{name}: this Python has it at offset"
                f" {getattr(cls, name).offset}, C at {body[name].offset}"
            )


def _no_size(name: str, body: Body) -> None:
    """Refuse members of a class that does not say its size."""
    for key, one in body.items():
        if isinstance(one, Descriptor):
            raise TypeError(f"{name} has a member '{key}', and no size=")


if not TYPE_CHECKING:  # whose bases ctypes has no names for

    def _metaclass(base: type, lay_out: Callable[[Members, int], Body]) -> type:
        """Return a metaclass of ctypes that lays members out by their offsets."""

        class Meta(base):
            def __new__(
                cls, name: str, bases: Any, body: Body, *, size: int | None = None
            ) -> Any:
                if size is None:
                    _no_size(name, body)
                else:
                    number(size, "size", PLACE, name)
                    body = _laid_out(name, body, size, lay_out)
                return super().__new__(cls, name, bases, body)

            def __init__(
                self, name: str, bases: Any, body: Body, *, size: int | None = None
            ) -> None:
                super().__init__(name, bases, body)
                if size is not None:
                    _compare(self, body, size)

        return Meta

    StructMeta = _metaclass(type(ctypes.Structure), _struct)
    UnionMeta = _metaclass(type(ctypes.Union), _union)
