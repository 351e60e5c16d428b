"""Every public callable with junk: run by test_junk_is_refused_in_words_and_the_process_survives in a process that has to survive.

``python -m tests.kernel.junk FOLDER GROUP``: a folder with generated modules, which is
the current one, and what to call: ``modules``, ``skeletons`` or ``command``. Prints a
line for each fault, and at last how much was called. It is in a network namespace of
its own, and its children of the current folder.
"""

# ruff: noqa: BLE001, PLR0911, T201 (whatever is raised is looked at, and printed)
import collections.abc
import ctypes
import enum
import faulthandler
import importlib.util
import inspect
import math
import os
import re
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import skelgen
from skelgen import runtime as rt
from skelgen.errors import SkelgenError
from skelgen.model.spec import MapSpec
from skelgen.runtime import syscalls
from skelgen.runtime.kernel import features
from skelgen.runtime.listing import Listed

HUGE = "h" * 300_000
INTEGERS = (-1, 2**31, 2**32, 2**32 + 3, 2**64, 2**70)
OTHERS: tuple[Any, ...] = (
    *(1.5, math.nan, "x", "", b"", "a\0b", "\ud800", None, [], {}, object(), HUGE),
    *([object()], ["a\0b"], [-1], [2**70], b"12", rt.MapType.HASH),
)
SKIPPED = {
    # what it may be called with at all is in its name
    "raw": "the number of a system call may be anything",
    "call": "as raw",
    "mmap": "maps over what it is told",
    "map_over": "as mmap",
    "map_private": "as mmap",
    "munmap": "unmaps what it is told",
    "mprotect": "protects what it is told",
    "populate": "touches what it is told",
    "ioctl": "an fd of something else",
    "close": "closes what it is told",
    "good_fd": "closes what it is told",
    "Fd": "closes what it is told",
    "Link": "closes what it is told",
    "IterLink": "closes what it is told",
    "StructOpsLink": "closes what it is told",
}
"""Not called with integers that could be something; with all else they are."""
OF_PROCESSES = {"pid", "tid"}
NOT_BLOCKING = (-1, math.nan, "x", b"", [], {}, object())
"""For a timeout: others would wait."""

MAY_COME_OUT = (rt.BpfError, SkelgenError, TypeError, ValueError, OverflowError)
NOT_THESE = (ctypes.ArgumentError, UnicodeError)
SLOW, LONGEST = 5, 15
"""Seconds that a call may take, and after which it is taken for one that waits."""
WHOSE = [""]
"""Name of the object whose methods are called."""
COUNTS = {"calls": 0, "refused": 0}
FAULTS: dict[str, str] = {}


def values_for(callable_name: str, parameter: str) -> Iterator[Any]:
    """Yield the junk that is safe for a parameter."""
    if parameter == "timeout":
        yield from NOT_BLOCKING
        return
    if callable_name in SKIPPED:
        yield from (v for v in OTHERS if not isinstance(v, int))
        yield from (2**64, 2**70)
        return
    yield from INTEGERS
    if parameter not in OF_PROCESSES:  # 1 is init
        yield True
    yield from OTHERS
    yield from OURS


OURS: list[Any] = []
"""Objects of our own, for where another kind is wanted."""

DEFAULTS = {
    "key": b"1234",
    "value": b"12345678",
    "data": b"",
    "interface": "lo",
    "direction": "ingress",
    "cls": rt.Struct,
    "codec": rt.U32,
    "insns": b"",
    "license": "GPL",
    "kind": "prog",
    "callback": print,
    "family": "ipv4",
    "hook": "input",
    "which": "hash",
    "program": "xdp",
    "size": 8,
    "index": 0,
    "rings": [],
    "type": 1,
    "key_size": 4,
    "value_size": 4,
    "max_entries": 1,
}


def benign(parameter: inspect.Parameter) -> Any:
    """Return something for a parameter that another one is tried beside."""
    if str(parameter.annotation) == "int":
        return 0
    if parameter.name in DEFAULTS:
        return DEFAULTS[parameter.name]
    text = str(parameter.annotation)
    for word, value in (
        ("Sequence", ()),
        ("bytearray", bytearray(8)),
        ("Buffer", b""),
        ("str", "x"),
        ("int", 0),
        ("Iterable", ()),
        ("bool", False),
        ("Codec", rt.U32),
    ):
        if word in text:
            return value
    return None


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:57] + "..."


