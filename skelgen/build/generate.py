"""From the bytes of an object to the text of its module; no files here."""

import hashlib
import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from skelgen import elf
from skelgen._version import __version__
from skelgen.btf.errors import BtfParseError
from skelgen.btf.kinds import DEFINITIONS
from skelgen.btf.parse import Btf
from skelgen.build.options import Options
from skelgen.codegen.requests import Requests, missing_types
from skelgen.codegen.text import count, doc
from skelgen.errors import BtfError, ConfigError, ObjectError, SkelgenError
from skelgen.model import map_types
from skelgen.model.enums import MapType
from skelgen.model.instructions import Newer, all_newer
from skelgen.model.spec import ObjectSpec
from skelgen.near_names import or_near

if TYPE_CHECKING:
    from skelgen.codegen.render import Rendered

_MOST_WARNINGS = 20
"""Variables that are warned of one by one, and names that are noted so."""


class Read(NamedTuple):
    """An object that was read."""

    spec: ObjectSpec
    warnings: tuple[str, ...]
    """Oddities of the object: one line each, without the path."""


def read(data: bytes, source: str, path: str, name: str | None = None) -> Read:
    """Return the blueprint of an object, and what is odd about it.

    ``source`` is the base name of its file, ``path`` what messages call it. Raises
    ObjectError.
    """
    spec, pointers, odd = elf.read(
        data, name=name or elf.object_name(source), source=source, path=path
    )
    texts = [doc(str(item)) for item in pointers[:_MOST_WARNINGS]]
    if len(pointers) > _MOST_WARNINGS:
        texts.append(f"{len(pointers) - _MOST_WARNINGS} more variables with pointers")
    if not (spec.programs or spec.maps or spec.data or spec.struct_ops or spec.license):
        texts.append("no programs, maps, variables or licence in it")
    return Read(spec, (*texts, *map(doc, odd), *_warnings(spec)))


class Image(NamedTuple):
    """An object file, and which machines it was compiled for."""

    data: bytes
    targets: tuple[str, ...] = ()
    """Names of targets, see :mod:`skelgen.compiler.targets`; none for the only one."""
    alone: bool = False
    """Whether it is for these machines alone, though there is no other image."""


class Generated(NamedTuple):
    """A module, and the oddities of its object."""

    text: str
    warnings: str
    """Lines as a compiler prints them."""
    notes: str
    """Lines about names that are spelled in another way than the plain rules say."""
    instructions: str = ""
    """The instructions in it that not every kernel knows, one line for each kind."""


def generate_images(
    images: Sequence[Image], source: str, path: str, options: Options
) -> Generated:
    """Return the module of an object that was compiled for several machines.

    Equal images are kept once. Raises SkelgenError, with the path in its message;
    BtfError when maps, programs, globals or types differ between images.
    """
    kept = _distinct(images)
    found = [read(image.data, source, path, options.name) for image in kept]
    specs = [one.spec for one in found]
    odd = dict.fromkeys(text for one in found for text in one.warnings)
    try:
        text, notes = _generate(kept, specs, options)
        newer = "".join(_newer_instructions(path, spec) for spec in specs)
        return Generated(
            text, warning_lines(path, odd), _note_lines(path, notes), newer
        )
    except ObjectError as error:
        error.path = path
        raise
    except BtfParseError as error:
        raise BtfError(f"{path}: {error}") from error
    except SkelgenError as error:
        raise type(error)(f"{path}: {error}") from error


def warning_lines(path: str, warnings: Iterable[str]) -> str:
    """Return warnings as lines, as a compiler prints them."""
    return "".join(f"{doc(path)}: warning: {text}\n" for text in warnings)


def _note_lines(path: str, notes: Sequence[str]) -> str:
    """Return notes as lines, and after the last what a user can do about it."""
    if not notes:
        return ""
    lines = [doc(text) for text in notes[:_MOST_WARNINGS]]
    if len(notes) > _MOST_WARNINGS:
        lines.append(f"and {len(notes) - _MOST_WARNINGS} more names")
    lines[-1] += "; --rename and docs/names.md say how to choose another"
    return "".join(f"{doc(path)}: note: {text}\n" for text in lines)


