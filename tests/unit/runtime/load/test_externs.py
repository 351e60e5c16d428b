"""Kernel symbols: addresses from kallsyms, types from BTF, what is missing."""

import io
import sys

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.index import KernelBtf
from skelgen.btf.parse import Btf
from skelgen.btf.types import Kind
from skelgen.model.spec import ExternKind, ExternSpec, ObjectSpec
from skelgen.runtime import syscalls
from skelgen.runtime.errors import ExternError
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.kernel import symbols
from skelgen.runtime.kernel.btf import KernelTypes, ModuleBtf
from skelgen.runtime.load.externs import Symbol, Symbols
from skelgen.runtime.load.externs import resolve as resolve_with
from skelgen.runtime.load.types import LoadTypes
from tests.harness.fake_kernel import FakeKernel

KALLSYMS = b"""\
ffffffff81000000 T _stext
ffffffff82000000 D jiffies
ffffffff82000008 d jiffies_lock
ffffffff83000000 d lto_static.llvm.1234
ffffffff83000010 t lto_static.llvm.99
ffffffffc0000000 t mod_function\t[mod]
ffffffffc0000010 t twice\t[one]
ffffffffc0000020 t twice\t[two]
ffffffffc0000030 t same
ffffffffc0000030 T same
"""


class Types(KernelTypes):
    """Kernel types made here: vmlinux and modules."""

    __slots__ = ("_vmlinux",)

    def __init__(self, vmlinux: KernelBtf, *modules: ModuleBtf) -> None:
        super().__init__()
        self._vmlinux = vmlinux
        self._modules = list(modules)

    @property
    def vmlinux(self) -> KernelBtf:
        return self._vmlinux


def kernel_types() -> Types:
    """Return vmlinux with a variable and functions, and two modules with more."""
    b = BtfBuilder(sys.byteorder)
    int_id = b.add_int("int", 4)
    b.add_var("counter", b.add_const(int_id))
    proto = b.add_func_proto(int_id, [("x", int_id)])
    b.add_func("kfunc", proto)
    b.add_struct("thing", 4, [("x", int_id, 0)])
    vmlinux = KernelBtf(b.bytes())
    modules = []
    for number, names in enumerate((["mod_a", "mod_b"], ["mod_c"])):
        split = BtfBuilder(base=vmlinux)
        for name in names:
            split.add_func(name, proto)
        split.add_var("mod_counter", int_id)
        fd = syscalls.Fd(syscalls.get_fd_by_id("btf", number))
        module = ModuleBtf(1000 + number, f"module{number}", fd, vmlinux)
        module._raw = split.bytes()
        modules.append(module)
    return Types(vmlinux, *modules)


def local_btf() -> Btf:
    b = BtfBuilder(sys.byteorder)
    int_id = b.add_int("int", 4)  # 1
    b.add_ptr(0)  # 2
    proto = b.add_func_proto(int_id, [("x", int_id)])  # 3
    b.add_func("kfunc", proto, 2)  # 4
    b.add_func("other", b.add_func_proto(int_id), 2)  # 6, of another type
    b.add_volatile(int_id)  # 7
    return Btf(b.bytes())


class Given(LoadTypes):
    """Types of an object and of a kernel, both made here."""

    __slots__ = ("_given",)

    def __init__(self, local: Btf | None, kernel: KernelTypes) -> None:
        super().__init__(spec())
        self._given = local, kernel

    @property
    def btf(self) -> Btf | None:
        return self._given[0]

    @property
    def kernel(self) -> KernelTypes:
        return self._given[1]


def resolve(wanted: ObjectSpec, local: Btf | None, kernel: KernelTypes) -> Symbols:
    return resolve_with(wanted, Given(local, kernel))


def spec(*wanted: ExternSpec) -> ObjectSpec:
    return ObjectSpec("x", "x.bpf.o", sys.byteorder, "GPL", externs=wanted)


def ksym(name: str, *, weak: bool = False) -> ExternSpec:
    return ExternSpec(name, ExternKind.KSYM, weak)


def kfunc(name: str, *, weak: bool = False, type_id: int = 4) -> ExternSpec:
    return ExternSpec(name, ExternKind.KFUNC, weak, type_id)


