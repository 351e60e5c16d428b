"""The findings of ``skelgen features``, as text for people and as JSON."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from skelgen.plain import plain, plain_lines

if TYPE_CHECKING:
    from skelgen.runtime.kernel.features import Answer
    from skelgen.runtime.kernel.machine import System
    from skelgen.runtime.needs import Need

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"


class Row(NamedTuple):
    """One line of a table."""

    name: str
    answer: "Answer"
    note: str = ""
    """Stands in place of the reason."""


def summary(name: str, found: "list[Need]", *, load: bool, refusal: str | None) -> str:
    """Return the last line: whether the kernel takes it, and what it lacks."""
    name = plain(name)
    missing = [need for need in found if need.missing]
    unclear = [need for need in found if need.answer.supported is None]
    if refusal:
        return f"\n{name}: this kernel does not take it: {plain_lines(refusal)}"
    if missing:
        names = ", ".join(f"{need.kind} {plain(need.name)}" for need in missing)
        return f"\n{name}: this kernel lacks {names}"
    if load:
        return f"\n{name}: loads on this kernel"
    text = f"\n{name}: nothing is missing on this kernel"
    if unclear:
        text += f", as far as it can be told: {len(unclear)} could not"
    return text


def tables_text(tables: dict[str, list[Row]]) -> Iterator[str]:
    """Yield the lines of tables of rows, by title."""
    for title, rows in tables.items():
        yield f"\n{title.replace('_', ' ')}"
        yield from _columns(
            (row.name, str(row.answer), _since(row.answer), _why(row)) for row in rows
        )


def needs_text(found: "list[Need]") -> Iterator[str]:
    """Yield the lines of what an object needs, by kind."""
    kind = ""
    for need in sorted(found, key=lambda need: need.kind):
        if need.kind != kind:
            kind = need.kind
            yield f"\n{kind}s"
            same = [each for each in found if each.kind == kind]
            yield from _columns(
                (
                    each.name,
                    str(each.answer),
                    _since(each.answer),
                    ", ".join(each.users),
                    _need_note(each),
                )
                for each in same
            )


def _need_note(need: "Need") -> str:
    if need.answer:
        return ""
    if need.answer.supported is False and need.without:
        return need.without
    return need.answer.reason


def _columns(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    cells = [[*map(plain, row)] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        pairs = zip(row, widths, strict=True)
        yield "  " + "  ".join(text.ljust(width) for text, width in pairs).rstrip()


def _since(answer: "Answer") -> str:
    return f"Linux {answer.since}" if answer.since else ""


def _why(row: Row) -> str:
    return row.note or ("" if row.answer else row.answer.reason)


def system_text(machine: "System") -> str:
    """Return what is so on a machine."""
    held = machine.capabilities
    rows = [
        ("kernel", f"Linux {machine.release} {machine.machine}"),
        (
            "kernel BTF",
            "yes" if machine.kernel_btf else "no: CO-RE needs open(btf=...)",
        ),
        ("JIT", _word(_JIT, machine.jit)),
        ("lockdown", machine.lockdown or "none"),
        (
            "unprivileged bpf(2)",
            _word(_UNPRIVILEGED, machine.unprivileged_bpf_disabled),
        ),
        (
            "capabilities",
            "cannot be read" if held is None else ", ".join(held) or "none of BPF's",
        ),
    ]
    if machine.user_namespace:
        rows.append(("user namespace", "its own: capabilities do not count for BPF"))
    if machine.seccomp:
        rows.append(("seccomp", "a filter looks at system calls"))
    lines = [line.removeprefix("  ") for line in _columns(rows)]
    lines.append("\nconfiguration")
    if machine.config is None:
        lines.append("  neither /boot/config-* nor /proc/config.gz can be read")
    else:
        pairs = ((name, value or "not set") for name, value in machine.config.items())
        lines += _columns(pairs)
    return (
        "\n".join(line.removeprefix("  ") for line in lines[: len(rows)])
        + "\n"
        + ("\n".join(lines[len(rows) :]))
    )


def _word(words: dict[int, str], value: int | None) -> str:
    return "cannot be read" if value is None else words.get(value, str(value))


_JIT = {0: "off", 1: "on", 2: "on, printed to the kernel's log"}
_UNPRIVILEGED = {0: "allowed", 1: "disabled until reboot", 2: "disabled"}


def system_as_json(machine: "System") -> Json:
    """Return the same as JSON."""
    fields: dict[str, Json] = dict(machine._asdict())
    return fields


def rows_as_json(rows: list[Row]) -> Json:
    """Return a table as JSON, by name."""
    return {row.name: _answer_as_json(row.answer) for row in rows}


def _answer_as_json(answer: "Answer") -> Json:
    return {
        "supported": answer.supported,
        "since": answer.since or None,
        "reason": answer.reason or None,
    }


def need_as_json(need: "Need") -> Json:
    """Return what an object needs as JSON."""
    return {
        "kind": need.kind,
        "name": need.name,
        "users": list(need.users),
        "supported": need.answer.supported,
        "since": need.answer.since or None,
        "reason": need.answer.reason or None,
        "without": need.without or None,
    }
