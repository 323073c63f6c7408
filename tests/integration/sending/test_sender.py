"""A sender claims its shard, lives, and gives it back."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from leases_app.models import Lease
from leases_app.sharding import SENDERS
from webhooks_app.sending import shard as working
from webhooks_app.sending.sender import send

pytestmark = pytest.mark.django_db(transaction=True)

Wait = Callable[..., None]


@pytest.fixture(autouse=True)
def _quick(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RELAY_SENDER_SHARDS = 2
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = 0.1
    monkeypatch.setattr(working, "_STOPPING_LOOK_SECONDS", 0.02)


class Sending:
    """`send` in a thread."""

    def __init__(self, shard: int) -> None:
        self.stop = threading.Event()
        self.came_to: list[bool] = []
        self._shard = shard
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.came_to.append(send(self._shard, self.stop.is_set, "task-1"))
        finally:
            connection.close()

    def end(self) -> bool:
        self.stop.set()
        return self.joined()

    def joined(self) -> bool:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.came_to[0]


@pytest.fixture
def sender() -> Iterator[Sending]:
    sending = Sending(1)
    yield sending
    sending.end()


def lease() -> Lease | None:
    return Lease.objects.live().filter(role=Lease.Role.SENDER).first()


def test_it_holds_the_lease_of_its_shard_until_it_is_asked_to_stop(sender: Sending, wait_until: Wait) -> None:
    wait_until(lambda: lease() is not None, what="it has claimed")
    held = lease()
    assert held is not None
    assert (held.partition, held.task_id) == (1, "task-1")
    assert not send(1, lambda: True), "somebody else sends there"

    assert sender.end()

    assert Lease.objects.get().holder == "", "not released"


def test_it_ends_when_its_term_is_lost(sender: Sending, wait_until: Wait) -> None:
    wait_until(Lease.objects.filter(writes__gt=1).exists, what="a renewal")
    Lease.objects.update(holder="somebody else", epoch=9)

    assert sender.joined()

    assert Lease.objects.get().holder == "somebody else"


def test_what_it_runs_may_send_once_the_term_is_confirmed(
    monkeypatch: pytest.MonkeyPatch, wait_until: Wait
) -> None:
    told: list[bool] = []

    def run(self: working.Shard, stopping: Callable[[], bool], may_send: Callable[[], bool]) -> None:
        told.append(may_send())
        wait_until(may_send, what="a renewal")

    monkeypatch.setattr(working.Shard, "run", run)

    assert send(0, lambda: False)
    assert told == [False], "nothing may begin before the first renewal"


def test_in_the_foreground_it_says_that_the_shard_is_taken(relay_keys: Any) -> None:
    assert SENDERS.claim(1)

    with pytest.raises(CommandError, match="Shard 1 is taken"):
        call_command("send", "--shard", "1")
