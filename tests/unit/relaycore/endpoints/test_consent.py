"""What counts as consent, and what only looks like it."""

import pytest

from relaycore.endpoints.consent import Consent, allowed, echoes

CHALLENGE = "Uk3v0d-7_hW1xY"
JSON = b'{"challenge": "Uk3v0d-7_hW1xY"}'


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, CHALLENGE.encode()),
        (202, b"  Uk3v0d-7_hW1xY\r\n"),
        (299, JSON),
        (200, b'"Uk3v0d-7_hW1xY"'),
        (200, b'{"type": "relay.confirmation", "challenge": "Uk3v0d-7_hW1xY", "url": null}'),
    ],
)
def test_the_challenge_sent_back_is_consent(status: int, body: bytes) -> None:
    assert echoes(status, body, CHALLENGE)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (None, JSON),
        (199, JSON),
        (300, JSON),
        (302, JSON),
        (404, JSON),
        (500, CHALLENGE.encode()),
        (200, b""),
        (200, b"{}"),
        (200, b"ok"),
        (200, b'{"challenge": null}'),
        (200, b'{"challenge": ["Uk3v0d-7_hW1xY"]}'),
        (200, b'{"body": {"challenge": "Uk3v0d-7_hW1xY"}}'),
        (200, b"you sent Uk3v0d-7_hW1xY"),
        (200, b"Uk3v0d-7_hW1x"),
        (200, b"uk3v0d-7_hw1xy"),
        (200, b'{"challenge": "\xff"}'),
        (200, b"\xff\xfe"),
        (200, b'{"challenge": "\\ud800"}'),
        (200, b"[" * 1024),
        (200, b'["Uk3v0d-7_hW1xY"]'),
        (200, b"12345"),
    ],
)
def test_nothing_else_is(status: int | None, body: bytes) -> None:
    assert not echoes(status, body, CHALLENGE)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"webhook-allowed-origin": "relay.example.org"}, Consent()),
        ({"webhook-allowed-origin": " Relay.Example.org "}, Consent()),
        ({"webhook-allowed-origin": "*"}, Consent()),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": "*"}, Consent()),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": "120"}, Consent(2.0)),
        ({"webhook-allowed-origin": "*", "webhook-allowed-rate": " 30 "}, Consent(0.5)),
    ],
)
def test_who_allows_the_origin_consents(headers: dict[str, str], expected: Consent) -> None:
    assert allowed(headers, "relay.example.org") == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-allowed-rate": "*"},
        {"webhook-allowed-origin": ""},
        {"webhook-allowed-origin": "example.org"},
        {"webhook-allowed-origin": "https://relay.example.org"},
        {"webhook-allowed-origin": "relay.example.org, *"},
        *(
            {"webhook-allowed-origin": "*", "webhook-allowed-rate": rate}
            for rate in ("", "0", "-1", "nan", "inf", "1e999", "many", "10/s", "1" * 13)
        ),
    ],
)
def test_nothing_else_allows(headers: dict[str, str]) -> None:
    assert allowed(headers, "relay.example.org") is None


def test_without_an_origin_nothing_is_allowed_to_it() -> None:
    assert allowed({}, "") is None
