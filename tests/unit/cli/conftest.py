"""The folder that the tests of the command work in."""

from pathlib import Path

import pytest

from tests.conftest import CompileBpf


@pytest.fixture
def folder(
    compile_bpf: CompileBpf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return the current folder: ringbuf.bpf.o, maps_plain.bpf.o, and bad.o."""
    for name in ("ringbuf", "maps_plain"):
        path = compile_bpf(name)
        (tmp_path / f"{name}.bpf.o").write_bytes(path.read_bytes())
    (tmp_path / "bad.o").write_bytes(b"no object")
    monkeypatch.chdir(tmp_path)
    return tmp_path
