"""What is published before Django is answered as Django answers it: both are asked, case by case."""

import gzip
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.api.test_hot_side_by_side import EVERY, ask

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., str]

ONE = b'{"message": "hello"}'
JSON = "application/json"


@pytest.fixture(scope="module")
def servers(serve: Callable[..., str]) -> tuple[str, str]:
    """A web process as it is, and one in which only Django answers."""
    environment = {"RELAY_WEB_REQUESTS_PER_MINUTE": "0"}
    return serve(**environment), serve("django", **environment)


@pytest.fixture
def both(servers: tuple[str, str], token: str, make_channel: Make, relay_keys: Any) -> Callable[..., Any]:
    """Asks both, and asserts that they answer alike; what they answer. What is stored has a key, so an id."""
    channel = make_channel()

    def both(body: bytes = ONE, query: str = "", name: str = channel, **headers: str | None) -> Any:
        sent = {
            "host": "localhost",
            "authorization": f"Bearer {token}",
            "x_request_id": "abc",
            "content_type": JSON,
            "idempotency_key": "key",
            "content_length": str(len(body)),
        } | headers
        lines = [(k.replace("_", "-"), v) for k, v in sent.items() if v is not None]
        path = f"/api/v1/channels/{name}/messages{query}"
        hot, django = (ask(server, "POST", path, body, lines) for server in servers)
        assert hot == django
        return hot

    return both


def test_what_is_published(both: Callable[..., Any]) -> None:
    status, headers, content = both()

    assert status == 202
    assert re.fullmatch(rb'\{"ids":\["[0-9a-f]{24}"\]\}\n', content)
    assert headers["allow"] == "POST, OPTIONS"
    assert not EVERY & headers.keys()


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"hello", {"content_type": "text/plain; charset=utf-8"}, 202),
        (b"", {"content_type": "text/plain"}, 202),
        (b"\xff", {"content_type": "application/octet-stream"}, 202),
        (ONE + b"\n" + ONE, {"content_type": "application/x-ndjson"}, 202),
        (b'{"messages": [' + ONE + b"]}", {"content_type": "APPLICATION/JSON;a=b"}, 202),
        (gzip.compress(ONE, mtime=0), {"content_encoding": "gzip"}, 202),
        (ONE, {"content_encoding": "gzip"}, 400),
        (ONE, {"content_encoding": "br"}, 415),
        (ONE, {"relay_hops": "1"}, 202),
        (ONE, {"relay_hops": "9"}, 508),
        (ONE, {"content_type": None}, 415),
        (ONE, {"content_type": ""}, 415),
        (ONE, {"content_type": "application/x-www-form-urlencoded"}, 415),
        (ONE, {"content_type": "multipart/form-data; boundary=x"}, 415),
        (ONE, {"content_type": "nonsense"}, 415),
        (b"", {}, 400),
        (b"hello", {}, 400),
        (b'{"messages": [{"message": "a"}, {"message": 1}]}', {}, 400),
        (json.dumps({"message": "a" * ((1 << 20) + 1)}).encode(), {}, 413),
        (b" " * ((1 << 20) + 1) + ONE, {}, 202),
        (ONE, {"idempotency_key": "k" * 256}, 400),
        (ONE, {"idempotency_key": ""}, 400),
        (ONE, {"idempotency_key": '"quoted"'}, 202),
        (ONE, {"accept": "text/html"}, 202),
        (ONE, {"accept": "application/xml"}, 406),
        (ONE, {"authorization": None}, 401),
        (ONE, {"authorization": "Bearer wrong"}, 401),
        (ONE, {"host": "elsewhere"}, 400),
    ],
)
def test_bodies_and_headers(
    both: Callable[..., Any], body: bytes, headers: dict[str, str | None], status: int
) -> None:
    assert both(body, **headers)[0] == status


def test_a_body_that_is_too_large(servers: tuple[str, str], token: str) -> None:
    """Whatever is in front of it answers, so with fewer headers."""
    lines = [
        ("host", "localhost"),
        ("authorization", f"Bearer {token}"),
        ("content-length", str((16 << 20) + 1)),
    ]
    answers = [ask(server, "POST", "/api/v1/channels/a/messages", b"", lines) for server in servers]

    assert [status for status, _, _ in answers] == [413, 413]
    assert json.loads(answers[0][2]) == json.loads(answers[1][2])


@pytest.mark.parametrize(
    ("query", "status"),
    [("?", 202), ("?x=1", 400), ("?confirm=nothing", 400), ("?confirm=", 400), ("?format=json", 202)],
)
def test_parameters(both: Callable[..., Any], query: str, status: int) -> None:
    assert both(query=query)[0] == status


@pytest.mark.parametrize(
    "name", ["nothing", "no%2Fthing", "no/thing", "%00", "a%00b", "%FF", "x" * 300, "no%2F", ""]
)
def test_channels_that_are_not_there(both: Callable[..., Any], name: str) -> None:
    assert both(name=name)[0] in {404, 405}


def test_without_redis(serve: Callable[..., str], token: str, make_channel: Make) -> None:
    away = {"REDIS_URL": "redis://127.0.0.1:1/0", "RELAY_WEB_REQUESTS_PER_MINUTE": "0"}
    servers = serve(**away), serve("django", **away)
    lines = [("host", "localhost"), ("authorization", f"Bearer {token}"), ("content-type", "text/plain")]
    path = f"/api/v1/channels/{make_channel()}/messages"

    answers = [ask(server, "POST", path, b"a", [*lines, ("content-length", "1")]) for server in servers]

    for status, headers, content in answers:
        assert (status, headers["retry-after"]) == (503, "2")
        assert b"Redis" in content
