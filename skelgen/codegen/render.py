"""From the view to the text of a module: Jinja templates, then black.

The templates lay a module out as black would, by the one rule of
:mod:`skelgen.codegen.pretty`, and tests hold every module against black. So black
itself, which takes longer to import and run than all the rest together, is called
where that rule ends: for statements with a line that is longer than the limit,
because of a long name or number. What it makes of them is then what counts.
"""

import base64
import contextlib
import functools
import importlib
import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import jinja2
import jinja2.bccache

from skelgen.codegen.module import module_views
from skelgen.codegen.pretty import lay_out
from skelgen.codegen.text import WIDTH, docstring
from skelgen.codegen.view import ModuleView
from skelgen.errors import BtfError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from skelgen.codegen.module import Compiled
    from skelgen.codegen.requests import Requests
    from skelgen.codegen.view import ImageView

ABI = 1
"""The ``ABI`` that a generated module asks of the runtime, or an older one."""

_BETWEEN = "\n\n\n"
"""Text between two statements of a module, and nowhere else."""
_unbreakable = re.compile(r""" *(?:\"{3}.*|(?:\w+=)?(?:"[^"]*"|'[^']*'),)""").fullmatch
"""A docstring; a string that has a line for itself already."""
_BLOB_WIDTH = 80
_BLOBS = """

# Program instructions, data section images and BTF, concatenated.
# fmt: off
{blobs}# fmt: on
"""
_BLOB = """{name}: Final = (
{lines}
)
"""


class Header(NamedTuple):
    """The comments above a module; plain text of one line each."""

    version: str
    """Of skelgen."""
    source: str
    """Base name of the object."""
    command: str
    """How to make the module again."""
    inputs: tuple[str, ...]
    """Digest of each object, and the machines it is for."""


class Rendered(NamedTuple):
    """The module of an object."""

    text: str
    notes: tuple[str, ...]
    """Which names are spelled in another way than the plain rules say."""


def render(
    objects: "Sequence[Compiled]", requests: "Requests", header: Header
) -> Rendered:
    """Return the module of an object, compiled once or for several machines.

    Raises NamingError, BtfError and ConfigError.
    """
    modules = module_views(objects, requests)
    text = draft(modules[0], header)
    for other, module in zip(objects[1:], modules[1:], strict=True):
        if draft(module, header) != text:
            raise _differing(text, draft(module, header), objects[0], other)
    return Rendered(settled(text) + _blobs(modules[0].images), modules[0].notes)


def _differing(
    text: str, other_text: str, one: "Compiled", other: "Compiled"
) -> BtfError:
    """Return the error for images that one class cannot stand for."""
    pairs = zip(text.splitlines(), other_text.splitlines(), strict=False)
    line, other_line = next(
        (pair for pair in pairs if pair[0] != pair[1]), ("the end", "more")
    )
    return BtfError(
        f"what programs see differs between machines:\n"
        f"  {one.targets[0]}: {line.strip()}\n"
        f"  {other.targets[0]}: {other_line.strip()}\n"
        "one module holds several machines only when maps, programs, globals and types"
        " are the same; write a module for each"
    )


def draft(module: ModuleView, header: Header) -> str:
    """Return what the templates make of a module, without the blob."""
    template = _environment().get_template("module.py.j2")
    return template.render(module=module, header=header, abi=ABI)


def settled(text: str) -> str:
    """Return a draft in black's form.

    Black sees the statements, one by one, that have a line which is too long; for
    large modules it would need seconds.
    """
    if _fits(text):
        return text
    statements = text.removesuffix("\n").split(_BETWEEN)
    return _BETWEEN.join(map(_settled, statements)) + "\n"


def _settled(statement: str) -> str:
    return statement if _fits(statement) else blackened(statement).removesuffix("\n")


def _fits(text: str) -> bool:
    """Tell whether black would find no line to break."""
    return all(len(line) <= WIDTH or _unbreakable(line) for line in text.split("\n"))


_importing_black = threading.Lock()
"""Black is compiled: an import in a second thread may see it half initialized."""


def blackened(text: str) -> str:
    """Return what black makes of a text."""
    with _importing_black:
        import black  # takes over 100 ms, and is seldom needed
        from black.mode import TargetVersion

    mode = black.Mode(target_versions={TargetVersion.PY311}, line_length=WIDTH)
    return black.format_str(text, mode=mode)


def _blobs(images: "Sequence[ImageView]") -> str:
    """Return the assignments of the images, which black is told to leave alone."""
    return _BLOBS.format(blobs="".join(map(_blob, images)))


def _blob(image: "ImageView") -> str:
    text = base64.b64encode(image.spec.image).decode()
    starts = range(0, len(text), _BLOB_WIDTH) if text else (0,)
    lines = [f'    "{text[start : start + _BLOB_WIDTH]}"' for start in starts]
    return _BLOB.format(name=image.constant, lines="\n".join(lines))


class _Compiled(jinja2.FileSystemBytecodeCache):
    """Compiled templates, kept where Python keeps compiled modules.

    Compiling them takes as long as generating ten modules. Jinja's own place for them is
    a folder in /tmp; here nobody can write code for us who cannot write the templates.
    When one is read, it is checked against the template's text and the versions of
    Python and Jinja.
    """

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        """Write one, if this user may and Python would."""
        if sys.dont_write_bytecode:
            return
        with contextlib.suppress(OSError):
            Path(self.directory).mkdir(exist_ok=True)
            super().dump_bytecode(bucket)


@functools.cache
def _environment() -> jinja2.Environment:
    # a package of its own, which lies beside this one in the source tree
    templates = importlib.import_module("skelgen.templates")
    folder = Path(templates.__path__[0])
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        bytecode_cache=_Compiled(str(folder / "__pycache__"), "%s.jinja"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        autoescape=False,  # noqa: S701 - Python, not HTML; see text.py
    )
    filters = cast(
        "dict[str, Callable[..., str]]",
        environment.filters,  # pyright: ignore[reportUnknownMemberType] - jinja2's
    )
    filters["expr"] = lay_out
    filters["docstring"] = docstring
    return environment
