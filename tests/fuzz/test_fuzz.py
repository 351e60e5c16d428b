"""A sample of the fuzzer; ``make fuzz`` runs the whole of it."""

import ast
import collections
import random

import pytest

import skelgen
from skelgen import elf as elf_
from tests.fuzz import btf_model, elf_model, inspect_module, run, structured

SAMPLE = 2_000


def test_a_mutated_object_gives_a_clean_module_or_one_error():
    results, peak = run.fuzz(SAMPLE)
    assert [result for result in results if result.failed] == []
    assert len(results) == SAMPLE
    assert max(result.seconds for result in results) < run.SECONDS
    assert peak < run.MEGABYTES * 1e6
    seen = collections.Counter(result.verdict for result in results)
    # both outcomes are really exercised
    assert seen["module"] > SAMPLE / 10
    assert seen["ObjectError"] > SAMPLE / 10


def test_an_object_put_together_again_is_the_same_to_skelgen():
    """So what :mod:`structured` makes has no fault but the change."""
    for data in run.objects():
        elf = elf_model.parse(data)
        section = elf.find(b".BTF")
        if section is not None:
            types = btf_model.parse(bytes(section.data), elf.prefix)
            section.data = bytearray(btf_model.build(types))
        again = elf_model.build(elf)
        assert again != data
        assert read(again) == read(data)


def read(data):
    return elf_.read_object(data, name="x", source="x.o")


def test_every_change_of_a_record_changes_and_repeats():
    objects = run.objects()
    for change in (*structured.BTF_CHANGES, *structured.ELF_CHANGES):
        made = set()
        for seed in range(20):
            chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
            object_ = structured.Changed(objects[seed * 5], chance)
            if object_.btf is None:
                continue
            before = object_.bytes()
            change(object_)
            if object_.bytes() != before:
                made.add(seed)
        assert len(made) > 5, change
    for seed in range(5):
        assert structured.change(seed, objects) == structured.change(seed, objects)


@pytest.mark.parametrize(
    "added",
    [
        "import os",
        "from os import system",
        "print('x')",
        "x = open('/etc/passwd')",
        "class A:\n    y = eval('1')",
        "rt.run()\nfor x in []: pass",
        "lambda: 0",
    ],
)
def test_the_inspection_would_see_code_that_does_not_belong(compile_bpf, added):
    text = skelgen.generate(compile_bpf("ringbuf"))
    allowed = inspect_module.kinds(text)
    assert inspect_module.complaints(text, allowed) == []
    worse = f"{text}\n{added}\n"
    ast.parse(worse)
    assert inspect_module.complaints(worse, allowed)
