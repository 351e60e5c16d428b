"""Which libbpf is fetched, and how a program runs with it; of made-up packages."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.harness import libbpf

LOADER = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the version that each suite has; what is fetched is a loader alone."""
    has: dict[str, str] = {}

    class Suite:
        def __init__(self, name: str, parent: Path) -> None:
            parent.mkdir(parents=True, exist_ok=True)
            self.name = name

        def with_dependencies(self, package: str) -> list[str]:
            return [package, "libc6"]

        def download(self, packages: Iterable[str], folder: str) -> list[Path]:
            assert [*packages] == ["libbpf1", "libc6"]
            names = (f"libbpf1_1%3a{has[self.name]}-1.deb", "libc6_2.43-7_amd64.deb")
            return [Path(folder) / name for name in names]

    def unpack(packages: Iterable[Path], folder: Path) -> None:
        (folder / LOADER).parent.mkdir(parents=True)
        (folder / LOADER).touch()

    monkeypatch.setattr(libbpf, "CACHE", tmp_path / "libbpf")
    monkeypatch.setattr(libbpf, "SUITES", {"1.7": "sid", "1.5": "trixie"})
    monkeypatch.setattr(libbpf, "Suite", Suite)
    monkeypatch.setattr(libbpf, "unpack", unpack)
    return has


def test_the_newest_that_is_known_is_fetched_once(archive: dict[str, str]) -> None:
    assert libbpf.with_newest(Path("oracle")) is None
    archive.update(sid="1.7.0", trixie="1.5.0")
    libbpf.fetch()
    loader = libbpf.CACHE / "1.7" / LOADER
    words = [str(loader), "--library-path", str(loader.parent), "oracle"]
    assert libbpf.with_newest(Path("oracle")) == words
    archive.clear()
    libbpf.fetch()


def test_a_suite_that_has_gone_on_leaves_it_to_the_next(
    archive: dict[str, str],
) -> None:
    archive.update(sid="1.8.0", trixie="1.5.0")
    libbpf.fetch()
    assert [path.name for path in libbpf.CACHE.glob("1.*")] == ["1.5"]


def test_where_no_suite_has_one_that_is_known_it_says_so(
    archive: dict[str, str],
) -> None:
    archive.update(sid="1.8.0", trixie="1.6.2")
    with pytest.raises(SystemExit, match=r"none of libbpf 1\.7, 1\.5"):
        libbpf.fetch()
    assert libbpf.with_newest(Path("oracle")) is None


@pytest.mark.parametrize(
    ("kernel", "compared"),
    [
        ((5, 10), libbpf.INSTALLED),
        ((6, 11), libbpf.INSTALLED),
        ((6, 12), libbpf.NEWEST),
        ((7, 3), libbpf.NEWEST),
    ],
)
def test_a_virtual_machine_compares_with_one(
    monkeypatch: pytest.MonkeyPatch, kernel: tuple[int, int], compared: str
) -> None:
    major, minor = kernel
    monkeypatch.setenv("SKELGEN_VM", "1")
    monkeypatch.setattr(libbpf, "kernel_version", lambda: major << 16 | minor << 8)
    assert libbpf.compared() == [compared]
