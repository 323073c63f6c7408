"""Beat's schedule: what is on it, and that a change is noticed although it is seldom looked for."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
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
    running = scheduler()
    running.tick()
    task = PeriodicTask.objects.get(name="propose")
    task.enabled = False
    task.save()
    for _ in range(5):
        running.tick()
    assert "propose" not in running.schedule
    assert "propose" not in {event[2].name for event in running._heap}
