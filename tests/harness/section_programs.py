"""Programs of every ``SEC()`` name: loaded, attached to places of our own, made to fire.

The objects are ``tests/data/withheld/sections_*.bpf.c``. Their programs are found by
section, and each counts its runs in the variable of its name.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

import skelgen
from skelgen.btf.layout import section_vars
from skelgen.btf.parse import Btf
from skelgen.btf.types import Kind
from skelgen.runtime import Program
from skelgen.runtime.errors import BpfError
from skelgen.runtime.links.base import Link
from skelgen.runtime.object.object import Object
from tests.harness import sources
from tests.harness.section_facts import ROWS

REFUSED, LOADS, ATTACHED, FIRED = "refused", "loads", "attached", "fired"
LEVELS = (REFUSED, LOADS, ATTACHED, FIRED)
"""How far a program came."""


class Outcome(NamedTuple):
    """The end of one program's way."""

    level: str
    how: str
    """The call that attached it, or what stands in its way."""
    code: int = 0
    """``errno`` of what stands in its way."""


def key_of(section: str) -> str:
    """Return the name in the table that a section goes by."""
    return section if section in ROWS else section.partition("/")[0]


class Stage:
    """One object, loaded as far as the kernel takes it, and the links of its programs."""

    def __init__(self, name: str, *, prepare: Callable[[Object], None] | None = None):
        source = sources.find(f"withheld/sections_{name}")
        self.obj = skelgen.open_object(sources.compiled(source))
        if prepare is not None:
            prepare(self.obj)
        self.obj.load(strict=False)
        self.programs = {key_of(p.spec.section): p for p in self.obj.programs.values()}
        self.links: dict[str, Link] = {}
        self.ways: dict[str, str] = {}
        self.errors: dict[str, Exception] = {}
        self._places = self._variables()
        if "this_process" in self._places:
            self.set("this_process", os.getpid())

    def _variables(self) -> dict[str, tuple[str, int, int]]:
        assert self.obj.spec.btf is not None
        btf = Btf(self.obj.spec.view(self.obj.spec.btf))
        return {
            var.name: (section, var.offset, var.size)
            for section in self.obj.sections
            for var in section_vars(btf, btf.find(section, Kind.DATASEC) or 0)
        }

    def set(self, variable: str, value: int) -> None:
        section, offset, size = self._places[variable]
        self.obj.sections[section].write(value.to_bytes(size, "little"), offset)

    def hits(self, key: str) -> int:
        """Return how often the program of a row ran."""
        name = self.programs[key].name.removeprefix("on_")
        section, offset, size = self._places[f"{name}_hits"]
        data = self.obj.sections[section].read(offset, size)
        return int.from_bytes(data, "little")

    def attach(
        self, key: str, way: str, call: Callable[[Program], Link | None]
    ) -> None:
        """Attach a program that was loaded; an error is its outcome."""
        program = self.programs[key]
        if not program.loaded:
            return
        self.try_to(key, way, lambda: call(program))

    def try_to(self, key: str, way: str, call: Callable[[], Link | None]) -> None:
        try:
            link = call()
        except (BpfError, OSError) as error:
            self.errors[key] = error
            return
        self.ways[key] = way
        if link is not None:
            self.links[key] = link

    def attach_all(self) -> None:
        """Attach what says in ``SEC()`` where."""
        for key, program in self.programs.items():
            if program.auto_attachable and program.loaded:
                self.attach(key, "attach() of the skeleton", lambda p: p.attach())

    def outcomes(self) -> dict[str, Outcome]:
        return {key: self._outcome(key) for key in self.programs}

    def _outcome(self, key: str) -> Outcome:
        program = self.programs[key]
        if not program.loaded:
            return _stopped(REFUSED, program.load_error)
        if key in self.ways:
            fired = FIRED if self.hits(key) else ATTACHED
            return Outcome(fired, self.ways[key])
        if key in self.errors:
            return _stopped(LOADS, self.errors[key])
        return Outcome(LOADS, program.by_hand)

    def close(self) -> None:
        for link in self.links.values():
            link.destroy()
        self.obj.destroy()


def _stopped(level: str, error: BaseException | None) -> Outcome:
    text = str(error).partition("\n")[0]
    return Outcome(level, text, getattr(error, "errno", 0) or 0)
