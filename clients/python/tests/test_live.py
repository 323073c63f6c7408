"""`client.live`: over any break nothing is missed and nothing doubled, and a close ends it at once."""

import asyncio
import json
import logging
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import accumulate, islice
from typing import Any
from unittest import mock
from urllib.parse import parse_qs

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.python.tests.watched import KEY, URL, Break, WatchedRelay, frame, row, told
from relay_client import (
    AsyncClient,
    Away,
    BadAnswer,
    CaughtUp,
    Client,
    Closed,
    Forbidden,
    Gap,
    Message,
    NotFound,
    RelayError,
    Reset,
    Unauthorized,
    Unavailable,
    backoff,
)
from relay_client.watching.async_live import AsyncLive
from relay_client.watching.trail import Trail
from tests import tls

STORY = [0, 1, 2, 3, "Gap", 4, 5, 6, "Reset", 7, 8, 9, "CaughtUp"]

breaks = st.lists(
    st.builds(
        Break,
        bytes=st.integers(0, 3000),
        piece=st.sampled_from([1, 7, 100, 1 << 20]),
        is_clean=st.booleans(),
        status=st.sampled_from([200] * 6 + [502, 503, 429, 500]),
    ),
    max_size=12,
)
leaving = st.lists(st.integers(1, 5), max_size=6)
"""After how many things a loop is left, and a new one begun."""


@pytest.fixture(autouse=True)
def hurried() -> Iterator[None]:
    with mock.patch.object(backoff, "delay", lambda failures, chance, asked=None: chance / 1000):
        yield


def client_of(relay: Any) -> Client:
    return Client(URL, KEY, transport=httpx2.MockTransport(relay))


def seen_by_a_thread(relay: WatchedRelay, left_after: Sequence[int]) -> list[object]:
    seen: list[object] = []
    with client_of(relay).live("orders") as live:
        for most in accumulate([*left_after, 1 << 20]):
            for happening in live.events():
                if not isinstance(happening, Away):
                    seen.append(told(happening))
                if len(seen) == most:
                    break
    return seen


async def seen_by_a_task(relay: WatchedRelay, left_after: Sequence[int]) -> list[object]:
    seen: list[object] = []
    client = AsyncClient(URL, KEY, transport=httpx2.MockTransport(relay))
    async with client.live("orders") as live:
        for most in accumulate([*left_after, 1 << 20]):
            async for happening in live.events():
                if not isinstance(happening, Away):
                    seen.append(told(happening))
                if len(seen) == most:
                    break
    return seen


@settings(max_examples=150, deadline=None)
@given(breaks, leaving)
def test_a_thread_sees_everything_once_and_in_order(chosen: list[Break], left_after: list[int]) -> None:
    assert seen_by_a_thread(WatchedRelay(10, iter(chosen)), left_after) == STORY


@settings(max_examples=150, deadline=None)
@given(breaks, leaving)
def test_a_task_sees_everything_once_and_in_order(chosen: list[Break], left_after: list[int]) -> None:
    assert asyncio.run(seen_by_a_task(WatchedRelay(10, iter(chosen)), left_after)) == STORY


def test_control_the_place_of_what_only_arrived_would_lose() -> None:
    feed = Trail.feed

    def hasty(trail: Trail, chunk: bytes) -> Iterator[Any]:
        return iter(list(feed(trail, chunk)))

    with mock.patch.object(Trail, "feed", hasty):
        assert seen_by_a_thread(WatchedRelay(10), [2]) == STORY[:2]


def test_control_without_a_place_everything_comes_twice() -> None:
    nowhere = property(lambda trail: "", lambda trail, id: None)
    with mock.patch.object(Trail, "id", nowhere, create=True):
        happenings = client_of(WatchedRelay(10, iter([Break(2000)]))).live("orders").events()
        seen = [told(happening) for happening in islice(happenings, 20)]
    assert seen.count(0) == 2


# --- what is asked -----------------------------------------------------------------------------


