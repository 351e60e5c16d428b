"""Which types of programs the kernel has: each probe loads one that returns 0."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.model import prog_types
from skelgen.model.enums import ProgType
from skelgen.runtime.errors import ENOTSUPP
from skelgen.runtime.kernel.features.trial import RETURN_0, Trial, Verdict, verdict

if TYPE_CHECKING:
    from typing import Final

TARGET_REFUSED: Final = ("attach_btf_id 1 is not a", "Cannot replace kernel functions")
"""The verifier looks at BTF type 1, a number, only where it knows the program type."""


def prog_type(number: int) -> Verdict:
    """Try to load a program that returns 0."""
    target = prog_types.row(number).target
    trial = Trial(number, RETURN_0, attach_btf_id=int(target))
    error = trial.error
    if error is None:
        return True, ""
    if target and any(text in trial.log for text in TARGET_REFUSED):
        return True, ""
    if number == ProgType.STRUCT_OPS and error.errno == ENOTSUPP:
        return True, ""
    return verdict(error)
