"""Whatever is sent, the answer says what is wrong with it, and is never 500."""

import json
import time
from typing import Any

import pytest

from channels_app.models import Channel
from relaybase.http.bodies import MAX_BODY_BYTES

pytestmark = pytest.mark.django_db

START = "/api/v1/start-listening"


@pytest.mark.parametrize(
    ("body", "status", "about"),
    [
        (b"", 400, "channel"),
        (b"orders", 400, "not JSON"),
        (b'{"channel": "orders"', 400, "not JSON"),
        (b'{"channel": "orders"} x', 400, "not JSON"),
        (b'{"channel": NaN}', 400, "NaN is not a JSON number"),
        (b'{"channel": ' + b"9" * 5000 + b"}", 400, "not JSON"),
        (b'\xef\xbb\xbf{"channel": "orders"}', 400, "not JSON"),
        (b'{"channel": "\xff"}', 400, "not JSON"),
        (b'{"channel": "\\ud800"}', 400, "surrogate"),
        (b'{"\\udfff": 1}', 400, "surrogate"),
        (b'{"deduplicate": {"field": "\\udfff"}}', 400, "surrogate"),
        (b'{"channel": "a\\u0000"}', 400, "ull characters"),
        (b'{"channel": "a", "channel": "orders"}', 400, "the name 'channel' twice"),
        (
            b'{"channel": "orders", "deduplicate": {"field": "a", "field": "b"}}',
            400,
            "the name 'field' twice",
        ),
        (b"[" * 100_000, 400, "nested too deeply"),
        (b'{"a":' * 100_000, 400, "nested too deeply"),
        (b'{"channel": "orders", "deduplicate": ' + b"[" * 200 + b"]" * 200 + b"}", 400, "deduplicate"),
        (b'"' + b"x" * MAX_BODY_BYTES + b'"', 413, "1048576 bytes"),
    ],
    ids=range(18),
)
def test_a_bad_body_is_the_senders_mistake(api: Any, body: bytes, status: int, about: str) -> None:
    answer = api.post(START, body, content_type="application/json")

    assert answer.status_code == status
    assert about in answer.json()["detail"]
    assert not Channel.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {f"{number:05}": 1 for number in range(80_000)},
        {f"{number}" + "x" * 100_000: 1 for number in range(9)},
    ],
    ids=["many", "long"],
)
def test_a_body_of_unknown_keys_costs_little(api: Any, body: dict[str, int]) -> None:
    began = time.process_time()
    answer = api.post(START, json.dumps(body), content_type="application/json")
    took = time.process_time() - began

    assert answer.status_code == 400
    assert "Unknown; there are: channel" in answer.json()["detail"]
    assert len(answer.content) < 10_000
    assert took < 1.5  # 0.6 on a busy machine; 1.9 when each key had a sentence of its own.
    if len(body) > 10:
        assert answer.json()["detail"].endswith("And 79991 more that are unknown.")


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=x", "a/{b}"],
)
def test_another_content_type_is_told_to_send_json(api: Any, content_type: str) -> None:
    answer = api.post(START, b'{"channel": "orders"}', content_type=content_type)

    assert answer.status_code == 415
    assert "Send JSON" in answer.json()["detail"]


def test_the_charset_of_the_content_type_is_not_believed(api: Any) -> None:
    body = '{"channel": "é"}'.encode()

    answer = api.post(START, body, content_type="application/json; charset=utf-16")

    assert answer.json()["channel"] == "é"


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/channels?limit=0",
        "/api/v1/channels?limit=1001",
        "/api/v1/channels?limit=",
        "/api/v1/channels?status=active",
        "/api/v1/channels?search=%00",
        "/api/v1/channels?cursor=%00",
        "/api/v1/channels?cursor=AA",  # NUL
        "/api/v1/channels?cursor=_w",  # a byte that is not UTF-8
        "/api/v1/channels?page=2",
        "/api/v1/channels/a?x=1",
        "/api/v1/messages/000000000000000000000000?x=1",
        "/api/v1/stop-listening/a?x=1",
    ],
)
def test_a_bad_parameter_is_named(api: Any, address: str) -> None:
    answer = api.get(address)

    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_an_unknown_parameter_does_not_start_anything(api: Any) -> None:
    answer = api.post(START + "?dedupe=every", {"channel": "orders"}, format="json")

    assert answer.status_code == 400
    assert answer.json()["detail"] == "Unknown parameter 'dedupe'. Here one can give: 'wait'."
    assert not Channel.objects.exists()


@pytest.mark.parametrize("address", ["/api/v1/nothing", "/api/v1/stop-listening/", "/api/v1/messages/a/b"])
def test_an_unknown_address_is_404_in_json(api: Any, address: str) -> None:
    answer = api.get(address)

    assert answer.status_code == 404
    assert "/api/v1" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("delete", START),
        ("delete", "/api/v1/channels"),
        ("put", "/api/v1/channels/orders"),
        ("post", "/api/v1/messages"),
        ("patch", "/api/v1/stop-listening/orders"),
    ],
)
def test_a_method_that_is_not_there_is_405(api: Any, method: str, address: str) -> None:
    assert getattr(api, method)(address).status_code == 405
