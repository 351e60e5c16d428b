"""Where commands write to, and what else may be in that place: pipes, devices, inputs.

And files that others may plant a FIFO for: nobody waits until it is written to.
"""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import skelgen
from skelgen import _cache
from skelgen.build import fingerprint, scaffold
from skelgen.build.config import read_pyproject
from skelgen.cli import main
from skelgen.errors import ConfigError
from skelgen.regular import open_regular, read_regular
from skelgen.runtime.kernel.btf_file import read_btf
from tests.harness.sources import ROOT

CompileBpf = Callable[..., Path]


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    """End a test that waits for a FIFO."""

    def late(*_: object) -> None:
        raise TimeoutError("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder(
    compile_bpf: CompileBpf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return the current folder, with core_fields.bpf.o in it."""
    (tmp_path / "core_fields.bpf.o").write_bytes(
        compile_bpf("core_fields").read_bytes()
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="skelgen")


OBJECT = "core_fields.bpf.o"
KERNEL = "kernel.btf"
COMMANDS: dict[str, tuple[str, ...]] = {
    "generate": (OBJECT,),
    "btf dump": ("btf", "dump", OBJECT),
    "btf min": ("btf", "min", "--btf", OBJECT, OBJECT),
}
"""Every command that has ``-o``, without it."""


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    return COMMANDS[request.param]


# -- what is written to ----------------------------------------------------------


def test_a_fifo_is_written_and_not_read(
    folder: Path, fifo: Path, command: tuple[str, ...]
) -> None:
    plain = run(*command, "-o", "plain")
    assert plain.exit_code == 0, plain.stderr
    # a reader that is there and writes nothing
    with subprocess.Popen(["/bin/cat", fifo], stdout=subprocess.PIPE) as reader:
        result = run(*command, "-o", str(fifo))
        assert result.exit_code == 0, result.stderr
        assert reader.stdout is not None
        assert reader.stdout.read() == (folder / "plain").read_bytes()
    assert stat.S_ISFIFO(fifo.stat().st_mode)


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_standard_output_by_its_name_is_appended_to(
    folder: Path, command: tuple[str, ...], path: str, kind: str
) -> None:
    """What a file has already stays, as with ``>>``."""
    assert run(*command, "-o", "plain").exit_code == 0
    wanted = (folder / "plain").read_bytes()
    words = [sys.executable, "-m", "skelgen", *command, "-o", path]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    if kind == "pipe":
        found = subprocess.run(words, stdout=subprocess.PIPE, env=env, check=True)
        assert found.stdout == wanted
        return
    (folder / "log").write_bytes(b"first\n")
    with (folder / "log").open("ab") as log:
        subprocess.run(words, stdout=log, env=env, check=True)
    assert (folder / "log").read_bytes() == b"first\n" + wanted


def test_a_device_stays_one_and_a_full_one_is_an_error(
    folder: Path, command: tuple[str, ...]
) -> None:
    assert run(*command, "-o", "/dev/null").exit_code == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    full = run(*command, "-o", "/dev/full")
    assert full.exit_code == 2
    assert "/dev/full: cannot write it: No space left on device" in full.stderr


@pytest.mark.parametrize("option", ["--check", "--diff"])
def test_a_stream_has_nothing_to_compare_with(
    folder: Path, fifo: Path, option: str
) -> None:
    for path in (str(fifo), "/dev/null"):
        result = run(OBJECT, "-o", path, option)
        assert result.exit_code == 2
        assert f"{path}: no file, and so nothing to compare with" in result.stderr


# -- what is not -----------------------------------------------------------------


@pytest.mark.parametrize("link", ["same", "symbolic", "hard", "dots"])
def test_an_input_is_no_output(
    folder: Path, command: tuple[str, ...], link: str
) -> None:
    output = OBJECT
    before = (folder / OBJECT).read_bytes()
    if link == "dots":
        output = f"../{folder.name}/{OBJECT}"
    elif link != "same":
        output = "link"
        make = os.symlink if link == "symbolic" else os.link
        make(OBJECT, output)
    listed = sorted(os.listdir())  # noqa: PTH208 - names
    result = run(*command, "-o", output)
    assert result.exit_code == 2
    assert f"error: {output}: is " in result.stderr
    assert "would be lost; write to another file" in result.stderr
    assert (folder / OBJECT).read_bytes() == before
    assert sorted(os.listdir()) == listed  # noqa: PTH208 - likewise


def test_what_another_file_is_made_from_is_not_written_over(folder: Path) -> None:
    """Nothing is written for the first either."""
    os.link(OBJECT, "other.bpf.o")
    os.link(OBJECT, "other_skel.py")
    result = run(OBJECT, "other.bpf.o")
    assert result.exit_code == 2
    assert "other_skel.py: is the same as core_fields.bpf.o" in result.stderr
    assert not (folder / "core_fields_skel.py").exists()


SOURCE = """\
#include "own.h"
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("socket") int run(void *ctx) { return ZERO; }
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.h").write_text("#define ZERO 0\n", "ascii")
    (tmp_path / "x.bpf.c").write_text(SOURCE, "ascii")
    return tmp_path


def test_a_header_is_an_input(source: Path) -> None:
    result = run("x.bpf.c", "--keep-object", "-o", "own.h")
    assert result.exit_code == 2
    assert "own.h: is the source itself, which would be lost" in result.stderr
    assert (source / "own.h").read_text("ascii") == "#define ZERO 0\n"
    assert not (source / "x.bpf.o").exists()


def test_the_object_is_no_input_and_no_module(source: Path) -> None:
    result = run("x.bpf.c", "--keep-object", "-o", "x.bpf.o")
    assert result.exit_code == 2
    assert "x.bpf.o: is to be the object, and the module too" in result.stderr
    os.link("own.h", "x.bpf.o")
    for output in ("x_skel.py", "-"):
        result = run("x.bpf.c", "--keep-object", "-o", output)
        assert result.exit_code == 2
        assert "x.bpf.o: is the same as own.h" in result.stderr
    assert (source / "own.h").read_text("ascii") == "#define ZERO 0\n"
    assert not (source / "x_skel.py").exists()


def test_a_project_writes_over_no_source(source: Path) -> None:
    (source / "pyproject.toml").write_text(
        '[tool.skelgen]\npython-source = "."\n'
        '[[tool.skelgen.skeletons]]\nsource = "x.bpf.c"\nmodule = "x_skel"\n',
        "ascii",
    )
    os.link("x.bpf.c", "x_skel.py")
    result = run("build")
    assert result.exit_code == 2
    assert "x_skel.py: is the same as" in result.stderr
    assert (source / "x.bpf.c").read_text("ascii") == SOURCE


# -- what cannot be --------------------------------------------------------------


def test_a_name_that_is_too_long_is_an_error(
    folder: Path, command: tuple[str, ...]
) -> None:
    for output in ("x" * 300, f"{'x' * 300}/y"):
        result = run(*command, "-o", output)
        assert result.exit_code == 2
        assert (
            result.stderr
            == f"skelgen: error: {output}: cannot write it: File name too long\n"
        )


def test_a_name_as_long_as_names_can_be_is_written(
    folder: Path, command: tuple[str, ...]
) -> None:
    output = "x" * 255
    result = run(*command, "-o", output)
    assert result.exit_code == 0, result.stderr
    assert (folder / output).stat().st_size
    scaffold.write(folder / ("y" * 255), {"a": "text"})
    assert (folder / ("y" * 255) / "a").exists()


def test_a_folder_is_no_output_but_for_modules(folder: Path) -> None:
    (folder / "there").mkdir()
    for command in ("btf dump", "btf min"):
        result = run(*COMMANDS[command], "-o", "there")
        assert result.exit_code == 2
        assert (
            result.stderr == "skelgen: error: there: cannot write it: Is a directory\n"
        )
    assert run(OBJECT, "-o", "there").exit_code == 0  # where several go too
    assert (folder / "there" / "core_fields_skel.py").exists()


def test_a_missing_folder_is_an_error(folder: Path, command: tuple[str, ...]) -> None:
    for output, why in (
        ("missing/x", "No such file or directory"),
        (f"{OBJECT}/x", "Not a directory"),
    ):
        result = run(*command, "-o", output)
        assert result.exit_code == 2
        assert result.stderr == f"skelgen: error: {output}: cannot write it: {why}\n"


def test_a_loop_of_links_is_an_error(folder: Path, command: tuple[str, ...]) -> None:
    (folder / "loop").symlink_to("loop")
    result = run(*command, "-o", "loop")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "skelgen: error: loop: cannot write it: Too many levels"
    )


