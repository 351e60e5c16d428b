"""Maps on kernels that lack a feature: without BTF, names, global data or mappings."""

import errno
from collections.abc import Callable
from pathlib import Path

from skelgen.runtime.kernel import features
from tests.harness.fake_kernel import Call, FakeKernel
from tests.harness.rich_object import open_rich, with_pins


def test_a_map_is_made_without_btf_where_the_kernel_refuses_it(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    with_pins(kernel)
    kernel.then("MAP_CREATE", -errno.EINVAL)
    with open_rich(tmp_path) as obj:
        obj.load()
        first, second, *_ = kernel.named("MAP_CREATE")
        assert first.values("btf_key_type_id", "btf_value_type_id") == [1, 1]
        assert first.attr.btf_fd
        assert second.values("btf_fd", "btf_key_type_id", "btf_value_type_id") == [
            0,
            0,
            0,
        ]


def answer(probe: Callable[[Call], bool], error: int) -> Callable[[Call], int | None]:
    return lambda call: -error if probe(call) else None


def test_names_are_left_out_on_a_kernel_without_them(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    """Linux before 4.15 refuses calls that are longer than it knows."""
    with_pins(kernel)
    kernel.always("PROG_LOAD", answer(lambda c: bool(c.attr.prog_name), errno.E2BIG))
    kernel.always("MAP_CREATE", answer(lambda c: bool(c.attr.map_name), errno.E2BIG))
    with open_rich(tmp_path) as obj:
        obj.load()
        assert not kernel.named("PROG_LOAD")[-1].attr.prog_name


def test_without_global_data_programs_without_it_are_loaded(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    """Linux before 5.2: programs without global variables can be loaded."""
    features.GLOBAL_DATA.assume(False)
    features.ARRAY_MMAP.assume(False)
    with_pins(kernel)
    kernel.always(
        "MAP_CREATE", answer(lambda c: bool(c.attr.map_flags & 0x480), errno.EINVAL)
    )
    with open_rich(tmp_path) as obj:
        obj.programs["first"].autoload = False
        obj.load()
        assert obj.programs["second"].loaded


def test_without_mappings_of_arrays_globals_are_read_by_calls(
    kernel: FakeKernel, tmp_path: Path
) -> None:
    """Linux before 5.5: globals are read and written with calls."""
    features.GLOBAL_DATA.assume(True)
    features.ARRAY_MMAP.assume(False)
    with_pins(kernel)
    kernel.always(
        "MAP_CREATE", answer(lambda c: bool(c.attr.map_flags & 0x400), errno.EINVAL)
    )
    with open_rich(tmp_path) as obj:
        obj.load()
        assert not obj.map(".bss").flags
        obj.sections[".bss"].read()
        assert kernel.names()[-1] == "MAP_LOOKUP_ELEM"
