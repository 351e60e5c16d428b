"""What libbpf makes of an object, and what skelgen does: facts that the kernel tells.

``tests/kernel/oracle/oracle.c`` loads an object with one of Debian's libbpf and prints
the facts as JSON; here the same are asked about an object that skelgen loaded.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

import skelgen
from skelgen.model.enums import MapType
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfError, NotSupportedError
from skelgen.runtime.kernel.version import kernel_version, version_code
from skelgen.runtime.object.object import Object
from skelgen.runtime.programs.base import Program
from tests.harness import libbpf, privilege, sources

SOURCE: Final = sources.ROOT / "tests" / "kernel" / "oracle" / "oracle.c"

Facts = dict[str, Any]
"""Of one program or map."""


class Change(NamedTuple):
    """One thing that is set between open and load, in the words of ``oracle.c``."""

    kind: str
    """``"program"`` or ``"map"``."""
    name: str
    setting: str
    value: str


class Case(NamedTuple):
    """An object and what is done to it before it is loaded."""

    source: str | Path
    """The name of a fixture, or the path of an object."""
    name: str
    """Of the object."""
    changes: tuple[Change, ...] = ()
    btf: Path | None = None
    kconfig: str | None = None
    pin_root: Path | None = None
    log_level: int = 0

    @property
    def path(self) -> Path:
        """The object; a fixture is compiled when it is asked for."""
        if isinstance(self.source, Path):
            return self.source
        return sources.compiled(sources.find(self.source))

    def without(self, programs: list[str]) -> "Case":
        """Return the case with programs that are not loaded."""
        off = (Change("program", name, "autoload", "0") for name in programs)
        return self._replace(changes=(*self.changes, *off))


def case(name: str, *changes: str, **options: Any) -> Case:
    """Return the case of a fixture; each change is four words, the value may be none."""
    made = tuple(Change(*(*text.split(" "), "")[:4]) for text in changes)
    return Case(name, name, made, **options)


class Verdict(NamedTuple):
    """What libbpf came to: the kernel's facts, or an errno."""

    programs: list[Facts]
    maps: list[Facts]
    errno: int
    """0 when the object was loaded."""
    text: str
    """What libbpf wrote."""


