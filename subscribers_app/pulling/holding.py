"""What waits behind another message of its key, in PostgreSQL: rows in, rows out, nothing is decided here.

Every function is called in a transaction, after `ledger.lock`, but for `parked`, which only looks.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.backends.utils import CursorWrapper

from relaybase.postgres.values import execute_values
from relaycore.delivering.holding import Held

IS_OPEN: Final = (
    "NOT EXISTS (SELECT FROM deliveries AS d WHERE d.subscription_id = h.subscription_id "
    "AND d.state <> 'dead' AND d.key <> '' AND d.key = h.key)"
)
"""Of a row `h`: nothing of its key is on its way."""

HAS_FAILED: Final = "state <> 'dead' AND key <> '' AND (attempt > 1 OR (state = 'waiting' AND attempt > 0))"
"""Of a delivery: it has been given back, or its deadline has passed, and its key waits for it.

Where messages are pushed one that has not been tried yet may have a row: what waits behind it has not failed.
"""

_COLUMNS: Final = "key, above, upto, messages"


@dataclass(frozen=True, slots=True)
class Waiting:
    """As `relaycore.delivering.leasing.Rows` has it. `opened`: so many keys are open."""

    busy: Collection[str]
    held: Mapping[str, Held]
    open: Sequence[Held]
    opened: int


def waiting(sql: CursorWrapper, id: int, keys: Collection[str], most: int) -> Waiting:
    """What there is of these keys; and of those that are open the lowest, at most so many."""
    wanted = sorted(set(keys) - {""})
    sql.execute(
        "SELECT DISTINCT key FROM deliveries "
        "WHERE subscription_id = %s AND state <> 'dead' AND key <> '' AND key = ANY(%s)",
        [id, wanted],
    )
    busy = {key for (key,) in sql.fetchall()}
    sql.execute(
        f"SELECT {_COLUMNS} FROM held_back "  # noqa: S608 -- a constant, here and below
        "WHERE subscription_id = %s AND key = ANY(%s)",
        [id, wanted],
    )
    held = {row[0]: Held(*row) for row in sql.fetchall()}
    sql.execute(
        f"SELECT {_COLUMNS}, count(*) OVER () FROM held_back AS h "  # noqa: S608
        f"WHERE subscription_id = %s AND {IS_OPEN} ORDER BY above LIMIT %s",
        [id, most],
    )
    rows = sql.fetchall()
    return Waiting(busy, held, [Held(*row[:4]) for row in rows], rows[0][4] if rows else 0)


def all_of(sql: CursorWrapper, id: int) -> list[Held]:
    """All that waits."""
    sql.execute(f"SELECT {_COLUMNS} FROM held_back WHERE subscription_id = %s", [id])  # noqa: S608
    return [Held(*row) for row in sql.fetchall()]


def write(sql: CursorWrapper, id: int, held: Sequence[Held], free: Sequence[str]) -> None:
    """What waits from now on; of the keys that are free nothing does."""
    if held:
        execute_values(
            sql,
            f"INSERT INTO held_back (subscription_id, {_COLUMNS}) VALUES %s "  # noqa: S608
            "ON CONFLICT (subscription_id, key) DO UPDATE SET above = excluded.above, "
            "upto = excluded.upto, messages = excluded.messages",
            [(id, one.key, one.above, one.upto, one.messages) for one in held],
            page_size=1000,
        )
    if free:
        sql.execute("DELETE FROM held_back WHERE subscription_id = %s AND key = ANY(%s)", [id, list(free)])


def delete(sql: CursorWrapper, id: int) -> None:
    """A seek begins anew."""
    sql.execute("DELETE FROM held_back WHERE subscription_id = %s", [id])


@dataclass(frozen=True, slots=True)
class Parked:
    """A key whose message fails: nothing else of it is handed out.

    messages: so many wait behind it, at most
    since:    when it was handed out first
    due_at:   ms since 1970: from then on it is handed out again
    """

    key: str
    message_id: bytes
    position: str
    state: str
    attempt: int
    since: datetime
    due_at: int
    messages: int


def parked(id: int, above: str, most: int) -> list[Parked]:
    """Those of a subscription whose keys come after this one, in their order. May raise `django.db.Error`."""
    with connection.cursor() as sql:
        sql.execute(
            "SELECT DISTINCT ON (d.key) d.key, d.message_id, d.position, d.state, d.attempt, d.created_at, "  # noqa: S608
            "d.due_at, coalesce((SELECT messages FROM held_back AS h "
            "WHERE h.subscription_id = d.subscription_id AND h.key = d.key), 0) "
            f"FROM (SELECT * FROM deliveries WHERE subscription_id = %s AND key > %s AND {HAS_FAILED}) AS d "
            "ORDER BY d.key, d.position LIMIT %s",
            [id, above, most],
        )
        return [Parked(key, bytes(message), *others) for key, message, *others in sql.fetchall()]


def parked_count(id: int) -> int:
    """How many keys of a subscription are. May raise `django.db.Error`."""
    with connection.cursor() as sql:
        sql.execute(
            f"SELECT count(DISTINCT key) FROM deliveries WHERE subscription_id = %s AND {HAS_FAILED}",  # noqa: S608
            [id],
        )
        count: int = sql.fetchone()[0]
        return count
