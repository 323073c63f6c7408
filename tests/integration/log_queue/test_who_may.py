"""`RELAY_LOG_QUEUE`: off, open, token."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from access_app import tokens
from access_app.models import AuditEntry
from relaycore.rights import Grant, Grants, everywhere
from tests.integration.log_queue.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def with_tokens(serve: Callable[..., str]) -> str:
    return serve(RELAY_LOG_QUEUE="token")


def test_off_it_is_not_there(serve: Callable[..., str], token: str) -> None:
    client = Client(serve(), token)
    for method, path in (("GET", "/topics"), ("POST", "/topics/"), ("GET", "/consumer/consume"), ("GET", "")):
        status, headers, content = client.send(method, path, b'{"topic": "T"}')
        assert status == 404
        assert "/queue" in content.decode() or headers["content-type"] != "application/json"
    client.close()


def test_a_token_is_needed(client: Client, with_tokens: str, topic: str) -> None:
    for key in ("", "relay_wrong"):
        stranger = Client(with_tokens, key)
        for method, path in (("GET", "/topics"), ("POST", "/topics"), ("GET", "/size")):
            assert "oken" in stranger.refused(method, path, {"topic": topic})
        stranger.close()


def test_grants_say_who_produces_and_who_consumes(
    client: Client, with_tokens: str, topic: str, operator: Any
) -> None:
    channel = f"queue/{topic}"

    def holder(name: str, scope: str) -> Client:
        grants = Grants([Grant(scope, (channel,))])
        return Client(with_tokens, tokens.make(name, operator, grants)[1])

    publishes, consumes = holder("p", "publish"), holder("c", "consume")
    everybody = Client(with_tokens, tokens.make("all", operator, everywhere("manage"))[1])

    assert "publish" in consumes.refused("POST", "/topics", {"topic": topic})
    assert "publish" in publishes.refused("POST", "/topics", {"topic": f"{topic}-other"})
    publishes.well("POST", "/topics", {"topic": topic})
    everybody.well("POST", "/topics", {"topic": f"{topic}-other"})
    assert publishes.well("GET", "/topics")["topics"] == [topic]
    assert everybody.well("GET", "/topics")["topics"] == [topic, f"{topic}-other"]

    producer, consumer = publishes.producer(topic), consumes.consumer(topic)
    assert "consume" in publishes.refused("POST", "/consumer/register", {"topic": topic})
    assert "publish" in consumes.refused("POST", "/producer/register", {"topic": topic})
    publishes.produce(topic, producer, "1", "2")
    said = {"topic": topic, "producer_id": producer, "consumer_id": consumer, "message": "3", "offset": -1}
    assert "publish" in consumes.refused("POST", "/producer/produce", said)
    for method, path in (
        ("GET", "/consumer/consume"),
        ("GET", "/size"),
        ("POST", "/consumer/set_offset"),
    ):
        assert "consume" in publishes.refused(method, path, said)
    assert consumes.size(topic, consumer) == 2
    assert consumes.drain(topic, consumer) == ["1", "2"]
    made = AuditEntry.objects.get(action="channel started", target=channel)
    assert (made.actor, made.via) == ("p", "token p")
    assert made.address == "127.0.0.1"
    for one in (publishes, consumes, everybody):
        one.close()


def test_a_strange_host_is_refused(client: Client) -> None:
    """A page in somebody's browser may send what it likes to a name that leads here."""
    status, headers, content = client.send("GET", "/topics", None, {"Host": "evil.example"})
    assert (status, headers["content-type"]) == (400, "application/json")
    assert "RELAY_ALLOWED_HOSTS" in json.loads(content)["message"]


def test_names_of_topics_are_for_this_door(client: Client, web: str, token: str, topic: str) -> None:
    """Others make no such channels; those that are there can be used by the API as others can."""
    client.producer(topic)
    assert _api(web, token, "POST", "start-listening", {"channel": f"queue/{topic}-other"}) == 400
    assert _api(web, token, "POST", f"channels/queue%2F{topic}/messages", {"message": "by the API"}) == 202
    consumer = client.consumer(topic)
    assert client.drain(topic, consumer) == ["by the API"]


def _api(url: str, key: str, method: str, path: str, data: Any) -> int:
    client = Client(url, key)
    try:
        return client.send(method, path, json.dumps(data).encode(), _JSON, prefix="/api/v1/")[0]
    finally:
        client.close()


_JSON = {"Content-Type": "application/json"}


def test_requests_are_counted_as_others_are(client: Client, web: str, token: str, topic: str) -> None:
    consumer = (client.producer(topic), client.consumer(topic))[1]
    for _ in range(3):
        assert client.consume(topic, consumer) is None
    client.refused("GET", "/nothing")
    prometheus = Client(web, token)
    _, _, content = prometheus.send("GET", "/metrics", prefix="")
    prometheus.close()
    lines = content.decode().splitlines()
    counted = [line for line in lines if line.startswith("relay_http_requests_total") and "log-queue" in line]
    for wanted in (
        'method="GET",route="log-queue-consume",status="400"',
        'method="POST",route="log-queue-register-consumer",status="200"',
        'method="GET",route="log-queue-none",status="400"',
    ):
        assert any(wanted in line for line in counted), counted