class Oracle:
    """The C program, compiled, with the libbpf that it runs with."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        done = subprocess.run(
            [*command, "-V"], stdout=subprocess.PIPE, text=True, check=True
        )
        found = re.match(r"v(\d+)\.(\d+)", done.stdout)
        assert found is not None, done.stdout
        self.version: Final = (int(found[1]), int(found[2]))
        """Of libbpf."""
        self.tally = TALLIES.setdefault(self.version, Tally(self.version))

    def ask(self, wanted: Case) -> Verdict:
        """Return what libbpf makes of an object."""
        words = [*self.command, "-n", wanted.name]
        for letter, option in (
            ("-b", wanted.btf),
            ("-k", wanted.kconfig),
            ("-r", wanted.pin_root),
            ("-l", wanted.log_level or None),
        ):
            words += [] if option is None else [letter, str(option)]
        words.append(str(wanted.path))
        words += [word for change in wanted.changes for word in change]
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, pass_fds=_fds(wanted)
        )
        if done.returncode == 0:
            facts = json.loads(done.stdout)
            return Verdict(facts["programs"], facts["maps"], 0, done.stderr)
        pattern = r"^oracle: (?:open|load|change): (\d+) "
        found = re.search(pattern, done.stderr, re.MULTILINE)
        assert found is not None, done.stderr
        return Verdict([], [], int(found[1]), done.stderr)

    def assert_same_errno(self, error: BpfError, verdict: Verdict) -> None:
        """Check that skelgen was refused what libbpf was."""
        if isinstance(error, NotSupportedError) and error.errno == errno.EOPNOTSUPP:
            # the kernel was not asked: libbpf has a number of its own for each
            assert verdict.errno in _LACKS, verdict.text
        elif isinstance(error, OSError):
            assert error.errno == verdict.errno, verdict.text
        self.tally.refusals += 1

    def assert_same_maps(self, obj: Object, theirs: list[Facts]) -> None:
        """Check that the kernel holds the maps of an object as libbpf has them."""
        versions = [x for x in obj.spec.externs if x.name == "LINUX_KERNEL_VERSION"]
        if versions and "Debian" in os.uname().version and self.version < (1, 2):
            # it does not know where to find the patch level
            (facts,) = (x for x in theirs if x["kernel_name"].endswith(".kconfig"))
            raw = bytearray.fromhex(facts["contents"])
            place = struct.Struct("=I")
            found = place.unpack_from(raw, versions[0].offset)
            assert found == (version_code(os.uname().release),)
            place.pack_into(raw, versions[0].offset, kernel_version())
            facts["contents"] = raw.hex()
        ours = map_facts(obj)
        for facts in (*ours, *theirs):
            if facts["kernel_name"] in ADDRESSES:
                del facts["contents"]
        assert ours == theirs, f"{ours}\n{theirs}"


_LACKS: Final = frozenset((errno.ENOENT, errno.ESRCH, errno.EINVAL))
"""Errors of libbpf about a struct_ops or a jump table that the kernel knows nothing of."""


def _fds(wanted: Case) -> list[int]:
    """Return the fds that paths of a case lead through (a bpffs mounted nowhere)."""
    texts = [str(wanted.pin_root), *(change.value for change in wanted.changes)]
    return [int(fd) for fd in re.findall(r"/proc/self/fd/(\d+)", " ".join(texts))]


def oracle(which: str) -> Oracle:
    """Return the C program with one of ``libbpf.compared()``; skip the test without it."""
    program = build()
    if which == libbpf.INSTALLED:
        return Oracle([str(program)])
    words = libbpf.with_newest(program)
    if words is None:
        version = next(iter(libbpf.SUITES))
        privilege.without(f"needs libbpf {version}: make libbpf fetches it")
    return Oracle(words)


def build() -> Path:
    """Compile ``oracle.c``, unless it is in ``.cache``; skip the test if it cannot be."""
    if shutil.which("cc") is None or not Path("/usr/include/bpf/libbpf.h").exists():
        pytest.skip("needs cc and libbpf's headers (Debian package libbpf-dev)")
    folder = sources.ROOT / ".cache" / "oracle"
    program = folder / hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:20]
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            fresh = Path(scratch) / "oracle"
            flags = ["-O1", "-Wall", "-Wextra", "-Werror"]
            command = ["cc", *flags, "-o", str(fresh), str(SOURCE), "-lbpf"]
            subprocess.run(command, check=True)
            fresh.replace(program)
    return program


# -- the same through skelgen ------------------------------------------------------


@contextlib.contextmanager
def opened(wanted: Case) -> Iterator[Object]:
    """Open an object and change it; it is destroyed afterwards."""
    with contextlib.ExitStack() as stack:
        options: dict[str, Any] = {}
        if wanted.pin_root is not None:
            options["pin_root"] = wanted.pin_root
        obj = skelgen.open_object(
            wanted.path,
            name=wanted.name,
            btf=wanted.btf,
            kconfig=wanted.kconfig,
            log_level=wanted.log_level,
            **options,
        )
        stack.enter_context(obj)
        for change in wanted.changes:
            if change.kind == "program":
                _change_program(obj.programs[change.name], change, stack)
            else:
                _change_map(obj, change)
        yield obj


def _change_program(
    program: Program, change: Change, stack: contextlib.ExitStack
) -> None:
    if change.setting == "attach_target":
        program.set_attach_target(change.value)
    elif change.setting == "attach_program":
        function, _, path = change.value.partition("@")
        fd = syscalls.obj_get(path)
        stack.callback(os.close, fd)
        program.set_attach_target(function, program=fd)
    elif change.setting == "autoload":
        program.autoload = change.value == "1"
    else:
        setattr(program, change.setting, int(change.value, 0))


def _change_map(obj: Object, change: Change) -> None:
    handle = obj.map(change.name)
    if change.setting == "contents":
        obj.sections[change.name].write(bytes.fromhex(change.value))
    elif change.setting == "reuse":
        handle.reuse(change.value)
    elif change.setting == "pin_path":
        handle.pin_path = change.value or None
    elif change.setting == "autocreate":
        handle.autocreate = change.value == "1"
    else:
        setattr(handle, change.setting, int(change.value, 0))


_JITED_KSYMS: Final = 104  # offsets in struct bpf_prog_info
_FUNC_INFOS: Final = 144


def program_facts(obj: Object) -> list[Facts]:
    """Return what the kernel holds of each loaded program, as ``oracle.c`` prints it."""
    facts = []
    for name, program in obj.programs.items():
        if not program.loaded:
            continue
        info = program.info()
        raw = syscalls.obj_get_info(program.fd(), 232)
        (functions,) = struct.unpack_from("=I", raw, _JITED_KSYMS)
        func_infos, line_infos = struct.unpack_from("=II", raw, _FUNC_INFOS)
        facts.append(
            {
                "name": name,
                "kernel_name": info.name,
                "section": program.spec.section,
                "type": int(info.type),
                "attach_type": int(program.attach_type),
                "tag": info.tag,
                "xlated_size": info.xlated_size,
                "verified_insns": info.verified_insns,
                "functions": functions,
                "func_infos": func_infos,
                "line_infos": line_infos,
                "maps": len(info.map_ids),
                "gpl": int(info.gpl_compatible),
                "has_btf": int(info.btf_id != 0),
                "ifindex": info.ifindex,
                "has_target": int(info.attach_btf_obj_id != 0),
                "attach_btf_id": info.attach_btf_id,
            }
        )
        assert info.insn_count * 8 == info.xlated_size
    return facts


def map_facts(obj: Object) -> list[Facts]:
    """Return what the kernel holds of each map, as ``oracle.c`` prints it."""
    facts = []
    for name in obj.maps:
        handle = obj.map(name)
        if not handle.autocreate:
            continue
        info = handle.info()
        found: Facts = {
            "kernel_name": info.name,
            "type": int(info.type),
            "key_size": info.key_size,
            "value_size": info.value_size,
            "max_entries": info.max_entries,
            "flags": info.flags,
            "map_extra": info.map_extra,
            "ifindex": info.ifindex,
            "has_btf": int(info.btf_id != 0),
            "key_type_id": info.btf_key_type_id,
            "value_type_id": info.btf_value_type_id,
            "btf_vmlinux_value_type_id": info.btf_vmlinux_value_type_id,
        }
        if name in obj.sections:
            value = bytearray(info.value_size)
            assert syscalls.map_lookup(handle.fd(), bytes(4), value)
            found["contents"] = value.hex()
        if info.type in {MapType.PROG_ARRAY, MapType.ARRAY_OF_MAPS}:
            found["slots"] = _slots(handle.fd(), info)
        facts.append(found)
    return facts


ADDRESSES: Final = {".bss.items", ".bss.leaves"}
"""Data sections of fixtures that hold the head of a list or a tree: its address."""


def _slots(fd: int, info: syscalls.MapInfo) -> dict[str, str]:
    """Return which map or program, by its name, is in each slot of an array."""
    found = {}
    for slot in range(info.max_entries):
        value = bytearray(4)
        if not syscalls.map_lookup(fd, struct.pack("=I", slot), value):
            continue
        (number,) = struct.unpack("=I", value)
        if info.type == MapType.PROG_ARRAY:
            inner = syscalls.get_fd_by_id("prog", number)
            found[str(slot)] = syscalls.prog_info(inner).name
        else:
            inner = syscalls.get_fd_by_id("map", number)
            found[str(slot)] = syscalls.map_info(inner).name
        os.close(inner)
    return found


class Tally:
    """How much was compared with a libbpf, for the summary of a test run."""

    def __init__(self, version: tuple[int, int]) -> None:
        self.version = ".".join(map(str, version))
        self.objects: set[str] = set()
        self.cases = 0
        self.programs = 0
        self.maps = 0
        self.refusals = 0
        self.kernel_only = 0

    def add(self, wanted: Case, programs: int, maps: int) -> None:
        """Note that an object was compared."""
        self.objects.add(str(wanted.path))
        self.cases += 1
        self.programs += programs
        self.maps += maps

    def __str__(self) -> str:
        return (
            f"Linux {os.uname().release}: equal to libbpf {self.version}:"
            f" {len(self.objects)} objects in {self.cases} cases, {self.programs}"
            f" programs, {self.maps} maps, {self.refusals} refusals; newer than that,"
            f" checked against the kernel: {self.kernel_only} objects"
        )


TALLIES: Final[dict[tuple[int, int], Tally]] = {}
"""By the version of libbpf."""


def tallies() -> list[dict[str, Any]]:
    """Return ``TALLIES`` as a process of pytest-xdist can send it to the first one."""
    return [
        {**vars(tally), "objects": [*tally.objects], "version": [*version]}
        for version, tally in TALLIES.items()
    ]


def add_tallies(sent: list[dict[str, Any]]) -> None:
    """Add what another process has counted to ``TALLIES``."""
    for counts in sent:
        major, minor = counts["version"]
        tally = TALLIES.setdefault((major, minor), Tally((major, minor)))
        tally.objects.update(counts["objects"])
        for name in ("cases", "programs", "maps", "refusals", "kernel_only"):
            setattr(tally, name, getattr(tally, name) + counts[name])
