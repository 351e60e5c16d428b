"""The agreement between generated modules and the runtime."""

from __future__ import annotations

import os
import sys

from skelgen._typing import TYPE_CHECKING
from skelgen.arguments import must_be
from skelgen.arguments import number as number_in
from skelgen.runtime.errors import AbiError, BpfError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from skelgen.model.spec import ObjectSpec

ABI: Final = 1
"""The number of this runtime, which loads modules of any lower number too."""


def require_abi(number: int) -> None:
    """Refuse to be used by a module that was generated for a newer runtime.

    Raises :class:`AbiError`, an ``ImportError``.
    """
    if number_in(number, "number") > ABI:
        raise AbiError(
            f"skeleton: generated for runtime interface {number}, and the skelgen that"
            f" is installed has {ABI}; upgrade it: pip install --upgrade bpf-skelgen"
        )


def decode(text: str, *, size: int) -> bytes:
    """Return the bytes of a generated module's image.

    Raises ``ImportError`` when the module was changed since it was generated.
    """
    must_be((str, bytes), text, "text", "str")
    from binascii import Error, a2b_base64

    try:
        data = a2b_base64(text)
    except (Error, ValueError) as error:
        raise ImportError(f"skeleton: its image is no base64: {error}") from error
    if len(data) != size:
        raise ImportError(
            f"skeleton: its image has {len(data)} bytes and should have {size};"
            " generate the module again"
        )
    return data


def image_for_machine(name: str, /, **images: Callable[[], ObjectSpec]) -> ObjectSpec:
    """Return the blueprint that was compiled for this machine.

    ``images`` builds one for each machine by its name (``uname -m``: ``x86_64``,
    ``aarch64``), or by byte order: ``bpfel`` and ``bpfeb`` serve every little-endian
    and big-endian machine without an image of its own. There is one alone, with the name
    of its machine, where a program reads registers. Raises BpfError when none fits.
    """
    machine = os.uname().machine
    image = images.get(machine) or images.get(
        "bpfel" if sys.byteorder == "little" else "bpfeb"
    )
    if image is None:
        words = " ".join(f"--target {target}" for target in (*images, machine))
        raise BpfError(
            f"object '{name}': built for {', '.join(images)}, and this machine is"
            f" {machine}; build it again with {words}, or with these as targets in"
            " [tool.skelgen]"
        )
    return image()
