"""Redis has executed an append, and the listener never hears of it."""

import time
from collections import Counter
from typing import Any

import bson
import pytest
import redis

from relaybase import keys
from relaycore.position import entry_prefix
from tests.proxy import Proxy

from .world import Loop, Wait, entries, is_settled, on_stream, publish, start, stored

pytestmark = pytest.mark.django_db(transaction=True)

CUTS = 220
APPENDED = rb"^\$\d+\r\n\d{13}-\d+\r\n|\r\n\$\d+\r\n\d{13}-\d+\r\n"
"""An entry's id: what Redis answers to XADD, and to nothing else that a listener sends."""


def test_nothing_is_stored_twice_and_each_message_at_its_first_position(
    settings: Any,
    redis_proxy: Proxy,
    listening: Loop,
    writing: Loop,
    relay_keys: Any,
    archive: Any,
    wait_until: Wait,
) -> None:
    settings.RELAY_STREAM_KEEP_SECONDS = 600.0  # The stream is looked at in the end.
    start(relay_keys, "distinct", wait_until)
    start(relay_keys, "repeated", wait_until, deduplicate="every")
    distinct: list[str] = []
    repeated: list[str] = []
    deadline = time.monotonic() + 60
    with redis_proxy.cutting(CUTS, like=APPENDED, every=2) as cut:
        while cut.done < CUTS:
            assert time.monotonic() < deadline, f"{cut.done} cuts"
            distinct.append(f"text {len(distinct)}")
            repeated.append(f"text {len(repeated) % 5}")
            publish(relay_keys, "distinct", distinct[-1:])
            publish(relay_keys, "repeated", repeated[-1:])
            time.sleep(0.005)
    wait_until(lambda: archive.count_documents({}) >= len(distinct) + len(repeated))
    wait_until(lambda: is_settled(relay_keys))

    assert len(on_stream(relay_keys)) >= len(distinct) + len(repeated) + CUTS, "nothing was sent again"
    assert stored(archive, "distinct") == distinct
    assert stored(archive, "repeated") == repeated
    assert Counter(stored(archive, "repeated")) == Counter(repeated)
    assert {row["_id"]: row["position"] for row in archive.find()} == _first_positions(relay_keys)
    assert _are_told_by_source(relay_keys)


def _are_told_by_source(redis: Any) -> bool:
    """Whether what stands twice came under another `source` each time, as consumers are told."""
    seen = Counter(
        (document["_id"], fields[b"source"])
        for _, fields in redis.xrange(keys.stream(0))
        for document in bson.decode_all(fields[b"bson"])
    )
    return set(seen.values()) == {1}


def _first_positions(redis: Any) -> dict[Any, str]:
    first: dict[Any, str] = {}
    for entry_id, documents in entries(redis):
        for index, document in enumerate(documents):
            first.setdefault(document["_id"], f"{entry_prefix(entry_id)}{index:05d}")
    return first


def test_a_client_with_default_retries_would_append_twice(redis_proxy: Proxy, relay_keys: Any) -> None:
    """The control: the same fault, without what a listener does about it."""
    with redis.Redis(port=redis_proxy.port) as client:
        with redis_proxy.cutting(3, like=APPENDED, every=2):
            for number in range(3):
                client.xadd(keys.stream(0), {"number": number})
    numbers = [fields[b"number"] for _, fields in relay_keys.xrange(keys.stream(0))]
    assert numbers == [b"0", b"0", b"1", b"1", b"2", b"2"]
