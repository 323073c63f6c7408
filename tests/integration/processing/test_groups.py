"""Alerts that senders repeat, a group rule, one processor after another, and silences meanwhile."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from alerts_app import registration
from alerts_app.models import Rule
from alerts_app.receiving import posting, telling
from alerts_app.receiving.channel import CHANNEL, make_channel
from alerts_app.silencing import registration as silencing
from relaycore.alerting.labelled import matchers
from relaycore.alerting.labelled.labels import fingerprint
from relaycore.alerting.labelled.posted import Alert
from relaycore.alerting.labelled.silences import Silence
from relaycore.delivering.beginning import Start
from relaycore.position import START
from tests.integration.alertmanager.appending import appending
from tests.loops import Loop

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

Wait = Callable[..., None]

_SETTINGS = {"group_by": ["alertname"], "group_wait_seconds": 1, "group_interval_seconds": 1}


class Pages:
    """A rule that tells of everything, and whoever posts."""

    def __init__(self, archive: Any, publish: telling.Publish) -> None:
        self._archive, self._publish = archive, publish
        make_channel()
        self.rule = registration.create("pages", CHANNEL, "pages", Rule.Kind.GROUP, _SETTINGS, Start(START))

    def post(self, name: str, host: str, *, fires: bool = True) -> None:
        """It fires, or does no longer."""
        labels, at = {"alertname": name, "host": host}, silencing.now()
        ends = at + 3_600_000 if fires else at
        posting.take([Alert(fingerprint(labels), labels, {}, "", at - 10, ends, is_timed_out=False)])
        telling.tell(self._publish)

    def revision_in_force(self) -> int:
        """Of the settings, where the rule has come to."""
        found = self._archive.database["rule_frontiers"].find_one({"rule": self.rule.uuid.hex})
        return 0 if found is None else int(found["revision"])

    def notices(self) -> list[tuple[str, str]]:
        """Why, and of what."""
        found = [
            json.loads(one["message"]) for one in self._archive.find({"channel": "pages"}).sort("position")
        ]
        return [
            (
                one["notification_reason"],
                " ".join(sorted(f"{alert['status']}:{alert['labels']['host']}" for alert in one["alerts"])),
            )
            for one in found
        ]


@pytest.fixture
def pages(
    db: None, relay_keys: Any, archive: Any, writer: Loop, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Pages]:
    with appending(monkeypatch) as publish:
        yield Pages(archive, publish)


def test_a_group_is_told_silenced_told_again_and_over(
    pages: Pages, run: Callable[..., Loop], wait_until: Wait
) -> None:
    processor = run()
    pages.post("Slow", "a")
    wait_until(lambda: pages.notices() == [("first notification", "firing:a")], 20)

    at = silencing.now()
    matcher = matchers.parse("host=b")
    silence = silencing.put(Silence("", (matcher,), 0, at + 3_600_000), "me", "known")
    wait_until(lambda: pages.revision_in_force() == 2, 20)
    pages.post("Slow", "b")
    time.sleep(3)
    assert len(pages.notices()) == 1

    # Whoever comes next knows what is held back.
    processor.stop()
    silencing.expire(str(silence.id))
    run()
    wait_until(lambda: len(pages.notices()) == 2, 20)
    assert pages.notices()[1] == ("some alerts unmuted", "firing:a firing:b")

    pages.post("Slow", "a", fires=False)
    pages.post("Slow", "b", fires=False)
    wait_until(lambda: pages.notices()[-1][0] == "all alerts resolved", 20)
    told = pages.notices()[2:]
    assert " ".join(alerts for _, alerts in told).count("resolved:") == 2
    (marked,) = pages._archive.find({"channel": "pages", "attributes.silence-ended": {"$exists": True}})
    assert marked["attributes"]["silence-ended"] == str(silence.id)


def test_what_fired_while_nobody_ran_is_told_once(
    pages: Pages, run: Callable[..., Loop], wait_until: Wait
) -> None:
    for host in "abc":
        pages.post("Slow", host)
    run().stop()
    run().stop()
    run()
    wait_until(pages.notices, 20)
    time.sleep(2)
    assert pages.notices() == [("first notification", "firing:a firing:b firing:c")]
