"""The layout of expressions, against black's."""

import black
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skelgen.codegen.pretty import Expr, Group, flat, lay_out, strings
from skelgen.codegen.render import blackened, settled
from skelgen.codegen.text import WIDTH

MODE = black.Mode(target_versions={black.TargetVersion.PY311})


def lines(expr: Expr, indent: int = 0) -> list[str]:
    return (" " * indent + lay_out(expr, indent)).split("\n")


def test_what_fits_stays_on_its_line() -> None:
    expr = Group("rt.MapSpec", ('"m"', "key_size=4"))
    assert lines(expr) == ['rt.MapSpec("m", key_size=4)']


def test_arguments_go_to_the_next_line() -> None:
    expr = Group("a" * 40, ("b" * 30, "c" * 30))
    assert lines(expr, 4) == [
        f"    {'a' * 40}(",
        f"        {'b' * 30}, {'c' * 30}",
        "    )",
    ]


def test_arguments_that_do_not_fit_go_to_a_line_each() -> None:
    expr = Group("a" * 40, ("b" * 30, "c" * 30, "d" * 30))
    assert lines(expr) == [
        f"{'a' * 40}(",
        f"    {'b' * 30},",
        f"    {'c' * 30},",
        f"    {'d' * 30},",
        ")",
    ]


def test_a_tuple_is_opened_up_at_once() -> None:
    expr = Group("relocs=", ("b" * 40, "c" * 40))
    assert lines(expr) == ["relocs=(", f"    {'b' * 40},", f"    {'c' * 40},", ")"]


@pytest.mark.parametrize(
    ("expr", "wanted"),
    [
        (Group("", ()), "()"),
        (Group("f", ()), "f()"),
        (Group("", ("x",)), "(x,)"),
        (Group("x = ", ("y",)), "x = (y,)"),
        (Group("x=", ("y",)), "x=(y,)"),
        (Group("f", ("x",)), "f(x)"),
        (Group("x = ", ("y",), "[]"), "x = [y]"),
        (Group("x", ("y",), "[]"), "x[y]"),
        (strings("__slots__", ("a", "b")), '__slots__ = ("a", "b")'),
    ],
)
def test_flat_puts_an_expression_on_one_line(expr: Expr, wanted: str) -> None:
    assert flat(expr) == wanted


def test_what_is_spread_has_a_line_for_each_of_several() -> None:
    assert lines(strings("__all__", ("A", "B"), spread=True)) == [
        "__all__ = (",
        '    "A",',
        '    "B",',
        ")",
    ]
    assert lines(strings("__all__", ("A",), spread=True)) == ['__all__ = ("A",)']
    assert lines(Group("_fields_ = ", (), "[]", spread=True)) == ["_fields_ = []"]


def _made(head: str, items: list[Expr], keywords: list[str]) -> Expr:
    """Return a group; the last items of a call are given by keyword."""
    if not head:
        return Group("", tuple(items))
    first_named = max(len(items) - len(keywords), 0)
    named: list[Expr] = list(items[:first_named])
    for word, item in zip(keywords, items[first_named:], strict=False):
        if isinstance(item, str):
            named.append(f"{word}={item}")
        else:
            named.append(item._replace(head=f"{word}={item.head}"))
    return Group(head, tuple(named))


ATOMS = st.builds("a".__mul__, st.integers(1, 60)) | st.builds(
    lambda n: f'"{n * "s"}"', st.integers(0, 60)
)
HEADS = st.just("") | st.builds(lambda n: "rt." + n * "f", st.integers(1, 30))
KEYWORDS = st.lists(st.text("kw", min_size=1, max_size=12), unique=True, max_size=4)


def groups(inner: st.SearchStrategy[Expr]) -> st.SearchStrategy[Expr]:
    """Return what a module may have: calls and tuples, some by keyword."""
    return st.builds(_made, HEADS, st.lists(inner, max_size=6), KEYWORDS)


expressions = st.recursive(ATOMS, groups, max_leaves=25).filter(
    lambda expr: not isinstance(expr, str)
)


@given(expressions, st.sampled_from([0, 4, 8]), st.sampled_from(["x = ", "return "]))
def test_black_agrees(expr: Expr, indent: int, before: str) -> None:
    """What has no line that is too long is what black would have written."""
    if before == "return ":
        indent = max(indent, 4)
    body = " " * indent + before + lay_out(expr, indent, before=len(before))
    source = "def f():\n" if before == "return " else "if 1:\n" if indent else ""
    for depth in range(8, indent + 1, 4):
        source += " " * (depth - 4) + "if 1:\n"
    source += body + "\n"
    if all(len(line) <= WIDTH for line in source.split("\n")):
        assert black.format_str(source, mode=MODE) == source


@given(expressions)
def test_and_where_a_line_is_too_long_black_decides(expr: Expr) -> None:
    source = f"x = {lay_out(expr, before=4)}\n"
    assert settled(source) == blackened(source)
