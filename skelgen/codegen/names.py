"""Every naming rule of generated modules.

C names stay as they are, so that grep works: maps, programs, globals, fields and
enumerators. A keyword of Python, or a name that the class needs for itself, gets a
trailing ``_``. Classes are the CamelCase of the C name. What clashes after that is a
:class:`~skelgen.errors.NamingError` that names both, never a silent rename.

No object file can put anything but an identifier into a module: :func:`checked`
refuses it.
"""

import keyword
import re

from skelgen.errors import NamingError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_is_identifier = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_KEYWORDS = frozenset(keyword.kwlist)
_LONGEST = 240
"""Longest name, in characters: generous, and keeps lines and messages finite."""

MODULE_NAMES = frozenset(
    {
        "Final",
        "Sequence",
        "TYPE_CHECKING",
        "builtins",
        "ctypes",
        "enum",
        "functools",
        "rt",
    }
)
"""What a generated module imports: no class may have such a name."""

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


def checked(name: str, what: str) -> str:
    """Return a C name that may go into a module as it is.

    Raises NamingError, saying ``what`` it names, unless it is an ASCII identifier.
    """
    if not _is_identifier(name):
        raise NamingError(f"{what} {name[:_LONGEST]!r}: not a C identifier")
    if len(name) > _LONGEST:
        raise NamingError(
            f"{what} '{name[:40]}...': {len(name)} characters are too long for a name"
        )
    return name


def is_keyword(name: str) -> bool:
    """Tell whether Python reserves a name."""
    return name in _KEYWORDS


def camel(name: str) -> str:
    """Return the CamelCase of a C name: ``event_kind`` becomes ``EventKind``.

    Capitals inside a part stay (``myType`` is ``MyType``), so that a name which is
    CamelCase already does not change; a name all in capitals is read as words
    (``EVENT_KIND`` is ``EventKind``).
    """
    parts = [part for part in name.split("_") if part]
    if name.isupper() and len(parts) > 1:
        parts = [part.lower() for part in parts]
    result = "".join(part[0].upper() + part[1:] for part in parts)
    if not result or result[0].isdigit():
        result = "_" + result
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


class Scope:
    """The names of one class, or of the module; C names in, Python names out.

    ``where`` names it in messages, ``reserved`` is what it needs for itself;
    ``sunder`` says whether names like ``_x_`` are reserved too, which enums, ctypes
    and the runtime use.
    """

    __slots__ = ("_owners", "_reserved", "_sunder", "_where")

    def __init__(
        self, where: str, reserved: "Collection[str]" = (), *, sunder: bool = False
    ) -> None:
        self._where = where
        self._sunder = sunder
        self._reserved = reserved
        self._owners: dict[str, str] = {}

    def add(self, name: str, what: str) -> str | None:
        """Take in a C name, and return the attribute that it becomes.

        ``None`` for a name that starts with ``__``: Python would mangle it. Raises
        NamingError for no identifier, and for a clash.
        """
        checked(name, what)
        if name.startswith("__"):
            return None
        if self.is_reserved(name):
            return self.take(name + "_", f"{what} '{name}'")
        return self.take(name, f"{what} '{name}'")

    def add_as(self, name: str, owner: str) -> str:
        """Take in a Python name that must not be one of the class's own."""
        return self.take(name + "_" if self.is_reserved(name) else name, owner)

    def is_reserved(self, name: str) -> bool:
        """Tell whether a name is a keyword, or one that the class needs for itself."""
        if name in _KEYWORDS or name in self._reserved:
            return True
        return self._sunder and len(name) > 2 and name[0] == name[-1] == "_"

    def take(self, name: str, owner: str) -> str:
        """Take in a Python name; ``owner`` says where it comes from, for messages.

        Raises NamingError for a clash.
        """
        other = self._owners.setdefault(name, owner)
        if other is not owner:
            by = "twice" if other == owner else f"by {other}"
            raise NamingError(f"{owner}: '{name}' in {self._where} is taken {by}")
        return name
