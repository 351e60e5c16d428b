"""What ``bpftool gen skeleton`` says about an object, as facts to compare with.

It prints C, and the offsets of the globals are in that C only by the rules of the
language. So we compile its structs, beside the types that ``bpftool btf dump``
defines, into a program that prints ``offsetof`` of each member.
"""

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

_BLOCK = r"^\tstruct {{\n((?:\t\t.*\n)*)\t}} {name};$"
_SECTION = re.compile(
    r"^\tstruct (\w+)__(\w+) \{\n((?:\t\t.*\n)*)\t\} \*\2;$", re.MULTILINE
)
_SIZE = re.compile(r"_Static_assert\(sizeof\(s->(\w+)->(\w+)\) == (\d+),")
_VARIABLE = re.compile(
    r"^\t?type_id=\d+ offset=\d+ size=(\d+) \(VAR '(\w+)'\)$", re.MULTILINE
)
_PAD = re.compile(r"\bchar (__pad\d+)\[(\d+)\];")


class Global(NamedTuple):
    """A variable of a data section, in bytes."""

    name: str
    offset: int
    size: int


class Skeleton(NamedTuple):
    """The members of the C skeleton's structs."""

    maps: tuple[str, ...]
    """Maps and data sections, under bpftool's identifiers, in its order."""
    progs: tuple[str, ...]
    sections: dict[str, tuple[Global, ...]]
    """Variables of each data section that can be mapped."""


class RefusedError(Exception):
    """bpftool does not take the object; the text is what it printed."""


def skeleton(path: Path, name: str, scratch: Path) -> Skeleton:
    """Return what bpftool makes of an object; ``scratch`` is an empty folder."""
    text = _bpftool("gen", "skeleton", str(path), "name", name)
    sizes = {(match[1], match[2]): int(match[3]) for match in _SIZE.finditer(text)}
    if sizes:
        # The C asserts sizeof the type; a flexible array makes the variable larger.
        raw = _bpftool("btf", "dump", "file", str(path))
        larger = {match[2]: int(match[1]) for match in _VARIABLE.finditer(raw)}
        sizes = {key: larger.get(key[1], size) for key, size in sizes.items()}
    found = {match[2]: match[3] for match in _SECTION.finditer(text)}
    sections: dict[str, tuple[Global, ...]] = {}
    if found:
        types = _bpftool("btf", "dump", "file", str(path), "format", "c")
        offsets = _offsets(types, found, sizes, scratch)
        for (section, variable), size in sizes.items():
            offset = offsets[section, variable]
            sections.setdefault(section, ())
            sections[section] += (Global(variable, offset, size),)
    return Skeleton(_members(text, "maps"), _members(text, "progs"), sections)


def _bpftool(*arguments: str) -> str:
    done = subprocess.run(
        ["bpftool", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RefusedError(done.stderr.strip())
    return done.stdout


def _members(text: str, block: str) -> tuple[str, ...]:
    match = re.search(_BLOCK.format(name=block), text, re.MULTILINE)
    return tuple(re.findall(r"\*(\w+);", match[1])) if match else ()


def _offsets(
    types: str,
    sections: dict[str, str],
    sizes: dict[tuple[str, str], int],
    scratch: Path,
) -> dict[tuple[str, str], int]:
    lines = ["#include <stddef.h>", "#include <stdio.h>", types]
    prints = []
    for section, body in sections.items():
        lines += [f"struct declared_{section} {{", body, "};"]
        lines += [f"struct laid_out_{section} {{"]
        variables = [variable for home, variable in sizes if home == section]
        for member in _in_order(body, variables):
            pad = _PAD.search(member)
            if pad:
                lines.append(f"char {pad[1]}[{pad[2]}];")
                continue
            # Not the declared type: bpftool caps alignment at 4, and C gives a
            # variable with a flexible array, or a one-byte enum, another size.
            kind = f"__typeof__(((struct declared_{section} *)0)->{member})"
            align = f"_Alignof({kind}) > 4 ? 4 : _Alignof({kind})"
            size = sizes[section, member]
            lines.append(f"char {member}[{size}] __attribute__((aligned({align})));")
            place = f"offsetof(struct laid_out_{section}, {member})"
            prints.append(f'printf("{section} {member} %zu\\n", {place});')
        lines.append("};")
    lines += ["int main(void) {", *prints, "return 0; }"]
    source, program = scratch / "offsets.c", scratch / "offsets"
    source.write_text("\n".join(lines), "utf-8")
    subprocess.run(["cc", "-w", "-o", program, source], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    found: dict[tuple[str, str], int] = {}
    for line in done.stdout.splitlines():
        section, variable, offset = line.split()
        found[section, variable] = int(offset)
    return found


def _in_order(body: str, variables: list[str]) -> list[str]:
    """Return the variables, with the padding where it stands between them.

    A member may span lines (an anonymous struct); its last line is what counts, at
    the indentation of the section's own members.
    """
    members: list[str] = []
    waiting = list(variables)
    for line in body.splitlines():
        if not re.match(r"\t\t(?!\t)", line) or line.endswith("{"):
            continue
        if _PAD.search(line):
            members.append(line)
        elif waiting and re.search(rf"\b{waiting[0]}\b", line):
            members.append(waiting.pop(0))
    if waiting:
        raise AssertionError(f"not found in bpftool's text: {waiting}")
    return members
