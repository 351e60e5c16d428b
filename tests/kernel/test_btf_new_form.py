"""BTF as Linux 7.0 to 7.2 changed it, and the log of a map that is refused.

On kernels before, what is new is left out, or the kernel says no.
"""

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.edit import BtfEditor
from skelgen.btf.header import without_layout
from skelgen.btf.kinds import Kind
from skelgen.btf.parse import Btf
from skelgen.model.enums import MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel import btf as kernel_btf
from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.version import kernel_version
from skelgen.runtime.load.btf import load_btf
from skelgen.runtime.maps.create import create
from skelgen.runtime.maps.request import MapRequest
from tests.harness.btf import layout_of

V7_0 = 7 << 16
V7_1 = V7_0 | 1 << 8
V7_2 = V7_0 | 2 << 8


def test_names_of_kernel_btf() -> None:
    """Found by bisection since 7.0, and what is found is the same as ever."""
    btf = kernel_btf.vmlinux()
    assert (btf._sorted is not None) == (kernel_version() >= V7_0)
    plain = Btf(btf.raw)
    for name in ("task_struct", "vfs_read", "int", "file", "no_such_type", "zzz"):
        assert btf.find_all(name) == plain.find_all(name)
    assert btf.candidates("task_struct", Kind.STRUCT) == plain.find_all(
        "task_struct", Kind.STRUCT
    )


def test_names_of_modules() -> None:
    types = kernel_btf.KernelTypes()
    try:
        found = [module.btf for module in types.modules()[:3]]
        if not found:
            pytest.skip("no module with BTF is loaded")
        for btf in found:
            assert (btf._sorted is not None) == (kernel_version() >= V7_0)
            for type_id in list(btf.ids())[:: len(btf.ids()) // 20 + 1]:
                name = btf.name(type_id)
                assert not name or type_id in btf.find_all(name, own=True)
    finally:
        types.close()


def described() -> bytes:
    """Return BTF with a layout section."""
    builder = BtfBuilder()
    builder.add_int("int", 4, signed=True)
    builder.add_struct("s", 4, [("a", 1, 0)])
    builder._layout = layout_of({})
    return builder.bytes()


def test_a_layout_section_is_given_to_those_who_know_it() -> None:
    assert features.BTF_LAYOUT.supported() is (kernel_version() >= V7_1)
    data = described()
    with syscalls.Fd(load_btf(data, "BTF", required=True).fd) as fd:
        held = syscalls.btf_data(fd.fileno())
    assert held == (data if features.BTF_LAYOUT.supported() else without_layout(data))


def test_an_unknown_kind_is_refused_by_its_number() -> None:
    """The kernel takes none that it does not know, however long it is."""
    editor = BtfEditor(described())
    editor._add(100, "future", vlen=1, payload=(1,))
    editor._layout = layout_of({100: (0, 4)})
    with pytest.raises(BpfOSError) as caught:
        load_btf(editor.bytes(), "BTF", required=True)
    (note,) = caught.value.__notes__
    if kernel_version() < V7_1:
        assert note == "the kernel says: Unsupported btf_header"
    else:
        assert note.startswith("the kernel says: [3] ")
        assert "kind" in note
    assert not load_btf(editor.bytes(), "BTF", required=False).fd


def test_more_elements_than_16_bits_count() -> None:
    builder = BtfBuilder()
    builder.add_enum("e", [(f"E{n}", n) for n in range(0x10001)])
    data = builder.bytes()
    if kernel_version() < V7_2:
        with pytest.raises(BpfOSError) as caught:
            load_btf(data, "BTF", required=True)
        assert "the kernel says: [1] " in caught.value.__notes__[0]
        return
    with syscalls.Fd(load_btf(data, "BTF", required=True).fd) as fd:
        held = Btf(syscalls.btf_data(fd.fileno()))
    assert held.type(1) == Btf(data).type(1)


@pytest.mark.parametrize(
    ("wanted", "said", "ours"),
    [
        (
            MapRequest(MapType.HASH, 4, 4, 1, 0, "m", numa_node=4095),
            "Invalid numa_node",
            "this machine may have no NUMA node 4095 online",
        ),
        (
            MapRequest(MapType.HASH, 4, 4, 1, 0, "m", map_extra=7),
            "Invalid map_extra",
            "map_extra is 0x7, and HASH wants 0",
        ),
        (
            MapRequest(999, 4, 4, 1, 0, "m"),
            "Invalid map_type",
            "this kernel may not have map type",
        ),
        (
            MapRequest(MapType.HASH, 4, 4, 0, 0, "m"),
            "",
            "max_entries is 0",
        ),
    ],
)
def test_the_kernels_own_words_about_a_map(
    wanted: MapRequest, said: str, ours: str
) -> None:
    assert features.COMMON_ATTRS.supported() is (kernel_version() >= V7_2)
    with pytest.raises(BpfOSError) as caught:
        create(wanted, "map 'm'")
    text = str(caught.value)
    assert ours in text
    assert (f"the kernel says '{said}'; " in text) == bool(
        said and features.COMMON_ATTRS.supported()
    )


def test_a_log_from_the_call_itself() -> None:
    log = bytearray(64)

    def make(entries: int) -> int:
        return syscalls.map_create(
            type=MapType.HASH,
            key_size=4,
            value_size=4,
            max_entries=entries,
            map_extra=entries - 1,
            log_level=1,
            log_buf=log,
        )

    if kernel_version() >= V7_2:
        syscalls.close(make(1))
        assert not any(log)
    with pytest.raises(BpfOSError, match="EINVAL"):
        make(2)
    assert log.startswith(b"Invalid map_extra") == (kernel_version() >= V7_2)
