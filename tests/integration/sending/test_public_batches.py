"""Batches that a real sender has sent, read by libraries that are not ours, of Python and of Node.js."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cloudevents.core.bindings import http
from cloudevents.core.bindings.http import HTTPMessage
from standardwebhooks import Webhook

from relay_client import verify
from relaybase.postgres.encrypting import decrypt
from subscribers_app import registration
from subscribers_app.models import Subscription
from tests.integration.pulling.conftest import Client
from tests.integration.sending.endpoints import Place
from tests.loops import Loop
from tests.public_receivers import receive
from webhooks_app.models import EndpointSecret

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

TEXTS = ["plain", '{"a": [1, null]}', "größer \u2028", "", "\x00", *(str(number) for number in range(30))]


@pytest.fixture
def secret() -> Callable[[], str]:
    return lambda: decrypt(EndpointSecret.objects.get().value).decode()


@pytest.fixture
def send(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    sender: Loop,
    place: Place,
    wait_until: Any,
) -> Callable[[str], list[str]]:
    """Send all of it in this format, in few requests; the ids in the order of the channel."""

    def go(format: str) -> list[str]:
        made = hook(channel, place.url, format=format, batch_messages=10, order="channel")
        registration.pause(made.name)
        body = {"messages": [{"message": text, "attributes": {"kind": "x"}} for text in TEXTS]}
        ids: list[str] = client.post(f"channels/{channel}/messages", body, 202)["ids"]
        registration.resume(made.name)
        wait_until(lambda: Subscription.objects.get(pk=made.pk).position > made.position)
        wait_until(lambda: sum(one.body.count(b'"id":') for one in place.came) >= len(TEXTS))
        assert len(place.came) <= 8
        return ids

    return go


def test_events_are_verified_and_read(
    send: Callable[[str], list[str]], place: Place, secret: Callable[[], str]
) -> None:
    ids = send("cloudevents-batch")
    asked = [
        {
            "headers": one.headers,
            "body": base64.b64encode(one.body).decode(),
            "secret": secret(),
            "read": "text",
        }
        for one in place.came
    ]
    answers = receive(asked)
    assert [answer["error"] for answer in answers if "error" in answer] == []
    assert [event["attributes"]["id"] for answer in answers for event in answer["events"]] == ids
    found = []
    for one in place.came:
        Webhook(secret()).verify(one.body, one.headers)
        for text in json.loads(one.body):
            message = HTTPMessage({"content-type": "application/cloudevents+json"}, json.dumps(text).encode())
            found.append(http.from_http_event(message))
    assert [event.get_attributes()["id"] for event in found] == ids
    assert [event.get_data() for event in found] == TEXTS


@pytest.mark.parametrize("format", ["cloudevents-batch", "ndjson"])
def test_the_client_library_gives_each_message(
    format: str, send: Callable[[str], list[str]], place: Place, secret: Callable[[], str]
) -> None:
    ids = send(format)
    found = [message for one in place.came for message in verify(one.headers, one.body, secret()).messages]
    assert [(one.id, one.payload) for one in found] == [
        (id, text.encode()) for id, text in zip(ids, TEXTS, strict=True)
    ]
