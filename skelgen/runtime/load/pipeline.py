"""Loading an object into the kernel: all of it or nothing, or what can be loaded.

The steps come one after another; each reads what earlier ones returned
and returns a record of its own. They are two halves. The first, :func:`prepare`, finds
what this kernel provides (types for struct_ops and CO-RE, externs), then makes BTF and
maps. The programs are the second, and may come later. Nothing belongs to the object before
the end of a load, or of its first half if that is asked for alone; whatever fails before
is taken back.
"""

import sys

from skelgen._typing import TYPE_CHECKING
from skelgen.runtime.errors import BpfError
from skelgen.runtime.load.attempt import attempt_with_memlock
from skelgen.runtime.load.btf import load_object_btf
from skelgen.runtime.load.functions import Functions, places_of
from skelgen.runtime.load.maps import hand_over_maps, make_maps
from skelgen.runtime.load.programs import (
    fit_programs,
    hand_over_programs,
    load_fitted,
    load_programs,
)
from skelgen.runtime.load.report import Failures, LoadReport
from skelgen.runtime.load.results import (
    Context,
    Externals,
    MadeMaps,
    Operations,
    Prepared,
)
from skelgen.runtime.load.token import take_token
from skelgen.runtime.load.types import LoadTypes
from skelgen.runtime.undo import Attempt, Undo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skelgen.runtime.load.functions import Code
    from skelgen.runtime.load.parts import Parts
    from skelgen.runtime.programs.base import Program


def load_object(parts: "Parts", *, strict: bool = True) -> LoadReport:
    """Load an object. Raises :class:`BpfError`; then nothing is left behind.

    Where it is not ``strict``, what fails for one map or program is in the report.
    """

    def attempt() -> LoadReport:
        failures = Failures(lenient=not strict)
        with Attempt() as this:
            context = _context(parts, failures, this.undo, this.cleanup)
            prepared, maps, code = _prepare(context)
            loaded = load_programs(prepared, code, failures, this.undo)
            hand_over_maps(context, maps)
            hand_over_programs(prepared, loaded, failures)
        return failures.report()

    return attempt_with_memlock(parts.spec.name, attempt, strict=strict)


def prepare(parts: "Parts", *, strict: bool = True) -> Prepared:
    """Make the maps of an object, and all that its programs are loaded with.

    The caller closes that. Raises :class:`BpfError`; then nothing is left behind.
    """

    def attempt() -> Prepared:
        kept = Undo()
        with Attempt() as this:
            this.undo.add(kept.run)
            context = _context(parts, Failures(lenient=not strict), this.undo, kept)
            prepared, maps, _ = _prepare(context)
            hand_over_maps(context, maps)
        return prepared

    return attempt_with_memlock(parts.spec.name, attempt, strict=strict)


def load_prepared(prepared: Prepared, *, strict: bool = True) -> LoadReport:
    """Load the programs of a prepared object, all of them or none."""
    context = prepared.context

    def attempt() -> LoadReport:
        failures = context.failures.further(lenient=not strict)
        with Attempt() as this:
            code = fit_programs(
                context, prepared.functions, prepared.operations, failures
            )
            loaded = load_programs(prepared, code, failures, this.undo)
            hand_over_programs(prepared, loaded, failures)
        return failures.report()

    return attempt_with_memlock(context.parts.spec.name, attempt, strict=strict)


def load_clone(prepared: Prepared, program: "Program") -> None:
    """Load one program more: another's instructions with settings of its own."""
    context = prepared.context

    def attempt() -> None:
        with Attempt() as this:
            code = prepared.functions.fit_program(program)
            done = load_fitted(prepared, program, code, context.failures, this.undo)
        program.adopt(done.fd, done.log)

    attempt_with_memlock(context.parts.spec.name, attempt, strict=True)


def _context(parts: "Parts", failures: Failures, undo: Undo, kept: Undo) -> Context:
    """Return what all steps read. ``kept`` closes what programs are loaded with."""
    spec = parts.spec
    if spec.byteorder != sys.byteorder:
        raise BpfError(
            f"object '{spec.name}': compiled for {spec.byteorder}-endian machines,"
            f" and this one is {sys.byteorder}-endian"
        )
    types = LoadTypes(spec, parts.options.btf)
    kept.add(types.close)
    token = take_token(parts.options.token)
    if token is not None:
        kept.add(token.close)
    return Context(
        parts,
        programs=tuple(parts.programs.values()),
        types=types,
        token_fd=0 if token is None else token.fileno(),
        failures=failures,
        undo=undo,
        kept=kept,
    )


def _prepare(
    context: Context,
) -> "tuple[Prepared, MadeMaps, Mapping[str, Code]]":
    """Do all of a load but its programs, which are fitted before anything is made."""
    parts, failures = context.parts, context.failures
    # before the kernel functions that are there for such operations alone
    operations = _operations(context)
    externals = _externals(context)
    functions = Functions(parts.spec, context.types, externals.missing)
    code = fit_programs(context, functions, operations, failures)
    required = bool(operations.values) and not failures.lenient
    btf = load_object_btf(context, functions, required=required)
    maps = make_maps(context, externals, operations, code, btf)
    places = places_of(parts, maps.fds(), maps.arenas, externals.symbols)
    prepared = Prepared(context, externals, operations, functions, btf, places)
    return prepared, maps, code


def _externals(context: Context) -> Externals:
    """Return what the kernel provides; most objects ask for nothing."""
    if not context.parts.spec.externs:
        return Externals()
    from skelgen.runtime.load.externs import resolve_externals

    return resolve_externals(context)


def _operations(context: Context) -> Operations:
    """Return the struct_ops variables as this kernel wants them."""
    if not context.parts.struct_ops:
        return Operations()
    from skelgen.runtime.load.struct_ops import convert_struct_ops

    return convert_struct_ops(context)
