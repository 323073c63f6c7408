"""What is published by HTTP stands on the stream, whole, or nothing of it does."""

import gzip
import http.client
import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from bson import ObjectId

from access_app import tokens
from access_app.models import Token
from channels_app.models import Channel
from relaybase import keys
from tests.integration.publishing.conftest import Publisher
from tests.loops import Loop

pytestmark = pytest.mark.django_db(transaction=True)

Stream = Callable[[], list[dict[str, Any]]]
Make = Callable[..., str]


def test_a_payload_stands_on_the_stream_as_it_was_sent(
    publisher: Publisher, make_channel: Make, stream: Stream
) -> None:
    channel = make_channel()

    text = publisher.post(channel, "héllo\n".encode())
    octets = publisher.post(channel, b"\xff\x00", content_type="application/octet-stream")

    assert (text.status, octets.status) == (202, 202)
    assert [message["message"] for message in stream()] == ["héllo\n", b"\xff\x00"]
    assert [str(message["_id"]) for message in stream()] == text.data["ids"] + octets.data["ids"]
    assert {message["produced_by"] for message in stream()} == {"tests"}
    assert text.headers["content-type"] == "application/json"


def test_what_is_said_of_a_message_stands_beside_it(
    publisher: Publisher, make_channel: Make, stream: Stream
) -> None:
    said = {"message": "AP8=", "encoding": "base64", "attributes": {"kind": "x"}, "content_type": "image/png"}

    assert publisher.post_json(make_channel(), said).status == 202

    (message,) = stream()
    assert (message["message"], message["attributes"], message["content_type"]) == (
        b"\x00\xff",
        {"kind": "x"},
        "image/png",
    )


def test_what_a_webhook_of_relay_sends_is_counted_and_ends(
    publisher: Publisher, make_channel: Make, stream: Stream
) -> None:
    channel, said = make_channel(), {"message": "round", "attributes": {"kind": "x"}}

    assert publisher.post_json(channel, said, relay_hops="8").status == 202
    refused = publisher.post_json(channel, said, relay_hops="9")

    assert [message["attributes"] for message in stream()] == [{"kind": "x", "relay-hops": "8"}]
    assert (refused.status, refused.data["type"]) == (508, "urn:relay:problem:loop")
    assert "in a circle" in refused.data["detail"]


@pytest.mark.parametrize("packed", [False, True])
def test_many_at_once_stand_in_their_order(
    publisher: Publisher, make_channel: Make, stream: Stream, packed: bool
) -> None:
    channel, texts = make_channel(), [f"message {index}" for index in range(3000)]
    lines = "\n".join(json.dumps({"message": text}) for text in texts).encode()
    more = {"content_encoding": "gzip"} if packed else {}

    answer = publisher.post(
        channel, gzip.compress(lines) if packed else lines, content_type="application/x-ndjson", **more
    )

    assert answer.status == 202
    assert [message["message"] for message in stream()] == texts
    assert [str(message["_id"]) for message in stream()] == answer.data["ids"]


@pytest.mark.parametrize("deduplicate", ["every", "content", {"field": "n"}])
def test_what_is_sent_again_with_its_key_is_stored_once(
    publisher: Publisher, make_channel: Make, writer: Loop, archive: Any, wait_until: Any, deduplicate: Any
) -> None:
    channel = make_channel(deduplicate)
    messages = {"messages": [{"message": json.dumps({"n": index})} for index in range(3)]}

    answers = [publisher.post_json(channel, messages, idempotency_key="a key") for _ in range(5)]
    last = publisher.post(channel, b"last")

    assert len({tuple(answer.data["ids"]) for answer in answers}) == 1
    wait_until(lambda: archive.find_one({"_id": ObjectId(last.data["ids"][0])}))
    assert archive.count_documents({"channel": channel}) == 4


def test_without_a_key_each_request_is_a_message_of_its_own(
    publisher: Publisher, make_channel: Make, stream: Stream
) -> None:
    channel = make_channel()

    ids = {publisher.post(channel, b"the same").data["ids"][0] for _ in range(5)}

    assert len(ids) == 5


def test_keys_of_two_producers_and_of_two_channels_are_not_the_same(
    publisher: Publisher, make_channel: Make, operator: Any
) -> None:
    one, other = make_channel(), make_channel()
    second = Publisher(publisher.url, tokens.make("second", operator, "manage")[1])
    message = {"message": "hello", "id": "1"}

    found = [
        publisher.post_json(one, message),
        publisher.post_json(other, message),
        second.post_json(one, message),
        publisher.post_json(one, {"message": "hello"}, idempotency_key="1"),
        publisher.post_json(one, {"messages": [{"message": "a", "id": "0"}, message]}),
    ]

    ids = [answer.data["ids"][-1] for answer in found]
    assert len(set(ids[:4])) == 4
    assert ids[4] == ids[0]


