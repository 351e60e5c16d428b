"""The example in the docstring of a generated module, with its own names."""

import re

from skelgen.codegen.classes import StructClass
from skelgen.codegen.maps import MapView, has_records
from skelgen.codegen.programs import ProgramView
from skelgen.codegen.sections import GlobalView, SectionView
from skelgen.codegen.text import WIDTH
from skelgen.model import attach
from skelgen.model.prog_types import program_class_name
from skelgen.model.spec import DataKind, ObjectSpec, ProgramSpec

_EXAMPLES = {"int": "1", "bool": "True", "float": "1.0"}
_MOST_MEMBERS = 3


def usage(
    prefix: str,
    maps: tuple[MapView, ...],
    sections: tuple[SectionView, ...],
    spec: ObjectSpec,
    programs: tuple[ProgramView, ...],
    classes: dict[str, StructClass],
) -> tuple[str, ...]:
    """Return the lines of the example."""
    setting = _first(sections, {DataKind.RODATA})
    if setting is None:
        lines = [f"with {prefix}.open_and_load() as skel:"]
    else:
        section, var = setting
        value = _EXAMPLES[var.shape.annotation]
        lines = [
            f"with {prefix}.open() as skel:",
            f"    skel.{section}.{var.attribute} = {value}",
            "    skel.load()",
        ]
    if spec.struct_ops or any(map(_attaches_itself, spec.programs)):
        lines.append("    skel.attach()")
    else:
        lines += _by_hand(spec.programs, programs)
    ring = next((view for view in maps if has_records(view.spec.type)), None)
    if ring is not None:
        lines += _loop(ring, classes)
        return tuple(lines)
    counter = _first(sections, {DataKind.BSS, DataKind.DATA})
    if counter is not None:
        lines += ["    ...", f"    print(skel.{counter[0]}.{counter[1].attribute})"]
    elif len(lines) == 1:
        lines.append("    ...")
    return tuple(lines)


def _first(
    sections: tuple[SectionView, ...], kinds: set[DataKind]
) -> tuple[str, GlobalView] | None:
    """Return the first plain number in a section of such a kind."""
    for section in sections:
        if section.kind in kinds:
            for var in section.globals:
                if var.shape.annotation in _EXAMPLES:
                    return section.attribute, var
    return None


def _attaches_itself(spec: ProgramSpec) -> bool:
    """Tell whether ``attach()`` knows where, from the section name alone."""
    if isinstance(spec.attach, attach.Manual | attach.StructOps):
        return False
    if program_class_name(spec) in _TARGETS:  # lsm_cgroup/<hook>
        return False
    return spec.autoload and any(part is not None for part in spec.attach[:1])


_TARGETS = {
    "XdpProgram": '"eth0"',
    "TcProgram": '"eth0", direction="ingress"',
    "CgroupProgram": '"/sys/fs/cgroup/app"',
}
"""Where programs attach that cannot know by themselves."""


def _by_hand(
    programs: tuple[ProgramSpec, ...], views: tuple[ProgramView, ...]
) -> list[str]:
    """Return how the first program attaches, where its ``SEC()`` cannot say it."""
    for spec, view in zip(programs, views, strict=True):
        target = _TARGETS.get(program_class_name(spec))
        if target is not None and spec.autoload:
            name = view.attribute
            call = f"skel.progs.{name}.attach({target})"
            line = f"    skel.links.{name} = {call}"
            if len(line) + 4 <= WIDTH:
                return [line]
            return [
                f"    program = skel.progs.{name}",
                f"    skel.links.{name} = program.attach({target})",
            ]
    return []


def _loop(ring: MapView, classes: dict[str, StructClass]) -> list[str]:
    record = ring.record
    cls = classes.get(record.annotation) if record else None
    if cls is None:
        return [
            f"    for data in skel.maps.{ring.attribute}.poll(timeout=1.0):",
            "        print(len(data))",
        ]
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.name).lower()
    if name in {"skel", "print"} or not name.isidentifier():
        name = "record"
    members = [f"{name}.{member.name}" for member in cls.members[:_MOST_MEMBERS]]
    return [
        f"    for {name} in skel.maps.{ring.attribute}.poll(timeout=1.0):",
        f"        print({', '.join(members)})",
    ]
