"""Recorded logs of several kernels, explained with the objects they are about.

The same program is refused for the same reason at the same line, word for word,
however a kernel words its log.
"""

import re
from functools import cache

import pytest

from skelgen.model.linked import Linker
from skelgen.runtime.errors import BpfError, VerifierError, os_error
from skelgen.runtime.load.explain import explain
from skelgen.runtime.load.functions import Body, Code
from skelgen.runtime.load.program import Refused
from skelgen.runtime.load.types import LoadTypes
from skelgen.runtime.programs.request import ProgramRequest
from tests.harness import rejected

LOGS = sorted(rejected.LOGS.glob("*/*.log"))
OLDER = [
    path
    for path in LOGS
    if path.parent.name != rejected.MADE_ON
    and rejected.log_of(rejected.MADE_ON, path.stem).exists()
]
# fixture, kernel: what that kernel words so that another thing is known of it
OTHERWISE = {
    ("dynptr_twice", "6.1"): "any dynptr that is made counts as one too many",
    ("global_function_type", "6.1"): "it is the function that is complained of",
    ("helper_argument", "7.3"): "a context would do, too",
    ("helper_size_unbounded", "6.1"): "the argument is not named",
    ("recursion", "7.3"): "it is found before the program is walked",
    ("helper_sleeps", "6.1"): "there is no such helper for such a program",
    ("release_twice", "6.1"): "fewer kinds of pointer would do",
    ("return_value", "6.1"): "no bounds of the value are known",
    ("stack_combined", "6.1"): "the stack is rounded up to 32 bytes",
    ("stack_variable", "7.3"): "the offset is counted among the bounds",
    ("tail_call_stack", "6.1"): "the stack is rounded up to 32 bytes",
}


class NoKernelTypes(LoadTypes):
    """What an object knows of itself alone."""

    @property
    def kernel(self) -> None:  # type: ignore[override]  # it raises
        raise BpfError


@cache
def explained(kernel: str, name: str) -> VerifierError:
    log = rejected.log_of(kernel, name).read_text()
    with rejected.opened(name) as obj:
        (program,) = obj.programs.values()
        request = ProgramRequest(program.type, b"", program.name)
        refused = Refused(request, os_error(22), log)
        types, linked = NoKernelTypes(obj.spec), Linker(obj.spec).link(program.spec)
        code = Code(linked, tuple(Body(b"") for _ in linked.functions))
        error = explain(obj.parts, types, program, code, refused)
    assert isinstance(error, VerifierError)
    return error


@pytest.mark.parametrize("path", LOGS, ids=lambda x: f"{x.parent.name}-{x.stem}")
def test_every_recorded_log_is_explained_in_a_few_lines(path) -> None:
    error = explained(path.parent.name, path.stem)
    assert error.log == path.read_text()
    assert error.reason, error
    shown = str(error).splitlines()
    assert len(shown) <= 25 + 8 * (error.diagnosis is not None), str(error)
    assert max(map(len, shown)) <= 100, str(error)
    assert shown[-1].startswith("  ")
    if error.source is not None:
        assert error.source.file.startswith("./tests/data/rejected/")
        assert error.source.line in {line.line for line in error.around}


@pytest.mark.parametrize("path", LOGS, ids=lambda x: f"{x.parent.name}-{x.stem}")
def test_the_kernels_own_diagnosis(path) -> None:
    """Linux 7.3 has one of many refusals; all of it is shown."""
    error = explained(path.parent.name, path.stem)
    title = re.search(r"^Verification failed: (.*): (.*)$", error.log, re.MULTILINE)
    if title is None:
        assert error.diagnosis is None
        return
    assert path.parent.name not in {"6.1", "6.12", "6.18"}
    diagnosis = error.diagnosis
    assert diagnosis is not None
    assert diagnosis[:2] == title.groups()
    assert error.insn in {diagnosis.insn, None}
    if error.source is not None:
        name = error.source.file.rpartition("/")[2]
        line = rf"\w+ @ {name}:{error.source.line}:\d+"
        assert re.fullmatch(line, diagnosis.at)
    shown = " ".join(str(error).split())
    assert f"the kernel: {diagnosis.category}: {diagnosis.title}" in shown
    assert diagnosis.reason in shown
    assert f"suggestion: {diagnosis.suggestion}" in shown


@pytest.mark.parametrize("path", OLDER, ids=lambda x: f"{x.parent.name}-{x.stem}")
def test_kernels_agree(path) -> None:
    kernel, name = path.parent.name, path.stem
    here, there = explained(rejected.MADE_ON, name), explained(kernel, name)
    if (name, kernel) in OTHERWISE:
        assert said(here) != said(there), "no longer otherwise"
    else:
        assert said(here) == said(there)


def said(error: VerifierError) -> tuple[object, ...]:
    return error.reason, error.hint, error.source, error.function, error.insn
