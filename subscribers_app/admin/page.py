"""What the page of one subscription says, for a person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Sum
from pymongo.errors import PyMongoError

from relaybase.pages.filters import exact
from relaycore.delivering.leasing import State
from relaycore.position import START, before_millisecond, milliseconds_of
from relaycore.times import from_milliseconds
from subscribers_app import activity, dead, ended, lag
from subscribers_app.lag import Lag
from subscribers_app.models import Delivery, HeldBack, Subscription, Undelivered
from subscribers_app.pulling import holding

MOST: Final = 20
"""Rows of each kind. The API has all of them."""

_CAUSES: Final = dict(Undelivered.Cause.choices) | {"dead": "dead: handed out too often"}


_ANSWERS: Final = {
    activity.ACK: "done (ack)",
    activity.NACK: "given back (nack)",
    activity.COMMIT: "done up to a place (commit)",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A message on its way, or dead. `when`: when it is due again, or has died."""

    id: str
    at: datetime
    state: str
    attempt: int
    when: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class Lost:
    """What ended undelivered."""

    at: datetime
    why: str
    since: datetime | None
    until: datetime | None
    messages: int | None


def facts(row: Subscription) -> dict[str, Any]:
    """For the template. A server that does not answer leaves a gap, and no error."""
    found, active = Delivery.objects.filter(subscription=row), activity.of(row)
    going, gone = found.exclude(state=State.DEAD).order_by("position"), list(dead.letters(row)[:MOST])
    try:
        expired = dead.expired(gone)
    except PyMongoError:
        expired = set()
    return {
        "row": row,
        "begins": time_of(row.position),
        "is_at_the_beginning": row.position == START or milliseconds_of(row.position) == 0,
        "behind": lag.of_all([row], lag.MOST)[row.pk],
        "active": active,
        "answer": active and active.answer and _ANSWERS[active.answer.what],
        "going": [_row(one, from_milliseconds(one.due_at)) for one in going[:MOST]],
        "going_count": going.count(),
        "waiting_count": HeldBack.objects.filter(subscription=row).aggregate(Sum("messages"))[
            "messages__sum"
        ],
        "parked_count": holding.parked_count(row.pk),
        "letters": [_row(one, one.died_at, one.position in expired) for one in gone],
        "letters_count": dead.letters(row).count(),
        "lost": [_lost(one) for one in ended.read(row, MOST)],
        "most": MOST,
    }


def time_of(position: str) -> datetime | None:
    """When what stands there was put on the stream; None: it is the beginning."""
    return None if position in {"", START} else from_milliseconds(milliseconds_of(position))


def place(position: str) -> str:
    """The same in words."""
    if time_of(position) is None:
        return "the beginning"
    then = milliseconds_of(position)
    if position == before_millisecond(then + 1):
        return f"right before {exact(from_milliseconds(then + 1))} UTC"
    return f"{exact(from_milliseconds(then))} UTC"


def count(found: Lag | None) -> str:
    """How many are not done."""
    if found is None:
        return "–"
    return f"{found.messages:,}" if found.is_exact else f"about {found.messages:,}"


def _row(one: Delivery, when: datetime | None, is_expired: bool = False) -> Row:
    at = from_milliseconds(milliseconds_of(one.position))
    state = "expired" if is_expired else one.state
    return Row(bytes(one.message_id).hex(), at, state, one.attempt, when, one.why)


def _lost(one: ended.Ended) -> Lost:
    why = f"{_CAUSES[one.cause]} ({one.why})" if one.why else _CAUSES[one.cause]
    since = None if one.messages == 1 else time_of(one.after)
    return Lost(one.at, why, since, time_of(one.upto), one.messages)
