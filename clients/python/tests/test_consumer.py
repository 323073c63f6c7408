"""Consumers, whole, with their threads and their tasks, against a played Relay."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import httpx2
import pytest

from clients.python.tests.handing import NAME, PlayedRelay, number_of, position_of
from clients.python.tests.relay import KEY, URL, Step, cut_off, refused_connection, saying
from relay_client import (
    AsyncConsumer,
    Closed,
    Consumer,
    Forbidden,
    Lost,
    Moved,
    Pace,
    RelayError,
    Skipped,
    Taken,
    TimedOut,
)
from relaycore.delivering.leasing import State

QUICK = Pace(page_messages=4, wait_seconds=0.3, settle_messages=3, settle_seconds=0.05, closing_seconds=5)
MODES = ("cursor", "lease")
SOURCE = Path(__file__).parents[1] / "src"


class Network:
    """Between a consumer and a played Relay. Each request meets the next of `steps`."""

    def __init__(self, mode: str, count: int = 0, steps: Iterable[Step] = (), **more: Any) -> None:
        self.relay = PlayedRelay(mode, time.monotonic, count=count, **more)
        self.steps = iter(steps)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if (step := next(self.steps, None)) is not None:
            return step(request)
        until = time.monotonic() + self.patience(request)
        while time.monotonic() < until and not self.relay.has_some():
            time.sleep(0.01)
        return self.relay.respond(request)

    async def later(self, request: httpx2.Request) -> httpx2.Response:
        if (step := next(self.steps, None)) is not None:
            return step(request)
        until = time.monotonic() + self.patience(request)
        while time.monotonic() < until and not self.relay.has_some():
            await asyncio.sleep(0.01)
        return self.relay.respond(request)

    @staticmethod
    def patience(request: httpx2.Request) -> float:
        return 0.3 if request.url.path.endswith("/fetch") else 0.0

    def then_cut_off(self, request: httpx2.Request) -> httpx2.Response:
        self.relay.respond(request)
        raise httpx2.ReadError("cut off", request=request)

    def consumer(self, **more: Any) -> Consumer:
        return Consumer(URL, KEY, NAME, transport=httpx2.MockTransport(self), **({"pace": QUICK} | more))

    def async_consumer(self, **more: Any) -> AsyncConsumer:
        given = {"pace": QUICK, "transport": httpx2.MockTransport(self.later)} | more
        return AsyncConsumer(URL, KEY, NAME, **given)


def wait_until(holds: Callable[[], Any]) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until, "it never comes to hold"
        time.sleep(0.01)


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(limited())


def work(consumer: Consumer, count: int) -> list[str]:
    """Finish so many messages; then stop."""
    texts = []
    for message in consumer:
        with message:
            texts.append(message.text)
        if len(texts) == count:
            consumer.stop()
    return texts


async def work_async(consumer: AsyncConsumer, count: int) -> list[str]:
    texts = []
    async for message in consumer:
        with message:
            texts.append(message.text)
        if len(texts) == count:
            consumer.stop()
    return texts


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_messages_come_and_are_told_to_be_done(mode: str) -> None:
    network = Network(mode, 25)
    with network.consumer() as consumer:
        assert work(consumer, 25) == [f"text {number}" for number in range(25)]
    assert sorted(network.relay.done) == list(range(25))


@pytest.mark.parametrize("mode", MODES)
def test_messages_come_with_asyncio(mode: str) -> None:
    network = Network(mode, 25)

    async def test() -> None:
        async with network.async_consumer() as consumer:
            assert await work_async(consumer, 25) == [f"text {number}" for number in range(25)]

    run(test)
    assert sorted(network.relay.done) == list(range(25))


def test_what_is_published_later_comes() -> None:
    network = Network("lease")
    with network.consumer() as consumer:
        threading.Timer(0.5, lambda: setattr(network.relay, "count", 1)).start()
        assert work(consumer, 1) == ["text 0"]


def test_a_message_says_what_it_is_and_not_in_its_repr() -> None:
    with Network("lease", 1).consumer() as consumer:
        taken = consumer.take(5)
        assert taken is not None
        assert (taken.payload, taken.text, taken.channel, taken.attempt) == (b"text 0", "text 0", "orders", 1)
        assert (taken.id, taken.position, taken.attributes) == ("0" * 24, position_of(0), {})
        assert "text" not in repr(taken) + repr(taken._held) + repr(consumer)
        assert KEY not in repr(consumer)
        assert not taken.is_lost
        with pytest.raises(ValueError, match="negative"):
            taken.nack(-1)
        taken.ack()


def test_cursor_asking_for_the_next_says_that_this_one_is_done_and_leaving_the_loop_does_not() -> None:
    network = Network("cursor", 3)
    with network.consumer() as consumer:
        for message in consumer:
            if message.text == "text 1":
                break
    assert network.relay.done == [0]


def test_lease_what_is_not_acked_is_not_done() -> None:
    network = Network("lease", 3)
    with network.consumer() as consumer:
        for number, message in enumerate(consumer):
            if number == 1:
                message.ack()
            if number == 2:
                break
    assert network.relay.done == [1]


@pytest.mark.parametrize("mode", MODES)
def test_what_raises_is_given_back_and_comes_again(mode: str) -> None:
    network, seen = Network(mode, 1), []
    with network.consumer() as consumer:
        for message in consumer:
            seen.append(message.text)
            try:
                with message:
                    if len(seen) == 1:
                        raise KeyError(message.text)
            except KeyError:
                assert network.relay.done == []
            else:
                consumer.stop()
    assert seen == ["text 0"] * 2
    assert network.relay.done == [0]


@pytest.mark.parametrize("mode", MODES)
def test_what_raises_through_everything_is_not_done(mode: str) -> None:
    network = Network(mode, 3)

    def fail() -> None:
        with network.consumer() as consumer:
            for message in consumer:
                with message:
                    if message.text == "text 1":
                        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert network.relay.done == [0]


@pytest.mark.parametrize("mode", MODES)
def test_threads_may_share_it(mode: str) -> None:
    network, texts = Network(mode, 60), []

    def one(consumer: Consumer) -> None:
        for message in consumer:
            time.sleep(0.002)
            texts.append(message.text)
            if mode == "lease":
                message.ack()
            if len(texts) >= 60:
                consumer.stop()

    with network.consumer() as consumer:
        threads = [threading.Thread(target=one, args=[consumer]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(texts, key=lambda text: int(text[5:])) == [f"text {number}" for number in range(60)]
    assert sorted(network.relay.done) == list(range(60))


@pytest.mark.parametrize("mode", MODES)
def test_tasks_may_share_it(mode: str) -> None:
    network, texts = Network(mode, 60), []

    async def one(consumer: AsyncConsumer) -> None:
        async for message in consumer:
            await asyncio.sleep(0.002)
            texts.append(message.text)
            if mode == "lease":
                message.ack()
            if len(texts) >= 60:
                consumer.stop()

    async def test() -> None:
        async with network.async_consumer() as consumer:
            await asyncio.gather(*[one(consumer) for _ in range(4)])

    run(test)
    assert len(texts) == len(set(texts)) == 60
    assert sorted(network.relay.done) == list(range(60))


# --- faults ---------------------------------------------------------------------------------------

FAULTS = [saying(503, Retry_After="0"), cut_off, refused_connection, saying(429, Retry_After="0"), None]


@pytest.mark.parametrize("mode", MODES)
def test_it_comes_back_whatever_relay_and_the_network_do(mode: str) -> None:
    network = Network(mode, 12, FAULTS * 4, deadline_seconds=1.0)
    with network.consumer(told=lambda notice: None) as consumer:
        seen = set(work_off(consumer, 12))
    assert seen == {f"text {number}" for number in range(12)}
    assert sorted(network.relay.done) == list(range(12))


def work_off(consumer: Consumer, distinct: int) -> Iterable[str]:
    seen = set()
    for message in consumer:
        with message:
            seen.add(message.text)
        yield message.text
        if len(seen) == distinct:
            consumer.stop()


@pytest.mark.parametrize("mode", MODES)
def test_it_comes_back_with_asyncio(mode: str) -> None:
    network, seen = Network(mode, 12, FAULTS * 4, deadline_seconds=1.0), set()

    async def test() -> None:
        async with network.async_consumer(told=lambda notice: None) as consumer:
            async for message in consumer:
                with message:
                    seen.add(message.text)
                if len(seen) == 12:
                    consumer.stop()

    run(test)
    assert sorted(network.relay.done) == list(range(12))


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_that_is_lost_at_the_end_is_no_loss(mode: str) -> None:
    network = Network(mode, 1)
    with network.consumer(told=lambda notice: None) as consumer:
        taken = consumer.take(5)
        assert taken is not None
        network.steps = iter([network.then_cut_off, network.then_cut_off])
        taken.ack()
    assert network.relay.done == [0]


def test_what_will_not_pass_is_raised() -> None:
    network = Network("lease", 1, [saying(403)])
    with network.consumer() as consumer, pytest.raises(Forbidden):
        next(iter(consumer))

    async def test() -> None:
        network.steps = iter([saying(403)])
        async with network.async_consumer() as consumer:
            with pytest.raises(Forbidden):
                await consumer.take()

    run(test)


# --- long work ------------------------------------------------------------------------------------


def test_lease_long_work_is_extended() -> None:
    network = Network("lease", 1, deadline_seconds=1.0)
    with network.consumer() as consumer:
        for message in consumer:
            with message:
                time.sleep(3.5)
            consumer.stop()
    assert network.relay.done == [0]
    assert len(network.relay.bodies("extend")) >= 3
    assert network.relay.verbs().count("ack") == 1


def test_lease_long_work_is_extended_with_asyncio() -> None:
    network = Network("lease", 1, deadline_seconds=1.0)

    async def test() -> None:
        async with network.async_consumer() as consumer:
            async for message in consumer:
                with message:
                    await asyncio.sleep(3.5)
                consumer.stop()

    run(test)
    assert network.relay.done == [0]
    assert len(network.relay.bodies("extend")) >= 3


def test_lease_that_is_lost_it_is_told() -> None:
    network, told = Network("lease", 1, deadline_seconds=1.0), []
    with network.consumer(told=told.append) as consumer:
        taken = consumer.take(5)
        assert taken is not None
        network.relay.rows.clear()
        wait_until(lambda: taken.is_lost)
        taken.ack()
    assert [type(one) for one in told] == [Lost]
    assert network.relay.done == []


# --- what it tells --------------------------------------------------------------------------------


def test_a_moved_cursor_and_what_was_skipped_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    network = Network("cursor", 10)
    network.relay.skipped = {"from": position_of(0), "to": position_of(1), "count": 1}
    with network.consumer() as consumer:
        for message in consumer:
            if message.text == "text 1":
                network.relay.seek(5)
            if message.text == "text 9":
                consumer.stop()
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("at most 1 messages" in one for one in said)
    assert any("cursor was moved" in one for one in said)
    assert not [one for one in said if "text " in one or KEY in one]


def test_a_callback_is_called_instead_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    network, told = Network("cursor", 2), []
    network.relay.skipped = {"from": position_of(0), "to": position_of(1), "count": 1}

    def fail(notice: object) -> None:
        told.append(notice)
        raise KeyError

    with network.consumer(told=fail) as consumer:
        assert work(consumer, 2) == ["text 0", "text 1"]
    assert [type(one) for one in told] == [Skipped]

    def levels() -> list[int]:
        return [record.levelno for record in caplog.records if record.name == "relay_client"]

    wait_until(lambda: levels() == [logging.ERROR])


def test_after_a_seek_nothing_old_is_committed() -> None:
    network, told = Network("cursor", 10), []
    with network.consumer(told=told.append) as consumer:
        iterator = iter(consumer)
        next(iterator)
        network.relay.seek(4)
        wait_until(lambda: next(iterator).text == "text 4")
    assert [type(one) for one in told] == [Moved]
    assert all(number >= 4 or number == 0 for number in network.relay.done)


# --- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_stop_ends_those_who_wait(mode: str) -> None:
    network, ended = Network(mode), []
    with network.consumer() as consumer:
        thread = threading.Thread(target=lambda: ended.append(list(consumer)))
        thread.start()
        wait_until(lambda: "fetch" in network.relay.verbs())
        consumer.stop()
        thread.join(5)
        assert ended == [[]]

    async def test() -> None:
        async with network.async_consumer() as consumer:
            asyncio.get_running_loop().call_later(0.1, consumer.stop)
            assert [message async for message in consumer] == []

    run(test)


def test_take_ends_after_its_time() -> None:
    network = Network("lease")
    with network.consumer() as consumer:
        began = time.monotonic()
        assert consumer.take(0.3) is None
        assert 0.3 <= time.monotonic() - began < 3

    async def test() -> None:
        async with network.async_consumer() as consumer:
            assert await consumer.take(0.1) is None

    run(test)


def test_a_take_that_is_cancelled_takes_nothing_along() -> None:
    network = Network("cursor", 20)

    async def test() -> None:
        async with network.async_consumer() as consumer:
            seen: list[str] = []
            while len(seen) < 20:
                try:
                    async with asyncio.timeout(0.005):
                        taken: Taken | None = await consumer.take()
                except TimeoutError:
                    continue
                assert taken is not None
                seen.append(taken.text)
                taken.ack()
            assert seen == [f"text {number}" for number in range(20)]

    run(test)
    assert network.relay.done == list(range(20))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("is_under_way", [True, False])
def test_what_is_done_is_told_though_somebody_cancels_every_task(mode: str, is_under_way: bool) -> None:
    network = Network(mode, count=3)
    acked, lost = asyncio.Event(), asyncio.Event()

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if acked.is_set() and is_under_way and not lost.is_set():
            network.relay.respond(request)
            lost.set()
            await asyncio.sleep(60)
        return await network.later(request)

    async def consume() -> None:
        async with network.async_consumer(transport=httpx2.MockTransport(answer)) as consumer:
            message = await consumer.take()
            assert message is not None
            message.ack()
            acked.set()
            await asyncio.sleep(60)

    async def test() -> None:
        own = asyncio.current_task()
        consuming = asyncio.create_task(consume())
        await (lost if is_under_way else acked).wait()
        # So `asyncio.run` ends: what its main task has left is cancelled, and awaited.
        for task in asyncio.all_tasks() - {own}:
            task.cancel()
        await asyncio.wait([consuming], timeout=QUICK.closing_seconds - 1)
        assert consuming.cancelled()
        assert asyncio.all_tasks() == {own}

    run(test)
    assert network.relay.done == [0]
    assert {row.state for row in network.relay.rows.values()} <= {State.WAITING}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("is_closed", [True, False])
def test_a_consumer_whose_tasks_were_cancelled_goes_on(mode: str, is_closed: bool) -> None:
    network = Network(mode, count=3)

    async def test() -> None:
        consumer = network.async_consumer()
        first = await consumer.take()
        assert first is not None
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        first.ack()
        if not is_closed:
            await work_async(consumer, 2)
        await consumer.close()

    run(test)
    assert network.relay.done == ([0] if is_closed else [0, 1, 2])


@pytest.mark.parametrize("mode", MODES)
def test_a_close_that_cannot_tell_says_so_and_is_bounded(mode: str) -> None:
    network = Network(mode, 1)
    consumer = network.consumer(told=lambda notice: None)
    taken = consumer.take(5)
    assert taken is not None
    network.steps = iter(saying(503) for _ in range(10_000))
    taken.ack()
    began = time.monotonic()
    with pytest.raises(TimedOut):
        consumer.close(0.5)
    assert time.monotonic() - began < 3
    consumer.close()
    with pytest.raises(Closed):
        consumer.take()
    assert network.relay.done == []


def test_what_is_acked_after_the_end_is_said_to_come_again() -> None:
    network = Network("lease", 1)
    consumer = network.consumer()
    taken = consumer.take(5)
    assert taken is not None
    consumer.close()
    with pytest.raises(Closed, match="again"):
        taken.ack()
    taken.nack()


def test_a_consumer_that_was_never_used_closes_without_a_word() -> None:
    network = Network("lease")
    with network.consumer():
        pass
    run(lambda: network.async_consumer().close())
    assert network.relay.asked == []


def test_a_request_must_be_able_to_outlast_the_wait() -> None:
    for made in (Consumer, AsyncConsumer):
        with pytest.raises(ValueError, match="longer"):
            made(URL, KEY, NAME, timeout_seconds=5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"page_messages": 0},
        {"page_messages": 5001},
        {"page_bytes": 0},
        {"wait_seconds": 21},
        {"wait_seconds": 0},
        {"settle_messages": 0},
        {"settle_seconds": -1},
        {"hold_seconds": 0},
        {"closing_seconds": -1},
    ],
)
def test_a_pace_that_cannot_be_kept_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"\."):
        Pace(**wrong)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_after_a_fork_it_is_closed() -> None:
    network = Network("lease", 2)
    with network.consumer() as consumer:
        taken = consumer.take(5)
        assert taken is not None
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                consumer.close()
                for use in (taken.ack, consumer.take):
                    try:
                        use()
                    except Closed:
                        code = 0
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        taken.ack()
    assert network.relay.done == [0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_after_a_fork_a_loop_ends_though_the_lock_was_held() -> None:
    with Network("cursor", 2).consumer() as consumer:
        loop = iter(consumer)
        next(loop)
        is_held, is_over = threading.Event(), threading.Event()

        def hold() -> None:
            with consumer._changed:
                is_held.set()
                is_over.wait(20)

        holder = threading.Thread(target=hold)
        holder.start()
        is_held.wait(5)
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(5)
            try:
                next(loop)
            except Closed:
                os._exit(0)
            finally:
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        is_over.set()
        holder.join()
    assert code == 0


def test_a_thread_that_could_not_be_started_is_started_by_the_next_take() -> None:
    network, start, started = Network("lease", 1), threading.Thread.start, []

    def fail_once(thread: threading.Thread) -> None:
        started.append(thread.name)
        if started == ["relay-consumer-fetches", "relay-consumer-settles"]:
            raise RuntimeError("can't start new thread")
        start(thread)

    with network.consumer() as consumer:
        with mock.patch.object(threading.Thread, "start", fail_once):
            with pytest.raises(RuntimeError):
                consumer.take(5)
            taken = consumer.take(5)
        assert taken is not None
        taken.ack()
        wait_until(lambda: network.relay.done == [0])


SIGNALLED = """
import signal, sys, time
from clients.python.tests.test_consumer import Network
network = Network(sys.argv[1], 10_000)
consumer = network.consumer()
signal.signal(signal.SIGTERM, lambda *_: consumer.stop())
finished = []
with consumer:
    for message in consumer:
        if not finished:
            print("begun", flush=True)
        time.sleep(0.0005)
        finished.append(int(message.text[5:]))
        if sys.argv[1] == "lease":
            message.ack()
assert network.relay.done == finished, (len(network.relay.done), len(finished))
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # Python's end takes the handler away.
print("ended")
"""


@pytest.mark.parametrize("mode", MODES)
def test_a_signal_ends_it_cleanly_wherever_it_comes(mode: str) -> None:
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(SOURCE)])}
    command = [sys.executable, "-c", textwrap.dedent(SIGNALLED), mode]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=root, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.3)
        for _ in range(20):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        assert process.stdout.read() == "ended\n"
        assert process.wait(20) == 0


def test_threads_end_with_it() -> None:
    network = Network("lease", 5)
    with network.consumer() as consumer:
        work(consumer, 5)
        threads = list(consumer._threads)
    wait_until(lambda: not any(thread.is_alive() for thread in threads))
    assert number_of(network.relay.cursor.position) == 4


def test_an_idle_consumer_does_not_spin() -> None:
    network = Network("cursor")
    with network.consumer() as consumer:
        began = time.process_time()
        assert consumer.take(1.0) is None
        assert time.process_time() - began < 0.5
    assert len(network.relay.asked) < 10


def test_errors_are_ours() -> None:
    assert issubclass(Closed, RelayError)
