"""Who may use the API."""

from typing import Any

import pytest
from rest_framework.test import APIClient

pytestmark = pytest.mark.django_db

ADDRESSES = [
    ("get", "/api/v1/"),
    ("get", "/api/v1/channels"),
    ("get", "/api/v1/channels/orders"),
    ("patch", "/api/v1/channels/orders"),
    ("delete", "/api/v1/channels/orders"),
    ("get", "/api/v1/start-listening"),
    ("post", "/api/v1/start-listening"),
    ("get", "/api/v1/stop-listening/orders"),
    ("delete", "/api/v1/stop-listening/orders"),
    ("get", "/api/v1/messages?channel=orders"),
    ("get", "/api/v1/messages/000000000000000000000000"),
]


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_a_stranger_is_told_to_authenticate(method: str, address: str) -> None:
    answer = getattr(APIClient(), method)(address)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer.json()["detail"]


@pytest.mark.parametrize("word", ["Bearer", "bearer", "Token"])
def test_a_token_is_taken_under_both_words(token: str, word: str) -> None:
    assert APIClient().get("/api/v1", HTTP_AUTHORIZATION=f"{word} {token}").status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer wrong", "Bearer a b", "Token wrong", "Basic YTpi", "Bearer é"]
)
def test_anything_else_is_refused(token: str, header: str) -> None:
    assert APIClient().get("/api/v1", HTTP_AUTHORIZATION=header).status_code == 401


def test_the_token_of_a_user_who_was_switched_off_is_refused(token: str, operator: Any) -> None:
    operator.is_active = False
    operator.save()

    assert APIClient().get("/api/v1", HTTP_AUTHORIZATION=f"Bearer {token}").status_code == 401


def test_a_session_needs_a_csrf_token_to_change_anything(operator: Any) -> None:
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(operator)

    assert browser.get("/api/v1/channels").status_code == 200
    answer = browser.post("/api/v1/start-listening", {"channel": "orders"}, format="json")
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
