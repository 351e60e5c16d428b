"""The UAPI enumerations: made by their script, and true of the running kernel."""

import importlib.util
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from skelgen.btf.build import BtfBuilder
from skelgen.btf.index import KernelBtf
from skelgen.model import enums
from tests.harness.btf import VMLINUX, needs_kernel_btf
from tests.harness.commands import Command

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "skelgen" / "model" / "enums"
COMMITTED = {
    path.name: path.read_text("utf-8")
    for path in FOLDER.glob("*.py")
    if path.name != "__init__.py"
}
MADE_FROM = "6.18"


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    path = ROOT / "tools" / "gen_enums.py"
    spec = importlib.util.spec_from_file_location("gen_enums", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@needs_kernel_btf
def test_the_running_kernel_agrees(script: ModuleType) -> None:
    kernel = KernelBtf(VMLINUX.read_bytes())
    for text in COMMITTED.values():
        assert f"as of Linux {MADE_FROM}." in text
    if platform.release().startswith(f"{MADE_FROM}."):
        assert script.render(kernel, MADE_FROM) == COMMITTED
    for source in script.SOURCES:
        ours = getattr(enums, source.name)
        for name, value in script.constants(kernel, source).items():
            assert getattr(ours, name, value) == value


def small_kernel(**constants: int) -> KernelBtf:
    builder = BtfBuilder()
    builder.add_enum("bpf_map_type", list(constants.items()))
    for enum in ("prog_type", "attach_type", "link_type", "cmd"):
        builder.add_enum(f"bpf_{enum}")
    return KernelBtf(builder.bytes())


def test_canonical_names_come_first(script: ModuleType) -> None:
    kernel = small_kernel(
        BPF_MAP_TYPE_OLD_DEPRECATED=1,
        BPF_MAP_TYPE_OLD=1,
        BPF_MAP_TYPE_ZERO=0,
        __MAX_BPF_MAP_TYPE=2,
    )
    text = script.render(kernel, "0.1")["map_type.py"]
    assert "    ZERO = 0\n    OLD = 1\n    OLD_DEPRECATED = 1\n    INSN_ARRAY" in text
    assert "MAX" not in text
    assert enums.MapType(19).name == "CGROUP_STORAGE"
    assert enums.MapType(21).name == "PERCPU_CGROUP_STORAGE"


def test_a_kernel_that_contradicts_stops_the_script(script: ModuleType) -> None:
    with pytest.raises(SystemExit, match="INSN_ARRAY is 7, not 34"):
        script.render(small_kernel(BPF_MAP_TYPE_INSN_ARRAY=7), "0.1")
    with pytest.raises(SystemExit, match="enum bpf_map_type: not in this BTF"):
        script.render(KernelBtf(BtfBuilder().bytes()), "0.1")


def test_flags_are_no_commands(script: ModuleType) -> None:
    assert all(command < 1 << 16 for command in Command)
    assert "COMMON_ATTRS" not in Command.__members__
    assert {source.name for source in script.SOURCES} == {
        "MapType",
        "ProgType",
        "AttachType",
        "LinkType",
        "Command",
    }
