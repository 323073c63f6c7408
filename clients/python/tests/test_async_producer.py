"""Publishing with asyncio, against a model of Relay. What is decided is tested with the outbox."""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any

import httpx2
import pytest

from clients.python.tests.relay import KEY, URL, ModelRelay, cut_off, id_of, problem, saying
from relay_client import AsyncProducer, BadMessage, BufferFull, Closed, Limits, TimedOut, Undelivered


def producer_for(handler: Callable[[httpx2.Request], Any], **more: Any) -> AsyncProducer:
    return AsyncProducer(URL, KEY, transport=httpx2.MockTransport(handler), **more)


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    """A coroutine in an event loop of its own, with a limit of time."""

    async def limited() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(limited())


def test_messages_are_published_in_batches_and_each_has_a_receipt() -> None:
    relay = ModelRelay()

    async def test() -> None:
        async with producer_for(relay, limits=Limits(batch_messages=4, linger_seconds=60)) as producer:
            sent = [await producer.send("orders/eu", f"text {number}") for number in range(10)]
        receipts = [await delivery for delivery in sent]
        assert [one.id for one in receipts] == [id_of(one.idempotency_key) for one in receipts]

    run(test)
    assert relay.texts("orders%2Feu") == [f"text {number}" for number in range(10)]
    assert [len(request.content.splitlines()) for request in relay.requests] == [4, 4, 2]


def test_a_message_goes_by_itself_after_a_short_while() -> None:
    async def test() -> None:
        async with producer_for(ModelRelay()) as producer:
            assert (await (await producer.send("orders", "hello"))).channel == "orders"

    run(test)


def test_what_fails_is_sent_again_and_stored_once() -> None:
    relay = ModelRelay()
    relay.steps = iter([relay.then_cut_off, saying(503), cut_off, None])

    async def test() -> None:
        async with producer_for(relay) as producer:
            for text in "abc":
                await producer.send("orders", text)

    run(test)
    assert relay.texts("orders") == ["a", "b", "c"]
    assert len(relay.requests) == 4


@pytest.mark.parametrize("is_begun", [True, False])
def test_who_cancels_every_task_loses_and_doubles_nothing(is_begun: bool) -> None:
    relay = ModelRelay()
    waits = iter([60.0] if is_begun else [])

    async def slow(request: httpx2.Request) -> httpx2.Response:
        answer = relay(request)
        await asyncio.sleep(next(waits, 0))
        return answer

    async def publish() -> None:
        async with producer_for(slow) as producer:
            await producer.send("orders", "hello")
            await asyncio.sleep(60)

    async def test() -> None:
        own = {asyncio.current_task(), publishing := asyncio.create_task(publish())}
        while not (asyncio.all_tasks() - own and (relay.requests or not is_begun)):
            await asyncio.sleep(0)
        assert bool(relay.requests) is is_begun
        # So `asyncio.run` ends: what its main task has left is cancelled, and awaited.
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.wait([publishing], timeout=10)
        assert publishing.cancelled()

    run(test)
    assert relay.texts("orders") == ["hello"]
    assert len(relay.requests) == 1 + is_begun


def test_a_bad_message_harms_no_other() -> None:
    relay = ModelRelay()
    relay.bad = {"b"}

    async def test() -> None:
        async with producer_for(relay) as producer:
            sent = [await producer.send("orders", text) for text in "abc"]
        with pytest.raises(Undelivered) as raised:
            await sent[1]
        assert isinstance(raised.value.reason, BadMessage)
        await sent[2]

    run(test)
    assert relay.texts("orders") == ["a", "c"]


def test_what_nobody_asks_about_is_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with producer_for(ModelRelay([saying(403)])) as producer:
            for _ in range(3):
                await producer.send("orders", "a secret")

    run(test)
    gc.collect()
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 1
    assert told[0].startswith("Not delivered to 'orders': 3, because of 403")


def gated() -> tuple[
    ModelRelay, asyncio.Event, Callable[[httpx2.Request], Coroutine[None, None, httpx2.Response]]
]:
    relay, gate = ModelRelay(), asyncio.Event()

    async def handler(request: httpx2.Request) -> httpx2.Response:
        await gate.wait()
        return relay.store(request)

    return relay, gate, handler


