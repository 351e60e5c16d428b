"""``skelgen`` writes modules, compares them, and says what goes wrong."""

from pathlib import Path

import pytest
from click.testing import CliRunner

import skelgen
from skelgen.cli import main
from tests.conftest import CompileBpf
from tests.harness import sources
from tests.harness.command import run


def test_a_module_is_written_beside_its_object(folder: Path) -> None:
    result = run("ringbuf.bpf.o")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "wrote ringbuf_skel.py\n"
    written = (folder / "ringbuf_skel.py").read_text("utf-8")
    assert written == skelgen.generate("ringbuf.bpf.o")
    assert run("ringbuf.bpf.o").stderr == "ringbuf_skel.py is up to date\n"


def test_the_word_build_is_optional(folder: Path) -> None:
    assert run("build", "ringbuf.bpf.o", "-o", "-").stdout == (
        run("-o", "-", "ringbuf.bpf.o").stdout
    )


def test_a_module_is_written_to_the_file_that_is_named(folder: Path) -> None:
    (folder / "app").mkdir()
    result = run("ringbuf.bpf.o", "-o", "app/trace.py", "--name", "trace")
    assert (result.exit_code, result.stderr) == (0, "wrote app/trace.py\n")
    assert "class Trace(rt.Skeleton):" in (folder / "app/trace.py").read_text("utf-8")


def test_a_dash_writes_to_standard_output_and_no_file(folder: Path) -> None:
    result = run("ringbuf.bpf.o", "-o", "-")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == skelgen.generate("ringbuf.bpf.o")
    assert not list(folder.glob("*.py"))


def test_several_modules_go_to_a_folder_and_are_counted(folder: Path) -> None:
    (folder / "app").mkdir()
    result = run("ringbuf.bpf.o", "maps_plain.bpf.o", "-o", "app")
    assert result.stderr.splitlines() == [
        "wrote app/ringbuf_skel.py",
        "wrote app/maps_plain_skel.py",
        "2 modules: 2 written, 0 up to date",
    ]
    again = run("ringbuf.bpf.o", "maps_plain.bpf.o", "-o", "app")
    assert again.stderr == "2 modules: 0 written, 2 up to date\n"


def test_quiet_writes_the_modules_and_says_nothing(folder: Path) -> None:
    result = run("-q", "ringbuf.bpf.o", "maps_plain.bpf.o")
    assert (result.exit_code, result.output) == (0, "")
    assert (folder / "maps_plain_skel.py").exists()


def test_names_that_meet_are_told_with_how_to_choose_another(
    folder: Path, compile_bpf: CompileBpf
) -> None:
    path = folder / "meet.bpf.o"
    path.write_bytes(compile_bpf("names_meet").read_bytes())
    done = run(str(path))
    *notes, last, wrote = done.stderr.splitlines()
    assert done.exit_code == 0
    assert wrote == f"wrote {folder / 'meet_skel.py'}"
    assert notes[0] == (
        f"{path}: note: section '.data.a_b' is 'data_a_b_2', for 'data_a_b' is section"
        " '.data.a.b'"
    )
    assert all(note.startswith(f"{path}: note: ") for note in notes)
    assert last.endswith("; --rename and docs/names.md say how to choose another")
    assert run(str(path), "--quiet", "-o", str(folder / "x.py")).stderr == ""
    done = run(
        str(path), "--rename", "data_a_b_2=under", "--rename", "FooBar_2=Foo", "-o", "-"
    )
    assert "data_a_b_2" not in done.stderr
    assert "class Foo(rt.Struct, size=" in done.stdout
    assert "self.under: Final = " in done.stdout
    done = run(str(path), "--rename", "FooBar_3=Foo")
    assert done.exit_code == 2
    assert done.stderr == (
        f"skelgen: error: {path}: rename 'FooBar_3': the module has no such name; did"
        " you mean 'FooBar_2', 'FooBar' or 'FooBar_2.c'?\n"
    )
    done = run(str(path), "--rename", "FooBar")
    assert "'FooBar' is not of the form NAME=OTHER, like Stats_2=BStats" in done.stderr


