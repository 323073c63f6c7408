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

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from relaycore.alerting import causes
from relaycore.alerting.items import Frontier, Input, Keep, KeptState, Kind, Made, Output, State, Step
from relaycore.alerting.naming import Names, shard_of
from relaycore.alerting.timers import Timers
from relaycore.errors import Unusable
from relaycore.position import before_millisecond

MOST_UNSTORED: Final = 1000
"""Outputs of which it is not known that they are stored: then no more inputs are taken."""

MOST_MERGED: Final = 100
"""Alerts that are named in one output as having become part of another: attributes have little room."""


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
    """

    def __init__(
        self,
        rule: str,
        shard: int,
        shards: int,
        frontier: Frontier,
        kind: Kind[Any],
        states: Mapping[str, KeptState],
    ) -> None:
        self._rule, self._shard, self._shards = rule, shard, shards
        self._kind = kind
        self._revision, self._names = frontier.revision, Names(rule, frontier.revision)
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
        self._passed: Callable[[str], str] | None = None
        self._passed_upto = ""
        self._timers = Timers()
        self._schedule_all()

    def pass_over(self, upto: str, passed: Callable[[str], str]) -> None:
        """The keys come from another division of shards, which had come further with some of them.

        Of such a key it may be that nothing is kept any more, since all has ended. What came before it would
        begin it anew, without what it had been.

        passed: the position up to which everything of a key was taken there
        upto:   the highest of them
        """
        self._passed, self._passed_upto = passed, upto

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
        for one in inputs:
            if one.position <= self._position:
                continue
            self._fire(one.at)
            self._position = one.position
            try:
                event = self._kind.read(one)
            except Unusable as why:
                self._note(one, why)
                continue
            for mine in (event, *getattr(event, "others", ())):
                self._take(mine, one.position)

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
        if revision == self._revision:
            self._drains = False
            return True
        self._drains = self._position >= self._known_from
        if not self._drains or self._made or self._changed or self._sealed is not None:
            return False
        self._drains, self._holds_back = False, True
        self._revision, self._names = revision, Names(self._rule, revision)
        self._kind, self._floor = kind, self._time
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
                self._step(key, causes.of_timer(due), self._kind.fire(state, due))
        self._time = max(self._time, upto)

    def _take(self, event: Any, cause: str) -> None:
        key, known = event.key, self._states.get(event.key)
        if shard_of(self._rule, key, self._shards) != self._shard:
            return
        if (known is None and not self._was_taken(key, cause)) or (known is not None and cause > known.at):
            state = None if known is None else known.state
            self._step(key, cause, self._kind.take(state, event, cause))

    def _was_taken(self, key: str, cause: str) -> bool:
        """In another division."""
        if self._passed is not None and cause > self._passed_upto:
            self._passed = None
        return self._passed is not None and cause <= self._passed(key)

    def _step(self, key: str, cause: str, step: Step) -> None:
        kept = KeptState(cause, step.state)
        self._states[key] = kept
        self._gone.pop(key, None)
        self._changed.add(key)
        self._schedule(key, kept)
        places: dict[str, int] = {}
        for output in step.outputs:
            place = places.get(output.kind, 0)
            places[output.kind] = place + 1
            made = self._make(key, cause, output, place)
            self._made[made.id] = made
            self._new.append(made.id)

    def _make(self, key: str, cause: str, output: Output, place: int) -> Made:
        id = self._names.output_id(key, cause, output.kind, place)
        attributes = {
            **output.attributes,
            "rule": self._rule,
            "revision": str(self._revision),
            "event": output.kind,
            "cause": cause,
        }
        if output.opened:
            attributes["alert-id"] = self._names.alert_id(key, output.opened)
        if output.merged:
            merged = [self._names.alert_id(key, opened) for opened in output.merged[:MOST_MERGED]]
            attributes["merged-alerts"] = ",".join(merged)
        return Made(id, key, cause, output, place, attributes)

    def _note(self, input: Input, why: Unusable) -> None:
        # Nobody has its key. One of the shards counts it.
        if self._shard == 0:
            self.unusable += 1
            self.last_unusable = f"{input.position}: {why}"

    def _schedule_all(self) -> None:
        for key, kept in self._states.items():
            self._schedule(key, kept)

    def _schedule(self, key: str, kept: KeptState) -> None:
        """Never at or before what has happened: settings may have changed, and time does not go back."""
        due = None if kept.state is None else self._kind.due(kept.state)
        if due is not None:
            due = max(due, self._floor + 1, causes.at_of(kept.at) + 1)
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
            revision=self._revision,
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
