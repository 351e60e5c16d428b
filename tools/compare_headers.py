"""List what libbpf's BPF-side headers define, and whether skelgen's do.

    python tools/compare_headers.py /usr/include/bpf [--missing]

Prints a Markdown table of macros, functions, helpers, types and constants: name, what
it is, libbpf's header, ours, and why not. Names that differ in a number alone share a
row (``PT_REGS_PARM<n>``). ``--missing`` leaves out what both have. The exit status is
1 if a name that programs use is missing.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

OURS = Path(__file__).resolve().parent.parent / "skelgen" / "include" / "bpf"

HEADERS = (
    "bpf_helpers.h",
    "bpf_helper_defs.h",
    "bpf_core_read.h",
    "bpf_tracing.h",
    "bpf_endian.h",
    "usdt.bpf.h",
)
"""The BPF side; the others that libbpf installs are its user-space API."""

PATTERNS = (
    ("macro", re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)),
    ("helper", re.compile(r"^static .*\(\* *(?:const )?(bpf_\w+)\)\(", re.MULTILINE)),
    ("type", re.compile(r"^(?:enum|struct) (\w+)\s*\{", re.MULTILINE)),
    ("constant", re.compile(r"^\t([A-Z]\w+)(?: = \w+)?,", re.MULTILINE)),
    ("variable", re.compile(r"^\} (\w+) SEC|^extern const _Bool (\w+)", re.MULTILINE)),
    ("kfunc", re.compile(r"^extern [\w ]+\*?(bpf_\w+)\(", re.MULTILINE)),
    ("function", re.compile(r"\b(\w+)\([^;{}#\\()]*\)\n\{", re.MULTILINE)),
)
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)

# What is named in none of libbpf's documents and used in few programs or none: parts
# of how it wrote another macro. Ours is written another way and has parts of its own.
REASONS = (
    (r"___rd_\w+|___read(_ptrs)?|___core_read[0N]", "part of the BPF_CORE_READ family"),
    (r"___(no)?last\d*|___empty", "part of the BPF_CORE_READ family"),
    (r"___bpf_(ctx_cast|(kret)?probe_args|kprobe_args|sys\w+_args|usdt_args)\d+",
     "part of the macro without a number, which is there"),
    (r"___bpf_(reg_cnt|treg_cnt|union_arg|ctx_arg|ctx_decl)\d*", "part of BPF_PROG2"),
    (r"___bpf_mvb", "part of the byte swaps"),
    (r"__CORE_BITFIELD_PROBE_READ", "part of BPF_CORE_READ_BITFIELD_PROBED"),
    (r"___bpf_typeof1?|___bpf_field_ref\d?", "part of the bpf_core_* questions"),
)  # fmt: skip


class Name(NamedTuple):
    """A name that a header defines."""

    kind: str
    text: str


def read_names(folder: Path, header: str) -> Iterator[Name]:
    """Yield what a header defines, in no order, some of it twice."""
    path = folder / header
    if not path.exists():
        return
    text = _COMMENT.sub("", path.read_text("utf-8"))
    for kind, pattern in PATTERNS:
        for match in pattern.finditer(text):
            yield Name(kind, next(filter(None, match.groups())))


def reason_for(name: str) -> str | None:
    """Say why ours has no such name, None if nothing excuses it."""
    for pattern, reason in REASONS:
        if re.fullmatch(pattern, name):
            return reason
    return None


def family(name: str) -> str:
    """Return a name with <n> for its last number, which its relatives share."""
    return re.sub(r"\d+(?=\D*$)", "<n>", name)


class Row(NamedTuple):
    """A line of the table: a family of names."""

    header: str
    kind: str
    label: str
    names: int
    why_not: str | None
    """None where ours has it, empty where it should and does not."""


def compare(theirs: Path) -> list[Row]:
    """Compare a folder of libbpf's headers with ours."""
    ours = {
        name.text for path in OURS.glob("*.h") for name in read_names(OURS, path.name)
    }
    groups: dict[tuple[str, str, str, str | None], list[str]] = {}
    seen: set[str] = set()
    for header in HEADERS:
        for name in sorted(set(read_names(theirs, header))):
            if name.text in seen:
                continue
            seen.add(name.text)
            why_not = None if name.text in ours else reason_for(name.text) or ""
            key = (header, name.kind, family(name.text), why_not)
            groups.setdefault(key, []).append(name.text)
    return [
        Row(header, kind, label if len(names) > 1 else names[0], len(names), why_not)
        for (header, kind, label, why_not), names in groups.items()
    ]


def table(rows: list[Row]) -> str:
    """Lay the rows out as Markdown."""
    lines = [
        "| name | | header | skelgen | why not |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        label = f"`{row.label}`" + (f" ({row.names})" if row.names > 1 else "")
        has = "yes" if row.why_not is None else "no"
        why_not = "" if row.why_not is None else row.why_not or "MISSING"
        lines.append(f"| {label} | {row.kind} | {row.header} | {has} | {why_not} |")
    return "\n".join(lines)


def summary(rows: list[Row]) -> str:
    """Count names by kind."""
    lines = []
    for kind, _ in PATTERNS:
        of_kind = [row for row in rows if row.kind == kind]
        if of_kind:
            total = sum(row.names for row in of_kind)
            have = sum(row.names for row in of_kind if row.why_not is None)
            lost = sum(row.names for row in of_kind if row.why_not == "")
            lines.append(
                f"{kind}: {have} of {total}, {total - have - lost} parts of libbpf's own "
                f"formulation, {lost} missing"
            )
    return "\n".join(lines)


def main() -> int:
    """Print the table and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="libbpf's headers")
    parser.add_argument("--missing", action="store_true", help="only what ours lack")
    arguments = parser.parse_args()
    rows = compare(arguments.folder)
    if not rows:
        print(f"no libbpf headers in {arguments.folder}", file=sys.stderr)
        return 2
    shown = (
        [row for row in rows if row.why_not is not None] if arguments.missing else rows
    )
    print(table(shown), summary(rows), sep="\n\n")
    return 1 if any(row.why_not == "" for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
