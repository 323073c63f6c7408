"""What a sender has seen of an endpoint, as it is written, and what is told of that."""

import logging
from dataclasses import dataclass
from typing import Any

from django.db.backends.utils import CursorWrapper

from events_app.noting import Type, note
from relaycore.sending.breaker import Breaker
from relaycore.sending.failing import Failing
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a sender says of an endpoint, if it still is of this revision. Times: PostgreSQL's ms."""

    endpoint: int
    revision: int
    breaker: Breaker
    failing: Failing
    state: str
    last_status: int | None
    last_failure: str
    last_attempt_at: int | None
    last_success_at: int | None


def write(sql: CursorWrapper, seen: Seen) -> None:
    """Write it, in a transaction that has locked subscriptions.

    Whoever has locked the endpoint locks its subscriptions after it. So he is not waited for: he is about to
    change its revision, and then this says nothing of it any more.
    """
    sql.execute(
        "SELECT name, failing_since, failed_at FROM endpoints WHERE id = %s AND revision = %s "
        "FOR NO KEY UPDATE SKIP LOCKED",
        [seen.endpoint, seen.revision],
    )
    if (found := sql.fetchone()) is None:
        return
    name, since, last = found
    sql.execute(
        "UPDATE endpoints SET breaker = %s, breaker_until = %s, breaker_failures = %s, failing_since = %s, "
        "failed_at = %s, last_status = %s, last_failure = %s, "
        "last_attempt_at = to_timestamp(%s / 1000.0), last_success_at = to_timestamp(%s / 1000.0) "
        "WHERE id = %s",
        [
            *(seen.state, seen.breaker.until, seen.breaker.failures, seen.failing.since, seen.failing.last),
            *(seen.last_status, seen.last_failure, seen.last_attempt_at, seen.last_success_at),
            seen.endpoint,
        ],
    )
    _tell(sql, name, seen, Failing(since, last))


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
