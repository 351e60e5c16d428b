"""Fill in the parts of BTF that a compiler leaves open, as the kernel wants them.

clang writes sections of size 0 with global variables at offset 0, for only the
symbol table knows better. Externs become variables that the kernel accepts.
"""

from skelgen.btf.edit import BtfEditor
from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.btf.types import Datasec, DeclTag, Func, FuncProto, Int, Var
from skelgen.elf.externs import Externs
from skelgen.elf.functions import Function, Functions
from skelgen.elf.reader import STB_GLOBAL, STB_WEAK, STT_OBJECT, ElfFile, Symbol
from skelgen.elf.roles import KCONFIG, KSYMS
from skelgen.errors import ObjectError

_STATIC, _GLOBAL, _EXTERN = 0, 1, 2  # BTF_VAR_* and BTF_FUNC_* alike
_KSYM_SIZE = 4
_MAX_SIZE = 0xFFFFFFFF  # sizes in BTF have 32 bits
_CALLBACK = "exception_callback:"


def fix_up(elf: ElfFile, btf: Btf, externs: Externs, functions: Functions) -> Btf:
    """Return BTF with sections, externs and hidden symbols as the kernel wants them.

    Type numbers and string offsets stay.
    """
    editor = BtfEditor(btf.raw)
    _hide_functions(btf, editor, functions)
    offsets = {spec.name: spec.offset for spec in externs.specs if spec.kconfig}
    known = {spec.name for spec in externs.specs}
    symbols: dict[str, Symbol] | None = None
    for type_id in btf.ids():
        if btf.kind(type_id) is not Kind.DATASEC:
            continue
        datasec = btf.type(type_id)
        assert isinstance(datasec, Datasec)  # by its kind
        if datasec.name in {KCONFIG, KSYMS}:
            _check_externs(btf, datasec, known)
            if datasec.name == KSYMS:
                _fix_ksyms(btf, editor, datasec)
            else:
                _fix_kconfig(btf, editor, datasec, offsets, externs.kconfig_size)
        else:
            if symbols is None:
                symbols = _variables(elf)
            _fix_section(elf, btf, editor, datasec, symbols)
        editor.reorder_datasec_vars(type_id)
    return Btf(editor.bytes())


def _variables(elf: ElfFile) -> dict[str, Symbol]:
    """Return the global variables, by name."""
    found: dict[str, Symbol] = {}
    for symbol in elf.symbols:
        if symbol.type == STT_OBJECT and symbol.bind in {STB_GLOBAL, STB_WEAK}:
            found.setdefault(elf.symbol_name(symbol), symbol)
    return found


def _hide_functions(btf: Btf, editor: BtfEditor, functions: Functions) -> None:
    """Make hidden subprograms static, so that the verifier knows their callers."""
    for name in {f.name for f in functions.all if f.subprogram and f.hidden}:
        for type_id in btf.find_all(name, Kind.FUNC):
            found = btf.type(type_id)
            if isinstance(found, Func) and found.linkage == _GLOBAL:
                editor.set_linkage(type_id, _STATIC)
                break


def _fix_section(
    elf: ElfFile,
    btf: Btf,
    editor: BtfEditor,
    datasec: Datasec,
    symbols: dict[str, Symbol],
) -> None:
    """Fill in the size of a section and the offsets of its variables."""
    section = elf.section(datasec.name)
    size = section.size if section is not None else 0
    if not 0 < size <= _MAX_SIZE or datasec.size > size:
        raise ObjectError(
            f"BTF describes a section of {datasec.size or 'some'} bytes,"
            f" but the object has {size}",
            section=datasec.name,
        )
    if not datasec.size:  # else the static linker has filled it in
        editor.set_size(datasec.id, size)
    for index, place in enumerate(datasec.vars):
        var = btf.type(place.type_id)
        if not isinstance(var, Var):
            raise ObjectError(
                f"BTF type {place.type_id} in this section is no variable",
                section=datasec.name,
            )
        offset = place.offset
        if var.linkage not in {_STATIC, _EXTERN}:
            symbol = symbols.get(var.name)
            if symbol is None:
                raise ObjectError(
                    f"variable '{var.name}': in BTF, but not in the symbol table",
                    section=datasec.name,
                )
            if not datasec.size:
                offset = symbol.value
            if symbol.hidden:
                editor.set_linkage(var.id, _STATIC)
        if offset + place.size > (datasec.size or size):
            raise ObjectError(
                f"variable '{var.name}': crosses the end of the section",
                section=datasec.name,
                offset=min(offset, size),
            )
        editor.set_datasec_var(datasec.id, index, offset=offset)


