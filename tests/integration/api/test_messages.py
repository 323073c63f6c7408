"""GET /api/v1/messages."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import DatetimeMS, ObjectId

from channels_app.registration import start, stop
from messages_app.searching import history
from relaybase import keys
from relaybase.http import cursors
from tests.integration.conftest import profiled

pytestmark = pytest.mark.django_db

MESSAGES = "/api/v1/messages"
AT = datetime(2026, 11, 21, 12, 0, 0, 123000, tzinfo=UTC)


def _position(entry: int, index: int = 0) -> str:
    return f"{entry:013d}-0000000000-{index:05d}"


def _store(archive: Any, channel: str, message: str | bytes, position: str) -> str:
    document = {"channel": channel, "message": message, "received_at": AT, "position": position}
    return str(archive.insert_one({"_id": ObjectId(), **document}).inserted_id)


@pytest.mark.parametrize(
    ("payload", "shown", "encoding"),
    [
        ("hello", "hello", "utf-8"),
        ("", "", "utf-8"),
        ("naïve \0 🚌", "naïve \0 🚌", "utf-8"),
        (b"\xff\x00\xfe", "/wD+", "base64"),
    ],
)
def test_a_message_comes_back_as_it_was_stored(
    api: Any, archive: Any, relay_keys: Any, payload: str | bytes, shown: str, encoding: str
) -> None:
    key = _store(archive, "orders", payload, _position(1))

    listed = api.get(f"{MESSAGES}/?channel=orders").json()["results"]

    assert listed == [
        {
            "id": key,
            "channel": "orders",
            "message": shown,
            "encoding": encoding,
            "received_at": "2026-11-21T12:00:00.123000Z",
            "position": _position(1),
            "attributes": None,
            "content_type": None,
            "produced_by": None,
        }
    ]
    assert api.get(f"{MESSAGES}/{key}").json() == listed[0]
    assert api.get(f"{MESSAGES}/{key.upper()}/").json() == listed[0]


def test_what_a_publisher_said_of_a_message_comes_with_it(api: Any, archive: Any, relay_keys: Any) -> None:
    said = {"attributes": {"a.b": "größer", "": ""}, "content_type": "text/plain", "produced_by": "billing"}
    key = _store(archive, "orders", "hello", _position(1))
    archive.update_one(
        {"_id": ObjectId(key)}, [{"$set": {name: {"$literal": v} for name, v in said.items()}}]
    )

    (listed,) = api.get(f"{MESSAGES}/?channel=orders").json()["results"]

    assert {name: listed[name] for name in said} == said
    assert api.get(f"{MESSAGES}/{key}").json() == listed


def test_a_time_that_nobody_can_read_does_not_spoil_its_page(api: Any, archive: Any, relay_keys: Any) -> None:
    """Whoever may write to the stream may have written any number there."""
    key = _store(archive, "orders", "from the future", _position(1))
    archive.update_one({"_id": ObjectId(key)}, {"$set": {"received_at": DatetimeMS(2**62)}})
    answer = api.get(f"{MESSAGES}/?channel=orders")
    assert answer.status_code == 200
    assert answer.json()["results"][0]["received_at"].startswith("9999-12-31")
    assert api.get(f"{MESSAGES}/{key}").status_code == 200


@pytest.mark.parametrize("key", ["x", "0" * 23, "0" * 25, "g" * 24, "0" * 24, "%00", "é" * 24])
def test_an_unknown_id_is_404_and_says_what_an_id_is(api: Any, archive: Any, key: str) -> None:
    answer = api.get(f"{MESSAGES}/{key}")

    assert answer.status_code == 404
    assert "24 hexadecimal digits" in answer.json()["detail"]


def test_pages_go_from_the_newest_to_the_oldest_without_a_gap(
    api: Any, archive: Any, relay_keys: Any
) -> None:
    stored = [_store(archive, "a b/c", str(n), _position(n // 3, n % 3)) for n in range(10)]
    _store(archive, "another", "not mine", _position(2, 7))

    seen, sizes, address = [], [], f"{MESSAGES}?channel=a+b%2Fc&limit=4"
    while address:
        page = api.get(address).json()
        seen += [row["id"] for row in page["results"]]
        sizes.append(len(page["results"]))
        address = page["next"]

    assert seen == stored[::-1]
    assert sizes == [4, 4, 2]


def test_what_arrives_meanwhile_does_not_shift_the_next_page(api: Any, archive: Any, relay_keys: Any) -> None:
    stored = [_store(archive, "orders", str(n), _position(n)) for n in range(4)]
    first = api.get(f"{MESSAGES}?channel=orders&limit=2").json()
    _store(archive, "orders", "newer", _position(9))

    second = api.get(first["next"]).json()

    assert [row["id"] for row in second["results"]] == [stored[1], stored[0]]


def test_a_page_ends_early_when_its_messages_are_large(
    api: Any, archive: Any, relay_keys: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(history, "PAGE_SIZE", 100)
    for n in range(5):
        _store(archive, "orders", "x" * 60, _position(n))

    page = api.get(f"{MESSAGES}?channel=orders").json()

    assert len(page["results"]) == 2
    assert len(api.get(page["next"]).json()["results"]) == 2


def test_a_large_page_is_one_question_to_mongodb(api: Any, archive: Any, relay_keys: Any) -> None:
    for n in range(300):
        _store(archive, "orders", str(n), _position(n))

    with profiled(archive) as asked:
        page = api.get(f"{MESSAGES}?channel=orders&limit=250").json()

    assert len(page["results"]) == 250
    assert [question["op"] for question in asked] == ["query"]


def test_nothing_above_the_watermark_is_shown(api: Any, archive: Any, relay_keys: Any) -> None:
    relay_keys.xadd(keys.stream(0), {"a": "b"}, id="5-0")
    below = _store(archive, "orders", "stored", _position(4, 9))
    _store(archive, "orders", "newer than one that is still missing", _position(6))

    page = api.get(f"{MESSAGES}?channel=orders").json()

    assert page["watermark"] == _position(5)
    assert [row["id"] for row in page["results"]] == [below]


def test_a_cursor_does_not_lead_past_the_watermark(api: Any, archive: Any, relay_keys: Any) -> None:
    for n in (8, 9):
        _store(archive, "orders", str(n), _position(n))
    first = api.get(f"{MESSAGES}?channel=orders&limit=1").json()
    relay_keys.xadd(keys.stream(0), {"a": "b"}, id="5-0")

    assert api.get(first["next"]).json()["results"] == []


def test_without_redis_there_is_no_watermark_and_the_answer_says_so(
    api: Any, archive: Any, redis_away: None
) -> None:
    _store(archive, "orders", "hello", _position(1))
    page = api.get(f"{MESSAGES}?channel=orders").json()

    assert page["watermark"] is None
    assert len(page["results"]) == 1
    assert (page["next"], page["previous"]) == (None, None)


@pytest.fixture
def walker(api: Any, archive: Any, relay_keys: Any) -> Any:
    """A client that has read the first of several pages."""
    for n in range(5):
        _store(archive, "orders", str(n), _position(n))
    return api.get(f"{MESSAGES}?channel=orders&order=asc&limit=2").json()


@pytest.mark.parametrize("side", ["next", "previous"])
def test_no_cursor_leads_on_while_nobody_knows_up_to_where_all_is_stored(
    api: Any, walker: Any, redis_away: None, side: str
) -> None:
    page = walker["next"]
    if side == "previous":
        page = page.replace(cursors.encode(f"after {_position(1)}"), cursors.encode(f"before {_position(3)}"))

    answer = api.get(page)

    assert (answer.status_code, answer.json()["type"]) == (503, "urn:relay:problem:server-away")
    assert "up to where everything is stored" in answer.json()["detail"]
    assert int(answer["Retry-After"]) > 0


def test_without_a_watermark_no_page_says_that_there_is_a_way_on(
    api: Any, walker: Any, redis_away: None
) -> None:
    for order in ("asc", "desc"):
        assert api.get(f"{MESSAGES}?channel=orders&limit=2&order={order}").status_code == 503


@pytest.mark.parametrize("address", [f"{MESSAGES}?", f"{MESSAGES}/export?", "/api/v1/gaps?"])
def test_a_channel_that_was_never_there_is_404(api: Any, archive: Any, relay_keys: Any, address: str) -> None:
    missing = api.get(f"{address}channel=oders")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:relay:problem:channel-unknown")
    assert '"oders"' in missing.json()["detail"]

    start("orders")
    assert api.get(f"{address}channel=orders").status_code == 200
    stop("orders")
    assert api.get(f"{address}channel=orders").status_code == 200, "it was there once"
    relay_keys.hset(keys.last_at(0), "noted by the writer", 1)
    assert api.get(f"{address}channel=noted by the writer").status_code == 200


def test_what_is_stored_of_a_channel_makes_it_one(api: Any, archive: Any, relay_keys: Any) -> None:
    _store(archive, "orders", "hello", _position(1))

    for address in (MESSAGES, f"{MESSAGES}/export"):
        assert api.get(f"{address}?channel=orders&contains=nothing like this").status_code == 200


def test_while_redis_is_away_no_channel_is_said_never_to_have_been(api: Any, redis_away: None) -> None:
    assert api.get("/api/v1/gaps?channel=oders").status_code == 200


@pytest.mark.parametrize(
    ("query", "about"),
    [
        ("", "?channel=NAME"),
        ("?channel=", "?channel=NAME"),
        ("?chanel=orders", "'chanel'"),
        ("?channel=a%00b", "NUL"),
        ("?channel=a&limit=0", "from 1 to 1000"),
        ("?channel=a&limit=1001", "from 1 to 1000"),
        ("?channel=a&limit=-1", "from 1 to 1000"),
        ("?channel=a&limit=ten", "from 1 to 1000"),
        ("?channel=a&limit=" + "9" * 5000, "from 1 to 1000"),
        ("?channel=a&cursor=", "cursor"),
        ("?channel=a&cursor=x", "cursor"),
        ("?channel=a&cursor=%F0%9F%9A%8C", "cursor"),
        ("?channel=a&cursor=b3JkZXJz", "cursor"),  # "orders", which is no position
        ("?channel=a&cursor=YmVmb3JlIHg", "cursor"),  # "before x"
        ("?channel=a&order=up", "order must be desc or asc"),
        ("?channel=a&contains=", "1 to 1000 characters"),
        ("?channel=a&contains=" + "x" * 1001, "1 to 1000 characters"),
        ("?channel=a&contains[$gt]=", "Unknown parameter"),
        ("?channel=a&since=yesterday", "such as 2026-11-21T12:00:00Z"),
        ("?channel=a&since=0001-01-01T00:00:00%2B23:59", "such as 2026-11-21T12:00:00Z"),
        ("?channel=a&until=1969-12-31T23:59:59Z", "from 1970 to 2286"),
        ("?channel=a&until=9999-12-31T23:59:59Z", "from 1970 to 2286"),
        ("?channel=a&cursor=_w", "cursor"),  # a byte that is not UTF-8
    ],
)
def test_says_what_is_wrong_with_a_question(api: Any, query: str, about: str) -> None:
    answer = api.get(MESSAGES + query)

    assert answer.status_code == 400
    assert about in answer.json()["detail"]


def test_mongodb_that_takes_too_long_is_503(api: Any, relay_keys: Any, give_up: Callable[[], None]) -> None:
    start("orders")
    give_up()

    answer = api.get(f"{MESSAGES}?channel=orders")

    assert answer.status_code == 503
    assert answer.json()["detail"] == "MongoDB does not answer. Try again in a few seconds."
    assert int(answer["Retry-After"]) > 0
    assert api.get(f"{MESSAGES}?channel=orders").status_code == 200


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_pages_are_walked_forth_and_back_again(api: Any, archive: Any, relay_keys: Any, order: str) -> None:
    stored = [_store(archive, "orders", str(n), _position(n)) for n in range(10)]
    expected = stored if order == "asc" else stored[::-1]

    pages = [api.get(f"{MESSAGES}?channel=orders&limit=3&order={order}").json()]
    while pages[-1]["next"]:
        pages.append(api.get(pages[-1]["next"]).json())
    back = [pages[-1]]
    while back[-1]["previous"]:
        back.append(api.get(back[-1]["previous"]).json())

    assert [row["id"] for page in pages for row in page["results"]] == expected
    assert pages[0]["previous"] is None
    assert [page["results"] for page in back] == [
        pages[3]["results"],
        pages[2]["results"],
        pages[1]["results"],
        pages[0]["results"],
    ]


def test_going_back_meets_what_has_arrived_since(api: Any, archive: Any, relay_keys: Any) -> None:
    for n in range(4):
        _store(archive, "orders", str(n), _position(n))
    second = api.get(api.get(f"{MESSAGES}?channel=orders&limit=2").json()["next"]).json()
    newer = [_store(archive, "orders", f"newer {n}", _position(n)) for n in (7, 8, 9)]

    first = api.get(second["previous"]).json()
    assert [row["message"] for row in first["results"]] == ["3", "2"]
    before = api.get(first["previous"]).json()

    assert [row["id"] for row in before["results"]] == [newer[1], newer[0]]
    assert [row["id"] for row in api.get(before["previous"]).json()["results"]] == [newer[2]]


def _at(second: int) -> str:
    return f"2026-11-21T12:00:0{second}Z"


def test_since_is_included_and_until_is_not(api: Any, archive: Any, relay_keys: Any) -> None:
    noon = int(datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp() * 1000)
    for n in range(5):
        _store(archive, "orders", str(n), _position(noon + n * 1000))

    def found(query: str) -> list[str]:
        answer = api.get(f"{MESSAGES}?channel=orders&order=asc&{query}").json()
        return [row["message"] for row in answer["results"]]

    assert found(f"since={_at(1)}&until={_at(3)}") == ["1", "2"]
    assert found(f"since={_at(3)}") == ["3", "4"]
    assert found(f"until={_at(1)}") == ["0"]
    assert found("since=2026-11-21T13:00:03%2B01:00") == ["3", "4"]
    assert found("since=2026-11-21T13:00:03+01:00") == ["3", "4"]  # The plus arrives as a space.
    assert found("since=2026-11-21T12:00:03") == ["3", "4"]
    assert found("since=2026-11-22") == []


def test_a_cursor_stays_within_since_and_until(api: Any, archive: Any, relay_keys: Any) -> None:
    for n in range(9):
        _store(archive, "orders", str(n), _position(n * 1000))

    seen, address = (
        [],
        f"{MESSAGES}?channel=orders&limit=2&since=1970-01-01T00:00:02Z&until=1970-01-01T00:00:07Z",
    )
    while address:
        page = api.get(address).json()
        seen += [row["message"] for row in page["results"]]
        address = page["next"]

    assert seen == ["6", "5", "4", "3", "2"]


@pytest.mark.parametrize(
    ("contains", "found"),
    [
        ("a.b", ["a.b"]),
        (".*", []),
        ("B", []),
        ("$gt", ['{"$gt": 1}']),
        ("\n", ["two\nlines"]),
        ("# ü", ["# ü"]),
    ],
)
def test_contains_takes_a_text_as_it_is_written(
    api: Any, archive: Any, relay_keys: Any, contains: str, found: list[str]
) -> None:
    for n, text in enumerate(["a.b", "axb", '{"$gt": 1}', "two\nlines", "# ü", b"\xffa.b"]):
        _store(archive, "orders", text, _position(n))

    answer = api.get(MESSAGES, {"channel": "orders", "contains": contains}).json()

    assert [row["message"] for row in answer["results"]] == found


def test_a_text_that_is_looked_for_too_long_is_refused_with_advice(
    api: Any, relay_keys: Any, give_up: Callable[[], None]
) -> None:
    give_up()

    answer = api.get(f"{MESSAGES}?channel=orders&contains=x")

    assert answer.status_code == 422
    assert "Say `since` and `until`" in answer.json()["detail"]


def test_a_search_that_mongodb_is_too_busy_to_give_up_in_time_is_too_slow_as_well(
    api: Any, archive: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messages_app.searching.history.SEARCH_SECONDS", 0.1)
    admin = archive.database.client.admin
    late = {"failCommands": ["find"], "blockConnection": True, "blockTimeMS": 2000}
    admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=late)

    answer = api.get(f"{MESSAGES}?channel=orders&contains=x")

    assert (answer.status_code, answer.json()["type"]) == (422, "urn:relay:problem:search-too-slow")


def test_a_search_while_mongodb_says_nothing_at_all_is_503(
    api: Any, archive: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messages_app.searching.history.SEARCH_SECONDS", 0.1)
    monkeypatch.setattr("messages_app.searching.history._PING_SECONDS", 0.2)
    admin = archive.database.client.admin
    silent = {"failCommands": ["find", "ping"], "blockConnection": True, "blockTimeMS": 1500}
    admin.command("configureFailPoint", "failCommand", mode={"times": 2}, data=silent)

    assert api.get(f"{MESSAGES}?channel=orders&contains=x").status_code == 503
