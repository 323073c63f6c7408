"""What has changed is told once, whoever dies or freezes; what nobody repeats is over."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from django.db import Error, OperationalError, connection, transaction

from alerts_app.receiving import ending, keeping, posting, telling
from alerts_app.receiving.keeping import Keeper
from alerts_app.receiving.models import HeardAlert, Transition
from alerts_app.receiving.telling import Publish
from alerts_app.silencing import registration as silencing
from events_app import teller
from relaybase import keys
from relaybase.postgres import values
from relaycore.alerting.labelled import transitions
from relaycore.alerting.labelled.labels import fingerprint
from relaycore.alerting.labelled.posted import Alert
from relaycore.errors import NotTaken, RelayError
from relaycore.receiving.hearing import Hearing
from relaycore.receiving.states import KEPT_MS
from tests.integration.alertmanager.appending import appending
from tests.integration.alertmanager.conftest import Told

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

Wait = Callable[..., None]


@pytest.fixture
def publish(relay_keys: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Appends as a web process does."""
    with appending(monkeypatch) as publish:
        yield publish


def _alert(name: str, *, ends: int) -> Alert:
    labels = {"alertname": name}
    return Alert(fingerprint(labels), labels, {}, "", silencing.now() - 60_000, ends, is_timed_out=False)


def _note(*names: str) -> None:
    posting.note(transitions.message(_alert(name, ends=0), is_firing=True) for name in names)


def _names(told: Told) -> list[str]:
    return [one["labels"]["alertname"] for one in told()]


def test_whoever_dies_before_it_is_noted_has_it_told_once(
    publish: Publish, told: Told, wait_until: Wait
) -> None:
    _note("a", "b")

    def die(waiting: Sequence[Transition]) -> int:
        publish(waiting)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        telling.tell(die)
    assert Transition.objects.count() == 2
    _note("c")
    assert telling.tell(publish) == 3
    assert telling.tell(publish) == 0
    wait_until(lambda: "c" in _names(told))
    assert _names(told) == ["a", "b", "c"]


def test_whoever_freezes_holds_up_nobody_and_tells_nothing_twice(
    publish: Publish, told: Told, wait_until: Wait, in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "IDLE_MS", 2_000)
    is_frozen, wakes = threading.Event(), threading.Event()
    _note("a")

    def freeze(waiting: Sequence[Transition]) -> int:
        is_frozen.set()
        assert wakes.wait(20)
        return publish(waiting)

    def tell() -> None:
        try:
            telling.tell(freeze)
        finally:
            connection.close()

    frozen = in_thread(tell)
    assert is_frozen.wait(20)
    # It has the lock, until PostgreSQL takes it away.
    assert telling.tell(publish) == 1
    wakes.set()
    with pytest.raises(Error):
        frozen.result(20)
    _note("last")
    assert telling.tell(publish) == 1
    wait_until(lambda: "last" in _names(told))
    assert _names(told) == ["a", "last"]


def test_while_redis_is_away_it_waits(publish: Publish, redis_away: None) -> None:
    _note("a")
    with pytest.raises((RelayError, TimeoutError)):
        telling.tell(publish)
    assert Transition.objects.count() == 1


