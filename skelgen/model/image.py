"""The image of an object: all its bytes in one piece, see ``ObjectSpec.image``."""

from builtins import bytes as _bytes  # a method is called bytes

from skelgen.model.spec import Span


class ImageBuilder:
    """Collects runs of bytes and says where each one lies.

    Equal runs are stored once. The same calls in the same order give the same image.
    """

    __slots__ = ("_data", "_known")

    def __init__(self) -> None:
        self._data = bytearray()
        self._known: dict[_bytes, int] = {}

    def add(self, data: _bytes | bytearray | memoryview, align: int = 8) -> Span:
        """Store ``data`` at a multiple of ``align`` bytes and return its place."""
        if align < 1:
            raise ValueError(f"alignment {align}: not a positive number")
        piece = _bytes(data)
        offset = self._known.get(piece)
        if offset is None or offset % align:
            self._data += _bytes(-len(self._data) % align)
            offset = self._known[piece] = len(self._data)
            self._data += piece
        return Span(offset, len(piece))

    def bytes(self) -> _bytes:
        """Return the image as it is now."""
        return _bytes(self._data)

    def __len__(self) -> int:
        return len(self._data)
