"""Publishing with threads, against a model of Relay."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for_all
from pathlib import Path
from typing import Any

import httpx2
import pytest

from clients.python.tests.relay import (
    KEY,
    URL,
    ModelRelay,
    cut_off,
    id_of,
    problem,
    refused_connection,
    saying,
)
from relay_client import (
    BadAnswer,
    BadMessage,
    BufferFull,
    Closed,
    Forbidden,
    Limits,
    Producer,
    Receipt,
    RelayError,
    Throttled,
    TimedOut,
    TooLarge,
    Unavailable,
    Undelivered,
    Unreachable,
)

SOURCE = Path(__file__).parents[1] / "src"

TOGETHER = Limits(linger_seconds=60)
"""What is sent goes with the last of it, however long somebody else has the processor meanwhile."""


def producer_for(handler: Callable[[httpx2.Request], httpx2.Response], **more: Any) -> Producer:
    return Producer(URL, KEY, transport=httpx2.MockTransport(handler), **more)


def undelivered(delivery: "Future[Receipt]") -> Undelivered:
    with pytest.raises(Undelivered) as raised:
        delivery.result(10)
    return raised.value


# --- sending --------------------------------------------------------------------------------------


def test_messages_are_published_in_batches_and_each_has_a_receipt() -> None:
    relay = ModelRelay()
    with producer_for(relay, limits=Limits(batch_messages=4, linger_seconds=60)) as producer:
        sent = [producer.send("orders/eu", f"text {number}") for number in range(10)]
    receipts = [delivery.result(0) for delivery in sent]
    assert relay.texts("orders%2Feu") == [f"text {number}" for number in range(10)]
    assert [receipt.id for receipt in receipts] == [id_of(receipt.idempotency_key) for receipt in receipts]
    assert [len(request.content.splitlines()) for request in relay.requests] == [4, 4, 2]
    assert {request.url.raw_path for request in relay.requests} == {b"/api/v1/channels/orders%2Feu/messages"}
    assert {request.headers["Authorization"] for request in relay.requests} == {f"Bearer {KEY}"}
    assert {request.headers["Content-Type"] for request in relay.requests} == {"application/x-ndjson"}


def test_a_message_goes_by_itself_after_a_short_while() -> None:
    with producer_for(ModelRelay()) as producer:
        assert producer.send("orders", "hello").result(10).channel == "orders"


def test_every_producer_has_keys_of_its_own_and_each_message_another_one() -> None:
    relay = ModelRelay()
    for _ in range(2):
        with producer_for(relay) as producer:
            producer.send("orders", "same")
            producer.send("orders", "same")
    assert relay.texts("orders") == ["same"] * 4


def test_a_key_that_is_given_is_used() -> None:
    relay = ModelRelay()
    for _ in range(2):
        with producer_for(relay) as producer:
            receipt = producer.send("orders", "hello", idempotency_key="invoice 7").result(10)
            assert receipt == Receipt("orders", id_of("invoice 7"), "invoice 7")
    assert relay.stored == {"orders": {"invoice 7": "hello"}}


def test_what_is_stored_is_waited_for_and_its_position_told() -> None:
    def stored(request: httpx2.Request) -> httpx2.Response:
        assert request.url.query == b"confirm=stored"
        return httpx2.Response(201, json={"ids": ["1"], "positions": ["17-0-0"], "duplicates": []})

    with producer_for(stored, confirm="stored") as producer:
        receipt = producer.send("orders", "hello").result(10)
        assert (receipt.position, receipt.is_duplicate) == ("17-0-0", False)


def test_what_was_stored_before_or_is_in_quarantine_is_told() -> None:
    answer = {"ids": ["1", "2", "3"], "positions": ["17-0-0", None, "18-0-2"], "duplicates": [0]}
    with producer_for(
        lambda _: httpx2.Response(201, json=answer), confirm="stored", limits=TOGETHER
    ) as producer:
        sent = [producer.send("orders", text) for text in "abc"]
    receipts = [delivery.result(0) for delivery in sent]
    assert [one.position for one in receipts] == answer["positions"]
    assert [one.is_duplicate for one in receipts] == [True, False, False]


def test_what_is_not_stored_in_time_has_no_position_yet() -> None:
    with producer_for(ModelRelay(), confirm="stored") as producer:
        assert producer.send("orders", "hello").result(10).position is None


def test_many_threads_may_send_and_each_keeps_its_order() -> None:
    relay = ModelRelay()
    with producer_for(relay, limits=Limits(batch_messages=7, buffer_messages=50)) as producer:

        def send(who: int) -> None:
            for number in range(200):
                producer.send("orders", f"{who} {number}")

        threads = [threading.Thread(target=send, args=[who]) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    texts = relay.texts("orders")
    assert len(texts) == 1600
    for who in range(8):
        assert [text for text in texts if text.startswith(f"{who} ")] == [f"{who} {n}" for n in range(200)]


def test_channels_are_sent_side_by_side_up_to_a_bound() -> None:
    relay, lock, together, most = ModelRelay(), threading.Lock(), threading.Barrier(3), []

    def slowly(request: httpx2.Request) -> httpx2.Response:
        together.wait(10)  # Fewer at the same time would never get past it.
        with lock:
            most.append(together.parties)
            return relay.store(request)

    with producer_for(slowly, limits=Limits(most_under_way=3, linger_seconds=60)) as producer:
        for number in range(9):
            producer.send(f"channel-{number}", "hello")
    assert len(relay.stored) == 9
    assert len(producer._threads) == 3


# --- sending again --------------------------------------------------------------------------------


def test_an_answer_that_is_lost_stores_nothing_twice() -> None:
    relay = ModelRelay()
    relay.steps = iter([relay.then_cut_off, relay.then_cut_off, None])
    with producer_for(relay, limits=TOGETHER) as producer:
        sent = [producer.send("orders", text) for text in "abc"]
    assert relay.texts("orders") == ["a", "b", "c"]
    assert [delivery.result(0).id for delivery in sent] == [id_of(key) for key in relay.stored["orders"]]
    assert len({request.content for request in relay.requests}) == 1
    assert len(relay.requests) == 3


@pytest.mark.parametrize(
    "step",
    [
        cut_off,
        refused_connection,
        *map(saying, (408, 425, 429, 500, 502, 503, 504)),
        lambda _: httpx2.Response(200, text="<html>Welcome to the hotel</html>"),
        lambda _: httpx2.Response(202, json={"ids": []}),
        lambda _: httpx2.Response(202, json={"ids": [1]}),
        lambda _: httpx2.Response(202, json=["ids"]),
        lambda _: httpx2.Response(204),
        lambda _: httpx2.Response(201, json={"ids": ["1"], "positions": [7]}),
    ],
)
def test_what_may_pass_is_tried_again(step: Any) -> None:
    relay = ModelRelay([step, step])
    with producer_for(relay) as producer:
        delivery = producer.send("orders", "hello")
    assert delivery.result(0).id
    assert relay.texts("orders") == ["hello"]
    assert len(relay.requests) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_what_relay_asks_to_wait_is_waited(status: int) -> None:
    relay = ModelRelay([saying(status, Retry_After="1")])
    began = time.monotonic()
    with producer_for(relay) as producer:
        producer.send("orders", "hello")
    assert relay.texts("orders") == ["hello"]
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 409, 412, 415, 422])
def test_what_is_refused_is_not_tried_again_and_the_next_one_is_sent(status: int) -> None:
    relay = ModelRelay([saying(status)])
    with producer_for(relay, limits=Limits(batch_messages=1)) as producer:
        error = undelivered(producer.send("orders", "refused"))
        assert getattr(error.reason, "status", None) == status
        assert error.__cause__ is error.reason
        assert not error.may_be_stored
        producer.send("orders", "next").result(10)
    assert relay.texts("orders") == ["next"]


def test_what_is_refused_after_a_lost_answer_may_be_stored() -> None:
    relay = ModelRelay()
    relay.steps = iter([relay.then_cut_off, saying(403)])
    with producer_for(relay) as producer:
        error = undelivered(producer.send("orders", "hello"))
    assert isinstance(error.reason, Forbidden)
    assert error.may_be_stored
    assert relay.texts("orders") == ["hello"]


def test_a_bad_message_harms_no_other() -> None:
    relay = ModelRelay()
    relay.bad = {"3", "7"}
    with producer_for(relay) as producer:
        sent = [producer.send("orders", str(number)) for number in range(10)]
    for number, delivery in enumerate(sent):
        if number in {3, 7}:
            error = undelivered(delivery)
            assert isinstance(error.reason, BadMessage)
            assert not error.may_be_stored
        else:
            delivery.result(0)
    assert relay.texts("orders") == [*"01245689"]


def test_a_message_that_is_named_as_too_large_harms_no_other() -> None:
    relay = ModelRelay([lambda _: problem(413, "message-too-large", "Too large.", index=1)])
    with producer_for(relay, limits=TOGETHER) as producer:
        sent = [producer.send("orders", text) for text in "abc"]
    assert isinstance(undelivered(sent[1]).reason, TooLarge)
    assert relay.texts("orders") == ["a", "c"]


def test_too_large_a_request_is_halved_and_too_large_a_message_given_up() -> None:
    relay = ModelRelay()
    relay.most_bytes = 500
    with producer_for(relay) as producer:
        sent = [producer.send("orders", text) for text in [*"abcdefgh", "x" * 500, *"ijkl"]]
    error = undelivered(sent[8])
    assert isinstance(error.reason, TooLarge)
    assert relay.texts("orders") == [*"abcdefghijkl"]


def test_a_message_that_is_too_old_is_given_up_and_may_be_sent_again() -> None:
    relay = ModelRelay([cut_off] * 1000)
    with producer_for(relay, limits=Limits(delivery_seconds=0.3)) as producer:
        error = undelivered(producer.send("orders", "hello"))
        assert isinstance(error.reason, Unreachable)
        assert error.may_be_stored
        relay.steps = iter([relay.then_cut_off])
        producer.send("orders", "hello", idempotency_key=error.idempotency_key).result(10)
    assert relay.texts("orders") == ["hello"]


def test_what_never_left_is_known_not_to_be_stored() -> None:
    with producer_for(refused_connection, limits=Limits(delivery_seconds=0.2)) as producer:
        assert not undelivered(producer.send("orders", "hello")).may_be_stored


@pytest.mark.parametrize(
    ("step", "reason", "may_be_stored"),
    [
        (saying(429), Throttled, False),
        (saying(503), Unavailable, True),
        (saying(200), BadAnswer, True),
        (refused_connection, Unreachable, False),
    ],
)
def test_the_last_error_is_the_reason_and_says_whether_it_may_be_stored(
    step: Any, reason: type[RelayError], may_be_stored: bool
) -> None:
    with producer_for(step, limits=Limits(delivery_seconds=0.2)) as producer:
        error = undelivered(producer.send("orders", "hello"))
    assert isinstance(error.reason, reason)
    assert error.may_be_stored is may_be_stored


def test_a_fault_of_the_transport_loses_nothing_either() -> None:
    def broken(_: httpx2.Request) -> httpx2.Response:
        raise RuntimeError("secret text")

    with producer_for(broken, limits=Limits(delivery_seconds=0.2)) as producer:
        error = undelivered(producer.send("orders", "hello"))
    assert "RuntimeError" in str(error)
    assert "secret text" not in str(error)


def test_a_channel_that_makes_too_long_an_address_is_not_tried_again() -> None:
    relay = ModelRelay()
    with producer_for(relay) as producer:
        error = undelivered(producer.send("x" * 70_000, "hello"))
        producer.send("orders", "next").result(10)
    assert isinstance(error.reason, Unreachable)
    assert not error.may_be_stored
    assert relay.texts("orders") == ["next"]


# --- room, flush, close ---------------------------------------------------------------------------


def gated() -> tuple[ModelRelay, threading.Event, Callable[[httpx2.Request], httpx2.Response]]:
    """A Relay that answers once its gate is open."""
    relay, gate = ModelRelay(), threading.Event()

    def handler(request: httpx2.Request) -> httpx2.Response:
        assert gate.wait(10)
        return relay.store(request)

    return relay, gate, handler


def test_sending_waits_for_room() -> None:
    relay, gate, handler = gated()
    with producer_for(handler, limits=Limits(buffer_messages=2, linger_seconds=60)) as producer:
        producer.send("orders", "a")
        producer.send("orders", "b")
        with pytest.raises(BufferFull, match="2 messages"):
            producer.send("orders", "not taken", timeout=0)
        began = time.monotonic()
        with pytest.raises(BufferFull):
            producer.send("orders", "not taken", timeout=0.2)
        assert time.monotonic() - began >= 0.2
        threading.Timer(0.1, gate.set).start()
        producer.send("orders", "c")
    assert relay.texts("orders") == ["a", "b", "c"]


def test_what_can_never_have_room_is_refused_at_once() -> None:
    with producer_for(ModelRelay(), limits=Limits(buffer_bytes=100)) as producer:
        with pytest.raises(BufferFull, match="ever"):
            producer.send("orders", "x" * 100)


def test_a_flush_waits_for_what_was_sent_before_and_not_for_what_comes_after() -> None:
    relay, gate, handler = gated()
    with producer_for(handler, limits=Limits(linger_seconds=60)) as producer:
        before = producer.send("orders", "before")
        with pytest.raises(TimedOut, match=r"0\.05"):
            producer.flush(0.05)
        gate.set()
        after = producer.send("other", "after")
        producer.flush(10)
        assert before.done()
        assert after.done(), "sent before the second flush"
        late = producer.send("orders", "late")
        assert not late.done()
    assert relay.texts("orders") == ["before", "late"]


def test_when_a_flush_ends_everybody_has_been_told() -> None:
    with producer_for(ModelRelay()) as producer:
        for _ in range(200):
            sent = [producer.send(f"channel-{number}", "hello") for number in range(5)]
            producer.flush(10)
            assert all(delivery.done() for delivery in sent)


def test_a_closed_producer_takes_nothing_and_may_be_closed_again() -> None:
    producer = producer_for(ModelRelay())
    delivery = producer.send("orders", "hello")
    producer.close()
    delivery.result(0)
    producer.close()
    with pytest.raises(Closed):
        producer.send("orders", "more")
    assert not any(thread.is_alive() for thread in producer._threads)


def test_closing_gives_up_what_is_not_settled_in_time() -> None:
    _, gate, handler = gated()
    producer = producer_for(handler, limits=Limits(batch_messages=1))
    flying, waiting = producer.send("orders", "flying"), producer.send("orders", "waiting")
    with pytest.raises(TimedOut, match="2 messages are given up"):
        producer.close(0.2)
    assert undelivered(flying).may_be_stored
    assert not undelivered(waiting).may_be_stored
    gate.set()
    for thread in producer._threads:
        thread.join(10)
        assert not thread.is_alive()


def test_who_waits_for_room_is_told_that_the_producer_is_closed() -> None:
    _, gate, handler = gated()
    producer = producer_for(handler, limits=Limits(buffer_messages=1))
    producer.send("orders", "a")
    refused: list[BaseException] = []

    def wait() -> None:
        try:
            producer.send("orders", "b")
        except Closed as exc:
            refused.append(exc)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.05)
    with pytest.raises(TimedOut):
        producer.close(0.05)
    thread.join(10)
    assert len(refused) == 1
    gate.set()


# --- callbacks ------------------------------------------------------------------------------------


def test_a_callback_may_send_and_must_not_wait() -> None:
    relay, told = ModelRelay(), []
    with producer_for(relay, limits=Limits(buffer_messages=1)) as producer:

        def callback(_: "Future[Receipt]") -> None:
            told.append(producer.send("orders", "from the callback"))
            for wait in (producer.flush, producer.close, lambda: producer.send("orders", "no room")):
                with pytest.raises(RelayError):
                    wait()
            told.append(producer)

        producer.send("orders", "hello").add_done_callback(callback)
        producer.flush(10)
        wait_for_all(told[:1], 10)
    assert len(told) == 2
    assert relay.texts("orders") == ["hello", "from the callback"]


def test_a_message_cannot_be_taken_back() -> None:
    with producer_for(ModelRelay()) as producer:
        delivery = producer.send("orders", "hello")
        assert not delivery.cancel()
        delivery.result(10)


# --- processes ------------------------------------------------------------------------------------

PROGRAM = """
import os, sys, httpx2
from relay_client import Closed, Limits, Producer

