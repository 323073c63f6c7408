"""The log of attempts: what is recorded is read page by page, newest first, and goes by itself."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from pymongo.errors import AutoReconnect, BulkWriteError

from relaybase.connections import mongo_collection
from relaybase.mongo import shape
from relaycore.sending.answers import MOST_KEPT, Failure
from webhooks_app import attempts
from webhooks_app.attempts import Attempted, Of, is_cursor, read, record
from webhooks_app.models import Attempt

pytestmark = pytest.mark.django_db(databases=["default", "messages"])

AT = datetime(2026, 11, 26, 12, 0, 0, 123000, tzinfo=UTC)
ONE, OTHER = ObjectId("6b08be7c0000000000000001"), ObjectId("6b08be7c0000000000000002")


@pytest.fixture
def log(archive: Any) -> Iterator[Any]:
    """The collection, as the migration makes it, empty before and after."""
    shape.mend()
    collection = mongo_collection("attempts")
    collection.delete_many({})
    yield collection
    collection.delete_many({})


def attempted(number: int = 1, **more: Any) -> Attempted:
    made = Attempted(
        at=AT,
        subscription=7,
        subscription_name="orders-to-shop",
        endpoint=3,
        endpoint_name="shop",
        message=ONE.binary,
        position="0000000001000-0000000000-00000",
        attempt=number,
        webhook_id=str(ONE),
        status=503,
        failure=None,
        seconds=0.25,
        answer=b"\xffno",
    )
    return made._replace(**more)


def test_what_is_recorded_is_read_as_it_was(log: Any) -> None:
    made = [attempted(), attempted(2, status=None, failure=Failure.CONNECT_TIMEOUT, answer=b"")]

    record(made)

    assert read(Of.SUBSCRIPTION, 7).attempts == made[::-1]


@pytest.mark.parametrize(
    ("of", "key", "other"),
    [
        (Of.SUBSCRIPTION, 7, {"subscription": 8}),
        (Of.ENDPOINT, 3, {"endpoint": 4}),
        (Of.MESSAGE, ONE.binary, {"message": OTHER.binary}),
    ],
)
def test_pages_have_each_attempt_once_and_no_other_one(log: Any, of: Of, key: Any, other: Any) -> None:
    for number in range(1, 8):
        record([attempted(number), attempted(100 + number, **other)])
    found: list[int] = []
    cursor: str | None = None
    for _ in range(4):
        page = read(of, key, cursor, most=2)
        found += [one.attempt for one in page.attempts]
        record([attempted(50)])  # What comes meanwhile shifts nothing.
        cursor = page.next
    assert found == [7, 6, 5, 4, 3, 2, 1]
    assert cursor is None


@pytest.mark.parametrize("of", Of)
def test_a_page_is_read_off_an_index_and_never_sorted(log: Any, of: Of) -> None:
    record(attempted(number, webhook_id="b") for number in range(1, 200))
    key = {"subscription": 7, "endpoint": 3, "message_id": ONE, "webhook_id": "b"}[of.value]
    also = {"is_in_batch": True} if of is Of.BATCH else {}

    plan = log.find({of.value: key, **also}).sort("_id", -1).limit(21).explain()

    assert plan["executionStats"]["totalDocsExamined"] == 21
    assert "SORT" not in str(plan["queryPlanner"]["winningPlan"])


@pytest.mark.parametrize("cursor", ["", "0", "$gt", "x" * 24, "0" * 1000])
def test_a_cursor_that_no_page_gave_is_none(cursor: str) -> None:
    assert not is_cursor(cursor)


def test_of_a_long_answer_the_first_kib_is_kept(log: Any) -> None:
    record([attempted(answer=b"x" * 5000)])

    assert read(Of.ENDPOINT, 3).attempts[0].answer == b"x" * MOST_KEPT


def test_each_goes_by_itself_once_it_was_kept_for_as_long_as_is_set(log: Any, settings: Any) -> None:
    settings.RELAY_ATTEMPTS_SECONDS = 3600.0
    record([attempted()])

    assert log.index_information()["expires_at"]["expireAfterSeconds"] == 0
    assert Attempt.objects.get().expires_at == AT + timedelta(hours=1)


def test_nothing_is_no_write(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "mongo_collection", None)
    record([])


class Twice:
    """A driver whose first try has arrived although it got no answer."""

    def __init__(self, collection: Any, code: int) -> None:
        self._collection, self._code = collection, code

    def with_options(self, **options: Any) -> "Twice":
        assert options["write_concern"].document == {"w": 1}
        return self

    def insert_many(self, documents: list[Any], *, ordered: bool) -> None:
        assert not ordered
        self._collection.insert_many(documents)
        errors = [{"code": self._code} for _ in documents]
        raise BulkWriteError({"writeErrors": errors})


def test_what_arrived_by_a_try_without_an_answer_is_recorded_once(
    log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "mongo_collection", lambda name: Twice(log, 11000))
    record([attempted(), attempted(2)])
    assert [one.attempt for one in read(Of.SUBSCRIPTION, 7).attempts] == [2, 1]

    monkeypatch.setattr(attempts, "mongo_collection", lambda name: Twice(log, 121))
    assert record([attempted(3)]) == 1, "it is refused, and would be once more"


@pytest.mark.parametrize(
    "odd",
    [{"message": b"short"}, {"subscription_name": "half \ud800"}, {"attempt": 1 << 70}, {"status": 1 << 70}],
)
def test_what_is_odd_keeps_the_others_from_nothing(log: Any, odd: dict[str, Any]) -> None:
    assert record([attempted(1), attempted(2, **odd), attempted(3)]) == 1
    assert [one.attempt for one in read(Of.SUBSCRIPTION, 7).attempts] == [3, 1]


def test_while_mongodb_is_away_it_says_so(log: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def with_options(self, **options: Any) -> "Away":
            return self

        def insert_many(self, documents: list[Any], *, ordered: bool) -> None:
            raise AutoReconnect

    monkeypatch.setattr(attempts, "mongo_collection", lambda name: Away())
    with pytest.raises(AutoReconnect):
        record([attempted()])


def test_an_index_that_deletes_otherwise_is_found(log: Any) -> None:
    database = log.database

    def found() -> list[tuple[str, str]]:
        return [(one.id, one.text) for one in shape.findings(database) if "attempts" in one.text]

    assert found() == []
    database.command("collMod", "attempts", index={"name": "expires_at", "expireAfterSeconds": 5})
    try:
        assert [found_id for found_id, _ in found()] == ["relay.mongo.index"]
        log.create_index("at", name="mine", expireAfterSeconds=5)
        assert {found_id for found_id, _ in found()} == {"relay.mongo.index", "relay.mongo.ttl"}
    finally:
        database.drop_collection("attempts")
        shape.mend()
    assert found() == []
