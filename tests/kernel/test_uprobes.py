"""Uprobes in files of many kinds: versions, stale section headers, none at all.

Each probe is tried by running the file: it counts as often as the function is called.
"""

import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from skelgen.runtime import UprobeMultiProgram, UprobeProgram
from skelgen.runtime.binaries.elf import OpenedElf
from skelgen.runtime.errors import AttachError
from skelgen.runtime.kernel import features
from skelgen.runtime.links.base import Link
from tests.harness import privilege
from tests.harness.programs import Counter, loaded

Attach = Callable[[Path, str], Link]

LIBRARY = r"""
int api_v1(int a) { __asm__ volatile(""); return a + 1; }
int api_v2(int a) { __asm__ volatile(""); return a + 200; }
__asm__(".symver api_v1, api@DEMO_1.0\n.symver api_v2, api@@DEMO_2.0");
"""
VERSIONS = """
DEMO_1.0 { global: api; local: *; };
DEMO_2.0 { global: api; } DEMO_1.0;
"""
USER = r"""
#include <stdlib.h>
int api_old(int); __asm__(".symver api_old, api@DEMO_1.0"); int api(int);
int main(int c, char **v) {
  int n = atoi(v[1]), m = atoi(v[2]), r = 0;
  while (n--) r += api_old(1);
  while (m--) r += api(1);
  return r & 0;
}
"""
VICTIM = r"""
#include <stdlib.h>
int pad[4096] = {1};
__attribute__((noinline)) int work(int a) { __asm__ volatile(""); return a + 3; }
int main(int c, char **v) {
  int n = atoi(v[1]), r = 0;
  for (int i = 0; i < n; i++) r += work(i);
  return r & 0;
}
"""


def compile_c(folder: Path, name: str, text: str, *flags: str) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler for this machine")
    source = folder / f"{name}.c"
    source.write_text(text, "ascii")
    made = folder / name
    subprocess.run(["cc", "-O1", "-o", made, source, *flags], check=True, cwd=folder)
    return made


