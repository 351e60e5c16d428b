"""Fixtures of the tests of our headers."""

from pathlib import Path

import pytest

from tests.harness import headers


@pytest.fixture
def build(tmp_path: Path) -> headers.Build:
    """Return :func:`tests.harness.headers.build` with a folder of the test's own."""
    return lambda source, *cflags, **options: headers.build(
        source, tmp_path, *cflags, **options
    )


@pytest.fixture(scope="session")
def libbpf_include(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder where <bpf/...> are libbpf's headers, and nothing else is."""
    folder = tmp_path_factory.mktemp("libbpf")
    (folder / "bpf").symlink_to(headers.LIBBPF)
    return folder
