"""How an expression is laid out over lines: black's way, by one rule.

An expression that fits stays on its line. A call that does not fit gets its arguments
on the next line, if they fit there; any other bracket is opened up, an item a line
with a comma after each, which black then keeps as it is ("magic trailing comma").

Black formats a module in tens of milliseconds, after an import that takes over a
hundred; the rule is what lets :mod:`skelgen.codegen.render` do without it, unless a
line cannot be brought under the limit.
"""

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from skelgen.codegen.text import WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterable

STEP = 4


class Group(NamedTuple):
    """A call, tuple or list."""

    head: str
    """The function called, after the name that takes the result: ``rt.MapSpec``,
    ``inner=rt.MapSpec``, ``x = rt.Global``; for a tuple or list only the latter."""
    items: "tuple[Expr, ...]"
    brackets: str = "()"
    spread: bool = False
    """Whether every item has a line of its own even where all would fit on one."""

    @property
    def is_call(self) -> bool:
        """Whether this is a call, not a tuple or list."""
        return bool(self.head) and self.head[-1] not in "= "


Expr: TypeAlias = str | Group
"""An expression: text without a place to break, or a group."""


def strings(target: str, names: "Iterable[str]", *, spread: bool = False) -> Group:
    """Return the assignment of a tuple of names to ``target``."""
    items = tuple(f'"{name}"' for name in names)
    return Group(f"{target} = ", items, spread=spread and len(items) > 1)


def flat(expr: Expr) -> str:
    """Return an expression on one line."""
    if isinstance(expr, str):
        return expr
    inner = ", ".join([flat(item) for item in expr.items])
    if len(expr.items) == 1 and not expr.is_call and expr.brackets == "()":
        inner += ","  # a tuple of one
    return f"{expr.head}{expr.brackets[0]}{inner}{expr.brackets[1]}"


def lay_out(expr: Expr, indent: int = 0, before: int = 0, after: int = 0) -> str:
    """Return an expression over as many lines as it needs.

    ``indent`` is the indentation of the line it starts on, in spaces; ``before`` and
    ``after`` the number of characters that the line has between that and the
    expression, and behind it.
    """
    if isinstance(expr, str):
        return expr
    if not _must_spread(expr):
        line = flat(expr)
        if indent + before + len(line) + after <= WIDTH:
            return line
    if not expr.items:
        return flat(expr)
    inside = indent + STEP
    space = "\n" + " " * inside
    opening = expr.head + expr.brackets[0]
    closing = "\n" + " " * indent + expr.brackets[1]
    if expr.is_call and not expr.spread and not any(map(_must_spread, expr.items)):
        body = ", ".join([flat(item) for item in expr.items])
        if inside + len(body) <= WIDTH:
            return opening + space + body + closing
    body = space.join([lay_out(item, inside, after=1) + "," for item in expr.items])
    return opening + space + body + closing


def _must_spread(expr: Expr) -> bool:
    if isinstance(expr, str):
        return False
    return expr.spread or any(map(_must_spread, expr.items))
