"""Data sections of another size: memory, types, globals, what is refused."""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import skelgen
from skelgen.btf.layout import section_vars
from skelgen.btf.parse import Btf
from skelgen.btf.resolve import size_of
from skelgen.btf.types import Datasec, Kind
from skelgen.model.enums import MapType
from skelgen.runtime.errors import ClosedError, StateError
from tests.harness import sources
from tests.harness.fake_kernel import Call, FakeKernel

Make = Callable[[str], ModuleType]


@pytest.fixture
def skel(make_skeleton: Make) -> Iterator[Any]:
    with make_skeleton("sections_resized").SectionsResized.open() as made:
        yield made


def test_an_array_becomes_longer(skel: Any) -> None:
    data = skel.data_numbers
    before = data.numbers
    assert list(before) == [10, 20]
    data.resize("numbers", 5)
    assert list(data.numbers) == [10, 20, 0, 0, 0]
    assert data.first == 5
    data.numbers[4] = 7
    data.numbers = [1, 2, 3, 4, 5]
    assert list(data.numbers) == [1, 2, 3, 4, 5]
    assert list(before) == [10, 20]  # of the memory from before
    with pytest.raises(ValueError, match="global 'numbers' must be a sequence of 5"):
        data.numbers = [1, 2]
    with pytest.raises(IndexError):
        data.numbers[5] = 1
    assert skel.object.sections[".data.numbers"].size == 4 + 5 * 4
    assert skel.object.maps[".data.numbers"].value_size == 24


def test_it_becomes_shorter_and_as_it_was(skel: Any) -> None:
    data = skel.data_numbers
    data.resize("numbers", 1)
    assert list(data.numbers) == [10]
    data.resize("numbers", 2)
    assert list(data.numbers) == [10, 0]
    assert skel.object.sections[".data.numbers"].resized is None


def test_arrays_of_structs_and_of_char_become_longer_too(skel: Any) -> None:
    skel.bss_slots.resize("slots", 100)
    skel.bss_slots.slots[99].hits = 5
    assert len(skel.bss_slots.slots) == 100
    skel.data_text.resize("text", 20)
    assert skel.data_text.text == b"abc"
    skel.data_text.text = b"something longer"
    assert skel.data_text.text == b"something longer"
    with pytest.raises(ValueError, match="global 'text' must be at most 20 bytes"):
        skel.data_text.text = bytes(21)


def test_the_size_of_the_map_resizes_the_array(skel: Any) -> None:
    """As libbpf has it: bpf_map__set_value_size()."""
    skel.object.maps[".data.numbers"].value_size = 16
    assert len(skel.data_numbers.numbers) == 3


@pytest.mark.parametrize(
    ("section", "name", "length", "error", "text"),
    [
        ("data_numbers", "first", 2, ValueError, "'numbers' comes behind it in '.data"),
        ("data", "behind", 2, TypeError, "'behind' is no array"),
        (
            "data",
            "nothing",
            2,
            ValueError,
            "section '.data': no global of the name 'nothing'",
        ),
        ("data_numbers", "numbers", 0, OverflowError, "1 element or more, got 0"),
        ("data_numbers", "numbers", 1 << 30, OverflowError, "must have 8..2147483647"),
        ("data_numbers", "numbers", "5", TypeError, "length must be int, got str"),
    ],
)
def test_what_cannot_be_resized_is_refused(
    skel: Any,
    section: str,
    name: str,
    length: Any,
    error: type[Exception],
    text: str,
) -> None:
    with pytest.raises(error) as caught:
        getattr(skel, section).resize(name, length)
    assert text in str(caught.value)


def test_sizes_that_are_refused(skel: Any) -> None:
    section = skel.object.sections[".data.numbers"]
    with pytest.raises(ValueError, match="4 and a multiple of 4") as caught:
        section.resize(15)
    assert "15 bytes are not a whole number of elements of 'numbers'" in str(
        caught.value
    )
    with pytest.raises(OverflowError, match="must have 8"):
        section.resize(4)
    assert section.size == 12
    for setting in ("type", "key_size", "max_entries"):
        with pytest.raises(StateError, match=f"a data section has its {setting}"):
            setattr(skel.object.maps[".data.numbers"], setting, 2)


def test_sections_without_types_cannot_be_resized() -> None:
    obj = skelgen.open_object(sources.compiled(sources.find("no_btf")))
    section = next(iter(obj.sections.values()))
    with pytest.raises(TypeError, match="no BTF of its variables"):
        section.resize(100)
    obj.destroy()
    with pytest.raises(ClosedError):
        section.resize(100)
    with (
        skelgen.open_object(sources.compiled(sources.find("externs_kconfig"))) as obj,
        pytest.raises(TypeError, match="the kernel's configuration"),
    ):
        obj.sections[".kconfig"].resize(100)


def test_the_kernel_gets_the_new_size_contents_and_btf(
    kernel: FakeKernel, skel: Any
) -> None:
    """The map's size, the contents, and BTF that says the same."""
    loaded: list[bytes] = []
    contents: list[bytes] = []

    def load_btf(call: Call) -> None:
        loaded.append(call.memory("btf", call.attr.btf_size))

    def update(call: Call) -> None:
        contents.append(call.memory("value", 24))

    kernel.always("BTF_LOAD", load_btf)
    skel.data_numbers.resize("numbers", 5)
    skel.data_numbers.numbers[4] = 9
    (spec,) = [d for d in skel.object.spec.data if d.section == ".data.numbers"]
    kernel.then("MAP_UPDATE_ELEM", None, update)  # .rodata comes first
    skel.load()
    created = [
        call
        for call in kernel.named("MAP_CREATE")
        if call.attr.map_name.startswith(".data.numbers")
    ]
    (call,) = created
    assert call.values("map_type", "value_size") == [MapType.ARRAY, 24]
    assert call.attr.btf_value_type_id == spec.type_id
    btf = Btf(loaded[0])
    section = btf.type(spec.type_id)
    assert isinstance(section, Datasec)
    assert section.size == 24
    by_name = {var.name: var for var in section_vars(btf, spec.type_id)}
    assert by_name["numbers"].size == 20
    assert size_of(btf, by_name["numbers"].type_id) == 20
    assert by_name["first"].size == 4
    old = Btf(skel.object.spec.view(skel.object.spec.btf))
    assert len(btf) == len(old) + 1
    assert old.find("add", Kind.FUNC) == btf.find("add", Kind.FUNC)
    with pytest.raises(StateError, match=r"size cannot change after load"):
        skel.data_numbers.resize("numbers", 2)
    with pytest.raises(StateError, match="value_size cannot change after load"):
        skel.object.maps[".data.numbers"].value_size = 12
    assert contents