@pytest.fixture(scope="module")
def versioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a stripped library of two versions, and its user."""
    folder = tmp_path_factory.mktemp("versioned")
    (folder / "v.map").write_text(VERSIONS, "ascii")
    script = "-Wl,--version-script=v.map"
    library = compile_c(folder, "libdemo.so", LIBRARY, "-fPIC", "-shared", script)
    compile_c(folder, "user", USER, "-L.", "-ldemo", f"-Wl,-rpath,{folder}")
    shutil.copy(library, folder / "whole.so")
    subprocess.run(["strip", library], check=True)
    return folder


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_c(tmp_path_factory.mktemp("victim"), "victim", VICTIM, "-rdynamic")


@pytest.fixture(params=["uprobe", "uprobe.multi"])
def attach(request: pytest.FixtureRequest, counter: Counter) -> Iterator[Attach]:
    """Return a function that attaches a counting program to a function of a file."""
    if not features.UPROBE_PMU.supported():
        pytest.skip("this kernel has no uprobes")
    if request.param == "uprobe":
        with loaded("uprobe", UprobeProgram, insns=counter.insns()) as program:
            yield program.attach
        return
    privilege.require("uprobe.multi", features.UPROBE_MULTI_LINK.answer())
    with loaded("uprobe.multi", UprobeMultiProgram, insns=counter.insns()) as program:
        yield lambda path, name: program.attach(path, functions=[name])


def run(program: Path, *arguments: int) -> None:
    subprocess.run([program, *map(str, arguments)], check=True, timeout=60)


@pytest.mark.parametrize(
    ("name", "calls"),
    [("api", 5), ("api@DEMO_1.0", 3), ("api@DEMO_2.0", 5), ("api@@DEMO_2.0", 5)],
)
def test_a_version_of_a_stripped_library_counts_its_own_calls(
    versioned: Path, counter: Counter, attach: Attach, name: str, calls: int
) -> None:
    with attach(versioned / "libdemo.so", name):
        run(versioned / "user", 3, 5)
    run(versioned / "user", 3, 5)
    assert counter.value == calls


@pytest.mark.parametrize("library", ["libdemo.so", "whole.so"])
def test_a_version_that_is_not_there_is_answered_with_those_that_are(
    versioned: Path, attach: Attach, library: str
) -> None:
    with pytest.raises(AttachError) as caught:
        attach(versioned / library, "api@NOPE")
    assert str(caught.value) == (
        f"program 'prog': '{versioned / library}': no version 'NOPE' of function 'api';"
        " there is 'api@@DEMO_2.0' and 'api@DEMO_1.0'"
    )


def test_an_imported_function_is_refused_with_its_library(
    versioned: Path, attach: Attach
) -> None:
    with pytest.raises(AttachError, match=r"'api' is an imported symbol; .* libdemo"):
        attach(versioned / "user", "api")


def stale(data: bytearray, number: int) -> None:
    """Give every function of ``.symtab`` and ``.dynsym`` another section."""
    start, entry, count = (
        struct.unpack_from(f, data, at)[0]
        for f, at in (
            ("<Q", 40),
            ("<H", 58),
            ("<H", 60),
        )
    )
    for index in range(count):
        header = start + index * entry
        kind, offset, size = (
            struct.unpack_from(f, data, header + at)[0]
            for f, at in (("<I", 4), ("<Q", 24), ("<Q", 32))
        )
        if kind in {2, 11}:
            for symbol in range(offset, offset + size, 24):
                info, section = data[symbol + 4], struct.unpack_from(
                    "<H", data, symbol + 6
                )
                if info & 15 == 2 and section != (0,):
                    struct.pack_into("<H", data, symbol + 6, number)


@pytest.mark.parametrize("kind", ["stale", "absolute", "no sections", "first counts"])
def test_program_headers_say_where_code_is(
    victim: Path, counter: Counter, attach: Attach, tmp_path: Path, kind: str
) -> None:
    data = bytearray(victim.read_bytes())
    if kind == "no sections":
        struct.pack_into("<Q", data, 40, 0)
        struct.pack_into("<HHH", data, 58, 0, 0, 0)
    elif kind == "first counts":
        (start,), (count,) = (
            struct.unpack_from(f, data, at)
            for f, at in (
                ("<Q", 40),
                ("<H", 60),
            )
        )
        struct.pack_into("<Q", data, start + 32, count)
        struct.pack_into("<H", data, 60, 0)
    else:
        stale(data, 0xFFF1 if kind == "absolute" else 6)
    path = tmp_path / "changed"
    path.write_bytes(data)
    path.chmod(0o755)
    with attach(path, "work"):
        run(path, 7)
    run(path, 7)
    assert counter.value == 7


def test_a_file_that_changes_places_while_it_is_read_is_attached_to(
    victim: Path, tmp_path: Path, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel is given the file that was read, not its path (Linux 7.2)."""
    privilege.require("uprobe.multi", features.UPROBE_MULTI_LINK.answer())
    privilege.require("uprobe.multi by fd", features.UPROBE_MULTI_PATH_FD.answer())
    path = tmp_path / "program"
    shutil.copy(victim, path)
    offsets = UprobeMultiProgram._offsets

    def then_replaced(
        program: UprobeMultiProgram, file: OpenedElf, functions: Sequence[str]
    ) -> list[int]:
        found = offsets(program, file, functions)
        path.rename(tmp_path / "moved")
        path.write_bytes(b"another")
        return found

    monkeypatch.setattr(UprobeMultiProgram, "_offsets", then_replaced)
    with loaded("uprobe.multi", UprobeMultiProgram, insns=counter.insns()) as program:
        with program.attach(path, functions=["work"]) as link:
            run(tmp_path / "moved", 3)
            assert (link.info().target or "").endswith("/moved")
        assert counter.value == 3
