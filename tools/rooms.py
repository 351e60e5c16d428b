#!/usr/bin/env python3
"""Print how the modules of a package import each other: levels, arrows, circles.

``tools/rooms.py [FOLDER]``. All imports count: those that run when a module is imported,
those inside functions, and those for type checkers alone, since each says who knows whom.

A *room* is a file or a folder right inside ``FOLDER`` (``skelgen/runtime`` unless said
otherwise). An *arrow* leads from a room to another that it imports. The *levels* are the
longest chain of arrows, a circle counting as the one room that it is. *Circles* are
looked for among all modules of the package.

With ``--check LEVELS`` the exit status is 1 where there are more levels, or any circle.
"""

import argparse
import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

Graph = dict[str, set[str]]


def modules_of(package: Path) -> dict[str, Path]:
    """Return every module of a package by its name."""
    found: dict[str, Path] = {}
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


def imports_of(path: Path, known: Iterable[str]) -> Iterator[str]:
    """Yield the modules of the package that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                name = whole if whole in known else node.module
                if name in known:
                    yield name


def graph_of(modules: Mapping[str, Path]) -> Graph:
    """Return which modules each module imports."""
    return {
        name: set(imports_of(path, modules)) - {name} for name, path in modules.items()
    }


def circles_of(graph: Graph) -> list[list[str]]:
    """Return the sets of nodes that all lead to each other, the largest first."""
    return sorted(
        (group for group in components(graph) if len(group) > 1), key=len, reverse=True
    )


def components(graph: Graph) -> list[list[str]]:
    """Return strongly connected components, each after all that it leads to."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(graph[node]):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            place = stack.index(node)
            found.append(stack[place:])
            del stack[place:]

    for node in graph:
        if node not in index:
            visit(node)
    return found


def rooms_of(graph: Graph, parent: str) -> Graph:
    """Return which rooms of a folder import each other."""
    rooms: Graph = {}
    for name, targets in graph.items():
        room = room_of(name, parent)
        if room is None:
            continue
        there = rooms.setdefault(room, set())
        for target in targets:
            other = room_of(target, parent)
            if other is not None and other != room:
                there.add(other)
    return rooms


def room_of(module: str, parent: str) -> str | None:
    """Return the file or folder of ``parent`` that a module is or is in."""
    if module == parent:
        return "__init__"
    if not module.startswith(f"{parent}."):
        return None
    return module[len(parent) + 1 :].partition(".")[0]


def levels_of(graph: Graph) -> list[list[str]]:
    """Return the rooms by level, from the one that imports no other."""
    level: dict[str, int] = {}
    for group in components(graph):
        below = {t for node in group for t in graph[node]} - set(group)
        height = 1 + max((level[target] for target in below), default=-1)
        level.update(dict.fromkeys(group, height))
    by_level: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for node, height in sorted(level.items()):
        by_level[height].append(node)
    return by_level


def main() -> int:
    """Print the structure; return 1 where it is not as asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", nargs="?", default="skelgen/runtime", type=Path)
    parser.add_argument("--check", type=int, metavar="LEVELS")
    options = parser.parse_args()
    folder: Path = options.folder
    package = folder
    while (package.parent / "__init__.py").exists():
        package = package.parent
    graph = graph_of(modules_of(package))
    parent = ".".join(folder.relative_to(package.parent).parts)
    rooms = rooms_of(graph, parent)
    levels = levels_of(rooms)
    for height, names in reversed(list(enumerate(levels, 1))):
        print(f"{height:3}  {'  '.join(names)}")
    arrows = sum(map(len, rooms.values()))
    print(f"{parent}: {len(rooms)} rooms on {len(levels)} levels, {arrows} arrows")
    circles = circles_of(graph)
    for circle in circles:
        print(f"circle of {len(circle)}: {', '.join(circle)}")
    print(f"{package.name}: {len(graph)} modules, {len(circles)} circles")
    if options.check is None:
        return 0
    return int(bool(circles) or len(levels) > options.check)


if __name__ == "__main__":
    sys.exit(main())
