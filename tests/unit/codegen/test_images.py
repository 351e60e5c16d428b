"""Modules that hold an object for several kinds of machine."""

import os
import sys

import pytest

from skelgen.build.generate import Image, generate_images
from skelgen.build.options import Options
from skelgen.codegen.render import blackened
from skelgen.compiler.targets import TARGETS, find_target, this_machine
from skelgen.errors import BtfError
from skelgen.runtime import BpfError
from skelgen.runtime.abi import image_for_machine
from tests.harness import sources
from tests.harness.generating import loaded

OBJECTS = sources.DATA / "objects"
LITTLE = (OBJECTS / "ringbuf.clang14.bpf.o").read_bytes()
BIG = (OBJECTS / "ringbuf.clang14.big.bpf.o").read_bytes()
NATIVE = "bpfel" if sys.byteorder == "little" else "bpfeb"


def made(*images: Image, **options: tuple[str, ...]) -> str:
    return generate_images(
        images, "ringbuf.bpf.o", "ringbuf.bpf.o", Options(**options)
    ).text


def both() -> str:
    return made(Image(LITTLE, ("bpfel",)), Image(BIG, ("bpfeb",)))


def test_the_module_picks_the_image_of_this_machine() -> None:
    module = loaded(both())
    spec = module.Ringbuf.spec()
    assert spec.byteorder == sys.byteorder
    assert spec is module.Ringbuf.spec()
    assert module._spec_bpfel().byteorder == "little"
    assert module._spec_bpfeb().byteorder == "big"
    assert spec == getattr(module, f"_spec_{NATIVE}")()


def test_both_blueprints_are_those_of_the_objects() -> None:
    module = loaded(both())
    for data, spec in ((LITTLE, module._spec_bpfel()), (BIG, module._spec_bpfeb())):
        alone = loaded(made(Image(data))).Ringbuf.spec()
        assert spec == alone


def test_the_header_names_each_image() -> None:
    lines = both().split("\n")
    assert lines[1] == (
        "# Regenerate with: skelgen ringbuf.bpf.o --target bpfel --target bpfeb"
    )
    assert lines[2].startswith("# Input: sha256:")
    assert lines[2].endswith(" for bpfel")
    assert lines[3].endswith(" for bpfeb")


def test_it_is_in_black_s_form() -> None:
    text = both()
    assert blackened(text) == text


def test_a_machine_s_own_image_wins() -> None:
    machine = os.uname().machine
    chosen = image_for_machine(
        "x",
        bpfel=lambda: pytest.fail("not this one"),
        bpfeb=lambda: pytest.fail("nor this"),
        **{machine: lambda: "mine"},  # type: ignore[arg-type,return-value,dict-item]
    )
    assert chosen == "mine"


def test_without_an_image_for_this_machine_it_says_what_to_build() -> None:
    other = "s390x" if sys.byteorder == "little" else "x86_64"
    module = loaded(made(Image(LITTLE, (other,)), Image(BIG, ("mips64",))))
    machine = os.uname().machine
    with pytest.raises(BpfError) as error:
        module.Ringbuf.open()
    assert str(error.value) == (
        f"object 'ringbuf': built for {other}, mips64, and this machine is {machine};"
        f" build it again with --target {other} --target mips64 --target {machine}, or with"
        " these as targets in [tool.skelgen]"
    )


def test_equal_images_are_kept_once() -> None:
    text = made(
        Image(LITTLE, ("x86_64",)), Image(LITTLE, ("aarch64",)), Image(BIG, ("s390x",))
    )
    assert text.count(": Final = (") == 2
    assert "x86_64=_spec_x86_64" in text
    assert "aarch64=_spec_x86_64" in text
    assert "s390x=_spec_s390x" in text
    assert "Return the blueprint for x86_64, aarch64." in text


def test_one_image_for_all_needs_no_choice() -> None:
    text = made(Image(LITTLE, ("x86_64",)), Image(LITTLE, ("aarch64",)))
    assert text == made(Image(LITTLE))


def test_images_that_differ_in_what_a_user_sees_are_refused() -> None:
    other = (OBJECTS / "types_structs.big.bpf.o").read_bytes()
    with pytest.raises(BtfError) as error:
        made(Image(LITTLE, ("bpfel",)), Image(other, ("bpfeb",)))
    text = str(error.value)
    assert text.startswith("ringbuf.bpf.o: what programs see differs between machines:")
    assert "\n  bpfel: " in text
    assert "\n  bpfeb: " in text


def test_targets_have_a_byte_order_and_an_architecture() -> None:
    assert this_machine().byteorder == sys.byteorder
    assert find_target("s390x").arch == "s390"
    assert find_target("s390x").byteorder == "big"
    assert find_target("bpfel").arch is None
    assert all(name.isidentifier() for name in TARGETS)
