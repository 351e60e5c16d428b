"""First kernels and names of helpers, against the enumerations and the kernel."""

from collections.abc import Callable
from pathlib import Path

import pytest

from skelgen.btf.index import KernelBtf
from skelgen.btf.types import Enum, Kind
from skelgen.model import helpers, since
from skelgen.model.enums import AttachType, MapType, ProgType
from tests.harness.btf import VMLINUX, needs_kernel_btf


def number(kernel: str) -> tuple[int, ...]:
    return tuple(map(int, kernel.split(".")))


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (since.map_type_since, max(MapType)),
        (since.prog_type_since, max(ProgType)),
        (since.attach_type_since, max(AttachType)),
        (since.helper_since, len(helpers.HELPERS) - 1),
    ],
)
def test_each_has_a_kernel_and_none_is_older_than_the_one_before(
    first: Callable[[int], str], last: int
) -> None:
    kernels = [number(first(each)) for each in range(last + 1)]
    assert kernels == sorted(kernels)
    assert kernels[0] >= (3, 18)
    assert first(last + 1) == ""


@pytest.mark.parametrize(
    ("answer", "kernel"),
    [
        (since.map_type_since(MapType.RINGBUF), "5.8"),
        (since.map_type_since(MapType.ARENA), "6.9"),
        (since.prog_type_since(ProgType.XDP), "4.8"),
        (since.prog_type_since(ProgType.LSM), "5.7"),
        (since.attach_type_since(AttachType.TCX_INGRESS), "6.6"),
        (since.attach_type_since(AttachType.XDP), "5.9"),
        (since.helper_since(113), "5.5"),
        (since.helper_since(130), "5.8"),
        (since.helper_since(174), "5.15"),
    ],
)
def test_some_that_everybody_knows(answer: str, kernel: str) -> None:
    assert answer == kernel


def test_helpers_by_name_and_number() -> None:
    assert helpers.helper_name(1) == "bpf_map_lookup_elem"
    assert helpers.helper_name(211) == "bpf_cgrp_storage_delete"
    assert helpers.helper_name(9999) == "helper 9999"
    assert helpers.helper_number("ringbuf_output") == 130
    assert helpers.helper_number("bpf_ringbuf_output") == 130
    for name in ("unspec", "bpf_no_such", ""):
        with pytest.raises(ValueError, match="is no helper"):
            helpers.helper_number(name)


@needs_kernel_btf
def test_the_running_kernel_agrees() -> None:
    btf = KernelBtf(Path(VMLINUX).read_bytes())
    enum = btf.type(btf.find("bpf_func_id", Kind.ENUM) or 0)
    assert isinstance(enum, Enum)
    ours = {f"BPF_FUNC_{name}": index for index, name in enumerate(helpers.HELPERS)}
    names = {value.name: value.value for value in enum.values}
    del names["__BPF_FUNC_MAX_ID"]
    assert names.items() <= ours.items()
    assert len(names) > 150
