"""What a generated module may consist of, whatever object it came from."""

import ast
import builtins
from collections.abc import Iterator

_IMPORTS = {
    "from __future__ import annotations",
    "import builtins",
    "import enum",
    "import functools",
    "from skelgen import runtime as rt",
}
_SEQUENCE = "    from collections.abc import Sequence\n"
_TYPED = {
    f"if TYPE_CHECKING:\n{sequence}    from typing import Final"
    for sequence in ("", _SEQUENCE)
}
_CALLED = {"rt", "functools", "super", "obj"}
_OUTSIDE = {
    "rt",
    "builtins",
    "enum",
    "functools",
    "Sequence",
    "Final",
    "TYPE_CHECKING",
}
_BUILTINS = {"int", "bytes", "float", "bool", "super", "staticmethod", "tuple"}
_LOCAL = {"self", "obj"}


def kinds(text: str) -> set[str]:
    """Return the kinds of AST nodes in a module."""
    return {type(node).__name__ for node in ast.walk(ast.parse(text))}


def complaints(text: str, allowed: set[str]) -> list[str]:
    """Return what a module holds that none should: nothing, if all is well."""
    tree = ast.parse(text)
    found = sorted({type(node).__name__ for node in ast.walk(tree)} - allowed)
    bad = [f"node kind {kind}" for kind in found]
    for node in tree.body:
        bad += _statement(node)
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    bad += _names(tree, own | _members(tree))
    bad += _calls(tree, own)
    return bad


def _statement(node: ast.stmt) -> Iterator[str]:
    """Only imports that we know, classes, functions, texts and our own calls."""
    text = ast.unparse(node)
    if isinstance(node, ast.Import | ast.ImportFrom):
        if text not in _IMPORTS:
            yield f"import: {text}"
    elif isinstance(node, ast.Expr):
        is_text = isinstance(node.value, ast.Constant)
        if not is_text and not text.startswith("rt.require_abi("):
            yield f"expression: {text[:80]}"
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        name = ast.unparse(target)
        known = {"__all__", "_IMAGE", "TYPE_CHECKING"}
        if name not in known and "." not in name:
            yield f"assignment: {text[:80]}"
    elif isinstance(node, ast.If):
        if text not in _TYPED:
            yield f"statement: {text[:80]}"
    elif not isinstance(node, ast.ClassDef | ast.FunctionDef):
        yield f"statement: {text[:80]}"


def _members(tree: ast.Module) -> set[str]:
    """Names that a class body binds."""
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in (
            statement.targets
            if isinstance(statement, ast.Assign)
            else [statement.target]
        )
        if isinstance(target, ast.Name)
    }


def _names(tree: ast.Module, own: set[str]) -> Iterator[str]:
    known = own | _OUTSIDE | _BUILTINS | _LOCAL | {"_IMAGE"}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Load)
            and node.id not in known
        ):
            what = "builtin" if hasattr(builtins, node.id) else "name"
            yield f"{what} {node.id}"


def _calls(tree: ast.Module, own: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            function: ast.expr = node.func
            while isinstance(function, ast.Attribute | ast.Call):
                function = (
                    function.value
                    if isinstance(function, ast.Attribute)
                    else function.func
                )
            name = function.id if isinstance(function, ast.Name) else "?"
            if name not in _CALLED | own:
                yield f"call: {ast.unparse(node)[:80]}"
