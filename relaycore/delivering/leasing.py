"""Leased messages: who is given which, what becomes of them, and when they are due again."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.holding import Held, Missed, Reread, Waiting
from relaycore.delivering.settings import MOST_DEADLINE_SECONDS, MOST_DELAY_SECONDS, Settings

FIRST_WAIT_MS: Final = 1000
LONGEST_WAIT_MS: Final = 10 * 60 * 1000

LONGEST_MS: Final = max(MOST_DEADLINE_SECONDS, MOST_DELAY_SECONDS) * 1000 + LONGEST_WAIT_MS
"""No row of who pulls is due later. One that is was written under a clock that has fallen back since."""

LAPSED: Final = "not confirmed in time"
GIVEN_BACK: Final = "given back"


class State(StrEnum):
    """Of a delivery that has a row."""

    WAITING = "waiting"
    LEASED = "leased"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on its way.

    position:    of the message
    id:          of the message, 12 bytes
    attempt:     so often it was handed out; never the same twice, since tokens name it
    due_at:      from then on it may be leased again, or is dead after the most deliveries; ms since 1970
    deadline_at: leased: until then nobody else is given it
    why:         dead: why
    before:      so many of the attempts were before it was redriven last, and count no more
    key:         of the message, where there is an order by a field (`holding`); empty: none
    batch:       with which others it is sent again, where messages are pushed (`relaycore.sending.batches`);
                 empty: with none in particular
    """

    position: str
    id: bytes
    state: State = State.WAITING
    attempt: int = 0
    due_at: int = 0
    deadline_at: int = 0
    why: str = ""
    before: int = 0
    key: str = ""
    batch: str = ""

    def is_due(self, now: int, longest_ms: int = LONGEST_MS) -> bool:
        """Whether somebody may be given it, or it has died. `longest_ms`: no row of its kind is due later."""
        return self.state is not State.DEAD and not now < self.due_at <= now + longest_ms

    def lease(self, settings: Settings, now: int) -> "Delivery":
        """Give it to somebody."""
        attempt = self.attempt + 1
        return self._leased(settings, attempt, now + settings.deadline_ms)

    def has_spent(self, settings: Settings) -> bool:
        """Whether it was handed out as often as it may be."""
        return settings.most_deliveries is not None and self._tries >= settings.most_deliveries

    def die(self, why: str) -> "Delivery":
        """It is handed out no more, unless somebody wants it."""
        return replace(self, state=State.DEAD, why=why)

    def is_held(self, attempt: int) -> bool:
        """Whether whoever was given it with this attempt is the last one."""
        return self.state is State.LEASED and self.attempt == attempt

    def has_lapsed(self, attempt: int) -> bool:
        """Whether it is dead since whoever was given it with this attempt, the last one, was too slow."""
        return self.state is State.DEAD and self.attempt == attempt and self.why == LAPSED

    def nack(self, settings: Settings, now: int, delay_ms: int | None = None) -> "Delivery":
        """Whoever has it gives it back. `delay_ms`: not before then; None: 1 s, doubling to 10 min."""
        if self.has_spent(settings):
            return self.die(GIVEN_BACK)
        wait = wait_ms(self._tries) if delay_ms is None else delay_ms
        return replace(self, state=State.WAITING, due_at=now + wait, deadline_at=0)

    def extend(self, settings: Settings, now: int, more_ms: int) -> "Delivery":
        """Whoever has it needs it for so long, from now on."""
        return self._leased(settings, self.attempt, now + more_ms)

    def redrive(self, now: int) -> "Delivery":
        """A dead one is handed out again, as if for the first time."""
        return replace(
            self, state=State.WAITING, before=self.attempt, due_at=now, deadline_at=0, why="", batch=""
        )

    @property
    def _tries(self) -> int:
        return self.attempt - self.before

    def _leased(self, settings: Settings, attempt: int, deadline_at: int) -> "Delivery":
        held = replace(self, state=State.LEASED, attempt=attempt, deadline_at=deadline_at)
        # After its last attempt there is nothing to wait for.
        wait = 0 if held.has_spent(settings) else wait_ms(held._tries)
        return replace(held, due_at=deadline_at + wait)


