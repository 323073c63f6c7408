"""What imports what, read from the source.

Every import counts, also one inside a function or for types only. An import of a name is one of the module
that it names, or else of the one that has it. What is no module of the house is a library.
"""

import ast
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

NOT_THE_HOUSE: Final = frozenset({"tests", "benchmarks"})
"""Packages that stand around it, and may import whatever they want."""

Graph = Mapping[str, frozenset[str]]
"""Module → the modules and libraries that it imports."""


def files(root: Path = ROOT) -> dict[str, Path]:
    """The modules of the house by their names, a package by its `__init__`."""
    packages = [path.parent for path in root.glob("*/__init__.py") if path.parent.name not in NOT_THE_HOUSE]
    paths = sorted(path for package in packages for path in package.rglob("*.py"))
    names = {path: ".".join(path.relative_to(root).with_suffix("").parts) for path in paths}
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


def read(modules: Mapping[str, Path]) -> Graph:
    """What each of these modules imports."""
    return {name: imports_of(name, path.read_text(), modules) for name, path in modules.items()}


def imports_of(name: str, source: str, modules: Collection[str]) -> frozenset[str]:
    """What the source of the module `name` imports, itself left out.

    Raises:
        ValueError: it imports by dots, and so says not what.
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level or node.module is None:
                raise ValueError(f"{name} imports by dots")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset({_module(one, modules) for one in found} - {name})


def reached(graph: Graph, start: str) -> dict[str, str]:
    """All that `start` comes to → from where it comes there.

    Whoever imports `a.b.c` runs `a` and `a.b` too.
    """
    found, todo = {}, [start]
    while todo:
        at = todo.pop()
        for one in graph.get(at, frozenset()):
            parts = one.split(".")
            for name in (".".join(parts[: n + 1]) for n in range(len(parts))):
                if name not in found and name != start:
                    found[name] = at
                    todo.append(name)
    return found


def way(found: Mapping[str, str], start: str, end: str) -> str:
    """By which detour `start` comes to `end`, for people. `found`: as `reached` gives it."""
    steps = [end]
    while steps[-1] != start:
        steps.append(found[steps[-1]])
    return " → ".join(reversed(steps))


def _module(imported: str, modules: Collection[str]) -> str:
    name = imported
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or imported.partition(".")[0]
