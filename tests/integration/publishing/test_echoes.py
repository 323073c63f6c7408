"""What is published by HTTP on a channel that is listened to goes out as PUBLISH too."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from channels_app.models import Channel
from leases_app import deployment
from relaybase import keys
from relaybase.connections import shared_redis
from relaycore.capturing import notices
from tests.integration.publishing.conftest import Publisher

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., str]


@pytest.fixture
def heard(relay_keys: Any) -> Iterator[Callable[[int], list[tuple[str, bytes]]]]:
    """What is heard on all channels, internal ones too, until there are so many."""
    with shared_redis().pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.psubscribe("*")
        pubsub.get_message(timeout=5)

        def take(count: int) -> list[tuple[str, bytes]]:
            found = []
            while len(found) < count:
                message = pubsub.get_message(timeout=5)
                assert message is not None, found
                if b":news" not in message["channel"]:
                    found.append((message["channel"].decode(), message["data"]))
            assert pubsub.get_message(timeout=0.1) is None
            return found

        yield take


def listened(make_channel: Make, **fields: Any) -> str:
    channel = make_channel(**fields)
    Channel.objects.filter(channel=channel).update(listen=True)
    return channel


def test_it_goes_out_directly_behind_a_notice(
    publisher: Publisher, make_channel: Make, heard: Callable[[int], list[tuple[str, bytes]]]
) -> None:
    channel = listened(make_channel)

    body = b'{"message": "a"}\n{"message": "/w==", "encoding": "base64"}\n'
    assert publisher.post(channel, body, content_type="application/x-ndjson").status == 202

    (control, notice), *echoes = heard(3)
    assert control == deployment.control_channel(0)
    found = notices.parse(notice, deployment.seal_key(0))
    assert isinstance(found, notices.Echo)
    assert (found.channel, found.count) == (channel.encode(), 2)
    assert echoes == [(channel, b"a"), (channel, b"\xff")]


def test_a_large_one_goes_out_in_parts(
    publisher: Publisher, make_channel: Make, heard: Callable[[int], list[tuple[str, bytes]]]
) -> None:
    channel = listened(make_channel)

    body = b'{"message": "%s"}\n' % (b"a" * 100_000) * 5
    assert publisher.post(channel, body, content_type="application/x-ndjson").status == 202

    names = [name == channel for name, _ in heard(8)]
    assert names == [False, True, True, False, True, True, False, True]


def test_nothing_goes_out_where_nobody_listens_or_it_is_not_wanted(
    publisher: Publisher, make_channel: Make, heard: Callable[[int], list[tuple[str, bytes]]]
) -> None:
    assert publisher.post(make_channel(), b"a").status == 202
    assert publisher.post(listened(make_channel, republish=False), b"a").status == 202

    assert heard(0) == []


def test_consumers_of_the_older_kind_hear_of_it(
    publisher: Publisher, make_channel: Make, relay_keys: Any, wait_until: Any
) -> None:
    channel = make_channel()
    with shared_redis().pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(keys.LEGACY_CHANNEL)
        pubsub.get_message(timeout=5)
        found = list[Any]()

        def publish_and_look() -> bool:
            ids = publisher.post(channel, b"hello").data["ids"]
            message = pubsub.get_message(timeout=0.5)
            found[:] = [ids, message]
            return message is not None

        wait_until(publish_and_look)

    assert found[1]["data"] == (
        b'{"channel": "%s", "message": "hello", "id": "%s"}' % (channel.encode(), found[0][0].encode())
    )
