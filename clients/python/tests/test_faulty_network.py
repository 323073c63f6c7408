"""Both producers, whole, over a network that loses requests, answers and connections as Hypothesis chooses.

`test_nothing_lost_nothing_doubled` drives what they decide with; here are the threads and tasks around it.
"""

import asyncio
from collections.abc import Callable, Sequence
from unittest import mock

import httpx2
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.python.tests.relay import (
    KEY,
    URL,
    ModelRelay,
    Step,
    cut_off,
    id_of,
    problem,
    refused_connection,
    saying,
)
from relay_client import AsyncProducer, Limits, Producer, Receipt, Undelivered
from relay_client.publishing import outbox

Results = list[tuple[str, str, Receipt | Undelivered]]
"""Channel, text, and what became of it."""

faults = st.lists(
    st.sampled_from(["fine", "answer lost", "cut off", "not sent", "503", "429", "404", "413"]), max_size=25
)
messages = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.booleans()), min_size=1, max_size=25)
limits = st.builds(
    Limits,
    batch_messages=st.integers(1, 5),
    linger_seconds=st.sampled_from([0, 0.001]),
    most_under_way=st.integers(1, 3),
    buffer_messages=st.integers(1, 10),
)


def relay_with(chosen: Sequence[str]) -> ModelRelay:
    relay = ModelRelay()
    steps: dict[str, Step] = {
        "fine": None,
        "answer lost": relay.then_cut_off,
        "cut off": cut_off,
        "not sent": refused_connection,
        "503": saying(503, Retry_After="0"),
        "429": saying(429),
        "404": saying(404),
        "413": lambda _: problem(413, "too-much-at-once", "Too much."),
    }
    relay.steps = iter([steps[name] for name in chosen])
    relay.bad = {"bad"}
    return relay


def check(use: Callable[[ModelRelay], Results], relay: ModelRelay) -> None:
    with mock.patch.object(outbox, "delay", lambda failures, chance, asked=None: chance / 1000):
        results = use(relay)
    for channel in ("a", "b"):
        stored = relay.stored.get(channel, {})
        sent = [text for to, text, _ in results if to == channel]
        texts = list(stored.values())
        assert texts == [text for text in sent if text in texts], "doubled, or out of order"
        for to, text, result in results:
            if to != channel:
                continue
            if isinstance(result, Receipt):
                assert stored[result.idempotency_key] == text
                assert result.id == id_of(result.idempotency_key)
            else:
                assert result.may_be_stored or result.idempotency_key not in stored


def numbered(to_send: Sequence[tuple[str, bool]]) -> list[tuple[str, str]]:
    """Each text once, but for the bad ones."""
    return [(channel, "bad" if is_bad else f"text {n}") for n, (channel, is_bad) in enumerate(to_send)]


@settings(max_examples=60, deadline=None)
@given(limits, messages, faults)
def test_threads_lose_nothing_and_double_nothing(
    limits: Limits, to_send: list[tuple[str, bool]], chosen: list[str]
) -> None:
    def use(relay: ModelRelay) -> Results:
        with Producer(URL, KEY, limits=limits, transport=httpx2.MockTransport(relay)) as producer:
            sent = [(to, text, producer.send(to, text)) for to, text in numbered(to_send)]
        return [(to, text, told(delivery.exception(0)) or delivery.result(0)) for to, text, delivery in sent]

    check(use, relay_with(chosen))


@settings(max_examples=60, deadline=None)
@given(limits, messages, faults)
def test_tasks_lose_nothing_and_double_nothing(
    limits: Limits, to_send: list[tuple[str, bool]], chosen: list[str]
) -> None:
    async def publish(relay: ModelRelay) -> Results:
        async with AsyncProducer(URL, KEY, limits=limits, transport=httpx2.MockTransport(relay)) as producer:
            sent = [(to, text, await producer.send(to, text)) for to, text in numbered(to_send)]
        return [(to, text, told(delivery.exception()) or delivery.result()) for to, text, delivery in sent]

    check(lambda relay: asyncio.run(publish(relay)), relay_with(chosen))


def told(error: BaseException | None) -> Undelivered | None:
    assert error is None or isinstance(error, Undelivered)
    return error
