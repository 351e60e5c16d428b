"""The image of an object: runs of bytes, aligned, each stored once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skelgen.model.image import ImageBuilder
from skelgen.model.spec import ObjectSpec, Span

RUNS = st.lists(
    st.tuples(st.binary(max_size=20), st.sampled_from((1, 2, 4, 8, 16))), max_size=20
)


@given(RUNS)
def test_spans_point_to_what_was_added(runs: list[tuple[bytes, int]]) -> None:
    builder = ImageBuilder()
    spans = [builder.add(data, align) for data, align in runs]
    spec = ObjectSpec("x", "x.o", "little", "GPL", image=builder.bytes())
    assert len(builder) == len(spec.image) <= sum(len(d) + a for d, a in runs)
    for (data, align), span in zip(runs, spans, strict=True):
        assert span.offset % align == 0
        assert span.size == len(data)
        assert spec.view(span) == data
    again = ImageBuilder()
    assert [again.add(data, align) for data, align in runs] == spans
    assert again.bytes() == builder.bytes()


def test_equal_runs_are_stored_once() -> None:
    builder = ImageBuilder()
    assert builder.add(b"abc") == Span(0, 3)
    assert builder.add(bytearray(b"xy"), align=1) == Span(3, 2)
    assert builder.add(memoryview(b"abc")) == Span(0, 3)
    assert builder.add(b"xy", align=4) == Span(8, 2)
    assert builder.bytes() == b"abcxy\0\0\0xy"


def test_alignment_is_positive() -> None:
    with pytest.raises(ValueError, match="alignment 0: not a positive number"):
        ImageBuilder().add(b"x", align=0)
