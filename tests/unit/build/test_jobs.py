"""Files of the generator: read once, written in one step."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

import skelgen
from skelgen.build import files, jobs
from skelgen.build.jobs import Job, Outcome, output_path
from skelgen.errors import ConfigError, NamingError, ObjectError
from tests.harness import sources

CompileBpf = Callable[..., Path]
LIKE = Job(Path(), Path())


@pytest.fixture
def obj(compile_bpf: CompileBpf, tmp_path: Path) -> Path:
    """Return an object in a folder of its own."""
    path = tmp_path / "ringbuf.bpf.o"
    path.write_bytes(compile_bpf("ringbuf").read_bytes())
    return path


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("x.bpf.o", "x_skel.py"),
        ("x.o", "x_skel.py"),
        ("x.bpf.c", "x_skel.py"),
        ("x.c", "x_skel.py"),
        ("x", "x_skel.py"),
        ("a/b/x.bpf.o", "a/b/x_skel.py"),
        ("my-prog.v2.bpf.o", "my_prog_v2_skel.py"),
        (".bpf.o", "_bpf_skel.py"),
        ("naïve.o", "na_ve_skel.py"),
    ],
)
def test_a_module_goes_beside_its_source_under_its_name(
    source: str, wanted: str
) -> None:
    assert output_path(Path(source)) == Path(wanted)


def test_run_writes_once(obj: Path) -> None:
    job = Job(obj, output_path(obj))
    assert jobs.run(job).outcome is Outcome.WRITTEN
    before = job.output.stat()
    assert jobs.run(job).outcome is Outcome.UNCHANGED
    assert job.output.stat().st_mtime_ns == before.st_mtime_ns
    job.output.write_text("old", "utf-8")
    assert jobs.run(job).outcome is Outcome.WRITTEN
    assert job.output.read_text("utf-8") == skelgen.generate(obj)
    assert sorted(path.name for path in obj.parent.iterdir()) == [
        "ringbuf.bpf.o",
        "ringbuf_skel.py",
    ]


def test_mode_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("old", "utf-8")
    path.chmod(0o751)
    files.write(path, "new")
    assert path.read_text("utf-8") == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o751


def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.write(tmp_path / "x.py", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.py").stat().st_mode) == 0o640


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / "real.py"
    target.write_text("old", "utf-8")
    link = tmp_path / "link.py"
    link.symlink_to(target)
    files.write(link, "new")
    assert link.is_symlink()
    assert target.read_text("utf-8") == "new"


def test_a_device_is_written_to(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        files.write(fifo, "text")
        assert os.read(reader, 10) == b"text"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.py"
    path.write_text("old", "utf-8")

    def full(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(ConfigError) as caught:
        files.write(path, "new")
    assert str(caught.value) == f"{path}: cannot write it: No space left on device"
    assert path.read_text("utf-8") == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.py"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot write it: No such file or directory"):
        files.write(tmp_path / "no" / "x.py", "new")


def test_modules_go_to_the_folder_or_beside_their_sources(tmp_path: Path) -> None:
    sources = [Path("a/x.bpf.o"), Path("b/y.o")]
    made = jobs.jobs_of(sources, tmp_path, LIKE)
    assert [job.output for job in made] == [
        tmp_path / "x_skel.py",
        tmp_path / "y_skel.py",
    ]
    assert [job.output for job in jobs.jobs_of(sources, None, LIKE)] == [
        Path("a/x_skel.py"),
        Path("b/y_skel.py"),
    ]


def test_two_objects_for_one_module_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        jobs.jobs_of([Path("x.o"), Path("x.bpf.o")], None, LIKE)
    assert str(caught.value) == "x.bpf.o: x_skel.py is made from x.o already"


def test_several_objects_need_a_folder() -> None:
    with pytest.raises(ConfigError, match=r"one\.py: no such folder"):
        jobs.jobs_of([Path("x.o"), Path("y.o")], Path("one.py"), LIKE)


def test_a_missing_object_or_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ObjectError) as caught:
        skelgen.generate(tmp_path / "none.o")
    assert str(caught.value) == f"{tmp_path / 'none.o'}: No such file or directory"
    with pytest.raises(ObjectError, match="Is a directory"):
        skelgen.read_object(tmp_path)


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_MOST_BYTES", 1 << 20)
    path = tmp_path / "x.o"
    path.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(ObjectError, match="more than 1 MB, this is no BPF object"):
        files.read_source(path)


# -- the functions of the package ----------------------------------------------


def test_bytes_are_the_same_as_a_path(obj: Path) -> None:
    data = obj.read_bytes()
    assert skelgen.generate(data, source_name=obj.name) == skelgen.generate(obj)
    assert "object.bpf.o" in skelgen.generate(data)
    assert skelgen.read_object(data, source_name=obj.name) == skelgen.read_object(obj)


def test_options_are_in_the_header(obj: Path) -> None:
    text = skelgen.generate(
        obj,
        name="other",
        types=["struct event"],
        records=[("rb", "event")],
        renames=[("Event.pid", "process"), ("maps.rb", "events")],
    )
    assert text.split("\n")[1] == (
        "# Regenerate with: skelgen ringbuf.bpf.o --name other --type 'struct event'"
        " --record rb=event --rename Event.pid=process --rename maps.rb=events"
    )
    assert "class Other(rt.Skeleton):" in text
    assert "    process: int = rt.member(" in text
    assert 'self.events: Final = rt.RingBuf(obj.map("rb"), ' in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "9lives"}, "name '9lives': not a C identifier"),
        ({"name": "a\nb"}, "name 'a?b': not a C identifier"),
        ({"types": ["a b c"]}, "type 'a b c': not the name of a C type, like"),
        ({"types": ["event\nx"]}, "type 'event?x': not the name of a C type, like"),
        ({"records": [("r\nb", "event")]}, "record 'r?b': not a map's name"),
        (
            {"renames": [("A", "b c")]},
            "rename 'A': 'b c' is no Python name of ASCII letters, digits and _ that",
        ),
        ({"renames": [("A", "__b")]}, "rename 'A': '__b' is no Python name"),
        ({"renames": [("A", "B"), ("A", "C")]}, "rename 'A': given twice"),
        ({"records": [("rb", "int *")]}, "type 'int *': not the name of a C type"),
    ],
)
def test_options_are_checked(
    obj: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        skelgen.generate(obj, **options)  # type: ignore[arg-type] # one of each
    assert str(caught.value).startswith(message)


def test_errors_name_the_file(compile_bpf: CompileBpf) -> None:
    path = compile_bpf("ringbuf")
    with pytest.raises(ConfigError) as caught:
        skelgen.generate(path, records=[("nothing", "event")])
    assert str(caught.value) == (
        f"{path}: record 'nothing': no such map; there are: rb"
    )
    with pytest.raises(NamingError) as naming:
        skelgen.generate(path, types=["event"], renames=[("Event", "Ringbuf")])
    assert str(naming.value) == f"{path}: rename 'Event': 'Ringbuf' is the skeleton"
    with pytest.raises(ObjectError) as missing:
        skelgen.generate(path, types=["nowhere"])
    assert str(missing.value) == (
        f"{path}(.debug_info): type 'nowhere': neither in BTF nor in DWARF"
    )


def test_a_record_without_dwarf_says_how_to_compile() -> None:
    path = sources.DATA / "objects" / "ringbuf.linked.bpf.o"
    with pytest.raises(ObjectError) as caught:
        skelgen.generate(path, records=[("rb", "event")])
    assert str(caught.value) == (
        f"{path}: type 'event': not in BTF; no DWARF; compile with -g and do not strip"
        " the object"
    )


def test_open_object_has_the_name_programs_and_maps(compile_bpf: CompileBpf) -> None:
    with skelgen.open_object(compile_bpf("ringbuf"), name="other") as obj:
        assert obj.name == "other"
        assert list(obj.programs) == ["on_getppid"]
        assert "rb" in obj.maps


def test_an_object_that_is_replaced_while_it_is_read_is_built_again(
    obj: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(
        Path(obj.name), tmp_path / "x.py", root=tmp_path, fingerprint=tmp_path / "r"
    )
    read = jobs.read_source

    def replaced(path: Path) -> bytes:
        data = read(path)
        new = path.with_name("new")
        new.write_bytes(data + b"\0")
        new.replace(path)
        return data

    monkeypatch.setattr(jobs, "read_source", replaced)
    assert jobs.run(job).outcome is Outcome.WRITTEN
    monkeypatch.undo()
    assert jobs.run(job).made is not None
    assert jobs.run(job).made is None


def test_a_source_that_is_gone_after_the_build_is_no_crash(
    obj: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(
        Path(obj.name), tmp_path / "x.py", root=tmp_path, fingerprint=tmp_path / "r"
    )
    read = jobs.read_source

    def removed(path: Path) -> bytes:
        data = read(path)
        path.unlink()
        return data

    monkeypatch.setattr(jobs, "read_source", removed)
    assert jobs.run(job).outcome is Outcome.WRITTEN
    with pytest.raises(ObjectError, match="No such file or directory"):
        jobs.run(job)


def test_a_file_where_records_go_is_one_clear_error(obj: Path, tmp_path: Path) -> None:
    (tmp_path / "build").write_text("")
    record = tmp_path / "build" / "skelgen" / "x.json"
    job = Job(Path(obj.name), tmp_path / "x.py", root=tmp_path, fingerprint=record)
    with pytest.raises(ConfigError, match="skelgen: cannot make the folder: Not a dir"):
        jobs.run(job)
