"""Programs, linked and described."""

from skelgen.elf.functions import Functions
from skelgen.elf.link import Linker
from skelgen.elf.records import pack
from skelgen.elf.sections import match_section
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import ProgramSpec


def link_programs(
    functions: Functions, linker: Linker, image: ImageBuilder
) -> tuple[ProgramSpec, ...]:
    """Return every program with the subprograms it calls."""
    specs: list[ProgramSpec] = []
    for program in functions.programs:
        section = program.section.name
        match = match_section(section)
        linked = linker.link(program)
        byteorder = program.insns.byteorder
        spans = [
            image.add(pack(words, byteorder), 4) if words else None
            for words in linked.records
        ]
        specs.append(
            ProgramSpec(
                program.name,
                section,
                match.type,
                match.attach,
                image.add(linked.insns.data),
                match.attach_type,
                match.attach_type_optional,
                match.flags,
                match.autoload,
                linked.relocs,
                *spans,
            )
        )
    return tuple(specs)
