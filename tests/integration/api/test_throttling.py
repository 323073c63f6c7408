"""How often one token may ask."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from access_app import tokens

pytestmark = pytest.mark.django_db

ROOT = "/api/v1"


@pytest.fixture
def three_a_minute(settings: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three requests a minute, in the middle of a minute."""
    settings.RELAY_WEB_REQUESTS_PER_MINUTE = 3
    monkeypatch.setattr("relaybase.http.throttling.time.time", lambda: 1_800_000_030.0)


def test_one_too_many_is_429_and_says_when_to_come_again(api: Any, three_a_minute: None) -> None:
    for left in (2, 1, 0):
        answer = api.get(ROOT)
        assert answer.status_code == 200
        assert answer["RateLimit-Policy"] == '"minute";q=3;w=60'
        assert answer["RateLimit"] == f'"minute";r={left};t=31'
    answer = api.get(ROOT)

    assert (answer.status_code, answer["Retry-After"]) == (429, "31")
    assert answer["RateLimit"] == '"minute";r=0;t=31'
    assert answer.json()["status"] == 429


def test_each_token_is_counted_by_itself(api: Any, operator: Any, three_a_minute: None) -> None:
    for _ in range(4):
        api.get(ROOT)
    _, key = tokens.make("another", operator, "read")

    assert APIClient().get(ROOT, headers={"authorization": f"Bearer {key}"}).status_code == 200


def test_the_next_minute_begins_anew(api: Any, three_a_minute: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        api.get(ROOT)
    monkeypatch.setattr("relaybase.http.throttling.time.time", lambda: 1_800_000_061.0)

    assert api.get(ROOT).status_code == 200


def test_without_redis_nobody_is_refused(api: Any, settings: Any, redis_away: None) -> None:
    settings.RELAY_WEB_REQUESTS_PER_MINUTE = 1

    assert [api.get(ROOT).status_code for _ in range(3)] == [200] * 3


def test_counts_are_forgotten_by_themselves(api: Any, three_a_minute: None, relay_keys: Any) -> None:
    api.get(ROOT)

    (key,) = relay_keys.scan_iter("orchestrator_channel:requests:*")
    assert 0 < relay_keys.ttl(key) <= 120
