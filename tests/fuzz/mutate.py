"""Objects made hostile: what a fuzzer would do to a file, from a seed."""

import random
from collections.abc import Sequence

EVIL = (
    b"'''",
    b'"""',
    b'"""\nimport os\n"""',
    b"'\nimport os #",
    b"\\",
    b'\\"',
    b"\\N{DASH}",
    b"{{ x }}",
    b"{% raw %}",
    b"\n    import os\n",
    b"\r\n\x0c\x1a",
    b"class",
    b"None",
    b"__init__",
    b"__class__",
    b"rt",
    b"ctypes",
    b"import os",
    b"a b",
    b"*/",
    b"# fmt: on",
    b"\xc3\xa9",
    b"\xe2\x80\xae",
    b"\xff\xfe",
    "\N{MATHEMATICAL BOLD SMALL A}".encode(),
)
"""What a name or a line of C might be, in an object that nobody compiled."""

_NUMBERS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutate(seed: int, objects: Sequence[bytes]) -> bytes:
    """Return one of the objects with some of it changed; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - a fuzzer, repeatable on purpose
    data = bytearray(chance.choice(objects))
    kind = chance.randrange(6)
    if kind == 0:
        return bytes(data[: chance.randrange(len(data))])
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(data))
        if kind == 1:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            at &= ~3
            number = chance.choice(_NUMBERS) + chance.randrange(-2, 3)
            data[at : at + 4] = (number & 0xFFFFFFFF).to_bytes(4, "little")
        elif kind == 3:
            _splice(data, chance)
        elif kind == 4:
            other = chance.choice(objects)
            size = min(chance.randrange(1, 64), len(data) - at)
            start = chance.randrange(max(len(other) - size, 1))
            data[at : at + size] = other[start : start + size].ljust(size, b"\0")
        else:
            size = min(chance.randrange(1, 32), len(data) - at)
            data[at : at + size] = chance.randbytes(size)
    return bytes(data)


def _splice(data: bytearray, chance: random.Random) -> None:
    """Put an evil string over a text of the object, keeping everything's place."""
    for _ in range(20):
        at = data.find(b"\0", chance.randrange(len(data))) + 1
        end = data.find(b"\0", at)
        if 0 < at < end and data[at:end].isascii() and end - at > 1:
            break
    else:
        return
    evil = chance.choice(EVIL)
    if chance.random() < 0.5:  # inside the text, where it was
        at += chance.randrange(end - at)
    evil = evil[: end - at]
    data[at : at + len(evil)] = evil
    if chance.random() < 0.3:
        data[at + len(evil) : end] = bytes(end - at - len(evil))
