"""What the table forbids, found in what there is. Each rule gives sentences; none: all is well."""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final

from tests.floors.imports import Graph, reached, way
from tests.floors.table import (
    ASIDE,
    FLOORS,
    MOST_COLLABORATORS,
    MOST_LINES,
    MOST_MODULES,
    NEVER,
    NEVER_BY_ITSELF,
    height_of,
    is_in,
    room_of,
)

PLAIN: Final = frozenset(
    {
        *("int", "float", "str", "bytes", "bool", "object", "Path", "datetime", "timedelta"),
        *("Sequence", "Mapping", "Collection", "Iterable", "list", "dict", "set", "frozenset", "tuple"),
    }
)
"""Values, and what holds several of them."""


def without_a_room(graph: Graph) -> Iterator[str]:
    """Modules of which the table does not know where they stand."""
    yield from (f"{module} has no room" for module in graph if room_of(module) is None)


def arrows_up(graph: Graph) -> Iterator[str]:
    """Imports of what stands above, or beside on the same floor."""
    for module, imported in graph.items():
        for one in sorted(imported & graph.keys()):
            here, there = room_of(module), room_of(one)
            if here is None or there is None or here == there:
                continue
            if here in ASIDE or there in ASIDE:
                if one not in ASIDE.get(here, ()):
                    yield f"{module} imports {one}, across the yard"
            elif height_of(there) >= height_of(here):
                where = "beside" if height_of(there) == height_of(here) else "above"
                yield f"{module} imports {one}, which stands {where} it"


def meetings(graph: Graph) -> Iterator[str]:
    """What comes to another room of its own floor, by however many steps."""
    siblings = {room: floor.rooms.keys() - {room} for floor in FLOORS for room in floor.rooms}
    for module in graph:
        others = siblings.get(room_of(module) or "", set())
        found = reached(graph, module)
        yield from (way(found, module, one) for one in sorted(found) if room_of(one) in others)


def detours(graph: Graph) -> Iterator[str]:
    """What comes to what it must never come to, by however many steps."""
    for module in graph:
        ends = [end for place, end in NEVER if is_in(module, place)]
        found = reached(graph, module) if ends else {}
        yield from (way(found, module, one) for one in sorted(found) if any(is_in(one, end) for end in ends))
        ends = [end for place, end in NEVER_BY_ITSELF if is_in(module, place)]
        yield from (
            f"{module} → {one}" for one in sorted(graph[module]) if any(is_in(one, end) for end in ends)
        )


def circles(graph: Graph) -> Iterator[str]:
    """Modules that import each other, by whatever detour. What is left cannot be put in an order."""
    left = {module: set(imported & graph.keys()) for module, imported in graph.items()}
    while free := [module for module, imported in left.items() if not imported & left.keys()]:
        for module in free:
            del left[module]
    if left:
        yield f"in a circle, or above one: {', '.join(sorted(left))}"


def by_name(module: str, source: str) -> Iterator[str]:
    """Imports that no reader of imports can see. The roof alone may: it knows everybody anyhow."""
    for name in re.findall(r"\b(import_module|import_string|__import__)\(", source):
        if not is_in(module, "relayproject"):
            yield f"{module} imports by {name}"


def crowded(modules: Collection[str], packages: Collection[str]) -> Iterator[str]:
    """Folders with too many modules, packages not counted. Migrations are no room, they are a log."""
    folders = Counter(name.rpartition(".")[0] for name in modules if name not in packages)
    for folder, count in folders.items():
        if count > MOST_MODULES and not folder.endswith(".migrations"):
            yield f"{folder} has {count} modules, more than {MOST_MODULES}"


def long(module: str, source: str) -> Iterator[str]:
    """Modules that are hubs."""
    if (lines := len(source.splitlines())) > MOST_LINES:
        yield f"{module} has {lines} lines: split it along a sentence that can be said aloud"


def entangled(module: str, source: str) -> Iterator[str]:
    """Constructors that are given too many collaborators.

    A collaborator is what a constructor is given to work with: an object, or something to call. Values
    (`PLAIN`) are none. What it makes itself are its parts. A dataclass without a constructor is a record.
    """
    for each in ast.walk(ast.parse(source)):
        if isinstance(each, ast.ClassDef):
            for made in each.body:
                if isinstance(made, ast.FunctionDef) and made.name == "__init__":
                    given = [argument.arg for argument in _parameters(made) if _is_collaborator(argument)]
                    if len(given) > MOST_COLLABORATORS:
                        yield f"{module}.{each.name} is given {len(given)}: {', '.join(given)}"


def unlisted(docstring: str, modules: Collection[str]) -> Iterator[str]:
    """Modules of which the docstring of their package does not say what they are for, and the other way."""
    described = set(re.findall(r"^`([\w./]+?)/?` +\S", docstring, re.MULTILINE))
    yield from (f"{name} is not described" for name in sorted(set(modules) - described))
    yield from (f"{name} is described, and not there" for name in sorted(described - set(modules)))


def _parameters(function: ast.FunctionDef) -> list[ast.arg]:
    given = function.args
    return [*given.posonlyargs, *given.args, *given.kwonlyargs][1:]


def _is_collaborator(argument: ast.arg) -> bool:
    if argument.annotation is None:
        return True
    return not _names(argument.annotation) <= PLAIN


def _names(annotation: ast.expr) -> set[str]:
    """Every name in it; of `a.b.C` the last one."""
    if isinstance(annotation, ast.Attribute):
        return {annotation.attr}
    if isinstance(annotation, ast.Constant):
        text = annotation.value
        return _names(ast.parse(text, mode="eval").body) if isinstance(text, str) else set()
    if isinstance(annotation, ast.Name):
        return {annotation.id}
    found: set[str] = set()
    for part in ast.iter_child_nodes(annotation):
        if isinstance(part, ast.expr):
            found |= _names(part)
    return found
