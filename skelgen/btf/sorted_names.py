"""Names found by bisection, in BTF whose types are sorted by name.

The kernel's own build sorts BTF of vmlinux and of modules since Linux 7.0: first the
types without a name, then the others in the order of ``strcmp()``.
"""

from bisect import bisect_left, bisect_right

from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skelgen.btf.raw import RawBtf


class SortedNames:
    """The named types of sorted BTF."""

    __slots__ = ("_btf", "_places")

    def __init__(self, btf: "RawBtf", first: int) -> None:
        self._btf = btf
        # in btf.positions
        self._places = range(first, len(btf.positions))

    @property
    def first_id(self) -> int:
        """Number of the first type with a name."""
        return self._btf.start_id + self._places.start

    def equal(self, name: bytes) -> range:
        """Return the types of a name."""
        return self._found(name, len(name) + 1)

    def starting(self, prefix: bytes) -> range:
        """Return the types whose names start so."""
        return self._found(prefix, len(prefix))

    def _found(self, key: bytes, width: int) -> range:
        """Return the types whose names, cut to so many bytes, are the key."""
        places, btf = self._places, self._btf
        words, positions, head = btf.words, btf.positions, btf.string_head

        def cut(place: int) -> bytes:
            return head(words[positions[place]], width)

        begin = bisect_left(places, key, key=cut)
        end = bisect_right(places, key, lo=begin, key=cut)
        ids = btf.ids()
        return ids[places.start + begin : places.start + end]
