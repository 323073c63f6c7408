"""A sender is killed while many messages go together: what it has written down comes again as it was."""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from relaybase.postgres.encrypting import decrypt
from relaycore.sending.batches.ids import id_of
from relaycore.sending.window import MOST_UNRECORDED
from subscribers_app import registration
from subscribers_app.models import Delivery, Subscription
from tests.integration.pulling.conftest import Client
from tests.integration.sending.endpoints import Came, Endpoints, Place, answers, flaps, is_signed, takes
from tests.integration.sending.flow import Flow, hooked, some_time, topics
from tests.integration.sending.senders import Sender
from webhooks_app.models import EndpointSecret

pytestmark = pytest.mark.django_db(transaction=True)

Hook = Callable[..., Subscription]
KILLS = 4


def rows(came: Came) -> list[dict[str, Any]]:
    return [json.loads(line) for line in came.body.splitlines()]


def said(places: Iterable[Place]) -> set[str]:
    return {row["message"] for place in places for came in list(place.came) for row in rows(came)}


def wrong(came: list[Came]) -> list[str]:
    """What is wrong with it: an id that is not that of its messages, another body under it, no signature."""
    secrets = [decrypt(row.value).decode() for row in EndpointSecret.objects.all()]
    bodies: dict[str, bytes] = {}
    found = []
    for one in came:
        if one.id != id_of(bytes.fromhex(row["id"]) for row in rows(one)):
            found.append(f"{one.id} is of other messages")
        if bodies.setdefault(one.id, one.body) != one.body:
            found.append(f"{one.id} has two bodies")
        if not is_signed(one, secrets):
            found.append(f"{one.id} is not signed")
    return found


def elsewhere(came: list[Came]) -> int:
    """So many messages came in several batches."""
    ids: dict[str, set[str]] = defaultdict(set)
    for one in came:
        for row in rows(one):
            ids[row["id"]].add(one.id)
    return sum(len(found) > 1 for found in ids.values())


def kill_in_batches(
    client: Client, hook: Hook, endpoints: Endpoints, log: Path, wait_until: Any, kills: int
) -> None:
    """While batches are on their way, some to endpoints that fail now and then, and some in order."""
    channels = topics(3)
    own = {"format": "ndjson", "batch_messages": 10, "schedule_seconds": [0, *[1] * 99]}
    readers = hooked(hook, endpoints, channels, 9, **own)
    readers += hooked(hook, endpoints, channels, 3, order="channel", **own)
    for one in readers[::2]:
        one.place.manner = flaps(1.5)
    flow, chance = Flow(client, channels, at_once=6), random.Random(kills)

    def requests() -> int:
        return sum(len(one.place.came) for one in readers)

    with Sender(log) as sender:
        with flow.going_on():
            for _ in range(kills):
                before = requests()
                wait_until(lambda before=before: requests() > before + 60, seconds=40)
                some_time(chance, 0.3)
                sender.kill()
        for one in readers:
            one.place.manner = takes
        published = {one.channel: set(flow.texts[one.channel]) for one in readers}
        wait_until(lambda: all(published[one.channel] <= said([one.place]) for one in readers), seconds=60)
        assert not sender.complaints()
    for one in readers:
        assert not wrong(one.place.came)
        assert elsewhere(one.place.came) <= kills * MOST_UNRECORDED
    assert any(len(rows(came)) > 1 for one in readers for came in one.place.came), "nothing went together"


def test_nothing_is_lost_and_what_comes_beside_others_is_bounded(
    client: Client, writer: Any, hook: Hook, endpoints: Endpoints, tmp_path: Path, wait_until: Any
) -> None:
    kill_in_batches(client, hook, endpoints, tmp_path / "log", wait_until, KILLS)


def killed_with_rows(
    client: Client, hook: Hook, place: Place, log: Path, wait_until: Any, rule: str
) -> tuple[list[Came], list[Came]]:
    """What came before a sender was killed that had written down what failed, and what came after that."""
    (channel,) = topics(1)
    place.manner = answers(500)
    own = {"format": "ndjson", "batch_messages": 10, "schedule_seconds": [0, 3, 1, 1]}
    made = hook(channel, place.url, **own)
    registration.pause(made.name)
    client.publish(channel, *(str(number) for number in range(60)))
    registration.resume(made.name)
    with Sender(log, rule) as sender:
        wait_until(lambda: Delivery.objects.filter(attempt=1).count() == 60, seconds=30)
        sender.kill()
        before = list(place.came)
        place.manner = takes
        # It goes by what is written, and not by how many may go together.
        registration.change(made.name, more={"batch_messages": 7})
        wait_until(lambda: not Delivery.objects.exists(), seconds=30)
        assert not sender.complaints()
    return before, place.came[len(before) :]


def test_what_was_written_down_comes_again_as_it_was(
    client: Client, writer: Any, hook: Hook, place: Place, tmp_path: Path, wait_until: Any
) -> None:
    before, after = killed_with_rows(client, hook, place, tmp_path / "log", wait_until, "careful")
    assert {one.id: one.body for one in after} == {one.id: one.body for one in before}
    assert not wrong([*before, *after])


def test_control_of_which_batch_it_is_is_not_written_down(
    client: Client, writer: Any, hook: Hook, place: Place, tmp_path: Path, wait_until: Any
) -> None:
    before, after = killed_with_rows(client, hook, place, tmp_path / "log", wait_until, "forgetful")
    assert {one.id for one in after}.isdisjoint(one.id for one in before)
    assert not wrong([*before, *after])
