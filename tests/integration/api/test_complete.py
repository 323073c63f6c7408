"""GET /api/v1/messages says whether its range has everything that was published."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from bson import ObjectId

from channels_app.models import Channel, Gap
from channels_app.registration import start
from leases_app.leasing import Condition, Term
from leases_app.models import Lease
from relaybase import keys

pytestmark = pytest.mark.django_db

MESSAGES = "/api/v1/messages?channel=orders"
START = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def orders(listener: Term, archive: Any, relay_keys: Any) -> Any:
    """A channel that is heard since `START`, with a message after 10, 20, 30 and 40 seconds."""
    start("orders")
    _change(first_heard_at=START, active_since=START, subscription_status="ACTIVE")
    for seconds in (10, 20, 30, 40):
        _store(archive, seconds)
    return archive


def _at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def _change(**columns: Any) -> None:
    Channel.objects.filter(channel="orders").update(**columns)


def _store(archive: Any, seconds: int) -> None:
    position = f"{int(_at(seconds).timestamp() * 1000):013d}-0000000000-00000"
    document = {"channel": "orders", "message": f"after {seconds} s", "received_at": _at(seconds)}
    archive.insert_one({"_id": ObjectId(), **document, "position": position})


def _gap(began: float, ended: float | None, channel: str = "", **more: Any) -> int:
    ended_at = None if ended is None else _at(ended)
    cause = Gap.Cause.NO_LISTENER
    columns = {"partition": 0, "channel": channel, "cause": cause, **more}
    return Gap.objects.create(began_at=_at(began), ended_at=ended_at, **columns).pk


def _said(api: Any, address: str = MESSAGES) -> tuple[bool, list[int]]:
    answer = api.get(address).json()
    return answer["complete"], [gap["id"] for gap in answer["gaps"]]


def test_what_was_heard_all_the_time_is_complete(api: Any, orders: Any) -> None:
    _gap(15, 16, covered=True)
    _gap(17, 18, "bills")
    _gap(19, 20, partition=1)

    assert _said(api) == (True, [])


@pytest.mark.parametrize("channel", ["", "orders"])
def test_what_has_a_gap_is_not_and_shows_it(api: Any, orders: Any, channel: str) -> None:
    gap = _gap(15, 16, channel, missed_at_most=3)

    assert _said(api) == (False, [gap])
    shown = api.get(MESSAGES).json()["gaps"][0]
    assert (shown["from"], shown["to"]) == ("2026-11-21T12:00:15Z", "2026-11-21T12:00:16Z")
    assert shown["missed_at_most"] == 3


@pytest.mark.parametrize("order", ["desc", "asc"])
def test_each_gap_lies_in_a_page(api: Any, orders: Any, order: str) -> None:
    """Also one before the first message, after the last one, between two pages, and of no length."""
    _store(orders, 50)
    expected = {_gap(45, None), _gap(32, 33, "orders"), _gap(30, 30, "orders"), _gap(15, 16), _gap(5, 6)}

    found, complete, address = set(), [], f"{MESSAGES}&limit=1&order={order}"
    while address:
        answer = api.get(address).json()
        assert answer["complete"] is (not answer["gaps"])
        found |= {gap["id"] for gap in answer["gaps"]}
        complete.append(answer["complete"])
        last, address = address, answer["next"]

    assert found == expected
    found, address = {gap["id"] for gap in answer["gaps"]}, api.get(last).json()["previous"]
    while address:
        answer = api.get(address).json()
        found |= {gap["id"] for gap in answer["gaps"]}
        address = answer["previous"]
    assert found == expected, "the way back"
    assert len(complete) == 5
    assert True in complete


def test_the_range_that_is_asked_for_decides(api: Any, orders: Any) -> None:
    early, late = _gap(15, 16), _gap(35, 36)

    assert _said(api, f"{MESSAGES}&since=2026-11-21T12:00:17Z") == (False, [late])
    assert _said(api, f"{MESSAGES}&until=2026-11-21T12:00:30Z") == (False, [early])
    between = f"{MESSAGES}&since=2026-11-21T12:00:17Z&until=2026-11-21T12:00:30Z"
    assert _said(api, between) == (True, [])
    assert _said(api, f"{between}&contains=nothing") == (True, [])


def test_what_was_before_the_channel_is_not_complete(api: Any, orders: Any) -> None:
    assert _said(api, f"{MESSAGES}&since=2026-11-21T11:59:59Z") == (False, [])


def test_a_channel_that_is_not_heard_now_is_not_complete_until_now(
    api: Any, orders: Any, listener: Term
) -> None:
    _change(subscription_status="INACTIVE", active_since=None)
    assert _said(api) == (False, [])

    # What is older than the last proof that the partition is heard is known.
    Lease.objects.update(heard_at=_at(25), known_until=_at(25))
    newest = api.get(f"{MESSAGES}&limit=1").json()
    second = api.get(newest["next"]).json()
    third = api.get(second["next"]).json()
    fourth = api.get(third["next"]).json()
    assert [page["complete"] for page in (newest, second, third, fourth)] == [False, False, False, True]


def test_what_is_newer_than_the_last_proof_is_not_complete_although_the_listener_lives(
    api: Any, orders: Any, listener: Term
) -> None:
    """It is connected to a black hole, and no gap is recorded yet."""
    Lease.objects.update(heard_at=_at(25), known_until=_at(25))
    listener.renew(0)

    assert _said(api) == (False, [])
    assert _said(api, f"{MESSAGES}&until=2026-11-21T12:00:24Z") == (True, [])
    assert _said(api, f"{MESSAGES}&until=2026-11-21T12:00:26Z") == (False, [])


def test_a_channel_is_not_complete_before_it_was_heard_first(api: Any, orders: Any) -> None:
    """Its row was there before, and what was published then nobody heard. That is no gap."""
    _change(created_at=START, first_heard_at=_at(5))
    assert _said(api, f"{MESSAGES}&since=2026-11-21T12:00:04Z") == (False, [])
    assert _said(api, f"{MESSAGES}&since=2026-11-21T12:00:05Z") == (True, [])

    _change(first_heard_at=None)
    assert _said(api, f"{MESSAGES}&since=2026-11-21T12:00:05Z") == (False, [])


@pytest.mark.parametrize("hears", [True, False])
def test_no_range_is_complete_beyond_what_is_known_by_the_clock_of_redis(
    api: Any, orders: Any, listener: Term, hears: bool
) -> None:
    """PostgreSQL's clock is ahead, so its times lie behind the moment in which all were killed."""
    if not hears:
        listener.release()
    Lease.objects.update(known_until=_at(25), heartbeat_at=_at(35), heard_at=_at(35))
    if hears:
        listener.renew(0, Condition(heard_seconds_ago=0.0))

    assert _said(api, f"{MESSAGES}&until=2026-11-21T12:00:25Z") == (True, [])
    assert _said(api, f"{MESSAGES}&since=2026-11-21T12:00:26Z&until=2026-11-21T12:00:33Z") == (False, [])


