"""struct_ops: variables whose members are programs."""

from bisect import bisect_right
from typing import NamedTuple

from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import skip_mods_and_typedefs
from skelgen.btf.types import Datasec, FuncProto, Ptr, Struct, Var, VarSecinfo
from skelgen.elf.functions import Function, Functions
from skelgen.elf.reader import ElfFile, Relocation, Section
from skelgen.elf.roles import Layout
from skelgen.elf.section_names import match_section
from skelgen.errors import ObjectError
from skelgen.model.enums import ProgType
from skelgen.model.image import ImageBuilder
from skelgen.model.spec import StructOpsSpec


class _Variable(NamedTuple):
    spec: StructOpsSpec
    offset: int
    """In its section."""
    struct: Struct


def collect(
    elf: ElfFile,
    layout: Layout,
    btf: Btf | None,
    functions: Functions,
    image: ImageBuilder,
) -> tuple[StructOpsSpec, ...]:
    """Return the struct_ops variables, with their functions."""
    specs: list[StructOpsSpec] = []
    for section in layout.struct_ops:
        if btf is None:
            raise ObjectError(
                "struct_ops need BTF; compile with -g", section=section.name
            )
        variables = _variables(elf, btf, section, image)
        slots = _Slots(elf, btf, functions, variables)
        for relocations, target in layout.relocations:
            if target is section:
                slots.read(relocations)
        specs += slots.specs()
    names: set[str] = set()
    for spec in specs:
        if spec.name in names:
            raise ObjectError(
                f"struct_ops '{spec.name}': declared twice", section=spec.section
            )
        names.add(spec.name)
    return tuple(specs)


def _variables(
    elf: ElfFile, btf: Btf, section: Section, image: ImageBuilder
) -> list[_Variable]:
    type_id = btf.find(section.name, Kind.DATASEC)
    datasec = btf.type(type_id) if type_id else None
    if not isinstance(datasec, Datasec):
        raise ObjectError("BTF does not describe this section", section=section.name)
    content = elf.content(section)
    variables: list[_Variable] = []
    end = 0
    for place in datasec.vars:
        variable = _variable(btf, section, content, place, image)
        if place.offset < end:
            raise ObjectError(
                f"struct_ops '{variable.spec.name}': overlaps another variable",
                section=section.name,
                offset=place.offset,
            )
        end = place.offset + variable.struct.size
        variables.append(variable)
    return variables


def _variable(
    btf: Btf, section: Section, content: bytes, place: VarSecinfo, image: ImageBuilder
) -> _Variable:
    var = btf.type(place.type_id)
    if not isinstance(var, Var) or not var.name:
        raise ObjectError(
            "a struct_ops variable without a name",
            section=section.name,
            offset=place.offset,
        )
    struct = btf.type(skip_mods_and_typedefs(btf, var.type_id))
    if not isinstance(struct, Struct) or not struct.name:
        raise ObjectError(
            f"struct_ops '{var.name}': its type is no struct with a name",
            section=section.name,
            offset=place.offset,
        )
    if place.offset + struct.size > len(content):
        raise ObjectError(
            f"struct_ops '{var.name}': crosses the end of the section",
            section=section.name,
            offset=min(place.offset, len(content)),
        )
    spec = StructOpsSpec(
        var.name,
        section.name,
        struct.id,
        struct.name,
        image.add(content[place.offset : place.offset + struct.size]),
        link=section.name.endswith(".link"),
        autocreate=not section.name.startswith("?"),
    )
    return _Variable(spec, place.offset, struct)


class _Slots:
    """Which program each member is set to."""

    def __init__(
        self, elf: ElfFile, btf: Btf, functions: Functions, variables: list[_Variable]
    ) -> None:
        self._elf = elf
        self._btf = btf
        self._functions = functions
        self._variables = variables
        self._starts = [variable.offset for variable in variables]
        self._members: dict[int, dict[int, tuple[str, int]]] = {}
        self._found: dict[str, dict[int, tuple[str, str]]] = {}

    def read(self, section: Section) -> None:
        """Read the relocations of the section."""
        for number, relocation in enumerate(self._elf.relocations(section)):
            try:
                self._read(relocation)
            except ObjectError as error:
                raise ObjectError(
                    error.message, section=section.name, offset=number * 16
                ) from None

    def specs(self) -> list[StructOpsSpec]:
        """Return the variables with their functions, in the order of members."""
        return [
            variable.spec._replace(
                functions=tuple(
                    pair
                    for _, pair in sorted(
                        self._found.get(variable.spec.name, {}).items()
                    )
                )
            )
            for variable in self._variables
        ]

    def _read(self, relocation: Relocation) -> None:
        place = bisect_right(self._starts, relocation.offset) - 1
        variable = self._variables[place] if place >= 0 else None
        if (
            variable is None
            or relocation.offset >= variable.offset + variable.struct.size
        ):
            raise ObjectError(f"no struct_ops variable at byte {relocation.offset}")
        name = variable.spec.name
        offset = relocation.offset - variable.offset
        member = self._members_of(variable.struct).get(offset * 8)
        if member is None:
            raise ObjectError(f"struct_ops '{name}': no member at byte {offset}")
        member_name, type_id = member
        if not self._is_function(type_id):
            raise ObjectError(
                f"struct_ops '{name}': member '{member_name}' is no function pointer,"
                " and cannot point to anything"
            )
        program = self._program(relocation)
        if program is None or program.subprogram:
            raise ObjectError(
                f"struct_ops '{name}': member '{member_name}' is set to what is no"
                " program"
            )
        if match_section(program.section.name).type is not ProgType.STRUCT_OPS:
            raise ObjectError(
                f"struct_ops '{name}': member '{member_name}' is set to program"
                f" '{program.name}', which is not in SEC(\"struct_ops\")"
            )
        slots = self._found.setdefault(name, {})
        slots[offset] = (member_name, program.name)

    def _program(self, relocation: Relocation) -> Function | None:
        symbol = self._elf.symbols[relocation.symbol]
        insn, odd = divmod(symbol.value, 8)
        program = self._functions.at(symbol.section, insn)
        if odd or program is None or program.start != insn:
            return None
        return program

    def _members_of(self, struct: Struct) -> dict[int, tuple[str, int]]:
        members = self._members.get(struct.id)
        if members is None:
            members = self._members[struct.id] = {}
            for member in struct.members:
                members.setdefault(member.bit_offset, (member.name, member.type_id))
        return members

    def _is_function(self, type_id: int) -> bool:
        btf = self._btf
        pointer = btf.type(skip_mods_and_typedefs(btf, type_id))
        return isinstance(pointer, Ptr) and isinstance(
            btf.type(skip_mods_and_typedefs(btf, pointer.type_id)), FuncProto
        )
