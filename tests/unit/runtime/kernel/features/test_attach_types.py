"""Which attach types a kernel has, where it says so in a way of its own."""

import pytest

from skelgen.model.enums import AttachType
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.kernel.features import attach_types


class _Trial:
    def __init__(self, error: BpfOSError | None) -> None:
        self.error = error
        self.log = ""


def _kernel(knows: set[AttachType]):
    """Return a kernel that refuses the attach types that it does not know."""

    def trial(*_: object, attach_type: AttachType) -> _Trial:
        known = attach_type in knows
        return _Trial(None if known else BpfOSError(22, "invalid argument (EINVAL)"))

    return trial


@pytest.mark.parametrize(
    ("knows", "answer"),
    [
        ({*AttachType}, False),  # before 5.14 any was taken, and none was looked at
        ({AttachType.SK_REUSEPORT_SELECT}, True),
        (set(), False),
    ],
)
def test_programs_of_sockets_that_share_a_port(
    monkeypatch: pytest.MonkeyPatch, knows: set[AttachType], *, answer: bool
) -> None:
    monkeypatch.setattr(attach_types, "Trial", _kernel(knows))
    supported, reason = attach_types.attach_type(AttachType.SK_REUSEPORT_SELECT)
    assert supported is answer
    assert bool(reason) is not answer