def _check_externs(btf: Btf, datasec: Datasec, known: set[str]) -> None:
    for place in datasec.vars:
        if btf.name(place.type_id) not in known:
            raise ObjectError(
                f"extern '{btf.name(place.type_id)}': in BTF, but no undefined symbol",
                section=datasec.name,
            )


def _fix_kconfig(
    btf: Btf, editor: BtfEditor, datasec: Datasec, offsets: dict[str, int], size: int
) -> None:
    editor.set_size(datasec.id, size)
    for index, place in enumerate(datasec.vars):
        name = btf.name(place.type_id)
        if name not in offsets or btf.kind(place.type_id) is not Kind.VAR:
            raise ObjectError(
                f"extern '{name}': is no __kconfig variable", section=datasec.name
            )
        editor.set_linkage(place.type_id, _GLOBAL)
        editor.set_datasec_var(datasec.id, index, offset=offsets[name])


def _fix_ksyms(btf: Btf, editor: BtfEditor, datasec: Datasec) -> None:
    """Turn kernel symbols into 4-byte variables, one after the other.

    All functions share one made-up variable, whose name also goes to parameters
    without one.
    """
    integer = _int_type(btf, editor)
    dummy: int | None = None
    named: set[int] = set()
    for index, place in enumerate(datasec.vars):
        declared = btf.type(place.type_id)
        if isinstance(declared, Func):
            if dummy is None:
                dummy = editor.add_var("dummy_ksym", integer, _GLOBAL)
            if declared.type_id not in named:
                _name_params(btf, editor, declared.type_id)
                named.add(declared.type_id)
            editor.set_linkage(declared.id, _GLOBAL)
            variable = dummy
        elif isinstance(declared, Var):
            editor.set_linkage(declared.id, _GLOBAL)
            editor.set_type(declared.id, integer)
            variable = declared.id
        else:
            raise ObjectError(
                f"BTF type {place.type_id} in this section is no extern",
                section=datasec.name,
            )
        editor.set_datasec_var(
            datasec.id,
            index,
            type_id=variable,
            offset=index * _KSYM_SIZE,
            size=_KSYM_SIZE,
        )
    editor.set_size(datasec.id, len(datasec.vars) * _KSYM_SIZE)


def _int_type(btf: Btf, editor: BtfEditor) -> int:
    """Return some 32-bit integer."""
    for type_id in btf.ids():
        if btf.kind(type_id) is Kind.INT:
            found = btf.type(type_id)
            if isinstance(found, Int) and found.bits == 32:
                return type_id
    return editor.add_int("int", 4, signed=True)


def _name_params(btf: Btf, editor: BtfEditor, proto_id: int) -> None:
    proto = btf.type(proto_id)
    if not isinstance(proto, FuncProto):
        raise ObjectError(f"BTF type {proto_id} is no function prototype")
    for index, param in enumerate(proto.params):
        if param.type_id and not param.name:
            editor.set_param_name(proto_id, index, "dummy_ksym")


def exception_callbacks(btf: Btf, functions: Functions) -> dict[str, Function]:
    """Return the exception callback of each program that has one.

    ``__exception_cb(f)`` is a declaration tag on the program (Linux 6.7).
    """
    found = _tagged(btf)
    callbacks: dict[str, Function] = {}
    subprograms: dict[str, list[Function]] = {}
    for subprogram in functions.all:
        if subprogram.subprogram:
            subprograms.setdefault(subprogram.name, []).append(subprogram)
    for program in functions.programs:
        callback = found.get(program.name)
        if callback is None:
            continue
        candidates = subprograms.get(callback, [])
        if not candidates:
            raise program.fault(f"no exception callback '{callback}' in .text")
        target = candidates[0]
        if len(candidates) > 1 or not target.is_global or target.hidden:
            raise program.fault(
                f"exception callback '{callback}' has to be one global function that"
                " is not hidden"
            )
        callbacks[program.name] = target
    return callbacks


def _tagged(btf: Btf) -> dict[str, str | None]:
    """Return the name of its callback for each function that is tagged."""
    found: dict[str, str | None] = {}
    for type_id in btf.ids():
        if btf.kind(type_id) is not Kind.DECL_TAG:
            continue
        tag = btf.type(type_id)
        assert isinstance(tag, DeclTag)  # by its kind
        if tag.component_index != -1 or not tag.name.startswith(_CALLBACK):
            continue
        function = btf.type(tag.type_id)
        if not isinstance(function, Func) or function.linkage != _GLOBAL:
            raise ObjectError(f"tag '{tag.name}': is not on a program")
        name = tag.name.removeprefix(_CALLBACK)
        # The verifier refuses a program with two; nothing is appended then.
        found[function.name] = None if function.name in found else name
    return found
