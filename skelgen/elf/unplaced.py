"""Variables in sections that nobody loads: ``SEC("licence")``, ``SEC("foo")``.

A compiler puts a variable wherever it is told to. What is in a section of no known
name goes into no map and has no attribute; libbpf skips it with a line.
"""

from skelgen.elf.reader import STT_OBJECT, ElfFile
from skelgen.elf.roles import Layout
from skelgen.near_names import did_you_mean

_MOST_NAMES = 4
_KNOWN = (
    "license",
    "version",
    ".maps",
    ".struct_ops",
    ".struct_ops.link",
    ".data",
    ".rodata",
    ".bss",
)
_INSTEAD = "variables are kept in .data, .rodata, .bss and .data.NAME and so on"


def collect(elf: ElfFile, layout: Layout) -> tuple[str, ...]:
    """Return a sentence for each section that nobody loads and that has variables."""
    if not layout.unplaced:
        return ()
    found: dict[int, list[str]] = {number: [] for number in layout.unplaced}
    for symbol in elf.symbols:
        if symbol.type == STT_OBJECT and symbol.section in found:
            found[symbol.section].append(elf.symbol_name(symbol))
    return tuple(
        _sentence(elf.sections[number].name, names)
        for number, names in found.items()
        if names
    )


def _sentence(section: str, names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:_MOST_NAMES])
    if len(names) > _MOST_NAMES:
        shown += f" and {len(names) - _MOST_NAMES} more"
    what = "variables" if len(names) > 1 else "variable"
    instead = did_you_mean(section, _KNOWN) or _INSTEAD
    return (
        f"section '{section}': nothing loads the {what} {shown}, for no section of that"
        f" name is read; {instead}"
    )
