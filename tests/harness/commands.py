"""The commands of ``bpf(2)`` as an enumeration, for tests that show or count them."""

from enum import IntEnum

from skelgen.model import enums

Command = IntEnum(
    "Command",
    [item for item in vars(enums.Command).items() if item[0].isupper()],
)
