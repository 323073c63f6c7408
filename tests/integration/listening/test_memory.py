"""More is heard than Redis takes and the listener may hold."""

import logging
from typing import Any

import pytest

from channels_app.models import Gap

from .world import Loop, Wait, full, lease, on_stream, publish, start, wait_until_heard

pytestmark = pytest.mark.django_db(transaction=True)

MEMORY_BYTES = 200_000
MESSAGES = 1_000
FILLING = "filling" * 150


@pytest.fixture
def little_memory(settings: Any) -> None:
    settings.RELAY_LISTENER_MEMORY_BYTES = MEMORY_BYTES
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = 0.1


def test_what_is_given_up_is_counted_and_the_rest_arrives_in_order(
    little_memory: None,
    listening: Loop,
    relay_keys: Any,
    wait_until: Wait,
    caplog: pytest.LogCaptureFixture,
) -> None:
    start(relay_keys, "narrow", wait_until)
    with full(relay_keys), caplog.at_level(logging.DEBUG):
        for number in range(MESSAGES):
            publish(relay_keys, "narrow", [f"{number} {FILLING}"])
        wait_until_heard(relay_keys, wait_until)
        wait_until(lambda: lease().given_up > 0, what="reported while it lasts")
        assert not on_stream(relay_keys), "Redis was not full"
    publish(relay_keys, "narrow", ["after"])
    wait_until(lambda: "after" in on_stream(relay_keys))
    listening.stop()

    *arrived, after = on_stream(relay_keys)
    assert after == "after"
    assert lease().given_up == MESSAGES - len(arrived)
    gaps = Gap.objects.filter(cause=Gap.Cause.MEMORY_FULL, covered=False).exclude(ended_at=None)
    assert sum(gap.missed_at_most or 0 for gap in gaps) == MESSAGES - len(arrived)
    assert MEMORY_BYTES // 2 < sum(map(len, arrived)) <= MEMORY_BYTES
    numbers = [int(text.split()[0]) for text in arrived]
    assert numbers == sorted(set(numbers)), "in order, nothing twice"
    # What one read brought is kept or given up together, so it is not a row without holes.
    assert numbers[0] == 0
    assert "RELAY_LISTENER_MEMORY_BYTES" in caplog.text
    assert FILLING not in caplog.text, "a message in the log"