def variable(name: str, *, weak: bool = False, type_id: int = 7) -> ExternSpec:
    return ExternSpec(name, ExternKind.KSYM_VAR, weak, type_id)


@pytest.fixture(autouse=True)
def no_modules_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget modules of other tests, which have the same ids."""
    monkeypatch.setattr(kernel_btf, "_module_btf", {})


@pytest.fixture
def kallsyms(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return what ``/proc/kallsyms`` has, in a list; empty where it is not there."""
    table = [KALLSYMS]

    def opened(path: str, mode: str) -> io.BytesIO:
        assert (path, mode) == ("/proc/kallsyms", "rb")
        if not table:
            raise PermissionError(13, "Permission denied", path)
        return io.BytesIO(table[0])

    monkeypatch.setattr(symbols, "open", opened, raising=False)
    return table


def addresses(*wanted: ExternSpec) -> dict[str, Symbol]:
    return resolve(spec(*wanted), None, KernelTypes()).by_name


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("jiffies", 0xFFFFFFFF82000000),
        ("mod_function", 0xFFFFFFFFC0000000),
        ("lto_static", 0xFFFFFFFF83000000),
        ("same", 0xFFFFFFFFC0000030),
    ],
)
def test_addresses_are_those_of_kallsyms(
    kallsyms: list[bytes], name: str, address: int
) -> None:
    assert kallsyms
    assert addresses(ksym(name)) == {name: Symbol(address)}


def test_a_name_that_several_symbols_have_is_refused(kallsyms: list[bytes]) -> None:
    assert kallsyms
    with pytest.raises(ExternError) as caught:
        addresses(ksym("twice", weak=True))
    assert str(caught.value) == (
        "extern 'twice': the kernel has several symbols of that name, at"
        " 0xffffffffc0000010 and 0xffffffffc0000020"
    )


def test_a_missing_address_is_an_error_unless_weak(kallsyms: list[bytes]) -> None:
    assert addresses(ksym("none", weak=True)) == {"none": Symbol()}
    with pytest.raises(ExternError) as caught:
        addresses(ksym("none"))
    assert str(caught.value) == (
        "extern 'none': not in '/proc/kallsyms'; declare it __weak to do without"
    )
    with pytest.raises(ExternError) as caught:
        addresses(ksym("jifies"))
    assert caught.value.__notes__ == ["did you mean 'jiffies'?"]
    kallsyms.clear()
    with pytest.raises(ExternError, match=r"cannot read '/proc/kallsyms': Permission"):
        addresses(ksym("jiffies"))
    assert addresses(ksym("jiffies", weak=True)) == {"jiffies": Symbol()}


def test_hidden_addresses_are_an_error_unless_weak(kallsyms: list[bytes]) -> None:
    kallsyms[0] = b"0000000000000000 T _stext\n0000000000000000 D jiffies\n"
    with pytest.raises(ExternError, match=r"hides addresses.*kernel.kptr_restrict"):
        addresses(ksym("jiffies"))
    assert addresses(ksym("jiffies", weak=True)) == {"jiffies": Symbol()}


def test_an_address_of_0_is_no_missing_one(kallsyms: list[bytes]) -> None:
    kallsyms[0] += b"0000000000000000 A fixed_percpu_data\n"
    assert addresses(ksym("fixed_percpu_data")) == {"fixed_percpu_data": Symbol()}


# -- typed -----------------------------------------------------------------------


def test_typed_symbols_are_found_in_the_kernel_and_its_modules(
    kernel: FakeKernel,
) -> None:
    types = kernel_types()
    fds = [module.fd.fileno() for module in types.modules()]
    wanted = [
        variable("counter"),
        kfunc("kfunc"),
        kfunc("kfunc___mine"),
        kfunc("mod_b"),
        kfunc("mod_c"),
        kfunc("mod_a"),
        variable("mod_counter"),
    ]
    found = resolve(spec(*wanted), local_btf(), types)
    vmlinux = types.vmlinux
    assert found.by_name["counter"] == Symbol(
        btf_id=vmlinux.find("counter", Kind.VAR) or 0
    )
    function = vmlinux.find("kfunc", Kind.FUNC) or 0
    assert found.by_name["kfunc"] == Symbol(btf_id=function)
    assert found.by_name["kfunc___mine"] == Symbol(btf_id=function)
    assert found.fd_array == [0, *fds]
    first, second = (module.btf for module in types.modules())
    assert found.by_name["mod_b"] == Symbol(0, first.find("mod_b") or 0, fds[0], 1)
    assert found.by_name["mod_c"] == Symbol(0, second.find("mod_c") or 0, fds[1], 2)
    assert found.by_name["mod_a"] == Symbol(0, first.find("mod_a") or 0, fds[0], 1)
    assert found.by_name["mod_counter"] == Symbol(
        0, first.find("mod_counter", Kind.VAR) or 0, fds[0], 0
    )
    types.close()
    assert not kernel.open


