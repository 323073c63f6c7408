"""Whatever bytes are published, and whatever a channel is called: they arrive as they were."""

import random
from typing import Any

import pytest

from channels_app import registration
from channels_app.models import Channel
from relaybase.connections import mongo_collection
from relaycore.errors import BadChannelName
from relaycore.policy import CONTENT, EVERY, Policy

from .world import Loop, Wait, is_active, is_settled, publish, stored

pytestmark = pytest.mark.django_db(transaction=True)

MAX_BYTES = 1 << 20

PAYLOADS = [
    b"",
    b"\0",
    b"a\0b\0",
    bytes(range(256)),
    b"\xff\xfe",
    b"\xed\xa0\x80",  # half a surrogate pair
    b"\xc0\x80",  # NUL, as it must not be written
    b"\xf4\x90\x80\x80",  # beyond the last character
    "☃".encode() + b"\xe2\x98",  # a character that is cut
    b"\xef\xbb\xbfwith a byte order mark",
    "naïve ☃ 你好 \u202e\u2028".encode(),
    b"*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\ny\r\n",  # what Redis says, said by a publisher
    b"\x05\0\0\0\0",  # an empty document in BSON
    b"x" * MAX_BYTES,
    random.Random(1).randbytes(MAX_BYTES),
]

JSON = [
    b"[" * 100_000,
    b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"id":' * 5_000 + b"1" + b"}" * 5_000,
    b'{"id": ' + b"9" * 5_000 + b"}",
    b'{"id": NaN}',
    b'{"id": 1e999}',
    b'{"id": null}',
    b'{"id": "\\ud800"}',
    b'{"id": "\\u0000"}',
    b'{"id": "\xff"}',
    b'{"id": {"id": ["\0"]}}',
    b'{"id": 1, "id": 2}',
    b'{"\xff": 1}',
    b'"id"',
    b"\0",
    b"",
]

NAMES = [
    "a/b/c",
    "/",
    "with spaces in it",
    " at both ends ",
    "orders:eu:{1}",
    "naïve",
    "频道 ☃",
    "e\u0301",
    "*",
    "[a-z]?",
    "%2F",
    "..",
    "'; drop table channels; --",
    "$set",
    "a.b",
    "😀" * 63 + "abc",
]
OLDER_NAMES = ["right \u202e left"]
"""What a new channel may not be called, and one that there is may be."""


def as_bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message


@pytest.mark.parametrize("policy", [CONTENT, EVERY, Policy("field", "id")], ids=str)
def test_payloads_arrive_byte_for_byte_and_in_order(
    policy: Policy, listening: Loop, writing: Loop, relay_keys: Any, archive: Any, wait_until: Wait
) -> None:
    registration.start("bytes", policy)
    wait_until(lambda: is_active("bytes"))
    payloads = list(dict.fromkeys(PAYLOADS + JSON))
    publish(relay_keys, "bytes", payloads)
    wait_until(lambda: len(stored(archive, "bytes")) >= len(payloads) and is_settled(relay_keys), seconds=20)
    assert [as_bytes(message) for message in stored(archive, "bytes")] == payloads
    assert listening.is_alive
    assert writing.is_alive


def test_one_byte_too_many_goes_into_quarantine_and_the_others_flow(
    listening: Loop, writing: Loop, relay_keys: Any, archive: Any, wait_until: Wait
) -> None:
    quarantine = mongo_collection("quarantine")
    quarantine.delete_many({})
    registration.start("large", EVERY)
    wait_until(lambda: is_active("large"))
    too_long = b"y" * (MAX_BYTES + 1)
    publish(relay_keys, "large", [b"before", too_long, b"between", too_long, b"after"])
    wait_until(lambda: "after" in stored(archive, "large") and is_settled(relay_keys))
    assert stored(archive, "large") == ["before", "between", "after"]
    kept = list(quarantine.find())
    quarantine.delete_many({})
    assert [as_bytes(row["payload"]) for row in kept] == [too_long, too_long]
    for row in kept:
        assert f"{MAX_BYTES + 1} bytes" in row["reason"]
        assert "RELAY_MESSAGE_MAX_BYTES" in row["reason"]


def test_channels_may_have_any_name_that_the_api_takes(
    listening: Loop, writing: Loop, relay_keys: Any, archive: Any, wait_until: Wait
) -> None:
    names = [*OLDER_NAMES, *NAMES]
    for name in OLDER_NAMES:
        with pytest.raises(BadChannelName):
            registration.start(name)
        Channel(channel=name).save()
    for name in NAMES:
        registration.start(name)
    active = Channel.objects.filter(subscription_status=Channel.Status.ACTIVE)
    wait_until(lambda: active.count() == len(names))
    for name in names:
        publish(relay_keys, name, [f"on {name}"])
    wait_until(lambda: archive.count_documents({}) == len(names) and is_settled(relay_keys))
    for name in names:
        assert stored(archive, name) == [f"on {name}"]
    registration.stop_all(Channel.objects.all())
    wait_until(lambda: all(count == 0 for _, count in relay_keys.pubsub_numsub(*names)))
