"""Targets of the relocations of code."""

from typing import TYPE_CHECKING

from skelgen.elf.functions import CodeRef, Function, Functions, Ref, TableRef
from skelgen.elf.insns import CALL, INSN_SIZE, LD_IMM64, PSEUDO_CALL, PSEUDO_FUNC
from skelgen.elf.reader import (
    SHN_COMMON,
    SHN_LORESERVE,
    STT_FUNC,
    STT_SECTION,
    ElfFile,
    Relocation,
    Section,
    Symbol,
)
from skelgen.errors import ObjectError
from skelgen.model.spec import (
    ExternKind,
    ExternLoad,
    ExternSpec,
    KfuncCall,
    MapFd,
    MapValue,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skelgen.elf.roles import Layout


class Targets:
    """The targets that a relocation of code can have."""

    __slots__ = ("data", "externs", "jump_tables", "maps", "maps_section", "text")

    def __init__(
        self,
        layout: "Layout",
        maps: "Mapping[int, str]",
        externs: "Mapping[int, ExternSpec]",
    ) -> None:
        self.text = layout.text.number if layout.text is not None else None
        self.jump_tables = layout.jump_tables
        self.data = {section.number: section.name for section, _ in layout.data}
        self.maps_section = layout.maps.number if layout.maps is not None else None
        self.maps = maps
        """Names of maps by offset in ``.maps``."""
        self.externs = externs
        """Externs by index of their symbol."""


def record(
    elf: ElfFile, layout: "Layout", functions: Functions, targets: Targets
) -> None:
    """Note in every function what its relocations refer to."""
    for section, target in layout.relocations:
        if not target.executable:
            continue
        for number, relocation in enumerate(elf.relocations(section)):
            if relocation.offset % INSN_SIZE or relocation.offset >= target.size:
                raise ObjectError(
                    f"relocation of byte {relocation.offset} of '{target.name}',"
                    " where no instruction starts",
                    section=section.name,
                    offset=number * 16,
                )
            _record(elf, functions, targets, target, relocation)


def _record(
    elf: ElfFile,
    functions: Functions,
    targets: Targets,
    section: Section,
    relocation: Relocation,
) -> None:
    insn = relocation.offset // INSN_SIZE
    function = functions.at(section.number, insn)
    if function is None:
        return  # of a weak function that the static linker dropped for a stronger one
    index = insn - function.start
    if index in function.body.refs:
        raise function.fault("more than one relocation", index)
    opcode = function.insns.opcode(index)
    if opcode == LD_IMM64 and index + 1 < len(function.insns):
        symbol = elf.symbols[relocation.symbol]
        if symbol.is_extern:
            ref = _load_extern(
                _extern(elf, targets, function, index, relocation), index
            )
        else:
            ref = _load(elf, targets, function, index, symbol)
    elif opcode == CALL:
        ref = _call(elf, targets, function, index, relocation)
    else:
        raise function.fault(
            f"relocation of opcode {opcode:#04x}, which is neither a call nor a"
            " 64-bit load",
            index,
        )
    function.body.refs[index] = ref


def _call(
    elf: ElfFile, targets: Targets, function: Function, index: int, rel: Relocation
) -> Ref:
    symbol = elf.symbols[rel.symbol]
    if symbol.is_extern:
        extern = _extern(elf, targets, function, index, rel)
        if extern.kind is not ExternKind.KFUNC:
            raise function.fault(
                f"calls '{extern.name}', which is no function in BTF", index
            )
        return KfuncCall(index, extern.name)
    name = elf.symbol_name(symbol)
    if function.insns.src(index) != PSEUDO_CALL:
        raise function.fault(f"malformed call of '{name}'", index)
    if symbol.section != targets.text or targets.text is None:
        raise function.fault(
            f"calls '{name}' in {_section_name(elf, symbol)}; only functions in .text"
            " can be called",
            index,
        )
    if symbol.value % INSN_SIZE:
        raise function.fault(f"calls '{name}' at odd offset {symbol.value}", index)
    # -1 for a global function; for a static one the symbol is the section.
    imm = function.insns.imm(index)
    return CodeRef(index, symbol.value // INSN_SIZE + imm + 1)


def _load_extern(extern: ExternSpec, index: int) -> Ref:
    if extern.kind is ExternKind.KCONFIG:
        return MapValue(index, ".kconfig", extern.offset)
    if extern.kind is ExternKind.KFUNC:
        return KfuncCall(index, extern.name)
    return ExternLoad(index, extern.name)


def _load(
    elf: ElfFile, targets: Targets, function: Function, index: int, symbol: Symbol
) -> Ref:
    imm = function.insns.imm(index)
    place = symbol.section
    if not place or place >= SHN_LORESERVE:
        hint = (
            "; initialize the global variable, or compile with -fno-common"
            if place == SHN_COMMON
            else ""
        )
        raise function.fault(
            f"refers to '{elf.symbol_name(symbol)}' in {_section_name(elf, symbol)}{hint}",
            index,
        )
    if place == targets.text and symbol.type in {STT_FUNC, STT_SECTION}:
        target = symbol.value + imm
        if target % INSN_SIZE:
            raise function.fault(f"takes the address of .text+{target:#x}", index)
        function.insns.set_src(index, PSEUDO_FUNC)
        return CodeRef(index, target // INSN_SIZE)
    if place in targets.data:
        return MapValue(index, targets.data[place], symbol.value + imm & 0xFFFFFFFF)
    if targets.jump_tables is not None and place == targets.jump_tables.number:
        return TableRef(index, symbol.value, symbol.size)
    if place == targets.maps_section:
        map_name = targets.maps.get(symbol.value)
        if map_name is None:
            raise function.fault(f"no map at .maps+{symbol.value:#x}", index)
        return MapFd(index, map_name)
    raise function.fault(
        f"refers to '{elf.symbol_name(symbol)}' in {_section_name(elf, symbol)},"
        " which is no section of maps or data",
        index,
    )


def _extern(
    elf: ElfFile, targets: Targets, function: Function, index: int, rel: Relocation
) -> ExternSpec:
    extern = targets.externs.get(rel.symbol)
    if extern is None:
        name = elf.symbol_name(elf.symbols[rel.symbol])
        raise function.fault(f"unknown extern '{name}'", index)
    return extern


def _section_name(elf: ElfFile, symbol: Symbol) -> str:
    if 0 < symbol.section < len(elf.sections):
        return f"section '{elf.sections[symbol.section].name}'"
    if symbol.section == SHN_COMMON:
        return "common storage"
    return f"no section ({symbol.section:#x})"
