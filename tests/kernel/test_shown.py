"""What every object of a skeleton shows of itself, in every state: ``repr()``, ``dir()``.

``repr()`` never raises and says the name or the state; ``dir()``, which TAB completion
goes by, has public names that are documented, and nothing that is the runtime's own.
"""

import ast
import ctypes
import functools
import inspect
import itertools
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from skelgen import runtime as rt
from skelgen.runtime.maps import handle
from skelgen.runtime.programs import settings as programs

pytestmark = pytest.mark.any_kernel

LIVES = ("opened", "prepared", "loaded", "attached", "detached", "destroyed")
OBJECTS = (
    *("life", "maps_plain", "maps_special", "maps_nested", "maps_prog_array"),
    *("externs_kconfig", "globals_live", "types_structs", "types_arrays"),
    *("sections_custom", "prog_net", "struct_ops_tcp"),
)
OF_C = (rt.Namespace, rt.Struct, rt.Union, rt.Shadow, rt.DataSection)
NOT_FOR_USERS = ("loader's part", "how errors call it", "for the loader")


def skeleton_of(module: ModuleType) -> type[Any]:
    (found,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, rt.Skeleton)
    )
    return found


def is_ours(value: object) -> bool:
    """Whether an object is one of skelgen's, or of a generated module."""
    return type(value).__module__.startswith("skelgen") and not isinstance(
        value, (type, Exception, int, Enum)
    )


def every_part(root: object) -> Iterator[tuple[str, Any]]:
    """Yield everything that can be got at by the names that are listed, once."""
    seen: set[int] = set()
    todo: list[tuple[str, Any]] = [("skel", root)]
    kept: list[Any] = []  # so that no id comes twice
    while todo:
        path, value = todo.pop()
        if id(value) in seen or not is_ours(value):
            continue
        seen.add(id(value))
        kept.append(value)
        yield path, value
        if type(value).__module__.startswith(("skelgen.model", "skelgen.btf")):
            continue  # the blueprint: plain tuples
        for name in dir(value):
            if name.startswith("_"):
                continue
            try:
                found = getattr(value, name)
            except (rt.BpfError, IndexError):
                continue
            todo.append((f"{path}.{name}", found))
        if isinstance(value, Mapping) and not isinstance(value, rt.Map):
            todo += [(f"{path}[{key!r}]", value[key]) for key in value]


@functools.cache
def documented(cls: type) -> frozenset[str]:
    """Return the names that the source of a class documents with a string below."""
    try:
        tree = ast.parse(Path(inspect.getsourcefile(cls) or "").read_text("utf-8"))
    except (OSError, TypeError):
        return frozenset()
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == cls.__name__:
            bodies = [node.body]
            bodies += [n.body for n in node.body if isinstance(n, ast.FunctionDef)]
            for body in bodies:
                for statement, after in itertools.pairwise(body):
                    if isinstance(after, ast.Expr) and isinstance(
                        after.value, ast.Constant
                    ):
                        found |= targets(statement)
    return frozenset(found)


def targets(statement: ast.stmt) -> set[str]:
    names = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
    found = {getattr(n, "id", None) or getattr(n, "attr", None) for n in names}
    return {name for name in found if name}


def docs_of(value: Any, name: str) -> str | None:
    """Return the documentation of an attribute; empty for one that is in the source."""
    for cls in type(value).__mro__:
        if isinstance(value, rt.Skeleton) and name in vars(cls)["__slots__"]:
            return inspect.getdoc(getattr(value, name)) or ""  # of its class
        if name in documented(cls):
            return ""
        if name in vars(cls) and inspect.getdoc(vars(cls)[name]):
            return inspect.getdoc(vars(cls)[name])
    return None


def faults(path: str, value: Any) -> Iterator[str]:
    """Yield what is wrong with what one object shows of itself."""
    text = repr(value)
    if not text or "object at 0x" in text or "None" in text.partition("=")[0]:
        yield f"{path}: repr: {text!r}"
    if not text.replace("\n", "").isprintable():
        yield f"{path}: repr: {text!r}"
    names = dir(value)
    if names != sorted(set(names)):
        yield f"{path}: {names}"
    if isinstance(value, (tuple, ctypes.Array)):
        return
    for name in names:
        if name.startswith("_"):
            yield f"{path}.{name} of {type(value)}"
        if isinstance(value, OF_C):
            continue  # names of C, which the generated module documents
        docs = docs_of(value, name)
        if docs is None:
            yield f"{path}.{name} of {type(value)}: not documented"
        elif any(words in docs.lower() for words in NOT_FOR_USERS):
            yield f"{path}.{name} of {type(value)}: {docs}"


