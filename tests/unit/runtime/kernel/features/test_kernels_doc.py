"""``docs/kernels.md`` says of each feature what the code says."""

import re

import pytest

from skelgen.model import attach_types
from skelgen.model.enums import AttachType
from skelgen.runtime.kernel import features
from tests.harness.sources import ROOT

DOC = (ROOT / "docs" / "kernels.md").read_text("utf-8")


def table(header: str) -> list[list[str]]:
    """Return the rows of the table with a header."""
    _, _, rest = DOC.partition(f"\n{header}\n")
    rows = re.match(r"(?:\|.*\n)+", rest)
    assert rows is not None
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in rows[0].splitlines()[1:]
    ]


def test_every_feature_is_listed_in_the_order_of_its_kernel() -> None:
    rows = table("| feature | since | without it |")
    documented = {name: since for name, since, _ in rows}
    assert documented == {f.name: f.since for f in features.named().values()}
    assert all(without for *_, without in rows)
    kernels = [tuple(map(int, since.split("."))) for _, since, _ in rows]
    assert kernels == sorted(kernels)


@pytest.mark.parametrize(
    ("hook", "number"),
    [("XDP", AttachType.XDP), ("tc", AttachType.TCX_INGRESS)],
)
def test_links_are_listed_with_their_kernel(hook: str, number: int) -> None:
    rows = {
        name: since for name, since, _ in table("| hook | BPF link since | before |")
    }
    assert rows[hook] == attach_types.row(number).since
    assert rows["cgroups"] == features.LINK_CREATE.since