def fault_in(error: BaseException, parameter: str, beside: list[str]) -> str | None:
    """Return what is wrong with what came out of a call; None if nothing is.

    Its text names the parameter, one given beside it (which is made up, too), or the
    object that was called.
    """
    said = "\n".join([str(error), *getattr(error, "__notes__", ())])
    if isinstance(error, (KeyError, IndexError)) and not isinstance(error, rt.BpfError):
        return None
    if not isinstance(error, MAY_COME_OUT) or isinstance(error, NOT_THESE):
        return "of the wrong kind"
    if not said.strip():
        return "without a text"
    if not said.replace("\n", "").replace("\t", "").isprintable():
        return "not printable"
    if len(said) > 200_000:
        return "endless"
    if isinstance(error, (rt.BpfError, SkelgenError)):
        return None  # refused by the kernel, or at the wrong time: says of what
    words = "|".join(map(re.escape, [parameter, *beside, "fd"]))
    if re.search(rf"\b({words})\b", said) or f"'{WHOSE[-1]}'" in said:
        return None
    return f"does not name '{parameter}'"


LOG = os.open("last", os.O_WRONLY | os.O_CREAT, 0o600)
"""The call that is made now: what killed the process, or waits."""
os.dup2(LOG, 1000)
LOG = 1000


def call(
    path: str, function: Callable[..., Any], parameter: str, /, *args: Any, **kw: Any
) -> None:
    """Make one call, and note what is wrong with what came out."""
    COUNTS["calls"] += 1
    os.pwrite(LOG, f"{path}({parameter})".encode().ljust(120)[:120], 0)
    start = time.monotonic()
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    try:
        result = function(*args, **kw)
        if isinstance(result, collections.abc.Iterator) and "poll" not in path:
            next(result, None)
        del result
    except Exception as error:
        COUNTS["refused"] += 1
        wrong = fault_in(error, parameter, [*kw])
        if wrong is not None:
            value = kw.get(parameter, args[0] if args else None)
            key = f"{path}({parameter}=...) {wrong}: {type(error).__name__}"
            FAULTS.setdefault(key, f"{short(value)}: {str(error)[:200]!r}")
    finally:
        faulthandler.cancel_dump_traceback_later()
    if time.monotonic() - start > SLOW:
        FAULTS.setdefault(f"{path}({parameter}=...) is slow", "")


def try_callable(path: str, function: Callable[..., Any]) -> None:
    """Call something with each junk in each of its parameters."""
    name = path.rpartition(".")[2]
    try:
        signature = inspect.signature(function)
    except ValueError:  # of C
        return
    parameters = list(signature.parameters.values())
    named = [p for p in parameters if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}]
    required = [p for p in named if p.default is p.empty]
    for parameter in named:
        if parameter.name == "what":
            continue  # the text of errors, whatever it is
        for value in values_for(name, parameter.name):
            args: list[Any] = []
            kw: dict[str, Any] = {}
            for other in named:
                if other is parameter:
                    given = value
                elif other in required:
                    given = benign(other)
                else:
                    continue
                if other.kind is other.POSITIONAL_ONLY:
                    args.append(given)
                else:
                    kw[other.name] = given
            call(path, function, parameter.name, *args, **kw)


# -- what there is -------------------------------------------------------------

NOT_CALLED = {
    "destroy": "ends what the others are tried on",
    "close": "as destroy",
    "detach": "as destroy",
    "decode": "says ImportError of a module that was changed",
}


