"""A channel with messages, and subscriptions of it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from django.db import connection, transaction

from channels_app import registration as channels
from relaycore.delivering.beginning import parse
from relaycore.delivering.holding import KEY_CHARS, Held
from relaycore.delivering.leasing import Delivery, State
from relaycore.times import from_milliseconds
from subscribers_app import registration
from subscribers_app.models import Subscription
from subscribers_app.pulling import holding, ledger

Store = Callable[..., list[bytes]]

EPOCH = 1_700_000_000_000
"""When the first message of a test was put on the stream."""


def at(number: int) -> str:
    """The position of the message with this number: one a second."""
    return f"{EPOCH + 1000 * number:013d}-0000000000-00000"


def key(number: int) -> bytes:
    """Its id."""
    return number.to_bytes(12, "big")


def moment(number: int) -> datetime:
    """When it was put on the stream."""
    return from_milliseconds(EPOCH + 1000 * number)


@pytest.fixture
def orders(db: None, relay_keys: Any, archive: Any) -> Any:
    """The channel "orders", to which nobody listens."""
    return channels.start("orders", listen=False)


@pytest.fixture
def store(archive: Any) -> Callable[..., None]:
    """Store messages with these numbers, as the writer does."""

    def write(*numbers: int, channel: str = "orders") -> None:
        now = datetime.now(UTC)
        archive.insert_many(
            {
                "_id": ObjectId(key(number)),
                "channel": channel,
                "message": str(number),
                "received_at": now,
                "position": at(number),
            }
            for number in numbers
        )

    return write


def subscribe(
    name: str = "billing", mode: str = "lease", start: Any = "earliest", **wanted: Any
) -> Subscription:
    """A subscription of orders."""
    return registration.create(name, "orders", mode, parse(start), **wanted)


def wait(row: Subscription, above: int, upto: int, messages: int) -> None:
    """So many messages of one key between these wait for their turn; the cursor goes above them."""
    with transaction.atomic(), connection.cursor() as sql:
        cursor = ledger.lock(sql, [row.pk])[row.pk].cursor
        holding.write(sql, row.pk, [Held("a" * KEY_CHARS, at(above), at(upto), messages)], [])
        moved = cursor.fetch(at(upto), cursor.generation).commit(at(upto), cursor.generation)
        ledger.write_cursors(sql, [(row.pk, moved)])


def give(row: Subscription, numbers: Sequence[int], state: State = State.LEASED, **more: Any) -> None:
    """Make deliveries of these messages, as if they had been handed out: the cursor goes above them."""
    made = [Delivery(at(number), key(number), state, 1, **more) for number in numbers]
    with transaction.atomic(), connection.cursor() as sql:
        standing = ledger.lock(sql, [row.pk])[row.pk]
        ledger.insert(sql, row.pk, made)
        if state is State.DEAD:
            ledger.update(sql, row.pk, made)
        upto = max(standing.cursor.position, *(one.position for one in made))
        generation = standing.cursor.generation
        moved = standing.cursor.fetch(upto, generation).commit(upto, generation)
        ledger.write_cursors(sql, [(row.pk, moved)])
