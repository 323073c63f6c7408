"""Another archive in place of the one that was: everybody is sent away, and whoever is just coming too."""

import asyncio
from typing import Any

import pytest

from live import archive
from live.archive import Standing
from live.hub import ARCHIVE, Hub, Wanted
from live.tails import Tail, Topic
from relaycore.live.ring import Ring
from relaycore.position import START
from tests.unit.live.hubs import EPOCH, come


def test_who_comes_while_the_archive_becomes_another_one_is_sent_away_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stands = [Standing(EPOCH, 1)]
    monkeypatch.setattr(archive, "standing", lambda: stands[-1])

    async def play() -> None:
        hub = Hub()
        goes_on = asyncio.Event()

        async def topic(tail: Tail, channel: str) -> Topic:
            await goes_on.wait()
            feed: Any = None
            return tail._topics.setdefault(channel, Topic(channel, Ring(channel, START, 1 << 20), feed))

        async def nothing() -> None:
            return

        monkeypatch.setattr(Tail, "topic", topic)
        monkeypatch.setattr(hub.gaps, "require", nothing)
        opening = asyncio.create_task(hub.open(Wanted(("c",), "token:1")))
        while hub._standing is None:
            await asyncio.sleep(0.001)
        here = come(hub)
        stands.append(Standing("1" * 12, 1))
        await hub._ask()
        goes_on.set()
        comes = await opening
        assert (here.reason, comes.reason) == (ARCHIVE, ARCHIVE)
        again = await hub.open(Wanted(("c",), "token:1"))
        assert again.reason is None
        assert again.owed.id.startswith("1" * 12)

    asyncio.run(play())
