"""Whatever happens to a window, its counts are those of what is in it, and it comes to an end."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from relaycore.delivering.leasing import Delivery, Rows, State
from relaycore.delivering.settings import Settings
from relaycore.sending.items import DONE, WITHHELD, Failed, Item, Outcome, Progress
from relaycore.sending.window import Window
from tests.unit.relaycore.delivering.places import NOW, at, document

from .windows import add, look_at, standing

OUTCOMES: dict[str, Outcome] = {
    "done": DONE,
    "failed": Failed(NOW, "no"),
    "dead": Failed(None, "no"),
    "withheld": WITHHELD,
}
MOST = 4

OFTEN = [*["add", "next", "next", "next", "failed", "done", "write", "look"] * 3, "dead", "withheld", "begin"]
SELDOM = ["end", "miss", "expire", "sought"]
steps = st.lists(st.tuples(st.sampled_from([*OFTEN, *SELDOM]), st.integers(0, 3)), min_size=20, max_size=80)
orders = st.builds(Settings, most_outstanding=st.integers(1, 5), is_ordered=st.booleans())


class Played:
    """A window, and the PostgreSQL that it is written to."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.seen, self.number = standing(), 0
        self.rows: dict[str, Delivery] = {}
        self.window = Window(self.seen, settings, MOST)
        self.out: list[Item] = []
        self.under_way: Progress | None = None

    def step(self, what: str, chance: int) -> None:
        if what in OUTCOMES:
            if self.out:
                self.window.settle(self.out.pop(chance % len(self.out)), OUTCOMES[what])
        else:
            getattr(self, what)(chance)

    def add(self, chance: int) -> None:
        more = min(chance, self.window.room)
        first = self.number + 1 if self.window.place.position != self.seen.cursor.position else self._next()
        add(self.window, *range(first, first + more))
        self.number = max(self.number, first + more - 1)

    def _next(self) -> int:
        """Right above the cursor."""
        position = self.window.place.position
        return next(one for one in range(1, 10_000) if at(one) > position)

    def next(self, chance: int) -> None:
        if (item := self.window.next()) is not None:
            self.out.append(item)

    def begin(self, chance: int) -> None:
        self.under_way = self.window.progress() or self.under_way

    def end(self, chance: int) -> None:
        if (progress := self.under_way) is not None:
            self._commit(progress)
            self.window.recorded(progress)
            self.under_way = None

    def write(self, chance: int) -> None:
        self.end(chance)
        self.begin(chance)
        self.end(chance)

    def _commit(self, progress: Progress) -> None:
        self.seen = replace(self.seen, cursor=progress.cursor)
        self.rows |= {one.position: one for one in [*progress.new, *progress.changed]}
        for gone in [*progress.done, *(one.row for one in progress.lost)]:
            del self.rows[gone.position]

    def miss(self, chance: int) -> None:
        self.under_way = None
        self.window.missed()
        self.window.load(self.seen, self.settings)
        self.number = self._next() - 1

    def sought(self, chance: int) -> None:
        self.under_way, self.rows = None, {}
        self.seen = standing(0, self.seen.cursor.generation + 1)
        self.window.load(self.seen, self.settings)
        self.number = 0

    def look(self, chance: int) -> None:
        way = [self.rows[one] for one in sorted(self.rows) if self.rows[one].state is not State.DEAD]
        look_at(self.window, Rows(way[:3], len(way), way[0].position if way else ""))
        self.window.read({one.id: document(int.from_bytes(one.id, "big")) for one in self.window.unread})

    def expire(self, chance: int) -> None:
        self.window.expire(at(max(0, self.number - 2)))


@settings(max_examples=300)
@given(steps, orders)
def test_counts_are_those_of_what_is_there(steps: list[tuple[str, int]], order: Settings) -> None:
    played = Played(order)
    for what, chance in [("look", 0), *steps]:
        played.step(what, chance)
        window = played.window
        here = window._here
        counts = here.unrecorded, here.pending, here.size
        here.count()
        assert counts == (here.unrecorded, here.pending, here.size), what
        assert window.out == len(played.out)
        assert here.unrecorded <= MOST + 1
        assert len(here.items) + len(here.again) <= 2 * MOST


@given(steps, orders)
def test_it_comes_to_an_end(steps: list[tuple[str, int]], order: Settings) -> None:
    played = Played(order)
    for what, chance in [("look", 0), *steps]:
        played.step(what, chance)
    last = at(played.number)
    for _ in range(80):
        for what in ("look", "add", "next", "done", "write"):
            played.step(what, 0)
    assert not played.out
    assert played.seen.cursor.position >= last or not played.number
    assert not [one for one in played.rows.values() if one.state is not State.DEAD]
