"""Externs, the layout of ``.kconfig``, and ``.ksyms`` as the kernel wants it."""

from collections.abc import Callable

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.parse import Btf
from skelgen.btf.types import Datasec, Func, FuncProto, Var
from skelgen.elf import read_object
from skelgen.errors import ObjectError
from skelgen.model.spec import (
    DataKind,
    DataSpec,
    ExternKind,
    ExternLoad,
    ExternSpec,
    KconfigType,
    KfuncCall,
    MapValue,
    ObjectSpec,
)
from tests.harness import elf_builder as eb

BOTH = pytest.mark.parametrize("byteorder", ["little", "big"])
EXTERN = 2  # BTF_VAR_GLOBAL_EXTERN and BTF_FUNC_EXTERN


def read(elf: eb.ElfBuilder) -> ObjectSpec:
    return read_object(elf.bytes(), name="x", source="x.o", path="x.o")


class Externs:
    """An object with externs, and a program that loads or calls each."""

    def __init__(self, byteorder: str = "little") -> None:
        self.asm = eb.Asm(byteorder)
        self.elf = eb.ElfBuilder(byteorder)
        self.btf = BtfBuilder(byteorder)
        self.homes: dict[str, list[tuple[int, int, int]]] = {}
        self.used: list[tuple[str, bool, int]] = []

    def add(
        self,
        name: str,
        declared: int,
        section: str = ".kconfig",
        *,
        weak: bool = False,
        call: bool = False,
    ) -> None:
        if section:
            self.homes.setdefault(section, []).append((declared, 0, 4))
        symbol = self.elf.extern(name, bind=eb.WEAK if weak else eb.GLOBAL)
        self.used.append((name, call, symbol))

    def var(self, name: str, type_id: int, **options: bool) -> None:
        """Add a variable of ``.kconfig``."""
        self.add(name, self.btf.add_var(name, type_id, EXTERN), **options)

    def spec(self) -> ObjectSpec:
        for section, variables in self.homes.items():
            self.btf.add_datasec(section, 0, variables)
        body = b""
        relocs = []
        for _, call, symbol in self.used:
            relocs.append((len(body), symbol))
            body += self.asm.call() if call else self.asm.load64()
        code = self.elf.code("xdp", body + self.asm.exit())
        self.elf.function("p", code, 0, len(body) + 8)
        self.elf.relocate(code, relocs)
        self.elf.btf(self.btf)
        return read(self.elf)


@BOTH
def test_kconfig_is_laid_out_by_alignment_size_and_name(byteorder: str) -> None:
    """Largest alignment first, then smallest size, then name; rounded up."""
    e = Externs(byteorder)
    b = e.btf
    char = b.add_int("char", 1, signed=True)
    bool_ = b.add_int("_Bool", 1, bool=True)
    short = b.add_int("short", 2, signed=True)
    u64 = b.add_int("unsigned long", 8)
    i32 = b.add_int("int", 4, signed=True)
    tristate = b.add_enum("libbpf_tristate", [("TRI_NO", 0), ("TRI_YES", 1)])
    e.var("CONFIG_TEXT", b.add_array(b.add_const(char), i32, 5))
    e.var("CONFIG_CHAR", char, weak=True)
    e.var("CONFIG_SHORT", short)
    e.var("CONFIG_BOOL", b.add_const(b.add_typedef("bool", bool_)), weak=True)
    e.var("LINUX_KERNEL_VERSION", i32)
    e.var("CONFIG_TRI", tristate)
    e.var("CONFIG_HZ", u64)
    spec = e.spec()

    def expect(name: str, kind: KconfigType, offset: int, size: int) -> ExternSpec:
        found = next(x for x in spec.externs if x.name == name)
        assert (found.kconfig, found.offset, found.size) == (kind, offset, size)
        return found

    order = [x.name for x in spec.externs]
    assert order == [
        "CONFIG_HZ",
        "CONFIG_TRI",
        "LINUX_KERNEL_VERSION",
        "CONFIG_SHORT",
        "CONFIG_BOOL",
        "CONFIG_CHAR",
        "CONFIG_TEXT",
    ]
    assert not expect("CONFIG_HZ", KconfigType.INT, 0, 8).signed
    expect("CONFIG_TRI", KconfigType.TRISTATE, 8, 4)
    assert expect("LINUX_KERNEL_VERSION", KconfigType.INT, 12, 4).signed
    assert expect("CONFIG_SHORT", KconfigType.INT, 16, 2).signed
    assert expect("CONFIG_BOOL", KconfigType.BOOL, 18, 1).weak
    assert expect("CONFIG_CHAR", KconfigType.CHAR, 19, 1).weak
    expect("CONFIG_TEXT", KconfigType.STRING, 20, 5)
    assert spec.btf is not None
    fixed = Btf(bytes(spec.view(spec.btf)))
    (data,) = spec.data
    assert data == DataSpec(
        ".kconfig", DataKind.KCONFIG, 25, None, mmapable=True, type_id=data.type_id
    )
    section = fixed.type(data.type_id)
    assert isinstance(section, Datasec)
    assert section.size == 25
    assert [(fixed.name(v.type_id), v.offset) for v in section.vars] == [
        (x.name, x.offset) for x in spec.externs
    ]
    variable = fixed.type(section.vars[0].type_id)
    assert isinstance(variable, Var)
    assert variable.linkage == 1
    offsets = {x.name: x.offset for x in spec.externs}
    assert spec.programs[0].relocs == tuple(
        MapValue(2 * number, ".kconfig", offsets[name])
        for number, (name, _, _) in enumerate(e.used)
    )


