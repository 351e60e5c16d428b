"""An object for big-endian machines says the same as its little-endian twin."""

from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen.btf.parse import Btf
from skelgen.elf.object import read_object
from skelgen.model.spec import ObjectSpec
from tests.harness import sources

BIG_OBJECTS = sorted((sources.DATA / "objects").glob("*.big.bpf.o"))


OTHER_CODE = {
    "instructions": "what is in network order needs no swap",
    "types_bitfields": "bit-fields start at the other end of a word",
    "core_bitfields": "likewise",
}


def read(path: Path) -> ObjectSpec:
    name = path.name.partition(".")[0]
    return read_object(path.read_bytes(), name=name, source=path.name)


def test_twins_of_both_byte_orders_say_the_same(
    compile_bpf: Callable[..., Path], bpf_source: sources.Source
) -> None:
    little = read(compile_bpf(bpf_source.name))
    big = read(compile_bpf(bpf_source.name, byteorder="big"))
    assert (little.byteorder, big.byteorder) == ("little", "big")
    if bpf_source.name in OTHER_CODE:
        assert len(little.image) != len(big.image)
        assert (big.maps, big.externs) == (little.maps, little.externs)
        assert shapes(big) == shapes(little)
        return
    # Everything but the bytes themselves is equal.
    assert big._replace(byteorder="little", image=b"") == little._replace(image=b"")
    if little.btf is not None:
        assert big.btf is not None
        ours = Btf(bytes(little.view(little.btf)))
        theirs = Btf(bytes(big.view(big.btf)))
        assert (ours.byteorder, theirs.byteorder) == ("little", "big")
        assert [*map(ours.type, ours.ids())] == [*map(theirs.type, theirs.ids())]


def shapes(spec: ObjectSpec) -> list[tuple[object, ...]]:
    programs = [(one.name, one.section, one.type) for one in spec.programs]
    return [*programs, *((one.section, one.size, one.kind) for one in spec.data)]


@pytest.mark.parametrize("path", BIG_OBJECTS, ids=lambda path: path.name)
def test_committed_big_endian_objects_say_what_their_source_does(
    path: Path, compile_bpf: Callable[..., Path]
) -> None:
    """Other headers and compilers, so only what the C file itself decides is equal."""
    big = read(path)
    little = read(compile_bpf(big.name))
    assert big.byteorder == "big"
    for what in ("maps", "programs"):
        names = [one.name for one in getattr(big, what)]
        assert names == [one.name for one in getattr(little, what)]
    assert [one.type for one in big.programs] == [one.type for one in little.programs]
    assert {one.section: one.size for one in big.data} == {
        one.section: one.size for one in little.data
    }