def _newer_instructions(path: str, spec: ObjectSpec) -> str:
    """Return a line for each kind of instruction that came later, and who has it."""
    users: dict[Newer, list[str]] = {}
    functions = [(program.name, program.insns) for program in spec.programs]
    functions += [(function.name, function.insns) for function in spec.subprograms]
    for name, insns in functions:
        found = all_newer(spec.view(insns), spec.byteorder)
        for kind in dict.fromkeys(kind for _, _, kind in found):
            users.setdefault(kind, []).append(name)
    return "".join(
        f"{doc(path)}: needs Linux {kind.since}: '{doc(names[0])}'"
        + (f" and {count(len(names) - 1, 'more function')}" if names[1:] else "")
        + f" has {kind.name}"
        + (f"; -mcpu={kind.cpu} makes none\n" if kind.cpu else "\n")
        for kind, names in users.items()
    )


def _warnings(spec: ObjectSpec) -> list[str]:
    """Return what will fail.

    Programs whose ``SEC()`` names no type or target; maps without a flag that their
    type has to have.
    """
    faults = (
        (program.name, elf.section_fault(program.section)) for program in spec.programs
    )
    texts = [f"program '{doc(name)}': {doc(fault)}" for name, fault in faults if fault]
    if len(texts) > _MOST_WARNINGS:
        more = count(len(texts) - _MOST_WARNINGS, "more program")
        texts[_MOST_WARNINGS:] = [f"{more} with such sections"]
    for each in spec.maps:
        flags = map_types.missing_flags(each.type, each.flags)
        if flags:
            kind = f"BPF_MAP_TYPE_{MapType(each.type).name}"
            texts.append(
                f"map '{doc(each.name)}': no kernel makes {kind} without map_flags {flags}"
            )
    return texts


def _distinct(images: Sequence[Image]) -> list[Image]:
    """Put the targets of equal images together; one image serves every machine."""
    merged: dict[bytes, tuple[str, ...]] = {}
    for image in images:
        merged[image.data] = merged.get(image.data, ()) + image.targets
    if len(merged) == 1 and not any(image.alone for image in images):
        return [Image(images[0].data)]
    return [Image(data, targets) for data, targets in merged.items()]


def _generate(
    images: Sequence[Image], specs: Sequence[ObjectSpec], options: Options
) -> "Rendered":
    from skelgen.codegen.module import Compiled
    from skelgen.codegen.render import Header, render

    requests = Requests(options.types, options.records, options.renames)
    objects: list[Compiled] = []
    for image, spec in zip(images, specs, strict=True):
        btf = None if spec.btf is None else Btf(spec.view(spec.btf))
        missing = missing_types(btf, requests)
        if missing:
            btf = _with_dwarf(image.data, missing, btf)
        objects.append(Compiled(spec, btf, image.targets))
    source = specs[0].source
    targets = [
        word
        for image in images
        for name in image.targets
        for word in ("--target", name)
    ]
    words = options.command or ("skelgen", source, *options.arguments(), *targets)
    header = Header(
        version=__version__,
        source=doc(source),
        command=doc(" ".join(shlex.quote(word) for word in words)),
        inputs=tuple(map(_digest, images)),
    )
    return render(objects, requests, header)


def _digest(image: Image) -> str:
    """Return the digest of an object, and which machines it is for."""
    digest = f"sha256:{hashlib.sha256(image.data).hexdigest()}"
    return f"{digest} for {', '.join(image.targets)}" if image.targets else digest


def _with_dwarf(data: bytes, missing: tuple[str, ...], btf: Btf | None) -> Btf:
    """Return BTF with types of the object's DWARF appended."""
    from skelgen.elf import dwarf

    if btf is None:
        raise ConfigError(f"type '{missing[0]}': the object has no BTF to begin with")
    try:
        return Btf(dwarf.struct_from_dwarf(data, missing, btf))
    except ObjectError as error:
        if not error.message.startswith("type "):
            text = f"type '{missing[0]}': not in BTF; {error.message}"
            known = {name for kind in DEFINITIONS for name in btf.names(kind)}
            error.message = or_near(text, missing[0].rpartition(" ")[2], known)
        raise
