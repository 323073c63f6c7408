"""What there is to see of subscriptions: at most `NAMED` of them by name, all others together."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from subscribers_app import watching
from subscribers_app.lag import Lag
from subscribers_app.measuring import measuring
from subscribers_app.watching import EndedLately, Watched
from webhooks_app import watching as webhooks
from webhooks_app.watching import Endpoints

NAMED: Final = 500
"""Those that were made first."""

LATE_SECONDS: Final = 60.0
"""Whose oldest message could have been handed out for so long is named to people."""

_PATIENCE_SECONDS: Final = 1.5
"""For a round of `measuring`: what it does not come to is known from before, or not."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A subscription, or all together that have no place of their own; then the name is empty.

    lag:  None: it is not known. Of several: the sum, and the age of the oldest message
    ended: what ended undelivered lately, by cause
    is_active: it is not paused, nor is it pushed to an endpoint that is not active
    idle_seconds: None: it is pushed, so nobody asks
    answered_seconds: None: no reader has said anything; of several: not known
    """

    name: str
    is_active: bool
    delay_seconds: int
    lag: Lag | None
    outstanding: int
    dead: int
    parked: int
    idle_seconds: float | None
    handed_out: int
    done: int
    nacked: int
    uncounted: int
    answered_seconds: float | None
    ended: Mapping[str, EndedLately]

    @property
    def overdue_seconds(self) -> float | None:
        """For how long the oldest message that is not done could have been handed out; None: not known."""
        return None if self.lag is None else self.lag.overdue_seconds(self.delay_seconds)


@dataclass(frozen=True, slots=True)
class Readers:
    """Subscriptions, and where they are pushed to.

    states: how many subscriptions there are, by state; not all of them are among the others
    """

    states: Mapping[str, int]
    readers: Sequence[Reader]
    endpoints: Endpoints


def read_readers() -> Readers:
    """All subscriptions, each with what is known of it, and all endpoints.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    states, rows, ended = watching.states(), watching.watch(), watching.ended_lately()
    lags = measuring().lags(rows, _PATIENCE_SECONDS)
    causes: dict[int, dict[str, EndedLately]] = {}
    for (id, cause), one in ended.items():
        causes.setdefault(id, {})[cause] = one
    asleep = webhooks.asleep()
    found = [_reader(row, lags.get(row.id), causes.get(row.id, {}), row.id in asleep) for row in rows]
    named, others = found[:NAMED], found[NAMED:]
    readers = [*named, *([_together(others)] if others else [])]
    return Readers(states, readers, webhooks.watch())


def _reader(row: Watched, lag: Lag | None, ended: Mapping[str, EndedLately], is_asleep: bool) -> Reader:
    return Reader(
        name=row.name,
        is_active=row.is_active and not is_asleep,
        delay_seconds=row.delay_seconds,
        lag=lag,
        outstanding=row.outstanding,
        dead=row.dead,
        parked=row.parked,
        idle_seconds=row.idle_seconds,
        handed_out=row.handed_out,
        done=row.done,
        nacked=row.nacked,
        uncounted=row.uncounted,
        answered_seconds=None if row.answered_seconds is None else max(0.0, row.answered_seconds),
        ended=ended,
    )


def _together(readers: Sequence[Reader]) -> Reader:
    """As one. The oldest message and the longest silence are those of who is to be handed anything."""
    active = [one for one in readers if one.is_active]

    def total(of: Callable[[Reader], int]) -> int:
        return sum(map(of, readers))

    return Reader(
        name="",
        is_active=bool(active),
        delay_seconds=0,
        lag=_sum(active),
        outstanding=total(lambda one: one.outstanding),
        dead=total(lambda one: one.dead),
        parked=total(lambda one: one.parked),
        idle_seconds=max(
            (one.idle_seconds or 0.0 for one in active if not one.lag or one.lag.messages), default=0.0
        ),
        handed_out=total(lambda one: one.handed_out),
        done=total(lambda one: one.done),
        nacked=total(lambda one: one.nacked),
        uncounted=total(lambda one: one.uncounted),
        answered_seconds=None,
        ended={cause: _all(readers, cause) for cause in {name for one in readers for name in one.ended}},
    )


def _sum(readers: Iterable[Reader]) -> Lag | None:
    lags = [(one.lag, one.overdue_seconds) for one in readers]
    known = [(lag, age or 0.0) for lag, age in lags if lag is not None]
    if len(known) < len(lags):
        return None
    messages = sum(lag.messages for lag, _ in known)
    oldest = max((age for lag, age in known if lag.messages), default=None)
    return Lag(messages, all(lag.is_exact for lag, _ in known), oldest)


def _all(readers: Iterable[Reader], cause: str) -> EndedLately:
    found = [one.ended[cause] for one in readers if cause in one.ended]
    numbers = [one.messages for one in found if one.messages is not None]
    return EndedLately(
        sum(one.records for one in found), sum(numbers) if len(numbers) == len(found) else None
    )