def test_what_redis_loses_before_it_is_stored_is_told_all_the_same(
    publish: Publish,
    relay_keys: Any,
    request: pytest.FixtureRequest,
    wait_until: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(teller, "STORED_SECONDS", 0.3)
    _note("a", "b")
    for _ in range(3):
        with pytest.raises(NotTaken, match="not stored yet"):
            telling.tell(publish)
        # It is not appended once more.
        assert relay_keys.xlen(keys.stream(0)) == 1
    assert relay_keys.xtrim(keys.stream(0), maxlen=0, approximate=False) == 1
    told = request.getfixturevalue("told")

    def tell() -> int:
        try:
            return telling.tell(publish)
        except NotTaken:
            return 0

    wait_until(lambda: tell() == 2)
    assert _names(told) == ["a", "b"]
    assert not Transition.objects.exists()


def test_what_its_sender_may_have_given_up_is_not_taken() -> None:
    at = silencing.now()
    begins, ended = _alert("a", ends=at + 240_000), _alert("a", ends=at)
    posting.take([begins])
    posting.take([ended])
    with pytest.raises(NotTaken, match="Say it again"):
        posting.take([begins], lambda: True)
    assert not HeardAlert.objects.get().is_firing
    assert Transition.objects.count() == 2


def test_what_nobody_repeats_is_over_once() -> None:
    at = silencing.now()
    posting.take([_alert("gone", ends=at + 300), _alert("here", ends=at + 3_600_000)])
    Transition.objects.all().delete()
    assert ending.end(silencing.now()) == 0
    HeardAlert.objects.filter(labels__alertname="gone").update(ends=at - 1)
    assert ending.end(silencing.now()) == 1
    assert ending.end(silencing.now()) == 0
    (said,) = Transition.objects.all()
    assert '"status":"resolved"' in said.message
    assert '"alertname":"gone"' in said.message


def test_of_two_that_end_it_one_does(in_thread: Any) -> None:
    at = silencing.now()
    posting.take([_alert(str(number), ends=at + 3_600_000) for number in range(20)])
    HeardAlert.objects.update(ends=at - 1)
    Transition.objects.all().delete()

    def end() -> int:
        try:
            return ending.end(silencing.now())
        finally:
            connection.close()

    ended = [in_thread(end) for _ in range(4)]
    assert sum(one.result(20) for one in ended) == 20
    assert Transition.objects.count() == 20


def test_what_was_over_for_long_is_forgotten() -> None:
    at = silencing.now()
    posting.take([_alert("gone", ends=at - 1), _alert("here", ends=at + 3_600_000)])
    assert ending.forget() == 0
    HeardAlert.objects.update(updated=at - KEPT_MS - 1_000)
    assert ending.forget() == 1
    assert [row.labels["alertname"] for row in HeardAlert.objects.all()] == ["here"]


def test_what_is_said_again_is_not_forgotten_meanwhile(
    in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = silencing.now()
    posting.take([_alert("again", ends=at - 1)])
    HeardAlert.objects.update(updated=at - KEPT_MS - 1_000)
    ask = values.execute_values
    forgotten: list[int] = []

    def forget() -> int:
        try:
            return ending.forget()
        finally:
            connection.close()

    def ask_and_forget(sql: Any, statement: str, *rest: Any, **more: Any) -> Any:
        found = ask(sql, statement, *rest, **more)
        if statement.startswith("INSERT"):
            forgotten.append(in_thread(forget).result(20))
        return found

    monkeypatch.setattr(posting, "execute_values", ask_and_forget)
    assert posting.take([_alert("again", ends=at + 3_600_000)])
    assert forgotten == [0]
    assert HeardAlert.objects.get().is_firing


def test_whoever_has_waited_for_a_row_judges_by_the_time_when_it_is_his(
    in_thread: Any, wait_until: Wait
) -> None:
    """What was over and told meanwhile is not told to fire once more."""
    at = silencing.now()
    alerts = [_alert(name, ends=at + 1_500) for name in ("a", "b")]
    posting.take(alerts)
    Transition.objects.all().delete()
    first, last = sorted(alerts, key=lambda one: one.fingerprint)

    def take() -> None:
        try:
            # Of one of them more is said, so all are judged one by one.
            posting.take([first, last, last])
        finally:
            connection.close()

    with transaction.atomic():
        HeardAlert.objects.filter(pk=last.fingerprint).update(ends=at + 1_500)
        taking = in_thread(take)
        wait_until(_somebody_waits)
        wait_until(lambda: silencing.now() > at + 1_500)
        # Whoever takes has the other one.
        assert ending.end(silencing.now()) == 1
    taking.result(20)
    assert not HeardAlert.objects.filter(is_firing=True).exists()
    assert sorted(json.loads(one.message)["status"] for one in Transition.objects.all()) == ["resolved"] * 2


def _somebody_waits() -> bool:
    with connection.cursor() as sql:
        # Not pg_stat_activity: what that says stays the same in a transaction.
        sql.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(sql.fetchone()[0])


def test_whoever_freezes_before_it_ends_something_ends_only_what_was_over_before(
    settings: Any, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RELAY_ALERTMANAGER_GRACE_SECONDS = 0.0
    at = silencing.now()
    posting.take([_alert("a", ends=at + 3_600_000)])
    is_long_enough = Hearing.is_long_enough

    def frozen_behind(self: Hearing, now: float, seconds: float) -> bool:
        found = is_long_enough(self, now, seconds)
        ends = silencing.now() + 1
        HeardAlert.objects.update(ends=ends)
        wait_until(lambda: silencing.now() > ends)
        return found

    monkeypatch.setattr(Hearing, "is_long_enough", frozen_behind)
    keeper = Keeper()
    keeper._step(len)
    assert HeardAlert.objects.get().is_firing
    monkeypatch.undo()
    keeper._step(len)
    assert not HeardAlert.objects.get().is_firing


def test_whoever_stands_still_does_not_say_that_all_is_told(
    monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    monkeypatch.setattr(keeping, "_LATELY_SECONDS", 2.5)
    goes_on, stands_still = threading.Event(), threading.Event()
    goes_on.set()

    def step(self: Keeper, publish: Publish) -> bool:
        if not goes_on.is_set():
            stands_still.set()
        return not goes_on.wait(20)

    monkeypatch.setattr(Keeper, "_step", step)

    async def look() -> None:
        keeper = Keeper()
        assert not keeper.is_telling, "it has not looked yet"
        keeper.begin()
        await asyncio.to_thread(wait_until, lambda: keeper.is_telling)
        goes_on.clear()
        await asyncio.to_thread(wait_until, stands_still.is_set)
        await asyncio.to_thread(wait_until, lambda: not keeper.is_telling)
        goes_on.set()
        await asyncio.to_thread(wait_until, lambda: keeper.is_telling)

    asyncio.run(look())


def test_whoever_could_hear_nobody_ends_nothing(settings: Any) -> None:
    at = silencing.now()
    posting.take([_alert("a", ends=at + 3_600_000)])
    HeardAlert.objects.update(ends=at - 1)

    settings.RELAY_ALERTMANAGER_GRACE_SECONDS = 3_600.0
    keeper = Keeper()
    keeper._step(len)
    assert HeardAlert.objects.get().is_firing
    # It has heard for long enough, but PostgreSQL was away, so nobody could have told it.
    keeper._hearing._since -= 7_200
    keeper._failed(OperationalError("away"))
    keeper._step(len)
    assert HeardAlert.objects.get().is_firing
    # It stood still, and has just been woken.
    keeper._hearing._since -= 7_200
    keeper._hearing._asked_at -= 60
    keeper._step(len)
    assert HeardAlert.objects.get().is_firing
    keeper._hearing._since -= 7_200
    keeper._step(len)
    assert not HeardAlert.objects.get().is_firing
