"""Back-tests: what a rule, or a changed one, would have told of what is stored, beside what was really told.

Nothing is sent, and nothing is kept. A rule is a function of the log, so it can be run over any part of it.
It begins with nothing: what was open before the first message is not known to it, so times near the beginning
may look otherwise than they were.

It stops at `MOST_MESSAGES`, or after `SECONDS`, and says up to where it has come.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from alerts_app.models import Rule
from alerts_app.silencing import forces
from channels_app.models import Channel
from messages_app.searching import history, watermark
from relaycore.alerting import rules, speaking
from relaycore.alerting.causes import at_of
from relaycore.alerting.items import Input, Made
from relaycore.alerting.trying import Comparison, Found, Trial
from relaycore.position import at_millisecond
from relaycore.storing import known
from relaycore.times import from_milliseconds, to_milliseconds

MOST_MESSAGES: Final = 100_000
SECONDS: Final = 10.0
MOST_SHOWN: Final = 1000
"""Events of a result."""

MISSING: Final = "missing"
"""It was told, and would not have been."""

FOUND: Final = [*(one.value for one in Found), MISSING]

_AT_ONCE: Final = 500
_MOST_REVISIONS: Final = 50
"""Under so many of the last ones it may have told what it is compared with."""

_NOBODY: Final = "0" * 32


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be tried.

    rule:     with whose outputs it is compared; None: with nothing
    since, until: of which messages; None: all up to now
    shown:    so many events are wanted, the first ones
    """

    channel: Channel
    kind: str
    settings: Mapping[str, Any]
    rule: Rule | None = None
    since: datetime | None = None
    until: datetime | None = None
    shown: int = 100


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it.

    upto:     what would have been told up to then
    is_all:   whether that is all that was asked for
    messages: so many were looked at; unusable: of so many the rule could make nothing
    counts: events by what was told in their place: `FOUND`
    events: some of them, in order
    open:   what would be open in the end
    """

    upto: datetime
    is_all: bool
    messages: int
    unusable: int
    last_unusable: str
    counts: Mapping[str, int]
    events: Sequence[Mapping[str, Any]]
    open: Sequence[Mapping[str, Any]]


def run(asked: Asked) -> Tried:
    """Try it.

    Raises:
        BadRule: these settings cannot be meant.
        Disconnected: nobody knows up to where everything is stored.
        PyMongoError: MongoDB does not answer.
    """
    kind = rules.parse(asked.kind, forces.with_history(asked.kind, asked.settings))
    above = "" if asked.since is None else at_millisecond(to_milliseconds(asked.since))
    ends = known.watermark(watermark.require(asked.channel.partition))
    if asked.until is not None:
        ends = min(ends, at_millisecond(to_milliseconds(asked.until)))
    uuid, revision = (_NOBODY, 0) if asked.rule is None else (asked.rule.uuid.hex, asked.rule.revision)
    trial, messages = Trial(uuid, revision + 1, kind), _Messages(asked.channel.channel, above, ends)
    told = {} if asked.rule is None else _told(asked.rule, above, ends)
    texts = {id: one["message"] for id, one in told.items()}
    comparison = Comparison(uuid, texts, range(max(1, revision - _MOST_REVISIONS), revision + 1))
    counts, events = Counter[str](), list[_Event]()
    for made in _made(trial, messages):
        found, instead = comparison.see(made)
        counts[found.value] += 1
        if len(events) < asked.shown:
            events.append(_event(made, found, instead))
    missing = sorted(
        (_missing(told[id]) for id in comparison.missing if _cause(told[id]) <= messages.upto), key=_when
    )
    counts[MISSING] += len(missing)
    shown = sorted([*events, *missing[: asked.shown]], key=_when)[: asked.shown]
    unusable, last_unusable = trial.unusable
    return Tried(
        upto=from_milliseconds(at_of(messages.upto)),
        is_all=messages.is_all,
        messages=trial.inputs,
        unusable=unusable,
        last_unusable=last_unusable,
        counts={name: counts[name] for name in FOUND},
        events=[event for _, event in shown],
        open=trial.open()[: asked.shown],
    )


_Event = tuple[str, dict[str, Any]]
"""Its cause, and what is shown of it."""


def _made(trial: Trial, messages: "_Messages") -> Iterator[Made]:
    """What is said of all that could be read, and of timers up to there."""
    yield from trial.run(messages, 0)
    yield from trial.run((), at_of(messages.upto))


class _Messages:
    """Those of a channel from one position to before another one, oldest first, as far as there is time.

    upto: all below this position were read
    """

    def __init__(self, channel: str, above: str, below: str) -> None:
        self._wanted = {"channel": channel, "position": {"$gte": above, "$lt": below}}
        self.is_all = True
        self.upto = below

    def __iter__(self) -> Iterator[Input]:
        ends, count = time.monotonic() + SECONDS, 0
        found = history.collection().find(self._wanted, hint="channel_position").sort("position", 1)
        with found.batch_size(_AT_ONCE) as cursor:
            for document in cursor:
                position = document["position"]
                if count >= MOST_MESSAGES or time.monotonic() > ends:
                    self.is_all, self.upto = False, position
                    return
                count += 1
                yield Input.of(document)


def _told(rule: Rule, above: str, below: str) -> dict[bytes, dict[str, Any]]:
    """What the rule has told by causes from the one position to before the other, by `_id`."""
    wanted = {
        "channel": rule.to.channel,
        "position": {"$gte": above},
        "attributes.rule": rule.uuid.hex,
        "produced_by": {"$regex": speaking.RULES},
    }
    found = (
        history.collection().find(wanted, hint="channel_position").sort("position", 1).limit(MOST_MESSAGES)
    )
    return {one["_id"].binary: one for one in found if above <= _cause(one) < below}


def _cause(told: Mapping[str, Any]) -> str:
    return str(told["attributes"].get("cause", ""))


def _event(made: Made, found: Found, instead: str | None) -> _Event:
    return made.cause, {
        "found": found.value,
        "event": made.output.kind,
        "at": from_milliseconds(at_of(made.cause)),
        "message": made.output.message,
        "told": made.output.message if found is Found.SAME else instead,
    }


def _missing(told: Mapping[str, Any]) -> _Event:
    cause, message = _cause(told), told["message"]
    return cause, {
        "found": MISSING,
        "event": told["attributes"].get("event"),
        "at": from_milliseconds(at_of(cause)),
        "message": None,
        "told": message,
    }


def _when(event: _Event) -> str:
    return event[0]
