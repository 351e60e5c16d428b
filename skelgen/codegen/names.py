"""Every naming rule of generated modules; docs/names.md tells it to users.

C names stay as they are, so that grep works: maps, programs, globals, fields and
enumerators. A keyword of Python, or a name that the class needs for itself, gets a
trailing ``_``; one that starts with ``__``, which Python would mangle in classes, gets
a ``c`` before it. Classes are the CamelCase of the C name. What is no C name is made
one (:mod:`skelgen.btf.c_name`). Where two meet after that,
:mod:`skelgen.codegen.spelling` numbers the second.

No object file can put anything but an identifier into a module: :func:`fit` makes it
one.
"""

import builtins
import keyword
import re

from skelgen.btf.c_name import c_name

_KEYWORDS = frozenset(keyword.kwlist)
_LONGEST = 240
"""Longest name, in characters: generous, and keeps lines and messages finite."""

MODULE_NAMES = frozenset(
    {
        "Final",
        "Sequence",
        "TYPE_CHECKING",
        "builtins",
        "enum",
        "functools",
        "rt",
    }
)
"""Imports of a generated module: no class may have such a name."""

HIDDEN_NAMES = frozenset(dir(builtins)) | {"annotations", "self"}
"""Names that a module uses without an import: no option may call a class so. The name of
a C type in CamelCase hides none that is in use."""

STRUCT_NAMES = frozenset(
    {
        # ctypes looks these up
        "_abstract_",
        "_align_",
        "_anonymous_",
        "_b_base_",
        "_b_needsfree_",
        "_fields_",
        "_layout_",
        "_objects",
        "_pack_",
        # methods of every ctypes class
        "from_address",
        "from_buffer",
        "from_buffer_copy",
        "from_param",
        "in_dll",
        "mro",
    }
)
"""Attributes of ``rt.Struct`` and ``rt.Union`` that a field may not hide."""

ENUM_NAMES = frozenset(
    {
        "as_integer_ratio",
        "bit_count",
        "bit_length",
        "conjugate",
        "denominator",
        "from_bytes",
        "imag",
        "is_integer",
        "mro",
        "name",
        "numerator",
        "real",
        "to_bytes",
        "value",
    }
)
"""Attributes of ``enum.IntEnum`` that an enumerator may not hide."""

SKELETON_NAMES = frozenset(
    {
        "attach",
        "destroy",
        "detach",
        "links",
        "load",
        "maps",
        "object",
        "open",
        "open_and_load",
        "pin",
        "prepare",
        "progs",
        "spec",
        "state",
        "struct_ops",
        "unpin",
    }
)
"""Attributes of ``rt.Skeleton`` that a data section may not hide."""

_SECTION_PREFIXES = (".data", ".rodata", ".bss", ".kconfig")


def is_keyword(name: str) -> bool:
    """Tell whether Python reserves a name."""
    return name in _KEYWORDS


def fit(name: str) -> str:
    """Return the attribute that a C name becomes, before anything else is looked at."""
    name = c_name(name, _LONGEST)
    return "c" + name if name.startswith("__") else name


def is_fit(name: str) -> bool:
    """Tell whether a name needs not to be made fit for C."""
    return c_name(name, _LONGEST) == name


def camel(name: str) -> str:
    """Return the CamelCase of a C name: ``event_kind`` becomes ``EventKind``.

    Capitals inside a part stay (``myType`` is ``MyType``), so that a name which is
    CamelCase already does not change; a name all in capitals is read as words
    (``EVENT_KIND`` is ``EventKind``). ``C`` comes before a digit.
    """
    name = c_name(name, _LONGEST)
    parts = [part for part in name.split("_") if part]
    if name.isupper() and len(parts) > 1:
        parts = [part.lower() for part in parts]
    result = "".join(part[0].upper() + part[1:] for part in parts)
    if not result or result[0].isdigit():
        result = "C" + result
    return result + "_" if result in _KEYWORDS else result


def section_identifier(section: str) -> str | None:
    """Return the attribute of a data section: ``.data.foo`` becomes ``data_foo``.

    ``None`` for a section that is no data section by its name.
    """
    if section == ".addr_space.1":
        return "arena"
    if not section.startswith(_SECTION_PREFIXES):
        return None
    return re.sub(r"[^A-Za-z0-9_]", "_", section[1:])
