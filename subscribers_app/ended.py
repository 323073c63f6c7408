"""What ended undelivered, and why, in one list: what nobody was given, what somebody let go, what is dead.

That dead letters begin is told (`events_app`): by whoever writes them, in his transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import connection
from django.db.backends.utils import CursorWrapper

from events_app.noting import Type, note
from relaybase.postgres.clock import NOW_MS
from relaycore.delivering.leasing import Delivery, State
from subscribers_app.models import Subscription

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)

# A record and a dead letter of the same instant: the kind and the number tell them apart.
_LIST: Final = """
SELECT * FROM (
    SELECT at, 'r' AS kind, id, cause, after, upto, messages, '' AS why
    FROM undelivered WHERE subscription_id = %(id)s AND at >= %(since)s AND at <= %(until)s
    UNION ALL
    SELECT died_at, 'd', id, 'dead', '', position, 1, why
    FROM deliveries
    WHERE subscription_id = %(id)s AND state = 'dead' AND died_at >= %(since)s AND died_at <= %(until)s
) AS ended
WHERE (at, kind, id) < (%(until)s, %(kind)s, %(number)s)
ORDER BY at DESC, kind DESC, id DESC LIMIT %(limit)s
"""


_FIRST_DEATH: Final = f"""
SELECT s.name, c.channel, s.kind, {NOW_MS} FROM subscriptions AS s JOIN channels AS c ON c.id = s.channel_id
WHERE s.id = %s AND NOT EXISTS (SELECT FROM deliveries WHERE subscription_id = s.id AND state = 'dead')
"""  # noqa: S608 -- a constant


def tell_of_the_first(sql: CursorWrapper, id: int, rows: Iterable[Delivery]) -> None:
    """Note that dead letters begin, if there is one among these rows, which are written next, and no other.

    Called with the subscription locked.
    """
    dead = next((row for row in rows if row.state is State.DEAD), None)
    if dead is None:
        return
    sql.execute(_FIRST_DEATH, [id])
    if (found := sql.fetchone()) is not None:
        name, channel, kind, now = found
        data = {"channel": channel, "kind": kind, "message_id": dead.id.hex(), "why": dead.why}
        note(sql, Type.DEAD_LETTERS, id, now, f"subscriptions/{name}", data)


@dataclass(frozen=True, slots=True)
class Place:
    """Behind one row of the list, as it is sorted."""

    at: datetime
    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Messages above `after`, up to `upto`; at most so many, None: it is not known.

    after: empty for a dead letter, which is the one message at `upto`
    why:   of a dead letter: what it died of
    """

    place: Place
    cause: str
    after: str
    upto: str
    messages: int | None
    why: str

    @property
    def at(self) -> datetime:
        """When that was put on record."""
        return self.place.at


def read(
    row: Subscription, limit: int, since: datetime | None = None, behind: Place | None = None
) -> Sequence[Ended]:
    """At most so many, the last first. `since`: from then on; `behind`: that come after this row."""
    until = behind or Place(_LAST, "z", 0)
    asked: dict[str, int | str | datetime] = {
        "id": row.pk,
        "since": since or _FIRST,
        "until": until.at,
        "kind": until.kind,
        "number": until.number,
        "limit": limit,
    }
    with connection.cursor() as sql:
        sql.execute(_LIST, asked)
        return [Ended(Place(*line[:3]), *line[3:]) for line in sql.fetchall()]
