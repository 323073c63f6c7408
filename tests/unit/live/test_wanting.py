"""Whatever filters somebody has, and whatever messages: what others are sent does not wait for them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest

from live import wanting
from live.hub import Hub
from live.socketio.outbox import Outbox, frame
from live.viewer import SEND_BYTES, Shown, Viewer
from live.wanting import INLINE_BYTES, PORTION_BYTES, Wants
from relaycore.live.ring import Entry
from tests.unit.live.hubs import come

WORST = Wants({"$or": [{"a": [{"cidr": f"::{number:x}/128"}]} for number in range(150)]}, "body")
"""Of all that the grammar allows, as far as was found: half a second for what is below."""

HOSTILE = '{"a": [' + ", ".join(f'"b::{number:x}"' for number in range(6000)) + "]}"


def entries(messages: Iterable[str]) -> list[Entry]:
    return [
        Entry({"channel": "c", "position": f"{number:013}-0000000000-00000", "message": message})
        for number, message in enumerate(messages, 1)
    ]


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await work()

    asyncio.run(limited())


class Watched(Wants):
    """Says in which threads it looks, and looks no further until it may."""

    def __init__(self, number: int = 0) -> None:
        super().__init__({"a": [number]}, "body")
        self.threads: list[int] = []
        self.may = threading.Event()
        self.may.set()

    def _matches(self, entry: Entry) -> bool:
        self.threads.append(threading.get_ident())
        self.may.wait(20)
        return super()._matches(entry)


def test_others_are_shown_what_comes_while_the_worst_filter_looks_at_the_worst_message() -> None:
    async def work() -> None:
        assert len(HOSTILE) <= 64 << 10
        slow = asyncio.create_task(WORST.of(entries([HOSTILE]), "token:1"))
        await asyncio.sleep(0)
        other = Wants({"a": [1]}, "body")
        for _ in range(5):
            assert await other.of(entries(['{"a": 1}', '{"a": 2}']), "token:2") == [True, False]
            await asyncio.sleep(0)
        assert not slow.done()
        assert await slow == [False]

    run(work)


def test_small_messages_are_looked_at_at_once_and_large_ones_in_a_thread() -> None:
    async def work() -> None:
        here = threading.get_ident()
        wants, large = Watched(1), '{"a": 1, "b": "' + "x" * INLINE_BYTES + '"}'
        found = await wants.of(entries(['{"a": 1}', '{"a": 2}', large, '{"a": 1}']), "token:1")
        assert found == [True, False, True, True]
        assert [thread == here for thread in wants.threads[:3]] == [True, True, False]

    run(work)


def test_the_dearer_a_filter_is_the_less_is_looked_at_in_the_event_loop() -> None:
    cheap, dear = Wants({"a": ["b"]}, "body"), Wants({"a": [{"wildcard": "*b*c"}] * 30}, "body")
    assert cheap._most_bytes == INLINE_BYTES
    assert dear._most_bytes < INLINE_BYTES // 8


def test_the_event_loop_looks_at_messages_for_a_share_of_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanting, "BURST_SECONDS", 0.001)
    monkeypatch.setattr(wanting, "SHARE", 0.0)

    async def work() -> None:
        wants = Watched(1)
        assert await wants.of(entries(['{"a": 1}'] * 5000), "token:1") == [True] * 5000
        count = wants.threads.count(threading.get_ident())
        assert 0 < count < 5000

    run(work)


def test_who_has_several_costly_filters_keeps_no_thread_from_others() -> None:
    async def work() -> None:
        costly = [Watched(number) for number in range(4)]
        for wants in costly:
            wants.may.clear()
        large = '{"a": 1, "b": "' + "x" * INLINE_BYTES + '"}'
        waits = [asyncio.create_task(wants.of(entries([large]), "token:1")) for wants in costly]
        while not any(wants.threads for wants in costly):
            await asyncio.sleep(0.001)
        assert await Watched(1).of(entries([large]), "token:2") == [True]
        assert sum(len(wants.threads) for wants in costly) == 1
        for wants in costly:
            wants.may.set()
        assert await asyncio.gather(*waits) == [[False], [True], [False], [False]]

    run(work)


def test_all_who_have_the_same_filter_have_a_message_looked_at_once() -> None:
    async def work() -> None:
        wants, large = Watched(1), '{"a": 1, "b": "' + "x" * INLINE_BYTES + '"}'
        shared = entries([large] * 12)
        assert sum(map(len, [large] * 12)) > 2 * PORTION_BYTES
        assert await asyncio.gather(*(wants.of(shared, "token:1") for _ in range(50))) == [[True] * 12] * 50
        assert len(wants.threads) == 12

    run(work)


def test_another_filter_holds_from_where_its_client_stands_also_while_it_is_looked_at_by_the_first() -> None:
    async def work() -> None:
        hub = Hub()
        viewer, wants = come(hub), Watched(2)
        wants.may.clear()
        viewer.want(wants)
        walk = viewer.owed.walks[0]
        ring = walk.rings["c"]
        ring.append([one.document for one in entries([f'{{"a": 1, "b": "{"x" * INLINE_BYTES}"}}'])])
        taking = asyncio.create_task(viewer.take())
        while not wants.threads:
            await asyncio.sleep(0.001)
        viewer.want(Wants({"a": [1]}, "body"))
        wants.may.set()
        while not isinstance(shown := await taking, Shown):
            taking = asyncio.create_task(viewer.take())
        assert [entry.document["message"][:7] for entry in shown.entries] == ['{"a": 1']
        viewer.close()

    run(work)


class _Seat:
    """Of a socket: what is shown, in short."""

    def __init__(self, viewer: Viewer) -> None:
        self.viewer = viewer

    async def take(self) -> bytes | None:
        found = await self.viewer.take()
        return frame(found.id) if isinstance(found, Shown) else None


def test_a_socket_is_shown_the_last_of_a_long_history_of_which_its_filter_takes_nothing_else() -> None:
    async def work() -> None:
        viewer, outbox = come(Hub()), Outbox()
        viewer.want(Wants({"a": [20]}, "body"))
        padding = "x" * (SEND_BYTES // 4)
        history = entries(f'{{"a": {number}, "b": "{padding}"}}' for number in range(21))
        viewer.owed.walks[0].rings["c"].append([one.document for one in history])
        outbox.seats["c"] = _Seat(viewer)
        viewer.on_wake = outbox.wake
        (shown,) = await outbox.poll()  # Nothing more is stored, so nobody wakes it.
        assert history[-1].position in shown.encode(b64=True)
        viewer.close()

    run(work)