@pytest.mark.parametrize(
    ("body", "headers", "status", "kind"),
    [
        (b'{"messages": [{"message": "a"}, {"message": 1}]}', {}, 400, "bad-message"),
        (
            b'{"messages": [{"message": "a"}, {"message": "a", "attributes": {"$a": "b"}}]}',
            {},
            400,
            "bad-message",
        ),
        (b"hello", {}, 400, "bad-body"),
        (b"", {}, 400, "bad-body"),
        (b'{"message": "a"}', {"content_type": "application/xml"}, 415, "unsupported-media-type"),
        (b'{"message": "a"}', {"content_type": ""}, 415, "unsupported-media-type"),
        (b'{"message": "a"}', {"content_encoding": "br"}, 415, "unsupported-encoding"),
        (b'{"message": "a"}', {"content_encoding": "gzip"}, 400, "bad-body"),
        (b"", {"content_type": "text/plain", "content_encoding": "gzip"}, 400, "bad-body"),
        (
            gzip.compress(b" " * (16 << 20) + b" ", mtime=0),
            {"content_encoding": "gzip"},
            413,
            "too-much-at-once",
        ),
        (b'{"message": "a"}', {"idempotency_key": "k" * 256}, 400, "bad-idempotency-key"),
        (b'{"message": "a"}', {"idempotency_key": ""}, 400, "bad-idempotency-key"),
        (b'{"message": "%s"}' % (b"a" * ((1 << 20) + 1)), {}, 413, "message-too-large"),
    ],
)
def test_what_cannot_be_taken_is_refused_whole(
    publisher: Publisher,
    make_channel: Make,
    stream: Stream,
    body: bytes,
    headers: dict[str, str],
    status: int,
    kind: str,
) -> None:
    answer = publisher.post(make_channel(), body, **({"content_type": "application/json"} | headers))

    assert (answer.status, answer.data["type"]) == (status, f"urn:relay:problem:{kind}")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.data.get("index") == {"bad-message": 1, "message-too-large": 0}.get(kind)
    assert stream() == []


def test_a_body_that_is_too_large_is_413(publisher: Publisher, make_channel: Make, stream: Stream) -> None:
    channel = make_channel()
    lines = b'{"message": "%s"}\n' % (b"a" * 1000)
    many = publisher.post(channel, lines * ((16 << 20) // len(lines)), content_type="application/x-ndjson")
    connection = http.client.HTTPConnection(urlsplit(publisher.url).netloc, timeout=30)
    connection.putrequest("POST", f"/api/v1/channels/{channel}/messages")
    for name, value in (("Authorization", f"Bearer {publisher.key}"), ("Content-Type", "text/plain")):
        connection.putheader(name, value)
    connection.putheader("Content-Length", str((16 << 20) + 1))
    connection.endheaders()

    assert (many.status, many.data["type"]) == (413, "urn:relay:problem:too-much-at-once")
    assert connection.getresponse().status == 413  # Before anything of it was sent.
    assert stream() == []
    connection.close()


def test_a_channel_that_is_not_there_is_404(publisher: Publisher) -> None:
    answer = publisher.post("nothing", b"hello")

    assert (answer.status, answer.data["type"]) == (404, "urn:relay:problem:channel-unknown")
    assert answer.data["detail"] == 'The channel "nothing" is not relayed. POST /api/v1/channels makes it.'


def test_a_new_channel_can_be_published_on_at_once_and_a_deleted_one_not_after_a_second(
    publisher: Publisher, make_channel: Make, wait_until: Any
) -> None:
    channel = make_channel()
    assert publisher.post(channel, b"hello").status == 202
    Channel.objects.filter(channel=channel).delete()

    wait_until(lambda: publisher.post(channel, b"hello").status == 404, seconds=2)


@pytest.mark.parametrize("name", ["a/b", "a/messages", "ünï", "a b", "a%2Fb", "messages", "a/", "."])
def test_names_are_one_part_of_the_address(
    publisher: Publisher, make_channel: Make, stream: Stream, name: str
) -> None:
    channel = make_channel(name=name)

    answer = publisher.post(channel, b"hello")

    assert answer.status == 202, answer.data
    assert [message["channel"] for message in stream()] == [channel]


def test_many_publish_at_the_same_time(publisher: Publisher, make_channel: Make, stream: Stream) -> None:
    channels = [make_channel() for _ in range(3)]
    sent = [(channels[index % 3], f"message {index}") for index in range(300)]

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda one: publisher.post(one[0], one[1].encode()), sent))

    assert {answer.status for answer in answers} == {202}
    found = {str(message["_id"]): (message["channel"], message["message"]) for message in stream()}
    assert [found[answer.data["ids"][0]] for answer in answers] == sent
    assert len(found) == 300


