"""What there is to see of rules: how far behind they are, how late, and what they have said."""

from dataclasses import dataclass
from typing import Final

from alerts_app import keeping
from alerts_app.models import Rule
from messages_app.searching import history
from relaybase.connections import shared_redis
from relaybase.redis import clock
from relaycore.position import milliseconds_of

MOST: Final = 500
"""Those that were made first: each costs a question or two."""


@dataclass(frozen=True, slots=True)
class WatchedRule:
    """A rule.

    behind_seconds: since the oldest message was put on the stream that it has not come past; 0: there is none
    late_seconds:   since the earliest timer was due that has not fired; 0: none is
    outputs:        so many were stored
    unusable:       so many messages could not be used
    open:           so many alerts are
    """

    name: str
    is_active: bool
    behind_seconds: float
    late_seconds: float
    outputs: int
    unusable: int
    open: int


def watch() -> list[WatchedRule]:
    """Each rule, by how it stands now.

    Raises:
        django.db.Error, PyMongoError, redis.RedisError: a server does not answer.
    """
    rows = list(Rule.objects.select_related("channel").order_by("pk")[:MOST])
    if not rows:
        return []
    uuids = [row.uuid.hex for row in rows]
    stands, counts = keeping.frontiers(uuids), keeping.count_open(uuids)
    due = keeping.earliest_due(uuids)
    now = clock.milliseconds(shared_redis())
    found = []
    for row, uuid in zip(rows, uuids, strict=True):
        stand = stands.get(uuid)
        position = row.position if stand is None else max(row.position, stand.position)
        found.append(
            WatchedRule(
                name=row.name,
                is_active=row.state == Rule.State.ACTIVE,
                behind_seconds=_seconds_since(_oldest_above(row.channel.channel, position), now),
                late_seconds=_seconds_since(due.get(uuid), now),
                outputs=0 if stand is None else stand.outputs,
                unusable=0 if stand is None else stand.unusable,
                open=counts.get(uuid, 0),
            )
        )
    return found


def _oldest_above(channel: str, position: str) -> int | None:
    found = history.collection().find_one(
        {"channel": channel, "position": {"$gt": position}}, {"position": 1}, sort=[("position", 1)]
    )
    return None if found is None else milliseconds_of(found["position"])


def _seconds_since(at: int | None, now: int) -> float:
    return 0.0 if at is None else max(0.0, (now - at) / 1000)