def test_it_asks_for_what_is_wanted_and_goes_on_behind_the_last_id() -> None:
    relay = WatchedRelay(10, iter([Break(0, is_clean=True), Break(1500)]))
    begin = datetime(2026, 11, 26, 12, tzinfo=UTC)
    live = client_of(relay).live("a&b", "größe", since=begin, filter={"kind": ["x"]})
    assert [told(message) for message in live] == list(range(10))
    first, second, third, last = relay.requests
    assert first.headers["authorization"] == f"Bearer {KEY}"
    assert first.headers["accept"] == "text/event-stream"
    assert first.headers["accept-encoding"] == "identity"
    assert first.url.path == "/api/v1/live"
    asked = parse_qs(first.url.query.decode())
    assert asked.pop("filter") == [json.dumps({"kind": ["x"]})]
    assert asked == {"channel": ["a&b", "größe"], "since": ["2026-11-26T12:00:00+00:00"]}
    assert "last-event-id" not in first.headers
    assert second.url == first.url, "nothing had come"
    assert "since" not in third.url.params
    assert int(third.headers["last-event-id"]) >= 1
    assert last.headers["last-event-id"] == "15"


def test_the_id_is_kept_for_later() -> None:
    relay = WatchedRelay(10)
    with client_of(relay).live("orders") as live:
        for message in live:
            if message.id == "id-5":
                break
        kept = live.id
    assert [told(message) for message in client_of(relay).live("orders", after=kept)] == [6, 7, 8, 9]


@pytest.mark.parametrize("id", ["a b", "a\nb", "ü", "\0", "a\r\nX-Evil: b", " "])
def test_an_id_that_no_header_carries_is_refused(id: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        client_of(WatchedRelay(0)).live("orders", after=id)


@pytest.mark.parametrize(
    ("channels", "more"),
    [([], {}), (["a"] * 51, {}), (["a"], {"since": datetime(2026, 1, 1)})],
)
def test_what_cannot_be_meant_is_refused(channels: list[str], more: Any) -> None:
    with pytest.raises(ValueError, match=r"channels|zone"):
        client_of(WatchedRelay(0)).live(*channels, **more)


# --- what is told ------------------------------------------------------------------------------


def test_messages_come_and_the_rest_is_told() -> None:
    notices: list[Any] = []
    live = client_of(WatchedRelay(10)).live("orders", told=notices.append)
    assert [message.payload for message in live] == [row(n)["message"].encode() for n in range(10)]
    assert [type(notice) for notice in notices] == [Gap, Reset, CaughtUp]


def test_without_somebody_to_be_told_it_stands_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "relay_client")
    relay = WatchedRelay(10, iter([Break(status=503)] * 3))
    assert len(list(client_of(relay).live("orders"))) == 10
    said = [record.getMessage() for record in caplog.records if record.name == "relay_client"]
    assert len(said) == 3, "one that it is away, one gap, one reset"
    assert all(KEY not in line and "text 1" not in line for line in said)
    assert (
        said[2] == "live: messages are missing that are not stored any more (retention, 2 messages at most)"
    )
    assert said[1] == (
        "live: what was published from 2026-11-26 11:00:00+00:00 to 2026-11-26 11:00:05+00:00 was not heard "
        "(disconnected), at most 3 messages"
    )


def test_who_is_told_and_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fails(_: object) -> None:
        raise RuntimeError

    assert len(list(client_of(WatchedRelay(10)).live("orders", told=fails))) == 10
    assert "who is told of Gap fails" in caplog.text


def test_a_restart_is_nothing_to_tell_and_an_end_at_once_is_told_once() -> None:
    relay = WatchedRelay(4, iter([Break(1000, is_clean=True), *[Break(0, is_clean=True)] * 5]))
    kinds = [type(one).__name__ for one in client_of(relay).live("orders").events()]
    assert kinds.count("Away") == 1
    relay = WatchedRelay(4, iter([Break(500, is_clean=True), Break(700, is_clean=True)]))
    assert not [one for one in client_of(relay).live("orders").events() if isinstance(one, Away)]


def test_it_waits_as_long_as_the_stream_asks() -> None:
    trail = Trail(["a"], after=None, since=None, filter=None)
    with mock.patch.object(backoff, "delay", lambda failures, chance, asked=None: (failures, chance, asked)):
        assert trail.broken(None, 0.5)[0] == (1, 0.5, None)
        trail.begin(answer(200))
        list(trail.feed(b"retry: 2500\n\n"))
        assert trail.broken(None, 0.5)[0] == (2, 0.5, 2.5)
        trail.begin(answer(200))
        assert trail.broken(None, 0.5)[0] == (3, 0.5, 2.5), "it holds for the next stream too"
        unavailable = Unavailable(503, "")
        unavailable.retry_after_seconds = 7.0
        assert trail.broken(unavailable, 0.5)[0] == (4, 0.5, 7.0)
        list(trail.feed(b"id: 1\n\n"))
        assert trail.broken(None, 0.5)[0] == (1, 0.5, 2.5), "something came"


