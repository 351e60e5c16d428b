"""Files that the generator reads and writes: whole, and in one step."""

import contextlib
import errno
import glob
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

from skelgen.errors import ConfigError, ObjectError
from skelgen.regular import read_regular

_descriptor = re.compile(r"(?:/dev|/proc/self)/fd/(\d+)|/dev/std(out|err)").fullmatch

_MOST_BYTES = 256 << 20
"""Objects are some hundred KB; this is no object, or a mistake."""


def read_source(path: Path) -> bytes:
    """Return the contents of an object file. Raises ObjectError."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ObjectError(error.strerror or str(error), path=str(path)) from error
    if len(data) > _MOST_BYTES:
        raise ObjectError(
            f"more than {_MOST_BYTES >> 20} MB, this is no BPF object", path=str(path)
        )
    return data


def changed(path: Path) -> int:
    """Return when a file changed last; 0 for one that is not there.

    Asked before the file is read, it tells later whether what was read is still there.
    """
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0  # whoever reads it says so


def current(path: Path) -> str | None:
    """Return what is in an output file now; ``None`` if there is no such file.

    There is none in a pipe or a device either, which are written and not read.
    """
    if not _is_file(path):
        return None
    try:
        return read_regular(path).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot("read", path, error) from error


def is_folder(path: Path) -> bool:
    """Tell whether an output is a folder to write into. Raises ConfigError."""
    status = _status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def is_stream(path: Path) -> bool:
    """Tell whether an output is a pipe or a device, with nothing to compare with."""
    return not _is_file(path) and _status(path) is not None and not is_folder(path)


def check_output(path: Path, inputs: Iterable[Path]) -> None:
    """Refuse an output that is one of the inputs, by whatever name or link.

    Raises ConfigError.
    """
    status = _status(path)
    if status is None or stat.S_ISCHR(status.st_mode):
        return
    for source in inputs:
        try:
            is_same = os.path.samestat(status, source.stat())
        except OSError:
            continue  # whoever reads it says so
        if is_same:
            same = "the source itself" if path == source else f"the same as {source}"
            raise ConfigError(
                f"{path}: is {same}, which would be lost; write to another file"
            )


def write(path: Path, content: str | bytes) -> None:
    """Write a file in one step: whoever reads it sees the old content or the new one.

    The mode of an existing file is kept, a symbolic link followed. What is a pipe or a
    device, or the name of an open file (``/dev/stdout``, ``/dev/fd/63``), is written
    to as it is. Raises ConfigError.
    """
    data = content.encode("ascii") if isinstance(content, str) else content
    try:
        fd = _open_already(path)
        if fd is not None:
            with os.fdopen(os.dup(fd), "wb") as file:
                file.write(data)
        elif is_stream(path):
            path.write_bytes(data)
        else:
            _replace(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise _cannot("write", path, error) from error


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where there is none. Raises ConfigError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot make the folder: {error.strerror or error}"
        ) from error


def _open_already(path: Path) -> int | None:
    """Return the fd that a path stands for.

    Opening it again would cut the file that standard output goes to.
    """
    found = _descriptor(str(path))
    return None if found is None else int(found[1] or {"out": 1, "err": 2}[found[2]])


def _is_file(path: Path) -> bool:
    if _open_already(path) is not None:
        return False
    status = _status(path)
    return status is not None and stat.S_ISREG(status.st_mode)


def _status(path: Path) -> os.stat_result | None:
    """Return the status of what is there, links followed; ``None`` for nothing."""
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None  # a folder that is none is an error when it is written to
    except OSError as error:
        raise _cannot("write", path, error) from error


def _replace(target: Path, data: bytes) -> None:
    status = _status(target)
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    # Another build may write the same file, from another container even. Its name has
    # nothing of the file's, which may be as long as names can be.
    temporary = target.with_name(f".skelgen-{os.urandom(6).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(fd, "wb") as file:
            if status is not None:
                os.fchmod(fd, stat.S_IMODE(status.st_mode))
            file.write(data)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if status is not None and target.suffix == ".py":
        _forget_bytecode(target)


def _forget_bytecode(module: Path) -> None:
    """Remove what Python compiled of the module before.

    It takes that for the new one where both have one size and were written in the same
    second: another constant in C makes a module as long as the last.
    """
    compiled = (module.parent / "__pycache__").glob(f"{glob.escape(module.stem)}.*.pyc")
    with contextlib.suppress(OSError):
        for file in compiled:
            file.unlink(missing_ok=True)


def _cannot(verb: str, path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{path}: cannot {verb} it: {error.strerror or error}")
