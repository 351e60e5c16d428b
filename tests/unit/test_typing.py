"""skelgen._typing does when it runs what is used of typing."""

import subprocess
import sys
import typing
from collections.abc import Mapping

import pytest

from skelgen._typing import Generic, Protocol, TypeVar, cast, overload

K = TypeVar("K")
V = TypeVar("V", bound=int)


class Pair(Generic[K, V]):
    __slots__ = ("first", "second")

    def __init__(self, first: K, second: V) -> None:
        self.first, self.second = first, second


class Sized(Protocol[K]):
    def size(self) -> K: ...


class Both(Pair[K, int], Mapping[K, V]):
    def __getitem__(self, key: K) -> V: ...
    def __iter__(self) -> K: ...
    def __len__(self) -> int:
        return 0


def test_a_generic_class_can_be_subscripted_called_and_derived_from():
    assert Pair[int, bool](1, True).second is True
    assert typing.get_origin(Pair[int, str]) is Pair
    assert typing.get_args(Pair[int, str]) == (int, str)
    assert issubclass(Both, Pair)
    assert issubclass(Both, Mapping)
    assert Both[str, int]("one", 2).first == "one"
    assert not hasattr(Pair(1, 2), "__dict__")


def test_a_user_may_derive_with_typing():
    T = typing.TypeVar("T")

    class Mine(Pair[T, int], typing.Generic[T]):
        pass

    assert Mine[str]("a", 1).first == "a"


def test_type_variables_stand_in_unions_and_aliases():
    assert repr(K) == "~K"
    assert (K | None) is K
    assert (None | K) is K
    assert dict[K, V].__args__ == (K, V)


def test_cast_and_overload_do_nothing():
    assert cast("Pair[int, int]", 3) == 3
    assert overload(Pair) is Pair


@pytest.mark.parametrize(
    "module", ["skelgen.runtime.load.pipeline", "skelgen.runtime.needs"]
)
def test_the_runtime_does_without_typing(module: str):
    script = f"import sys, {module}; print('typing' in sys.modules)"
    words = [sys.executable, "-I", "-S", "-c"]
    root = __file__.rsplit("/tests/", 1)[0]
    script = f"import sys; sys.path.append({root!r}); {script}"
    done = subprocess.run([*words, script], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
