"""Constants makes what IntEnum makes."""

import pickle
from enum import EnumType, IntEnum

import pytest

from skelgen.constants import Constants


class Quick(Constants):
    """Of a kernel."""

    NONE = 0
    """Nothing."""
    SOME = 7
    SAME = 7
    LESS = -1

    @property
    def odd(self) -> bool:
        return self % 2 == 1


class Slow(IntEnum):
    """Of a kernel."""

    NONE = 0
    """Nothing."""
    SOME = 7
    SAME = 7
    LESS = -1

    @property
    def odd(self) -> bool:
        return self % 2 == 1


def test_it_is_an_int_enum():
    assert type(Quick) is EnumType
    assert issubclass(Quick, IntEnum)
    assert isinstance(Quick.SOME, Quick)
    assert (Quick.__name__, Quick.__qualname__) == ("Quick", "Quick")
    assert (Quick.__module__, Quick.__doc__) == (__name__, Slow.__doc__)


def test_the_constants_are_those_of_int_enum():
    def told(enum: type[IntEnum]) -> list[object]:
        return [
            [
                (member.name, member.value, str(member), f"{member:3}")
                for member in enum
            ],
            [(name, int(member)) for name, member in enum.__members__.items()],
            [repr(member).replace(enum.__name__, "") for member in enum],
            [hash(member) for member in enum],
            len(enum),
        ]

    assert told(Quick) == told(Slow)
    assert Quick.SAME is Quick.SOME
    assert Quick.SOME == 7 == Quick(7)
    assert Quick["LESS"] is Quick(-1)
    assert Quick.SOME.odd
    assert not Quick.NONE.odd


def test_a_number_or_name_without_constant_is_refused():
    with pytest.raises(ValueError, match="5 is not a valid Quick"):
        Quick(5)
    with pytest.raises(KeyError, match="MORE"):
        Quick["MORE"]


def test_constants_cannot_be_changed_or_extended():
    with pytest.raises(AttributeError, match="cannot reassign member 'SOME'"):
        Quick.SOME = 8
    with pytest.raises(TypeError, match="cannot extend"):

        class More(Quick):
            OTHER = 9


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_it_stays_the_same_constant(protocol: int):
    assert pickle.loads(pickle.dumps(Quick.SOME, protocol)) is Quick.SOME  # noqa: S301
