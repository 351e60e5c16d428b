"""A sample of the fuzzer; ``make fuzz`` runs the whole of it."""

import ast
import collections

import pytest

import skelgen
from tests.fuzz import inspect_module, run

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
