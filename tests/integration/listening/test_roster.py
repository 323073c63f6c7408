"""A listener has each committed change of the channel table, whether anybody tells it or not."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from channels_app.listening.recording.roster import Roster, Unwanted, Wanted
from channels_app.models import Channel
from relaybase.postgres.clock import ClockTimestamp
from relaycore.policy import EVERY
from tests.conftest import InThread

from .world import Wait

pytestmark = pytest.mark.django_db(transaction=True)

Change = Callable[[], object]


def _edit() -> None:
    Channel.objects.filter(channel="orders").update(deduplicate="every", updated_at=ClockTimestamp())


def _add() -> None:
    Channel.objects.create(channel="early")


def _remove() -> None:
    Channel.objects.filter(channel="bills").delete()


def _renew() -> None:
    """Another life of the same name."""
    _remove()
    Channel.objects.create(channel="bills")


@pytest.mark.parametrize("change", [_edit, _add, _remove, _renew])
def test_a_change_that_is_committed_late_is_found_without_a_hint(
    settings: Any, wait_until: Wait, in_thread: InThread, change: Change
) -> None:
    settings.RELAY_LISTENER_REFRESH_SECONDS = 0.2
    Channel.objects.create(channel="orders")
    Channel.objects.create(channel="bills")
    changed, commit = threading.Event(), threading.Event()
    seen: dict[bytes, Wanted] = {}

    def look() -> dict[bytes, Wanted]:
        for news in roster.take():
            if isinstance(news, Unwanted):
                del seen[news.channel]
            else:
                seen[news.channel] = news
        return seen

    def change_slowly() -> None:
        with transaction.atomic():
            change()
            changed.set()
            assert commit.wait(10)

    with Roster(0) as roster:
        wait_until(lambda: set(look()) == {b"orders", b"bills"})
        slow = in_thread(change_slowly)
        assert changed.wait(10)
        # Later statements and ids, and they are seen first.
        Channel.objects.create(channel="late")
        Channel.objects.filter(channel="late").update(updated_at=ClockTimestamp())
        wait_until(lambda: b"late" in look())
        before = dict(seen)
        commit.set()
        slow.result(10)
        wait_until(lambda: look() != before, seconds=1.0, what="found within the refresh")
    rows = Channel.objects.values_list("channel", "life")
    assert {(name.decode(), wanted.row) for name, wanted in seen.items()} == set(rows)
    assert (seen[b"orders"].policy == EVERY) == (change is _edit)
