"""Programs that the verifier rejects: ``tests/data/rejected``, and what it said.

``// flags: BPF_F_...`` in the head of a file sets flags of its programs, ``// only:
6.1 6.12`` names the kernels that reject it, of those that are tested.
"""

import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import skelgen
from skelgen.runtime.errors import BpfError, VerifierError
from skelgen.runtime.object.object import Object
from tests.harness import sources

REJECTED = sources.DATA / "rejected"
LOGS = REJECTED / "logs"
EXPECTED = REJECTED / "expected"
MADE_ON = "6.18"
"""Kernel of the expected texts and of the page in the docs."""

_FLAGS = {"BPF_F_STRICT_ALIGNMENT": 1}
_LONG = 200
"""Lines of a log that are kept."""


def kernel() -> str:
    """Return ``6.18`` of the running kernel."""
    return ".".join(platform.release().split(".")[:2])


def directive(source: sources.Source, key: str) -> list[str]:
    """Return the words of ``// key: ...`` in the head of a file."""
    for line in source.path.read_text("utf-8").splitlines()[1:4]:
        if line.startswith(f"// {key}: "):
            return line.removeprefix(f"// {key}: ").split()
    return []


def names(release: str) -> list[str]:
    """Return the fixtures that a kernel rejects."""
    return [
        name
        for name, source in sources.rejected_sources().items()
        if release in (directive(source, "only") or [release])
    ]


@contextmanager
def opened(name: str) -> Iterator[Object]:
    """Open a fixture's object, ready to be refused."""
    source = sources.rejected_sources()[name]
    with skelgen.open_object(sources.compiled(source)) as obj:
        for program in obj.programs.values():
            for flag in directive(source, "flags"):
                program.flags |= _FLAGS[flag]
        yield obj


def verdict(error: BpfError) -> VerifierError:
    """Return the verifier's own word in an error of ``load()``."""
    if isinstance(error, VerifierError):
        return error
    assert isinstance(error.__cause__, VerifierError), repr(error)
    return error.__cause__


def text(error: BpfError) -> str:
    """Return what a traceback ends with: message and notes, those of its cause too."""
    parts = [str(error), *getattr(error, "__notes__", ())]
    if error.__cause__ is not None:
        parts.append(f"caused by: {error.__cause__}")
    return "\n".join(parts) + "\n"


def normalised(log: str) -> str:
    """Return a log without addresses and times, and not longer than one reads."""
    log = re.sub(r"0xffff[89a-e][0-9a-f]{11}\b", "0xffff888100000000", log)
    log = re.sub(r"verification time \d+ usec", "verification time 0 usec", log)
    log = re.sub(r"(bpf_\w+)#[1-9]\d{4,}", r"\1#60000", log)  # a BTF id
    lines = log.splitlines()
    return "\n".join(lines[-_LONG:]) + "\n"


def log_of(release: str, name: str) -> Path:
    """Return the file of a recorded log, which may not be there."""
    return LOGS / release / f"{name}.log"
