"""BTF cut to some relocations, and what these come to on the whole and on the cut one."""

from collections.abc import Iterable
from struct import pack

from skelgen.btf.build import BtfBuilder
from skelgen.btf.core.minimize import CoreMinimizer, Unmet
from skelgen.btf.core.reloc import CoreRelo, CoreRelocator, Value
from skelgen.btf.core.spec import ReloKind
from skelgen.btf.core.types import SpecError
from skelgen.btf.ext import BtfExt
from skelgen.btf.index import KernelBtf
from skelgen.btf.parse import Btf
from skelgen.btf.types import Kind

K = ReloKind
KINDS = [*K, *[kind for kind in K if kind.on_field or kind.on_enumerator] * 2]
NAMED = frozenset(
    {Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.TYPEDEF, Kind.INT, Kind.FWD}
)


def ext(btf: BtfBuilder, relos: Iterable[tuple[int, str, int]]) -> BtfExt:
    """Return BTF.ext of one section with relocations on instructions 0, 1, ..."""
    records = [
        pack("<4I", 8 * at, type_id, btf.add_string(access), kind)
        for at, (type_id, access, kind) in enumerate(relos)
    ]
    group = pack("<3I", 16, btf.add_string("tp/x"), len(records)) + b"".join(records)
    header = pack("<HBBI6I", 0xEB9F, 1, 0, 32, 0, 0, 0, 0, 0, len(group))
    return BtfExt(header + group)


def cut(
    source: BtfBuilder, local: BtfBuilder, *relos: tuple[int, str, int]
) -> tuple[KernelBtf, list[Unmet]]:
    minimizer = CoreMinimizer(KernelBtf(source.bytes()))
    records = ext(local, relos)
    unmet = minimizer.add(Btf(local.bytes()), records)
    return KernelBtf(minimizer.subset.bytes()), unmet


class Outcome:
    """What relocations come to, one after another, on one target."""

    def __init__(self, local: Btf, target: KernelBtf) -> None:
        def find(name: str, kind: Kind) -> list[tuple[Btf, int]]:
            return [(target, id_) for id_ in target.candidates(name, kind)]

        self._relocator = CoreRelocator(local, find)

    def of(self, relo: CoreRelo) -> Value | str:
        try:
            value = self._relocator.value(relo)
        except SpecError:
            return "refused"
        if relo.kind == K.TYPE_ID_TARGET:
            return "found" if value.new else "missing"
        return value


def assert_same(
    local: Btf, source: KernelBtf, part: KernelBtf, relos: list[CoreRelo]
) -> list[Value | str]:
    whole, less = Outcome(local, source), Outcome(local, part)
    values = []
    for relo in relos:
        value = whole.of(relo)
        assert less.of(relo) == value, whole._relocator.access(relo)
        values.append(value)
    return values
