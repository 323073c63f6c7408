"""A look at one group: whether something is told of it, what, and why.

Alertmanager's reasons, in its words, as it decides where it knows which alerts it has held back:

===========================  ===================================================================
`first notification`         something fires, and nothing was told that still does
`new alerts added`           something fires of which nothing was told
`some alerts unmuted`        the same, and all of it was held back before: a silence has ended
`some alerts resolved`       something has ended, others fire
`all alerts resolved`        everything has ended, and something of it was told
`repeat interval elapsed`    nothing has changed for so long
===========================  ===================================================================

Here beyond it
    An alert of which was told, and which ends while it is held back, is told as resolved: who heard the
    beginning hears the end. Where nothing may be said just then, it waits for the first look at which
    something may. One that was told, was held back and still fires is told again once it is not.

A group, as JSON
    `labels`; `tick`, when it is looked at next; `soon`, the same out of turn, or None; `told`: what its
    receiver takes to fire; `at`: when it was told something last, or None; `muted`: what was held back at the
    last look, and the silence, if it was one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from relaycore.alerting.items import Output
from relaycore.alerting.labelled import payload, silences
from relaycore.alerting.labelled.grouping import ALL, Grouping
from relaycore.alerting.labelled.inhibition import Inhibitor

FIRST: Final = "first notification"
ADDED: Final = "new alerts added"
UNMUTED: Final = "some alerts unmuted"
SOME_RESOLVED: Final = "some alerts resolved"
ALL_RESOLVED: Final = "all alerts resolved"
REPEATED: Final = "repeat interval elapsed"

NOTICE: Final = "notice"
DRILL_LABEL: Final = "drill"
"""Alerts that have it with the value `true` are a drill."""

GroupState = Mapping[str, Any]


def new(labels: Mapping[str, str], due: int) -> dict[str, Any]:
    """A group of which nothing was told yet."""
    return {"labels": dict(labels), "tick": due, "soon": None, "told": [], "at": None, "muted": {}}


def hastened(group: GroupState, alert: str, due: int) -> GroupState:
    """It is looked at by then, if something was told of this alert: a fingerprint."""
    if alert not in group["told"]:
        return group
    return {**group, "soon": min(due, group["soon"] or due)}


def due(group: GroupState) -> int:
    """When it is looked at next."""
    tick: int = group["tick"]
    return min(tick, group["soon"] or tick)


@dataclass(frozen=True, slots=True)
class Flushed:
    """What is left of a group (None: nothing), which alerts are over, and what is told."""

    group: GroupState | None
    gone: Sequence[str]
    outputs: Sequence[Output]


class Look:
    """At the groups that are due in one moment.

    alerts: all of the rule, by fingerprint
    """

    def __init__(self, grouping: Grouping, alerts: Mapping[str, Mapping[str, Any]], at: int) -> None:
        self._grouping = grouping
        self._alerts = alerts
        self._at = at
        self._is_quiet = grouping.is_quiet(at)
        firing = ((one, alert["labels"]) for one, alert in alerts.items() if alert["ends"] is None)
        self._inhibitor = Inhibitor(grouping.inhibitions, firing)
        self._silences = [one for one in grouping.silences if one.state(at) == silences.ACTIVE]

    def at(self, group: GroupState, members: Sequence[str]) -> Flushed:
        """One of them. `members`: the fingerprints of its alerts, in order."""
        firing = [one for one in members if self._alerts[one]["ends"] is None]
        ended = [one for one in members if self._alerts[one]["ends"] is not None]
        told = frozenset(group["told"])
        muted = {one: why for one in members if (why := self._muted(one)) is not None}
        seen = [one for one in firing if one not in muted]
        over = [one for one in ended if one in told or one not in muted]
        news = [one for one in seen if one not in told or one in group["muted"]]
        reason = self._reason(group, firing, seen, over, news)

        outputs: list[Output] = []
        if reason is not None:
            telling = seen if self._grouping.says == ALL or reason == REPEATED else news
            telling = telling + (over if self._grouping.sends_resolved else [])
            if telling:
                woken = [group["muted"][one] for one in news if one in group["muted"]]
                outputs.append(self._notice(group, telling, reason, woken))
        tells_later = self._is_quiet and self._grouping.sends_resolved
        waiting = [one for one in ended if tells_later and one in told]
        left = self._left(group, told | set(seen), firing, waiting, muted, is_told=reason is not None)
        return Flushed(left, [one for one in ended if one not in waiting], outputs)

    def _reason(
        self,
        group: GroupState,
        firing: Sequence[str],
        seen: Sequence[str],
        over: Sequence[str],
        news: Sequence[str],
    ) -> str | None:
        """Why something is told; None: nothing is."""
        if self._is_quiet:
            return None
        if not firing:
            return ALL_RESOLVED if group["told"] else None
        if news:
            return _why_new(group, news)
        if over and self._grouping.sends_resolved:
            return SOME_RESOLVED
        if seen and group["at"] is not None and self._at >= group["at"] + self._grouping.repeat:
            return REPEATED
        return None

    def _muted(self, alert: str) -> str | None:
        """The id of the silence that holds this alert back; empty: something else does; None: nothing."""
        labels = self._alerts[alert]["labels"]
        found = silences.muting(self._silences, labels, self._at)
        if found:
            return min(found)
        return "" if self._is_quiet or self._inhibitor.inhibiting(labels) else None

    def _left(
        self,
        group: GroupState,
        told: frozenset[str],
        firing: Sequence[str],
        waiting: Sequence[str],
        muted: Mapping[str, str],
        *,
        is_told: bool,
    ) -> GroupState | None:
        """What is left of it. `waiting`: what has ended, and will be told later."""
        if not firing and not waiting:
            return None
        tick = group["tick"]
        if tick <= self._at:
            # By its own clock, however late it is looked at.
            tick += self._grouping.interval * ((self._at - tick) // self._grouping.interval + 1)
        return {
            **group,
            "tick": tick,
            "soon": None,
            "told": [one for one in (*firing, *waiting) if one in told],
            "at": self._at if is_told else group["at"],
            "muted": {one: muted[one] for one in firing if one in muted},
        }

    def _notice(self, group: GroupState, telling: Sequence[str], reason: str, woken: Sequence[str]) -> Output:
        told = [(one, self._alerts[one]) for one in telling]
        is_drill = self._grouping.is_drill or all(
            alert["labels"].get(DRILL_LABEL) == "true" for _, alert in told
        )
        text = payload.message(
            told,
            group["labels"],
            receiver=self._grouping.receiver,
            external_url=self._grouping.external_url,
            reason=reason,
            most=self._grouping.most_alerts,
            is_drill=is_drill,
        )
        attributes = {
            "receiver": self._grouping.receiver,
            "status": payload.status_of(told),
            "reason": reason,
        }
        if ended := sorted({id for id in woken if id}):
            # As many as there is room for: the silences that have held it back until now.
            attributes["silence-ended"] = ",".join(ended[:20])
        if is_drill:
            attributes["drill"] = "true"
        return Output(NOTICE, text, attributes=attributes)


def _why_new(group: GroupState, news: Sequence[str]) -> str:
    if all(one in group["muted"] for one in news):
        return UNMUTED
    return ADDED if group["told"] else FIRST