def answer(status: int) -> Any:
    return mock.Mock(status=status, headers={"content-type": "text/event-stream"}, body=b"")


@pytest.mark.parametrize(("status", "error"), [(401, Unauthorized), (403, Forbidden), (404, NotFound)])
def test_what_will_not_pass_is_raised(status: int, error: type[RelayError]) -> None:
    relay = WatchedRelay(10, iter([Break(1200), Break(status=status)]))
    seen: list[object] = []
    with pytest.raises(error):
        seen.extend(map(told, client_of(relay).live("orders")))
    assert seen
    assert seen == list(range(len(seen)))


def test_no_content_is_the_end() -> None:
    relay = WatchedRelay(10, iter([Break(1200), Break(status=204)]))
    seen = [told(message) for message in client_of(relay).live("orders")]
    assert seen == list(range(len(seen)))
    assert len(relay.requests) == 2


@pytest.mark.parametrize(
    "body",
    [
        frame("1", {"no": "row"}),
        frame("1", [1]),
        frame("1", "text", "gap"),
        frame("1", None, "stream-reset"),
        b"data: {\n\n",
        frame("ü", row(0)),
    ],
)
def test_what_is_none_of_relays_is_an_error_and_is_not_asked_for_again(body: bytes) -> None:
    relay = WatchedRelay(0)
    relay.frames = lambda since: iter([frame("0", row(7)), body])  # type: ignore[method-assign]
    seen: list[object] = []
    with pytest.raises(BadAnswer) as caught:
        seen.extend(map(told, client_of(relay).live("orders")))
    assert seen == [7]
    assert len(relay.requests) == 1
    assert "no row" not in str(caught.value)


def test_a_page_of_a_proxy_passes() -> None:
    relay = WatchedRelay(3)
    pages = iter([httpx2.Response(200, text="<html>")])
    live = client_of(lambda request: next(pages, None) or relay(request)).live("orders")
    assert len(list(live)) == 3


# --- closing -----------------------------------------------------------------------------------


