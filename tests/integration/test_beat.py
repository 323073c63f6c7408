"""Beat's schedule: what is on it, and that a change is noticed although it is seldom looked for."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from relayproject import beat
from relayproject.celery import app

pytestmark = pytest.mark.django_db(transaction=True)


def scheduler() -> Any:
    return beat.Scheduler(app=app, lazy=False)


def test_both_kinds_of_proposals_are_one_task_and_retention_is_another() -> None:
    entries = {entry.task: entry.schedule for entry in scheduler().schedule.values()}
    assert entries["relayproject.tasks.propose"].run_every.total_seconds() == 5
    assert entries["relayproject.tasks.delete_expired"].run_every.total_seconds() == 10


def test_the_tables_are_asked_once_a_second_however_often_it_looks() -> None:
    running = scheduler()
    running.tick()
    with CaptureQueriesContext(connection) as captured:
        for _ in range(20):
            assert running.schedule
    assert len([query for query in captured if "django_celery_beat" in query["sql"]]) <= 1


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
