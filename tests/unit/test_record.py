"""A record is a named tuple, except that it is made faster."""

import pickle
from typing import TYPE_CHECKING, NamedTuple

import pytest

from skelgen._record import Record

if TYPE_CHECKING:
    from collections.abc import Callable


class Fast(Record):
    """Three fields."""

    one: int
    two: str = "2"
    three: "tuple[int, ...]" = ()

    @property
    def double(self) -> int:
        return 2 * self.one

    def with_one(self, one: int) -> "Fast":
        return self._replace(one=one)


class Slow(NamedTuple):
    """Three fields."""

    one: int
    two: str = "2"
    three: "tuple[int, ...]" = ()


class Empty(Record):
    """No field."""


class One(Record):
    only: int


def test_it_is_the_tuple() -> None:
    assert Fast(1) == Slow(1) == (1, "2", ())
    assert hash(Fast(1)) == hash(Slow(1))
    assert Fast(1, three=(3,), two="x") == Slow(1, "x", (3,))
    assert isinstance(Fast(1), tuple)
    assert Fast(1).double == 2
    assert Fast(1).with_one(5) == (5, "2", ())
    assert Empty() == ()
    assert One(1) == (1,)


@pytest.mark.parametrize("name", ["_fields", "_field_defaults", "__match_args__"])
def test_class_attributes_are_those_of_the_tuple(name: str) -> None:
    assert getattr(Fast, name) == getattr(Slow, name)


def test_names_are_those_of_the_class() -> None:
    assert Fast.__name__ == Fast.__qualname__ == "Fast"
    assert Fast.__module__ == Slow.__module__ == __name__
    assert Fast.__doc__ == Slow.__doc__


def test_methods_are_those_of_the_tuple() -> None:
    fast, slow = Fast(1, "x"), Slow(1, "x")
    assert repr(fast) == repr(slow).replace("Slow", "Fast")
    assert fast._asdict() == slow._asdict()
    assert fast._replace(two="y") == slow._replace(two="y")
    assert type(fast._replace(two="y")) is Fast
    assert Fast._make([1, "x", ()]) == fast
    assert pickle.loads(pickle.dumps(fast)) == fast  # noqa: S301 - its own
    match fast:
        case Fast(one, two):
            assert (one, two) == (1, "x")
    with pytest.raises(AttributeError):
        fast.one = 2  # type: ignore[misc]
    with pytest.raises(AttributeError):
        fast.other = 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "call",
    [
        lambda cls: cls(),
        lambda cls: cls(1, "2", (), 4),
        lambda cls: cls(1, one=1),
        lambda cls: cls(1, four=4),
        lambda cls: cls._make([1]),
        lambda cls: cls(1)._replace(four=4),
    ],
)
def test_mistakes_raise_as_the_tuple_does(call: "Callable[[type], object]") -> None:
    kinds = []
    for cls in (Fast, Slow):
        with pytest.raises((TypeError, ValueError)) as error:
            call(cls)
        kinds.append(error.type)
    assert kinds[0] is kinds[1]


def test_an_order_that_no_constructor_has_is_refused() -> None:
    with pytest.raises(TypeError, match="a field without a default follows one with"):

        class Wrong(Record):
            one: int = 1
            two: int  # type: ignore[misc]


def test_mistakes_name_the_field() -> None:
    with pytest.raises(
        TypeError, match="missing 1 required positional argument: 'one'"
    ):
        Fast()  # type: ignore[call-arg]
