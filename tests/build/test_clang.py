"""Finding and running the compiler."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from skelgen.compiler import clang
from skelgen.compiler.targets import TARGETS
from skelgen.errors import CompileError
from tests.harness.headers import every_compiler
from tests.harness.sources import compiler

GOOD = """
int counter;
__attribute__((section("socket"))) int prog(void *ctx) { return ++counter; }
"""


@pytest.fixture
def no_ziglang(monkeypatch):
    monkeypatch.setitem(sys.modules, "ziglang", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)


def test_without_any_compiler_the_error_says_three_ways_out(no_ziglang, tmp_path):
    with pytest.raises(CompileError) as caught:
        clang.find_compiler({"PATH": str(tmp_path)})
    text = str(caught.value)
    assert text.startswith("no C compiler for BPF was found")
    assert "pip install 'bpf-skelgen[clang]'" in text
    assert "SKELGEN_CLANG=" in text


def test_ziglang_is_used_when_path_has_no_clang(tmp_path):
    found = clang.find_compiler({"PATH": str(tmp_path)})
    assert found.origin == "ziglang"
    assert found.command[1] == "clang"


def test_ziglang_can_be_asked_for():
    found = clang.find_compiler({"SKELGEN_CLANG": "ziglang", "PATH": "/usr/bin"})
    assert found.origin == "ziglang"
    assert found.root is not None


def test_ziglang_that_is_asked_for_and_missing_is_an_error(no_ziglang):
    with pytest.raises(CompileError, match="SKELGEN_CLANG=ziglang, but that is not"):
        clang.find_compiler({"SKELGEN_CLANG": "ziglang", "PATH": "/usr/bin"})


def fake(folder: Path, script: str) -> Path:
    """Write a compiler that is a shell script."""
    program = folder / "clang"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def says(version: str) -> str:
    return f"echo '{version}'"


@pytest.mark.parametrize(
    ("version", "origin"),
    [
        ("Debian clang version 14.0.6", "ziglang"),
        ("Ubuntu clang version 15.0.7\nTarget: x86_64-pc-linux-gnu", "ziglang"),
        ("Debian clang version 16.0.0 (1)", "PATH"),
        ("clang version 20.1.8 (Fedora 20.1.8-4.fc42)", "PATH"),
        ("clang version 9.0.0-2 (tags/RELEASE_900/final)", "ziglang"),
        ("", "PATH"),  # a wrapper that says nothing is there for a reason
    ],
)
def test_the_extra_comes_before_an_old_clang_on_path(tmp_path, version, origin):
    program = fake(tmp_path, says(version))
    found = clang.find_compiler({"PATH": str(tmp_path)})
    assert found.origin == origin
    if origin == "PATH":
        assert found == clang.Compiler((str(program),), "PATH")


def test_an_old_clang_does_where_the_extra_is_missing(no_ziglang, tmp_path):
    program = fake(tmp_path, says("Debian clang version 14.0.6"))
    found = clang.find_compiler({"PATH": str(tmp_path)})
    assert found == clang.Compiler((str(program),), "PATH")
    assert found.version == (14, 0, 6)
    assert str(found) == f"version 14.0.6, {program}"


def test_an_old_clang_that_is_named_is_taken(tmp_path):
    program = fake(tmp_path, says("clang version 3.9.1"))
    found = clang.find_compiler({"SKELGEN_CLANG": str(program), "PATH": "/bin"})
    assert found == clang.Compiler((str(program),), "SKELGEN_CLANG")


def test_the_variable_comes_first_and_may_carry_words():
    found = clang.find_compiler(
        {"SKELGEN_CLANG": f"{sys.executable} -m ziglang clang", "PATH": "/bin"}
    )
    assert found.command == (sys.executable, "-m", "ziglang", "clang")
    assert found.origin == "SKELGEN_CLANG"


def test_a_variable_that_names_nothing_is_an_error():
    with pytest.raises(
        CompileError, match="SKELGEN_CLANG names no program: '/no/such'"
    ):
        clang.find_compiler({"SKELGEN_CLANG": "/no/such", "PATH": "/bin"})


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_every_target_gives_a_bpf_object_of_its_byte_order(tmp_path, target):
    source = tmp_path / "x.bpf.c"
    source.write_text(GOOD)
    output = tmp_path / "x.bpf.o"
    options = clang.CompileOptions(target=target)
    clang.compile_object(source, output, options=options)
    header = output.read_bytes()[:20]
    assert header[5] == (1 if target.byteorder == "little" else 2)
    assert int.from_bytes(header[18:20], target.byteorder) == 247


def test_the_object_does_not_depend_on_the_folder(tmp_path):
    objects = []
    for name in ("one", "another/deeper"):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        (folder / "x.bpf.c").write_text(GOOD)
        clang.compile_object(Path("x.bpf.c"), Path("x.bpf.o"), cwd=folder)
        objects.append((folder / "x.bpf.o").read_bytes())
    assert objects[0] == objects[1]
    assert str(tmp_path).encode() not in objects[0]


def test_the_dependency_file_names_the_headers(tmp_path):
    (tmp_path / "a b.h").write_text("int from_header;\n")
    source = tmp_path / "x.bpf.c"
    source.write_text('#include "a b.h"\n' + GOOD)
    depfile = tmp_path / "x.d"
    clang.compile_object(source, tmp_path / "x.o", depfile=depfile)
    assert clang.read_depfile(depfile.read_text()) == (
        str(source),
        str(tmp_path / "a b.h"),
    )


def test_an_error_in_c_shows_clangs_text_and_leaves_no_object(tmp_path):
    source = tmp_path / "x.bpf.c"
    source.write_text("int main(void) { return wrong; }\n")
    output = tmp_path / "x.o"
    with pytest.raises(CompileError) as caught:
        clang.compile_object(source, output, compiler=compiler())
    version = ".".join(map(str, compiler().version))
    assert int(version.partition(".")[0]) >= 16
    assert str(caught.value).startswith(
        f"{source}: clang failed (version {version}, ziglang)\n  {source}:1:25: error:"
    )
    assert caught.value.status == 1
    assert caught.value.command[-1] == str(output)
    assert not output.exists()


@every_compiler
def test_a_misspelt_helper_is_an_error_where_it_is_called(tmp_path, compiler):
    source = tmp_path / "x.bpf.c"
    source.write_text(
        "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n"
        'SEC("socket") int prog(void *ctx)\n{\n\treturn bpf_get_curent_task() != 0;\n}\n'
    )
    with pytest.raises(CompileError) as caught:
        clang.compile_object(source, tmp_path / "x.o", compiler=compiler)
    assert f"{source}:5:9: error: " in caught.value.output
    assert "'bpf_get_curent_task'" in caught.value.output


# What the compiler dies of


def run_fake(folder: Path, script: str) -> CompileError:
    program = fake(
        folder, f"case $1 in --version) echo clang version 14.0.6;; *) {script};; esac"
    )
    source = folder / "x.bpf.c"
    source.write_text(GOOD)
    found = clang.Compiler((str(program),), "PATH")
    with pytest.raises(CompileError) as caught:
        clang.compile_object(source, folder / "x.o", compiler=found)
    return caught.value


CRASH = """\
fatal error: error in backend: Incorrect flag for an intrinsic
PLEASE submit a bug report to https://github.com/llvm/llvm-project/issues/
Stack dump:
0.\tProgram arguments: /usr/bin/clang -c b.bpf.c
 #0 0x00007f15250a5291 llvm::sys::PrintStackTrace (/lib/libLLVM-14.so.1+0xea5291)