def wait_ms(attempt: int) -> int:
    """How long a message waits that has failed this often."""
    return min(LONGEST_WAIT_MS, FIRST_WAIT_MS << min(max(attempt, 1) - 1, 20))


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was read of the channel above the cursor.

    above:      it begins right above this position
    upto:       everything up to here was looked at; what is not among `messages` is not for this subscription
    messages:   position and id of those that are, in order; mode `cursor`: none is named
    generation: of the cursor by which it was read
    revision:   of what the subscription was set to, by which it was chosen
    keys:       of each message, in an order by a field; empty: there is no such order
    """

    above: str
    upto: str
    messages: Sequence[tuple[str, bytes]]
    generation: int
    revision: int = 1
    keys: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a subscription, as they stand, locked.

    due:         of those that may be leased or have died the lowest, at least as many as are wanted; of each
                 key the lowest that is on its way alone (`first_of_each_key`)
    outstanding: how many are on their way, the due ones included, and how many keys are open
    lowest:      the lowest position of these; empty if there is none
    busy:        those keys of which something is on its way; of `Ahead.keys` at least
    held:        what waits, by key; of `Ahead.keys` at least
    open:        of what waits behind nothing the lowest, at least as many as are wanted
    keys:        for who pushes: of all that are on their way and have one, by position. Then `held` is all
    """

    due: Sequence[Delivery] = ()
    outstanding: int = 0
    lowest: str = ""
    busy: Collection[str] = ()
    held: Mapping[str, Held] = field(default_factory=dict)
    open: Sequence[Held] = ()
    keys: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leased:
    """What is handed out, and what is to be written before.

    cursor:  where it stands then
    again:   had a row
    new:     get one
    dead:    have died: the row stays
    is_full: more is not handed out, since too much is on its way, or in order what is before it is
    held:    waits from then on, by key
    free:    keys of which nothing waits any more
    missed:  goes on record: retention may have deleted it while it waited
    """

    cursor: Cursor
    again: Sequence[Delivery] = ()
    new: Sequence[Delivery] = ()
    dead: Sequence[Delivery] = ()
    is_full: bool = False
    held: Sequence[Held] = ()
    free: Sequence[str] = ()
    missed: Sequence[Missed] = ()

    @property
    def has_only_moved(self) -> bool:
        """Whether nothing is handed out, and there may be something nevertheless: what waits has changed."""
        return not (self.again or self.new) and bool(self.held or self.free)


def first_of_each_key(rows: Iterable[Delivery]) -> list[Delivery]:
    """Of what is on its way, in the order of positions, what is not behind another one of its key.

    A redriven dead letter may stand below one that was leased meanwhile.
    """
    seen = set[str]()
    firsts = []
    for row in rows:
        if not row.key or row.key not in seen:
            firsts.append(row)
        seen.add(row.key)
    return firsts


def comes_again(settings: Settings, rows: Rows, most: int) -> list[Delivery]:
    """Those rows that `lease` hands out once more."""
    due = [row for row in rows.due if not row.has_spent(settings)]
    if settings.is_ordered:
        due = [row for row in due if row.position == rows.lowest]
    return due[:most]


def goes_on(settings: Settings, rows: Rows, most: int) -> Sequence[Held]:
    """Those keys with which `lease` goes on, beside what comes again."""
    return rows.open[: most - len(comes_again(settings, rows, most))]


def lease(
    settings: Settings,
    cursor: Cursor,
    rows: Rows,
    ahead: Ahead | None,
    most: int,
    now: int,
    reread: Mapping[str, Reread] | None = None,
) -> Leased:
    """Give somebody at most so many messages: first what is due again, then what waits, then what is new.

    ahead:  is used only if it begins where the cursor stands, in its generation
    reread: by key, what was read to go on with those that are open; with others nobody goes on
    """
    spent = [row.die(LAPSED) for row in rows.due if row.has_spent(settings)]
    again = [row.lease(settings, now) for row in comes_again(settings, rows, most)]
    # A key of which something dies just now is busy till the next look: what is new of it waits.
    outstanding = rows.outstanding - len([row for row in spent if not row.key])
    if settings.is_ordered:
        most = min(most, 1)
        if outstanding:
            # What is before it has to be done first: a lower row that is not due holds it back. If the lowest
            # has died just now, the next one sees which is the lowest then.
            return Leased(cursor, again=again, dead=spent, is_full=most > len(again))
    waiting = Waiting(rows.busy, {**rows.held, **{held.key: held for held in rows.open}})
    found = waiting.go_on(goes_on(settings, rows, most), reread or {})
    outstanding -= waiting.closed
    room = max(0, settings.most_outstanding - outstanding)
    wanted = min(most - len(again) - len(found), room)
    is_full = most > len(again) + len(found) and room == 0
    if (
        ahead is not None
        and wanted > 0
        and (ahead.above, ahead.generation) == (cursor.position, cursor.generation)
    ):
        taken, upto = waiting.take(ahead.messages, ahead.keys, wanted)
        found += taken
        upto = ahead.upto if upto is None else upto
        cursor = replace(cursor, position=upto, fetched=upto)
    new = [Delivery(position, id, key=key).lease(settings, now) for position, id, key in found]
    return Leased(cursor, again, new, spent, is_full, waiting.held, waiting.free, waiting.missed)