# -- planted ---------------------------------------------------------------------


def test_a_fifo_in_the_cache_is_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "btf-x", 0o644)
    assert _cache.read(str(tmp_path), "btf-x") is None
    assert _cache.write(str(tmp_path), "btf-x", lambda: b"data")
    found = _cache.read(str(tmp_path), "btf-x")
    assert found is not None
    assert bytes(found) == b"data"


@pytest.mark.parametrize("what", ["fifo", "folder", "link", "device"])
def test_what_is_no_file_is_not_in_the_cache(tmp_path: Path, what: str) -> None:
    place = tmp_path / "btf-x"
    if what == "fifo":
        os.mkfifo(place)
    elif what == "folder":
        place.mkdir()
    else:
        (tmp_path / "fifo").touch()
        place.symlink_to("/dev/zero" if what == "device" else tmp_path / "fifo")
    assert _cache.read(str(tmp_path), "btf-x") is None


def test_a_fifo_in_the_place_of_a_file_is_refused(tmp_path: Path, fifo: Path) -> None:
    for open_it in (open_regular, read_regular, read_btf):
        with pytest.raises(OSError, match="no regular file"):
            open_it(str(fifo))
        with pytest.raises(OSError, match="no regular file"):
            open_it("/dev/zero")
        with pytest.raises(OSError, match=r"[Ii]s a directory"):
            open_it(str(tmp_path))
    with pytest.raises(ConfigError, match="no regular file"):
        read_pyproject(fifo)


def test_a_fifo_in_place_of_module_or_record_is_not_up_to_date(
    tmp_path: Path, fifo: Path
) -> None:
    module = tmp_path / "x_skel.py"
    module.write_text("text", "ascii")
    made = fingerprint.Fingerprint(tmp_path / "records" / "x.json", tmp_path, "digest")
    made.write([module], "text", started=1 << 62)
    assert made.holds(module)
    assert not made.holds(fifo)
    (tmp_path / "records" / "x.json").unlink()
    os.mkfifo(tmp_path / "records" / "x.json")
    assert not made.holds(module)


def test_an_object_may_come_through_a_pipe(folder: Path, fifo: Path) -> None:
    """``skelgen <(make_object)``: what a user names is waited for."""
    with subprocess.Popen(["/bin/cp", OBJECT, fifo]):
        assert skelgen.generate(fifo, source_name=OBJECT) == skelgen.generate(OBJECT)


def test_a_folder_that_is_not_there_is_no_name_of_a_file(folder: Path) -> None:
    words = ["core_fields.bpf.o", "--quiet", "-o", "made/"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "made/: no such folder; mkdir -p made/ makes it" in result.stderr
    assert not (folder / "made").exists()
    (folder / "made").mkdir()
    assert CliRunner().invoke(main, words).exit_code == 0
    assert (folder / "made" / "core_fields_skel.py").exists()
