"""BTF, read on demand: raw bytes, the place of every type, nothing more.

A type is decoded when it is asked for, and then kept. Constructing a :class:`Btf`
checks the header, the sections and the length of every record; what a record says
(names, references) is checked when it is decoded, or all at once by
:func:`skelgen.btf.verify.check`.

Strings are UTF-8; another is a :class:`BtfParseError` when it is asked for.
"""

from mmap import mmap

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.kinds import Kind
from skelgen.btf.raw import RawBtf

if TYPE_CHECKING:
    from collections.abc import Callable

    from skelgen.btf.types import Type


class Btf(RawBtf):
    """BTF of an object, of the kernel or of a module, in either byte order.

    ``base`` is what split BTF continues: vmlinux for a module. Raises
    :class:`BtfParseError`.
    """

    __slots__ = (
        "_cache",
        "_decode",
        "_named",
        "align_cache",
        "base",
        "declarations",
    )

    def __init__(
        self,
        data: bytes | bytearray | memoryview | mmap,
        *,
        base: "Btf | None" = None,
    ) -> None:
        super().__init__(data, base=base)
        self._prepare(base)

    def _prepare(self, base: "Btf | None") -> None:
        """Have nothing decoded and nothing looked up yet."""
        self.base = base
        """The BTF that this one continues, or ``None``."""
        self._cache: dict[int, Type] = {}
        self._decode: Callable[[RawBtf, int], Type] | None = None
        self._named: dict[bytes, list[int]] | None = None
        self.align_cache: dict[tuple[int, int], int] = {}
        """Alignments of structs found by :func:`skelgen.btf.resolve.align_of`."""
        self.declarations: dict[tuple[int, bool], tuple[str, str]] = {}
        """The text of :func:`skelgen.btf.decl.declaration` before and behind a name,
        by type and by whether there is a name."""

    def type(self, type_id: int) -> "Type":
        """Return a type, decoded."""
        found = self._cache.get(type_id)
        if found is not None:
            return found
        if self.base is not None and type_id < self.start_id:
            return self.base.type(type_id)
        if self._decode is None:
            # 22 named tuples take 3 ms to define: not before they are needed
            from skelgen.btf.decode import decode

            self._decode = decode
        found = self._cache[type_id] = self._decode(self, type_id)
        return found

    # Search

    def find(
        self, name: str, kind: Kind | None = None, *, own: bool = False
    ) -> int | None:
        """Return the first type of that name, or ``None``.

        The base comes first; ``own`` leaves it out.
        """
        if self.base is not None and not own:
            found = self.base.find(name, kind)
            if found is not None:
                return found
        named = self._own_named(name, () if kind is None else (kind,))
        return named[0] if named else None

    def find_all(self, name: str, *kinds: Kind, own: bool = False) -> list[int]:
        """Return every type of that name, of any of the kinds if some are given."""
        found: list[int] = []
        if self.base is not None and not own:
            found += self.base.find_all(name, *kinds)
        return found + self._own_named(name, kinds)

    def _own_named(self, name: str, kinds: tuple[Kind, ...]) -> list[int]:
        """Return the types stored here of a name and kinds, in order."""
        if self._named is None:
            self._named = self._all_named()
        key = name.encode("utf-8", "surrogatepass")
        found = self._named.get(key, ()) if key else ()
        return [
            type_id for type_id in found if not kinds or self.kind(type_id) in kinds
        ]

    def _all_named(self) -> dict[bytes, list[int]]:
        """Return all types stored here by their names."""
        named: dict[bytes, list[int]] = {}
        lists: dict[int, list[int]] = {0: []}
        for type_id, position in zip(self.ids(), self._offsets, strict=True):
            offset = self.words[position]
            if offset not in lists:
                lists[offset] = named.setdefault(self._raw_string(offset), [])
            lists[offset].append(type_id)
        return named
