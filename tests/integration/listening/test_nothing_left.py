"""Redis loses everything, and everybody who knew how much was on the streams is gone as well."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels_app.listening.listener import listen
from channels_app.models import Gap
from channels_app.ranges import is_known, missed
from messages_app.searching.watermark import is_drained, look
from messages_app.writing.writer import write
from relaybase import keys

from .world import Loop, Wait, is_active, is_led, lease, on_stream, publish, start, stored

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def clock(redis: Any) -> datetime:
    """That of Redis, which ticks and gaps have."""
    seconds, microseconds = redis.time()
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)


@pytest.fixture
def loops(quick: None, relay_keys: Any) -> Iterator[list[Loop]]:
    """What runs is stopped in the end."""
    running: list[Loop] = []
    yield running
    for loop in running:
        loop.stop()


@pytest.mark.parametrize("lost", [0, 7])
def test_what_was_on_the_stream_and_not_stored_is_on_record(
    loops: list[Loop], relay_keys: Any, archive: Any, wait_until: Wait, lost: int
) -> None:
    loops += [Loop(listen), Loop(write)]
    wait_until(is_led)
    start(relay_keys, "orders", wait_until)
    publish(relay_keys, "orders", [f"stored {n}" for n in range(5)])
    wait_until(lambda: len(stored(archive, "orders")) == 5)
    loops.pop().stop()
    began = clock(relay_keys)
    publish(relay_keys, "orders", [f"lost {n}" for n in range(lost)])
    wait_until(lambda: len(on_stream(relay_keys)) == 5 + lost)
    ended = clock(relay_keys)
    wait_until(lambda: (lease().known_until or began) > ended, what="known")
    loops.pop().stop()

    relay_keys.flushdb()
    lost_at = clock(relay_keys)
    loops += [Loop(listen), Loop(write)]
    wait_until(lambda: (lease().known_until or began) > lost_at, what="heard again")
    wait_until(lambda: is_active("orders") and relay_keys.exists(keys.stream(0)))
    wait_until(lambda: is_drained(0))
    assert look(0)[1], "readers are sure"

    assert is_known("orders", began, ended)
    gaps = missed("orders", began, ended)
    assert [gap.missed_at_most for gap in gaps] == [lost] * bool(lost)
    assert Gap.objects.filter(cause=Gap.Cause.VANISHED).count() == bool(lost)
    publish(relay_keys, "orders", ["afterwards"])
    wait_until(lambda: len(stored(archive, "orders")) == 6)
