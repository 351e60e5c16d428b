"""Names that would play tricks on a terminal are shown escaped, wherever they show up."""

import ast
import importlib
import inspect
import logging
import pkgutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import skelgen
from skelgen.btf.errors import BtfParseError
from skelgen.cli import errors as cli_errors
from skelgen.errors import SkelgenError
from skelgen.model.attach import Manual
from skelgen.model.enums import MapType, ProgType
from skelgen.model.spec import (
    DataKind,
    DataSpec,
    MapSpec,
    ObjectSpec,
    ProgramSpec,
    Span,
)
from skelgen.plain import plain, plain_lines
from skelgen.runtime.errors import BpfError
from skelgen.runtime.log import debug, step, warn_caller
from skelgen.runtime.object.object import Object

ROOT = Path(skelgen.__file__).parent
EVIL = "a\x1b[2J\u202eb\x00\r\x9b\u2028\udc80c"
"""A clear screen, a mark that turns the direction, NUL, CSI, a line end, a surrogate."""


def test_only_what_plays_tricks_is_escaped() -> None:
    assert plain("näme_1 日本") == "näme_1 日本"
    assert plain(EVIL) == r"a\x1b[2J\u202eb\x00\r\x9b\u2028\udc80c"
    assert plain("a\nb\tc") == r"a\nb\tc"
    assert plain_lines("a\nb\tc\x1b") == "a\nb\tc\\x1b"


def is_safe(text: str) -> bool:
    text.encode()  # a surrogate would raise where it is printed
    return text.replace("\n", "").replace("\t", "").isprintable()


def every_error() -> list[type[Exception]]:
    """Return every class of error of both halves."""
    for info in pkgutil.walk_packages(skelgen.__path__, "skelgen."):
        if info.name.split(".")[1] not in {"templates", "__main__"}:
            importlib.import_module(info.name)
    found: list[type[Exception]] = []
    todo: list[type[Exception]] = [BpfError, SkelgenError, BtfParseError]
    while todo:
        cls = todo.pop()
        found.append(cls)
        todo += cls.__subclasses__()
    return [cls for cls in dict.fromkeys(found) if cls.__module__.startswith("skelgen")]


@pytest.mark.parametrize("cls", every_error(), ids=lambda cls: cls.__name__)
def test_every_error_escapes_its_text_and_notes(cls: type[Exception]) -> None:
    words = inspect.getfullargspec(cls.__init__).args
    error = cls(2, EVIL) if "errno" in words else cls(EVIL)
    for name in ("what", "command", "path", "section", "output"):
        if hasattr(error, name):
            setattr(error, name, EVIL)
    error.add_note(f"see {EVIL}")
    assert r"\x1b[2J\u202e" in str(error)
    assert is_safe(str(error)), repr(str(error))
    if not issubclass(cls, BtfParseError):  # which no user sees
        assert all(is_safe(note) for note in error.__notes__)


def test_one_function_escapes() -> None:
    """Nothing else does, and no error has a text of its own way."""
    for path in ROOT.rglob("*.py"):
        text = path.read_text("utf-8")
        if path.name != "plain.py":
            assert "isprintable() else" not in text, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef) and node.name.endswith("Error"):
                own = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
                first = {"BpfError", "SkelgenError", "BtfParseError"}
                assert node.name in first or "__str__" not in own, (path, node.name)


NAME = EVIL.replace("\0", "")
"""What an object can have: its names end at a NUL."""


@pytest.fixture
def evil() -> Iterator[Object]:
    """Yield an object all of whose names are evil."""
    spec = ObjectSpec(
        f"object{NAME}",
        "evil.bpf.o",
        sys.byteorder,
        "GPL",
        maps=(MapSpec(f"map{NAME}", MapType.HASH, 4, 4, 1),),
        data=(DataSpec(f".data.{NAME}", DataKind.DATA, size=8, mmapable=True),),
        programs=(
            ProgramSpec(
                f"prog{NAME}", f"xdp/{NAME}", ProgType.XDP, Manual(), Span(0, 0)
            ),
        ),
    )
    with Object(spec) as obj:
        yield obj


def uses(obj: Object) -> Iterator[Callable[[], object]]:
    """Yield what goes wrong."""
    (program,) = obj.programs.values()
    map_ = obj.maps[f"map{NAME}"]
    (section,) = obj.sections.values()
    for thing in (program, map_, map_.handle):
        for name in ("type", "flags", "ifindex"):
            for value in ("x", -1, 2**70):
                yield lambda t=thing, n=name, v=value: setattr(t, n, v)
    for table in (obj.programs, obj.maps, obj.sections):
        yield lambda t=table: t["other"]
        yield lambda t=table: t[NAME]
    yield map_.fd
    yield lambda: map_[b"1234"]
    yield lambda: map_.handle.reuse(2**40)
    yield program.fd
    yield program.clone
    yield lambda: program.clone("a b")
    yield lambda: section.read(5, 50)
    yield lambda: section.write(b"123456789")
    yield lambda: section.resize(9)
    yield obj.attach
    yield lambda: obj.program(f"prog{NAME}", int)  # type: ignore[type-var]


def test_an_object_of_evil_names_is_shown_escaped(
    evil: Object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "skelgen")
    for number, use in enumerate(uses(evil)):
        with pytest.raises(Exception, match=r"(?s).") as caught:
            use()
        error = caught.value
        said = error.args[0] if isinstance(error, KeyError) else str(error)
        assert is_safe(said), (number, said)
        assert all(is_safe(note) for note in getattr(error, "__notes__", ()))
    for part in (evil, *evil.maps.values(), *evil.programs.values(), evil.maps):
        assert is_safe(repr(part))
    for section in evil.sections.values():
        assert is_safe(repr(section))
    assert all(is_safe(record.getMessage()) for record in caplog.records)


def test_logging_and_warnings_are_escaped(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG, "skelgen")
    debug("it is '%s': %s, %d", EVIL, BpfError(EVIL), 3)
    with step("map '%s'", EVIL) as this:
        this.done("pinned at '%s'", EVIL)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert all(is_safe(message) for message in messages)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_caller(f"map '{EVIL}'")
    assert is_safe(str(caught[0].message))
    cli_errors.warn(f"program '{EVIL}'")
    cli_errors.show(SkelgenError(EVIL))
    assert is_safe(capsys.readouterr().err)
