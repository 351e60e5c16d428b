"""What a generated module may have in it."""

import ast

# Every kind of node that a module may be made of.
ALLOWED = frozenset(
    [
        "Module",
        "Expr",
        "Constant",
        "Import",
        "ImportFrom",
        "alias",
        "If",
        "Assign",
        "AnnAssign",
        "Name",
        "Load",
        "Store",
        "ClassDef",
        "FunctionDef",
        "arguments",
        "arg",
        "Return",
        "Call",
        "Attribute",
        "keyword",
        "Tuple",
        "List",
        "BinOp",
        "BitOr",
        "Subscript",
        "UnaryOp",
        "USub",
    ]
)


CALLED = frozenset({"rt", "obj", "super"})


def check(text: str) -> None:
    """Assert that a module has nothing in it but what the templates can write."""
    assert text.isascii()
    tree = ast.parse(text)
    found = {type(node).__name__ for node in ast.walk(tree)}
    assert found <= ALLOWED, found - ALLOWED
    classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            root: ast.expr = node.func
            while isinstance(root, ast.Attribute | ast.Call):
                root = root.value if isinstance(root, ast.Attribute) else root.func
            assert isinstance(root, ast.Name)
            assert root.id in CALLED | classes, ast.unparse(node)
        elif isinstance(node, ast.Import):
            names = {name.name for name in node.names}
            assert names <= {"builtins", "enum", "functools"}
        elif isinstance(node, ast.ImportFrom):
            assert node.module in {"__future__", "typing", "skelgen", "collections.abc"}
