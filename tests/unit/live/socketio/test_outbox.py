"""What a socket is sent, in which order, and that nothing is taken for one that does not take."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from engineio.exceptions import QueueEmpty
from engineio.packet import CLOSE, MESSAGE, PING, Packet
from hypothesis import given
from hypothesis import strategies as st

from live.socketio.outbox import MOST_SAID, Burst, Outbox, frame
from relaybase.http.websockets import texts


class Viewer:
    """Of the hub, as far as an outbox asks it."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.is_sending = False
        self.rests = 0.0

    def begin_to_send(self, cut: Any) -> None:
        self.is_sending = True

    def end_to_send(self) -> None:
        self.is_sending = False

    def rest_seconds(self) -> float:
        return self.rests


class Seat:
    """A channel of which there is what the test puts in."""

    def __init__(self, *texts: str) -> None:
        self.viewer: Any = Viewer()
        self.texts = list(texts)
        self.asked = 0

    async def take(self) -> bytes | None:
        self.asked += 1
        return frame(self.texts.pop(0)) if self.texts else None


def run(work: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(work, 5)

    asyncio.run(limited())


def written(found: list[Any]) -> list[str]:
    return [one.encode(b64=True) for one in found]


SIZES = [0, 1, 124, 125, 126, 65_534, 65_535, 65_536]
"""Around those where the length of a frame is written otherwise."""


@given(st.lists(st.text(max_size=100) | st.sampled_from(["x" * size for size in SIZES]), max_size=5))
def test_what_stands_in_frames_is_what_was_put_there(some: list[str]) -> None:
    some = [text.encode("utf-8", "replace").decode() for text in some]
    frames = b"".join(map(frame, some))
    assert list(texts(frames)) == ["4" + text for text in some]
    assert Burst(frames).encode(b64=True) == "\x1e".join("4" + text for text in some)
    assert Burst(frames).encode().frames == frames


def test_what_is_said_comes_before_what_is_stored() -> None:
    async def work() -> None:
        outbox = Outbox()
        outbox.seats["a"] = Seat("stored")
        outbox.put_nowait(Packet(PING))
        outbox.put_nowait(Packet(MESSAGE, "3[]"))
        assert written(await outbox.poll()) == ["2", "43[]"]
        assert written(await outbox.poll()) == ["4stored"]

    run(work())


def test_an_answer_that_was_given_while_a_message_was_read_comes_before_it() -> None:
    async def work() -> None:
        outbox = Outbox()

        class Slow(Seat):
            async def take(self) -> bytes | None:
                outbox.put_nowait(Packet(MESSAGE, "31[]"))
                return await super().take()

        outbox.seats["a"] = Slow("stored")
        assert written(await outbox.poll()) == ["431[]", "4stored"]

    run(work())


def test_nothing_is_taken_before_the_last_was_taken_in() -> None:
    async def work() -> None:
        outbox, seat = Outbox(), Seat("one", "two")
        outbox.seats["a"] = seat
        assert written(await outbox.poll()) == ["4one"]
        for _ in range(5):
            outbox.wake()
            await asyncio.sleep(0)
        assert seat.asked == 1
        assert seat.viewer.is_sending
        assert written(await outbox.poll()) == ["4two"]
        waits = asyncio.ensure_future(outbox.poll())
        await asyncio.sleep(0.01)
        assert not seat.viewer.is_sending
        waits.cancel()

    run(work())


def test_waits_until_it_is_woken_and_loses_no_wake() -> None:
    async def work() -> None:
        outbox, seat = Outbox(), Seat()
        outbox.seats["a"] = seat
        waits = asyncio.ensure_future(outbox.poll())
        await asyncio.sleep(0.01)
        assert seat.asked == 1
        seat.texts.append("one")
        outbox.wake()
        assert written(await waits) == ["4one"]

        class Woken(Seat):
            async def take(self) -> bytes | None:
                found = await super().take()
                if found is None:
                    # It comes after it was looked for, and before it is waited for.
                    self.texts.append("late")
                    outbox.wake()
                return found

        outbox.seats["a"] = Woken()
        assert written(await outbox.poll()) == ["4late"]

    run(work())


def test_what_cannot_be_read_now_is_asked_for_again_by_itself() -> None:
    async def work() -> None:
        outbox, seat = Outbox(), Seat()
        seat.viewer.rests = 0.02
        outbox.seats["a"] = seat
        waits = asyncio.ensure_future(outbox.poll())
        await asyncio.sleep(0)
        seat.texts.append("one")
        assert written(await waits) == ["4one"]

    run(work())


def test_a_channel_that_always_has_something_keeps_out_none() -> None:
    async def work() -> None:
        outbox = Outbox()
        outbox.seats |= {"a": Seat(*"123"), "b": Seat(*"xyz")}
        found = [written(await outbox.poll()) for _ in range(6)]
        assert found == [["41"], ["4x"], ["42"], ["4y"], ["43"], ["4z"]]

    run(work())


def test_after_the_end_there_is_nothing() -> None:
    async def work() -> None:
        outbox = Outbox()
        outbox.seats["a"] = Seat("stored")
        outbox.is_websocket = True
        outbox.stop()
        assert written(await outbox.poll()) == ['42["closing",{"reason":"restart"}]', "1"]
        assert await outbox.poll() == []
        assert await outbox.poll() == []
        gone = Outbox()
        waits = asyncio.ensure_future(gone.poll())
        await asyncio.sleep(0)
        gone.put_nowait(None)
        gone.put_nowait(Packet(CLOSE))
        assert written(await waits) == ["1"]

    run(work())


def test_the_end_does_not_stand_beside_anything_in_the_answer_to_a_poll() -> None:
    async def work() -> None:
        outbox = Outbox()
        outbox.stop()
        assert written(await outbox.poll()) == ['42["closing",{"reason":"restart"}]']
        assert await outbox.poll() == []

    run(work())


def test_two_polls_at_once_are_one_too_many() -> None:
    async def work() -> None:
        outbox = Outbox()
        waits = asyncio.ensure_future(outbox.poll())
        await asyncio.sleep(0)
        with pytest.raises(QueueEmpty):
            await outbox.poll()
        waits.cancel()

    run(work())


def test_who_has_to_go_is_told_of_once_it_is_looked_at() -> None:
    async def work() -> None:
        outbox, seat = Outbox(), Seat()
        outbox.seats["a"] = seat
        left: list[str] = []

        async def leave(channel: str, seat: Any) -> None:
            left.append(channel)
            del outbox.seats[channel]
            outbox.put_nowait(Packet(MESSAGE, '2["left"]'))

        outbox.on_leave = leave
        seat.viewer.reason = "revoked"
        assert written(await outbox.poll()) == ['42["left"]']
        assert left == ["a"]

    run(work())


def test_cut_breaks_off_what_is_being_sent_or_ends_the_session() -> None:
    outbox, cut = Outbox(), list[str]()
    outbox.on_cut = lambda: cut.append("session")
    outbox.cut()
    outbox.break_off = lambda: cut.append("connection")
    outbox.cut()
    assert cut == ["session", "connection"]


def test_too_much_that_is_said() -> None:
    outbox = Outbox()
    for _ in range(MOST_SAID):
        outbox.put_nowait(Packet(PING))
    assert not outbox.is_too_much
    outbox.put_nowait(Packet(PING))
    assert outbox.is_too_much


def test_one_that_stays_polled_is_cut_by_who_ends_sessions() -> None:
    outbox, cut = Outbox(), list[str]()
    outbox.is_websocket, outbox.break_off = True, lambda: cut.append("connection")
    outbox.on_cut = lambda: cut.append("session")
    outbox.stay_polled()
    outbox.cut()
    assert (cut, outbox.is_websocket) == (["session"], False)
