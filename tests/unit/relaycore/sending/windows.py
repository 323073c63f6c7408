"""Windows, and what they read."""

from typing import Any, Final

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Standing
from relaycore.delivering.leasing import Ahead, Delivery, Rows, State
from relaycore.delivering.settings import Settings
from relaycore.delivering.skipping import Noted
from relaycore.position import START
from relaycore.sending.items import Item, Progress
from relaycore.sending.window import Window
from relaycore.storing.expiring import NOTHING, Expired
from tests.unit.relaycore.delivering.places import NOW, at, document, row

SETTINGS: Final = Settings(most_outstanding=10)
ORDERED: Final = Settings(most_outstanding=10, is_ordered=True)


def standing(number: int = 0, generation: int = 1, revision: int = 1, noted: Noted | None = None) -> Standing:
    position = at(number) if number else START
    return Standing(Cursor(position, position, generation), noted or Noted(), revision=revision)


def window(settings: Settings = SETTINGS, most: int = 5, *numbers: int) -> Window:
    """One whose rows are known: there are none. These are read."""
    found = Window(standing(), settings, most)
    found.look(standing(), Rows())
    if numbers:
        assert add(found, *numbers)
    return found


def add(into: Window, *numbers: int, upto: int | None = None, expired: Expired = NOTHING) -> bool:
    """What comes next, up to there; the messages with these numbers."""
    place = into.place
    messages = [(at(one), one.to_bytes(12, "big")) for one in numbers]
    last = place.position if not numbers else messages[-1][0]
    ahead = Ahead(place.position, at(upto) if upto else last, messages, place.generation, into._revision)
    return into.add(ahead, [document(one) for one in numbers], expired)


def waiting(number: int, attempt: int = 1, **more: Any) -> Delivery:
    return row(number, State.WAITING, attempt, due_at=NOW, **more)


def look(into: Window, *rows: Delivery, lowest: int | None = None, outstanding: int | None = None) -> None:
    """These are due, and their messages are there."""
    count = len(rows) if outstanding is None else outstanding
    look_at(into, Rows(rows, count, at(lowest) if lowest else rows[0].position if rows else ""))
    into.read({one.id: document(int.from_bytes(one.id, "big")) for one in into.unread})


def look_at(into: Window, rows: Rows) -> None:
    """It stands where it was seen."""
    into.look(Standing(into._seen, Noted(), revision=into._revision), rows)


def number(item: Item | None) -> int | None:
    return None if item is None else int.from_bytes(item.id, "big")


def taken(from_: Window) -> list[Item]:
    """All that may be tried by now."""
    found = []
    while (item := from_.next()) is not None:
        found.append(item)
    return found


def written(to: Window) -> Progress:
    """What there is to write is written."""
    progress = to.progress()
    assert progress is not None
    to.recorded(progress)
    return progress


def numbers(rows: Any) -> list[int]:
    return [int.from_bytes(one.id, "big") for one in rows]
