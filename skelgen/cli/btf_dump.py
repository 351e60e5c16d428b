"""``skelgen btf dump``: a BTF as ``vmlinux.h``, as JSON or as text."""

import sys
from typing import TYPE_CHECKING

import click

from skelgen.cli.errors import BAD_INPUT, check_stdout, show
from skelgen.errors import BtfError, SkelgenError

if TYPE_CHECKING:
    from skelgen.build.btf_dump import Source

_EPILOG = """\b
Examples:
  skelgen btf dump --kernel -o bpf/vmlinux.h       all types of this kernel
  skelgen btf dump --kernel --root task_struct     one, and what it needs
  skelgen btf dump trace.bpf.o --format raw        what is in an object
  skelgen btf dump --map-id 7                      keys and values of a map
  skelgen btf dump --kernel --format json | jq '.types[] | select(.name=="sock")'

Exit status: 0 all well; 2 bad input or usage.
"""


class _Id(click.ParamType["int"]):
    """An id of the kernel's."""

    name = "id"

    def convert(
        self,
        value: str | int,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        # no click.IntRange, whose limits the help would show
        text = str(value)
        number = int(text) if text.isdecimal() and len(text) <= 10 else 0
        if not 0 < number < 1 << 32:
            self.fail(
                f"'{text[:40]}' is no id, a number from 1 to 4294967295", param, ctx
            )
        return number


_ID = _Id()


@click.command(
    "dump",
    short_help="Write BTF as C (vmlinux.h), JSON or text.",
    epilog=_EPILOG,
)
@click.argument("file", required=False, metavar="[FILE]", type=click.Path())
@click.option("--kernel", is_flag=True, help="The kernel that runs here.")
@click.option("--module", metavar="NAME", help="A module of this kernel (root only).")
@click.option(
    "--map-id", type=_ID, metavar="ID", help="Keys and values of a map (root only)."
)
@click.option(
    "--prog-id", type=_ID, metavar="ID", help="All BTF of a program (root only)."
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(["c", "json", "raw"]),
    default="c",
    show_default=True,
    help="c: a header for BPF programs; json, raw: type by type, as bpftool prints.",
)
@click.option(
    "-r",
    "--root",
    "roots",
    metavar="TYPE",
    multiple=True,
    help="Only this type, like sock or 'struct sock', and what it needs; or what a"
    " function takes. Repeatable.",
)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    default="-",
    type=click.Path(),
    help="File to write to. Default: standard output.",
)
def dump(
    file: str | None,
    module: str | None,
    map_id: int | None,
    prog_id: int | None,
    form: str,
    roots: tuple[str, ...],
    output: str,
    *,
    kernel: bool,
) -> None:
    """Write BTF as C, as JSON or as text.

    FILE is raw BTF or an ELF file with .BTF: a BPF object, vmlinux; of either byte
    order. As C it is a header, usually called vmlinux.h: types in an order that
    compiles, laid out as the BTF says, with prototypes of kfuncs. Programs that
    include it are CO-RE: members are found in the kernel that loads them.

    Dumps of a whole kernel are kept in ~/.cache/skelgen, root's in
    /var/cache/skelgen, so that the next one takes a moment.
    """
    from skelgen.build import btf_dump

    chosen = [file, kernel or None, module, map_id, prog_id]
    if sum(one is not None for one in chosen) != 1:
        raise click.UsageError(
            "one of FILE, --kernel, --module, --map-id and --prog-id is wanted"
        )
    try:
        if output != "-":
            _check_output(output, file)
        if kernel:
            source = btf_dump.read_kernel()
        elif file is not None:
            source = btf_dump.read_file(file)
        else:
            source = _loaded(module, map_id, prog_id)
        data = btf_dump.dump(source, form, roots)
        if output != "-":
            _write(output, data)
    except SkelgenError as error:
        show(error)
        sys.exit(BAD_INPUT)
    if output == "-":
        check_stdout()
        sys.stdout.buffer.write(data)


def _check_output(output: str, file: str | None) -> None:
    """Refuse to write over what is read. Raises SkelgenError."""
    from pathlib import Path

    from skelgen.build import files

    files.check_output(Path(output), [Path(file)] if file else [])


def _write(output: str, data: "bytes | memoryview") -> None:
    from pathlib import Path

    from skelgen.build import files

    files.write(Path(output), bytes(data))


def _loaded(module: str | None, map_id: int | None, prog_id: int | None) -> "Source":
    """Return BTF out of the kernel. Raises BtfError."""
    from skelgen.build.btf_dump import Source, read_kernel
    from skelgen.runtime.errors import BpfError
    from skelgen.runtime.kernel import loaded_btf

    try:
        if module is not None:
            data = loaded_btf.module_btf(module)
            return Source(data, f"module '{module}'", read_kernel().data)
        if map_id is not None:
            data, type_ids = loaded_btf.map_btf(map_id)
            return Source(data, f"map {map_id}", type_ids=type_ids)
        data, _ = loaded_btf.program_btf(prog_id or 0)
        return Source(data, f"program {prog_id}")
    except BpfError as error:
        failed = BtfError(str(error))
        for note in getattr(error, "__notes__", ()):
            failed.add_note(note)
        raise failed from error
