"""Which keys are parked, open or out in one window, and what becomes of them in a step."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relaycore.delivering.holding import Held, Missed, Reread, Waiting, is_read
from relaycore.delivering.leasing import Delivery, Rows, State
from relaycore.sending.items import Item, Progress

MOST_OPENED: Final = 64
"""Keys for which is read at once."""


@dataclass(frozen=True, slots=True)
class Going:
    """What is written of keys in a step.

    held:   waits from then on
    free:   of these keys nothing does any more
    missed: goes on record: retention may have deleted it while it waited
    found:  the next messages of keys that were open; each gets a row that is due at once
    """

    held: Sequence[Held] = ()
    free: Sequence[str] = ()
    missed: Sequence[Missed] = ()
    found: Sequence[Item] = ()


class Keys:
    """Of one window, for as long as it lives: what is out stays known, whatever is let go."""

    def __init__(self) -> None:
        self._out: Counter[str] = Counter()
        self.forget()

    def forget(self) -> None:
        """PostgreSQL is to be asked anew."""
        self._rows: dict[str, str] = {}
        self._held: dict[str, Held] = {}
        self._busy: Counter[str] = Counter()
        self._being_held: frozenset[str] = frozenset()
        self._reread: dict[str, Reread] = {}
        self._documents: dict[str, Any] = {}

    def look(self, rows: Rows) -> None:
        """What PostgreSQL says."""
        self._rows, self._held = dict(rows.keys), dict(rows.held)
        self._busy = Counter(self._rows.values())
        self._forget_reread()

    # --- what is out ---------------------------------------------------------------------

    def begins(self, item: Item) -> None:
        """An attempt is under way. It has a key."""
        self._out[item.key] += 1

    def ends(self, item: Item) -> None:
        """It is over."""
        self._out[item.key] -= 1
        if not self._out[item.key]:
            del self._out[item.key]

    def is_out(self, key: str) -> bool:
        """Whether something of this key is under way."""
        return key in self._out

    def is_parked(self, key: str) -> bool:
        """Whether what comes of this key waits for what has a row, or is held."""
        return key in self._busy or key in self._held or key in self._being_held

    # --- what goes on --------------------------------------------------------------------

    def opened(self, in_hand: Iterable[Item]) -> list[Held]:
        """Those for which something is to be read, the lowest first.

        in_hand: rows. What waits behind the last one of a key that is out, or done, is read while that is so
        """
        if not self._held:
            return []
        ending = Counter(one.key for one in in_hand if one.key in self._held and _may_end(one))
        found = [
            held
            for key, held in self._held.items()
            if self._busy[key] <= ending[key] and not is_read(held, self._reread)
        ]
        return sorted(found, key=lambda one: one.above)[:MOST_OPENED]

    def read(self, reread: Mapping[str, Reread], documents: Iterable[Any]) -> bool:
        """This was read to go on. Whether there is anything new in it."""
        found = {
            key: one
            for key, one in reread.items()
            if key in self._held
            and is_read(self._held[key], reread)
            and (one.found is not None or one.looked > one.above)
        }
        self._reread |= found
        wanted = {one.found[0] for one in found.values() if one.found is not None}
        self._documents |= {one["position"]: one for one in documents if one["position"] in wanted}
        return bool(found)

    def step(self, ended: Collection[str], new: Sequence[Delivery], held: Sequence[Item]) -> Going:
        """What becomes of keys.

        ended: positions of rows that are on their way no more
        new:   rows that come
        held:  messages that the cursor passes, and that wait behind another one of their key
        """
        if not (self._held or held):
            return Going()
        busy = self._busy.copy()
        busy.subtract(self._rows[one] for one in ended if one in self._rows)
        busy.update(one.key for one in new if one.key and one.state is not State.DEAD)
        moving = {key for key, count in busy.items() if count > 0}
        waiting = Waiting(moving, self._held)
        opened = [one for one in self._held.values() if one.key not in moving and is_read(one, self._reread)]
        found = [self._item(position, id, key) for position, id, key in waiting.go_on(opened, self._reread)]
        for one in held:
            waiting.wait(one.key, one.position)
        return Going(waiting.held, waiting.free, waiting.missed, found)

    def _item(self, position: str, id: bytes, key: str) -> Item:
        item = Item(position, id, self._documents[position], key=key)
        item.parked = Delivery(position, id, key=key)
        return item

    def holds(self, held: Iterable[Item]) -> None:
        """These are about to be passed: nothing of their keys is tried before that is known."""
        self._being_held = frozenset(one.key for one in held)

    def written(self, progress: Progress) -> None:
        """That is committed."""
        self._being_held = frozenset()
        gone = [one.position for one in (*progress.done, *(one.row for one in progress.lost))]
        gone += [one.position for one in progress.changed if one.state is State.DEAD]
        for position in gone:
            self._rows.pop(position, None)
        self._rows |= {
            one.position: one.key for one in progress.new if one.key and one.state is not State.DEAD
        }
        self._held |= {one.key: one for one in progress.held}
        for key in progress.free:
            self._held.pop(key, None)
        self._busy = Counter(self._rows.values())
        self._forget_reread()

    def _forget_reread(self) -> None:
        """What nobody goes on with from there any more."""
        self._reread = {
            key: one
            for key, one in self._reread.items()
            if key in self._held and is_read(self._held[key], self._reread)
        }
        wanted = {one.found[0] for one in self._reread.values() if one.found is not None}
        self._documents = {position: one for position, one in self._documents.items() if position in wanted}


def _may_end(item: Item) -> bool:
    return item.is_taken and (item.becomes is None or item.is_dead)
