"""What `verify` takes and refuses: signed by Relay's own code, by public libraries, and by hand."""

import base64
import dataclasses
import hashlib
import hmac
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as PublicLibrary

from relay_client import BadWebhook, Message, Webhook, verify
from relay_client.receiving.signatures import secrets_of, verified
from relaycore.sending.formats.choosing import batch, item, single
from relaycore.sending.formats.format import Encoded, Format
from relaycore.sending.signing import SharedSecret, Signer
from relaycore.storing.shown import row
from tests.unit.relaycore.sending.stored import document, documents

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"o" * 32).decode()
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
PUBLIC = "whpk_" + base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
BODY = b'{"type": "relay.confirmation", "challenge": "abc"}'

Sent = tuple[dict[str, str], bytes]


def by_hand(body: bytes = BODY, *, id: str = "msg_1", at: int | None = None, key: bytes = b"o" * 32) -> Sent:
    """Signed as the specification says, without any code of Relay's."""
    when = str(int(time.time()) if at is None else at)
    signed = hmac.new(key, f"{id}.{when}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(signed).decode()
    return {"webhook-id": id, "webhook-timestamp": when, "webhook-signature": signature}, body


def by_relay(sent: Encoded, secret: str = SECRET) -> Sent:
    """As an endpoint gets it."""
    signed = Signer([SharedSecret.read(secret)]).headers(sent.id, int(time.time()), sent.body)
    return {name.decode(): value.decode() for name, value in (*sent.headers, *signed)}, sent.body


def encoded(format: Format, stored: Sequence[dict[str, Any]]) -> Encoded:
    if format.is_batch:
        return batch(format, stored, [item(format, one) for one in stored])
    return single(format, stored[0])


def is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


@pytest.mark.parametrize("format", Format)
@given(stored=st.lists(documents(), min_size=1, max_size=3))
def test_messages_come_as_they_are_stored_in_whatever_format(
    format: Format, stored: list[dict[str, Any]]
) -> None:
    stored = stored if format.is_batch else stored[:1]
    found = verify(*by_relay(encoded(format, stored)), SECRET)
    assert found.type == "relay.message"
    assert [(one.id, one.channel, one.position) for one in found.messages] == [
        (one["_id"], one["channel"], one["position"]) for one in stored
    ]
    for message, one in zip(found.messages, map(Message.of, map(row, stored)), strict=True):
        assert message.received_at == one.received_at
        assert message.attributes == one.attributes
        if message.payload != one.payload:
            # JSON in JSON is written anew.
            assert format in {Format.CLOUDEVENTS_STRUCTURED, Format.CLOUDEVENTS_BATCH}
            assert repr(json.loads(message.payload)) == repr(json.loads(one.payload))
        if format in {Format.STANDARD, Format.NDJSON}:
            assert message == one


def test_a_webhook_says_when_it_was_signed_and_by_which_id_it_is_known() -> None:
    headers, body = by_relay(single(Format.STANDARD, document()))
    before = datetime.now(UTC).replace(microsecond=0)
    found = verify(headers, body, SECRET)
    assert before <= found.attempted_at <= datetime.now(UTC)
    assert found.id == found.message.id == document()["_id"]
    assert found.message.payload == b"hello"
    assert found.challenge is None
    assert "hello" not in repr(found)


def test_a_confirmation_brings_its_challenge_and_no_message() -> None:
    found = verify(*by_hand(), OTHER)
    assert (found.type, found.challenge, found.messages) == ("relay.confirmation", "abc", ())
    assert found.said == json.loads(BODY)
    with pytest.raises(ValueError, match="0 messages, not one"):
        _ = found.message


def test_what_the_public_library_signs_is_taken() -> None:
    at = datetime.now(UTC)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": PublicLibrary(SECRET).sign("msg_1", at, BODY.decode()),
    }
    assert verify(headers, BODY, SECRET).challenge == "abc"


def test_the_example_of_the_specification_is_taken() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'
    secrets = secrets_of(SECRET)
    assert verified(headers, body, secrets, 300, 1614265330.0) == ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330)
    with pytest.raises(BadWebhook) as caught:
        verify(headers, body, SECRET)
    assert caught.value.reason == "age"


def signed_by_key(body: bytes = BODY) -> Sent:
    headers, _ = by_hand(body)
    signed = KEY.sign(f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body)
    return {**headers, "webhook-signature": "v1a," + base64.b64encode(signed).decode()}, body