def test_programs_that_can_never_attach_are_warned_of(
    folder: Path, compile_bpf: CompileBpf
) -> None:
    (folder / "odd.bpf.o").write_bytes(compile_bpf("prog_misnamed").read_bytes())
    result = run("odd.bpf.o")
    assert result.exit_code == 0
    faults = {
        "next": 'SEC("tp/unused"): does not read SEC("tp/<category>/<event>")',
        "exit_probe": 'SEC("kretprobe/do_unlinkat+8"): a return probe takes no offset',
        "usdt": 'SEC("usdt/libc:setjmp"): does not read'
        ' SEC("usdt/<path>:<provider>:<name>")',
    }
    assert result.stderr.splitlines() == [
        *(
            f"odd.bpf.o: warning: program '{name}': {fault}; attach() refuses it"
            for name, fault in faults.items()
        ),
        "wrote odd_skel.py",
    ]
    assert run("-q", "odd.bpf.o").stderr == ""


def test_programs_of_unknown_sections_are_warned_of(
    folder: Path, compile_bpf: CompileBpf
) -> None:
    (folder / "odd.bpf.o").write_bytes(compile_bpf("prog_unknown").read_bytes())
    result = run("odd.bpf.o")
    assert result.exit_code == 0
    odd, says = (
        "odd.bpf.o: warning: program",
        "does not say what type of program it is;",
    )
    assert result.stderr.splitlines() == [
        f"{odd} 'mystery': SEC(\"my_own_section\") {says} load() wants program.type set",
        (
            f'{odd} \'near_miss\': SEC("xdp_but_not_quite") {says} did you mean SEC("xdp")?'
            " Else load() wants program.type set"
        ),
        "wrote odd_skel.py",
    ]


def test_types_and_records_become_classes_and_are_in_the_header(folder: Path) -> None:
    result = run(
        "ringbuf.bpf.o", "-r", "rb=struct event", "--type", "enum kind", "-o", "-"
    )
    assert result.exit_code == 0
    assert "record=rt.struct(Event)" in result.stdout
    assert "class Kind(enum.IntEnum):" in result.stdout
    assert (
        "# Regenerate with: skelgen ringbuf.bpf.o --type 'enum kind'"
        " --record 'rb=struct event'\n"
    ) in result.stdout


# -- check and diff ------------------------------------------------------------


def test_check_fails_for_what_is_missing_or_differs(folder: Path) -> None:
    missing = run("--check", "ringbuf.bpf.o")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert missing.stderr == "ringbuf_skel.py is missing\n"
    assert not (folder / "ringbuf_skel.py").exists()
    run("ringbuf.bpf.o")
    assert run("--check", "ringbuf.bpf.o").exit_code == 0
    differs = run("--check", "ringbuf.bpf.o", "--record", "rb=event")
    assert differs.exit_code == 1
    assert differs.stderr == "ringbuf_skel.py is not up to date\n"
    quiet = run("--check", "-q", "ringbuf.bpf.o", "--record", "rb=event")
    assert (quiet.exit_code, quiet.output) == (1, "")


def test_diff_prints_what_would_change_and_writes_nothing(folder: Path) -> None:
    new = run("--diff", "ringbuf.bpf.o")
    assert new.exit_code == 0
    assert new.stdout.startswith("--- /dev/null\n+++ ringbuf_skel.py\n@@ ")
    run("ringbuf.bpf.o")
    same = run("--diff", "ringbuf.bpf.o")
    assert (same.exit_code, same.output) == (0, "")
    differs = run("--diff", "--check", "ringbuf.bpf.o", "--record", "rb=event")
    assert differs.exit_code == 1
    assert '-        self.rb: Final = rt.RingBuf(obj.map("rb"), record=None)\n' in (
        differs.stdout
    )
    assert "record=None" in (folder / "ringbuf_skel.py").read_text("utf-8")


# -- what goes wrong -----------------------------------------------------------


def test_a_missing_object_is_an_error(folder: Path) -> None:
    result = run("none.o")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "skelgen: error: none.o: No such file or directory\n"


