"""The kind `group`: alerts that belong together are told together, as Alertmanager does it.

A group is looked at `group_wait` after its first alert, and every `group_interval` from then on, as long as
it has one; `resolve_wait` after an alert has ended of which was told. What is told then, and why, `flushing`
decides. All groups of a rule are one state, since an alert of one may hold back those of another.

The state, as JSON
    `alerts` by fingerprint, each with `labels`, `annotations`, `url`, `starts`, `ends` (None: it fires),
    `opened` (the cause), `group` and `bytes`; `groups` by the fingerprint of their labels, as `flushing` has
    them; `left_out`, how many alerts there was no room for; `bytes`, of all.

The one key is `ALL`. Two alerts of one request have the same millisecond, mostly, and what is told of the end
of an alert is told in the next one: so ten that end together are one notice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from relaycore.alerting.items import Input, Output, State, Step
from relaycore.alerting.labelled import flushing, grouping, transitions
from relaycore.alerting.labelled.flushing import Look
from relaycore.alerting.labelled.labels import fingerprint, in_order
from relaycore.alerting.labelled.matchers import match_all
from relaycore.alerting.labelled.refused import BadAlert, BadMatcher
from relaycore.alerting.labelled.transitions import Transition
from relaycore.errors import BadRule, Unusable

ALL: Final = "[]"
"""The key of everything."""

MOST_BYTES: Final = 8 << 20
"""Of all alerts of a rule, about: MongoDB takes 16 MiB in one document. Further ones are left out, and count
as unusable."""

_NO_ROOM: Final = (
    f"The rule has {MOST_BYTES >> 20} MiB of alerts that are not over, which is all it can have."
)

MOST_SHOWN: Final = 1_000

_OF_EACH: Final = 500


@dataclass(frozen=True, slots=True)
class Event:
    """A transition.

    at:      the millisecond in which it came
    is_ours: whether it is this rule's, by its matchers
    """

    at: int
    said: Transition
    is_ours: bool
    key: str = ALL


class Group:
    """As `relaycore.alerting` wants a kind."""

    is_by_key = False

    def __init__(self, settings: object) -> None:
        try:
            self._grouping = grouping.parse(settings)
        except BadMatcher as exc:
            raise BadRule(str(exc)) from exc

    def read(self, input: Input) -> tuple[Event]:
        """What a message says.

        Raises:
            Unusable: it is no transition of an alert.
        """
        try:
            said = transitions.read(input.message, input.at)
        except BadAlert as exc:
            raise Unusable(str(exc)) from exc
        return (Event(input.at, said, match_all(self._grouping.matchers, said.labels)),)

    def take(self, state: State | None, event: Event, cause: str) -> Step:
        """The state after it. Nothing is told at once: each notice is a timer's."""
        said = event.said
        known = None if state is None else state["alerts"].get(said.fingerprint)
        if known is None and not (event.is_ours and said.is_firing):
            # What was this rule's under other matchers still ends here.
            return Step(state, ())
        state = state or {"alerts": {}, "groups": {}, "bytes": 0}
        if known is None and state["bytes"] + _size(said) > MOST_BYTES:
            return Step(state, (), _NO_ROOM)
        opened = known["opened"] if known is not None and known["ends"] is None else cause
        return Step(self._with(state, said, known, event.at, opened), ())

    def due(self, state: State) -> int | None:
        """When a group is to be looked at."""
        return min(map(flushing.due, state["groups"].values()), default=None)

    def fire(self, state: State, due: int) -> Step:
        """Look at all groups that are due."""
        outputs: list[Output] = []
        alerts, groups, size = dict(state["alerts"]), dict(state["groups"]), state["bytes"]
        look = Look(self._grouping, alerts, due)
        members: dict[str, list[str]] = {
            name: [] for name, group in sorted(groups.items()) if flushing.due(group) <= due
        }
        for one, alert in alerts.items():
            if alert["group"] in members:
                members[alert["group"]].append(one)
        # What one group lets go still counts for the others: they are looked at in the same moment.
        gone: list[str] = []
        for name, some in members.items():
            some.sort(key=lambda one: in_order(state["alerts"][one]["labels"]))
            flushed = look.at(groups[name], some)
            gone += flushed.gone
            outputs += flushed.outputs
            if flushed.group is None:
                del groups[name]
            else:
                groups[name] = flushed.group
        for one in gone:
            size -= alerts.pop(one)["bytes"]
        if not alerts:
            return Step(None, outputs)
        return Step({**state, "alerts": alerts, "groups": groups, "bytes": size}, outputs)

    def shown(self, state: State) -> list[dict[str, Any]]:
        """What fires, for people, the first ones first. `key` are the labels."""
        firing = [alert for alert in state["alerts"].values() if alert["ends"] is None]
        firing.sort(key=lambda alert: (alert["starts"], alert["opened"]))
        return [
            {
                "key": alert["labels"],
                "opened": alert["opened"],
                "starts_at": transitions.written(alert["starts"]),
                "ends_at": None,
                "alerts": 1,
                "annotations": alert["annotations"],
            }
            for alert in firing[:MOST_SHOWN]
        ]

    def _with(
        self, state: State, said: Transition, known: Mapping[str, Any] | None, at: int, opened: str
    ) -> State:
        labels = self._grouping.group_of(said.labels)
        name = fingerprint(labels) if known is None else known["group"]
        alert = {
            "labels": dict(said.labels),
            "annotations": dict(said.annotations),
            "url": said.url,
            "starts": said.starts,
            "ends": None if said.is_firing else said.ends,
            "opened": opened,
            "group": name,
            "bytes": _size(said),
        }
        group = state["groups"].get(name)
        if group is None:
            # Whoever has fired for so long already is not kept waiting.
            first = max(at + 1, min(at, said.starts) + self._grouping.wait)
            group = flushing.new(labels, min(first, at + max(self._grouping.wait, 1)))
        elif not said.is_firing and self._grouping.resolve is not None:
            group = flushing.hastened(group, said.fingerprint, at + max(self._grouping.resolve, 1))
        return {
            **state,
            "alerts": {**state["alerts"], said.fingerprint: alert},
            "groups": {**state["groups"], name: group},
            "bytes": state["bytes"] + alert["bytes"] - (known["bytes"] if known else 0),
        }


def _size(said: Transition) -> int:
    """About how many bytes it takes in the state."""
    texts = (*said.labels.items(), *said.annotations.items())
    return _OF_EACH + 2 * len(said.url) + sum(2 * len(name) + 3 * len(value) for name, value in texts)
