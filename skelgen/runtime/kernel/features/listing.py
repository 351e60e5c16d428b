"""Types, helpers and kfuncs of this kernel, each tried once in a process.

The functions of :mod:`skelgen.runtime.kernel.features` of the same names are the public ones.
"""

from __future__ import annotations

from enum import IntEnum

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.arguments import number as number_in
from skelgen.arguments import shown
from skelgen.model import since
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.helpers import helper_number
from skelgen.near_names import or_near
from skelgen.runtime.kernel.features import Answer
from skelgen.runtime.kernel.features import calls as call_probes
from skelgen.runtime.kernel.features import types as type_probes
from skelgen.runtime.process.once import Once

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Final

    from skelgen.runtime.kernel.features.types import Verdict

_E = TypeVar("_E", bound=IntEnum)

_answers: Final[dict[tuple[str, Hashable], Once[Answer]]] = {}


def _once(
    kind: str, what: Hashable, since_kernel: str, probe: Callable[[], Verdict]
) -> Answer:
    def ask() -> Answer:
        supported, reason = probe()
        return Answer(supported, reason, since_kernel)

    once = _answers.get((kind, what)) or _answers.setdefault((kind, what), Once(ask))
    answer = once()
    if answer.supported is None:  # what stood in the way may go
        once.forget()
    return answer


def forget() -> None:
    """Try all again when asked the next time."""
    _answers.clear()


_NUMBERS: Final = (0, (1 << 31) - 1)


def number_of(
    which: int | str, enum: type[_E], prefix: str, thing: str = "which"
) -> int:
    """Return the number of a constant, by its name in any case, prefixed or not.

    Raises :class:`ValueError` for a name that the enumeration does not have.
    """
    if not isinstance(which, str):
        return number_in(which, thing, _NUMBERS)
    name = which.upper().removeprefix(prefix)
    if name not in enum.__members__:
        known = (each.lower() for each in enum.__members__)
        text = f"{thing}: {shown(which)} is no {enum.__name__}"
        raise ValueError(or_near(text, which, known))
    return int(enum[name])


def map_type(which: MapType | int | str) -> Answer:
    """Return whether the kernel has a type of map."""
    number = number_of(which, MapType, "BPF_MAP_TYPE_")
    first = since.map_type_since(number)
    return _once("map", number, first, lambda: type_probes.map_type(number))


def program_type(which: ProgType | int | str) -> Answer:
    """Return whether the kernel has a type of program."""
    number = number_of(which, ProgType, "BPF_PROG_TYPE_")
    first = since.prog_type_since(number)
    return _once("program", number, first, lambda: type_probes.prog_type(number))


def attach_type(which: AttachType | int | str) -> Answer:
    """Return whether programs can be attached so."""
    number = number_of(which, AttachType, "BPF_")
    first = since.attach_type_since(number)
    return _once("attach", number, first, lambda: type_probes.attach_type(number))


def helper(which: int | str, program: ProgType | int | str) -> Answer:
    """Return whether programs of a type may call a helper."""
    if isinstance(which, str):
        number = helper_number(which)
    else:
        number = number_in(which, "which", _NUMBERS)
    kind = number_of(program, ProgType, "BPF_PROG_TYPE_", "program")
    return _once(
        "helper",
        (number, kind),
        since.helper_since(number),
        lambda: call_probes.helper(number, kind),
    )


def kfunc(name: str, program: ProgType | int | str | None = None) -> Answer:
    """Return whether there is a kernel function that BPF programs may call."""
    kind = None
    if program is not None:
        kind = number_of(program, ProgType, "BPF_PROG_TYPE_", "program")
    return _once("kfunc", (name, kind), "", lambda: call_probes.kfunc(name, kind))
