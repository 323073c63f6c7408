"""The page `docs/floors.md`: the house as the imports have it.

An arrow that follows from two others is left out of the picture; the table below it has all of them.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from tests.floors.imports import Graph
from tests.floors.table import ASIDE, FLOORS, room_of

Rooms = Mapping[str, frozenset[str]]
"""Room → the rooms that it imports."""

_HEAD: Final = """# The floors

Who imports whom, from the roof down. An arrow means "imports". None leads up, and none leads to another
room of the same floor, by whatever detour: listeners and writers never meet.

This page is made from the imports by `make floors`, and a test compares it. What is allowed stands in
[`tests/floors/table.py`](../tests/floors/table.py). An arrow that follows from others is left out of the
picture; the table below it has them all.
"""


def rooms_of(graph: Graph) -> Rooms:
    """The rooms that have modules."""
    found: dict[str, set[str]] = {room: set() for module in graph if (room := room_of(module)) is not None}
    for module, imported in graph.items():
        here = room_of(module)
        if here is not None:
            found[here] |= {there for one in imported & graph.keys() if (there := room_of(one)) is not None}
    return {room: frozenset(others - {room}) for room, others in found.items()}


def page(graph: Graph) -> str:
    """The whole page."""
    rooms = rooms_of(graph)
    return "\n".join([_HEAD, *_picture(rooms), "", *_table(rooms), *_to_come(rooms)]) + "\n"


def necessary(rooms: Rooms) -> dict[str, set[str]]:
    """The arrows that do not follow from others."""
    below: dict[str, set[str]] = {}

    def all_below(room: str) -> set[str]:
        if room not in below:
            below[room] = set(rooms[room]).union(*(all_below(other) for other in rooms[room]))
        return below[room]

    return {
        room: {other for other in others if not any(other in all_below(third) for third in others - {other})}
        for room, others in rooms.items()
    }


def _picture(rooms: Rooms) -> Iterator[str]:
    yield "```mermaid"
    yield "flowchart TB"
    for floor in FLOORS:
        if here := [room for room in floor.rooms if room in rooms]:
            yield f'  subgraph {_id(floor.name)}_floor["{floor.name}"]'
            yield from (f'    {_id(room)}["{room}"]' for room in here)
            yield "  end"
    yield from (f'  {_id(room)}["{room}"]' for room in ASIDE if room in rooms)
    for room, others in necessary(rooms).items():
        yield from (f"  {_id(room)} --> {_id(other)}" for other in sorted(others))
    yield "```"


def _table(rooms: Rooms) -> Iterator[str]:
    yield "| floor | room | what it is | imports |"
    yield "|---|---|---|---|"
    for floor in FLOORS:
        for room, does in floor.rooms.items():
            if room in rooms:
                yield f"| {floor.name} | `{room}` | {does} | {_names(rooms[room])} |"
    for room, allowed in ASIDE.items():
        if room in rooms:
            yield f"| beside | `{room}` | imports `{allowed[-1]}` and nothing else | {_names(rooms[room])} |"


def _to_come(rooms: Rooms) -> Iterator[str]:
    empty = [room for floor in FLOORS for room in floor.rooms if room not in rooms and "doors" not in room]
    if empty:
        yield ""
        yield f"Rooms that are kept, and have no module yet: {', '.join(f'`{room}`' for room in empty)}."


def _names(rooms: frozenset[str]) -> str:
    order = [room for floor in FLOORS for room in floor.rooms]
    return ", ".join(f"`{room}`" for room in order if room in rooms) or "nothing"


def _id(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
