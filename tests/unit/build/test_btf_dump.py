"""``skelgen btf dump``: what it reads, what it keeps, what it says is wrong."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from skelgen import _cache as store
from skelgen.btf.build import BtfBuilder
from skelgen.btf.parse import Btf
from skelgen.build import btf_dump
from skelgen.build.btf_dump import Source, dump
from skelgen.cli import main
from skelgen.errors import BtfError
from skelgen.runtime.kernel import loaded_btf
from tests.harness.sources import compiled, find

STRUCT = "struct event {\n\tint pid;\n};\n"


def small(byteorder: str = "little") -> bytes:
    builder = BtfBuilder(byteorder)
    builder.add_int("int", 4, signed=True)
    builder.add_struct("event", 4, [("pid", 1, 0)])
    builder.add_enum("event_kind", [("EXEC", 0)])
    builder.add_func("run", builder.add_func_proto(0, [("e", builder.next_id + 2)]))
    builder.add_ptr(2)
    return builder.bytes()


def run(*args: str) -> Result:
    return CliRunner().invoke(main, ["btf", "dump", *args])


# What is read


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_raw_btf_is_dumped_in_every_form(tmp_path: Path, byteorder: str) -> None:
    path = tmp_path / "some.btf"
    path.write_bytes(small(byteorder))
    result = run(str(path))
    assert result.exit_code == 0
    assert STRUCT in result.output
    assert "[2] STRUCT 'event' size=4" in run(str(path), "-f", "raw").output
    assert run(str(path), "-f", "json").output.startswith('{"types":[{"id":1,')


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_the_btf_of_an_object_is_dumped(byteorder: str) -> None:
    path = compiled(find("types_structs"), byteorder)
    assert "struct " in run(str(path)).output


def test_output_goes_to_a_file(tmp_path: Path) -> None:
    path, output = tmp_path / "some.btf", tmp_path / "vmlinux.h"
    path.write_bytes(small())
    result = run(str(path), "-o", str(output))
    assert (result.exit_code, result.output) == (0, "")
    assert output.read_text() == run(str(path)).output


def test_roots_choose_what_is_dumped(tmp_path: Path) -> None:
    path = tmp_path / "some.btf"
    path.write_bytes(small())
    assert "event_kind" in run(str(path)).output
    for root in ("event", "struct event"):
        text = run(str(path), "--root", root).output
        assert STRUCT in text
        assert "event_kind" not in text
    both = run(str(path), "--root", "event", "-r", "enum event_kind").output
    assert STRUCT in both
    assert "EXEC = 0" in both
    # what a function takes is behind a pointer
    assert "struct event;\n" in run(str(path), "--root", "func run").output


def test_a_module_is_dumped_on_top_of_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = small(sys.byteorder)
    module = BtfBuilder(base=Btf(base))
    module.add_struct("of_module", 8, [("event", 2, 0), ("next", 1, 32)])
    data = {"nf_module": module.bytes()}
    monkeypatch.setattr(loaded_btf, "module_btf", data.__getitem__)
    monkeypatch.setattr(btf_dump, "read_kernel", lambda: Source(base, "kernel"))
    text = run("--module", "nf_module").output
    assert STRUCT in text
    assert "struct of_module {\n\tstruct event event;\n\tint next;\n};\n" in text
    own = run("--module", "nf_module", "--format", "raw").output
    assert own.startswith("[7] STRUCT 'of_module' size=8 vlen=2\n")


# What is wrong


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--root", "absent"), "some.btf: no type 'absent'"),
        (("--root", "union event"), "some.btf: no type 'union event'"),
        (("--root", "nonsense event"), "some.btf: no type 'nonsense event'"),
        (("--map-id", "0"), "'0' is no id, a number from 1 to"),
        (("--map-id", "9" * 5000), "is no id, a number from 1 to"),
        (("--prog-id", "x"), "'x' is no id, a number from 1 to"),
        (("--kernel",), "one of FILE, --kernel, --module, --map-id and --prog-id"),
        (("-f", "yaml"), "'yaml' is not one of"),
        (("-o", "/proc/none/x.h"), "cannot write it"),
    ],
)
def test_a_mistake_is_told_and_exits_with_2(
    tmp_path: Path, args: tuple[str, ...], message: str
) -> None:
    path = tmp_path / "some.btf"
    path.write_bytes(small())
    result = run(str(path), *args)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_nothing_to_dump_is_a_mistake() -> None:
    result = run()
    assert result.exit_code == 2
    assert "is wanted" in result.output


def test_files_that_are_no_btf_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert "no such file" in run(str(path)).output.lower()
    path.write_bytes(b"hello, this is text and no BTF at all")
    assert f"{path}: btf: no magic number" in run(str(path)).output
    path.write_bytes(b"\x7fELF\2\1\1" + bytes(9))
    assert f"{path}: elf: headers reach past the end" in run(str(path)).output
    broken = BtfBuilder()
    broken.add_typedef("t", 7)
    path.write_bytes(broken.bytes())
    assert f"{path}: btf: type 1 refers to type 7" in run(str(path)).output


def test_a_kernel_without_btf_is_an_error_that_names_the_option(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(btf_dump, "RUNNING_KERNEL", "/nonexistent/vmlinux")
    result = run("--kernel")
    assert result.exit_code == 2
    assert "/nonexistent/vmlinux: No such file" in result.output
    assert "CONFIG_DEBUG_INFO_BTF" in result.output


# What is kept


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the cache, where every dump counts as a large one."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("SKELGEN_CACHE", str(folder))
    monkeypatch.setattr(btf_dump, "_LARGE", 0)
    return folder


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets the format of every dump that is made."""
    found: list[str] = []
    make = btf_dump._make

    def counted(source: Source, form: str, roots: tuple[str, ...]) -> bytes:
        found.append(form)
        return make(source, form, roots)

    monkeypatch.setattr(btf_dump, "_make", counted)
    return found