def lives(skel: Any, *, attach: bool) -> Iterator[str]:
    """Lead a skeleton through its life, and yield each state."""
    yield "opened"
    skel.prepare()
    yield "prepared"
    skel.load()
    yield "loaded"
    if attach:
        skel.attach()
        yield "attached"
        skel.detach()
        yield "detached"
    skel.destroy()
    yield "destroyed"


@pytest.mark.parametrize("name", OBJECTS)
def test_everything_shows_itself_in_every_state(make_skeleton: Any, name: str) -> None:
    cls = skeleton_of(make_skeleton(name))
    with cls.open(pin_root="/nowhere") as skel:
        for state in lives(skel, attach=name == "life"):
            parts = list(every_part(skel))
            assert len(parts) > 5
            wrong = [text for path, value in parts for text in faults(path, value)]
            assert not wrong, "\n".join(wrong)
            shown = "loaded" if state == "detached" else state
            assert repr(skel) == f"<{cls.__name__}: {shown}>"
            assert repr(skel.object) == f"<object '{name}': {shown}>"


def test_each_says_its_name_and_state(make_skeleton: Any) -> None:
    skel = make_skeleton("life").Life.open()
    program, rb = skel.progs.on_getppid, skel.maps.rb
    section = 'SEC("tp/syscalls/sys_enter_getppid")'
    assert repr(program) == f"<TracepointProgram 'on_getppid' {section}: opened>"
    assert repr(rb) == "<RingBuf 'rb': opened>"
    assert repr(rb.handle) == "<map 'rb': opened>"
    skel.maps.states.autocreate = False
    skel.progs.on_egress.autoload = False
    skel.load()
    assert repr(skel.maps.states) == "<HashMap 'states': not made>"
    assert repr(skel.progs.on_egress).endswith(": not loaded>")
    skel.attach()
    link = skel.links.on_getppid
    assert repr(link) == "<Link of program 'on_getppid': attached>"
    assert repr(skel.object.links["life"]) == (
        "<StructOpsLink struct_ops 'life': attached>"
    )
    assert repr(skel.links).startswith("LifeLinks(on_getppid=<Link of program")
    assert repr(skel.progs).startswith("LifeProgs(on_getppid=<TracepointProgram ")
    assert repr(skel.maps).startswith("LifeMaps(rb=<RingBuf 'rb': loaded>, ")
    assert repr(skel.struct_ops).startswith("LifeStructOps(life=")
    with rt.Link(skel.maps.rb.handle.info().id and link.fd()) as other:
        assert repr(other) == f"<Link fd {link.fd()}: attached>"
        other._fd.detach()
    skel.destroy()
    assert repr(link) == "<Link of program 'on_getppid': destroyed>"
    assert repr(program).endswith(": destroyed>")
    assert repr(rb) == "<RingBuf 'rb': destroyed>"
    assert repr(skel.bss) == "<LifeBss: destroyed>"
    assert dir(skel.bss) == ["calls", "numbers", "resize", "state"]
    assert dir(skel.maps) == ["life", "rb", "single", "states"]


def test_a_link_without_a_program_says_where_it_is_pinned(
    make_skeleton: Any, bpffs: Any
) -> None:
    with make_skeleton("life").Life.open_and_load() as skel:
        skel.attach()
        link = skel.object.links["life"]
        path = bpffs.path / "life"
        link.pin(path)
        with rt.StructOpsLink.from_pin(path) as found:
            assert repr(found) == f"<StructOpsLink at '{path}': attached>"
        assert repr(found) == f"<StructOpsLink at '{path}': destroyed>"
        link.unpin()


def test_names_that_are_the_runtimes_own_are_not_listed(make_skeleton: Any) -> None:
    with make_skeleton("life").Life.open() as skel:
        program = dir(skel.progs.on_egress)
        assert not {"adopt", "skip", "attach_error", "what"} & set(program)
        assert {"attach", "autoload", "clone", "test_run", "pin", "info"} <= set(
            program
        )
        assert {"pin", "reuse", "get", "items", "put"} <= set(dir(skel.maps.states))
        assert {"attach", "bss", "load", "maps", "progs"} <= set(dir(skel))
        assert dir(skel.bss.state) == ["calls", "values"]


