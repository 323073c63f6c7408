"""What a channel is, remembered beside a real PostgreSQL: what changes is noticed within a second."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from channels_app import registration
from channels_app.models import Channel, ChannelsMark
from channels_app.remembering import KnownChannel, RememberedChannels
from relaybase.postgres.remembering import HOLD_SECONDS, LOOK_SECONDS
from relaycore.errors import Disconnected
from relaycore.policy import CONTENT, EVERY, Policy
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

Wait = Callable[..., None]

SOON = 1.0


@pytest.fixture
def ahead() -> list[float]:
    """By how much the monotonic clock has been set forward."""
    return [0.0]


@pytest.fixture
def remembered(ahead: list[float]) -> Iterator[RememberedChannels]:
    made = RememberedChannels(lambda: time.monotonic() + ahead[0])
    yield made
    made.close()


def find(remembered: RememberedChannels, name: str) -> KnownChannel | None:
    return asyncio.run(remembered.find(name))


def mark() -> object:
    return ChannelsMark.objects.values_list("mark", flat=True).first()


def _row(name: str = "orders", **fields: Any) -> Channel:
    channel = Channel(channel=name, **fields)
    channel.save()
    return channel


def test_a_channel_is_looked_up_once_and_known_from_then_on(remembered: RememberedChannels) -> None:
    row = _row(deduplicate={"field": "id"}, listen=False, republish=False)
    assert remembered.known("orders") is None

    found = find(remembered, "orders")

    assert found == KnownChannel(row.pk, "orders", 0, Policy("field", "id"), listen=False, republish=False)
    assert remembered.known("orders") is found


def test_a_row_of_before_is_listened_to_and_republished() -> None:
    """As what does not know of these columns yet inserts it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO channels (channel, partition, subscription_status, refusal, deduplicate) "
            "VALUES ('orders', 0, 'INACTIVE', '', '\"content\"')"
        )
    channel = Channel.objects.get()
    assert (channel.listen, channel.republish, channel.public) == (True, True, False)


def test_nothing_is_remembered_of_what_is_not_there(remembered: RememberedChannels) -> None:
    assert find(remembered, "orders") is None
    registration.start("orders")

    assert find(remembered, "orders") is not None


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 256])
def test_a_name_that_postgresql_cannot_be_asked_for_fails_nobody(
    remembered: RememberedChannels, name: str
) -> None:
    _row()

    async def both() -> Any:
        return await asyncio.gather(remembered.find(name), remembered.find("orders"))

    none, found = asyncio.run(both())
    assert none is None
    assert found.channel == "orders"


def _by_sql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("""UPDATE channels SET deduplicate = '"every"'""")


CHANGES: list[tuple[Callable[[], object], Callable[[KnownChannel], bool]]] = [
    (lambda: registration.change("orders", EVERY), lambda known: known.policy == EVERY),
    (_by_sql, lambda known: known.policy == EVERY),
    (lambda: Channel.objects.update(listen=False), lambda known: not known.listen),
    (lambda: Channel.objects.update(republish=False), lambda known: not known.republish),
    (lambda: Channel.objects.update(partition=7), lambda known: known.partition == 7),
]


@pytest.mark.parametrize(("change", "is_seen"), CHANGES)
def test_a_change_counts_within_a_second(
    remembered: RememberedChannels, change: Any, is_seen: Any, wait_until: Wait
) -> None:
    _row()
    first = find(remembered, "orders")
    assert first is not None
    assert not is_seen(first)
    change()

    wait_until(lambda: is_seen(remembered.known("orders") or first), SOON)


def _truncate() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE channels CASCADE")


@pytest.mark.parametrize("end", [lambda: registration.stop("orders"), _truncate])
def test_a_channel_that_is_gone_is_unknown_within_a_second(
    remembered: RememberedChannels, end: Callable[[], object], wait_until: Wait
) -> None:
    _row()
    assert find(remembered, "orders") is not None
    end()

    wait_until(lambda: remembered.known("orders") is None, SOON)
    assert find(remembered, "orders") is None


def test_what_listeners_find_out_changes_no_mark() -> None:
    _row()
    registration.change("orders", EVERY)
    before = mark()
    assert before is not None
    Channel.objects.update(subscription_status="ACTIVE", refusal="no", updated_at="2026-01-01T00:00:00Z")
    _row("bills")
    assert mark() == before


def test_a_policy_that_is_none_keeps_nobody_from_publishing(remembered: RememberedChannels) -> None:
    _row("broken", deduplicate="nonsense")
    found = find(remembered, "broken")
    assert found is not None
    assert found.policy == CONTENT


def test_without_postgresql_what_is_remembered_holds_for_half_a_minute(
    postgres_proxy: Proxy, remembered: RememberedChannels, ahead: list[float], wait_until: Wait
) -> None:
    _row()
    assert find(remembered, "orders") is not None
    with postgres_proxy.refusing():
        assert postgres_proxy.reset_all() == 1
        with pytest.raises(Disconnected, match="PostgreSQL does not answer"):
            find(remembered, "bills")
        ahead[0] = HOLD_SECONDS - 5
        assert remembered.known("orders") is not None
        ahead[0] = HOLD_SECONDS + 1
        with pytest.raises(Disconnected, match="PostgreSQL does not answer"):
            remembered.known("orders")
    time.sleep(LOOK_SECONDS)
    wait_until(lambda: _is_back(remembered), 20)


def _is_back(remembered: RememberedChannels) -> bool:
    with contextlib.suppress(Disconnected):
        return remembered.known("orders") is not None
    return False
