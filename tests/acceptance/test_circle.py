"""A rule whose ends are posted as alerts, by a webhook of Relay's own, of which it tells again: that ends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from relaycore.outbound import hops
from tests.acceptance.stack import Stack

# What is told of this key is an alert that `/api/alerts` takes.
ALERT: Final = {
    "location": "Harbour",
    "type": "Flood",
    "timestamp": "2026-11-21T12:00:00Z",
    "duration": 5,
}
SETTINGS: Final = {"key": [*ALERT], "count": 1, "seconds": 0.3}


@pytest.fixture(scope="module")
def circling(room: Path) -> Iterator[Stack]:
    """Only ends are passed on: what is told at once has the number of what has come in."""
    stack = Stack(room / "circle", RELAY_ALERTS="open", RELAY_WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8")
    stack.start()
    try:
        ask(stack, "channels", channel="again", listen=False)
        rule = {"name": "again", "channel": "alerts", "to": "again", "kind": "threshold"}
        ask(stack, "rules", **rule, settings=SETTINGS, start="latest")
        url = f"{stack.info['web']}/api/alerts"
        ask(stack, "endpoints", name="again", url=url, confirmation="vouched")
        passed_on = {"name": "again", "channel": "again", "kind": "webhook", "endpoint": "again"}
        more = {
            "filter": {"eventType": ["close"]},
            "schedule_seconds": [0],
            "format": "raw",
            "start": "latest",
        }
        ask(stack, "subscriptions", **passed_on, **more)
        yield stack
    finally:
        stack.stop()


def ask(stack: Stack, path: str, **said: Any) -> Any:
    answer = stack.http.post(f"/api/v1/{path}", json=said)
    assert answer.is_success, answer.text
    return answer.json()


def test_a_circle_of_ends_ends_after_so_many_turns(circling: Stack, wait_until: Callable[..., None]) -> None:
    circling.http.post("/api/alerts", json=ALERT).raise_for_status()

    def came() -> list[int]:
        rows = circling.http.get("/api/v1/messages", params={"channel": "alerts"}).json()["results"]
        return sorted(hops.of(row["attributes"] or {}) for row in rows)

    def answers() -> list[int]:
        found = circling.http.get("/api/v1/subscriptions/again/attempts").json()["results"]
        return [one["status"] for one in found]

    wait_until(lambda: 508 in answers(), seconds=90, what="a turn is refused")
    assert came() == list(range(hops.MOST + 1))
    assert sorted(answers()) == [200] * hops.MOST + [508]
