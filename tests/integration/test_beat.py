"""Beat's schedule: what is on it, and that a change is noticed although it is seldom looked for."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks
from kombu.exceptions import OperationalError

from leases_app import partitioning
from leases_app.models import Partitioning
from relaybase.queues import PROPOSE
from relayproject import beat, proposals
from relayproject.celery import app
from relayproject.processes import ENDLESS
from relayproject.tasks import propose

pytestmark = pytest.mark.django_db(transaction=True)


def scheduler() -> Any:
    made = beat.Scheduler(app=app, lazy=False)
    made._finalize.cancel()  # At exit it would write to a server that is gone by then.
    return made


def own_entries() -> dict[str, float]:
    entries = {entry.task: entry.schedule for entry in scheduler().schedule.values()}
    return {
        task: schedule.run_every.total_seconds()
        for task, schedule in entries.items()
        if not task.startswith("celery.")
    }


def test_one_task_is_all_that_an_idle_system_sends() -> None:
    assert own_entries() == {"relayproject.tasks.propose": 5.0}


def test_proposals_leave_a_note_of_when_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    partitioning.require()
    assert proposals.read() == proposals.Proposals(None, are_enabled=True)
    monkeypatch.setattr("channels_app.tasks.listen.apply_async", _refuse)
    monkeypatch.setattr("messages_app.tasks.write.apply_async", lambda *args, **kwargs: None)
    monkeypatch.setattr("webhooks_app.tasks.send.apply_async", lambda *args, **kwargs: None)
    with pytest.raises(OperationalError):
        propose()
    assert proposals.read().seconds_ago is None, "the broker is away"

    monkeypatch.setattr("channels_app.tasks.listen.apply_async", lambda *args, **kwargs: None)
    propose()

    ago = proposals.read().seconds_ago
    assert ago is not None
    assert 0 <= ago < 5


def test_every_endless_task_is_proposed_while_nobody_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: set[str] = set()
    with app.pool.acquire() as broker:
        for one in ENDLESS:
            broker.default_channel.queue_purge(one.queue)  # Nothing is added to what waits already.
    for one in ENDLESS:
        monkeypatch.setattr(f"{one.task}.apply_async", lambda *_, task=one.task, **__: sent.add(task))
    propose()
    assert sent == {one.task for one in ENDLESS}


def _refuse(*args: Any, **kwargs: Any) -> None:
    raise OperationalError


def test_beat_that_has_stopped_or_may_not_propose_is_a_fault() -> None:
    partitioning.require()
    assert proposals.read().fault is None, "nobody knows whether it is to come yet"
    partitioning.proposed()
    assert proposals.read().fault is None
    scheduler()
    assert proposals.read().fault is None
    PeriodicTask.objects.filter(task=PROPOSE).update(enabled=False)
    assert "switch the periodic task relayproject.tasks.propose on again" in str(proposals.read().fault)

    PeriodicTask.objects.update(enabled=True)
    for seconds, expected in ((20, False), (40, True), (-40, True)):
        Partitioning.objects.update(proposed_at=timezone.now() - timedelta(seconds=seconds))
        assert ("beat and a worker" in str(proposals.read().fault)) is expected


def test_what_earlier_versions_have_left_is_sent_no_more_and_what_operators_added_is() -> None:
    every = IntervalSchedule.objects.create(every=7, period=IntervalSchedule.SECONDS)
    for name, task in (
        ("propose listeners", "channels_app.tasks.propose_listeners"),
        ("delete expired", "relayproject.tasks.delete_expired"),
        ("delete expired at night", "operators.tasks.delete_expired"),
    ):
        PeriodicTask.objects.create(name=name, task=task, interval=every)
    assert own_entries() == {"relayproject.tasks.propose": 5.0, "operators.tasks.delete_expired": 7.0}


def test_the_tables_are_asked_once_a_second_however_often_it_looks() -> None:
    running = scheduler()
    running.tick()
    with CaptureQueriesContext(connection) as captured:
        for _ in range(20):
            assert running.schedule
    assert len([query for query in captured if "django_celery_beat" in query["sql"]]) <= 1


def test_an_entry_is_looked_at_when_it_is_due_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    every = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(name="each second", task="operators.tasks.look", interval=every)
    running, sent, looks = scheduler(), list[str](), 0
    monkeypatch.setattr(running, "apply_entry", lambda entry, producer=None: sent.append(entry.name))
    while sent.count("each second") < 3:
        looks += 1
        assert looks < 20, "it looks again and again, a moment too early"
        time.sleep(max(0.0, running.tick()))


def test_an_entry_that_an_operator_disables_is_sent_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beat, "_LOOK_SECONDS", 0.0)
    every = IntervalSchedule.objects.create(every=7, period=IntervalSchedule.SECONDS)
    task = PeriodicTask.objects.create(
        name="each seventh second", task="operators.tasks.look", interval=every
    )
    running = scheduler()
    running.tick()
    assert "each seventh second" in running.schedule
    task.enabled = False
    task.save()
    for _ in range(5):
        running.tick()
    assert "each seventh second" not in running.schedule
    assert "each seventh second" not in {event[2].name for event in running._heap}


def sent_by(running: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks that it sends from now on, without a broker."""
    sent: list[str] = []
    monkeypatch.setattr(running, "apply_async", lambda entry, **_: sent.append(entry.task))
    return sent


def turn_until(running: Any, condition: Callable[[], object]) -> None:
    """Let it run until then: some seconds, and not the hours that a row or a clock asks for."""
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, "it waits"
        time.sleep(min(max(0.0, running.tick()), 0.1))