def test_a_public_key_is_enough_where_it_is_signed_by_the_private_one() -> None:
    headers, body = signed_by_key()
    assert verify(headers, body, PUBLIC).challenge == "abc"
    another = (
        "whpk_" + base64.b64encode(Ed25519PrivateKey.generate().public_key().public_bytes_raw()).decode()
    )
    assert verify(headers, body, [another, PUBLIC]).challenge == "abc"
    for wrong in (another, SECRET):
        with pytest.raises(BadWebhook, match="None of the secrets"):
            verify(headers, body, wrong)


def test_a_public_key_is_no_shared_secret() -> None:
    # Everybody may know it: what is signed with it as if it were shared must not pass.
    shared = base64.b64decode(PUBLIC.removeprefix("whpk_"))
    headers, body = by_hand(key=shared)
    for signature in (headers["webhook-signature"], headers["webhook-signature"].replace("v1,", "v1a,")):
        with pytest.raises(BadWebhook, match="None of the secrets"):
            verify({**headers, "webhook-signature": signature}, body, PUBLIC)


def test_without_the_library_a_public_key_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    headers, body = signed_by_key()
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'relay-client\[webhooks\]'"):
        verify(headers, body, PUBLIC)
    assert verify(*by_hand(), OTHER).challenge == "abc"


def test_one_of_several_secrets_is_enough_and_one_of_several_signatures() -> None:
    headers, body = by_hand()
    assert verify(headers, body, [SECRET, OTHER])
    other, _ = by_hand(key=b"n" * 32)
    for signatures in (
        f"{other['webhook-signature']} {headers['webhook-signature']}",
        f"v2,abc v1a,!!! v1 , {headers['webhook-signature']}",
    ):
        assert verify({**headers, "webhook-signature": signatures}, body, OTHER)


Change = Callable[[dict[str, str], bytes], tuple[Mapping[str, str], bytes]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        *((lambda h, b, n=n: ({k: v for k, v in h.items() if k != n}, b), "headers") for n in by_hand()[0]),
        *((lambda h, b, n=n: ({**h, n: ""}, b), "headers") for n in by_hand()[0]),
        (lambda h, b: ({**h, "Webhook-Id": "msg_2"}, b), "headers"),
        (lambda h, b: ({**h, "webhook-id": "a.b"}, b), "headers"),
        (lambda h, b: ({**h, "webhook-timestamp": "soon"}, b), "headers"),
        *(
            (lambda h, b, at=at: ({**h, "webhook-timestamp": at}, b), "headers")
            for at in ("1e9", "NaN", "inf", "-1", "1.5", "+1", " 1", "1\n", "1_0", "\u0661", "9" * 12)
        ),
        (lambda h, b: ({**h, "webhook-timestamp": str(int(h["webhook-timestamp"]) + 1)}, b), "signature"),
        (lambda h, b: ({**h, "webhook-id": "msg_2"}, b), "signature"),
        (lambda h, b: (h, b + b" "), "signature"),
        (
            lambda h, b: ({**h, "webhook-signature": h["webhook-signature"].removeprefix("v1,")}, b),
            "signature",
        ),
        (
            lambda h, b: ({**h, "webhook-signature": h["webhook-signature"].replace("v1,", "v1a,")}, b),
            "signature",
        ),
        (
            lambda h, b: ({**h, "webhook-signature": h["webhook-signature"].replace("v1,", "v2,")}, b),
            "signature",
        ),
        (lambda h, b: ({**h, "webhook-signature": "v1,\xff\udc80"}, b), "signature"),
        (lambda h, b: ({**h, "webhook-signature": h["webhook-signature"] + ",v1"}, b), "signature"),
        (lambda h, b: ({**h, "webhook-signature": h["webhook-signature"].rstrip("=")}, b), "signature"),
        (lambda h, b: ({**h, "webhook-signature": "v1, " * 16 + h["webhook-signature"]}, b), "signature"),
    ],
)
def test_what_is_not_signed_as_it_came_is_refused(change: Change, reason: str) -> None:
    headers, body = by_hand()
    assert verify(headers, body, OTHER)
    with pytest.raises(BadWebhook) as caught:
        verify(*change(headers, body), OTHER)
    assert caught.value.reason == reason


@pytest.mark.parametrize(("age", "is_taken"), [(298, True), (303, False), (-297, True), (-303, False)])
def test_what_was_signed_too_long_ago_or_is_to_come_is_refused(age: int, is_taken: bool) -> None:
    headers, body = by_hand(at=int(time.time()) - age)
    if is_taken:
        assert verify(headers, body, OTHER)
        with pytest.raises(BadWebhook, match="60 s are allowed"):
            verify(headers, body, OTHER, tolerance_seconds=60)
        return
    with pytest.raises(BadWebhook, match="300 s are allowed") as caught:
        verify(headers, body, OTHER)
    assert caught.value.reason == "age"
    assert verify(headers, body, OTHER, tolerance_seconds=600)


