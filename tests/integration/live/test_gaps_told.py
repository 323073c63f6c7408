"""What was not heard is told to who watches, as it is recorded, and to who was away."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from channels_app import registration
from channels_app.models import Gap
from tests.integration.live.watching import Watcher, address
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)


def test_gaps_are_told_as_they_are_recorded_and_to_who_was_away(
    client: Client, channel: str, wait_until: Any
) -> None:
    def gap(**fields: Any) -> Gap:
        return Gap.objects.create(partition=0, channel=channel, cause="no listener", **fields)

    now = timezone.now()
    with Watcher(client.url, client.key, address(channel)) as one:
        wait_until(lambda: one.told("caught-up"))
        first = gap(began_at=now)
        wait_until(lambda: told(one, first))
        assert told(one, first)[0]["to"] is None
        first.ended_at = timezone.now()
        first.missed_at_most = 7
        first.save()
        wait_until(lambda: len(told(one, first)) == 2)
        assert told(one, first)[1]["missed_at_most"] == 7
    second = gap(began_at=now, ended_at=now)
    time.sleep(5)
    two = Watcher(client.url, client.key, address(channel), last_id=one.last_id)
    two.watch(lambda event: event.event == "caught-up")
    assert told(two, second)


def test_gaps_are_told_of_a_channel_that_is_listened_to_by_then_or_was(
    serve: Callable[..., str], client: Client, channel: str, wait_until: Any
) -> None:
    def gap() -> Gap:
        now = timezone.now()
        return Gap.objects.create(partition=0, cause="no listener", began_at=now, ended_at=now)

    with Watcher(client.url, client.key, address(channel)) as one:
        wait_until(lambda: one.told("caught-up"))
        unheard = gap()  # Nobody listens to it: the fixture says so.
        time.sleep(5)
        assert not told(one, unheard)
        registration.change(channel, listen=True)
        heard = gap()
        wait_until(lambda: told(one, heard))
        last_id = one.last_id
    away = gap()
    registration.change(channel, listen=False)
    later = gap()
    # A process that had not followed it before.
    two = Watcher(serve(), client.key, address(channel), last_id=last_id)
    two.watch(lambda event: event.event == "caught-up")
    assert told(two, away)
    assert not told(two, later)


def told(watcher: Watcher, gap: Gap) -> list[Any]:
    return [said for said in watcher.told("gap") if said["id"] == gap.pk]