def rewritten(**values: Any) -> Callable[[PeriodicTask], object]:
    def rewrite(row: PeriodicTask) -> None:
        for name, value in values.items():
            setattr(row, name, value)
        row.save()

    return rewrite


def each_hour(row: PeriodicTask) -> None:
    row.interval = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.HOURS)
    row.save()


def its_interval_each_hour(row: PeriodicTask) -> None:
    row.interval.every = 3600
    row.interval.save()


def on_a_crontab(row: PeriodicTask) -> None:
    row.interval, row.crontab = None, CrontabSchedule.objects.create(hour="4", minute="0")
    row.save()


A_DAY = timedelta(days=1)

DONE_TO_THE_ROW: dict[str, Callable[[PeriodicTask], object]] = {
    "disabled": rewritten(enabled=False),
    "disabled behind its back": lambda row: PeriodicTask.objects.update(enabled=False),
    "deleted": lambda row: row.delete(),
    "renamed": rewritten(name="something else"),
    "another task": rewritten(task="operators.tasks.look"),
    "each hour": each_hour,
    "its interval each hour": its_interval_each_hour,
    "its interval deleted": lambda row: row.interval.delete(),
    "on a crontab": on_a_crontab,
    "once": rewritten(one_off=True),
    "later": rewritten(start_time=timezone.now() + A_DAY),
    "no more": rewritten(expires=timezone.now() - A_DAY),
    "run in the future": rewritten(last_run_at=timezone.now() + A_DAY),
}


@pytest.mark.parametrize("change", DONE_TO_THE_ROW)
def test_whatever_is_done_to_its_row_proposals_go_on_and_the_row_is_put_right(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    monkeypatch.setitem(app.conf.beat_schedule, "propose", {"task": PROPOSE, "schedule": 1.0})
    monkeypatch.setattr(beat, "_LOOK_SECONDS", 0.0)
    running = scheduler()
    sent = sent_by(running, monkeypatch)
    turn_until(running, lambda: len(sent) == 2)
    DONE_TO_THE_ROW[change](PeriodicTask.objects.get(name="propose"))
    with caplog.at_level("WARNING", beat.__name__):
        turn_until(running, lambda: len(sent) == 4)
    assert set(sent) == {PROPOSE}
    row = PeriodicTask.objects.get(name="propose")
    assert (row.task, row.enabled, row.interval.every, row.interval.period) == (PROPOSE, True, 1, "seconds")
    assert (row.crontab, row.one_off, row.start_time, row.expires) == (None, False, None, None)
    assert row.last_run_at is not None
    assert row.last_run_at <= timezone.now()
    assert not PeriodicTask.objects.exclude(name="propose").filter(task=PROPOSE).exists()
    assert proposals.read().are_enabled
    # That its last run was changed changes nothing.
    assert ("was disabled, changed or deleted" in caplog.text) is (change != "run in the future")
    # And a beat that starts with such a row.
    PeriodicTask.objects.filter(name="propose").update(last_run_at=timezone.now() + A_DAY, enabled=False)
    again = scheduler()
    sent = sent_by(again, monkeypatch)
    turn_until(again, lambda: sent == [PROPOSE])


def test_a_row_that_cannot_be_read_holds_up_no_proposals(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    crontab = CrontabSchedule.objects.create(hour="4")
    with connection.cursor() as cursor:
        cursor.execute("update django_celery_beat_crontabschedule set timezone = 'Nowhere/At_all'")
    PeriodicTask.objects.create(name="nowhere", task="operators.tasks.look", crontab=crontab)
    running = scheduler()
    sent = sent_by(running, monkeypatch)
    turn_until(running, lambda: sent == [PROPOSE])
    assert "only proposals are sent" in caplog.text
    CrontabSchedule.objects.update(timezone="UTC")
    monkeypatch.setattr(beat, "_LOOK_SECONDS", 0.0)
    every = IntervalSchedule.objects.create(every=7, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(name="each seventh second", task="operators.tasks.look", interval=every)
    turn_until(running, lambda: {"propose", "each seventh second"} <= running.schedule.keys())


def test_a_clock_that_is_set_back_and_a_last_run_in_the_future_hold_up_no_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    every = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.SECONDS)
    later = timezone.now() + A_DAY
    PeriodicTask.objects.create(
        name="each second", task="operators.tasks.look", interval=every, last_run_at=later
    )
    running = scheduler()
    sent = sent_by(running, monkeypatch)
    turn_until(running, lambda: sent.count("operators.tasks.look") == 2)
    assert PeriodicTask.objects.get(name="each second").last_run_at <= timezone.now(), "it is read anew"

    # A day back: what has run in that day has run in the future.
    for entry in running.schedule.values():
        if entry.name != "propose":
            entry.last_run_at = entry.model.last_run_at = entry.model.last_run_at + A_DAY
    real = time.time
    monkeypatch.setattr("relayproject.beat.time.time", lambda: real() - A_DAY.total_seconds())
    sent.clear()
    turn_until(running, lambda: sent.count("operators.tasks.look") == 2)


def test_a_change_by_somebody_whose_clock_is_behind_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beat, "_LOOK_SECONDS", 0.0)
    PeriodicTasks.objects.update_or_create(ident=1, defaults={"last_update": timezone.now() + A_DAY})
    running = scheduler()
    running.tick()
    every = IntervalSchedule.objects.create(every=7, period=IntervalSchedule.SECONDS)
    PeriodicTask.objects.create(name="each seventh second", task="operators.tasks.look", interval=every)
    running.tick()
    assert "each seventh second" in running.schedule
