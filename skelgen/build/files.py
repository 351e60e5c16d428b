"""Files that the generator reads and writes: whole, and in one step."""

import os
import stat
from pathlib import Path

from skelgen.errors import ConfigError, ObjectError

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


def current(path: Path) -> str | None:
    """Return what is in an output file now; ``None`` if there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot("read", path, error) from error


def write(path: Path, content: str | bytes) -> None:
    """Write a file in one step: whoever reads it sees the old content or the new one.

    The mode of an existing file is kept, a symbolic link followed. Raises ConfigError.
    """
    target = Path(os.path.realpath(path))
    data = content.encode("ascii") if isinstance(content, str) else content
    try:
        _replace(target, data)
    except OSError as error:
        raise _cannot("write", path, error) from error


def _replace(target: Path, data: bytes) -> None:
    try:
        status = target.stat()
    except FileNotFoundError:
        status = None
    if status is not None and not stat.S_ISREG(status.st_mode):
        target.write_bytes(data)  # a pipe or device, like /dev/stdout
        return
    # Another build may write the same file, from another container even.
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}.tmp")
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


def _cannot(verb: str, path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{path}: cannot {verb} it: {error.strerror or error}")
