"""Giving an object's BTF to the kernel.

BTF is wanted as it is; a kernel that does not know all of it gets a copy in words
that it knows (:mod:`skelgen.runtime.load.btf_sanitize`), and as C would have it
(:mod:`skelgen.runtime.load.btf_foreign`). Most objects do without if need
be: they lose types of maps, and line information.
"""

import errno

from skelgen._typing import TYPE_CHECKING
from skelgen.btf.errors import BtfParseError
from skelgen.btf.header import without_layout
from skelgen.runtime import syscalls
from skelgen.runtime.errors import BpfOSError
from skelgen.runtime.load.program import LogBuffer
from skelgen.runtime.load.results import ObjectBtf
from skelgen.runtime.log import debug, step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skelgen.runtime.load.btf_sanitize import Sanitized
    from skelgen.runtime.load.functions import Functions
    from skelgen.runtime.load.parts import Parts
    from skelgen.runtime.load.results import Context

_LOG_SIZE = 1 << 20
_ARG_CTX = b"\0arg:ctx\0"
"""The tag among the strings of BTF."""


def load_object_btf(
    context: "Context", functions: "Functions", *, required: bool
) -> ObjectBtf:
    """Load the BTF of an object, with the sizes that data sections have now.

    Raises :class:`BpfOSError` when the object cannot do without, and when this
    process may not load any.
    """
    spec = context.parts.spec
    if spec.btf is None:
        return ObjectBtf()
    what = f"BTF of object '{spec.name}'"
    with step("%s", what) as this:
        data = _resized(context.parts, spec.view(spec.btf))
        data, func_info = _with_contexts(context, functions, data)
        btf = load_btf(data, what, required=required, token_fd=context.token_fd)
        if btf.fd:
            context.kept.add(syscalls.Fd(btf.fd).close)
        how = "loaded" if btf.fd else "not taken"
        this.done("%s, fd %d, %d bytes", how, btf.fd, len(data))
    return btf._replace(func_info=func_info)


def _resized(parts: "Parts", data: memoryview) -> memoryview:
    """Return the object's BTF with the sizes that data sections have now."""
    sections = {part.spec.type_id: part.section.resized for part in parts.data.values()}
    changed = {key: found for key, found in sections.items() if found is not None}
    if not changed:
        return data
    from skelgen.runtime.memory.resize import resized

    return memoryview(resized(data, changed))


def _with_contexts(
    context: "Context", functions: "Functions", data: memoryview
) -> "tuple[memoryview, Mapping[str, bytes]]":
    """Return BTF in which this kernel finds contexts in arguments.

    The records of programs that refer to other functions then come with it.
    """
    if _ARG_CTX not in bytes(data):  # in hardly any object
        return data, {}
    from skelgen.runtime.kernel import features

    if features.ARG_CTX_TAG.supported(context.token_fd) is not False:
        return data, {}
    from skelgen.runtime.load.context_args import CtxArgs

    arguments = CtxArgs(data)
    func_info: dict[str, bytes] = {}
    for program in context.programs:
        records = functions.linked(program).func_info
        if records:
            func_info[program.name] = arguments.apply(
                program.name, program.type, records
            )
    return memoryview(arguments.data), func_info


def load_btf(
    data: bytes | memoryview, what: str, *, required: bool, token_fd: int = 0
) -> ObjectBtf:
    """Load BTF; see :func:`load_object_btf`."""
    try:
        return ObjectBtf(syscalls.btf_load(data, token_fd=token_fd, what=what))
    except BpfOSError as error:
        if error.errno in {errno.EPERM, errno.EACCES}:
            raise
        first = error.with_traceback(None)
    clean = _older(bytes(data))
    if clean is not None:
        try:
            fd = syscalls.btf_load(clean.data, token_fd=token_fd, what=what)
            return ObjectBtf(fd, clean.functions)
        except BpfOSError as error:
            first, data = error, clean.data
    refusal = _reason(bytes(data), token_fd) or str(first.strerror)
    if required:
        first.add_note(f"the kernel says: {refusal}")
        raise first
    debug("%s: %s: %s; doing without", what, first, refusal)
    return ObjectBtf(refusal=refusal)


def _older(data: bytes) -> "Sanitized | None":
    """Return BTF for an older kernel, or of what no C compiler wrote."""
    from skelgen.runtime.load import btf_foreign, btf_sanitize

    older = without_layout(data)
    try:
        older = btf_foreign.adapt(older) or older
        clean = btf_sanitize.sanitize(older)
    except BtfParseError as error:
        debug("%s", error)  # the layout section alone said how long that kind is
        return None
    if clean is None and older != data:
        return btf_sanitize.Sanitized(older, functions=True)
    return clean


def _reason(data: bytes, token_fd: int) -> str:
    """Return what the kernel does not like, from the last line of its log."""
    buffer = LogBuffer(_LOG_SIZE)
    try:
        with buffer.view as view:
            syscalls.close(
                syscalls.btf_load(data, log_level=1, log_buf=view, token_fd=token_fd)
            )
    except BpfOSError as error:
        error.__traceback__ = None  # it keeps the buffer
    lines = buffer.text().split("\n")
    buffer.close()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
