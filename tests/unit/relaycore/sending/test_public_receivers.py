"""The public libraries of Node.js receive what is sent: npm's `standardwebhooks` and `cloudevents`.

What they do otherwise than the specifications say is put right here: the second does not decode what is
percent-encoded in headers, and takes an empty body for none; the first reads all bodies as text.
"""

import base64
import json
import time
from typing import Any
from urllib.parse import unquote

import pytest

from relaycore.sending.formats.choosing import batch, item, single
from relaycore.sending.formats.format import Encoded, Format
from relaycore.sending.signing import SharedSecret, Signer
from relaycore.storing.shown import timestamp
from tests.public_receivers import receive
from tests.unit.relaycore.sending.stored import MEDIA_TYPES, NASTY, document, payload_of

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEW = "whsec_" + base64.b64encode(b"n" * 32).decode()
KNOWN = {
    *("id", "source", "specversion", "type", "subject", "time", "datacontenttype"),
    *("sequence", "partitionkey", "recordedtime", "relayattributes"),
}
STORED = [
    document(attributes=dict.fromkeys(("kind", "Kind", "id", "_"), value), message=value)
    for value in ["x", *NASTY]
] + [
    document(message=payload, content_type=said)
    for payload in ('{"a": [1.5, null]}', '"text"', "no JSON", b"\x00\xff", "[]", "NaN")
    for said in MEDIA_TYPES
]


def request_of(sent: Encoded, secret: str, **more: Any) -> dict[str, Any]:
    secrets = [SharedSecret.read(NEW), SharedSecret.read(SECRET)]
    signed = Signer(secrets).headers(sent.id, int(time.time()), sent.body)
    headers = {name.decode(): value.decode() for name, value in (*sent.headers, *signed)}
    return {"headers": headers, "body": base64.b64encode(sent.body).decode(), "secret": secret, **more}


def test_each_format_is_verified_with_each_of_two_secrets_and_with_no_other() -> None:
    stored = document(message="größer", attributes={"kind": "ü"})
    requests = []
    for format in Format:
        sent = batch(format, [stored], [item(format, stored)]) if format.is_batch else single(format, stored)
        requests += [request_of(sent, secret) for secret in (SECRET, NEW)]
        requests.append(request_of(sent, "whsec_" + "A" * 32))
        requests.append({**request_of(sent, SECRET), "body": base64.b64encode(sent.body + b" ").decode()})
    found = receive(requests)
    refused = {"error": "WebhookVerificationError: No matching signature found"}
    assert found == [{"verified": True}, {"verified": True}, refused, refused] * len(Format)


@pytest.mark.parametrize(
    "format", [Format.CLOUDEVENTS_BINARY, Format.CLOUDEVENTS_STRUCTURED, Format.CLOUDEVENTS_BATCH]
)
def test_events_are_read_as_they_were_meant(format: Format) -> None:
    if format.is_batch:
        requests = [
            request_of(batch(format, STORED, [item(format, one) for one in STORED]), SECRET, read="text")
        ]
    else:
        stored = [one for one in STORED if format is not Format.CLOUDEVENTS_BINARY or is_text(one)]
        requests = [request_of(single(format, one), SECRET, read="text") for one in stored]
    answers = receive(requests)
    assert [answer for answer in answers if "error" in answer] == []
    events = [event for answer in answers for event in answer["events"]]
    expected = STORED if format is not Format.CLOUDEVENTS_BINARY else stored
    for event, one in zip(events, expected, strict=True):
        said = event["attributes"]
        if format is Format.CLOUDEVENTS_BINARY:
            said = {name: unquote(value) if isinstance(value, str) else value for name, value in said.items()}
        assert said["id"] == one["_id"]
        assert said["source"] == "/api/v1/channels/orders"
        assert said["type"] == "relay.message"
        assert said["subject"] == said["partitionkey"] == "orders"
        assert said["sequence"] == one["position"]
        assert said["recordedtime"] == timestamp(one["received_at"])
        alone = {name: value for name, value in said.items() if name not in KNOWN}
        assert {**alone, **json.loads(said.get("relayattributes", "{}"))} == one.get("attributes", {})
        assert_is_payload(event, payload_of(one))


def is_text(stored: dict[str, Any]) -> bool:
    """Whether the library of Standard Webhooks takes it: it reads all bodies as text."""
    return isinstance(stored["message"], str)


def assert_is_payload(event: dict[str, Any], payload: bytes) -> None:
    if "coded" in event:
        assert base64.b64decode(event["coded"]) == payload
    elif event.get("data") is None:
        assert payload in {b"", b"null"}
    else:
        data = event["data"]
        assert data == payload.decode() or data == json.loads(payload)
