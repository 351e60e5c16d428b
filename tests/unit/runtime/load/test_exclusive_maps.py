"""Maps that one program may use alone."""

import errno
import hashlib

import pytest

from skelgen.model.spec import JumpTable, MapFd
from skelgen.runtime.errors import BpfError, BpfOSError, NotSupportedError
from skelgen.runtime.object.object import Object
from tests.harness.fake_kernel import FakeKernel
from tests.harness.one_program import HASH, one_program
from tests.harness.specs import RETURN_0, ldimm64


def test_a_map_of_one_program_has_the_hash_of_its_instructions(
    kernel: FakeKernel,
) -> None:
    """Its hash does not depend on the fds that maps get."""
    hashes: list[bytes] = []
    kernel.always(
        "MAP_CREATE",
        lambda c: hashes.append(c.memory("excl_prog_hash", c.attr.excl_prog_hash_size)),
    )
    insns = ldimm64(1) + ldimm64(2) + RETURN_0
    relocs = (MapFd(0, "m"), JumpTable(2, (4, 5)))
    with Object(one_program(insns, relocs=relocs, maps=(HASH,))) as obj:
        obj.map("m").exclusive_program = obj.program("prog")
        obj.load()
    plain = ldimm64(1, src=1) + ldimm64(2, src=2) + RETURN_0  # MAP_FD, MAP_VALUE
    assert hashes == [hashlib.sha256(plain).digest(), b""]


def test_a_map_of_a_program_that_is_not_there_is_refused(kernel: FakeKernel) -> None:
    for name, message in (
        ("prog", "no program 'prog' is loaded; set its autoload"),
        ("other", "the object has no program 'other'"),
    ):
        with Object(one_program(maps=(HASH,), autoload=False)) as obj:
            obj.map("m").exclusive_program = name
            with pytest.raises(
                BpfError, match=f"^map 'm': exclusive_program: {message}$"
            ):
                obj.load()
    with (
        Object(one_program(maps=(HASH,))) as obj,
        Object(one_program(maps=(HASH,))) as other,
    ):
        obj.map("m").exclusive_program = other.program("prog")
        with pytest.raises(
            BpfError,
            match=r"^map 'm': .*program 'prog' is a clone, or of another object$",
        ):
            obj.load()
    with Object(one_program(maps=(HASH,))) as obj:
        obj.map("m").exclusive_program = "prog"
        kernel.then("MAP_CREATE", -errno.E2BIG)
        with pytest.raises(
            NotSupportedError, match=r"map 'm': .* no maps of one program .*6\.18"
        ):
            obj.load()
        kernel.then("MAP_CREATE", *[-errno.E2BIG] * 4)
        with pytest.raises(BpfOSError, match=r"map 'm': .* lower max_entries"):
            obj.load()
    assert not kernel.open
