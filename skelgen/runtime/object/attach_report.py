"""The report of an ``attach()``: what it did, and what it left alone."""

from __future__ import annotations

from skelgen._typing import TYPE_CHECKING
from skelgen.plain import plain, plain_lines
from skelgen.runtime.listing import Listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skelgen.runtime.errors import BpfError
    from skelgen.runtime.links.base import Link


class AttachReport(Listed):
    """The report of ``attach()``: true when all is attached whose ``SEC()`` says where.

    Every program and struct_ops variable of the object is in one of the three, by its
    name in C.
    """

    __slots__ = ("attached", "failed", "passed_over")

    def __init__(
        self,
        attached: Mapping[str, Link] | None = None,
        passed_over: Mapping[str, str] | None = None,
        failed: Mapping[str, BpfError] | None = None,
    ) -> None:
        self.attached: dict[str, Link] = dict(attached or {})
        """The links that were made."""
        self.passed_over: dict[str, str] = dict(passed_over or {})
        """Why it left something alone: ``SEC()`` does not say where to attach (the
        text has the call that does it), it is attached already, or its ``autoload``,
        ``autoattach`` or ``autocreate`` is off."""
        self.failed: dict[str, BpfError] = dict(failed or {})
        """Why something is not attached whose ``SEC()`` says where: the error of
        ``attach(strict=False)``, or that of the ``load(strict=False)`` before."""

    def __bool__(self) -> bool:
        return not self.failed

    def __str__(self) -> str:
        lines: list[str] = []
        if self.attached:
            lines.append(f"attached: {_names(self.attached)}")
        if self.passed_over:
            lines.append("passed over:")
            lines += [
                f"  '{plain(name)}': {plain_lines(why)}"
                for name, why in self.passed_over.items()
            ]
        if self.failed:
            lines.append("not attached:")
            lines += [_failure(name, error) for name, error in self.failed.items()]
        return "\n".join(lines) or "nothing to attach"

    def __repr__(self) -> str:
        parts = [
            f"{len(group)} {word}"
            for group, word in (
                (self.attached, "attached"),
                (self.passed_over, "passed over"),
                (self.failed, "failed"),
            )
            if group
        ]
        return f"<attach report: {', '.join(parts) or 'nothing to attach'}>"


def _names(names: Mapping[str, object]) -> str:
    return ", ".join(f"'{plain(name)}'" for name in names)


def _failure(name: str, error: BpfError) -> str:
    lines = [str(error), *getattr(error, "__notes__", ())]
    text = "\n".join(lines).replace("\n", "\n    ")
    if f"'{name}'" not in lines[0]:
        text = f"'{plain(name)}': {text}"
    return f"  {text}"
