"""One step for Redis: what is published stands on the stream, and goes out as PUBLISH behind a notice."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from leases_app import deployment
from relaybase import keys
from relaybase.redis import appending
from relaybase.redis.appending import Appended
from relaycore.capturing import notices
from relaycore.publishing.queue import Echo
from tests.integration.listening.world import full

pytestmark = pytest.mark.django_db


def says() -> dict[str, Any]:
    """What the commands are given beside the messages."""
    return {"layout": "1 1", "control": deployment.control_channel(0), "seal_key": deployment.seal_key(0)}


def publish(client: Any, messages: Sequence[bytes], echoes: Sequence[Echo]) -> Appended:
    """Append an entry for each message, and publish these."""
    entries = [(1, (b"text", message)) for message in messages]
    command = appending.publish_command(0, entries, echoes=echoes, **says())
    return Appended.read(client.execute_command(*command))


@contextmanager
def heard(client: Any, *channels: str | bytes) -> Iterator[list[tuple[bytes, Any]]]:
    """What is published meanwhile on these and the control channel, in order: channel, payload or notice."""
    found: list[tuple[bytes, Any]] = []
    control, key = deployment.control_channel(0).encode(), deployment.seal_key(0)
    with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(control, *channels)
        for _ in range(1 + len(channels)):
            pubsub.get_message(timeout=5)
        yield found
        client.publish(control, "the end")
        while (message := pubsub.get_message(timeout=5)) is None or message["data"] != b"the end":
            if message is not None:
                data = message["data"]
                notice = notices.parse(data, key) if message["channel"] == control else data
                found.append((message["channel"], notice))


def test_each_run_follows_directly_on_its_notice(relay_keys: Any) -> None:
    with heard(relay_keys, b"orders", b"a 1 %d b") as found:
        appended = publish(
            relay_keys, [b"1", b"2"], [Echo(b"orders", [b"1", b"\0%s\xff"]), Echo(b"a 1 %d b", [b""])]
        )
    (control, first), *payloads, (_, second), last = found
    assert control == deployment.control_channel(0).encode()
    assert (first.channel, first.count, second.channel, second.count) == (b"orders", 2, b"a 1 %d b", 1)
    assert payloads == [(b"orders", b"1"), (b"orders", b"\0%s\xff")]
    assert last == (b"a 1 %d b", b"")
    assert second.number > first.number
    assert appended.upto == 2
    assert appended.refused == ""
    entries = relay_keys.xrange(keys.stream(0))
    assert [(entry, fields[b"text"], fields[b"upto"]) for entry, fields in entries] == [
        (appended.ids[0].encode(), b"1", b"1"),
        (appended.ids[1].encode(), b"2", b"2"),
    ]


def test_numbers_go_on_above_the_time_when_redis_has_forgotten_them(relay_keys: Any) -> None:
    with heard(relay_keys) as found:
        for forget in (False, True, False):
            if forget:
                relay_keys.delete(keys.echoes(0))
            publish(relay_keys, [b"text"], [Echo(b"orders", [b"text"])])
    numbers = [notice.number for _, notice in found]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > (time.time() - 60) * 1_000_000
    assert int(relay_keys.get(keys.echoes(0))) == numbers[-1]


def test_numbers_go_on_above_those_before_when_the_clock_was_set_back(relay_keys: Any) -> None:
    ahead = 8 * 10**15
    relay_keys.set(keys.echoes(0), ahead)
    with heard(relay_keys) as found:
        publish(relay_keys, [b"text"], [Echo(b"orders", [b"text"])])
    assert [notice.number for _, notice in found] == [ahead + 1]


def test_a_full_redis_publishes_nothing(relay_keys: Any) -> None:
    with heard(relay_keys, b"orders") as found, full(relay_keys), pytest.raises(redis.ResponseError):
        publish(relay_keys, [b"text"], [Echo(b"orders", [b"text"])])
    assert found == []
    assert not relay_keys.exists(keys.stream(0), keys.echoes(0))


def test_under_another_layout_nothing_is_appended_and_nothing_published(relay_keys: Any) -> None:
    relay_keys.set(keys.layout(0), "2 7")
    with heard(relay_keys, b"orders") as found:
        with pytest.raises(redis.ResponseError, match="LAYOUT"):
            publish(relay_keys, [b"text"], [Echo(b"orders", [b"text"])])
        with pytest.raises(redis.ResponseError, match="LAYOUT"):
            relay_keys.execute_command(*appending.echo_command(0, [Echo(b"orders", [b"text"])], **says()))
    assert found == []
    assert not relay_keys.exists(keys.stream(0))


def test_what_stands_already_goes_out_alone_through_a_full_redis_as_well(relay_keys: Any) -> None:
    with heard(relay_keys, b"orders") as found, full(relay_keys):
        answer = relay_keys.execute_command(
            *appending.echo_command(0, [Echo(b"orders", [b"text"])], **says())
        )
    assert answer == b""
    (_, notice), pushed = found
    assert (notice.channel, notice.count) == (b"orders", 1)
    assert pushed == (b"orders", b"text")


Door = Callable[..., redis.Redis]


@pytest.fixture
def door(settings: Any, relay_keys: Any) -> Iterator[Door]:
    """Makes a client of a user that may do everything, but for these rules."""
    parts = urlsplit(settings.SERVERS.redis_url)
    url = parts._replace(netloc=f"door:secret@{parts.netloc.rpartition('@')[2]}").geturl()
    with redis.Redis.from_url(url) as client:

        def make(*rules: str) -> redis.Redis:
            rules = ("reset", "on", ">secret", "~*", "&*", "+@all", *rules)
            relay_keys.execute_command("ACL", "SETUSER", "door", *rules)
            return client

        yield make
    relay_keys.execute_command("ACL", "DELUSER", "door")


def test_a_run_that_redis_refuses_is_ended_by_something_else(door: Door, relay_keys: Any) -> None:
    """Else listeners would take for it what somebody else publishes next."""
    with heard(relay_keys, b"orders", b"bills") as found:
        appended = publish(
            door("resetchannels", "&__relay:*", "&bills"),
            [b"1", b"2"],
            [Echo(b"orders", [b"1", b"1"]), Echo(b"bills", [b"2"])],
        )
    assert [getattr(said, "channel", said) for _, said in found] == [b"orders", None, b"bills", b"2"]
    assert len(appended.ids) == relay_keys.xlen(keys.stream(0)) == 2
    assert "ermission" in appended.refused  # Versions of Redis word it differently.


@pytest.mark.parametrize(("right", "pushed"), [("time", []), ("hincrby", [b"text"])])
def test_what_stands_is_not_refused_where_a_right_to_echo_it_is_missing(
    door: Door, relay_keys: Any, right: str, pushed: list[bytes]
) -> None:
    with heard(relay_keys, b"orders") as found:
        appended = publish(door(f"-{right}"), [b"text"], [Echo(b"orders", [b"text"])])
    assert [said for channel, said in found if channel == b"orders"] == pushed
    assert relay_keys.xlen(keys.stream(0)) == len(appended.ids) == 1
    assert right in appended.refused.lower()