def test_missing_typed_symbols_are_errors_unless_weak(kernel: FakeKernel) -> None:
    del kernel
    types = kernel_types()
    for weak in (kfunc("no", weak=True), variable("no", weak=True)):
        assert resolve(spec(weak), local_btf(), types).by_name == {"no": Symbol()}
    with pytest.raises(ExternError) as caught:
        resolve(spec(kfunc("no")), local_btf(), types)
    assert str(caught.value) == (
        "extern 'no': no kernel function 'no' in the BTF of this kernel or its modules;"
        " declare it __weak to do without"
    )
    assert caught.value.extern == "no"
    with pytest.raises(ExternError, match="no kernel variable 'no'"):
        resolve(spec(variable("no")), local_btf(), types)


def test_symbols_of_other_types_are_refused_with_both_declarations(
    kernel: FakeKernel,
) -> None:
    del kernel
    types = kernel_types()
    weak = kfunc("kfunc", weak=True, type_id=6)
    assert resolve(spec(weak), local_btf(), types).by_name == {"kfunc": Symbol()}
    with pytest.raises(
        ExternError, match=r"'kfunc': declared of another type .* this"
    ) as caught:
        resolve(spec(kfunc("kfunc", type_id=6)), local_btf(), types)
    assert caught.value.__notes__ == [
        "declared: int kfunc(void)",
        "this kernel: int kfunc(int x)",
    ]
    with pytest.raises(ExternError, match=r"another type .* in module 'module0'"):
        resolve(spec(kfunc("mod_a", type_id=6)), local_btf(), types)
    with pytest.raises(ExternError, match=r"another type") as caught:
        resolve(spec(variable("counter", weak=True, type_id=2)), local_btf(), types)
    assert caught.value.__notes__ == [
        "declared: void *counter",
        "this kernel: const int counter",
    ]


def test_typed_symbols_need_btf_of_the_object(kernel: FakeKernel) -> None:
    del kernel
    with pytest.raises(ExternError, match="the object has no BTF"):
        resolve(spec(kfunc("kfunc")), None, kernel_types())


# -- kernel types ------------------------------------------------------------------


def test_candidates_come_from_vmlinux_or_else_from_modules(kernel: FakeKernel) -> None:
    del kernel
    types = kernel_types()
    vmlinux = types.vmlinux
    first, second = types.modules()
    for module, members in ((first, 1), (second, 2)):
        split = BtfBuilder(base=vmlinux)
        split.add_struct("thing", 8, [])
        split.add_struct("own___2", 8 * members, [])
        module._raw = split.bytes()
    assert types.candidates("thing", Kind.STRUCT) == [
        (vmlinux, vmlinux.find("thing", Kind.STRUCT))
    ]
    assert types.candidates("own", Kind.STRUCT) == [
        (first.btf, first.btf.find("own___2")),
        (second.btf, second.btf.find("own___2")),
    ]
    assert types.candidates("none", Kind.STRUCT) == []
    assert not first.may_have("none")


def test_find_looks_in_one_module_alone(kernel: FakeKernel) -> None:
    del kernel
    types = kernel_types()
    assert types.find("kfunc", Kind.FUNC, "vmlinux") is not None
    assert types.find("mod_a", Kind.FUNC, "vmlinux") is None
    assert types.find("mod_a", Kind.FUNC, "module0") is not None
    assert types.find("mod_a", Kind.FUNC, "module1") is None
    assert types.find("kfunc", Kind.FUNC, "module1") is None
