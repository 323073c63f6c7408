"""What is answered before Django is what Django would have answered: both are asked, case by case."""

import http.client
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import bson
import pytest
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from django.contrib.auth.models import Permission
from django.urls import resolve

from access_app import tokens
from relaycore.rights import parse
from relayproject.hot import ENDPOINTS

pytestmark = pytest.mark.django_db(transaction=True)

ID = "5f2b9c1e8d7a6b5c4d3e2f10"
BINARY = "5f2b9c1e8d7a6b5c4d3e2f11"
UNKNOWN = "0" * 24
PATH = f"/api/v1/messages/{ID}"
EVERY = {"date", "server"}
"""What the server adds, not the application."""

CHANCE = re.compile(r"""(?<=csrf[tT]oken=)\w{32}|(?<=csrfToken": ")\w{64}|(?<=value=")\w{64}|expires=[^;]+""")
"""What Django makes anew for each page: for the protection of forms."""

Answer = tuple[int, dict[str, str], bytes]
Ask = Callable[..., Answer]
Both = Callable[..., tuple[Answer, Answer]]


def ask(url: str, method: str, path: str, body: bytes | None, headers: list[tuple[str, str]]) -> Answer:
    """As it is: other clients tidy up first."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    found = dict[str, str]()
    for name, value in answer.getheaders():
        if name.lower() not in EVERY:
            found[name.lower()] = found.get(name.lower(), "") + value
    return answer.status, {name: CHANCE.sub("", value) for name, value in found.items()}, _plain(content)


def _plain(content: bytes) -> bytes:
    return CHANCE.sub("", content.decode("latin-1")).encode("latin-1")


@pytest.fixture(scope="module")
def servers(serve: Callable[..., str]) -> tuple[str, str]:
    """A web process as it is, and one in which only Django answers."""
    environment = {"RELAY_WEB_REQUESTS_PER_MINUTE": "0"}
    return serve(**environment), serve("django", **environment)


@pytest.fixture(scope="module")
def servers_behind_tls(serve: Callable[..., str]) -> tuple[str, str]:
    """The same behind a proxy that ends TLS."""
    environment = {"RELAY_WEB_REQUESTS_PER_MINUTE": "0", "RELAY_WEB_HTTPS": "true"}
    return serve(**environment), serve("django", **environment)


@pytest.fixture
def stored(archive: Any) -> None:
    """A message of text and one of bytes."""
    received_at = datetime(2026, 11, 21, 12, 0, 0, 123000, UTC)
    archive.insert_many(
        {
            "_id": ObjectId(id),
            "channel": "ünï/\u2028",
            "message": message,
            "received_at": received_at,
            "position": f"1795262400125-0000000000-0000{index}",
        }
        for index, (id, message) in enumerate([(ID, 'héllo \u2029 "</script>\0'), (BINARY, b"\xff\x00")])
    )
    said = {"attributes": {"größe": "\u2028"}, "content_type": "text/plain", "produced_by": "ünï"}
    archive.update_one({"_id": ObjectId(BINARY)}, {"$set": said})


@pytest.fixture
def both(servers: tuple[str, str], token: str, stored: None) -> Both:
    """Asks both, and asserts that they answer alike; what they answer."""
    return _asking(servers, token)


def _asking(servers: tuple[str, str], token: str) -> Both:
    def both(
        method: str = "GET",
        path: str = PATH,
        body: bytes | None = None,
        more: tuple[tuple[str, str], ...] = (),
        **headers: str | None,
    ) -> tuple[Answer, Answer]:
        sent = {"host": "localhost", "authorization": f"Bearer {token}", "x_request_id": "abc"} | headers
        lines = [(k.replace("_", "-"), v) for k, v in sent.items() if v is not None] + list(more)
        hot, django = (ask(server, method, path, body, lines) for server in servers)
        assert hot == django
        return hot, django

    return both


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (PATH, 200),
        (PATH + "/", 200),
        (PATH.upper().replace("/API/V1/MESSAGES", "/api/v1/messages"), 200),
        (PATH.replace("5f2b", "%35f%32b"), 200),
        (PATH + "%2F", 200),
        (f"/api/v1/messages/{BINARY}", 200),
        (f"/api/v1/messages/{UNKNOWN}", 404),
        ("/api/v1/messages/short", 404),
        (PATH + "0", 404),
        (PATH + "%0A", 404),
        (PATH + "//", 404),
        ("/" + PATH, 404),
        ("//api/v1/messages", 404),
        ("/api/v1/messages/", 400),
        ("/api/v1/messages/export", 400),
        (PATH + "?", 200),
        (PATH + "?x=1", 400),
        (PATH + "?x=1&y&z=%C3%A9", 400),
        (PATH + "?x=%00", 400),
        (PATH + "?x=%FF", 400),
        (PATH + "?=", 400),
        (PATH + "?format=json", 200),
        (PATH + "?format=json&x=1", 400),
        (PATH + "?form%61t=json", 200),
        (PATH + "?format=api", 200),
        (PATH + "?format=xml", 404),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_addresses(both: Both, method: str, path: str, status: int) -> None:
    hot, _ = both(method, path)

    assert hot[0] == status


def test_the_answer_is_all_of_it(both: Both) -> None:
    (_, headers, content), _ = both()

    assert json.loads(content)["message"] == 'héllo \u2029 "</script>\0'
    assert headers["allow"] == "GET, HEAD, OPTIONS"
    assert {"x-frame-options", "x-content-type-options", "content-security-policy", "vary"} <= headers.keys()
    (_, headers, content), _ = both("HEAD")
    assert (content, int(headers["content-length"]) > 0) == (b"", True)


@pytest.mark.parametrize("method", ["OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY", "get"])
def test_methods(both: Both, method: str) -> None:
    both(method, content_length="0")


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/*",
        "application/json",
        "APPLICATION/JSON",
        "application/json;q=0.5, text/html;q=0.9",
        "application/json; indent=4",
        "application/json; charset=utf-8",
        "*/*; indent=2",
        "application/json, text/plain, */*",
        "application/problem+json",
        "text/html",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "application/xml",
        "nonsense",
        "",
        ",",
        "é",
        ", ".join(["a/b"] * 100),
    ],
)
@pytest.mark.parametrize("path", [PATH, f"/api/v1/messages/{UNKNOWN}"])
def test_what_is_accepted(both: Both, path: str, accept: str | None) -> None:
    both(path=path, accept=accept)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "bearer wrong",
        "Token wrong",
        "Bearer a b",
        "Bearer é",
        "Basic YTpi",
        "Digest x",
        "wrong",
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_strangers(both: Both, header: str | None, accept: str) -> None:
    hot, _ = both(authorization=header, accept=accept)

    assert (hot[0], hot[1]["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER", "Token", "Bearer  ", "Bearer\t"])
def test_words_before_a_key(both: Both, token: str, word: str) -> None:
    hot, _ = both(authorization=f"{word} {token}")

    assert hot[0] == 200


def test_two_keys_are_none(both: Both, token: str) -> None:
    hot, _ = both(more=(("authorization", f"Bearer {token}"),))

    assert hot[0] == 401


@pytest.mark.parametrize("header", ["accept", "host", "x-forwarded-proto", "cookie"])
def test_headers_that_come_twice(both: Both, header: str) -> None:
    both(more=((header, "text/html"), (header, "localhost")))


@pytest.mark.parametrize(
    "host", ["localhost:1", "127.0.0.1", "[::1]:80", "LOCALHOST", "localhost.", "elsewhere", "a b", "", None]
)
def test_hosts(both: Both, host: str | None) -> None:
    both(host=host)


def test_a_session_is_not_looked_at_beside_a_key(both: Both) -> None:
    assert both(cookie="sessionid=1; csrftoken=2")[0][0] == 200
    assert both(authorization=None, cookie="sessionid=1")[0][0] == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"x_forwarded_proto": "https"},
        {"x_forwarded_host": "elsewhere", "x_forwarded_for": "1.2.3.4", "forwarded": "for=1.2.3.4"},
        {"origin": "https://elsewhere", "access_control_request_method": "GET"},
        {"if_none_match": "*", "range": "bytes=0-1", "accept_encoding": "gzip"},
        {"content_type": "application/json"},
        {"connection": "close"},
    ],
)
def test_other_headers(both: Both, headers: dict[str, str]) -> None:
    assert both(**headers)[0][0] == 200


@pytest.mark.parametrize("given", ["abc-1", "A" * 64, "A" * 65, "a b", "a_b", "é", "", "a\tb", "--"])
def test_request_ids(servers: tuple[str, str], token: str, stored: None, given: str) -> None:
    lines = [("host", "localhost"), ("authorization", f"Bearer {token}"), ("x-request-id", given)]
    found = [ask(server, "GET", PATH, None, lines)[1]["x-request-id"] for server in servers]

    made = [re.fullmatch("[0-9a-f]{32}", known_as) is not None for known_as in found]
    assert made == [True, True] or found == [given, given]


@pytest.mark.parametrize("length", ["1", str(2 << 20)])
def test_bodies_where_none_belongs(both: Both, length: str) -> None:
    both(body=b"x" * min(int(length), 1), content_length=length)


def test_the_schemes_behind_a_proxy(servers_behind_tls: tuple[str, str], token: str, stored: None) -> None:
    both = _asking(servers_behind_tls, token)

    for good in ("https", "https,http", " https , x"):
        hot, _ = both(x_forwarded_proto=good)
        assert (hot[0], "strict-transport-security" in hot[1]) == (200, True)
    for bad in (None, "http", "HTTPS", ""):
        assert both(x_forwarded_proto=bad)[0][0] == 301


@pytest.mark.parametrize(
    ("scope", "channels", "status"),
    [
        ("read", "ünï*", 200),
        ("consume", "*", 200),
        ("manage", "[^a]*", 200),
        # As a message that does not exist: its id would tell who guesses its text.
        ("read", "orders.*", 404),
        ("publish", "*", 403),
    ],
)
def test_what_a_grant_is_for(both: Both, operator: Any, scope: str, channels: str, status: int) -> None:
    _, key = tokens.make("some", operator, parse([{"scope": scope, "channels": [channels]}]))
    hot, _ = both(authorization=f"Bearer {key}")
    unknown, _ = both(path=f"/api/v1/messages/{UNKNOWN}", authorization=f"Bearer {key}")

    assert hot[0] == status
    assert hot == unknown or status == 200


@pytest.mark.parametrize("permission", [None, "view_channel", "view_message"])
def test_what_a_user_may(both: Both, django_user_model: Any, permission: str | None) -> None:
    clerk = django_user_model.objects.create_user("clerk")
    clerk.user_permissions.set(Permission.objects.filter(codename=permission))
    _, key = tokens.make("some", clerk, "manage")

    assert both(authorization=f"Bearer {key}")[0][0] == (200 if permission == "view_message" else 403)


def test_a_token_that_is_revoked(
    servers: tuple[str, str], both: Both, operator: Any, wait_until: Callable[..., None]
) -> None:
    made, key = tokens.make("another", operator, "read")
    assert both(authorization=f"Bearer {key}")[0][0] == 200
    tokens.revoke(made)
    lines = [("host", "localhost"), ("authorization", f"Bearer {key}")]
    wait_until(lambda: ask(servers[0], "GET", PATH, None, lines)[0] == 401)

    assert both(authorization=f"Bearer {key}")[0][0] == 401


def test_what_is_asked_for_too_often(serve: Callable[..., str], operator: Any, stored: None) -> None:
    """Each has its own setting for it, and its own count."""
    hot = serve(RELAY_WEB_HOT_REQUESTS_PER_MINUTE="2", RELAY_WEB_REQUESTS_PER_MINUTE="1")
    django = serve("django", RELAY_WEB_REQUESTS_PER_MINUTE="2")
    key = tokens.make("often", operator, "read")[1]
    lines = [("host", "localhost"), ("authorization", f"Bearer {key}"), ("x-request-id", "abc")]
    while datetime.now(UTC).second > 50:  # All in one minute.
        time.sleep(0.1)

    for status, left in ((200, 1), (200, 0), (429, 0)):
        answers = [_without_seconds(ask(server, "GET", PATH, None, lines)) for server in (hot, django)]
        assert answers[0] == answers[1]
        assert answers[0][0] == status
        assert f"r={left}" in answers[0][1]["ratelimit"]
        assert "q=2;w=60" in answers[0][1]["ratelimit-policy"]


def _without_seconds(answer: Answer) -> Answer:
    status, headers, content = answer
    headers = {name: re.sub(r"t=\d+|^\d+$", "N", value) for name, value in headers.items()}
    headers.pop("content-length")
    return status, headers, re.sub(rb"in \d+ second", b"in N second", content)


def test_a_document_that_cannot_be_read(both: Both, archive: Any) -> None:
    broken = bson.encode(
        {**archive.find_one({"_id": ObjectId(ID)}), "_id": ObjectId(UNKNOWN), "message": "abc"}
    )
    archive.insert_one(RawBSONDocument(broken.replace(b"abc", b"\xffbc")))

    hot, _ = both(path=f"/api/v1/messages/{UNKNOWN}")

    assert (hot[0], hot[1]["content-type"]) == (500, "application/problem+json")


def test_without_mongodb(serve: Callable[..., str], token: str) -> None:
    away = {"MONGO_URL": "mongodb://127.0.0.1:1/", "RELAY_WEB_REQUESTS_PER_MINUTE": "0"}
    both = _asking((serve(**away), serve("django", **away)), token)

    hot, _ = both()

    assert (hot[0], hot[1]["retry-after"]) == (503, "2")
    assert b"MongoDB does not answer" in hot[2]


def test_without_postgresql(serve: Callable[..., str], token: str) -> None:
    away = {"DATABASE_URL": "postgres://postgres@127.0.0.1:1/relay", "RELAY_WEB_REQUESTS_PER_MINUTE": "0"}
    servers = serve(**away), serve("django", **away)

    hot, _ = _asking(servers, token)()

    assert (hot[0], hot[1]["retry-after"]) == (503, "2")
    assert b"PostgreSQL does not answer" in hot[2]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_an_endpoint_is_at_the_addresses_of_its_view(endpoint: Any) -> None:
    verb = endpoint.name.removeprefix("subscription-")
    path = {"message": PATH, "publish": "/api/v1/channels/orders/messages"}.get(
        endpoint.name, f"/api/v1/subscriptions/billing/{verb}"
    )

    assert endpoint.matcher().fullmatch(path)
    found: Any = resolve(path)
    assert (found.view_name, found.func.cls) == (endpoint.name, endpoint.view)
    assert found.kwargs == endpoint.matcher().fullmatch(path).groupdict()
