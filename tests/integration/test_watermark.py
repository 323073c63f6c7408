"""The watermark, read from real streams in every state that they pass through."""

from typing import Any

from messages_app.searching.watermark import look
from relaybase import keys
from relaycore.position import first_of

STREAM = keys.stream(0)


def _deliver(redis: Any, count: int) -> None:
    redis.xreadgroup(keys.GROUP, keys.CONSUMER, {STREAM: ">"}, count=count)


def _now(redis: Any) -> str:
    seconds, microseconds = redis.time()
    return first_of(f"{seconds * 1000 + microseconds // 1000}-0")


def _is_now(redis: Any, asked_after: str) -> bool:
    mark, _ = look(0)
    return mark is not None and asked_after <= mark <= _now(redis)


def test_is_the_clock_where_nothing_was_ever_appended(relay_keys: Any) -> None:
    assert _is_now(relay_keys, _now(relay_keys))


def test_is_the_first_entry_while_there_is_no_group(relay_keys: Any) -> None:
    relay_keys.xadd(STREAM, {"a": "b"}, id="5-3")

    assert look(0)[0] == "0000000000005-0000000003-00000"


def test_follows_an_entry_from_appended_to_acknowledged(relay_keys: Any) -> None:
    relay_keys.xgroup_create(STREAM, keys.GROUP, id="0", mkstream=True)
    before = _now(relay_keys)
    assert _is_now(relay_keys, before)
    for entry in ("5-0", "5-1", "7-0"):
        relay_keys.xadd(STREAM, {"a": "b"}, id=entry)
    assert look(0)[0] == first_of("5-0")  # Not delivered.
    _deliver(relay_keys, 2)
    assert look(0)[0] == first_of("5-0")  # Delivered, and pending.
    relay_keys.xack(STREAM, keys.GROUP, "5-1")
    assert look(0)[0] == first_of("5-0")  # A later one was stored first.
    relay_keys.xack(STREAM, keys.GROUP, "5-0")
    assert look(0)[0] == first_of("7-0")  # The next one that was not delivered.
    _deliver(relay_keys, 1)
    relay_keys.xack(STREAM, keys.GROUP, "7-0")
    assert _is_now(relay_keys, before)  # All is stored.


def test_does_not_fall_when_stored_entries_are_trimmed(relay_keys: Any) -> None:
    relay_keys.xgroup_create(STREAM, keys.GROUP, id="0", mkstream=True)
    future = int(_now(relay_keys)[:13]) + 1_000_000
    relay_keys.xadd(STREAM, {"a": "b"}, id=f"{future}-4")
    _deliver(relay_keys, 1)
    relay_keys.xack(STREAM, keys.GROUP, f"{future}-4")
    relay_keys.xtrim(STREAM, maxlen=0, approximate=False)

    # Redis' clock was set back: the next id follows the last one, not the clock.
    assert look(0)[0] == first_of(f"{future}-5")


def test_does_not_look_at_other_groups_and_partitions(relay_keys: Any) -> None:
    # Redis lists groups by name: one before and one after, with nothing and with all to do.
    relay_keys.xgroup_create(STREAM, "a group", id="0", mkstream=True)
    relay_keys.xgroup_create(STREAM, "z group", id="0")
    relay_keys.xgroup_create(STREAM, keys.GROUP, id="0")
    relay_keys.xadd(keys.stream(1), {"a": "b"}, id="3-0")
    relay_keys.xadd(STREAM, {"a": "b"}, id="5-0")
    relay_keys.xreadgroup("a group", "somebody", {STREAM: ">"})
    before = _now(relay_keys)
    _deliver(relay_keys, 1)
    relay_keys.xack(STREAM, keys.GROUP, "5-0")

    assert _is_now(relay_keys, before)


def test_is_unknown_while_redis_is_away(redis_away: None) -> None:
    assert look(0) == (None, False)