@pytest.mark.parametrize("tolerance", [math.nan, math.inf, -1])
def test_a_tolerance_that_is_none_is_a_mistake(tolerance: float) -> None:
    with pytest.raises(ValueError, match="the tolerance is"):
        verify(*by_hand(at=0), OTHER, tolerance_seconds=tolerance)


def test_a_time_far_away_is_refused_and_not_a_mistake() -> None:
    headers, body = by_hand(at=99_999_999_999)
    with pytest.raises(BadWebhook) as caught:
        verify(headers, body, OTHER)
    assert caught.value.reason == "age"
    assert verify(headers, body, OTHER, tolerance_seconds=1e11).attempted_at.year == 5138


def test_headers_may_be_had_in_any_form() -> None:
    headers, body = by_hand()
    upper = {name.upper(): value for name, value in headers.items()}
    pairs = [*headers.items(), ("x-other", "1"), ("x-other", "2")]
    for form in (headers, upper, pairs, [(name.encode(), value.encode()) for name, value in pairs]):
        assert verify(form, body, OTHER)
    assert verify(headers, bytearray(body), OTHER)  # type: ignore[arg-type]


def test_a_body_that_was_read_already_is_a_mistake_and_not_a_forgery() -> None:
    headers, body = by_hand()
    for wrong in (body.decode(), json.loads(body), None):
        with pytest.raises(TypeError, match="not bytes as they came"):
            verify(headers, wrong, OTHER)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "secretsecret",
        "whsec_",
        "whsec_secret!",
        "whpk_c2VjcmV0",
        "whsk_c2VjcmV0c2VjcmV0",
        [],
        None,
        [None],
        SECRET.encode(),
        SECRET + "\n",
        [SECRET, "secret"],
    ],
)
def test_what_is_no_secret_is_a_mistake_too_and_is_not_shown(secret: Any) -> None:
    with pytest.raises(ValueError, match=r"secret|whsec_|whpk_") as caught:
        verify(*by_hand(), secret)
    assert "c2VjcmV0" not in str(caught.value)
    assert "secretsecret" not in str(caught.value)
    assert SECRET not in repr(secrets_of(SECRET))
    assert "key" not in repr(secrets_of(SECRET))


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({}, b"\xff"),
        ({}, b"[]"),
        ({}, b"{}"),
        ({}, b"[" * 100_000),
        ({}, b'{"type": "relay.message", "data": {"text": "private"}}'),
        ({}, b'{"type": "relay.message", "data": null}'),
        ({"content-type": "application/x-ndjson"}, b'{"id": "private"}'),
        ({"content-type": "application/x-ndjson"}, b""),
        ({"content-type": "application/cloudevents-batch+json"}, b"[1]"),
        ({"content-type": "application/cloudevents+json; charset=utf-8"}, b'{"id": "private"}'),
        ({"relay-message-id": "msg_1"}, b"private"),
        ({"ce-id": "msg_1"}, b"private"),
    ],
)
def test_what_is_signed_and_makes_no_sense_is_refused_without_its_text(
    headers: Mapping[str, str], body: bytes
) -> None:
    signed, _ = by_hand(body)
    with pytest.raises(BadWebhook) as caught:
        verify({**signed, **headers}, body, OTHER)
    assert caught.value.reason == "content"
    assert "private" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("format", Format)
def test_messages_under_an_id_that_is_of_others_are_refused(format: Format) -> None:
    # Headers are not signed: what was signed for one message must not pass as another one.
    sent = encoded(format, [document()])
    with pytest.raises(BadWebhook, match="not those that its id is of"):
        verify(*by_relay(sent._replace(id="00" * 12)), SECRET)


def test_a_payload_that_looks_like_what_relay_says_is_a_payload() -> None:
    for text in (BODY.decode(), '{"type": "relay.message", "data": {}}'):
        for said in ("application/json", "application/cloudevents+json", "application/x-ndjson"):
            for format in Format:
                stored = document(message=text, content_type=said)
                found = verify(*by_relay(encoded(format, [stored])), SECRET)
                assert found.type == "relay.message"
                assert json.loads(found.message.payload) == json.loads(text)
                assert found.challenge is None


def test_a_webhook_is_a_value() -> None:
    assert dataclasses.is_dataclass(Webhook)
    headers, body = by_hand()
    assert verify(headers, body, OTHER) == verify(headers, body, OTHER)
