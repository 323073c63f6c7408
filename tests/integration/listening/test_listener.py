"""A listener on a real Redis, as a thread of the test."""

import json
from typing import Any

import pytest

from channels_app.models import Channel
from relaybase import keys

from .world import Wait, is_active, on_stream, start, wake

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.usefixtures("listening")
def test_what_is_heard_stands_on_the_stream_in_order(relay_keys: Any, wait_until: Wait) -> None:
    start(relay_keys, "orders", wait_until)
    sent = [f"text {n}" for n in range(500)]
    with relay_keys.pipeline(transaction=False) as pipe:
        for text in sent:
            pipe.publish("orders", text)
        pipe.execute()
    wait_until(lambda: len(on_stream(relay_keys)) >= 500)
    assert on_stream(relay_keys) == sent
    assert relay_keys.xlen(keys.stream(0)) < 500, "one entry for each message"


@pytest.mark.usefixtures("listening")
def test_a_removed_channel_is_unsubscribed_and_may_come_back(relay_keys: Any, wait_until: Wait) -> None:
    start(relay_keys, "gone", wait_until).delete()
    wake(relay_keys, "gone")
    wait_until(lambda: relay_keys.pubsub_numsub("gone")[0][1] == 0, seconds=1)
    start(relay_keys, "gone", wait_until)
    assert relay_keys.publish("gone", "back") == 1
    wait_until(lambda: "back" in on_stream(relay_keys))


@pytest.mark.usefixtures("listening")
def test_both_connections_are_made_again(relay_keys: Any, wait_until: Wait) -> None:
    start(relay_keys, "cut", wait_until)
    for kind, name in (("pubsub", "relay-listener-0"), ("normal", "relay-appender-0")):
        [client] = [c for c in relay_keys.client_list(_type=kind) if c["name"] == name]
        assert relay_keys.client_kill_filter(_id=client["id"]) == 1
        wait_until(lambda kind=kind: relay_keys.publish("cut", f"after {kind}") == 1)
        wait_until(lambda kind=kind: f"after {kind}" in on_stream(relay_keys))


@pytest.mark.usefixtures("listening")
def test_what_redis_has_no_memory_for_waits_and_keeps_its_order(relay_keys: Any, wait_until: Wait) -> None:
    start(relay_keys, "full", wait_until, deduplicate="every")
    wait_until(lambda: is_active("full"))
    relay_keys.config_set("maxmemory", 1)
    try:
        with pytest.raises(Exception, match="maxmemory"):
            relay_keys.set("orchestrator_channel:probe", 1)
        for number in range(100):
            assert relay_keys.publish("full", number) == 1
        assert not on_stream(relay_keys), "Redis was not full"
    finally:
        relay_keys.config_set("maxmemory", 0)
    wait_until(lambda: len(on_stream(relay_keys)) == 100)
    assert on_stream(relay_keys) == [str(number) for number in range(100)]


@pytest.mark.usefixtures("listening")
def test_older_consumers_hear_json_only_while_they_are_there(relay_keys: Any, wait_until: Wait) -> None:
    start(relay_keys, "old", wait_until)
    relay_keys.publish("old", "unheard")
    wait_until(lambda: "unheard" in on_stream(relay_keys))
    calls = relay_keys.info("commandstats")["cmdstat_publish"]["calls"]
    heard: list[dict[str, str]] = []
    with relay_keys.pubsub(ignore_subscribe_messages=True) as consumer:
        consumer.subscribe(keys.LEGACY_CHANNEL)

        def listen() -> bool:
            relay_keys.publish("old", "probe")
            message = consumer.get_message(timeout=0.05)
            if message:
                heard.append(json.loads(message["data"]))
            return bool(heard)

        wait_until(listen)
    assert calls > 0
    assert heard[0]["channel"] == "old"
    assert heard[0]["message"] == "probe"
    assert heard[0].keys() == {"channel", "message", "id"}


@pytest.mark.usefixtures("listening")
def test_ten_thousand_channels_are_active_within_thirty_seconds(relay_keys: Any, wait_until: Wait) -> None:
    Channel.objects.bulk_create(Channel(channel=f"many/{n}", partition=0) for n in range(10_000))
    wake(relay_keys)
    active = Channel.objects.filter(subscription_status=Channel.Status.ACTIVE)
    wait_until(lambda: active.count() == 10_000, seconds=30)
    assert relay_keys.publish("many/9999", "heard") == 1
    wait_until(lambda: on_stream(relay_keys) == ["heard"])