def settings_of(thing: Any) -> list[str]:
    """Return the settings of a program or map, as its class declares them."""
    kinds = (programs.Setting, handle.Setting)
    return [
        name
        for name in dir(thing)
        if isinstance(inspect.getattr_static(type(thing), name, None), kinds)
    ]


@pytest.mark.parametrize("name", ["life", "maps_special"])
def test_every_setting_says_when_it_is_too_late(make_skeleton: Any, name: str) -> None:
    cls = skeleton_of(make_skeleton(name))
    with cls.open() as skel:
        obj = skel.object
        things = [*obj.programs.values(), *obj.maps.values()]
        things += [map_.handle for map_ in obj.maps.values()]
        walked = [(thing, name) for thing in things for name in settings_of(thing)]
        assert len(walked) > 50
        for thing, setting in walked:
            fixed = {"type", "key_size", "value_size", "max_entries"}
            if thing.name[0] != "." or setting not in fixed:  # of a data section
                setattr(thing, setting, getattr(thing, setting))
        skel.load()
        for thing, setting in walked:
            if setting == "autoattach":
                setattr(thing, setting, True)
                continue
            with pytest.raises(rt.StateError, match=setting):
                setattr(thing, setting, getattr(thing, setting))
        skel.destroy()
        for thing, setting in walked:
            with pytest.raises(rt.StateError):
                setattr(thing, setting, getattr(thing, setting))


def test_autoattach_where_nothing_asks_for_it_is_refused(make_skeleton: Any) -> None:
    with make_skeleton("life").Life.open() as skel:
        skel.progs.on_return.autoload = False
        skel.maps.life.autoattach = False
        skel.prepare()
        skel.load()
        with pytest.raises(rt.StateError, match="autoattach has no meaning"):
            skel.progs.on_return.autoattach = True
        with pytest.raises(rt.StateError, match="autoload between open"):
            skel.progs.on_return.autoload = True
        with (
            skel.progs.on_getppid.clone() as clone,
            pytest.raises(rt.StateError, match="a clone"),
        ):
            clone.autoattach = False
        with pytest.raises(TypeError, match="autoattach must be bool, got str"):
            skel.progs.on_getppid.autoattach = "no"
        skel.attach()
        assert skel.object.links.keys() == {"on_getppid"}
        skel.detach()
        kept = skel.progs.on_getppid.attach()
        skel.destroy()
        with pytest.raises(rt.ClosedError):
            skel.maps.life.autoattach = True
        with pytest.raises(rt.ClosedError, match=r"LifeLinks\.on_egress"):
            skel.links.on_egress = kept
        with pytest.raises(TypeError, match="must be a link or None, got int"):
            skel.links.on_egress = 3
        kept.destroy()


def test_a_part_of_a_skeleton_stays_what_it_is(make_skeleton: Any) -> None:
    """``skel.maps.x = 5`` sets no element: it is an error, and changes nothing."""
    module = make_skeleton("life")

    class Tool(module.Life):  # type: ignore[misc, name-defined]
        def __init__(self, obj: rt.Object) -> None:
            super().__init__(obj)
            self.runs = 0

    with Tool.open() as skel:
        parts = [(skel, "maps"), (skel, "progs"), (skel, "links"), (skel, "object")]
        parts += [(skel, "bss")] if hasattr(skel, "bss") else []
        parts += [(skel.maps, name) for name in dir(skel.maps)]
        parts += [(skel.progs, name) for name in dir(skel.progs)]
        for whole, name in parts:
            part = getattr(whole, name)
            with pytest.raises(AttributeError) as caught:
                setattr(whole, name, 5)
            assert f".{name} cannot be assigned: it is the " in str(caught.value)
            assert getattr(whole, name) is part
        skel.runs = 1
        skel.runs = 2  # one's own may change
        with pytest.raises(
            KeyError, match=r"program 'on_getpid': not one of .*did you"
        ):
            skel.object.program("on_getpid")
        with pytest.raises(KeyError, match=r"map 'lief': not one of .*did you mean"):
            skel.object.map("lief")
        with pytest.raises(KeyError, match=r"section '\.bs': not one of"):
            skel.object.section(".bs")
