"""Who may still watch: whoever is not known to may, may not."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from access_app.remembering import Holder
from live import admitting
from live.hub import Hub
from live.rights import AWAY, REVOKED
from relaycore.errors import ChannelUnknown, Disconnected
from relaycore.rights import READ, everywhere
from tests.unit.live.hubs import come

MAY = frozenset({"messages_app.view_message"})


class Authority:
    """Who knows by heart whatever key has not `bad` in it."""

    def __init__(self, says: Callable[[], None]) -> None:
        self._says = says

    def known(self, key: str) -> Holder | None:
        if "bad" in key:
            self._says()
            return None
        return Holder(1, "x", everywhere(READ), MAY, float("inf"))

    async def find(self, key: str) -> Holder | None:
        return None


def says(exc: Exception) -> Callable[[], None]:
    def say() -> None:
        raise exc

    return say


@pytest.fixture(autouse=True)
def private(monkeypatch: pytest.MonkeyPatch) -> None:
    """No channel is public."""

    async def channel(name: str) -> Any:
        raise ChannelUnknown(name)

    monkeypatch.setattr(admitting, "known_channel", channel)


@pytest.mark.parametrize(
    ("say", "reason"),
    [
        (lambda: None, REVOKED),
        (says(Disconnected("away")), AWAY),
        (says(ValueError("nobody expected this")), AWAY),
    ],
)
def test_who_is_not_known_to_may_has_to_go_and_nobody_else(say: Callable[[], None], reason: str) -> None:
    async def play() -> None:
        hub = Hub()
        authority: Any = Authority(say)
        hub.rights.authority = authority
        # More than are asked for at once: those behind the bad ones are looked at all the same.
        viewers = [come(hub, f"{'bad' if number % 120 == 0 else 'key'}-{number}") for number in range(250)]
        await hub.rights.look(viewers)
        assert [viewer.reason for viewer in viewers] == [
            reason if number % 120 == 0 else None for number in range(250)
        ]

    asyncio.run(play())


def test_no_key_is_valid_where_nobody_knows_any() -> None:
    async def play() -> None:
        hub = Hub()
        viewer, terminal = come(hub, "key"), come(hub)
        await hub.rights.look([viewer, terminal])
        assert (viewer.reason, terminal.reason) == (REVOKED, None)

    asyncio.run(play())
