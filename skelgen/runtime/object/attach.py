"""Attaching a whole object: what its ``SEC()`` names ask for, and nothing else."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.errors import BpfError
from skelgen.runtime.load.report import drop_frames
from skelgen.runtime.log import debug
from skelgen.runtime.object.attach_report import AttachReport
from skelgen.runtime.undo import Undo

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from skelgen.runtime.links.base import Link
    from skelgen.runtime.load.parts import Parts
    from skelgen.runtime.maps.struct_ops import StructOpsMap
    from skelgen.runtime.programs.base import Program


def attach_all(parts: Parts, taken: Container[str], *, strict: bool) -> AttachReport:
    """Attach every program and struct_ops variable that says where, or none.

    ``taken`` are the names of what is attached already. Where it is not strict, what
    fails is in the report, and the others stay attached.
    """
    made = _Attaching(strict=strict)
    try:
        for name, program in parts.programs.items():
            if name in taken:
                made.report.passed_over[name] = _TAKEN
            else:
                _program(made, name, program)
        for name, ops in parts.struct_ops.items():
            if name in taken:
                made.report.passed_over[name] = _TAKEN
            else:
                _variable(made, name, ops)
    except BaseException:
        made.undo.run()
        raise
    return made.report


_TAKEN = "it is attached already"


class _Attaching:
    """The progress of one ``attach()``."""

    __slots__ = ("report", "strict", "undo")

    def __init__(self, *, strict: bool) -> None:
        self.strict = strict
        self.report = AttachReport()
        self.undo = Undo()

    def attach(self, name: str, attach: Callable[[], Link]) -> None:
        try:
            link = attach()
        except BpfError as error:
            if self.strict:
                raise
            debug("%s", error)
            drop_frames(error)
            self.report.failed[name] = error
            return
        self.undo.add(link.destroy)
        self.report.attached[name] = link


def _program(made: _Attaching, name: str, program: Program) -> None:
    promised = program.auto_attachable or program.misnamed
    reason = program.load_error
    if reason is None and not program.loaded:
        made.report.passed_over[name] = "its autoload is off"
    elif not program.autoattach:
        made.report.passed_over[name] = "its autoattach is off"
    elif not promised:
        made.report.passed_over[name] = (
            program.by_hand if reason is None else f"load() did without it: {reason}"
        )
    elif reason is not None:
        made.report.failed[name] = reason
    else:
        made.attach(name, program.attach)


def _variable(made: _Attaching, name: str, ops: StructOpsMap) -> None:
    reason = ops.load_error
    if reason is None and ops.value is None:
        made.report.passed_over[name] = "its autocreate is off"
    elif not ops.autoattach:
        made.report.passed_over[name] = "its autoattach is off"
    elif reason is not None:
        made.report.failed[name] = reason
    else:
        made.attach(name, ops.attach)
