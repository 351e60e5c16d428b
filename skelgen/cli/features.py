"""``skelgen features [OBJ.o]``: what this kernel has, and what an object needs of it."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from skelgen.build.files import read_source
from skelgen.build.generate import read
from skelgen.cli.errors import BAD_INPUT, show
from skelgen.cli.feature_text import (
    Json,
    Row,
    need_as_json,
    needs_text,
    rows_as_json,
    summary,
    system_as_json,
    system_text,
    tables_text,
)
from skelgen.errors import SkelgenError
from skelgen.model.enums import AttachType, MapType, ProgType
from skelgen.model.helpers import HELPERS
from skelgen.near_names import or_near

_MISSING = 1
_ALL = "*"
"""Value of ``--helpers`` and ``--kfuncs`` without the type of a program."""


@click.command(
    short_help="Show what this kernel can do, or whether an object will load."
)
@click.argument(
    "object_", metavar="[OBJ.o]", required=False, type=click.Path(path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@click.option("--map-types", is_flag=True, help="Try every type of map.")
@click.option("--program-types", is_flag=True, help="Try every type of program.")
@click.option("--attach-types", is_flag=True, help="Try every attach type.")
@click.option(
    "--helpers",
    metavar="[TYPE]",
    is_flag=False,
    flag_value=_ALL,
    help="Try every helper in programs of a type (xdp), or of all types.",
)
@click.option(
    "--kfuncs",
    metavar="[TYPE]",
    is_flag=False,
    flag_value=_ALL,
    help="List the kernel functions for BPF, or those that a type of program may call.",
)
@click.option(
    "--load", is_flag=True, help="Load the object too, and unload it: the last word."
)
def features(
    object_: Path | None,
    *,
    as_json: bool,
    map_types: bool,
    program_types: bool,
    attach_types: bool,
    helpers: str | None,
    kfuncs: str | None,
    load: bool,
) -> None:
    """Show what the running kernel can do with BPF, found out by trying.

    With an object: what it needs of the kernel, and whether that is there; the exit
    status is 1 when something is missing that it cannot do without. Nothing is
    loaded or attached for good. Run it with the rights that the program will have:
    what is refused to you cannot be told.
    """
    if object_ is not None:
        if map_types or program_types or attach_types or helpers or kfuncs:
            raise click.UsageError("an object says itself what is to be tried")
        _check(object_, as_json=as_json, load=load)
        return
    if load:
        raise click.UsageError("--load is for an object")
    tables: dict[str, list[Row]] = {}
    for title, wanted, rows in (
        ("map_types", map_types, _map_types),
        ("program_types", program_types, _program_types),
        ("attach_types", attach_types, _attach_types),
    ):
        if wanted:
            tables[title] = list(rows())
    if helpers is not None:
        tables |= {f"helpers_{t}": list(_helpers(t)) for t in _types(helpers)}
    if kfuncs is not None:
        tables["kfuncs"] = list(_kfuncs(kfuncs))
    _show(tables, as_json=as_json)


def _show(tables: dict[str, list[Row]], *, as_json: bool) -> None:
    """Print what was asked for, and the machine and named features by default."""
    machine = None
    if not tables:
        from skelgen.runtime.kernel import machine as system

        machine = system.read()
        tables = {"features": list(_named())}
    if as_json:
        whole: dict[str, Json] = {}
        if machine is not None:
            whole["system"] = system_as_json(machine)
        whole |= {title: rows_as_json(rows) for title, rows in tables.items()}
        click.echo(json.dumps(whole, indent=2))
        return
    if machine is not None:
        click.echo(system_text(machine))
    click.echo("\n".join(tables_text(tables)).removeprefix("\n" * (machine is None)))


# -- the kernel ----------------------------------------------------------------


def _named() -> Iterator[Row]:
    from skelgen.runtime.kernel import features as found

    for feature in found.named().values():
        yield Row(feature.name, feature.answer())


def _map_types() -> Iterator[Row]:
    from skelgen.runtime.kernel import features as found

    for number in list(MapType)[1:]:
        yield Row(number.name.lower(), found.map_type(number))


def _program_types() -> Iterator[Row]:
    from skelgen.runtime.kernel import features as found

    for number in list(ProgType)[1:]:
        yield Row(number.name.lower(), found.program_type(number))


def _attach_types() -> Iterator[Row]:
    from skelgen.runtime.kernel import features as found

    for number in AttachType:
        yield Row(number.name.lower(), found.attach_type(number))


def _types(name: str) -> list[str]:
    """Return the names of the program types that an option asks about."""
    every = [number.name.lower() for number in list(ProgType)[1:]]
    if name == _ALL:
        from skelgen.runtime.kernel import features as found

        return [each for each in every if found.program_type(each)]
    if name.lower() not in every:
        raise click.BadParameter(
            or_near(f"'{name}' is no type of program", name, every)
        )
    return [name.lower()]


def _helpers(program: str) -> Iterator[Row]:
    from skelgen.runtime.kernel import features as found

    for number, name in enumerate(HELPERS):
        if number:
            yield Row(f"bpf_{name}", found.helper(number, program))


def _kfuncs(program: str) -> Iterator[Row]:
    from skelgen.runtime.errors import KernelBtfError
    from skelgen.runtime.kernel import features as found
    from skelgen.runtime.kernel.features.calls import marked_kfuncs

    kind = None if program == _ALL else _types(program)[0]
    try:
        names = marked_kfuncs()
    except KernelBtfError as error:
        raise click.ClickException(str(error)) from None
    if not names:
        raise click.ClickException(
            "this kernel's BTF marks no kfuncs (pahole 1.26 does), so they cannot be"
            " listed; features.kfunc(name) asks about one"
        )
    for name in names:
        answer = found.kfunc(name, kind)
        yield Row(name, answer, answer.reason if answer else "")


# -- an object -----------------------------------------------------------------


def _check(path: Path, *, as_json: bool, load: bool) -> None:
    from skelgen.runtime.needs import needs
    from skelgen.runtime.object.object import Object

    try:
        spec = read(read_source(path), path.name, str(path)).spec
    except SkelgenError as error:
        show(error)
        sys.exit(BAD_INPUT)
    with Object(spec) as obj:
        found = needs(obj)
        refusal = _load(obj) if load else None
    missing = [need for need in found if need.missing]
    if as_json:
        report: dict[str, Json] = {
            "object": path.name,
            "needs": [need_as_json(need) for need in found],
            "missing": [f"{need.kind} {need.name}" for need in missing],
        }
        if load:
            report["load"] = refusal or "ok"
        click.echo(json.dumps(report, indent=2))
    else:
        click.echo("\n".join(needs_text(found)))
        click.echo(summary(path.name, found, load=load, refusal=refusal))
    if missing or refusal:
        sys.exit(_MISSING)


def _load(obj: object) -> str | None:
    from skelgen.runtime.errors import BpfError
    from skelgen.runtime.object.object import Object

    assert isinstance(obj, Object)  # for the type checker
    try:
        obj.load()
    except (BpfError, OSError) as error:
        return "\n".join((str(error), *getattr(error, "__notes__", ())))
    return None
