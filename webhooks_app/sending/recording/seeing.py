"""What a sender says of endpoints: how their breakers stand, since when they fail, what was answered last.

And what is told of that on `relay/events`.

In a transaction of its own, after what was delivered is recorded: whoever holds a lock on an endpoint keeps
nothing from being recorded but what is said of this one. That is said again at the next turn.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

from django.db.backends.utils import CursorWrapper

from events_app.noting import Type, note
from leases_app.leasing import Term
from relaycore.sending.breaker import Breaker
from relaycore.sending.failing import Failing
from relaycore.sending.faring import Faring
from relaycore.times import from_milliseconds
from subscribers_app.pulling import ledger

log = logging.getLogger(__name__)

MOST: Final = 1000
"""Endpoints in one transaction: it holds their locks."""


SECONDS: Final = 5.0
"""So often it is said what was answered. What changes of a breaker is at once."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a sender says of an endpoint, if it still is of this revision. Times: PostgreSQL's ms.

    last_attempt_at, last_success_at: None: in this term there was none, and what stands there stays
    """

    endpoint: int
    revision: int
    breaker: Breaker
    failing: Failing
    state: str
    last_status: int | None = None
    last_failure: str = ""
    last_attempt_at: int | None = None
    last_success_at: int | None = None


class Seeing(Protocol):
    """Whoever sees an endpoint."""

    faring: Faring


Lane = TypeVar("Lane", bound=Seeing)


class Rhythm(Generic[Lane]):
    """What is said when, of the endpoints of one sender. One of which nothing is heard takes no time."""

    def __init__(self) -> None:
        self._said_at = float("-inf")
        self._heard: dict[Lane, None] = {}

    def hear(self, lane: Lane) -> None:
        """There may be something to say of this one."""
        self._heard[lane] = None

    def forget(self, lane: Lane) -> None:
        """It is not here any more."""
        self._heard.pop(lane, None)

    def due(self, *, is_last: bool) -> list[Lane]:
        """Those of which something is to be written now; of too many, some. `is_last`: no more is said."""
        now = time.monotonic()
        is_news = is_last or now - self._said_at >= SECONDS
        found = [one for one in self._heard if one.faring.is_changed or (is_news and one.faring.has_news)]
        if is_news and len(found) <= MOST:
            self._said_at = now
        for one in found[:MOST]:
            del self._heard[one]
        return found[:MOST]


_WRITE: Final = """
WITH said AS MATERIALIZED (
  SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::integer[], %s::bigint[],
    %s::bigint[], %s::smallint[], %s::text[], %s::bigint[], %s::bigint[])
  AS v (id, revision, state, until, failures, since, failed_at, status, failure, attempt_ms, success_ms)
), free AS MATERIALIZED (
  SELECT e.id, e.name, e.failing_since, e.failed_at
  FROM endpoints AS e JOIN said ON said.id = e.id AND said.revision = e.revision
  WHERE EXISTS (SELECT FROM leases
    WHERE role = %s AND partition = %s AND slot = %s AND epoch = %s AND holder = %s)
  ORDER BY e.id FOR NO KEY UPDATE OF e SKIP LOCKED
)
UPDATE endpoints AS e SET breaker = said.state, breaker_until = said.until, breaker_failures = said.failures,
  failing_since = said.since, failed_at = said.failed_at,
  last_status = CASE WHEN said.attempt_ms IS NULL THEN e.last_status ELSE said.status END,
  last_failure = CASE WHEN said.attempt_ms IS NULL THEN e.last_failure ELSE said.failure END,
  last_attempt_at = coalesce(to_timestamp(said.attempt_ms / 1000.0), e.last_attempt_at),
  last_success_at = coalesce(to_timestamp(said.success_ms / 1000.0), e.last_success_at)
FROM free JOIN said USING (id) WHERE e.id = free.id
RETURNING e.id, free.name, free.failing_since, free.failed_at
"""


def write(sql: CursorWrapper, term: Term, seen: Sequence[Seen]) -> set[int]:
    """Those endpoints of which it is written. Of others somebody holds the lock, or it is another one by now.

    Nothing is, if the term is over.
    """
    if not seen:
        return set()
    ledger.begin(sql, frozenset(), is_skipping=True)
    columns = zip(*(_row(one) for one in seen), strict=True)
    lease = (term.role, term.partition, term.slot, term.epoch, term.holder)
    sql.execute(_WRITE, [*map(list, columns), *lease])
    said = {one.endpoint: one for one in seen}
    before = {id: (name, Failing(since, last)) for id, name, since, last in sql.fetchall()}
    for id, (name, failing) in before.items():
        _tell(sql, name, said[id], failing)
    sql.execute("COMMIT")
    return set(before)


def _row(one: Seen) -> tuple[int | str | None, ...]:
    return (
        *(one.endpoint, one.revision, one.state, one.breaker.until, one.breaker.failures),
        *(one.failing.since, one.failing.last, one.last_status, one.last_failure),
        *(one.last_attempt_at, one.last_success_at),
    )


def _tell(sql: CursorWrapper, name: str, seen: Seen, before: Failing) -> None:
    """Of each stage once, whatever it was that has failed, and however often."""
    failing, subject = seen.failing, f"endpoints/{name}"
    if failing.since is None and before.since is not None and failing.is_recovery(before):
        data: dict[str, Any] = {"failing_since": _time(before.since)}
        note(sql, Type.RECOVERED, seen.endpoint, before.since, subject, data)
        log.info("endpoint %s takes messages again", name)
    elif failing.since is not None and (lasts := failing.warning(before)) is not None:
        data = {
            "failing_since": _time(failing.since),
            "failing_seconds": lasts // 1000,
            "disabled_at": _time(failing.ends_at or failing.since),
            "breaker": seen.state,
            "last_status": seen.last_status,
            "last_failure": seen.last_failure or None,
        }
        note(sql, Type.FAILING, seen.endpoint, failing.since + lasts, subject, data)
        log.warning("endpoint %s has done nothing but fail for %d s", name, lasts // 1000)


def _time(milliseconds: int) -> str:
    return from_milliseconds(milliseconds).isoformat()