@BOTH
def test_ksyms_are_written_as_the_kernel_wants_them(byteorder: str) -> None:
    e = Externs(byteorder)
    b = e.btf
    i32 = b.add_int("int", 4, signed=True)
    rq = b.add_struct("rq", 8, [("x", i32, 0)])
    task = b.add_ptr(b.add_fwd("task_struct"))
    void = b.add_const(0)
    proto = b.add_func_proto(i32, [("", task), ("flags", i32), ("", 0)])
    typed = b.add_var("runqueues", rq, EXTERN)
    untyped = b.add_var("bpf_link_fops", void, EXTERN)
    kfunc = b.add_func("bpf_task_acquire", proto, EXTERN)
    e.add("runqueues", typed, ".ksyms", weak=True)
    e.add("bpf_link_fops", untyped, ".ksyms")
    e.add("bpf_task_acquire", kfunc, ".ksyms", call=True)
    e.used.append(("bpf_task_acquire", False, e.used[-1][2]))
    spec = e.spec()
    assert spec.externs == (
        ExternSpec("bpf_link_fops", ExternKind.KSYM),
        ExternSpec("bpf_task_acquire", ExternKind.KFUNC, type_id=kfunc),
        ExternSpec("runqueues", ExternKind.KSYM_VAR, weak=True, type_id=rq),
    )
    assert spec.data == ()
    assert spec.programs[0].relocs == (
        ExternLoad(0, "runqueues"),
        ExternLoad(2, "bpf_link_fops"),
        KfuncCall(4, "bpf_task_acquire"),
        KfuncCall(5, "bpf_task_acquire"),
    )
    assert spec.btf is not None
    fixed = Btf(bytes(spec.view(spec.btf)))
    section_id = fixed.find(".ksyms")
    assert section_id is not None
    section = fixed.type(section_id)
    assert isinstance(section, Datasec)
    assert (section.size, [v.offset for v in section.vars]) == (12, [0, 4, 8])
    assert {v.size for v in section.vars} == {4}
    variables = [fixed.type(v.type_id) for v in section.vars]
    assert [
        (v.name, v.type_id, v.linkage) for v in variables if isinstance(v, Var)
    ] == [
        ("runqueues", i32, 1),
        ("bpf_link_fops", i32, 1),
        ("dummy_ksym", i32, 1),
    ]
    function = fixed.type(kfunc)
    assert isinstance(function, Func)
    assert function.linkage == 1
    changed = fixed.type(proto)
    assert isinstance(changed, FuncProto)
    assert [param.name for param in changed.params] == ["dummy_ksym", "flags", ""]


def test_ksyms_without_an_int_get_one() -> None:
    e = Externs()
    e.add("v", e.btf.add_var("v", 0, EXTERN), ".ksyms")
    spec = e.spec()
    assert spec.btf is not None
    fixed = Btf(bytes(spec.view(spec.btf)))
    variable = fixed.type(1)
    assert isinstance(variable, Var)
    assert fixed.name(variable.type_id) == "int"


