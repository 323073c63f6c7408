"""How much may be published, where there is a limit, for all web processes together."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from access_app import tokens
from messages_app.publishing import usage
from tests.integration.publishing.conftest import Publisher

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., str]


@pytest.fixture(scope="module")
def limited(serve: Callable[..., str]) -> list[str]:
    """Two web processes in which a token may publish 2 messages a second, and a channel get 3."""
    environment = {
        "RELAY_PUBLISH_PRODUCER_MESSAGES_PER_SECOND": "2",
        "RELAY_PUBLISH_CHANNEL_MESSAGES_PER_SECOND": "3",
    }
    return [serve(**environment), serve(**environment)]


def lines(count: int) -> bytes:
    return b'{"message": "a"}\n' * count


def test_without_a_limit_there_are_no_headers(publisher: Publisher, make_channel: Make) -> None:
    answer = publisher.post(make_channel(), b"a")

    assert answer.status == 202
    assert "ratelimit" not in answer.headers


def test_one_producer_gets_no_more_than_its_bucket_at_once(
    limited: list[str], operator: Any, make_channel: Make, relay_keys: Any
) -> None:
    key = tokens.make("quick", operator, "manage")[1]
    publishers = [Publisher(url, key) for url in limited]
    channels = [make_channel() for _ in range(3)]

    first = publishers[0].post(channels[0], lines(10), content_type="application/x-ndjson")
    second = publishers[1].post(channels[1], lines(11), content_type="application/x-ndjson")
    third = publishers[0].post(channels[2], b"a")

    assert (first.status, second.status, third.status) == (202, 202, 429)
    assert first.headers["ratelimit-policy"] == '"producer";q=20;w=10, "channel";q=30;w=10'
    assert first.headers["ratelimit"].startswith('"producer";r=10;t=5, "channel";r=20;t=')
    assert third.headers["ratelimit"].startswith('"producer";r=0;t=')
    assert int(third.headers["retry-after"]) == 1
    assert third.data["status"] == 429
    time.sleep(1.2)
    assert publishers[1].post(channels[2], b"a").status == 202


def test_one_channel_gets_no_more_than_its_bucket_whoever_publishes(
    limited: list[str], operator: Any, make_channel: Make, relay_keys: Any
) -> None:
    channel = make_channel()
    publishers = [Publisher(limited[0], tokens.make(f"p{n}", operator, "manage")[1]) for n in range(3)]

    answers = [one.post(channel, lines(16), content_type="application/x-ndjson") for one in publishers]

    assert [answer.status for answer in answers] == [202, 202, 429]
    assert publishers[2].post(make_channel(), b"a").status == 202


def test_a_request_that_is_larger_than_the_bucket_passes_and_is_paid_for(
    limited: list[str], operator: Any, make_channel: Make, relay_keys: Any
) -> None:
    publisher = Publisher(limited[0], tokens.make("large", operator, "manage")[1])

    assert publisher.post(make_channel(), lines(100), content_type="application/x-ndjson").status == 202
    answer = publisher.post(make_channel(), b"a")
    assert answer.status == 429
    assert 35 < int(answer.headers["retry-after"]) <= 41


def test_what_was_published_is_counted_by_producer_and_channel(
    publisher: Publisher, make_channel: Make, api: Any, wait_until: Any
) -> None:
    channel = make_channel()
    publisher.post(channel, lines(3), content_type="application/x-ndjson")
    publisher.post(channel, b"12345")
    publisher.post(channel, b"hello", content_type="application/json")

    def counted(what: str) -> float | None:
        name = f'relay_published_{what}_total{{channel="{channel}",producer="tests"}} '
        found = [line for line in api.get("/metrics").content.decode().splitlines() if line.startswith(name)]
        return float(found[0].rpartition(" ")[2]) if found else None

    wait_until(lambda: counted("refused") == 1)
    assert (counted("messages"), counted("bytes")) == (4, 8)


def test_only_so_many_pairs_are_counted_by_name(relay_keys: Any) -> None:
    counting = usage.Usage()
    for number in range(usage.MOST + 50):
        counting.add(("somebody", f"channel {number}"), messages=1, size=2)
    relay_keys.execute_command(*counting.command())
    counting.add(("somebody else", "another"), messages=1)
    relay_keys.execute_command(*counting.command())

    found = usage.read(relay_keys)

    assert len(found) <= usage.MOST * 2
    assert sum(one.messages for one in found) == usage.MOST + 51
    assert next(one for one in found if (one.producer, one.channel) == usage.OTHERS).messages >= 50
