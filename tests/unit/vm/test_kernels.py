"""Packages of kernels, unpacked: the three layouts that Debian's suites have today."""

from pathlib import Path

import pytest

from tests.vm.kernels import arrange

RELEASE = "6.12.1+deb13-amd64"
MODULE = f"{RELEASE}/kernel/net/x.ko"


@pytest.mark.parametrize(
    "packed",
    [
        (f"boot/vmlinuz-{RELEASE}", f"boot/config-{RELEASE}", f"lib/modules/{MODULE}"),
        (
            f"boot/vmlinuz-{RELEASE}",
            f"boot/config-{RELEASE}",
            f"usr/lib/modules/{MODULE}",
        ),
        (
            f"usr/lib/modules/{RELEASE}/vmlinuz",
            f"usr/lib/modules/{RELEASE}/config",
            f"usr/lib/modules/{MODULE}",
        ),
    ],
    ids=["bookworm", "trixie", "backports"],
)
def test_every_layout_ends_with_an_image_and_modules_in_one_place(
    tmp_path: Path, packed: tuple[str, ...]
) -> None:
    for path in packed:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(Path(path).name.partition("-")[0])
    arrange(tmp_path, RELEASE)
    assert (tmp_path / f"boot/vmlinuz-{RELEASE}").read_text() == "vmlinuz"
    assert (tmp_path / f"boot/config-{RELEASE}").read_text() == "config"
    assert (tmp_path / "lib/modules" / MODULE).read_text() == "x.ko"