KCONFIG_TYPES: dict[str, Callable[[BtfBuilder], int]] = {
    "struct": lambda b: b.add_struct("s", 4),
    "pointer": lambda b: b.add_ptr(0),
    "float": lambda b: b.add_float("float", 4),
    "int128": lambda b: b.add_int("__int128", 16),
    "wide_bool": lambda b: b.add_int("b", 4, bool=True),
    "other_enum": lambda b: b.add_enum("tristate", [("A", 0)]),
    "small_tristate": lambda b: b.add_enum("libbpf_tristate", [("A", 0)], size=2),
    "int_array": lambda b: b.add_array(b.add_int("int", 4), 1, 4),
    "empty_array": lambda b: b.add_array(b.add_int("char", 1), 1, 0),
}


@pytest.mark.parametrize("name", KCONFIG_TYPES)
def test_a_kconfig_of_another_type_is_refused(name: str) -> None:
    e = Externs()
    e.var("CONFIG_X", KCONFIG_TYPES[name](e.btf))
    with pytest.raises(ObjectError, match="extern 'CONFIG_X': this type is not"):
        e.spec()


def test_a_kconfig_of_gigabytes_is_refused() -> None:
    e = Externs()
    char = e.btf.add_int("char", 1)
    e.var("CONFIG_X", e.btf.add_array(char, char, 0x7FFFFFFF))
    e.var("CONFIG_Y", char)
    with pytest.raises(ObjectError, match="of 2147483648 bytes do not fit a map value"):
        e.spec()


def test_a_kconfig_function_is_refused() -> None:
    e = Externs()
    e.add("f", e.btf.add_func("f", e.btf.add_func_proto(0), EXTERN))
    with pytest.raises(ObjectError, match="extern 'f': a function cannot be __kconfig"):
        e.spec()


def test_a_call_of_a_variable_is_refused() -> None:
    e = Externs()
    e.var("CONFIG_X", e.btf.add_int("int", 4))
    e.used = [(name, True, symbol) for name, _, symbol in e.used]
    message = "program 'p' insn 0: calls 'CONFIG_X', which is no function in BTF"
    with pytest.raises(ObjectError, match=message):
        e.spec()


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ("", "in no section; add __ksym or __kconfig if it is the kernel's, else link"),
        (".x", "in section '.x' of another object; link the object"),
    ],
)
def test_an_extern_without_a_known_section_says_what_to_do(
    section: str, says: str
) -> None:
    e = Externs()
    e.add("v", e.btf.add_var("v", 0, EXTERN), section)
    with pytest.raises(ObjectError, match=f"extern 'v': {says}"):
        e.spec()


def test_an_extern_that_btf_defines_is_refused() -> None:
    e = Externs()
    e.add("v", e.btf.add_var("v", 0, 1))
    with pytest.raises(ObjectError, match="BTF declares something that is defined"):
        e.spec()


def test_an_extern_that_btf_does_not_declare_is_refused() -> None:
    e = Externs()
    e.elf.extern("memcpy")
    with pytest.raises(ObjectError, match="extern 'memcpy': no declaration in BTF"):
        e.spec()


def test_a_misspelt_helper_of_another_build_gets_a_hint() -> None:
    e = Externs()
    e.elf.extern("bpf_get_curent_pid_tgid")
    with pytest.raises(ObjectError, match="did you mean 'bpf_get_current_pid_tgid'"):
        e.spec()


def test_an_extern_without_any_btf_is_refused() -> None:
    elf = eb.ElfBuilder()
    elf.extern("memcpy")
    with pytest.raises(ObjectError, match="extern 'memcpy': no BTF that says what it"):
        read(elf)


def test_two_symbols_of_one_extern_are_refused() -> None:
    e = Externs()
    e.var("CONFIG_X", e.btf.add_int("int", 4))
    e.elf.extern("CONFIG_X")
    with pytest.raises(ObjectError, match="extern 'CONFIG_X': two symbols of this"):
        e.spec()


@pytest.mark.parametrize("section", [".ksyms", ".kconfig"])
def test_an_extern_without_an_undefined_symbol_is_refused(section: str) -> None:
    e = Externs()
    unused = e.btf.add_var("unused", 0, EXTERN)
    e.add("used", e.btf.add_var("used", e.btf.add_int("int", 4), EXTERN), section)
    e.homes[section].append((unused, 0, 4))
    with pytest.raises(ObjectError, match="extern 'unused': in BTF, but no undefined"):
        e.spec()
