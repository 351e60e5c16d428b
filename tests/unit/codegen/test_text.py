"""Literals and docstrings: no text can leave its quotes, and black keeps the form."""

import ast

import black
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skelgen.codegen.text import WIDTH, code, doc, docstring, literal, words

MODE = black.Mode(target_versions={black.TargetVersion.PY311})
NASTY = [
    "",
    "plain",
    'quote " here',
    "quote ' here",
    "both ' and \"",
    '"""',
    "'''",
    "back\\slash",
    "end\\",
    "new\nline",
    "nul\0",
    "tab\t",
    "ünï",
    "\u2028",
    "\U0001f600",
    "\udc80",
    "{{ jinja }}",
    "{% if x %}",
]


@pytest.mark.parametrize("text", NASTY)
def test_a_literal_is_the_text(text: str) -> None:
    source = literal(text)
    assert source.isascii()
    assert source.isprintable()
    assert ast.literal_eval(source) == text


@given(st.text())
def test_any_literal_is_its_text_in_the_form_of_black(text: str) -> None:
    source = literal(text)
    assert ast.literal_eval(source) == text
    assert black.format_str(f"x = {source}", mode=MODE) == f"x = {source}\n"


@given(st.text(alphabet="\"'\\\n aé"))
def test_quotes_are_as_black_chooses_them(text: str) -> None:
    source = literal(text)
    assert ast.literal_eval(source) == text
    assert black.format_str(f"x = {source}", mode=MODE) == f"x = {source}\n"


@given(st.text() | st.text(alphabet='"\\\n`a '), st.sampled_from([0, 4, 8]))
def test_a_docstring_stays_one(text: str, indent: int) -> None:
    space = " " * indent
    body = docstring(f"{code(text)} and {doc(text)}.", indent)
    source = "".join(f"{space[: 4 * n]}if 1:\n" for n in range(indent // 4))
    source += f"{space}{body}\n"
    tree = ast.parse(source)
    kinds = {type(node).__name__ for node in ast.walk(tree)}
    assert kinds <= {"Module", "If", "Constant", "Expr"}
    assert black.format_str(source, mode=MODE) == source


def test_hostile_text_is_made_harmless_and_cut() -> None:
    assert doc('end"""\nimport os') == "end''\"?import os"
    assert doc("a\\nb") == "a?nb"
    assert doc("naïve\x7f\u202e") == "na?ve??"
    assert code("a `b` ``c``") == "``a 'b' ''c''``"
    assert len(doc("x" * 10_000)) == 400


def test_long_docstrings_are_wrapped() -> None:
    text = "``int f`` " + "and then some more words " * 8 + "."
    lines = docstring(text, 8).split("\n        ")
    assert lines[0].startswith('"""``int f`` and then')
    assert lines[-1] == '"""'
    assert all(len(line) + 8 <= WIDTH for line in lines)
    assert " ".join(lines[:-1]).removeprefix('"""') == text


@pytest.mark.parametrize("length", range(70, 90))
def test_there_is_room_for_the_quotes(length: int) -> None:
    text = ("word " * 20)[:length].rstrip() + "."
    assert all(len(line) <= WIDTH for line in docstring(text, 4).split("\n"))


def test_a_word_without_end_stays() -> None:
    assert docstring("x" * 100, 4) == f'"""{"x" * 100}"""'


def test_names_that_an_expression_looks_up_are_found() -> None:
    assert words("rt.array(rt.struct(Event), 4)") == {"rt", "Event"}
    assert words("Sequence[rt.Array[int]] | None") == {"Sequence", "rt", "int", "None"}
