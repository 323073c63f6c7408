"""POST /api/v1/start-listening."""

import threading
import time
from typing import Any

import pytest
from django.db import connection

from channels_app.models import Channel

pytestmark = pytest.mark.django_db

START = "/api/v1/start-listening"


def _post(api: Any, body: object, query: str = "") -> Any:
    return api.post(START + query, body, format="json")


@pytest.mark.parametrize("address", [START, START + "/"])
def test_answers_with_the_row_and_its_address(api: Any, relay_keys: Any, address: str) -> None:
    answer = api.post(address, {"channel": "orders"}, format="json")

    assert answer.status_code == 201
    assert answer["Location"] == "http://testserver/api/v1/channels/orders"
    row = answer.json()
    assert row["channel"] == "orders"
    assert row["subscription_status"] == "INACTIVE"
    assert row["deduplicate"] == "content"
    assert row["partition"] == 0
    assert (row["messages_stored"], row["last_message_at"]) == (0, None)
    assert (row["listener"], row["active_since"]) == (None, None)
    assert row["id"] == Channel.objects.get(channel="orders").id
    assert api.get(answer["Location"]).json() == row


def test_refuses_a_channel_that_is_there_already(api: Any) -> None:
    _post(api, {"channel": "orders"})

    answer = _post(api, {"channel": "orders", "deduplicate": "every"})

    assert answer.status_code == 409
    assert answer.json()["detail"] == 'The channel "orders" is relayed already.'
    assert Channel.objects.get().deduplicate == "content"


@pytest.mark.parametrize("policy", ["content", "every", {"field": "id"}])
def test_takes_each_policy(api: Any, policy: object) -> None:
    answer = _post(api, {"channel": "orders", "deduplicate": policy})

    assert answer.json()["deduplicate"] == policy


@pytest.mark.parametrize(
    ("body", "about"),
    [
        ({}, "channel"),
        ([], "dictionary"),
        ("orders", "dictionary"),
        (None, "channel"),
        ({"channel": None}, "channel"),
        ({"channel": 5}, "channel"),
        ({"channel": True}, "channel"),
        ({"channel": ["orders"]}, "channel"),
        ({"channel": ""}, "1 to 255 bytes"),
        ({"channel": "é" * 128}, "1 to 255 bytes"),
        ({"channel": "a\nb"}, "control characters"),
        ({"channel": "a\0b"}, "ull characters"),
        ({"channel": "orchestrator_channel"}, "cannot be relayed"),
        ({"channel": "__keyspace@0__:x"}, "cannot be relayed"),
        ({"channel": "celeryev"}, "cannot be relayed"),
        ({"channel": "orders", "deduplicate": "never"}, "deduplicate must be"),
        ({"channel": "orders", "deduplicate": None}, "deduplicate"),
        ({"channel": "orders", "deduplicate": {"field": ""}}, "deduplicate must be"),
        ({"channel": "orders", "deduplicate": {"field": "a\0b"}}, "deduplicate must be"),
        ({"channel": "orders", "deduplicate": {"field": "id", "and": "more"}}, "deduplicate must be"),
        ({"channel": "orders", "dedupe": "every"}, "dedupe: Unknown"),
    ],
)
def test_says_what_is_wrong_with_a_body(api: Any, body: object, about: str) -> None:
    answer = _post(api, body)

    assert answer.status_code == 400
    assert about in answer.json()["detail"]
    assert not Channel.objects.exists()


def test_keeps_the_spaces_around_a_name(api: Any) -> None:
    assert _post(api, {"channel": " a "}).json()["channel"] == " a "


@pytest.mark.parametrize("wait", ["-1", "31", "1e1", "nan", "inf", "", "ten", "٣", "0x1"])
def test_refuses_a_bad_wait_before_anything_is_made(api: Any, wait: str) -> None:
    answer = _post(api, {"channel": "orders"}, f"?wait={wait}")

    assert answer.status_code == 400
    assert answer.json()["detail"] == "wait must be a number of seconds from 0 to 30."
    assert not Channel.objects.exists()


def test_waits_in_vain_and_says_that_nobody_listens(api: Any) -> None:
    begun = time.monotonic()

    answer = _post(api, {"channel": "orders"}, "?wait=0.3")

    assert 0.3 <= time.monotonic() - begun < 3
    assert answer.status_code == 201
    assert answer.json()["subscription_status"] == "INACTIVE"
    assert "Nobody listens to partition 0" in answer.json()["detail"]
    assert answer.json()["detail"] == f"Not heard yet. {answer.json()['why_not_heard']}"


def test_waits_in_vain_and_says_who_has_not_confirmed(api: Any, listener: Any) -> None:
    answer = _post(api, {"channel": "orders"}, "?wait=0.1")

    assert answer.json()["listener"]["task_id"] == "task-1"
    assert answer.json()["detail"].endswith(" is subscribing.")


@pytest.mark.django_db(transaction=True)
def test_answers_as_soon_as_the_channel_is_active(api: Any, listener: Any) -> None:
    def hear() -> None:
        while not Channel.objects.update(subscription_status="ACTIVE"):
            time.sleep(0.01)
        connection.close()

    listening = threading.Thread(target=hear)
    listening.start()
    begun = time.monotonic()
    answer = _post(api, {"channel": "orders"}, "?wait=20")
    listening.join()

    assert time.monotonic() - begun < 5
    assert answer.json()["subscription_status"] == "ACTIVE"
    assert "detail" not in answer.json()


@pytest.mark.django_db(transaction=True)
def test_says_so_when_the_channel_is_removed_while_it_waits(api: Any) -> None:
    def remove() -> None:
        while not Channel.objects.all().delete()[0]:
            time.sleep(0.01)
        connection.close()

    removing = threading.Thread(target=remove)
    removing.start()
    answer = _post(api, {"channel": "orders"}, "?wait=20")
    removing.join()

    assert answer.status_code == 404