def public(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names of an object that are for users, with what they are."""
    for name in dir(thing):
        if name.startswith("_"):
            continue
        try:
            yield name, getattr(thing, name)
        except (rt.BpfError, IndexError):
            continue


def try_object(path: str, thing: Any) -> None:
    """Call each method of an object, set each attribute, use it as a container."""
    WHOSE[-1] = getattr(thing, "name", "") or path.rpartition(".")[2]
    for name, value in public(thing):
        where = f"{path}.{name}"
        if callable(value) and not isinstance(value, type):
            if name not in NOT_CALLED:
                try_callable(where, value)
        elif settable(thing, name):
            for junk in values_for(name, name):
                call(where + "=", lambda n=name, j=junk: setattr(thing, n, j), name)
            call(where + "=", lambda n=name, v=value: setattr(thing, n, v), name)
    if isinstance(thing, (rt.Struct, rt.Union, rt.Shadow)):
        return
    for junk in (*INTEGERS, *OTHERS):
        for word, use in (
            ("getitem", lambda j=junk: thing[j]),
            ("delitem", lambda j=junk: thing.__delitem__(j)),
            ("contains", lambda j=junk: j in thing),
            ("setitem", lambda j=junk: thing.__setitem__(j, b"1")),
            ("setvalue", lambda j=junk: thing.__setitem__(0, j)),
        ):
            method = {"setvalue": "setitem"}.get(word, word)
            if hasattr(type(thing), f"__{method}__") or isinstance(thing, ctypes.Array):
                call(f"{path}.{word}", use, getattr(thing, "name", ""))


def settable(thing: Any, name: str) -> bool:
    """Whether an attribute is meant to be assigned."""
    found = inspect.getattr_static(type(thing), name, None)
    return (
        hasattr(type(found), "__set__")
        and not (isinstance(found, property) and found.fset is None)
        and not isinstance(found, types.MemberDescriptorType)
    )


def try_module(path: str, module: types.ModuleType) -> None:
    for name in getattr(module, "__all__", None) or [n for n, _ in public(module)]:
        thing = getattr(module, name)
        home = getattr(thing, "__module__", "") or ""
        listed = hasattr(module, "__all__")
        if not home.startswith("skelgen" if listed else module.__name__):
            continue
        if not callable(thing) or name in NOT_CALLED:
            continue
        if isinstance(thing, type) and issubclass(thing, (enum.Enum, BaseException)):
            continue
        if isinstance(thing, type) and issubclass(thing, tuple):
            continue  # a record takes what it is given
        if isinstance(thing, type) and issubclass(thing, (Listed, rt.Codec)):
            continue  # made by the runtime and by generated modules
        try_callable(f"{path}.{name}", thing)


def in_own_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "unshare")


def skeleton(folder: Path, name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}_skel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return next(
        v
        for v in vars(module).values()
        if isinstance(v, type) and issubclass(v, rt.Skeleton)
    )


def parts_of(skel: Any) -> Iterator[tuple[str, Any]]:
    """Yield what is to be tried of one skeleton."""
    name = type(skel).__name__
    for space in ("maps", "progs", "struct_ops"):
        found = getattr(skel, space, None)
        for part, value in public(found) if found is not None else ():
            yield f"{name}.{space}.{part}", value
    for part, value in public(skel):
        if isinstance(value, rt.DataSection):
            yield f"{name}.{part}", value
            for field, inner in public(value):
                if isinstance(inner, (rt.Struct, rt.Union, ctypes.Array)):
                    yield f"{name}.{part}.{field}", inner
    obj = skel.object
    for group in ("maps", "sections"):
        for part in getattr(obj, group):
            yield f"{name}.object.{group}[{part}]", getattr(obj, group)[part]
    yield f"{name}.links", skel.links if hasattr(skel, "links") else skel
    for part, link in obj.links.items():
        yield f"{name}.object.links[{part}]", link
    yield f"{name}.object", obj
    yield name, skel


def main(folder: Path, group: str) -> None:
    faulthandler.enable()
    in_own_network()
    if group == "modules":
        OURS.append(MapSpec("m", 1, 4, 4, 1))
        try_module("skelgen", skelgen)
        try_module("rt", rt)
        try_module("syscalls", syscalls)
        try_module("features", features)
    elif group == "command":
        try_command()
    else:
        tried: set[tuple[str, type]] = set()
        """Classes, in each state: one object of each is enough."""
        for path in sorted(folder.glob("*_skel.py")):
            name = path.name.removesuffix("_skel.py")
            cls = skeleton(folder, name)
            try_callable(f"{cls.__name__}.open", cls.open)
            for state in ("opened", "loaded", "destroyed"):
                with cls.open(pin_root=str(folder / "pins")) as skel:
                    OURS[:] = [skel, skel.object]
                    if state == "loaded":
                        skel.load(strict=False)
                        skel.attach(strict=False)
                        OURS.extend(list(skel.object.links.values())[:1])
                    if state == "destroyed":
                        skel.destroy()
                    OURS.extend(list(skel.object.maps.values())[:1])
                    OURS.extend(list(skel.object.programs.values())[:1])
                    for where, part in list(parts_of(skel)):
                        kind = state, type(part)
                        if kind not in tried:
                            tried.add(kind)
                            try_object(f"{state} {where}", part)
                OURS.clear()


def try_command() -> None:
    """Give junk to each option and argument of each command."""
    import click
    from click.testing import CliRunner

    from skelgen.cli import main as command
    from skelgen.cli.group import walk

    words = [
        str(v) for v in (*INTEGERS, 1.5, "x", "", "\u202e\x1b[2J", "-", "--", HUGE)
    ]
    runner = CliRunner()
    for name, one in walk(command):
        for param in one.params:
            for word in words:
                given = (
                    [word]
                    if isinstance(param, click.Argument)
                    else [param.opts[-1], word]
                )
                path = f"skelgen {name} {given[0][:30]}"
                COUNTS["calls"] += 1
                done = runner.invoke(command, [*name.split(), *given], input="")
                error = done.exception
                if error is not None and not isinstance(error, SystemExit):
                    FAULTS.setdefault(f"{path}: {error!r}"[:200], short(word))
                elif done.exit_code not in {0, 1, 2}:
                    FAULTS.setdefault(f"{path}: exit status {done.exit_code}", word)
                elif done.exit_code and not done.output.strip() and done.exit_code != 1:
                    FAULTS.setdefault(f"{path}: says nothing", word)
                else:
                    COUNTS["refused"] += bool(done.exit_code)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
    for text, example in sorted(FAULTS.items()):
        print(f"{text}: {example}")
    print(f"{COUNTS['calls']} calls, {COUNTS['refused']} refused, {len(FAULTS)} faults")
