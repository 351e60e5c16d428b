"""Names of maps and programs as the kernel keeps them."""

from skelgen._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

NAME_LENGTH: "Final" = 15
"""``BPF_OBJ_NAME_LEN`` without the NUL."""


def kernel_name(name: str) -> str:
    """Return what the kernel takes of a name: 15 characters, letters, digits, _ and .

    Others become ``_``.
    """
    return "".join(
        c if c.isascii() and (c.isalnum() or c in "_.") else "_"
        for c in name[:NAME_LENGTH]
    )