def test_the_others_are_written_where_one_object_is_bad(folder: Path) -> None:
    result = run("bad.o", "ringbuf.bpf.o")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines[0].startswith("skelgen: error: bad.o: ")
    assert lines[1:] == [
        "wrote ringbuf_skel.py",
        "2 modules: 1 written, 0 up to date, 1 failed",
    ]


def test_a_bad_object_beats_a_difference(folder: Path) -> None:
    assert run("--check", "bad.o", "ringbuf.bpf.o").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--name", "9x", "ringbuf.bpf.o"), "skelgen: error: name '9x': not a C"),
        (("--record", "rb", "ringbuf.bpf.o"), "'rb' is not of the form MAP=TYPE"),
        (("--record", "=event", "ringbuf.bpf.o"), "is not of the form MAP=TYPE"),
        (("--name", "x", "a.o", "b.o"), "--name is for one file"),
        (("-o", "-", "a.o", "b.o"), "-o - is for one file"),
        (("-o", "-", "--check", "a.o"), "-o - is for one file"),
        (("a.o", "a.bpf.o"), "a.bpf.o: a_skel.py is made from a.o already"),
        (("-o", "x.py", "a.o", "b.o"), "x.py: no such folder"),
        (("--nonsense",), "No such option"),
        (("--quiet",), "no pyproject.toml with [tool.skelgen] in "),
        (("--name", "x"), "--name is for files, and none is named; a project says"),
        (("--force", "ringbuf.bpf.o"), "--force is for a project; files are named"),
        (("--project", ".", "x.o"), "--project is for a project; files are named"),
        (("--project", "."), "pyproject.toml: No such file or directory"),
        (("--target", "vax", "x.c"), "target 'vax': unknown; known are bpfel, bpfeb"),
        (("none.bpf.c",), "skelgen: error: none.bpf.c: no such file\n"),
        (("-o", "no/x.py", "ringbuf.bpf.o"), "no/x.py: cannot write it: No such file"),
        (("inspect",), "Missing argument 'OBJ.o'"),
        (("inspect", "bad.o"), "skelgen: error: bad.o: "),
    ],
)
def test_wrong_usage_exits_with_2_and_no_traceback(
    folder: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_every_bad_fixture_is_one_line_of_error(bad_source: sources.Source) -> None:
    result = run(str(sources.compiled(bad_source)), "-o", "-")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("skelgen: error: ")
    assert result.stderr.count("\n") == 1


LONG = "a" * 300


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("{obj}", "-o", f"{{tmp}}/{LONG}.py"), "File name too long"),
        (("{obj}", "-o", f"{{tmp}}/{LONG}/x.py"), "File name too long"),
        (("{obj}", "-o", "{obj}/x.py"), "Not a directory"),
        (("{obj}", "-o", "/proc/nothing/x.py"), "No such file or directory"),
        (("{obj}", "-o", "{tmp}/\x1b[2Jx/y/\u202e.py"), "No such file or directory"),
        ((f"{{tmp}}/{LONG}.bpf.o",), "File name too long"),
        ((f"{{tmp}}/{LONG}.bpf.c",), "File name too long"),
        (("inspect", f"{{tmp}}/{LONG}"), "File name too long"),
        (("inspect", "{tmp}"), "Is a directory"),
        (("btf", "dump", f"{{tmp}}/{LONG}"), "File name too long"),
        (("btf", "min", "{obj}", "-o", f"{{tmp}}/{LONG}"), "File name too long"),
        (("features", f"{{tmp}}/{LONG}"), "File name too long"),
        (("init", LONG), "File name too long"),
    ],
)
def test_a_file_that_cannot_be_is_one_clear_error(
    compile_bpf: CompileBpf,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    text: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    names = {"obj": str(compile_bpf("life")), "tmp": str(tmp_path)}
    done = CliRunner().invoke(main, [word.format(**names) for word in words])
    assert done.exit_code == 2, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert done.stderr.startswith("skelgen: error: "), done.stderr
    assert text in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.removesuffix("\n").isprintable()
