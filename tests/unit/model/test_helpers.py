"""Names, numbers and first kernels of helpers."""

from pathlib import Path

import pytest

from skelgen.btf.index import KernelBtf
from skelgen.btf.types import Enum, Kind
from skelgen.model import helpers
from tests.harness.btf import VMLINUX, needs_kernel_btf


def kernel_number(kernel: str) -> tuple[int, ...]:
    return tuple(map(int, kernel.split(".")))


def test_each_has_a_kernel_and_none_is_older_than_the_one_before() -> None:
    known = range(len(helpers.HELPERS))
    kernels = [kernel_number(helpers.helper_since(each)) for each in known]
    assert kernels == sorted(kernels)
    assert kernels[0] >= (3, 18)
    assert helpers.helper_since(len(helpers.HELPERS)) == ""


@pytest.mark.parametrize(
    ("number", "kernel"), [(113, "5.5"), (130, "5.8"), (174, "5.15")]
)
def test_some_that_everybody_knows_have_their_kernel(number: int, kernel: str) -> None:
    assert helpers.helper_since(number) == kernel


def test_helpers_are_found_by_name_and_number() -> None:
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
