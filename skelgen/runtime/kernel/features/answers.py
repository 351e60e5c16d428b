"""Which types, helpers and kfuncs this kernel has, each tried once in a process."""

from __future__ import annotations

from enum import IntEnum

from skelgen._typing import TYPE_CHECKING, TypeVar
from skelgen.arguments import checks_arguments, shown
from skelgen.arguments import number as number_in
from skelgen.model import attach_types, map_types, prog_types
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.helpers import helper_number, helper_since
from skelgen.near_names import or_near
from skelgen.runtime.kernel.features import attach_types as attach_probes
from skelgen.runtime.kernel.features import map_types as map_probes
from skelgen.runtime.kernel.features import prog_types as prog_probes
from skelgen.runtime.kernel.features.feature import Answer
from skelgen.runtime.process.once import Once

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from typing import Final

    from skelgen.runtime.kernel.features.trial import Verdict

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


def _number_of(
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


@checks_arguments
def map_type(which: MapType | int | str) -> Answer:
    """Return whether the kernel has a type of map: ``MapType.RINGBUF``, ``"ringbuf"``.

    Makes one. Raises :class:`ValueError` for a name that is no type.
    """
    number = _number_of(which, MapType, "BPF_MAP_TYPE_")
    first = map_types.row(number).since
    return _once("map", number, first, lambda: map_probes.map_type(number))


@checks_arguments
def program_type(which: ProgType | int | str) -> Answer:
    """Return whether the kernel has a type of program: ``"xdp"``; loads one.

    Raises :class:`ValueError` for a name that is no type.
    """
    number = _number_of(which, ProgType, "BPF_PROG_TYPE_")
    first = prog_types.row(number).since
    return _once("program", number, first, lambda: prog_probes.prog_type(number))


@checks_arguments
def attach_type(which: AttachType | int | str) -> Answer:
    """Return whether programs can be attached so: ``"tcx_ingress"``.

    To cgroups, network namespaces, interfaces and socket maps by any way, else by a
    BPF link. Raises :class:`ValueError` for a name that is no type.
    """
    number = _number_of(which, AttachType, "BPF_")
    first = attach_types.row(number).since
    return _once("attach", number, first, lambda: attach_probes.attach_type(number))


@checks_arguments
def helper(which: int | str, program: ProgType | int | str) -> Answer:
    """Return whether programs of a type may call a helper: ``"bpf_ringbuf_output"``.

    Loads a program that calls it. It cannot be told for types ``LSM``, ``EXT`` and
    ``STRUCT_OPS``, where it depends on the target; for ``TRACING`` it is told of raw
    tracepoints. Raises :class:`ValueError` for a name that is none.
    """
    from skelgen.runtime.kernel.features import calls

    if isinstance(which, str):
        number = helper_number(which)
    else:
        number = number_in(which, "which", _NUMBERS)
    kind = _number_of(program, ProgType, "BPF_PROG_TYPE_", "program")
    first = helper_since(number)
    return _once("helper", (number, kind), first, lambda: calls.helper(number, kind))


@checks_arguments
def kfunc(name: str, program: ProgType | int | str | None = None) -> Answer:
    """Return whether there is a kernel function for BPF programs, in any module.

    With the type of a program, whether that may call it, as for :func:`helper`.
    Without, whether kernel BTF has a function of that name, which it marks as a
    kfunc where it marks any (Linux 6.10 built with pahole 1.26).
    """
    from skelgen.runtime.kernel.features import calls

    kind = None
    if program is not None:
        kind = _number_of(program, ProgType, "BPF_PROG_TYPE_", "program")
    return _once("kfunc", (name, kind), "", lambda: calls.kfunc(name, kind))
