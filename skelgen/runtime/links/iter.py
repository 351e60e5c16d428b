"""Links of iterators, which are read like files."""

import io

from skelgen.arguments import ROOM, checks_arguments, number
from skelgen.plain import plain
from skelgen.runtime import syscalls
from skelgen.runtime.links.base import Link


class IterLink(Link):
    """An iterator: every :meth:`open` runs it again."""

    __slots__ = ()

    @checks_arguments
    def open(self, buffering: int = 65536) -> io.BufferedReader:
        """Run the program over the objects it walks; its output is the file.

        ``BPF_ITER_CREATE``, Linux 5.8. The caller closes the file. For text wrap it
        in :class:`io.TextIOWrapper`.
        """
        buffering = number(buffering, "buffering", (1, ROOM[1]), self.what)
        raw = io.FileIO(syscalls.iter_create(self.fd(), what=self.what), "rb")
        return io.BufferedReader(raw, buffering)

    def read(self) -> bytes:
        """Run the program over all objects and return what it wrote."""
        with self.open() as reader:
            return reader.read()

    @checks_arguments
    def read_text(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        """Run the program over all objects and return what it wrote, as text."""
        data = self.read()
        try:
            return data.decode(encoding, errors)
        except LookupError as error:
            raise ValueError(
                f"{self.what}: encoding or errors: {plain(str(error))}"
            ) from None
