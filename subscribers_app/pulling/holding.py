"""What waits behind another message of its key, in PostgreSQL: rows in, rows out, nothing is decided here.

Every function is called in a transaction, after `ledger.lock`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.backends.utils import CursorWrapper

from relaybase.postgres.values import execute_values
from relaycore.delivering.holding import Held

IS_OPEN: Final = (
    "NOT EXISTS (SELECT FROM deliveries AS d WHERE d.subscription_id = h.subscription_id "
    "AND d.state <> 'dead' AND d.key <> '' AND d.key = h.key)"
)
"""Of a row `h`: nothing of its key is on its way."""

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
