"""Lists of CPUs are read and written as the kernel does."""

import os

import pytest

from skelgen.runtime.kernel import cpus


def test_cpus_are_read_and_written_as_the_kernel_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for text, numbers in (
        ("0", [0]),
        ("0-1,3", [0, 1, 3]),
        ("0,2,4-6", [0, 2, 4, 5, 6]),
    ):
        assert cpus.parse(f"{text}\n") == numbers
        assert cpus.text(numbers) == text
    assert cpus.online()
    monkeypatch.setattr(cpus, "ONLINE", "/nonexistent")
    assert cpus.online() == sorted(os.sched_getaffinity(0))
