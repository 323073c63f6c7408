"""Signatures, against the specification's own examples, RFC 4231, and the public library."""

import base64
import hashlib
import hmac
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from relaycore.errors import BadSecret
from relaycore.outbound.headers import encode
from relaycore.sending.signing import SharedSecret, Signer

ID = "5f0c2b8e9a7d4c3b2a190807"
TEXT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"o" * 64).decode()


def headers_of(signer: Signer, body: bytes, at: int | None = None, id: str = ID) -> dict[str, str]:
    found = signer.headers(id, int(time.time()) if at is None else at, body)
    return {name.decode(): value.decode() for name, value in found}


def test_it_signs_as_the_specification_shows() -> None:
    # Standard Webhooks, spec/standard-webhooks.md, and the tests of its reference libraries.
    found = Signer([SharedSecret.read(TEXT)]).headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )
    assert found == [
        (b"webhook-id", b"msg_p5jXN8AQM9LWM0D4loKWxJek"),
        (b"webhook-timestamp", b"1614265330"),
        (b"webhook-signature", b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ]


def test_lines_say_the_same_as_headers() -> None:
    signer = Signer([SharedSecret.read(TEXT), SharedSecret.read(OTHER)])

    assert signer.lines(ID, 1614265330, b"{}") == encode(signer.headers(ID, 1614265330, b"{}"))


@given(key=st.binary(min_size=24, max_size=64), content=st.binary(max_size=200))
def test_it_is_hmac(key: bytes, content: bytes) -> None:
    signature = SharedSecret(key).sign(content)
    assert signature == b"v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest())


@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    key=st.binary(min_size=24, max_size=64),
)
def test_the_public_library_takes_it(text: str, key: bytes) -> None:
    headers = headers_of(Signer([SharedSecret(key)]), text.encode())
    Webhook(key).verify(text.encode(), headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(key).verify(text.encode() + b".", headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Webhook(key).verify(text.encode(), {**headers, "webhook-id": "another"}, json_parse=False)


def test_while_a_secret_is_changed_either_one_is_enough() -> None:
    headers = headers_of(Signer([SharedSecret.read(TEXT), SharedSecret.read(OTHER)]), b"{}")
    assert headers["webhook-signature"].count(" ") == 1
    for secret in (TEXT, OTHER):
        assert Webhook(secret).verify(b"{}", headers) == {}
    with pytest.raises(WebhookVerificationError):
        Webhook(b"x" * 32).verify(b"{}", headers)


def test_an_id_that_could_be_read_in_two_ways_or_end_a_header_is_refused() -> None:
    signer = Signer([SharedSecret.read(TEXT)])
    for id in ("a.b", "", "a\r\nb", "a b", "ü", "a\n"):
        with pytest.raises(ValueError, match="no id of a webhook"):
            signer.headers(id, 1, b"")
        with pytest.raises(ValueError, match="no id of a webhook"):
            signer.lines(id, 1, b"")
    with pytest.raises(ValueError, match="nothing to sign with"):
        Signer([])


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whpk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_ü",
        ),
        *("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", "whsec_" + "A" * 28, "whsec_" + "A" * 88),
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(BadSecret) as caught:
        SharedSecret.read(text)
    assert text.removeprefix("whsec_")[:8] not in str(caught.value) or len(text) < 8
    assert caught.value.__cause__ is None


def test_no_secret_is_shown() -> None:
    secret = SharedSecret(b"m" * 24)
    assert "mmm" not in repr(secret) + repr(Signer([secret]))
