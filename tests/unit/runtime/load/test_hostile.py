"""Objects with bytes changed at random: loaded or refused, in one of our errors."""

import errno
import random
from collections.abc import Callable
from pathlib import Path

import pytest

import skelgen
from skelgen.errors import SkelgenError
from skelgen.runtime.errors import BpfError
from skelgen.runtime.object.object import Object
from tests.harness.fake_kernel import FakeKernel

ROUNDS = 40
FIXTURES = (
    "core_enums",
    "core_fields",
    "core_types",
    "externs_kconfig",
    "externs_kfuncs",
    "maps_nested",
    "maps_prog_array",
    "prog_tracing",
    "struct_ops",
    "subprogs",
)


@pytest.mark.parametrize("name", FIXTURES)
def test_changed_objects_are_loaded_or_refused_and_leave_nothing(
    kernel: FakeKernel, compile_bpf: Callable[[str], Path], name: str
) -> None:
    kernel.always("BTF_GET_NEXT_ID", -errno.ENOENT)
    kernel.always("OBJ_GET", -errno.ENOENT)
    good = compile_bpf(name).read_bytes()
    chance = random.Random(name)  # noqa: S311 - the same ones every time
    loaded = 0
    for _ in range(ROUNDS):
        data = bytearray(good)
        for _ in range(chance.choice((1, 2, 4, 8))):
            data[chance.randrange(len(data))] = chance.choice(
                (0, 1, 255, chance.randrange(256))
            )
        try:
            spec = skelgen.read_object(bytes(data), source_name="x.bpf.o")
        except SkelgenError:
            continue
        obj = Object(spec)
        try:
            obj.load()
            loaded += 1
        except BpfError:
            assert not kernel.open
        obj.destroy()
        assert not kernel.open
    assert loaded
