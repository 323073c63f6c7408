"""A processor stands still for longer than its lease, and its rule is edited: it wakes and says nothing."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alerts_app import keeping
from alerts_app.models import Rule
from tests.integration.processing.alerts import SETTINGS, Alerts
from tests.integration.processing.processors import Processor
from tests.integration.processing.rain import Rain, all_told, go_on
from tests.integration.pulling.traffic import Threads

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

TRIES = 3


def edit(alerts: Alerts, text: str) -> None:
    """Another text where types differ: so the same is said, in other words."""
    row = Rule.objects.get(pk=alerts.rule.pk)
    settings = {**SETTINGS, "merge": {"type": text}}
    Rule.objects.filter(pk=row.pk).update(settings=settings, revision=row.revision + 1)


def revision_of(alerts: Alerts) -> int:
    """That which is in force."""
    return keeping.frontiers([alerts.rule.uuid.hex])[alerts.rule.uuid.hex].revision


Story = Callable[[str], Rain]


@pytest.fixture
def story(alerts: Alerts, writer: Any, tmp_path: Path, wait_until: Any) -> Story:
    def tell(rule: str) -> Rain:
        rain = Rain(alerts)
        with Processor(tmp_path / "first", rule) as first, Threads([rain.run]):
            wait_until(lambda: len(alerts.events()) > 20, seconds=20)
            with Processor(tmp_path / "second") as second:
                with first.frozen():
                    edit(alerts, "Several")
                    wait_until(lambda: revision_of(alerts) == 2, seconds=20, what="the other one has it")
                    go_on(alerts, wait_until, 50, seconds=20)
                time.sleep(2.0)  # What it would do, it would do at once.
                assert not first.complaints() + second.complaints()
        return rain

    return tell


def test_the_woken_one_appends_nothing(story: Story, alerts: Alerts, tmp_path: Path, wait_until: Any) -> None:
    rain = story("careful")
    with Processor(tmp_path / "last"):
        all_told(alerts, rain, wait_until, edited=True)


def test_control_without_the_fence_it_says_what_was_said_in_other_words(story: Story, alerts: Alerts) -> None:
    for _ in range(TRIES):
        story("unfenced")
        revisions: dict[tuple[str, str], set[str]] = {}
        for one in alerts.events():
            of = one["attributes"]["cause"], one["attributes"]["event"]
            revisions.setdefault(of, set()).add(one["attributes"]["revision"])
        if any(len(found) > 1 for found in revisions.values()):
            return
    pytest.fail("nothing was said twice")
