"""The object of all kinds of parts, opened, and pins that can be seen."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

from skelgen.runtime.object.object import Object
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.specs import rich_object


def open_rich(folder: Path) -> Object:
    return Object(rich_object(), pin_root=folder, kconfig="CONFIG_X=-7")


def with_pins(kernel: FakeKernel) -> None:
    """Let pins be files that can be seen."""

    def pin(call: Call) -> None:
        os.mknod(call.text("pathname"))

    kernel.always("OBJ_GET", -errno.ENOENT)
    kernel.always("OBJ_PIN", pin)


def info_of(
    kind: int, key: int, value: int, entries: int, flags: int
) -> Callable[[Call], int]:
    """Return what tells about a map of this definition."""

    def tell(call: Call) -> int:
        info = [kind, 99, key, value, entries, flags]
        data = b"".join(number.to_bytes(4, "little") for number in info)
        call.fill("info", data)
        return 0

    return tell
