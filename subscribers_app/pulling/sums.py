"""What web processes have counted of subscriptions, written to PostgreSQL: all ever, and by the minute.

Of minutes there are two rows for each subscription, the even and the odd one: that which goes on and the one
before, or older ones, which are begun anew. So a rate costs no row more, however long it goes on.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.backends.utils import CursorWrapper

from relaybase.postgres.values import execute_values

NEVER: Final = float("-inf")


@dataclass(frozen=True, slots=True)
class Sums:
    """Of one subscription, since it was brought last.

    uncounted:     commits of which nobody knows how many messages they were
    handed_out_at: when that was last, by the monotonic clock; `done_at` and `nacked_at` as well
    """

    handed_out: int = 0
    done: int = 0
    nacked: int = 0
    uncounted: int = 0
    handed_out_at: float = NEVER
    done_at: float = NEVER
    nacked_at: float = NEVER

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.handed_out + other.handed_out,
            self.done + other.done,
            self.nacked + other.nacked,
            self.uncounted + other.uncounted,
            max(self.handed_out_at, other.handed_out_at),
            max(self.done_at, other.done_at),
            max(self.nacked_at, other.nacked_at),
        )

    def __bool__(self) -> bool:
        return any((self.handed_out, self.done, self.nacked, self.uncounted))


_GIVEN: Final = "(id, handed_out, done, nacked, uncounted, handed_out_ago, done_ago, nacked_ago)"
_AGES: Final = ("handed_out", "done", "nacked")

_EVER: Final = (
    "INSERT INTO subscription_counts AS c "  # noqa: S608 -- constants, here and below
    "(subscription_id, handed_out, done, nacked, uncounted, handed_out_at, done_at, nacked_at) "
    "SELECT v.id, v.handed_out, v.done, v.nacked, v.uncounted, "
    + ", ".join(f"clock_timestamp() - make_interval(secs => v.{name}_ago)" for name in _AGES)
    + f" FROM (VALUES %s) AS v {_GIVEN} "
    "WHERE EXISTS (SELECT FROM subscriptions WHERE id = v.id) ORDER BY v.id "
    "ON CONFLICT (subscription_id) DO UPDATE SET handed_out = c.handed_out + excluded.handed_out, "
    "done = c.done + excluded.done, nacked = c.nacked + excluded.nacked, "
    "uncounted = c.uncounted + excluded.uncounted, "
    + ", ".join(f"{name}_at = greatest(c.{name}_at, excluded.{name}_at)" for name in _AGES)
)

_ADDED: Final = ", ".join(
    f"{name} = CASE WHEN m.minute = excluded.minute THEN m.{name} ELSE 0 END + excluded.{name}"
    for name in ("handed_out", "done", "nacked", "uncounted")
)

# Who comes with a minute that is over, since he was held up, adds nothing: it was begun anew.
_MINUTES: Final = (
    "INSERT INTO subscription_minutes AS m "  # noqa: S608
    "(subscription_id, is_odd, minute, handed_out, done, nacked, uncounted) "
    "SELECT v.id, now.minute %% 2 = 1, now.minute, v.handed_out, v.done, v.nacked, v.uncounted "
    f"FROM (VALUES %s) AS v {_GIVEN}, "
    "(SELECT floor(extract(epoch FROM clock_timestamp()) / 60)::bigint AS minute) AS now "
    "WHERE EXISTS (SELECT FROM subscriptions WHERE id = v.id) ORDER BY v.id "
    f"ON CONFLICT (subscription_id, is_odd) DO UPDATE SET {_ADDED}, minute = excluded.minute "
    "WHERE m.minute <= excluded.minute"
)

_TEMPLATE: Final = "(%s, %s, %s, %s, %s, %s::float8, %s::float8, %s::float8)"


def add(sql: CursorWrapper, counts: Mapping[int, Sums]) -> None:
    """Add what was counted, by the ids of subscriptions. What is deleted is left out.

    Rows are written in the order of their ids, after any subscription that the transaction locks.
    """
    given = list(_given(counts, time.monotonic()))
    for statement in (_EVER, _MINUTES):
        execute_values(sql, statement, given, template=_TEMPLATE, page_size=1000)


def _given(counts: Mapping[int, Sums], now: float) -> Iterator[tuple[Any, ...]]:
    for id, one in sorted(counts.items()):
        ages = [
            None if at == NEVER else max(0.0, now - at)
            for at in (one.handed_out_at, one.done_at, one.nacked_at)
        ]
        yield (id, one.handed_out, one.done, one.nacked, one.uncounted, *ages)