def test_sending_waits_for_room_and_who_is_cancelled_has_sent_nothing() -> None:
    async def test() -> None:
        relay, gate, handler = gated()
        async with producer_for(handler, limits=Limits(buffer_messages=2, linger_seconds=60)) as producer:
            await producer.send("orders", "a")
            await producer.send("orders", "b")
            for timeout in (0, 0.05):
                with pytest.raises(BufferFull, match="2 messages"):
                    await producer.send("orders", "not taken", timeout=timeout)
            cancelled = asyncio.create_task(producer.send("orders", "not taken"))
            waiting = [asyncio.create_task(producer.send("orders", text)) for text in "cdef"]
            await asyncio.sleep(0.05)
            cancelled.cancel()
            assert not any(task.done() for task in waiting)
            gate.set()
            await asyncio.gather(*waiting)
        assert relay.texts("orders") == [*"abcdef"]

    run(test)


def test_a_delivery_that_is_cancelled_goes_on() -> None:
    async def test() -> None:
        relay, gate, handler = gated()
        async with producer_for(handler) as producer:
            delivery = await producer.send("orders", "a")
            delivery.cancel()
            gate.set()
            await producer.flush()
        assert relay.texts("orders") == ["a"]

    run(test)


def test_a_flush_waits_for_what_was_sent_before() -> None:
    async def test() -> None:
        _, gate, handler = gated()
        async with producer_for(handler, limits=Limits(linger_seconds=60)) as producer:
            delivery = await producer.send("orders", "a")
            with pytest.raises(TimedOut):
                await producer.flush(0.05)
            assert not delivery.done()
            gate.set()
            await producer.flush()
            assert delivery.done()

    run(test)


def test_closing_gives_up_what_is_not_settled_in_time_and_leaves_no_task() -> None:
    async def test() -> None:
        _, _, handler = gated()
        producer = producer_for(handler, limits=Limits(batch_messages=1))
        sent = [await producer.send("orders", text) for text in "ab"]
        await asyncio.sleep(0.05)
        with pytest.raises(TimedOut, match="2 messages are given up"):
            await producer.close(0.05)
        results = await asyncio.gather(*sent, return_exceptions=True)
        assert [isinstance(one, Undelivered) and one.may_be_stored for one in results] == [True, False]
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await producer.close()
        with pytest.raises(Closed):
            await producer.send("orders", "c")

    run(test)


def test_closing_that_is_cancelled_gives_up_at_once() -> None:
    async def test() -> None:
        _, _, handler = gated()
        producer = producer_for(handler)
        delivery = await producer.send("orders", "a")
        closing = asyncio.create_task(producer.close())
        await asyncio.sleep(0.05)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert isinstance(delivery.exception(), Undelivered)

    run(test)


def test_another_event_loop_is_refused() -> None:
    producer = producer_for(ModelRelay())

    async def send() -> None:
        await producer.send("orders", "a")
        await producer.flush()

    run(send)
    with pytest.raises(Closed, match="another event loop"):
        run(send)


def test_what_is_no_message_is_not_taken() -> None:
    async def test() -> None:
        async with producer_for(lambda _: problem(500, "never", "Nothing should come.")) as producer:
            for wrong in (7, None, {"a": 1}):
                with pytest.raises(TypeError):
                    await producer.send("orders", wrong)  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="surrogate"):
                await producer.send("orders", "\ud800")
            for wrong in (7, None):
                with pytest.raises(TypeError):
                    await producer.send(wrong, "hello")  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="surrogate"):
                await producer.send("\udcff", "hello")
            await producer.flush(10)

    run(test)


def test_a_request_that_cannot_be_made_leaves_nobody_waiting() -> None:
    wrong: Any = "\udcff"

    async def test() -> None:
        producer = producer_for(ModelRelay(), confirm=wrong, limits=Limits(delivery_seconds=0.2))
        delivery = await producer.send("orders", "hello")
        with pytest.raises(Undelivered, match="UnicodeEncodeError"):
            await asyncio.wait_for(delivery, 10)
        await producer.close(10)

    run(test)
