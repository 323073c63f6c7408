"""The document of an attempt: what an encoder would make of it, byte by byte by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId, decode
from bson.codec_options import CodecOptions

from relaycore.sending.answers import MOST_KEPT, Failure
from webhooks_app import attempts
from webhooks_app.attempts import Attempted

AT = datetime(2026, 11, 26, 12, 0, 0, 123999, tzinfo=UTC)
MESSAGE = ObjectId("6b08be7c0000000000000001")
OPTIONS: CodecOptions[Any] = CodecOptions(tz_aware=True)


class Collection:
    """What is written."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []

    def with_options(self, **_: Any) -> "Collection":
        return self

    def insert_many(self, documents: Any, *, ordered: bool) -> None:
        self.documents += [decode(one.raw, OPTIONS) for one in documents]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    collection = Collection()
    monkeypatch.setattr(attempts, "mongo_collection", lambda _: collection)
    return collection.documents


def attempted(**more: Any) -> Attempted:
    common: dict[str, Any] = {
        "at": AT,
        "subscription": 7,
        "subscription_name": "orders-to-shop",
        "endpoint": 3,
        "endpoint_name": "shop",
        "message": MESSAGE.binary,
        "position": "0000000001000-0000000000-00000",
        "attempt": 1,
        "webhook_id": str(MESSAGE),
        "status": 204,
        "failure": None,
        "seconds": 0.25,
        "answer": b"",
    }
    return Attempted(**common | more)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"status": None, "failure": Failure.CONNECT_TIMEOUT, "attempt": 2**31 - 1, "seconds": 0.0},
        {"subscription_name": "Bestellungen für heute", "endpoint_name": "חנות", "webhook_id": "ü" * 200},
        {"subscription": 2**53, "endpoint": 2**40, "position": "", "webhook_id": ""},
        {"answer": bytes(range(256)) * 8, "at": datetime(1969, 12, 31, tzinfo=UTC)},
        {"answer": b"\0", "subscription_name": "with\0in it", "at": datetime(2286, 1, 1, tzinfo=UTC)},
    ],
)
def test_a_document_says_what_was_attempted(
    written: list[dict[str, Any]], settings: Any, more: dict[str, Any]
) -> None:
    settings.RELAY_ATTEMPTS_SECONDS = 3600.0
    one = attempted(**more)

    assert attempts.record([one]) == 0

    (document,) = written
    at = one.at.replace(microsecond=one.at.microsecond // 1000 * 1000)
    assert isinstance(document.pop("_id"), ObjectId)
    assert document == {
        "at": at,
        "subscription": one.subscription,
        "subscription_name": one.subscription_name,
        "endpoint": one.endpoint,
        "endpoint_name": one.endpoint_name,
        "message_id": MESSAGE,
        "position": one.position,
        "attempt": one.attempt,
        "webhook_id": one.webhook_id,
        "status": one.status,
        "failure": one.failure,
        "seconds": one.seconds,
        "answer": one.answer[:MOST_KEPT],
        "expires_at": at + timedelta(hours=1),
        **({"is_in_batch": True} if one.webhook_id != str(MESSAGE) else {}),
    }


def test_ids_grow_from_one_batch_to_the_next(written: list[dict[str, Any]]) -> None:
    for _ in range(3):
        attempts.record([attempted() for _ in range(400)])

    ids = [document["_id"] for document in written]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1200
    assert {one.binary[4:9] for one in ids} == {ObjectId().binary[4:9]}, "this process's"


@pytest.mark.parametrize(
    "more", [{"message": b"short"}, {"attempt": 2**31}, {"position": "\ud800"}, {"subscription": 2**64}]
)
def test_what_no_document_can_be_made_of_keeps_no_other_one_waiting(
    written: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    assert attempts.record([attempted(**more), attempted(attempt=5)]) == 1

    assert [one["attempt"] for one in written] == [5]