def answer(request):
    count = request.content.count(b"\\n") + 1
    print("asked for", count, flush=True)
    return httpx2.Response(202, json={"ids": ["id"] * count})

relay = httpx2.MockTransport(answer)
producer = Producer("http://relay", "key", limits=Limits(linger_seconds=60), transport=relay)
producer.send("orders", "a")
"""


def run(more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + more],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_producer_that_nobody_closed_sends_what_it_has_when_the_program_ends() -> None:
    assert run("producer.send('orders', 'b')\n") == "asked for 2\n"


def test_a_forked_child_is_refused_and_the_parent_sends_once() -> None:
    forked = """
with producer._lock:  # As if a thread of the parent held it: nobody in the child would ever release it.
    child = os.fork()
    if child == 0:
        for use in (lambda: producer.send("orders", "b"), producer.flush):
            try:
                use()
            except Closed as exc:
                print(exc, flush=True)
        producer.close()
        sys.exit()
assert os.waitpid(child, 0)[1] == 0
"""
    refused = "This producer was made in another process. Make one after the fork.\n"
    assert run(forked) == refused * 2 + "asked for 1\n"


def test_what_is_no_message_is_not_taken() -> None:
    with producer_for(lambda _: problem(500, "never", "Nothing should come.")) as producer:
        for wrong in (7, None, {"a": 1}):
            with pytest.raises(TypeError):
                producer.send("orders", wrong)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="surrogate"):
            producer.send("orders", "\ud800")
        for wrong in (7, None):
            with pytest.raises(TypeError):
                producer.send(wrong, "hello")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="surrogate"):
            producer.send("\udcff", "hello")
        producer.flush(10)


def test_a_request_that_cannot_be_made_leaves_nobody_waiting() -> None:
    wrong: Any = "\udcff"
    producer = producer_for(ModelRelay(), confirm=wrong, limits=Limits(delivery_seconds=0.2))
    error = undelivered(producer.send("orders", "hello"))
    assert "UnicodeEncodeError" in str(error)
    producer.close(10)
