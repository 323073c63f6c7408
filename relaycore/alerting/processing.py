"""One rule in one shard in one term: what is said, and how far it has come.

Whoever drives it does one after another, over and over:

    take inputs (at most `room`), as they stand in the channel, or reach a time (`times.reached`)
    append `outputs()`; tell `stored` once they are stored, `lost` when they are gone before that
    now and then `keep()`, write that, and tell `kept`

What is kept is *sealed* first: frontier and states as they are at that moment. It may be written once all
that was said up to then is stored; what goes on meanwhile comes in the next one. So it is kept however busy a
key is.

`room` is for what inputs say. Timers come beside it: as many outputs may wait as there are alerts open.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Final

from relaycore.alerting import causes
from relaycore.alerting.dividing import Earlier, Settings
from relaycore.alerting.items import Frontier, Input, Keep, KeptState, Kind, Made, State, Step
from relaycore.alerting.making import NOTHING, Maker
from relaycore.alerting.naming import shard_of
from relaycore.alerting.timers import Timers
from relaycore.errors import Unusable
from relaycore.outbound import hops
from relaycore.position import before_millisecond

MOST_UNSTORED: Final = 1000
"""Outputs of which it is not known that they are stored: then no more inputs are taken."""


@dataclass(slots=True)
class _Sealed:
    """What is kept next. `waits`: outputs that have to be stored before."""

    keep: Keep
    waits: set[bytes]


class Processing:
    """As above.

    rule:     the UUID as hex
    frontier: as it was kept; its `known_from` is that of this term (`times.known_from`)
    kind:     with the settings of the revision in the frontier
    states:   those of this shard's keys, by key, those that have ended as well
    earlier:  what other divisions of shards have come to, if one may be further (`dividing`). Of a key with
              which it is, nothing may be kept, since all has ended: what came before would begin it anew
    """

    def __init__(
        self,
        rule: str,
        shard: int,
        shards: int,
        frontier: Frontier,
        kind: Kind[Any],
        states: Mapping[str, KeptState],
        earlier: Earlier | None = None,
    ) -> None:
        self._rule, self._shard, self._shards = rule, shard, shards
        self._own, self._earlier = Settings(frontier.revision, kind), earlier
        self._maker = lru_cache(partial(Maker, rule))
        self._read_by: Sequence[Settings] = (
            (self._own,) if earlier is None else earlier.all_settings(self._own)
        )
        self._kept = frontier
        self._position, self._time, self._floor = frontier.position, frontier.time, frontier.time
        self._known_from = frontier.known_from
        self.unusable, self.last_unusable = frontier.unusable, frontier.last_unusable
        self._states = {key: one for key, one in states.items() if shard_of(rule, key, shards) == shard}
        self._changed: set[str] = set()
        self._gone = {key: one.at for key, one in self._states.items() if one.state is None}
        self._made: dict[bytes, Made] = {}
        self._new: list[bytes] = []
        self._sealed: _Sealed | None = None
        self._drains = self._holds_back = False
        self._timers = Timers()
        self._schedule_all()

    # --- what happens ----------------------------------------------------------------------

    @property
    def room(self) -> int:
        """So many inputs may be taken now."""
        return 0 if self._drains else max(0, MOST_UNSTORED - len(self._made))

    @property
    def next_due(self) -> int | None:
        """When the next timer is due, ms; None: there is none."""
        return self._timers.next

    @property
    def position(self) -> str:
        """Up to here all was taken: the next input is the first above."""
        return self._position

    @property
    def states(self) -> dict[str, State]:
        """By key, as they are now."""
        return {key: one.state for key, one in self._states.items() if one.state is not None}

    @property
    def time(self) -> int:
        """All timers that were due up to here have fired, ms."""
        return self._time

    def take(self, inputs: Sequence[Input]) -> None:
        """What comes next in the channel, in order, all of it. What other shards have is passed over."""
        self._leave_earlier()
        for one in inputs:
            if one.position <= self._position:
                continue
            self._fire(one.at)
            self._position = one.position
            for settings in self._read_by:  # One, unless shards before had others than each other.
                try:
                    events = settings.kind.read(one)
                except Unusable as why:
                    self._note(one, why, settings)
                    continue
                for event in events:
                    self._take(event, one, settings)

    def reach(self, ms: int) -> None:
        """No input below this time can come any more, and all of them were taken (`times.reached`)."""
        if not self._drains and ms > self._time:
            self._fire(ms)
            self._position = max(self._position, before_millisecond(ms))

    # --- what is said ----------------------------------------------------------------------

    def outputs(self) -> list[Made]:
        """What is to be appended now, in this order. Each comes once, unless it is lost."""
        if self._holds_back:
            return []
        new, self._new = self._new, []
        return [self._made[id] for id in new]

    def stored(self, ids: Iterable[bytes]) -> None:
        """These outputs are stored, by whomever."""
        for id in ids:
            self._made.pop(id, None)
            if self._sealed is not None:
                self._sealed.waits.discard(id)

    def lost(self, ids: Iterable[bytes]) -> None:
        """These outputs were not appended, or are gone, and are not stored: they come again."""
        again = {*self._new, *ids}
        self._new = [id for id in self._made if id in again]

    # --- what is kept ----------------------------------------------------------------------

    def keep(self) -> Keep | None:
        """What is to be written now; None: nothing, or not yet. It is the same until it is `kept`."""
        if self._sealed is None:
            self._seal()
        return self._sealed.keep if self._sealed is not None and not self._sealed.waits else None

    def kept(self, keep: Keep) -> None:
        """All of this stands."""
        if self._sealed is not None and self._sealed.keep is keep:
            self._sealed = None
            self._kept = keep.frontier
            self._holds_back = False

    def adopt(self, revision: int, kind: Kind[Any]) -> bool:
        """Whether these settings are in force from now on. Until they are nothing more is taken: ask again.

        They are once all is stored and kept, and what an earlier term may have said was said again. What is
        said under them is held back until the next `keep` stands.
        """
        if revision == self._own.revision:
            self._drains = False
            return True
        self._drains = self._position >= self._known_from
        if not self._drains or self._made or self._changed or self._sealed is not None:
            return False
        self._drains, self._holds_back = False, True
        self._own, self._earlier, self._floor = Settings(revision, kind), None, self._time
        self._read_by = (self._own,)
        self._schedule_all()
        self._sealed = _Sealed(self._keep_now(), set())
        return True

    @property
    def waits_for(self) -> int | None:
        """The time that has to come for something to go on, ms: a timer, or the end of what may be known.

        On an idle stream time is to be let pass (`times.raised`) once the clock is there.
        """
        due = self.next_due
        if self._position >= self._known_from:
            return due
        known = causes.at_of(self._known_from) + 1
        return known if due is None else min(due, known)

    # --- inside ----------------------------------------------------------------------------

    def _fire(self, upto: int) -> None:
        while (found := self._timers.pop(upto)) is not None:
            due, key = found
            state = self._states[key].state
            if state is not None:
                settings = self._of(key)
                self._step(key, causes.of_timer(due), settings.kind.fire(state, due), settings)
        self._time = max(self._time, upto)

    def _leave_earlier(self) -> None:
        if self._earlier is not None and self._earlier.is_behind(self._position, self._time, self._own):
            self._earlier = None

    def _of(self, key: str) -> Settings:
        return self._own if self._earlier is None else self._earlier.settings_of(key, self._own)

    def _take(self, event: Any, input: Input, settings: Settings) -> None:
        key, cause = event.key, input.position
        if shard_of(self._rule, key, self._shards) != self._shard:
            return
        if self._of(key).revision != settings.revision:
            return
        known = self._states.get(key)
        if known is None:
            was_taken = self._earlier is not None and cause <= self._earlier.passed(key)
        else:
            was_taken = cause <= known.at
        if was_taken:
            return
        step = settings.kind.take(None if known is None else known.state, event, cause)
        if step.unusable:
            self._count(cause, step.unusable)
        self._step(key, cause, step, settings, hops.carried(input.attributes))

    def _step(
        self, key: str, cause: str, step: Step, settings: Settings, carried: Mapping[str, str] = NOTHING
    ) -> None:
        kept = KeptState(cause, step.state)
        self._states[key] = kept
        self._gone.pop(key, None)
        self._changed.add(key)
        self._schedule(key, kept, settings)
        maker, places = self._maker(settings.revision), dict[str, int]()
        for output in step.outputs:
            place = places.get(output.kind, 0)
            places[output.kind] = place + 1
            made = maker.make(key, cause, output, place, carried)
            self._made[made.id] = made
            self._new.append(made.id)

    def _note(self, input: Input, why: Unusable, settings: Settings) -> None:
        # Nobody has its key. One of the shards counts it.
        if self._shard == 0 and settings is self._own:
            self._count(input.position, str(why))

    def _count(self, position: str, why: str) -> None:
        self.unusable += 1
        self.last_unusable = f"{position}: {why}"

    def _schedule_all(self) -> None:
        for key, kept in self._states.items():
            self._schedule(key, kept, self._of(key))

    def _schedule(self, key: str, kept: KeptState, settings: Settings) -> None:
        """Never at or before what has happened: settings may have changed, and time does not go back."""
        due = None if kept.state is None else settings.kind.due(kept.state)
        if due is not None:
            floor = self._floor if self._earlier is None else max(self._floor, self._earlier.fired(key))
            due = max(due, floor + 1, causes.at_of(kept.at) + 1)
        self._timers.set(key, due)

    def _seal(self) -> None:
        keep = self._keep_now()
        if keep.states or keep.gone or keep.frontier != self._kept:
            self._sealed = _Sealed(keep, set(self._made))

    def _keep_now(self) -> Keep:
        """All as it is at this moment. What has ended is forgotten from here on: all that comes is later."""
        states = {key: self._states[key] for key in self._changed}
        self._changed = set()
        frontier = replace(
            self._kept,
            position=self._position,
            time=self._time,
            revision=self._own.revision,
            known_from=self._known_from,
            unusable=self.unusable,
            last_unusable=self.last_unusable,
        )
        ended = {key: one.at for key, one in states.items() if one.state is None}
        gone = {key: at for key, at in {**self._gone, **ended}.items() if frontier.covers(at)}
        for key in gone:
            del self._states[key]
        self._gone = {key: at for key, at in self._gone.items() if key not in gone}
        return Keep(frontier, states, gone)
