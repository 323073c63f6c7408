"""GET /api/v1/gaps, and what a channel says of its gaps."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils.dateparse import parse_datetime

from channels_app.models import Channel, Gap
from channels_app.registration import start
from leases_app.leasing import Term

pytestmark = pytest.mark.django_db

GAPS = "/api/v1/gaps"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _gap(began: int, ended: int | None, channel: str = "", **more: Any) -> Gap:
    """From and to in seconds after noon."""
    return Gap.objects.create(
        **{"partition": 0, "cause": Gap.Cause.NO_LISTENER, **more},
        channel=channel,
        began_at=NOON + timedelta(seconds=began),
        ended_at=None if ended is None else NOON + timedelta(seconds=ended),
    )


def _ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def _hear(name: str, since: datetime) -> None:
    Channel.objects.filter(channel=name).update(
        subscription_status="ACTIVE", active_since=since, first_heard_at=since
    )


def test_a_gap_says_what_is_known_of_it(api: Any) -> None:
    closed = _gap(0, 5, missed_at_most=0, covered=True)
    still_open = _gap(9, None, "orders", cause=Gap.Cause.LATE)

    assert api.get(GAPS).json() == {
        "next": None,
        "results": [
            {
                "id": still_open.pk,
                "partition": 0,
                "channel": "orders",
                "cause": "subscribed late",
                "from": "2026-11-21T12:00:09Z",
                "to": None,
                "missed_at_most": None,
                "covered": False,
            },
            {
                "id": closed.pk,
                "partition": 0,
                "channel": None,
                "cause": "no listener",
                "from": "2026-11-21T12:00:00Z",
                "to": "2026-11-21T12:00:05Z",
                "missed_at_most": 0,
                "covered": True,
            },
        ],
    }


def test_gaps_are_filtered_by_what_they_touch(api: Any, settings: Any) -> None:
    settings.RELAY_PARTITIONS = 2
    place = start("orders").partition
    whole = _gap(0, 1, partition=place).pk
    own = _gap(2, 3, "orders", partition=place).pk
    others = _gap(4, 5, "bills", partition=place).pk
    elsewhere = _gap(6, None, partition=1 - place).pk

    assert _ids(api.get(f"{GAPS}?channel=orders")) == [own, whole]
    assert _ids(api.get(f"{GAPS}?partition={place}")) == [others, own, whole]
    assert _ids(api.get(f"{GAPS}?open=true")) == [elsewhere]
    assert _ids(api.get(f"{GAPS}?open=false&partition={1 - place}")) == []


def test_since_and_until_keep_what_overlaps(api: Any) -> None:
    first, second, last = _gap(0, 10).pk, _gap(20, 30).pk, _gap(40, None).pk

    assert _ids(api.get(f"{GAPS}?since=2026-11-21T12:00:11Z")) == [last, second]
    assert _ids(api.get(f"{GAPS}?since=2026-11-21T12:00:09Z&until=2026-11-21T12:00:20Z")) == [first]
    assert _ids(api.get(f"{GAPS}?since=2026-11-21T12:00:25Z&until=2026-11-21T12:00:26Z")) == [second]
    assert _ids(api.get(f"{GAPS}?since=2026-11-22T00:00:00Z")) == [last]


def test_the_list_goes_on_page_by_page_while_gaps_come(api: Any) -> None:
    recorded = [_gap(number * 10, number * 10 + 5).pk for number in range(5)]

    seen, address = [], f"{GAPS}/?limit=2"
    while address:
        answer = api.get(address)
        seen += _ids(answer)
        address = answer.json()["next"]
        _gap(1000 + 10 * len(seen), 1005 + 10 * len(seen))

    assert seen == recorded[::-1]


@pytest.mark.parametrize("query", ["partition=1", "open=yes", "since=noon", "cursor=eA", "x=1", "limit=0"])
def test_a_bad_question_is_answered_with_what_to_ask(api: Any, query: str) -> None:
    answer = api.get(f"{GAPS}?{query}")

    assert answer.status_code == 400
    assert answer.json()["detail"]


def test_a_stranger_sees_no_gaps(client: Any) -> None:
    assert client.get(GAPS).status_code == 401


# --- a channel -----------------------------------------------------------------------------


def _complete(api: Any) -> tuple[datetime | None, int | None]:
    detail = api.get("/api/v1/channels/orders").json()
    [listed] = [row for row in api.get("/api/v1/channels").json()["results"] if row["channel"] == "orders"]
    assert listed["complete_since"] == detail["complete_since"]
    assert listed["open_gap"] == detail["open_gap"]
    since = detail["complete_since"]
    return since and parse_datetime(since), detail["open_gap"] and detail["open_gap"]["id"]


def test_a_channel_is_complete_since_it_is_heard(api: Any, listener: Term) -> None:
    start("orders")
    assert _complete(api) == (None, None)
    _hear("orders", NOON)
    assert _complete(api) == (NOON, None)
    listener.release()
    assert _complete(api) == (None, None)


@pytest.mark.parametrize("channel", ["", "orders"])
def test_a_channel_is_complete_since_the_last_gap_that_touched_it(
    api: Any, listener: Term, channel: str
) -> None:
    start("orders")
    _hear("orders", NOON)
    _gap(-20, -10, channel)
    _gap(10, 20, channel)
    _gap(5, 25, channel)
    _gap(30, 40, channel, covered=True)
    _gap(50, 60, "bills")
    _gap(70, 80, partition=1)

    assert _complete(api) == (NOON + timedelta(seconds=25, milliseconds=1), None)


@pytest.mark.parametrize("channel", ["", "orders"])
def test_a_channel_shows_the_gap_that_is_open(api: Any, listener: Term, channel: str) -> None:
    start("orders")
    _hear("orders", NOON)
    _gap(50, 60)
    still_open = _gap(20, None, channel)

    assert _complete(api) == (None, still_open.pk)


def test_gaps_of_the_partition_and_of_the_channel_count_together(api: Any, listener: Term) -> None:
    for name in ("orders", "bills"):
        start(name)
        _hear(name, NOON)
    _gap(10, 20)
    _gap(30, 40, "bills")
    _gap(50, None, "not relayed any more")

    since = {row["channel"]: row["complete_since"] for row in api.get("/api/v1/channels").json()["results"]}
    assert since == {"orders": "2026-11-21T12:00:20.001000Z", "bills": "2026-11-21T12:00:40.001000Z"}