@contextmanager
def silent_server(says: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Accepts, says this and nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        kept = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                kept.append(connection)
                connection.recv(65536)
                connection.sendall(says)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for connection in kept:
                connection.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
SAYS = {
    "nothing": b"",
    "headers": HEAD,
    "one message": HEAD + frame("1", row(0)),
    "half a message": HEAD + frame("1", row(0))[:-1],
}


@pytest.mark.parametrize("is_https", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("says", SAYS.values(), ids=SAYS)
def test_a_close_ends_a_thread_that_waits(says: bytes, is_https: bool) -> None:
    context = tls.as_localhost() if is_https else None
    trusting = ssl.create_default_context(cafile=str(tls.AUTHORITY))
    with silent_server(says, context) as port:
        scheme = "https" if is_https else "http"
        live = Client(f"{scheme}://localhost:{port}", KEY, verify=trusting).live("orders")
        closer = threading.Timer(0.3, live.close)
        closer.start()
        began = time.monotonic()
        seen = [type(one) for one in live.events()]
        assert 0.2 < time.monotonic() - began < 5
        assert seen == [Message] * (says == SAYS["one message"])
        closer.join()
        with pytest.raises(Closed):
            next(live.events())


def test_a_close_in_a_signal_handler_ends_the_loop() -> None:
    with silent_server(SAYS["one message"]) as port:
        live = Client(f"http://127.0.0.1:{port}", KEY).live("orders")
        before = signal.signal(signal.SIGALRM, lambda *_: live.close())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            assert len(list(live)) == 1
        finally:
            signal.signal(signal.SIGALRM, before)


def test_a_close_ends_the_rest_between_two_attempts() -> None:
    with mock.patch.object(backoff, "delay", return_value=60.0):
        live = client_of(WatchedRelay(9, iter([Break(0)] * 9))).live("orders")
        happenings = live.events()
        assert isinstance(next(happenings), Away)
        threading.Timer(0.2, live.close).start()
        began = time.monotonic()
        assert list(happenings) == []
        assert time.monotonic() - began < 5


def test_a_connection_that_is_silent_for_too_long_is_opened_anew() -> None:
    with silent_server(SAYS["one message"]) as port:
        live = Client(f"http://127.0.0.1:{port}", KEY).live("orders", silence_seconds=0.2)
        began = time.monotonic()
        happenings = live.events()
        assert [type(next(happenings)) for _ in range(3)] == [Message, Away, Message]
        assert time.monotonic() - began < 5
        live.close()


def test_another_loop_takes_over_from_a_thread_that_waits() -> None:
    with silent_server(SAYS["one message"]) as port:
        live = Client(f"http://127.0.0.1:{port}", KEY).live("orders")
        first = threading.Thread(target=lambda: list(live))
        first.start()
        time.sleep(0.3)
        assert next(iter(live)).id == "id-0"
        first.join(2)
        assert not first.is_alive()
        live.close()


def test_a_child_may_not_read_what_its_parent_made() -> None:
    live = client_of(WatchedRelay(3)).live("orders")
    with mock.patch.object(os, "getpid", return_value=-1), pytest.raises(Closed):
        next(live.events())


@pytest.mark.parametrize("says", SAYS.values(), ids=SAYS)
def test_a_close_ends_a_task_that_waits(says: bytes) -> None:
    async def watch(port: int) -> None:
        async with AsyncClient(f"http://127.0.0.1:{port}", KEY) as client:
            live = client.live("orders")

            async def close() -> None:
                await asyncio.sleep(0.3)
                await live.close()

            closing = asyncio.create_task(close())
            began = time.monotonic()
            assert [type(one) async for one in live.events()] == [Message] * (says == SAYS["one message"])
            assert 0.2 < time.monotonic() - began < 5
            await closing
            with pytest.raises(Closed):
                await anext(live.events())

    with silent_server(says) as port:
        asyncio.run(watch(port))


@pytest.mark.parametrize("steps", range(6))
def test_a_close_ends_a_task_that_has_only_just_begun(steps: int) -> None:
    async def watch(port: int) -> None:
        async with AsyncClient(f"http://127.0.0.1:{port}", KEY) as client:
            live = client.live("orders")

            async def close() -> None:
                for _ in range(steps):
                    await asyncio.sleep(0)
                await live.close()

            async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
                tasks.create_task(_read(live))
                tasks.create_task(close())

    with silent_server(SAYS["one message"]) as port:
        asyncio.run(watch(port))


def test_a_new_loop_ends_one_that_has_only_just_begun() -> None:
    async def watch(port: int) -> None:
        async with AsyncClient(f"http://127.0.0.1:{port}", KEY) as client, client.live("orders") as live:
            async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
                tasks.create_task(_read(live))
                new = tasks.create_task(anext(live.events()))  # type: ignore[arg-type]
                await new

    with silent_server(SAYS["one message"]) as port:
        asyncio.run(watch(port))


async def _read(live: AsyncLive) -> None:
    async for _ in live:
        pass


def test_a_task_that_is_cancelled_leaves_nothing_behind() -> None:
    async def watch(port: int) -> None:
        async with AsyncClient(f"http://127.0.0.1:{port}", KEY) as client, client.live("orders") as live:

            async def read() -> None:
                async for message in live:
                    seen.append(message)

            seen: list[Message] = []
            task = asyncio.create_task(read())
            while not seen:
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.wait({task}, timeout=1)
            assert task.cancelled()
            assert asyncio.all_tasks() == {asyncio.current_task()}

    with silent_server(SAYS["one message"]) as port:
        asyncio.run(watch(port))


def test_a_slow_task_is_not_run_over() -> None:
    """What it does not take stays with Relay: one piece is held, however many there are."""
    taken = []

    class Endless(httpx2.AsyncByteStream):
        async def __aiter__(self) -> Any:
            for number in range(1000):
                taken.append(number)
                yield frame(str(number), row(number))

    headers = {"Content-Type": "text/event-stream"}

    async def watch() -> None:
        transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, stream=Endless()))
        async with AsyncClient(URL, KEY, transport=transport).live("orders") as live:
            async for message in live:
                await asyncio.sleep(0.01)
                if message.id == "id-5":
                    break
        assert len(taken) <= 9

    asyncio.run(watch())