clang: error: clang frontend command failed with exit code 70 (use -v to see invocation)
clang: note: diagnostic msg: /tmp/b-becc74.c
"""


def test_a_crash_says_what_to_try(tmp_path, monkeypatch):
    (tmp_path / "said").write_text(CRASH)
    error = run_fake(tmp_path, f"cat {tmp_path}/said >&2; exit 70")
    assert error.message == (
        f"{tmp_path}/x.bpf.c: clang crashed (version 14.0.6, {tmp_path}/clang)"
    )
    first, _, *others = CRASH.splitlines()
    assert error.output.splitlines() == [first, *others[3:]]
    (note,) = error.__notes__
    assert note == (
        "that is a fault of this clang, not of the program's C; a newer one may do:"
        " SKELGEN_CLANG=ziglang uses the one of bpf-skelgen[clang]"
    )
    monkeypatch.setattr(clang, "_ziglang", lambda: None)
    (note,) = run_fake(tmp_path, "kill -SEGV $$").__notes__
    assert "pip install 'bpf-skelgen[clang]' brings one" in note


def test_a_compiler_that_is_killed_is_reported_with_its_signal(tmp_path):
    error = run_fake(tmp_path, "kill -SEGV $$")
    assert error.message.endswith("/clang): killed by SIGSEGV")
    assert "SKELGEN_CLANG=ziglang" in error.__notes__[0]
    error = run_fake(tmp_path, "kill -KILL $$")
    assert error.message.endswith("/clang): killed by SIGKILL")
    assert "memory ran out" in error.__notes__[0]


def test_a_compiler_that_says_nothing_is_reported_with_its_status(tmp_path):
    error = run_fake(tmp_path, "exit 3")
    assert error.message.endswith(
        "clang failed (version 14.0.6, " + str(tmp_path) + "/clang): exit status 3"
    )
    assert not hasattr(error, "__notes__")


def test_a_compiler_that_is_no_program_is_an_error_that_names_it(tmp_path):
    program = fake(tmp_path, "")
    program.write_text("no program")
    source = tmp_path / "x.bpf.c"
    source.write_text(GOOD)
    found = clang.Compiler((str(program),), "PATH")
    with pytest.raises(CompileError) as caught:
        clang.compile_object(source, tmp_path / "x.o", compiler=found)
    assert str(caught.value) == f"{source}: cannot run {program}: Exec format error"


def old_clang() -> clang.Compiler:
    path = shutil.which("clang", path="/usr/bin")
    found = None if path is None else clang.Compiler((path,), "PATH")
    if found is None or not (14,) <= found.version < (15,):
        pytest.skip("needs Debian's clang 14, which crashes on bpf_core_type_matches()")
    return found


def test_clang_14_crashes_on_a_match_of_types(tmp_path):
    source = tmp_path / "x.bpf.c"
    source.write_text(
        "#include <vmlinux.h>\n#include <bpf/bpf_helpers.h>\n"
        "#include <bpf/bpf_core_read.h>\n"
        'SEC("socket") int prog(void *ctx)\n'
        "{ return bpf_core_type_matches(struct task_struct); }\n"
    )
    with pytest.raises(CompileError) as caught:
        clang.compile_object(source, tmp_path / "x.o", compiler=old_clang())
    text = str(caught.value)
    assert "clang crashed (version 14." in text
    assert "PrintStackTrace" not in text
    assert "SKELGEN_CLANG=ziglang" in caught.value.__notes__[0]
    for left in re.findall(
        r"diagnostic msg: (/tmp/\S+\.(?:c|sh))$", text, re.MULTILINE
    ):
        Path(left).unlink()
    # what it says to try works
    clang.compile_object(source, tmp_path / "x.o", compiler=compiler())


def test_warnings_are_returned(tmp_path):
    source = tmp_path / "x.bpf.c"
    source.write_text(GOOD + "static int unused;\n")
    warnings = clang.compile_object(source, tmp_path / "x.o")
    assert "unused" in warnings
