"""Finding and running the compiler."""

import sys
from pathlib import Path

import pytest

from skelgen import clang
from skelgen.errors import CompileError
from skelgen.targets import TARGETS

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
    assert "pip install 'skelgen[clang]'" in text
    assert "SKELGEN_CLANG=" in text


def test_ziglang_is_used_when_path_has_no_clang(tmp_path):
    found = clang.find_compiler({"PATH": str(tmp_path)})
    assert found.origin == "ziglang"
    assert found.command[1] == "clang"


def test_ziglang_can_be_asked_for():
    found = clang.find_compiler({"SKELGEN_CLANG": "ziglang", "PATH": "/usr/bin"})
    assert found.origin == "ziglang"
    assert found.root is not None


def test_ziglang_is_asked_for_and_missing(no_ziglang):
    with pytest.raises(CompileError, match="SKELGEN_CLANG=ziglang, but that is not"):
        clang.find_compiler({"SKELGEN_CLANG": "ziglang", "PATH": "/usr/bin"})


def test_path_comes_before_ziglang(tmp_path):
    program = tmp_path / "clang"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = clang.find_compiler({"PATH": str(tmp_path)})
    assert found == clang.Compiler((str(program),), "PATH")


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
def test_an_object_of_every_target(tmp_path, target):
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
        clang.compile_object(source, output)
    assert str(caught.value).startswith(
        f"{source}: clang failed\n  {source}:1:25: error:"
    )
    assert caught.value.status == 1
    assert caught.value.command[-1] == str(output)
    assert not output.exists()


def test_warnings_are_returned(tmp_path):
    source = tmp_path / "x.bpf.c"
    source.write_text(GOOD + "static int unused;\n")
    warnings = clang.compile_object(source, tmp_path / "x.o")
    assert "unused" in warnings