def test_redis_knows_up_to_the_last_tick_what_the_lease_says_later(
    api: Any, orders: Any, relay_keys: Any
) -> None:
    """Who reads what was published a moment ago must not wait for a heartbeat."""
    Lease.objects.update(known_until=_at(25))
    late = f"{MESSAGES}&until=2026-11-21T12:00:33Z"
    assert _said(api, late) == (False, [])
    for seconds, known in ((32, False), (33, True)):
        relay_keys.hset(keys.confirmed_tick(0), "at", int(_at(seconds).timestamp() * 1000))
        assert _said(api, late) == (known, [])


def test_while_redis_is_away_the_lease_says_what_is_known(
    api: Any, orders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = redis.Redis(port=1)
    monkeypatch.setattr("channels_app.ranges.shared_redis", lambda: nobody)
    Lease.objects.update(known_until=_at(25))
    assert _said(api, f"{MESSAGES}&until=2026-11-21T12:00:25Z") == (True, [])
    assert _said(api, f"{MESSAGES}&until=2026-11-21T12:00:26Z") == (False, [])


def test_a_channel_that_is_not_heard_is_known_up_to_where_its_gap_begins(api: Any, orders: Any) -> None:
    _change(subscription_status="INACTIVE", active_since=None, refusal="NOPERM")
    gap = _gap(22, None, "orders", cause=Gap.Cause.REFUSED)

    assert _said(api, f"{MESSAGES}&until=2026-11-21T12:00:22Z") == (True, [])
    assert _said(api, f"{MESSAGES}&until=2026-11-21T12:00:23Z") == (False, [gap])


def test_the_proofs_of_a_partition_say_nothing_of_a_channel_that_is_not_heard(
    api: Any, orders: Any, listener: Term
) -> None:
    _change(subscription_status="INACTIVE", active_since=None)
    early = f"{MESSAGES}&until=2026-11-21T12:00:24Z"
    assert _said(api, early) == (False, [])

    _change(refusal="NOPERM")
    Lease.objects.update(heard_at=_at(25), known_until=_at(25))
    assert _said(api, early) == (False, [])


@pytest.mark.parametrize("what", ["heartbeat_at", "heard_at"])
def test_a_time_from_the_future_proves_nothing(api: Any, orders: Any, listener: Term, what: str) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    Lease.objects.update(**{what: ahead})

    assert _said(api, f"{MESSAGES}&until={ahead - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}") == (False, [])


def test_a_channel_that_is_not_relayed_is_not_complete(api: Any, orders: Any) -> None:
    Channel.objects.all().delete()

    assert _said(api) == (False, [])


def test_what_was_stored_in_an_earlier_life_is_not_said_to_be_complete(api: Any, orders: Any) -> None:
    """Between the two lives nobody was asked to listen, and no gap was recorded."""
    _change(first_heard_at=_at(25))

    page = api.get(f"{MESSAGES}&limit=2").json()
    assert page["complete"] is True
    assert api.get(page["next"]).json()["complete"] is False


def test_an_empty_history_of_a_heard_channel_is_complete(api: Any, orders: Any) -> None:
    orders.delete_many({})

    assert _said(api) == (True, [])


# --- what a channel says of itself -----------------------------------------------------------


def _from_complete_since(api: Any) -> tuple[bool, list[int]]:
    """What is said of the range that begins where the channel says that it is complete."""
    since = api.get("/api/v1/channels/orders").json()["complete_since"]
    return _said(api, f"{MESSAGES}&since={since}")


@pytest.mark.parametrize("channel", ["", "orders"])
@pytest.mark.parametrize("ended", [16, 16.0004, 16.000999, 16.001])
def test_a_range_from_complete_since_on_is_complete_behind_a_gap(
    api: Any, orders: Any, channel: str, ended: float
) -> None:
    gap = _gap(15, ended, channel)

    assert _from_complete_since(api) == (True, [])
    assert _said(api, f"{MESSAGES}&since={_at(ended):%Y-%m-%dT%H:%M:%S.%fZ}") == (False, [gap]), "too early"


@pytest.mark.parametrize("heard", [5, 5.0004, 5.000999])
@pytest.mark.parametrize("after", [-0.0001, 0, 0.0001])
def test_a_range_from_complete_since_on_is_complete_if_a_gap_ended_as_it_was_heard_first(
    api: Any, orders: Any, heard: float, after: float
) -> None:
    _change(first_heard_at=_at(heard))
    _gap(4, heard + after)

    assert _from_complete_since(api) == (True, [])


@pytest.mark.parametrize("column", ["created_at", "listened_until"])
@pytest.mark.parametrize("after", [None, 0, 1.0004])
def test_a_range_from_complete_since_on_is_complete_although_nobody_listens(
    api: Any, orders: Any, column: str, after: float | None
) -> None:
    _change(listen=False, first_heard_at=None, **{column: _at(5.0004)})
    if after is not None:
        _gap(4, 5.0004 + after, cause=Gap.Cause.VANISHED)

    assert _from_complete_since(api) == (True, [])


# --- what is heard and not stored --------------------------------------------------------


def _wait_on_stream(redis: Any, when: datetime) -> None:
    """A message that was put there then, and that no writer has stored."""
    redis.xadd(keys.stream(0), {"a": "b"}, id=f"{int(when.timestamp() * 1000)}-0")


def test_a_range_of_the_past_that_is_not_stored_to_its_end_is_not_complete(
    api: Any, orders: Any, relay_keys: Any
) -> None:
    """The writer is frozen, so what was heard is not in the answer."""
    _wait_on_stream(relay_keys, _at(35))
    between = f"{MESSAGES}&since=2026-11-21T12:00:31Z&until=2026-11-21T12:00:"

    assert api.get(f"{between}36Z").json()["results"] == []
    assert _said(api, f"{between}36Z") == (False, [])
    assert _said(api, f"{between}35Z") == (True, [])

    relay_keys.delete(keys.stream(0))
    assert _said(api, f"{between}36Z") == (True, [])


@pytest.mark.parametrize(("seconds", "complete"), [(0.1, True), (10, False)], ids=["busy", "frozen"])
def test_a_range_until_now_is_complete_while_the_writer_keeps_up(
    api: Any, orders: Any, relay_keys: Any, listener: Term, seconds: float, complete: bool
) -> None:
    clock, microseconds = relay_keys.time()
    now = datetime.fromtimestamp(clock + microseconds / 1e6, UTC)
    listener.renew(0, Condition(0.0, known_until=now))
    _wait_on_stream(relay_keys, now - timedelta(seconds=seconds))

    newest = api.get(f"{MESSAGES}&limit=1").json()
    assert newest["complete"] is complete
    assert api.get(newest["next"]).json()["complete"] is True, "what is behind it is stored"

    late = now - timedelta(seconds=seconds - 0.05)
    assert _said(api, f"{MESSAGES}&since={late:%Y-%m-%dT%H:%M:%S.%fZ}") == (False, [])


def test_while_nobody_knows_what_is_stored_nothing_is_complete(
    api: Any, orders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = redis.Redis(port=1)
    monkeypatch.setattr("messages_app.searching.watermark.shared_redis", lambda: nobody)

    assert _said(api, f"{MESSAGES}&until=2026-11-21T12:00:24Z") == (False, [])
