"""What counts as the same message, and how that changes while messages come in."""

from typing import Any

import pytest

from channels_app import registration
from relaybase import keys
from relaycore.policy import CONTENT, EVERY, Policy

from .world import Loop, Wait, entries, is_active, is_settled, publish, stored, wait_until_heard

pytestmark = pytest.mark.django_db(transaction=True)


def ids(redis: Any) -> set[Any]:
    return {document["_id"] for _, documents in entries(redis) for document in documents}


def test_a_policy_that_is_changed_counts_from_then_on(
    listening: Loop, writing: Loop, relay_keys: Any, archive: Any, wait_until: Wait
) -> None:
    registration.start("changing", CONTENT)
    wait_until(lambda: is_active("changing"))

    publish(relay_keys, "changing", ['{"id": 1}'] * 20)
    wait_until_heard(relay_keys, wait_until)
    wait_until(lambda: stored(archive, "changing") == ['{"id": 1}'] and is_settled(relay_keys))

    registration.change("changing", EVERY)
    _wait_until_in_force(relay_keys, wait_until, b'"every"')
    publish(relay_keys, "changing", ["again"] * 20)
    wait_until(lambda: stored(archive, "changing")[1:] == ["again"] * 20)

    registration.change("changing", Policy("field", "id"))
    _wait_until_in_force(relay_keys, wait_until, b'{"field": "id"}')
    publish(relay_keys, "changing", [f'{{"id": 2, "n": {number}}}' for number in range(20)] + ["the end"])
    wait_until(lambda: "the end" in stored(archive, "changing") and is_settled(relay_keys))
    assert stored(archive, "changing")[21:] == ['{"id": 2, "n": 0}', "the end"]


def _wait_until_in_force(redis: Any, wait_until: Wait, policy: bytes) -> None:
    """A policy begins at a tick, and whoever joins later reads it beside the stream."""
    wait_until(lambda: redis.hget(keys.policies(0), "changing") == policy, what=f"{policy!r} in force")


def test_no_message_is_missed_while_a_policy_changes(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    registration.start("restless", EVERY)
    wait_until(lambda: is_active("restless"))
    for number in range(200):
        if number % 20 == 0:
            registration.change("restless", CONTENT if number % 40 else EVERY)
        publish(relay_keys, "restless", [f"text {number}"])
    wait_until(lambda: len(ids(relay_keys)) == 200)
    assert [d["message"] for _, documents in entries(relay_keys) for d in documents] == [
        f"text {number}" for number in range(200)
    ]


def test_channels_that_are_stopped_and_started_again_under_another_policy_are_active(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    names = [f"again/{number}" for number in range(10)]
    for policy in (CONTENT, Policy("field", "id"), EVERY, CONTENT):
        for name in names:
            registration.start(name, policy)
        wait_until(lambda: all(map(is_active, names)), what=f"ACTIVE under {policy}")
        for name in names:
            registration.stop(name)
