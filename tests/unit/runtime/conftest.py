"""Fixtures of the runtime's unit tests."""

from collections.abc import Iterator

import pytest

from skelgen.runtime.kernel import features
from skelgen.runtime.kernel.features import answers
from skelgen.runtime.syscalls import call
from tests.harness.fake_kernel import FakeKernel


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKernel]:
    """Yield a kernel that does what the test says; all features forgotten."""
    import gc

    fake = FakeKernel()
    found = [f for f in vars(features).values() if isinstance(f, features.Feature)]
    with monkeypatch.context() as patch:
        patch.setattr(call, "raw", fake)
        for feature in found:
            feature.forget()
        answers.forget()
        yield fake
        gc.collect()  # what still owns a fake fd closes it here
    for feature in found:
        feature.forget()
    answers.forget()