SOURCE = Source(small(), "some")


def test_the_second_dump_is_from_the_cache(kept: Path, made: list[str]) -> None:
    first = bytes(dump(SOURCE))
    assert bytes(dump(SOURCE)) == first
    assert made == ["c"]
    (file,) = kept.iterdir()
    assert first in file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_everything_that_counts_is_in_the_key(
    kept: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = BtfBuilder()
    other.add_int("int", 4, signed=True)
    dump(SOURCE)
    dump(SOURCE, "json")
    dump(SOURCE, "c", ("event",))
    dump(Source(small("big"), "some"))
    dump(Source(small(), "some", type_ids=(2,)))
    dump(Source(other.bytes(), "some"))
    monkeypatch.setattr(btf_dump, "__version__", "99")
    dump(SOURCE)
    assert len(made) == len(list(kept.iterdir())) == 7


def test_small_btf_is_not_kept(
    kept: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(btf_dump, "_LARGE", 1 << 20)
    dump(SOURCE)
    dump(SOURCE)
    assert len(made) == 2
    assert not kept.exists()


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_a_broken_file_is_made_again(
    kept: Path, made: list[str], damage: bytes | None
) -> None:
    first = bytes(dump(SOURCE))
    (file,) = kept.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-2] + b"!\n" if damage is None else damage)
    assert bytes(dump(SOURCE)) == first
    assert len(made) == 2
    assert file.read_bytes() == whole


def test_what_others_can_write_is_not_used(kept: Path, made: list[str]) -> None:
    dump(SOURCE)
    (file,) = kept.iterdir()
    file.chmod(0o666)
    dump(SOURCE)
    kept.chmod(0o777)
    dump(SOURCE)
    assert len(made) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")
def test_what_others_own_is_not_used(kept: Path, made: list[str]) -> None:
    dump(SOURCE)
    (file,) = kept.iterdir()
    os.chown(file, 12345, 12345)
    os.chown(kept, 12345, 12345)
    if os.geteuid() == 0:
        dump(SOURCE)
    assert len(made) == 2


def test_a_link_is_not_followed(kept: Path, made: list[str], tmp_path: Path) -> None:
    dump(SOURCE)
    (file,) = kept.iterdir()
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    dump(SOURCE)
    assert len(made) == 2


def test_without_a_cache_it_dumps_all_the_same(
    made: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(btf_dump, "_LARGE", 0)
    monkeypatch.setenv("SKELGEN_CACHE", "")
    assert store.directories() == []
    assert STRUCT.encode() in bytes(dump(SOURCE))
    file = tmp_path / "file"
    file.write_bytes(b"")
    monkeypatch.setenv("SKELGEN_CACHE", str(file / "folder"))
    assert STRUCT.encode() in bytes(dump(SOURCE))
    assert len(made) == 2


def test_a_mistake_is_not_kept(kept: Path) -> None:
    with pytest.raises(BtfError, match="no type 'absent'"):
        dump(SOURCE, "c", ("absent",))
    assert not kept.exists()


def test_a_dump_from_the_cache_reads_no_types(kept: Path) -> None:
    dump(SOURCE)
    code = (
        "import sys\n"
        "from skelgen.build import btf_dump\n"
        "btf_dump._LARGE = 0\n"
        f"btf_dump.dump(btf_dump.Source({SOURCE.data!r}, 'some'))\n"
        "loaded = [name for name in sys.modules if name.startswith('skelgen.')]\n"
        "print(*sorted(loaded))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        *("skelgen._cache", "skelgen._log", "skelgen._version"),
        *("skelgen.build", "skelgen.build.btf_dump"),
        *("skelgen.errors", "skelgen.plain", "skelgen.regular"),
    ]