@pytest.mark.parametrize("deduplicate", ["every", "content"])
def test_an_answer_may_wait_until_it_is_stored(
    publisher: Publisher, make_channel: Make, writer: Loop, archive: Any, deduplicate: str
) -> None:
    channel = make_channel(deduplicate)
    messages = {"messages": [{"message": "a", "id": "1"}, {"message": "b", "id": "2"}]}

    answer = publisher.post_json(channel, messages, "?confirm=stored")
    again = publisher.post_json(
        channel, {"messages": [{"message": "c"}, messages["messages"][1]]}, "?confirm=stored"
    )

    assert (answer.status, answer.data["duplicates"]) == (201, [])
    assert answer.data["positions"] == [
        archive.find_one({"_id": ObjectId(id)})["position"] for id in answer.data["ids"]
    ]
    assert (again.status, again.data["duplicates"]) == (201, [1])
    assert again.data["ids"][1] == answer.data["ids"][1]
    assert again.data["positions"][1] == answer.data["positions"][1]


def test_what_went_into_quarantine_has_no_position(
    publisher: Publisher, make_channel: Make, writer: Loop, archive: Any
) -> None:
    archive.database.command({"collMod": archive.name, "validator": {"message": {"$ne": "bad"}}})
    try:
        messages = {"messages": [{"message": "good"}, {"message": "bad"}]}
        answer = publisher.post_json(make_channel(), messages, "?confirm=stored")
    finally:
        archive.database.command({"collMod": archive.name, "validator": {}})
        archive.database["quarantine"].delete_many({})

    stored, kept = answer.data["positions"]
    assert (answer.status, kept, answer.data["duplicates"]) == (201, None, [])
    assert stored == archive.find_one({"_id": ObjectId(answer.data["ids"][0])})["position"]


def test_what_redis_has_lost_is_not_said_to_be_stored(
    publisher: Publisher, make_channel: Make, relay_keys: Any, archive: Any, wait_until: Any
) -> None:
    """Nothing waits on the stream any more, and the watermark is the clock."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(publisher.post, make_channel(), b"hello", "?confirm=stored")
        wait_until(lambda: relay_keys.xlen(keys.stream(0)) == 1)
        relay_keys.delete(keys.stream(0), keys.appended(0))
        answer = asked.result()

    assert answer.status == 503
    assert "with the same keys" in answer.data["detail"]


def test_a_large_request_stands_in_entries_of_a_mebibyte_one_after_another(
    publisher: Publisher, make_channel: Make, relay_keys: Any, writer: Loop, archive: Any
) -> None:
    channel = make_channel()
    texts = [f"{index:03d}" + "a" * 99_900 for index in range(166)]
    body = b"".join(json.dumps({"message": text}).encode() + b"\n" for text in texts)
    assert 16_000_000 < len(body) < 16 << 20

    def post() -> Any:
        return publisher.post(
            channel, body, "?confirm=stored", content_type="application/x-ndjson", idempotency_key="a key"
        )

    answer, again = post(), post()

    assert (answer.status, answer.data["duplicates"]) == (201, [])
    assert (again.status, again.data["duplicates"]) == (201, list(range(len(texts))))
    assert again.data["positions"] == answer.data["positions"] == sorted(answer.data["positions"])
    stored = list(archive.find({"channel": channel}).sort("position", 1))
    assert [document["message"] for document in stored] == texts
    assert [document["position"] for document in stored] == answer.data["positions"]
    assert list(Counter(position[:-5] for position in answer.data["positions"]).values()) == [10] * 16 + [6]
    for _, fields in relay_keys.xrange(keys.stream(0)):
        assert len(fields[b"bson"]) <= 1 << 20


def test_answers_that_wait_for_the_same_writer_come_soon(
    publisher: Publisher, make_channel: Make, writer: Loop
) -> None:
    channel = make_channel()
    assert publisher.post(channel, b"first", "?confirm=stored").status == 201

    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: publisher.post(channel, b"a", "?confirm=stored"), range(40)))

    assert {answer.status for answer in answers} == {201}
    assert time.monotonic() - began < 5


def test_without_a_writer_the_answer_is_202_after_a_while(
    web: str, token: str, make_channel: Make, stream: Stream
) -> None:
    publisher = Publisher(web, token)

    began = time.monotonic()
    answer = publisher.post(make_channel(), b"hello", "?confirm=stored")

    assert (answer.status, list(answer.data)) == (202, ["ids"])
    assert 9 < time.monotonic() - began < 15
    assert [str(message["_id"]) for message in stream()] == answer.data["ids"]


def test_what_is_to_be_confirmed_otherwise_is_400(publisher: Publisher, make_channel: Make) -> None:
    assert publisher.post(make_channel(), b"hello", "?confirm=written").status == 400


@pytest.mark.parametrize("name", ["alerts", "relay", "rule by-location"])
def test_nobody_publishes_in_the_name_of_relay_or_of_a_rule(
    web: str, operator: Any, make_channel: Make, stream: Stream, name: str
) -> None:
    _, key = tokens.make(name, operator, Token.Scope.MANAGE)
    said = {"message": "{}", "attributes": {"event": "acknowledge", "alert-id": "0" * 24}}

    assert Publisher(web, key).post_json(make_channel(), said).status == 202

    assert [message["produced_by"] for message in stream()] == [f"token {name}"]
