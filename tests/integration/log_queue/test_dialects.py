"""What is answered, request by request and dialect by dialect, by a web process."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from channels_app.models import Channel
from subscribers_app.models import Subscription
from tests.integration.log_queue.conftest import NOBODY_PRODUCED, Client

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS = [
    "plain",
    "",
    "a line\n",
    "a tab\t",
    "\r\n",
    " spaces ",
    "NUL \0",
    "żółw 💥 \u2028 \u2029 \ufeff",
    '{"status": "failure"}',
    "\\n \\u0041 \x7f \x1b",
    "x" * 70_000,
]


def test_a_topic_is_made_once(client: Client, topic: str) -> None:
    answer = client.well("POST", "/topics", {"topic": topic})
    assert answer == {"status": "success", "message": f"Topic '{topic}' created successfully."}
    assert "exists" in client.refused("POST", "/topics", {"topic": topic})
    row = Channel.objects.get(channel=f"queue/{topic}")
    assert (row.deduplicate, row.listen) == ("every", False)
    assert topic in client.well("GET", "/topics")["topics"]


@pytest.mark.parametrize("given", [{}, {"topic": ""}, {"topic": 7}, {"topic": None}, {"topic": ["T"]}])
def test_what_is_no_topic_is_none(client: Client, given: Any) -> None:
    client.refused("POST", "/topics", given)
    client.refused("POST", "/producer/register", given)
    client.refused("POST", "/consumer/register", given)


@pytest.mark.parametrize("name", ["line\nfeed", "\0", "x" * 300, "\u200b", "\ufeffT"])
def test_a_name_that_no_channel_can_have_is_refused(client: Client, name: str) -> None:
    assert "name" in client.refused("POST", "/topics", {"topic": name})
    assert "name" in client.refused("POST", "/producer/register", {"topic": name})
    assert "not exist" in client.refused("POST", "/consumer/register", {"topic": name})


@pytest.mark.parametrize(
    ("body", "query"),
    [(b"", ""), (b'{"topic": "never-made"}', "?name=never-made"), (b"{broken", ""), (b"[]", "?x=%FF")],
)
def test_the_list_of_topics_ignores_what_is_sent_along(
    client: Client, topic: str, body: bytes, query: str
) -> None:
    client.well("POST", "/topics", {"topic": topic})
    status, _, content = client.send("GET", "/topics" + query, body)
    assert (status, json.loads(content)) == (200, {"status": "success", "topics": [topic]})
    assert not Channel.objects.filter(channel__contains="never-made").exists()


@pytest.mark.parametrize("name", ["topic", "topic_name", "name"])
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("way", ["query", "json", "form of both"])
@pytest.mark.parametrize("as_text", [False, True], ids=["numbers", "texts"])
def test_every_dialect(client: Client, topic: str, name: str, slash: str, way: str, as_text: bool) -> None:
    topic = f"{topic} ż/&"

    def ask(method: str, path: str, **more: Any) -> Any:
        said = {name: topic, "number_of_partitions": 3, **more}
        if as_text:
            said |= {key: str(value) for key, value in said.items() if type(value) is int}
        if way == "query":
            return client.ask(method, f"{path}{slash}?{urlencode(said)}")
        if way == "json":
            return client.ask(method, path + slash, said)
        in_query = {key: said.pop(key) for key in list(said)[:1]}
        return client.ask(method, f"{path}{slash}?{urlencode(in_query)}", said)

    assert ask("POST", "/topics")[0] == 200
    _, producer = ask("POST", "/producer/register")
    _, consumer = ask("POST", "/consumer/register")
    ids = {"producer_id": producer["producer_id"], "consumer_id": consumer["consumer_id"]}
    produced = {"producer_id": ids["producer_id"], "message": "a text\n", "partition_number": 0}
    assert ask("POST", "/producer/produce", **produced) == (200, {"status": "success"})
    assert ask("GET", "/size", consumer_id=ids["consumer_id"]) == (200, {"status": "success", "size": 1})
    status, found = ask("GET", "/consumer/consume", consumer_id=ids["consumer_id"])
    assert (status, found["message"]) == (200, "a text\n")
    for method in ("GET", "POST"):
        status, found = ask(method, "/consumer/consume", consumer_id=ids["consumer_id"])
        assert (status, found["message"]) == (400, NOBODY_PRODUCED.format(topic))


def test_every_text_comes_as_it_went(client: Client, topic: str) -> None:
    producer, consumer = client.producer(topic), client.consumer(topic)
    texts = [*TEXTS, *TEXTS]
    client.produce(topic, producer, *texts)
    assert client.size(topic, consumer) == len(texts)
    assert client.drain(topic, consumer) == texts
    assert client.size(topic, consumer) == 0


def test_a_text_in_the_query(client: Client, topic: str) -> None:
    producer, consumer = client.producer(topic), client.consumer(topic)
    for text in ("", "a+b c\n", "ż"):
        path = f"/producer/produce?topic={topic}&producer_id={producer}&message={quote(text)}"
        client.well("POST", path)
        assert client.consume(topic, consumer) == text


def test_what_a_client_has_produced_it_finds(client: Client, topic: str) -> None:
    """Directly after it, each time: the message, and how many there are."""
    producer, consumer = client.producer(topic), client.consumer(topic)
    assert client.consume(topic, consumer) is None
    for number in range(20):
        client.produce(topic, producer, f"{number}")
        assert client.size(topic, consumer) == 1
        assert client.consume(topic, consumer) == f"{number}"
        client.produce(topic, producer, f"again {number}")
        assert client.consume(topic, consumer) == f"again {number}"


def test_consumers_do_not_share_offsets(client: Client, topic: str) -> None:
    producer = client.producer(topic)
    early = client.consumer(topic)
    client.produce(topic, producer, "1", "2", "3")
    assert client.consume(topic, early) == "1"
    late = client.consumer(topic)
    assert (client.size(topic, early), client.size(topic, late)) == (2, 3)
    assert client.drain(topic, late) == ["1", "2", "3"]
    assert client.drain(topic, early) == ["2", "3"]


@pytest.mark.parametrize(
    ("method", "path", "id"),
    [
        ("POST", "/producer/produce", "producer_id"),
        ("GET", "/consumer/consume", "consumer_id"),
        ("POST", "/consumer/consume", "consumer_id"),
        ("GET", "/size", "consumer_id"),
    ],
)
def test_an_id_belongs_to_one_topic(client: Client, topic: str, method: str, path: str, id: str) -> None:
    own = client.producer(topic) if id == "producer_id" else _consumer(client, topic)
    client.well("POST", "/topics", {"topic": f"{topic}-other"})
    said = {id: own, "message": "text"}
    assert client.refused(method, path, {"topic": f"{topic}-never", **said}) == "Topic does not exist."
    client.refused(method, path, {"topic": f"{topic}-other", **said})
    for wrong in (own + 1000, -1, "", "x", None, True, 1.5, 1 << 70, [own]):
        client.refused(method, path, {"topic": topic, **said, id: wrong})
    client.refused(method, path, {"topic": topic})


def test_a_consumer_needs_a_topic_that_is_there(client: Client, topic: str) -> None:
    assert client.refused("POST", "/consumer/register", {"topic": topic}) == "Topic does not exist."
    assert not Subscription.objects.exists()


@pytest.mark.parametrize("message", [None, 7, ["text"], {"a": "b"}, True])
def test_what_is_no_message_is_refused(client: Client, topic: str, message: Any) -> None:
    producer, consumer = client.producer(topic), client.consumer(topic)
    said = {"topic": topic, "producer_id": producer}
    client.refused("POST", "/producer/produce", said)
    client.refused("POST", "/producer/produce", {**said, "message": message})
    assert client.size(topic, consumer) == 0


def test_what_is_too_large_is_refused(client: Client, topic: str) -> None:
    said = {"topic": topic, "producer_id": client.producer(topic)}
    client.refused("POST", "/producer/produce", {**said, "message": "x" * ((1 << 20) + 1)})
    client.refused("POST", "/producer/produce", {**said, "message": "x" * (4 << 20)})
    client.well("POST", "/producer/produce", {**said, "message": "x" * (1 << 20)})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/"),
        ("GET", "/nothing"),
        ("DELETE", "/topics"),
        ("PATCH", "/size"),
        ("OPTIONS", "/topics"),
        ("GET", "/producer/produce"),
        ("GET", "/topics//"),
    ],
)
def test_whatever_else_is_asked_is_a_failure(client: Client, method: str, path: str) -> None:
    client.refused(method, path)


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"T"', b"\xff", b'{"topic": "\\ud800"}', b"[" * 100_000, b"topic=T", b'{"topic": NaN}'],
)
def test_broken_json_is_answered_with_json(client: Client, body: bytes) -> None:
    for method, path in (("POST", "/topics"), ("GET", "/consumer/consume"), ("GET", "/size")):
        status, headers, content = client.send(method, path, body)
        assert (status, headers["content-type"]) == (400, "application/json")
        assert json.loads(content)["status"] == "failure"


def test_a_type_of_content_is_not_asked_for(client: Client, topic: str) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=x"):
        body = json.dumps({"topic": f"{topic} {content_type}"}).encode()
        assert client.send("POST", "/topics", body, {"Content-Type": content_type})[0] == 200


def test_what_one_client_s_crash_test_uses(client: Client, topic: str) -> None:
    producer, consumer = client.producer(topic), client.consumer(topic)
    for text in "abc":
        said = {"topic": topic, "producer_id": producer, "message": text, "prod_client": topic}
        client.well("POST", "/producer/produce", said)
    size = f"/producer/client_size?prod_client={topic}"
    assert client.well("GET", size) == {"status": "success", "count": 3}
    assert client.well("GET", size + "-other")["count"] == 0

    path = f"/consumer/consume?topic={topic}&consumer_id={consumer}"
    offsets = [client.well("GET", path)["offset"] for _ in range(3)]
    assert offsets == sorted(set(offsets))
    assert all(type(offset) is int for offset in offsets)

    def go_on_after(offset: Any) -> list[str]:
        client.well("POST", "/consumer/set_offset", {"consumer_id": consumer, "offset": offset})
        return client.drain(topic, consumer)

    assert go_on_after(-1) == ["a", "b", "c"]
    assert go_on_after(str(offsets[0])) == ["b", "c"]
    assert go_on_after(offsets[2]) == []
    for wrong in (-2, offsets[2] * 2, 1 << 200, "x", None):
        client.refused("POST", "/consumer/set_offset", {"consumer_id": consumer, "offset": wrong})
    client.refused("POST", "/consumer/set_offset", {"consumer_id": consumer + 1, "offset": -1})
    assert go_on_after(offsets[1]) == ["c"]


def _consumer(client: Client, topic: str) -> int:
    client.well("POST", "/topics", {"topic": topic})
    return client.consumer(topic)


def test_what_webhooks_bring_back_too_often_is_refused(
    client: Client, topic: str, archive: Any, wait_until: Any
) -> None:
    channel, producer = f"queue/{topic}", client.producer(topic)
    path = f"/producer/produce?topic={topic}&producer_id={producer}&message=round"

    kept = client.send("POST", path, b"{}", {"relay-hops": "8"})
    refused = client.send("POST", path, b"{}", {"relay-hops": "9"})

    assert (kept[0], refused[0], json.loads(refused[2])["status"]) == (200, 508, "failure")
    assert "in a circle" in json.loads(refused[2])["message"]
    wait_until(lambda: archive.count_documents({"channel": channel}))
    assert [one["attributes"] for one in archive.find({"channel": channel})] == [{"relay-hops": "8"}]


def test_where_redis_is_nobody_is_told(client: Client, topic: str, serve: Callable[..., str]) -> None:
    client.producer(topic)
    consumer = client.consumer(topic)
    other = Client(serve(RELAY_LOG_QUEUE="open", REDIS_URL="redis://:hidden@127.0.0.1:1/0"))

    why = other.refused("GET", f"/size?topic={topic}&consumer_id={consumer}")
    other.close()

    assert why == "Redis does not answer. Try again in a few seconds."
