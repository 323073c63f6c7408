"""GET /api/v1/messages/export, from a real web process."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from bson import ObjectId

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS: list[str | bytes] = ["plain", 'with "quotes", commas', "two\nlines", "", "ünï 🚌", b"\xff\xfe", "=1+1"]


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """A web process."""
    return serve()


@pytest.fixture
def export(web: str, token: str) -> Iterator[Callable[[str], HTTPResponse]]:
    """Asks for an export; the answer is not read yet."""
    connections = []

    def ask(query: str) -> HTTPResponse:
        connections.append(HTTPConnection(urlsplit(web).netloc, timeout=30))
        path = f"/api/v1/messages/export?channel=orders{query}"
        connections[-1].request("GET", path, headers={"Authorization": f"Bearer {token}"})
        return connections[-1].getresponse()

    yield ask
    for connection in connections:
        connection.close()


def _fill(archive: Any, texts: list[Any]) -> None:
    archive.insert_many(
        {
            "_id": ObjectId(),
            "channel": "orders",
            "message": text,
            "received_at": datetime(2026, 11, 21, tzinfo=UTC),
            "position": f"{n:013d}-0000000000-00000",
        }
        for n, text in enumerate(texts)
    )


def test_both_formats_hold_what_the_list_shows(
    api: Any, archive: Any, relay_keys: Any, export: Callable[[str], HTTPResponse]
) -> None:
    _fill(archive, TEXTS)
    listed = api.get("/api/v1/messages?channel=orders&order=asc").json()["results"]

    answer = export("&order=asc")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''orders.ndjson"
    assert [json.loads(line) for line in answer.read().decode().split("\n")[:-1]] == listed
    answer = export("&order=asc&format=csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    nothing = {"attributes": "", "content_type": "", "produced_by": ""}
    assert list(csv.DictReader(io.StringIO(answer.read().decode(), newline=""))) == [
        row | nothing for row in listed
    ]


def test_both_formats_have_what_a_publisher_said(
    api: Any, archive: Any, relay_keys: Any, export: Callable[[str], HTTPResponse]
) -> None:
    _fill(archive, ["hello"])
    said = {
        "attributes": {"=a": '"größer"', "b": ""},
        "content_type": "=text/plain",
        "produced_by": "@billing",
    }
    archive.update_one({}, {"$set": said})
    (listed,) = api.get("/api/v1/messages?channel=orders").json()["results"]
    assert {name: listed[name] for name in said} == said

    assert json.loads(export("").read()) == listed

    def line(query: str) -> dict[str, str]:
        (found,) = csv.DictReader(io.StringIO(export(query).read().decode(), newline=""))
        return found

    as_text = said | {"attributes": '{"=a": "\\"größer\\"", "b": ""}'}
    assert line("&format=csv") == listed | as_text
    guarded = as_text | {"content_type": "'=text/plain", "produced_by": "'@billing"}
    assert line("&format=csv&spreadsheet=true") == listed | guarded


def test_for_a_spreadsheet_formulas_have_an_apostrophe(
    archive: Any, relay_keys: Any, export: Callable[[str], HTTPResponse]
) -> None:
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"]
    others = ["1=1", "'=1", "", "a\tb"]
    _fill(archive, formulas + others)

    def messages(query: str) -> list[str]:
        text = export(f"&order=asc&format=csv{query}").read().decode()
        return [line["message"] for line in csv.DictReader(io.StringIO(text, newline=""))]

    assert messages("") == messages("&spreadsheet=false") == formulas + others
    assert messages("&spreadsheet=true") == [f"'{text}" for text in formulas] + others


def test_more_than_a_page_comes_whole_and_in_order(
    archive: Any, relay_keys: Any, export: Callable[[str], HTTPResponse]
) -> None:
    _fill(archive, [f"message {n}" for n in range(2500)])

    lines = export("").read().splitlines()
    assert [json.loads(line)["message"] for line in lines] == [f"message {n}" for n in range(2499, -1, -1)]
    some = export("&contains=99&until=1970-01-01T00:00:02Z").read().splitlines()
    assert len(some) == len([n for n in range(2000) if "99" in str(n)])


def test_the_memory_does_not_grow_with_the_export(
    web: str, archive: Any, relay_keys: Any, export: Callable[[str], HTTPResponse]
) -> None:
    port = urlsplit(web).port
    (process,) = [
        child
        for child in psutil.Process().children()
        if any(c.laddr.port == port and c.status == "LISTEN" for c in child.net_connections())
    ]
    _fill(archive, ["x" * 2000] * 2000)
    export("").read()
    before = process.memory_info().rss
    archive.delete_many({})
    _fill(archive, ["x" * 2000] * 50_000)

    answer, size = export(""), 0
    most = before
    while data := answer.read(1 << 20):
        size += len(data)
        most = max(most, process.memory_info().rss)

    assert size > 100_000_000
    assert most - before < 48_000_000


def test_an_export_that_fails_midway_does_not_look_complete(
    archive: Any, relay_keys: Any, export: Callable[[str], HTTPResponse], give_up: Callable[[], None]
) -> None:
    _fill(archive, ["x" * 2000] * 20_000)
    answer = export("")
    answer.read(1)
    give_up()

    with pytest.raises(IncompleteRead):
        answer.read()


@pytest.mark.parametrize(
    "query",
    ["&format=xml", "&limit=5", "&cursor=x", "&since=x", "&spreadsheet=true", "&format=csv&spreadsheet=1"],
)
def test_a_bad_question_is_400(export: Callable[[str], HTTPResponse], query: str) -> None:
    answer = export(query)

    assert (answer.status, "detail" in json.loads(answer.read())) == (400, True)


def test_there_is_no_file_while_nobody_knows_up_to_where_everything_is_stored(
    api: Any, archive: Any, redis_away: None
) -> None:
    archive.insert_one({"_id": ObjectId(), "channel": "orders", "message": "a", "position": "0"})

    assert api.get("/api/v1/messages/export?channel=orders").status_code == 503
