"""Externs: what the object needs from the running kernel.

An extern is an undefined symbol with a declaration in BTF: a variable of
``.kconfig``, or a variable or function of ``.ksyms``.
"""

from typing import NamedTuple

from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import align_of, size_of, skip_mods_and_typedefs
from skelgen.btf.types import Array, Datasec, Enum, Enum64, Func, Int, Var
from skelgen.elf.reader import STB_WEAK, ElfFile, Symbol
from skelgen.elf.roles import KCONFIG, KSYMS
from skelgen.errors import ObjectError
from skelgen.model.helpers import HELPERS
from skelgen.model.spec import ExternKind, ExternSpec, KconfigType
from skelgen.near_names import or_near

_LINKAGE_EXTERN = 2  # BTF_VAR_GLOBAL_EXTERN and BTF_FUNC_EXTERN alike
_MAX_KCONFIG = 0x7FFFFFFF  # INT_MAX, the kernel's limit to a map value


class Externs(NamedTuple):
    """The externs of an object."""

    specs: tuple[ExternSpec, ...]
    """In libbpf's order, ``.kconfig`` first."""
    by_symbol: dict[int, ExternSpec]
    """By index of the symbol."""
    kconfig_size: int
    """Bytes of the ``.kconfig`` map."""


def collect(elf: ElfFile, btf: Btf | None) -> Externs:
    """Find the externs, and lay out ``.kconfig``."""
    symbols = {
        index: symbol
        for index, symbol in enumerate(elf.symbols)
        if symbol.is_extern and symbol.name_offset
    }
    if not symbols:
        return Externs((), {}, 0)
    names = {index: elf.symbol_name(symbol) for index, symbol in symbols.items()}
    if btf is None:
        name = next(iter(names.values()))
        raise ObjectError(
            f"extern '{name}': no BTF that says what it is; compile with -g"
        )
    homes = _homes(btf)
    found: dict[str, tuple[ExternSpec, int]] = {}
    for index, symbol in symbols.items():
        name = names[index]
        if name in found:
            raise ObjectError(f"extern '{name}': two symbols of this name")
        found[name] = _extern(btf, homes, name, symbol)
    specs, size = _lay_out(list(found.values()))
    known = {spec.name: spec for spec in specs}
    return Externs(specs, {index: known[name] for index, name in names.items()}, size)


def _homes(btf: Btf) -> dict[int, str]:
    """Return the section of every variable and extern function in BTF."""
    homes: dict[int, str] = {}
    for type_id in btf.ids():
        if btf.kind(type_id) is Kind.DATASEC:
            section = btf.type(type_id)
            assert isinstance(section, Datasec)  # by its kind
            for var in section.vars:
                homes.setdefault(var.type_id, section.name)
    return homes


def _extern(
    btf: Btf, homes: dict[int, str], name: str, symbol: Symbol
) -> tuple[ExternSpec, int]:
    """Return an extern and its alignment."""
    ids = btf.find_all(name, Kind.VAR, Kind.FUNC)
    declared = btf.type(ids[0]) if ids else None
    if not isinstance(declared, (Var, Func)):
        helpers = [f"bpf_{helper}" for helper in HELPERS]
        raise ObjectError(
            or_near(
                f"extern '{name}': no declaration in BTF; functions that no header"
                " declares, and those that are not inlined, memcpy() and the like, look"
                " like this",
                name,
                helpers if name.startswith("bpf_") else (),
            )
        )
    if declared.linkage != _LINKAGE_EXTERN:
        raise ObjectError(f"extern '{name}': BTF declares something that is defined")
    home = homes.get(declared.id)
    if home == KCONFIG and isinstance(declared, Var):
        return _kconfig(btf, declared, weak=symbol.bind == STB_WEAK)
    if home == KSYMS:
        return _ksym(btf, declared, weak=symbol.bind == STB_WEAK), 0
    if home == KCONFIG:
        raise ObjectError(f"extern '{name}': a function cannot be __kconfig")
    link = "link the object that defines it (bpftool gen object)"
    if home is None:
        raise ObjectError(
            f"extern '{name}': in no section; add __ksym or __kconfig if it is the"
            f" kernel's, else {link}"
        )
    raise ObjectError(f"extern '{name}': in section '{home}' of another object; {link}")


def _ksym(btf: Btf, declared: Var | Func, *, weak: bool) -> ExternSpec:
    if isinstance(declared, Func):
        return ExternSpec(declared.name, ExternKind.KFUNC, weak, declared.id)
    if skip_mods_and_typedefs(btf, declared.type_id) == 0:
        return ExternSpec(declared.name, ExternKind.KSYM, weak)
    return ExternSpec(declared.name, ExternKind.KSYM_VAR, weak, declared.type_id)


def _kconfig(btf: Btf, var: Var, *, weak: bool) -> tuple[ExternSpec, int]:
    kind, signed = _kconfig_type(btf, var.type_id)
    if kind is None:
        raise ObjectError(
            f"extern '{var.name}': this type is not supported in __kconfig; take"
            " bool, char, an integer, char[] or enum libbpf_tristate",
        )
    spec = ExternSpec(
        var.name,
        ExternKind.KCONFIG,
        weak,
        var.type_id,
        kconfig=kind,
        size=size_of(btf, var.type_id),
        signed=signed,
    )
    return spec, align_of(btf, var.type_id)


def _kconfig_type(btf: Btf, type_id: int) -> tuple[KconfigType | None, bool]:
    """Return how a value is read, and whether it is a signed number."""
    found = btf.type(skip_mods_and_typedefs(btf, type_id))
    if isinstance(found, Int):
        if found.bool:
            return (KconfigType.BOOL if found.size == 1 else None), False
        if found.size == 1:
            return KconfigType.CHAR, found.signed
        return (KconfigType.INT if found.size in {2, 4, 8} else None), found.signed
    if isinstance(found, (Enum, Enum64)):
        fits = found.name == "libbpf_tristate" and (
            found.size == 4 or isinstance(found, Enum64)
        )
        return (KconfigType.TRISTATE if fits else None), False
    if isinstance(found, Array) and found.nelems:
        element = btf.type(skip_mods_and_typedefs(btf, found.type_id))
        if isinstance(element, Int) and element.size == 1 and not element.bool:
            return KconfigType.STRING, False
    return None, False


def _lay_out(
    found: list[tuple[ExternSpec, int]],
) -> tuple[tuple[ExternSpec, ...], int]:
    """Give ``.kconfig`` variables their offsets; return all externs and the size."""
    # libbpf's order: largest alignment first, then smallest size, then name.
    found.sort(
        key=lambda item: (
            item[0].kind is not ExternKind.KCONFIG,
            -item[1],
            item[0].size,
            item[0].name.encode(),
        )
    )
    end = 0
    specs: list[ExternSpec] = []
    for spec, align in found:
        if spec.kind is ExternKind.KCONFIG:
            offset = -(-end // align) * align
            end = offset + spec.size
            specs.append(spec._replace(offset=offset))
        else:
            specs.append(spec)
    if end > _MAX_KCONFIG:
        raise ObjectError(f"__kconfig variables of {end} bytes do not fit a map value")
    return tuple(specs), end
