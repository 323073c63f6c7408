"""What ended undelivered, and why, in one list: what nobody was given, what somebody let go, what is dead."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import connection

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
